/* SPDX-License-Identifier: MIT */
/*
 * hostdrop: keeps the host's own network stack from what an interface receives, packet sockets
 * excepted.
 *
 * One nf_tables chain at the interface's ingress whose policy is to drop. The surprising rule: the
 * table is owned by the descriptor, so the kernel removes it whenever that is closed, even by kill
 * -9. Used by packet.c.
 */
#ifndef PORTS_HOSTDROP_H
#define PORTS_HOSTDROP_H

#include <stddef.h>
#include <stdint.h>

#include "ports/error.h"

#define HOSTDROP_MAX 512u

/*
 * Writes the netlink batch that makes the table @table with the chain for interface @ifname to @buf
 * (HOSTDROP_MAX bytes). Returns its length. Pure.
 */
size_t hostdrop_build(uint8_t *buf, const char *table, const char *ifname);

/*
 * Drops what @ifname receives in namespace @ns (-1 = here) until the returned descriptor is closed.
 * Returns -errno with a sentence in @err: -EPERM (CAP_NET_ADMIN), -EPROTONOSUPPORT and others (no
 * nf_tables in the kernel).
 */
int hostdrop_open(int ns, const char *ifname, struct error *err);

#endif
