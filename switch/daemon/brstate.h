/* SPDX-License-Identifier: MIT */
/*
 * brstate: one kernel bridge as it is now: its settings, ports and VLANs.
 *
 * The surprising rule: it is one moment's copy, never corrected by news; whoever wants to know
 * reads it again. Entries are not in it, there may be many. A zeroed one is empty; brstate_fini()
 * releases what it holds. Used by the kernel backend.
 */
#ifndef SWITCH_DAEMON_BRSTATE_H
#define SWITCH_DAEMON_BRSTATE_H

#include "switch/daemon/brmsg.h"
#include "switch/model.h"

struct brstate_port {
	struct brmsg_link link;
	struct model_vlans vlans;
};

struct brstate {
	struct brmsg_link bridge; /* bridge.base.link.present: there is one */
	struct model_vlans host;  /* the VLANs of its own interface */
	unsigned n;
	struct brstate_port **port; /* by number */
};

/*
 * Reads the bridge @ifindex into @s, which is released before. Returns 0, also when there is no
 * such interface any more, or -errno: then @s is empty.
 */
int brstate_read(struct netlink *nl, int ifindex, struct brstate *s);
void brstate_fini(struct brstate *s);

/* Returns the port with the lowest number >= @number, or NULL. */
const struct brstate_port *brstate_next(const struct brstate *s, unsigned number);
/* Returns the port of interface @ifindex, or the one with number @number; or NULL. */
const struct brstate_port *brstate_by_index(const struct brstate *s, int ifindex);
const struct brstate_port *brstate_port(const struct brstate *s, unsigned number);

#endif
