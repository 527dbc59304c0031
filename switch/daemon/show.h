/* SPDX-License-Identifier: MIT */
/*
 * show: ports, entries, VLANs and settings as JSON.
 *
 * Keys, their order and their units are iproute2's (bridge -j, ip -d -j link) wherever it has the
 * thing; what is ours comes last. The surprising rule: nothing here sends; walk.c and monitor.c put
 * the pieces into answers and events. Each function returns a new reference, or NULL when memory is
 * short.
 */
#ifndef SWITCH_DAEMON_SHOW_H
#define SWITCH_DAEMON_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/daemon/backend.h"

struct daemon;

/* Names of ports by number, "" = not seen yet. */
struct names {
	char name[PORT_MAX][PORT_NAME_MAX];
};

/* Reads all names again. */
void names_read(struct names *names, const struct backend *backend);
/*
 * Returns the name of port @number, asking @backend when it is not known; "?" for a port that is
 * not there.
 */
const char *names_get(struct names *names, const struct backend *backend, uint16_t number);
/* Returns the number of the port @name, or PORT_NONE. */
uint16_t names_find(struct names *names, const struct backend *backend, const char *name);

/* What the options -s, -d and -compressvlans ask for. */
struct show {
	bool stats, details, compress;
};

/* One setting as iproute2 gives it: centiseconds, "0x8", true for a port, 1 for the bridge. */
json_t *show_attr(const struct attr *attr, uint64_t value);

/* The settings of the switch and the state of its table, of a model read back from the backend. */
json_t *show_settings(const struct daemon *d, const struct model *actual);

/* One port as `bridge -j [-d] link show` has it; @master is the switch's name. */
json_t *show_link(const struct port_info *info, const char *master, bool details);

/*
 * One entry; @dev is the port's name, NULL when the question was about one port; @stats adds the
 * seconds since use.
 */
json_t *show_fdb(const struct fdb_entry *e, const char *dev, const char *master, bool stats,
		 uint64_t now);

/* One VLAN or, with @last > @first, range of a port. @stats may be NULL. */
struct show_vlan {
	uint16_t first, last;
	uint16_t flags; /* enum vlan_flag */
	enum port_state state;
	bool host;
	const struct vlan_stats *stats;
};
json_t *show_vlan(const struct show_vlan *v, const struct show *how);

/* The counters of one port. */
json_t *show_stats(const struct port_info *info);
/* The counters of the address table. */
json_t *show_fdb_info(const struct fdb_info *info);

#endif
