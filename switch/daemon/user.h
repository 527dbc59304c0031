/* SPDX-License-Identifier: MIT */
/*
 * user: the backend that forwards in this process.
 *
 * Bridge, worker and ports behind the table of backend.h. The surprising rule: nothing of the
 * configuration is kept here; read() asks the bridge and the ports, so what it reports is what is
 * in force. Made by backends.c; ended by its close().
 */
#ifndef SWITCH_DAEMON_USER_H
#define SWITCH_DAEMON_USER_H

#include "switch/daemon/daemon.h"

/*
 * Fills @b with an empty switch. Returns 0, or -errno with a sentence, and then has left nothing
 * behind.
 */
int user_open(struct daemon *d, struct backend *b, struct error *err);

#endif
