/* SPDX-License-Identifier: MIT */
/*
 * loop: the event loop and the one clock.
 *
 * Wraps libevent_core, which only this file and control.c know. The surprising rule: frames are not moved from its
 * callbacks; a callback puts its port on the ready list, and worker.c drains that list, one batch a port a turn,
 * before the loop sleeps again; other events are looked at every 16 turns at least. Made and freed by main.c.
 */
#ifndef SWITCH_DAEMON_LOOP_H
#define SWITCH_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event_base;
struct daemon;

/* Returns a loop for @d or NULL. */
struct loop *loop_new(struct daemon *d);
void loop_free(struct loop *loop);

/* Runs until loop_stop(); returns 0, or -errno when the kernel's poll fails. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Milliseconds of CLOCK_MONOTONIC at the last wakeup. */
uint64_t loop_now(const struct loop *loop);

/* The libevent base, for control.c's bufferevents. */
struct event_base *loop_base(const struct loop *loop);

/* Calls @fn(@arg, what) when @fd is readable (1) or writable (2), level-triggered; @what 0 stops and frees. */
int loop_watch(struct loop *loop, int fd, unsigned what, void (*fn)(void *arg, unsigned what), void *arg);

#endif
