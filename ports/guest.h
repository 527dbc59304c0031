/* SPDX-License-Identifier: MIT */
/*
 * guest: `tap:NAME,guest`, a persistent TAP that a guest opens and the switch uses from the host's
 * side.
 *
 * The port's table is `guest_ops`, of kind "tap" but with the functions of a packet port. The
 * surprising rule: here the guest holds the descriptor and the interface's MAC is an address of the
 * switch, the opposite of a plain `tap`. A TAP that was made here goes with the port unless it is
 * held or `persist` was given. Called by tap.c and the kernel backend.
 */
#ifndef PORTS_GUEST_H
#define PORTS_GUEST_H

#include "ports/port.h"

extern const struct port_ops guest_ops;

/* As port_ops.open(), for a `tap` with the option `guest`. */
int guest_open(const struct port_spec *spec, const struct link *link, const struct port_host *host,
	       struct port **portp, struct error *err);

/*
 * Has the TAP of @port go with it, or not (@own). Returns whether it would have gone.
 */
bool guest_own(struct port *port, bool own);

/*
 * Makes the TAP of @spec in namespace @ns (-1 = here, where @sock is, too), persistent and up,
 * unless there is one. *@made says whether. Returns 0, or -errno with a sentence in @err.
 */
int guest_make(int ns, int sock, const struct port_spec *spec, bool *made, struct error *err);

#endif
