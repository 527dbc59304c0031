/* SPDX-License-Identifier: MIT */
/*
 * resolve: what a port's name means, and which interfaces cannot be ports.
 *
 * Pure decisions on what rtnl.c found out. The surprising rule: a TAP that some process holds is
 * never touched to find out more (TUNSETIFF would attach to it); netlink tells that it is held.
 * Used by ports.c, the kernel backend and tests.
 */
#ifndef SWITCH_DAEMON_RESOLVE_H
#define SWITCH_DAEMON_RESOLVE_H

#include "ports/port.h"
#include "switch/daemon/rtnl.h"

/*
 * Returns the kind that the bare name @spec becomes on interface @link: tap when there is no such
 * interface, when it is a TAP that nobody holds, or with the option `guest`; packet for anything
 * else.
 */
const struct port_ops *resolve_kind(const struct port_spec *spec, const struct rtnl_link *link);

/*
 * Returns the text of option @name of @spec, resolved or not, or NULL.
 */
const char *resolve_option(const struct port_spec *spec, const char *name);

/*
 * Checks what no driver does: that the switch is not made a port of a bridge through the bridge's
 * own interface, as br_add_if() refuses it. Returns 0, or -ELOOP with a sentence.
 */
int resolve_check(const struct port_spec *spec, const struct rtnl_link *link, struct error *err);

#endif
