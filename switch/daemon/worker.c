/* SPDX-License-Identifier: MIT */
#include "switch/daemon/worker.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "switch/daemon/cycles.h"
#include "switch/daemon/daemon.h"

#define BATCHES_PER_TURN 16
#define SENDS_PER_TURN 4096 /* floods to many ports end a turn early */
#define DISCARDS_MAX 64     /* batches of a port, more than a ring holds */
#define POLLS_PER_TURN 16   /* bursts found by polling before other events get a look */
#define HIT_MAX 32          /* of the score that says whether polling pays: */
#define HIT_MIN 8           /* from here on it does, */
#define MISS 3              /* and this is what a try costs that found nothing */

int worker_init(struct worker *w, struct daemon *daemon, struct bridge *bridge, uint32_t poll_us,
		bool keep_cpu)
{
	int ret;

	memset(w, 0, sizeof(*w));
	cpu_init(&w->cpu, keep_cpu);
	TAILQ_INIT(&w->ready);
	w->daemon = daemon;
	w->bridge = bridge;
	w->words = 1;
	w->deadline = UINT64_MAX;
	w->poll_ns = 1000 * (uint64_t)poll_us;
	w->out = outbox_new();
	ret = w->out ? batch_init(&w->in) : -ENOMEM;
	if (ret)
		worker_fini(w);
	return ret;
}

void worker_fini(struct worker *w)
{
	flows_free(w->flows);
	w->flows = NULL;
	cpu_fini(&w->cpu);
	batch_fini(&w->in);
	outbox_free(w->out);
	w->out = NULL;
}

void worker_add(struct worker *w, uint16_t number, struct worker_port *p)
{
	w->port[number] = p;
	if (w->words < number / 64 + 1u)
		w->words = number / 64 + 1u;
}

void worker_del(struct worker *w, uint16_t number)
{
	struct worker_port *p = w->port[number];

	if (p->ready)
		TAILQ_REMOVE(&w->ready, p, entry);
	p->ready = false;
	portset_del(&w->recent, number);
	w->port[number] = NULL;
}

void worker_ready(struct worker *w, struct worker_port *p)
{
	if (p->ready)
		return;
	p->ready = true;
	TAILQ_INSERT_TAIL(&w->ready, p, entry);
}

void worker_deadline(struct worker *w, struct worker_port *p, uint64_t at_ms)
{
	p->deadline = at_ms;
	if (at_ms < w->deadline)
		w->deadline = at_ms;
}

static void pass_events(struct worker *w, uint64_t now)
{
	if (w->flows && w->out->lost != w->lost)
		flows_renew(w->flows);
	w->lost = w->out->lost;
	for (unsigned i = 0; i < w->out->n_events; i++) {
		if (w->flows)
			flows_event(w->flows, &w->out->event[i]);
		daemon_event(w->daemon, &w->out->event[i], now);
	}
	w->out->n_events = 0;
}

void worker_settle(struct worker *w)
{
	while (w->unsettled && !w->running) {
		w->unsettled = false;
		w->settle(w->settle_arg);
	}
}

void worker_flush(struct worker *w, uint64_t now)
{
	struct outbox *out = w->out;
	bool running = w->running;

	w->running = true;
	PORTSET_FOREACH(n, &out->busy, w->words) {
		struct port *port = w->port[n]->port;

		w->sends += out->txq[n]->n;
		if (port->caps & (OFFLOAD_TSO4 | OFFLOAD_TSO6) && out->txq[n]->n > 1)
			coalesce_queue(&w->coalesce, out->txq[n], port->caps);
		port->ops->tx(port, 0, out->txq[n]);
		portset_del(&out->busy, n);
	}
	w->running = running;
	if (out->n_events)
		pass_events(w, now);
	worker_settle(w);
}

/* Takes one batch of @p through the switch. Returns whether more frames wait there. */
static bool run_port(struct worker *w, struct worker_port *p, uint64_t now)
{
	struct port *port = p->port;
	struct batch *in = &w->in;
	uint64_t begin = cycles_now();
	struct flow_hint hint = { .any = false };

	in->n = 0;
	in->more = false;
	in->stats = &w->out->txq[port->number]->stats;
	w->running = true;
	port->ops->rx(port, 0, in);
	if (w->flows)
		flows_look(w->flows, port, in, &hint);
	for (unsigned from = 0; from < in->n;) {
		from += bridge_input(w->bridge, in, from, now, w->out);
		worker_flush(w, now);
	}
	if (port->ops->done)
		port->ops->done(port, 0, in);
	if (in->n) {
		in->stats->rx_cycles += cycles_now() - begin;
		portset_add(&w->recent, port->number);
	}
	w->running = false;
	return (hint.any && flows_offer(w->flows, &hint, in->more, now)) || in->more;
}

void worker_timers(struct worker *w, uint64_t now)
{
	w->deadline = UINT64_MAX;
	for (unsigned n = 0; n < 64 * w->words; n++) {
		struct worker_port *p = w->port[n];

		if (p && p->deadline <= now) {
			p->deadline = UINT64_MAX;
			p->port->ops->timer(p->port, now);
		}
		if (p && p->deadline < w->deadline)
			w->deadline = p->deadline;
	}
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Takes a batch of each port that had frames lately. Returns whether there was a frame. */
static bool poll_ports(struct worker *w, uint64_t now)
{
	bool found = false;

	PORTSET_FOREACH(n, &w->recent, w->words) {
		if (run_port(w, w->port[n], now))
			worker_ready(w, w->port[n]);
		found |= w->in.n > 0;
		worker_settle(w);
	}
	return found;
}

/* Counts whether the frames that just arrived were, or would have been, found by polling. */
static void score(struct worker *w, bool hit)
{
	if (hit)
		w->hits += w->hits < HIT_MAX;
	else
		w->hits -= w->hits < MISS ? w->hits : MISS;
}

/*
 * Frames have ended: looks for more before the loop sleeps, if that pays: as it does in a stream,
 * and not between a question and its answer, where whoever was given the question may wait for this
 * processor. Returns whether to be called again at once.
 */
static bool poll_on(struct worker *w, uint64_t now)
{
	unsigned found = 0;

	if (portset_empty(&w->recent, w->words))
		return false;
	if (w->poll_ns) {
		w->idle_ns = clock_ns();
		w->slept = true;
	}
	while (w->hits >= HIT_MIN && clock_ns() - w->idle_ns < w->poll_ns) {
		if (!poll_ports(w, now))
			continue;
		score(w, true);
		w->idle_ns = clock_ns();
		if (!TAILQ_EMPTY(&w->ready) || ++found == POLLS_PER_TURN) {
			w->slept = false;
			return true;
		}
	}
	w->recent = (struct portset){ 0 };
	return false;
}

void worker_all_ready(struct worker *w)
{
	for (unsigned n = 0; n < PORT_MAX; n++)
		if (w->port[n])
			worker_ready(w, w->port[n]);
}

void worker_discard(struct worker *w)
{
	struct port_stats unwanted = { 0 };

	w->in.stats = &unwanted;
	for (unsigned n = 0; n < PORT_MAX; n++) {
		struct port *port = w->port[n] ? w->port[n]->port : NULL;

		for (unsigned i = 0; port && i < DISCARDS_MAX; i++) {
			if (port->ops->event && port->rx_fd >= 0)
				port->ops->event(port, port->rx_fd, PORT_IN, 0);
			port->ops->rx(port, 0, &w->in);
			if (port->ops->done)
				port->ops->done(port, 0, &w->in);
			if (!w->in.more)
				break;
		}
	}
	w->in.n = 0;
}

uint64_t worker_turn(void *worker, uint64_t now)
{
	struct worker *w = worker;
	uint64_t next, enough = w->sends + SENDS_PER_TURN;

	if (w->slept && !TAILQ_EMPTY(&w->ready)) {
		w->slept = false;
		score(w, clock_ns() - w->idle_ns <= w->poll_ns);
	}
	for (unsigned i = 0; i < BATCHES_PER_TURN && w->sends < enough && !TAILQ_EMPTY(&w->ready);
	     i++) {
		struct worker_port *p = TAILQ_FIRST(&w->ready);

		TAILQ_REMOVE(&w->ready, p, entry);
		p->ready = false;
		if (run_port(w, p, now))
			worker_ready(w, p);
		worker_settle(w);
	}
	if (w->deadline <= now)
		worker_timers(w, now);
	if (w->flows)
		flows_turn(w->flows, now);
	if (bridge_next(w->bridge, now) <= now) {
		bridge_tick(w->bridge, now, w->out);
		worker_flush(w, now);
	}
	if (!portset_empty(&w->recent, w->words))
		cpu_turn(&w->cpu, now);
	if (!TAILQ_EMPTY(&w->ready) || poll_on(w, now))
		return now;
	next = bridge_next(w->bridge, now);
	if (w->flows && flows_next(w->flows) < next)
		next = flows_next(w->flows);
	return next < w->deadline ? next : w->deadline;
}
