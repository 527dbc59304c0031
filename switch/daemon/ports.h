/* SPDX-License-Identifier: MIT */
/*
 * ports: the ports of this process, from opening to closing.
 *
 * Gives numbers (0 is the host port, else the lowest free one), resolves bare names, opens drivers,
 * joins them to bridge and worker, and follows their interfaces. The surprising rule: a port whose
 * interface vanished stays, as `missing`, with its number, settings and static entries, and is back
 * as soon as an interface of that name is; its kind never changes after it was opened. The ports of
 * guests (guests.h) are no part of the configuration. Made and freed by user.c; main thread.
 */
#ifndef SWITCH_DAEMON_PORTS_H
#define SWITCH_DAEMON_PORTS_H

#include "ports/port.h"
#include "switch/daemon/worker.h"

struct ports;
struct loop;

/*
 * Returns an empty set of ports, or NULL with a sentence. ports_free() closes all and accepts NULL.
 */
struct ports *ports_new(struct loop *loop, struct worker *worker, struct error *err);
void ports_free(struct ports *ports);

/*
 * Opens the port @name as @spec says (@host: it is the host port). Returns 0, or -errno with a
 * sentence.
 */
int ports_add(struct ports *ports, const char *name, const struct port_spec *spec, bool host,
	      struct error *err);

/* Closes port @number and takes it out of the bridge. */
void ports_del(struct ports *ports, uint16_t number);

/* One port as others may see it. */
struct ports_view {
	const struct port_spec *spec; /* resolved */
	struct port *port;
	bool host;
	bool guest;       /* a listening port's: not part of the configuration */
	const char *note; /* why it is missing, "" = nothing to say */
};

/* The settings of port @number have changed: its guests get them, too. */
void ports_share(struct ports *ports, uint16_t number);

/* Reads port @number; returns false when there is none. */
bool ports_get(const struct ports *ports, uint16_t number, struct ports_view *view);

#endif
