/* SPDX-License-Identifier: MIT */
#include "switch/outbox.h"

#include <errno.h>
#include <stdlib.h>

#define EVENTS_PER_FRAME 3u /* an address learned, another evicted, one to spare */

struct outbox *outbox_new(void)
{
	return calloc(1, sizeof(struct outbox));
}

void outbox_free(struct outbox *out)
{
	if (!out)
		return;
	for (unsigned i = 0; i < PORT_MAX; i++)
		free(out->txq[i]);
	free(out);
}

int outbox_port_add(struct outbox *out, uint16_t port)
{
	struct txq *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	free(out->txq[port]);
	out->txq[port] = q;
	return 0;
}

void outbox_port_del(struct outbox *out, uint16_t port)
{
	free(out->txq[port]);
	out->txq[port] = NULL;
	portset_del(&out->busy, port);
}

unsigned outbox_fdb_room(const struct outbox *out)
{
	unsigned most = OUTBOX_EVENTS - OUTBOX_KEPT;

	return out->n_events < most ? most - out->n_events : 0;
}

void outbox_event(struct outbox *out, const struct event *event)
{
	bool fdb = event->kind <= EVENT_FDB_FLUSHED;

	if (fdb ? outbox_fdb_room(out) > 0 : out->n_events < OUTBOX_EVENTS)
		out->event[out->n_events++] = *event;
	else
		out->lost++;
}

void outbox_fdb_changes(struct outbox *out, const struct fdb_changes *changes)
{
	static const enum event_kind kind[] = {
		[FDB_ADDED] = EVENT_FDB_ADDED,
		[FDB_CHANGED] = EVENT_FDB_CHANGED,
		[FDB_DELETED] = EVENT_FDB_DELETED,
	};

	for (unsigned i = 0; i < changes->n; i++) {
		const struct fdb_entry *e = &changes->c[i].entry;
		struct event event = {
			.kind = kind[changes->c[i].kind], .port = e->port, .vid = e->vid, .fdb = *e
		};

		outbox_event(out, &event);
	}
}

unsigned outbox_room(const struct outbox *out)
{
	unsigned room = outbox_fdb_room(out) / EVENTS_PER_FRAME;

	if (room > BATCH_MAX)
		room = BATCH_MAX;
	PORTSET_FOREACH(port, &out->busy, PORTSET_WORDS)
		if (BATCH_MAX - out->txq[port]->n < room)
			room = BATCH_MAX - out->txq[port]->n;
	return room;
}
