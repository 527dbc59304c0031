/* SPDX-License-Identifier: MIT */
/*
 * tap: ports on TAP devices that the switch holds open itself.
 *
 * The interface is the station behind the port: what it transmits is read from the descriptor. The
 * surprising rule: the port lives as long as its descriptor, wherever the interface is; moved to
 * another namespace or renamed it goes on working, and news must then be looked for there
 * (tap_netns). Only deletion makes it missing; it attaches again when a free TAP of its name
 * appears, but never makes one by itself. A descriptor that somebody else opened (`fd`) is used the
 * same way, but when its interface is deleted that is the end of it. The driver's tables are
 * `tap_ops` and `fd_ops` (kinds.h).
 */
#ifndef PORTS_TAP_H
#define PORTS_TAP_H

#include "ports/port.h"

/*
 * Opens the network namespace that the interface of @port, a `tap`, is in now (its home while it is
 * missing). Returns a descriptor for the caller to close, or -errno (-EPERM, -ENOTTY: not to be
 * known, so suppose the switch's own).
 */
int tap_netns(const struct port *port);

#endif
