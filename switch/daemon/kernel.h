/* SPDX-License-Identifier: MIT */
/*
 * kernel: the backend that programs a bridge of the kernel.
 *
 * The bridge is the interface with the switch's name, and its own port is the host port; ports are
 * packet ports and `tap:NAME,guest`. The surprising rule: the kernel says everything but how a port
 * was described, so that alone is kept; all else is read back whenever it is asked for, and news
 * only tell when. Made by backends.c and, to hand over, handover.c; ended by its close().
 */
#ifndef SWITCH_DAEMON_KERNEL_H
#define SWITCH_DAEMON_KERNEL_H

#include "switch/daemon/daemon.h"

/*
 * Makes the bridge d->options.name, down and without ports, or with options.adopt takes over the
 * one of that name; fills @b. Returns 0, or -errno with a sentence, and then has left nothing
 * behind.
 */
int kernel_open(struct daemon *d, struct backend *b, struct error *err);

/* Whether @b is a bridge of the kernel that was taken over. */
bool kernel_adopted(const struct backend *b);

#endif
