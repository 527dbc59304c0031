/* SPDX-License-Identifier: MIT */
/*
 * socket: the path of the control socket, and who owns it.
 *
 * The surprising rule: the socket file alone cannot tell a live switch from one that was killed, so
 * beside it a lock file `PATH.lock` is locked as long as the switch lives; whoever gets the lock
 * may take a socket over that answers nobody. Used by control.c and main.c.
 */
#ifndef SWITCH_DAEMON_SOCKET_H
#define SWITCH_DAEMON_SOCKET_H

#include <stdbool.h>

#include "ports/error.h"

struct control_socket {
	int fd, lock;   /* -1 = none */
	char path[108]; /* of which we have the lock */
	bool bound;     /* the file at path is ours */
};

/*
 * Binds and listens on @path (1..107 bytes), mode 0600, or 0660 for group @group (a name or number;
 * NULL = none). Returns 0, or -errno with a sentence. control_socket_close() undoes it, also after
 * a failure.
 */
int control_socket_open(struct control_socket *s, const char *path, const char *group,
			struct error *err);
void control_socket_close(struct control_socket *s);

/*
 * Returns -EADDRINUSE with a sentence when a live switch serves @path, else 0. For a look before
 * ports are touched.
 */
int control_socket_check(const char *path, struct error *err);

#endif
