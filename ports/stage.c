/* SPDX-License-Identifier: MIT */
#include "ports/stage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX 4u

int stage_init(struct stage *st, bool prefix, uint32_t max)
{
	st->bytes = malloc(STAGE_BYTES);
	st->prefix = prefix;
	st->max = max;
	return st->bytes ? 0 : -ENOMEM;
}

void stage_fini(struct stage *st)
{
	free(st->bytes);
}

static void put(struct stage *st, const struct wire *w, unsigned entry)
{
	uint32_t at = st->len;

	if (st->prefix) {
		uint32_t len = __builtin_bswap32(w->len);

		memcpy(st->bytes + at, &len, PREFIX);
		at += PREFIX;
	}
	for (unsigned i = 1; i < w->n_iov; i++) {
		memcpy(st->bytes + at, w->iov[i].iov_base, w->iov[i].iov_len);
		at += (uint32_t)w->iov[i].iov_len;
	}
	st->piece[st->n++] = (struct stage_piece){ st->len, at - st->len, DROP_NONE, entry };
	st->len = at;
}

/* Has all pieces sent; @verdict says of each entry of the queue whether one did not go. */
static void flush(struct stage *st, struct port *port, enum drop *verdict, struct txq *q,
		  void (*send)(struct port *port, struct stage *st))
{
	if (!st->n)
		return;
	send(port, st);
	for (unsigned i = 0; i < st->n; i++) {
		const struct stage_piece *p = &st->piece[i];

		if (p->drop)
			verdict[p->entry] = p->drop;
		else
			q->stats.tx_segments++;
	}
	st->n = 0;
	st->len = st->held;
}

void stage_tx(struct stage *st, struct port *port, struct txq *q,
	      void (*send)(struct port *port, struct stage *st))
{
	enum drop verdict[BATCH_MAX];
	struct offload o;
	struct wire w;

	st->n = 0;
	st->len = st->held;
	for (unsigned i = 0; i < q->n; i++) {
		const struct txq_entry *e = &q->entry[i];

		verdict[i] = offload_begin(&o, e->frame, e->tagged, 0);
		while (!verdict[i] && offload_next(&o, &w)) {
			if (w.len > st->max) {
				verdict[i] = DROP_GIANT;
				break;
			}
			if (st->n == STAGE_PIECES || st->len + PREFIX + w.len > STAGE_BYTES)
				flush(st, port, verdict, q, send);
			if (!verdict[i])
				put(st, &w, i);
		}
	}
	flush(st, port, verdict, q, send);
	for (unsigned i = 0; i < q->n; i++)
		txq_count(&q->stats, &q->entry[i], verdict[i]);
	q->n = 0;
}
