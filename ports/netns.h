/* SPDX-License-Identifier: MIT */
/*
 * netns: opening things in another network namespace.
 *
 * A descriptor belongs to the namespace it was opened in, so a driver only has to be there while it
 * opens its own. The surprising rule: a socket keeps its namespace alive, name or no name. Between
 * netns_enter() and netns_leave() the calling thread is elsewhere: nothing but open() and socket()
 * belongs in between. Used by the drivers of kernel interfaces and by whoever listens to interface
 * news.
 */
#ifndef PORTS_NETNS_H
#define PORTS_NETNS_H

#include "ports/error.h"

/*
 * Opens the namespace called @name: a name as `ip netns add` makes it, or a path such as
 * /proc/123/ns/net. Returns a descriptor, or -errno with a sentence in @err. -ENOENT: there is none
 * of that name.
 */
int netns_open(const char *name, struct error *err);

/*
 * Enters namespace @ns, a descriptor; -1 stays where it is. @back is for netns_leave(). Returns 0,
 * or -errno
 * (-EPERM: CAP_SYS_ADMIN is missing) and is then where it was.
 */
int netns_enter(int ns, int *back);
void netns_leave(int back);

/* socket(@domain, @type | SOCK_CLOEXEC, @protocol) in namespace @ns (-1 = here). Returns it or
 * -errno. */
int netns_socket(int ns, int domain, int type, int protocol);

#endif
