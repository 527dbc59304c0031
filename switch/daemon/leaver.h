/* SPDX-License-Identifier: MIT */
/*
 * leaver: takes a bridge apart beside the frames.
 *
 * After a hand-over this process forwards, and the kernel makes whoever deletes a bridge wait, up
 * to some tenths of a second. So a thread does it, one port after the other. The surprising rule:
 * the bridge may still be there when leaver_start() returns; leaver_wait() before one of its name
 * is made. Used by the kernel backend.
 */
#ifndef SWITCH_DAEMON_LEAVER_H
#define SWITCH_DAEMON_LEAVER_H

#include "switch/daemon/daemon.h"
#include "switch/daemon/netlink.h"

/*
 * Takes the @n interfaces at @port out of their bridge, then deletes interface @bridge unless it is
 * 0. Takes over @ask, which becomes its socket. One at a time.
 */
void leaver_start(struct daemon *d, struct netlink *ask, int bridge, const int *port, unsigned n);

/* Waits until it is done; harmless when there is none. */
void leaver_wait(struct daemon *d);

#endif
