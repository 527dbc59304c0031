/* SPDX-License-Identifier: MIT */
/*
 * guests: what the port of a guest gets from the listening port that accepted it.
 *
 * The surprising rule: the state (forwarding, ...) is not a setting here, each port has its own.
 * Called by ports.c.
 */
#ifndef SWITCH_DAEMON_GUESTS_H
#define SWITCH_DAEMON_GUESTS_H

#include "switch/bridge.h"
#include "switch/outbox.h"

/*
 * Makes up a @name for a guest of the port @listener: the first that no port of @br has of NAME0,
 * NAME1, ..., or NAME.0, ... where NAME ends in a digit; a long NAME is cut.
 */
void guests_name(const struct bridge *br, const char *listener, char name[PORT_NAME_MAX]);

/* Gives port @to of @br all attributes and VLANs that port @from has, and no others. */
void guests_settings(struct bridge *br, uint16_t from, uint16_t to, uint64_t now,
		     struct outbox *out);

#endif
