/* SPDX-License-Identifier: MIT */
/*
 * worker: moves the frames: receive, bridge, send.
 *
 * A worker has its own batch, outbox (with the counters) and ready list, and no more than that may
 * be touched by a frame; so there can be several one day. The surprising rule: a port stays on the
 * ready list until its rx() left `more` false, whatever epoll says, and a turn gives each ready
 * port one batch, in order. When no frames are left it looks for more for a moment before it lets
 * the loop sleep, as long as that pays. The frame path allocates nothing and logs nothing. Made by
 * user.c; ports.c tells it of ports; the loop calls worker_turn().
 */
#ifndef SWITCH_DAEMON_WORKER_H
#define SWITCH_DAEMON_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "ports/coalesce.h"
#include "ports/port.h"
#include "switch/bridge.h"
#include "switch/daemon/cpu.h"
#include "switch/daemon/flows.h"
#include "switch/outbox.h"

struct daemon;

/* What a worker knows of a port; part of ports.c's own structure. */
struct worker_port {
	struct port *port;
	uint64_t deadline; /* when timer() is due, UINT64_MAX = never */
	bool ready;        /* on the ready list */
	TAILQ_ENTRY(worker_port) entry;
};

TAILQ_HEAD(worker_list, worker_port);

struct worker {
	struct daemon *daemon;
	struct bridge *bridge;
	struct outbox *out;
	struct batch in;
	struct coalesce coalesce;
	struct worker_list ready;
	struct worker_port *port[PORT_MAX];
	unsigned words;        /* of port sets, by the highest port number */
	uint64_t deadline;     /* the earliest of all ports */
	uint64_t lost;         /* events of the outbox that there was no room for */
	uint64_t sends;        /* frames given to ports */
	struct portset recent; /* ports that had frames since the worker last slept */
	uint64_t poll_ns;      /* longest look for more frames before sleeping, 0 = none */
	unsigned hits;         /* score: does polling find frames */
	uint64_t idle_ns;      /* when frames ended */
	bool slept;            /* nothing was received since the last sleep */
	struct cpu cpu;
	struct flows *flows; /* what the kernel forwards instead, NULL = nothing */
	bool running;        /* frames are on their way: the bridge must not be changed */
	bool unsettled;      /* have settle() called once they have arrived */
	void (*settle)(void *arg);
	void *settle_arg;
};

/*
 * Prepares @w to forward through @bridge on the calling thread. @poll_us: how long to look for more
 * frames before sleeping, at most, 0 = not at all. @keep_cpu: stay on one processor, see cpu.h.
 * Returns 0 or -ENOMEM. worker_fini() accepts a zeroed worker.
 */
int worker_init(struct worker *w, struct daemon *daemon, struct bridge *bridge, uint32_t poll_us,
		bool keep_cpu);
void worker_fini(struct worker *w);

/* Port @number, which has a queue in w->out, is now @p. */
void worker_add(struct worker *w, uint16_t number, struct worker_port *p);
/* Forgets it; frames for it were flushed. */
void worker_del(struct worker *w, uint16_t number);

/* Frames wait at @p. */
void worker_ready(struct worker *w, struct worker_port *p);

/* Does what ports asked to be called for by @now. */
void worker_timers(struct worker *w, uint64_t now);

/* Frames may wait at every port. */
void worker_all_ready(struct worker *w);

/* Throws away what has arrived at every port. */
void worker_discard(struct worker *w);

/* Have timer() of @p called at @at_ms, UINT64_MAX = never. */
void worker_deadline(struct worker *w, struct worker_port *p, uint64_t at_ms);

/*
 * Sends what is queued in the outbox and passes its events on. To be called after every
 * bridge_set...().
 */
void worker_flush(struct worker *w, uint64_t now);

/* Calls settle() if it is wanted and frames are not on their way. */
void worker_settle(struct worker *w);

/*
 * Up to 16 batches, fewer when they go to many ports; timers and ageing that are due. Returns when
 * to be called again, as loop_set_turn() wants it.
 */
uint64_t worker_turn(void *worker, uint64_t now);

#endif
