/* SPDX-License-Identifier: MIT */
/*
 * outbox: what the bridge hands back: frames to send, and news.
 *
 * A queue for each port (with that port's counters), the set of ports whose queue is not empty, and a fixed list of
 * events. The surprising rule: the core never waits and never calls out; when a queue or the event list could
 * overflow, bridge_input() and bridge_tick() stop early, and the caller flushes and calls again. One outbox
 * belongs to one worker. Frames referred to stay valid until the batch they came in is done().
 */
#ifndef SWITCH_OUTBOX_H
#define SWITCH_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb/fdb.h"
#include "ports/frame.h"
#include "vlan/portset.h"

#define OUTBOX_EVENTS 512u

enum event_kind {
	EVENT_FDB_ADDED,
	EVENT_FDB_CHANGED,
	EVENT_FDB_DELETED,
	EVENT_FDB_FLUSHED, /* fdb.port / fdb.vid say which (PORT_NONE, FDB_ANY_VID = all) */
	EVENT_PORT,        /* state, link or a setting of `port` changed */
	EVENT_PORT_DELETED,
	EVENT_VLAN_ADDED,  /* `port` joined vid or its flags changed there */
	EVENT_VLAN_DELETED,
	EVENT_BRIDGE,      /* a setting of the bridge changed */
};

struct event {
	enum event_kind kind;
	uint16_t port;
	uint16_t vid;
	uint16_t vlan_flags; /* enum vlan_flag */
	struct fdb_entry fdb;
};

struct outbox {
	struct portset busy;              /* ports whose queue is not empty */
	struct txq *txq[PORT_MAX];        /* NULL where there is no port */
	unsigned n_events;
	struct event event[OUTBOX_EVENTS];
};

/* Returns an empty outbox or NULL when memory is short; outbox_free() accepts NULL. */
struct outbox *outbox_new(void);
void outbox_free(struct outbox *out);

/* Makes the queue and the zeroed counters of @port (0..PORT_MAX-1). Returns 0 or -ENOMEM. */
int outbox_port_add(struct outbox *out, uint16_t port);
/* Releases them; the queue must be empty. Harmless when there are none. */
void outbox_port_del(struct outbox *out, uint16_t port);

/* Appends @event; the caller has made sure of room, an event too many is dropped. */
void outbox_event(struct outbox *out, const struct event *event);

/* Returns whether one more frame, sent to every port, and the news it can cause would fit. */
static inline bool outbox_has_room(const struct outbox *out, unsigned frames_so_far)
{
	return frames_so_far < BATCH_MAX && out->n_events + 4 <= OUTBOX_EVENTS;
}

#endif
