/* SPDX-License-Identifier: MIT */
/*
 * stage: frames on their way to a socket that knows no offloads, many for one system call.
 *
 * The frames of a queue are finished, cut where they are super-frames, and copied one behind the
 * other into one buffer; the driver then sends the buffer's pieces. The surprising rule: bytes may
 * be `held` in front of the first piece, what a stream did not take of a frame that it has begun;
 * that is all that ever stays in the buffer after stage_tx(). Part of a driver's own structure.
 */
#ifndef PORTS_STAGE_H
#define PORTS_STAGE_H

#include "ports/port.h"

#define STAGE_PIECES 128u
#define STAGE_BYTES (192u * 1024u)

/* One finished frame in the buffer. */
struct stage_piece {
	uint32_t at, len; /* the prefix included */
	enum drop drop;   /* set by send(): why it did not go */
	unsigned entry;   /* of the queue */
};

struct stage {
	uint8_t *bytes; /* STAGE_BYTES of them */
	uint32_t held, len;
	bool prefix;  /* a length of four bytes, high one first, goes before each frame */
	uint32_t max; /* longest frame the peer takes, bytes */
	unsigned n;
	struct stage_piece piece[STAGE_PIECES];
};

/*
 * Prepares @st, zeroed, for frames of up to @max bytes, at most FRAME_MAX. Returns 0 or -ENOMEM.
 * stage_fini() accepts a zeroed one.
 */
int stage_init(struct stage *st, bool prefix, uint32_t max);
void stage_fini(struct stage *st);

/*
 * Sends all of @q, which becomes empty, and counts it. @send(@port, st) is called with pieces in
 * st->piece[0..st->n): it sends them or says in `drop` why not, and may leave what is left of one
 * at the beginning of the buffer, as st->held bytes.
 */
void stage_tx(struct stage *st, struct port *port, struct txq *q,
	      void (*send)(struct port *port, struct stage *st));

#endif
