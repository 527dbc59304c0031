/* SPDX-License-Identifier: MIT */
/*
 * user: the backend that forwards in this process.
 *
 * Bridge, worker and ports behind the table of backend.h. The surprising rule: nothing of the
 * configuration is kept here; read() asks the bridge and the ports, so what it reports is what is
 * in force. Opened and closed by main.c.
 */
#ifndef SWITCH_DAEMON_USER_H
#define SWITCH_DAEMON_USER_H

#include "switch/daemon/daemon.h"

/*
 * Fills d->backend with an empty switch and has the loop run it. Returns 0, or -errno with a
 * sentence.
 */
int user_open(struct daemon *d, struct error *err);

/* Closes every port and frees it; harmless when it was not opened. */
void user_close(struct daemon *d);

#endif
