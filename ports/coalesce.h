/* SPDX-License-Identifier: MIT */
/*
 * coalesce: makes super-frames of TCP segments that follow one another in a queue.
 *
 * For ports that take super-frames when the senders of the frames make none: the receiver's stack
 * is then run once instead of for each segment. The rules are those of the kernel's GRO
 * (tcp_gro_receive(), inet_gro_receive(), ipv6_gro_receive()), so what cuts the super-frame again
 * gets the segments that came. The surprising rule: nothing waits; only what is in one queue at one
 * time is joined, so no frame is ever later than without. Order within a flow stays. No byte of
 * payload is copied: a super-frame has a head of its own and vectors into the frames.
 *
 * Pure. A worker has one, for all queues: what it made is valid until it makes more.
 */
#ifndef PORTS_COALESCE_H
#define PORTS_COALESCE_H

#include "ports/queue.h"

#define COALESCE_RUNS 8u   /* flows that are joined at a time */
#define COALESCE_HEAD 128u /* longest headers */

/* Segments that follow one another. */
struct coalesce_run {
	struct txq_entry *entry;   /* where they are sent */
	const struct frame *first; /* what came there */
	struct frame *super;       /* what they were made to; NULL: there is only one yet */
	uint32_t ports;            /* of TCP, as they lie there */
	uint32_t l4, hdr;          /* offsets in all of them: TCP, payload */
	uint32_t seq;              /* the next one's */
	uint32_t size;             /* bytes of payload of each, the last may have fewer */
	uint16_t id;               /* IPv4: the last one's identification */
	bool open;                 /* it may go on */
};

struct coalesce {
	unsigned n_run, n_super;
	struct coalesce_run run[COALESCE_RUNS];
	struct frame super[BATCH_MAX / 2];
	struct iovec tail[BATCH_MAX / 2][FRAME_TAIL_MAX];
	uint8_t head[BATCH_MAX / 2][COALESCE_HEAD];
};

/*
 * Joins what can be joined of @q, for a port with @caps (enum offload_cap). Entries that went into
 * a super-frame are gone; its entry has how many in `more`.
 */
void coalesce_queue(struct coalesce *c, struct txq *q, uint32_t caps);

#endif
