/* SPDX-License-Identifier: MIT */
/*
 * backends: which of them forwards.
 *
 * The surprising rule: `auto` is decided by trying. What this process cannot do, open packet
 * sockets for one, only shows when it does; so the kernel's bridge is tried when that failed, and
 * the reason is logged. Called by main.c and, for what a hand-over needs, by handover.c.
 */
#ifndef SWITCH_DAEMON_BACKENDS_H
#define SWITCH_DAEMON_BACKENDS_H

#include "switch/daemon/daemon.h"

/*
 * Opens the backend of d->options.backend as d->backend, brings it to d->base and starts it.
 * Returns 0, or -errno with a sentence; backends_close() is to be called in either case.
 */
int backends_open(struct daemon *d, struct error *err);

/* Returns 0, or -EOPNOTSUPP with the first sentence of what @b cannot have of @m. */
int backends_check(const struct backend *b, const struct model *m, struct error *err);

/* Ends d->backend; harmless when there is none. */
void backends_close(struct daemon *d);

#endif
