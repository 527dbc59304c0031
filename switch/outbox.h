/* SPDX-License-Identifier: MIT */
/*
 * outbox: what the bridge hands back: frames to send, and news.
 *
 * A queue for each port (with that port's counters), the set of ports whose queue is not empty, and
 * a fixed list of events. The surprising rule: the core never waits and never calls out; when a
 * queue or the event list could overflow, bridge_input() and bridge_tick() stop early, and the
 * caller flushes and calls again. One outbox belongs to one worker. Frames referred to stay valid
 * until the batch they came in is done().
 */
#ifndef SWITCH_OUTBOX_H
#define SWITCH_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb/fdb.h"
#include "ports/queue.h"
#include "vlan/portset.h"

#define OUTBOX_EVENTS 512u
#define OUTBOX_KEPT 64u /* of them for ports and VLANs, however many addresses go with them */

enum event_kind {
	EVENT_FDB_ADDED,
	EVENT_FDB_CHANGED,
	EVENT_FDB_DELETED,
	EVENT_FDB_FLUSHED, /* fdb.port / fdb.vid say which (PORT_NONE, FDB_ANY_VID = all) */
	EVENT_PORT,        /* state, link or a setting of `port` changed */
	EVENT_PORT_DELETED,
	EVENT_VLAN_ADDED, /* `port` joined vid..vid_last, or its flags or state changed there */
	EVENT_VLAN_DELETED,
	EVENT_BRIDGE, /* a setting of the bridge changed */
};

struct event {
	enum event_kind kind;
	uint16_t port;
	uint16_t vid;
	uint16_t vid_last;   /* of a VLAN event */
	uint16_t vlan_flags; /* enum vlan_flag */
	struct fdb_entry fdb;
};

struct outbox {
	struct portset busy;       /* ports whose queue is not empty */
	struct txq *txq[PORT_MAX]; /* NULL where there is no port */
	uint64_t lost;             /* events for which there was no room */
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

/* Returns how many events of addresses fit. */
unsigned outbox_fdb_room(const struct outbox *out);

/* Appends @event, or counts it as lost when the list has no room for its kind. */
void outbox_event(struct outbox *out, const struct event *event);

/* Appends what an FDB call left in @changes. */
void outbox_fdb_changes(struct outbox *out, const struct fdb_changes *changes);

/*
 * Returns how many frames (0..BATCH_MAX), each sent to every port and causing news, are sure to
 * fit.
 */
unsigned outbox_room(const struct outbox *out);

/* Appends @f for egress port @port, which has a queue with room, to be sent with its tag or not. */
static inline void outbox_add(struct outbox *out, uint16_t port, const struct frame *f, bool tagged)
{
	struct txq *q = out->txq[port];

	q->entry[q->n++] = (struct txq_entry){ .frame = f, .tagged = tagged };
	portset_add(&out->busy, port);
}

#endif
