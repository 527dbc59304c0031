/* SPDX-License-Identifier: MIT */
#include "switch/daemon/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ports/log.h"
#include "switch/daemon/daemon.h"

#define N_SIGNALS 3

/*
 * libevent times by the coarse clock, a kernel tick behind at most: without this a timer would wake
 * us twice.
 */
#define TIMER_SLACK_MS 10

struct watch {
	struct event *event;
	void (*fn)(void *arg, unsigned what);
	void *arg;
};

struct loop {
	struct daemon *daemon;
	struct event_base *base;
	struct event *signal[N_SIGNALS];
	struct event *timer;
	uint64_t timer_at; /* UINT64_MAX = not set */
	uint64_t now;
	bool now_known;
	uint64_t wakeups;
	bool stop;
	uint64_t (*turn)(void *arg, uint64_t now);
	void *turn_arg;
	struct watch **watch; /* by descriptor */
	int n_watch;
};

uint64_t loop_now(struct loop *loop)
{
	struct timespec ts;

	if (!loop->now_known) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		loop->now = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
		loop->now_known = true;
	}
	return loop->now;
}

uint64_t loop_wakeups(const struct loop *loop)
{
	return loop->wakeups;
}

struct event_base *loop_base(const struct loop *loop)
{
	return loop->base;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

static void on_signal(int signal, short what, void *arg)
{
	struct loop *loop = arg;
	struct error err;

	(void)what;
	if (signal != SIGHUP) {
		log_info("signal %d (%s): ending", signal, strsignal(signal));
		loop_stop(loop);
	} else if (loop->daemon->started && daemon_reload(loop->daemon, &err)) {
		log_error("reload: %s; nothing was changed", err.text);
	}
}

static void on_timer(int fd, short what, void *arg)
{
	struct loop *loop = arg;

	(void)fd;
	(void)what;
	loop->timer_at = UINT64_MAX;
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	if (!event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1) &&
	    !event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV))
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct loop *loop_new(struct daemon *d)
{
	static const int signals[N_SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->daemon = d;
	loop->timer_at = UINT64_MAX;
	signal(SIGPIPE, SIG_IGN);
	loop->base = base_new();
	if (!loop->base)
		goto err_free;
	for (unsigned i = 0; i < N_SIGNALS; i++) {
		loop->signal[i] = evsignal_new(loop->base, signals[i], on_signal, loop);
		if (!loop->signal[i] || evsignal_add(loop->signal[i], NULL))
			goto err_free;
	}
	loop->timer = evtimer_new(loop->base, on_timer, loop);
	if (loop->timer)
		return loop;
err_free:
	loop_free(loop);
	return NULL;
}

static void watch_free(struct loop *loop, int fd)
{
	event_free(loop->watch[fd]->event);
	free(loop->watch[fd]);
	loop->watch[fd] = NULL;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	for (int fd = 0; fd < loop->n_watch; fd++)
		if (loop->watch[fd])
			watch_free(loop, fd);
	free(loop->watch);
	for (unsigned i = 0; i < N_SIGNALS; i++)
		if (loop->signal[i])
			event_free(loop->signal[i]);
	if (loop->timer)
		event_free(loop->timer);
	if (loop->base)
		event_base_free(loop->base);
	free(loop);
}

static void on_watch(int fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd;
	w->fn(w->arg, (what & EV_READ ? LOOP_IN : 0u) | (what & EV_WRITE ? LOOP_OUT : 0u));
}

static int grow(struct loop *loop, int fd)
{
	int n = fd < 64 ? 128 : 2 * fd;
	struct watch **table;

	if (fd < loop->n_watch)
		return 0;
	table = realloc(loop->watch, (size_t)n * sizeof(struct watch *));
	if (!table)
		return -ENOMEM;
	memset(table + loop->n_watch, 0, (size_t)(n - loop->n_watch) * sizeof(struct watch *));
	loop->watch = table;
	loop->n_watch = n;
	return 0;
}

int loop_watch(struct loop *loop, int fd, unsigned what, void (*fn)(void *arg, unsigned what),
	       void *arg)
{
	short events = (short)(EV_PERSIST | (what & LOOP_IN ? EV_READ : 0) |
			       (what & LOOP_OUT ? EV_WRITE : 0) | (what & LOOP_EDGE ? EV_ET : 0));
	struct watch *w;

	if (fd < 0)
		return -EBADF;
	if (grow(loop, fd))
		return -ENOMEM;
	if (loop->watch[fd])
		watch_free(loop, fd);
	if (!what)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->arg = arg;
	w->event = event_new(loop->base, fd, events, on_watch, w);
	if (!w->event) {
		free(w);
		return -ENOMEM;
	}
	loop->watch[fd] = w;
	if (event_add(w->event, NULL)) {
		watch_free(loop, fd);
		return -EINVAL;
	}
	return 0;
}

void loop_set_turn(struct loop *loop, uint64_t (*turn)(void *arg, uint64_t now), void *arg)
{
	loop->turn = turn;
	loop->turn_arg = arg;
}

/* Sees to it that the loop wakes at @at; costs nothing while that stays the same. */
static void set_timer(struct loop *loop, uint64_t now, uint64_t at)
{
	uint64_t wait = at - now + TIMER_SLACK_MS;
	struct timeval tv = { .tv_sec = (time_t)(wait / 1000),
			      .tv_usec = (suseconds_t)(wait % 1000 * 1000) };

	if (at == loop->timer_at)
		return;
	loop->timer_at = at;
	if (at == UINT64_MAX)
		evtimer_del(loop->timer);
	else
		evtimer_add(loop->timer, &tv);
}

int loop_run(struct loop *loop)
{
	while (!loop->stop) {
		uint64_t now = loop_now(loop);
		uint64_t next = loop->turn ? loop->turn(loop->turn_arg, now) : UINT64_MAX;
		bool busy = next <= now;

		if (!busy)
			set_timer(loop, now, next);
		loop->now_known = false;
		loop->wakeups++;
		if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY |
							(busy ? EVLOOP_NONBLOCK : 0)) < 0)
			return -EIO;
	}
	return 0;
}
