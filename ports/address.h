/* SPDX-License-Identifier: MIT */
/*
 * address: where a socket of a port is, as the user writes it: `unix:PATH` or `HOST:PORT`.
 *
 * HOST is a name or an address, an IPv6 one in brackets. The surprising rule: a name is looked up
 * once, when the port is opened, and that may take as long as the resolver takes. Plain data; used
 * by the drivers of sockets.
 */
#ifndef PORTS_ADDRESS_H
#define PORTS_ADDRESS_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ports/error.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/*
 * Reads @text into @a; @type is SOCK_STREAM or SOCK_DGRAM. Returns 0, or -EINVAL or what the
 * resolver said as -errno, with a sentence.
 */
int address_parse(const char *text, int type, struct address *a, struct error *err);

/*
 * Opens a socket of @family that does not block, of @type. A Unix socket, and those it accepts,
 * take no descriptors: the peer gets EPERM. One that nobody wants is closed when its message is
 * read, and the peer can make that last: a TCP socket that lingers. Kernels before 6.16 take them
 * all the same. Returns the descriptor, or -1 with errno.
 */
int address_socket(sa_family_t family, int type);

/*
 * Opens a socket that does not block, of @type, bound to @a. A Unix socket's path that is left over
 * from a process that is gone is taken; one that is in use is refused. Returns the descriptor or
 * -errno with a sentence that begins with @text.
 */
int address_bind(const struct address *a, int type, const char *text, struct error *err);

/* Removes the path of the Unix socket @a; nothing for others. */
void address_unlink(const struct address *a);

#endif
