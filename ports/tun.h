/* SPDX-License-Identifier: MIT */
/*
 * tun: making and opening TAP devices through /dev/net/tun.
 *
 * What the `tap` driver and `tap:NAME,guest` share. The surprising rule: the kernel makes the
 * interface when a descriptor asks for a name that is free, and deletes it with the last descriptor
 * unless it is persistent; so callers look with iface_get() first and say what they expect. Not for
 * the frame path.
 */
#ifndef PORTS_TUN_H
#define PORTS_TUN_H

#include <stdbool.h>

#include "ports/iface.h"
#include "ports/port.h"

/* The options of `tap`. Ends with name = NULL. */
extern const struct port_option tun_options[];

/*
 * Opens the TAP @name in namespace @ns (-1 = here) with virtio headers and without blocking; it is
 * made if there is none. @multi_queue must be as it was made. Returns the descriptor, or -errno
 * with a sentence in @err.
 */
int tun_open(int ns, const char *name, bool multi_queue, struct error *err);

/*
 * Takes over the descriptor @fd, which the process inherited or was given: it must be that of a TAP
 * that hands out whole frames, and not close-on-exec, as all that the switch opens itself are. It
 * becomes so here, which marks it as taken; it stays the caller's until this succeeds. *@vnet
 * becomes whether frames have virtio headers, @name what the interface is called. Returns 0, or
 * -errno with a sentence in @err.
 */
int tun_take(int fd, bool *vnet, char name[IF_NAMESIZE], struct error *err);

/*
 * Does what @spec asks of the TAP @fd, whose interface is @ifindex on @sock: owner, group, mtu,
 * persist; brings it up when @up. Options that are not given change nothing. Returns 0, or -errno
 * with a sentence in @err.
 */
int tun_configure(int fd, int sock, int ifindex, const struct port_spec *spec, bool up,
		  struct error *err);

/* Returns 0 when @iface is a TAP that nobody holds, else -errno with a sentence in @err that says
 * what it is. */
int tun_check_free(const struct iface *iface, struct error *err);

/*
 * Opens the persistent TAP @name in namespace @ns, unless somebody holds it, and makes it vanish
 * with the descriptor that is returned. Returns that or -errno.
 */
int tun_release(int ns, const char *name);

#endif
