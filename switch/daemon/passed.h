/* SPDX-License-Identifier: MIT */
/*
 * passed: a descriptor that a control client hands over with `link add fd:N`.
 *
 * N is the client's number, which means nothing here. The surprising rule: the descriptor is
 * received as it would be inherited, not close-on-exec, and that it is so no longer is the one sign
 * that a port took it over (ports/tun.h). Called by control.c and request.c; main thread.
 */
#ifndef SWITCH_DAEMON_PASSED_H
#define SWITCH_DAEMON_PASSED_H

#include <sys/socket.h>

#include "ports/error.h"

#define PASSED_SPEC_MAX 4096u

/*
 * As recv() without waiting, and *@fd becomes the descriptor that came with the @len bytes or
 * fewer, in whose place one that was there is closed; if several came, none is kept.
 */
ssize_t passed_recv(int sock, void *bytes, size_t len, int *fd);

/*
 * If *@spec, the description of a port, is one of a descriptor, makes it that of @fd, in @room.
 * Returns 0, or -EINVAL with a sentence: @fd has no use, or is -1 and wanted.
 */
int passed_spec(const char **spec, int fd, char room[PASSED_SPEC_MAX], struct error *err);

/* Closes @fd unless a port took it over, or it is -1. */
void passed_end(int fd);

#endif
