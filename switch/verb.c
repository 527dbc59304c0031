/* SPDX-License-Identifier: MIT */
#include "switch/verb.h"

#include <stdio.h>
#include <string.h>

#include "fdb/fdb.h"
#include "fdb/mac.h"
#include "switch/words.h"
#include "vlan/vlan.h"

#define SPEC_TEXT 4608 /* an address and PORT_OPTIONS_MAX options of 256 bytes */

void verb_print_spec(const struct port_spec *spec, bool host, char *text, size_t size)
{
	char plain[SPEC_TEXT] = "";

	if (host) {
		/* the host port's spec is that of its TAP; "tap:" makes way for "host:" */
		port_spec_print(spec, plain + 1, sizeof(plain) - 1);
		memcpy(plain, "host:", 5);
	} else {
		port_spec_print(spec, plain, sizeof(plain));
	}
	words_quote(plain, text, size);
}

static char *print_port_set(const struct verb *verb, char *text, size_t size)
{
	char value[64];

	if (verb->attr != PORT_BACKUP_PORT)
		snprintf(text, size, "link set dev %s %s %s", verb->dev,
			 port_attrs[verb->attr].name,
			 attr_print(&port_attrs[verb->attr], verb->value, value, sizeof(value)));
	else if (verb->value_port[0])
		snprintf(text, size, "link set dev %s backup_port %s", verb->dev, verb->value_port);
	else
		snprintf(text, size, "link set dev %s nobackup_port", verb->dev);
	return text;
}

static char *print_vlan(const struct verb *verb, char *text, size_t size)
{
	char vid[16];

	if (verb->vid_last > verb->vid_first)
		snprintf(vid, sizeof(vid), "%u-%u", verb->vid_first, verb->vid_last);
	else
		snprintf(vid, sizeof(vid), "%u", verb->vid_first);
	if (verb->op == VERB_VLAN_SET)
		snprintf(text, size, "vlan set vid %s dev %s state %s", vid, verb->dev,
			 port_state_word(verb->state));
	else if (verb->op == VERB_VLAN_DEL)
		snprintf(text, size, "vlan del vid %s dev %s", vid, verb->dev);
	else
		snprintf(text, size, "vlan add vid %s dev %s%s%s", vid, verb->dev,
			 verb->flags & VLAN_PVID ? " pvid" : "",
			 verb->flags & VLAN_UNTAGGED ? " untagged" : "");
	return text;
}

static char *print_fdb(const struct verb *verb, char *text, size_t size)
{
	char mac[MAC_STRLEN], vlan[16] = "";

	mac_print(verb->mac, mac);
	if (verb->vid_first != FDB_ANY_VID)
		snprintf(vlan, sizeof(vlan), " vlan %u", verb->vid_first);
	if (verb->op == VERB_FDB_DEL)
		snprintf(text, size, "fdb del %s dev %s%s", mac, verb->dev, vlan);
	else
		snprintf(text, size, "fdb add %s dev %s%s%s%s", mac, verb->dev, vlan,
			 verb->flags & FDB_EXT_LEARN ? " extern_learn"
			 : verb->flags & FDB_LOCAL   ? " local"
			 : verb->flags & FDB_STATIC  ? " static"
						     : " dynamic",
			 verb->flags & FDB_STICKY ? " sticky" : "");
	return text;
}

char *verb_print(const struct verb *verb, char *text, size_t size)
{
	char value[64], spec[SPEC_TEXT];

	switch (verb->op) {
	case VERB_FDB_DEL:
	case VERB_FDB_ADD:
		return print_fdb(verb, text, size);
	case VERB_VLAN_DEL:
	case VERB_VLAN_ADD:
	case VERB_VLAN_SET:
		return print_vlan(verb, text, size);
	case VERB_PORT_DEL:
		snprintf(text, size, "link del dev %s", verb->dev);
		break;
	case VERB_BRIDGE_SET:
		snprintf(text, size, "set %s %s", bridge_attrs[verb->attr].name,
			 attr_print(&bridge_attrs[verb->attr], verb->value, value, sizeof(value)));
		break;
	case VERB_PORT_ADD:
		verb_print_spec(verb->spec, verb->host, spec, sizeof(spec));
		snprintf(text, size, "link add %s", spec);
		break;
	case VERB_PORT_SET:
		return print_port_set(verb, text, size);
	}
	return text;
}
