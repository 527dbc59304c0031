/* SPDX-License-Identifier: MIT */
/*
 * flows: which known unicast the kernel forwards by itself (ports/fastpath.h).
 *
 * Looks at one frame of each batch. A frame seen before that the bridge would always treat alike
 * (switch/flow.h), between two interfaces, becomes a flow of the kernel's, in a moment when none
 * of its frames waits here, so that none is overtaken; only at a port without such moments anyhow.
 * The surprising rule: nothing of the bridge is known twice. Whatever changes there, be it an
 * address or a setting, ends the flows it may concern at once, and their next frames come by here
 * again. What the kernel forwarded is counted and kept young in the address table at least every
 * second. Made by user.c for the worker; main thread.
 */
#ifndef SWITCH_DAEMON_FLOWS_H
#define SWITCH_DAEMON_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/fastpath.h"
#include "switch/outbox.h"

struct flows;
struct port;
struct worker;

/* What is kept of a frame until the batch was forwarded. */
struct flow_hint {
	bool any; /* there is something to offer */
	uint8_t addresses[12];
	struct vtag tag;
	uint16_t in;
};

/*
 * Returns an empty set of flows through the bridge and ports of @w, or NULL; flows_free() accepts
 * NULL.
 */
struct flows *flows_new(struct worker *w);
void flows_free(struct flows *flows);

/*
 * Returns what ports attach to, made when first asked for; NULL when the kernel does not have it.
 */
struct fastpath *flows_fastpath(struct flows *flows);

/* Notes in @hint which frame of @in, fresh from @port, flows_offer() is to be asked about. */
void flows_look(const struct flows *flows, const struct port *port, const struct batch *in,
		struct flow_hint *hint);

/*
 * The batch that @hint is from was forwarded; @more: others already wait at its port. Returns
 * whether there are, now, frames there that must not be left waiting.
 */
bool flows_offer(struct flows *flows, const struct flow_hint *hint, bool more, uint64_t now);

/* Ends what @event of the bridge concerns. */
void flows_event(struct flows *flows, const struct event *event);

/* Ends all flows; their next frames are looked at again. */
void flows_renew(struct flows *flows);

/* Ends all flows and, while @paused, begins none. */
void flows_pause(struct flows *flows, bool paused);

/*
 * Counts in the bridge what the kernel has forwarded so far; once a millisecond is enough, and no
 * more is done.
 */
void flows_collect(struct flows *flows, uint64_t now);

/* Does the same and ends flows that are not used, when it is time. */
void flows_turn(struct flows *flows, uint64_t now);
/* Returns when that is, UINT64_MAX = there are no flows. */
uint64_t flows_next(const struct flows *flows);

#endif
