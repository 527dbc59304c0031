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

#include <stdbool.h>

#include "ports/error.h"

/*
 * Opens the namespace called @name: a name as `ip netns add` makes it, or a path such as
 * /proc/123/ns/net. Returns a descriptor, or -errno with a sentence in @err. -ENOENT: there is none
 * of that name.
 */
int netns_open(const char *name, struct error *err);

/*
 * Returns a descriptor that becomes readable when the name @name may have been removed, or -errno.
 * A process's own (/proc/123/ns/net) goes unnoticed.
 */
int netns_watch(const char *name);

/* Reads @watch dry. Returns whether @name is still the name of @ns, a descriptor. */
bool netns_named(int watch, const char *name, int ns);

/*
 * Enters namespace @ns, a descriptor; -1 stays where it is. @back is for netns_leave(). Returns 0,
 * or -errno (-EPERM: CAP_SYS_ADMIN is missing) and is then where it was.
 */
int netns_enter(int ns, int *back);
void netns_leave(int back);

/* socket(@domain, @type | SOCK_CLOEXEC, @protocol) in namespace @ns (-1 = here), or -errno. */
int netns_socket(int ns, int domain, int type, int protocol);

#endif
