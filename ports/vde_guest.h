/* SPDX-License-Identifier: MIT */
/*
 * vde_guest: the port of a guest that is plugged into a `vde` port.
 *
 * A guest is two sockets: the connection on which it asked, whose end is the guest's, and a
 * datagram socket, one frame a datagram, connected to the guest's own; so nobody else can send to
 * the port, whatever the permissions of its path. The surprising rule: the guest learns that path
 * only from vde_guest_answer(), when the port is part of the switch. Its table is not that of
 * kinds.h, though its kind is "vde", too. Made by vde.c; closed by the host as any port.
 */
#ifndef PORTS_VDE_GUEST_H
#define PORTS_VDE_GUEST_H

#include <sys/un.h>

#include "ports/port.h"

/*
 * Returns a port for the guest on the connection @ctl, whose datagram socket @data is bound to @un;
 * or NULL, when memory is short. From then on all three are the port's.
 */
struct port *vde_guest_new(const struct port_host *host, int ctl, int data,
			   const struct sockaddr_un *un);

/* Undoes vde_guest_new() for a port that the host did not accept, and closes all three. */
void vde_guest_free(struct port *port);

/* Tells the guest of @port, which the host has accepted, where to send its frames. */
void vde_guest_answer(struct port *port);

#endif
