/* SPDX-License-Identifier: MIT */
/*
 * loop: the event loop and the one clock.
 *
 * Wraps libevent_core, which only this file and control.c know. The surprising rule: frames are not
 * moved from its callbacks; a callback puts its port on the ready list, and the turn (worker.c)
 * drains that list, one batch a port, before the loop sleeps again; other events are looked at
 * every 16 batches at least. Made and freed by main.c.
 */
#ifndef SWITCH_DAEMON_LOOP_H
#define SWITCH_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event_base;
struct daemon;

/*
 * Returns a loop for @d or NULL. From here on TERM and INT end loop_run(), at once if it is yet to
 * come, and HUP reloads the configuration; PIPE is ignored.
 */
struct loop *loop_new(struct daemon *d);
void loop_free(struct loop *loop);

/* Runs until loop_stop(); returns 0, or -errno when the kernel's poll fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * Milliseconds of CLOCK_MONOTONIC at the last wakeup: the clock is read when this is first asked
 * after one.
 */
uint64_t loop_now(struct loop *loop);

/* How often it has woken up: what was read since is as new as the question that woke it. */
uint64_t loop_wakeups(const struct loop *loop);

/* The libevent base, for control.c's bufferevents. */
struct event_base *loop_base(const struct loop *loop);

/*
 * Calls @fn(@arg, what) when @fd is readable (LOOP_IN) or writable (LOOP_OUT), level-triggered, or
 * with LOOP_EDGE once for each arrival. @what 0 stops it and frees; so must be done before @fd is
 * closed. Returns 0, -ENOMEM, or -errno for a descriptor that cannot be polled.
 */
enum { LOOP_IN = 1, LOOP_OUT = 2, LOOP_EDGE = 4 };
int loop_watch(struct loop *loop, int fd, unsigned what, void (*fn)(void *arg, unsigned what),
	       void *arg);

/*
 * Before each sleep @turn(@arg, now) is called; it returns when it wants to be called again: @now =
 * at once after a look at other events, UINT64_MAX = not before one of them. NULL = nobody.
 */
void loop_set_turn(struct loop *loop, uint64_t (*turn)(void *arg, uint64_t now), void *arg);

#endif
