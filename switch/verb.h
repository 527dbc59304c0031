/* SPDX-License-Identifier: MIT */
/*
 * verb: one idempotent step that changes a backend.
 *
 * Everything that configures the switch ends as a list of these: the difference between the wanted
 * model and what a backend reports. Plain data; strings are inside, `spec` points into the wanted
 * model. Its text form is the command that does the same (verb_print), which is also what `plan`
 * and the record backend show.
 */
#ifndef SWITCH_VERB_H
#define SWITCH_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/port.h"
#include "switch/attr.h"

enum verb_op {
	VERB_FDB_DEL, /* the order in which a difference is applied */
	VERB_VLAN_DEL,
	VERB_PORT_DEL,
	VERB_BRIDGE_SET,
	VERB_PORT_ADD,
	VERB_PORT_SET,
	VERB_VLAN_ADD,
	VERB_VLAN_SET,
	VERB_FDB_ADD,
};

struct verb {
	enum verb_op op;
	char dev[PORT_NAME_MAX];      /* the port; all but VERB_BRIDGE_SET */
	const struct port_spec *spec; /* VERB_PORT_ADD */
	bool host;     /* VERB_PORT_ADD: to be PORT_HOST (-l); spec is that of its TAP */
	unsigned attr; /* enum bridge_attr or enum port_attr */
	uint64_t value;
	char value_port[PORT_NAME_MAX]; /* ATTR_PORT: the port's name, "" = none */
	uint16_t vid_first, vid_last;   /* VERB_VLAN_*; VERB_FDB_*: vid_first, exactly that one */
	uint16_t flags;                 /* enum vlan_flag, or enum fdb_flag for VERB_FDB_ADD */
	enum port_state state;          /* VERB_VLAN_SET */
	uint64_t mac;                   /* VERB_FDB_* */
};

/*
 * Prints the word of `link add` that means @spec, quoted if need be: `tap0,mtu=9000`, `host:br0`.
 */
void verb_print_spec(const struct port_spec *spec, bool host, char *text, size_t size);

/*
 * Prints @verb as the uswitchctl command that does the same into @text (@size bytes); returns
 * @text.
 */
char *verb_print(const struct verb *verb, char *text, size_t size);

#endif
