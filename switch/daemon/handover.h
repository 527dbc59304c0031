/* SPDX-License-Identifier: MIT */
/*
 * handover: another backend forwards from now on, while frames flow.
 *
 * Both backends have all ports for a while: packet sockets see a frame before the kernel's bridge
 * does, so the old one goes on while the new one is filled. The surprising rule: entries enter the
 * kernel's bridge as static ones, since it learns nothing while it is down, and become dynamic when
 * it is up. Refused before anything is changed: with a host port, whose interface would be another,
 * and what the new backend cannot have. Called by request.c.
 */
#ifndef SWITCH_DAEMON_HANDOVER_H
#define SWITCH_DAEMON_HANDOVER_H

#include "switch/daemon/daemon.h"

/* Hands over to the backend @kernel or this process. Returns 0 or -errno with a sentence. */
int handover(struct daemon *d, bool kernel, struct error *err);

#endif
