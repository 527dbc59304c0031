/* SPDX-License-Identifier: MIT */
/*
 * queue: the vectors that carry frames: a batch on its way in, a queue on its way out of one port.
 *
 * The surprising rule: counting follows custody. What a driver refuses it counts itself (rx and
 * drop_in); what it hands on in a batch the bridge counts; what is in a queue is counted as queued
 * already, and tx() counts what became of it. Batches belong to a worker, queues to its outbox.
 */
#ifndef PORTS_QUEUE_H
#define PORTS_QUEUE_H

#include "ports/frame.h"

#define BATCH_MAX 64u
#define BATCH_BYTES (512u * 1024u)

/*
 * Counters of one port, kept by the worker that runs it; ingress and egress both balance (see
 * bridge.h).
 */
struct port_stats {
	uint64_t rx, rx_bytes, rx_missed;
	uint64_t rx_fast;   /* of rx: forwarded by the kernel, see fastpath.h */
	uint64_t rx_cycles; /* from receiving its frames to having sent them */
	uint64_t forwarded, consumed;
	uint64_t queued, tx, tx_bytes, tx_segments;
	uint64_t drop_in[DROP_MAX];
	uint64_t drop_out[DROP_MAX];
};

/* Frames of one port on their way in. Filled by a driver's rx(), read by bridge_input(). */
struct batch {
	unsigned n;               /* frames in use */
	bool more;                /* the driver stopped at a full batch: call rx() again */
	struct port_stats *stats; /* of the ingress port: drivers count only what they refuse */
	uint8_t *arena; /* BATCH_ARENA bytes for drivers that copy in; reused by each rx() */
	struct frame frame[BATCH_MAX];
};

/* Room for BATCH_MAX frames of full size with headroom; only what is touched becomes resident. */
#define BATCH_ARENA (BATCH_MAX * (size_t)(2304 + 66 * 1024))

/* One frame to send. */
struct txq_entry {
	const struct frame *frame;
	uint32_t remote; /* end point to send it to, 0 where there is one */
	bool tagged;     /* write frame->tag */
	uint8_t more;    /* frames that went into this one, see coalesce.h */
};

/* Frames of one egress port on their way out. tx() takes all of them and leaves n = 0. */
struct txq {
	unsigned n;
	struct port_stats stats; /* of this port, both directions */
	struct txq_entry entry[BATCH_MAX];
};

/* Counts what became of @e: sent, or dropped for @reason. */
static inline void txq_count(struct port_stats *stats, const struct txq_entry *e, enum drop reason)
{
	const struct frame *f = e->frame;
	uint32_t len = frame_wire_len(f, e->tagged), frames = 1u + e->more;

	if (reason) {
		stats->drop_out[reason] += frames;
		return;
	}
	stats->tx += frames;
	stats->tx_bytes += len;
	if (e->more)
		stats->tx_bytes += e->more * (f->vnet.hdr_len + len - f->total);
}

/*
 * Allocates the arena of @b. Returns 0 or -ENOMEM. batch_fini() releases it and accepts an empty
 * batch.
 */
int batch_init(struct batch *b);
void batch_fini(struct batch *b);

#endif
