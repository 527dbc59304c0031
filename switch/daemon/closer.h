/* SPDX-License-Identifier: MIT */
/*
 * closer: does what the kernel makes the caller wait for, beside the frames.
 *
 * Closing a TAP or a packet socket lasts 20 ms, in which no frame would move, and 64 of them one
 * after the other more than a second. So each is closed by a short-lived thread. The surprising
 * rule: an interface may still be there for a moment after its port was closed; closer_wait()
 * before something of that name is looked for. Used by ports.c.
 */
#ifndef SWITCH_DAEMON_CLOSER_H
#define SWITCH_DAEMON_CLOSER_H

struct closer;

/* Returns a closer or NULL. closer_free() waits for what is being closed and accepts NULL. */
struct closer *closer_new(void);
void closer_free(struct closer *c);

/* Calls @work with @arg on a thread of its own, or, where there is none, at once. */
void closer_do(struct closer *c, void (*work)(void *arg), void *arg);

/* Closes @fd, at once or soon. */
void closer_close(struct closer *c, int fd);

/* Waits until all is closed. */
void closer_wait(struct closer *c);

#endif
