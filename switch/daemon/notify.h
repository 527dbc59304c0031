/* SPDX-License-Identifier: MIT */
/*
 * notify: tells systemd, or whoever set $NOTIFY_SOCKET, how far the process is; sd_notify(3)'s
 * protocol.
 *
 * Without $NOTIFY_SOCKET it does nothing. No state. Called by main.c.
 */
#ifndef SWITCH_DAEMON_NOTIFY_H
#define SWITCH_DAEMON_NOTIFY_H

/* Sends @state ("READY=1"). Returns 0, also when nobody wants to know, or -errno. */
int notify(const char *state);

#endif
