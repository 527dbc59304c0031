/* SPDX-License-Identifier: MIT */
/*
 * vhost_call: signals a guest's eventfd without ever waiting.
 *
 * The front-end shares the descriptor's flags and its counter: it can make both so that write()
 * waits, at any moment, so no check helps. The surprising rule: the kernel signals for us. A read
 * of nothing, submitted to the kernel's asynchronous I/O, ends at once and raises the eventfd,
 * which at its highest value just stays there. Contexts for that are scarce on a machine, and slow
 * to go, so all ports of the process share one, which is the one thing here that is global.
 *
 * Used by vhost-user ports, on one thread.
 */
#ifndef PORTS_VHOST_CALL_H
#define PORTS_VHOST_CALL_H

#include "ports/error.h"

/*
 * Has calls at hand for one more port, until vhost_call_fini(). Returns 0 or -errno with a
 * sentence.
 */
int vhost_call_init(struct error *err);
void vhost_call_fini(void);

/* Raises the eventfd @fd. Returns 0 or -errno, -EINVAL: it is none. */
int vhost_call(int fd);

#endif
