/* SPDX-License-Identifier: MIT */
#include "switch/daemon/guests.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void guests_name(const struct bridge *br, const char *listener, char name[PORT_NAME_MAX])
{
	const char *dot = isdigit((unsigned char)listener[strlen(listener) - 1]) ? "." : "";
	unsigned i = 0;

	do
		snprintf(name, PORT_NAME_MAX, "%.10s%s%u", listener, dot, i++ % (2 * PORT_MAX));
	while (bridge_port_find(br, name) != PORT_NONE);
}

static void copy_vlan(struct bridge *br, uint16_t from, uint16_t to, uint16_t vid, uint64_t now,
		      struct outbox *out)
{
	enum port_state want_state = STATE_FORWARDING, state = STATE_FORWARDING;
	uint16_t want_flags = 0, flags = 0;
	bool want = bridge_vlan_get(br, from, vid, &want_flags, &want_state);
	bool has = bridge_vlan_get(br, to, vid, &flags, &state);

	if (has && !want)
		bridge_vlan_del(br, to, vid, vid, now, out);
	if (want && (!has || flags != want_flags))
		bridge_vlan_add(br, to, vid, vid, want_flags, now, out);
	if (want && state != want_state)
		bridge_vlan_set_state(br, to, vid, vid, want_state, now, out);
}

void guests_settings(struct bridge *br, uint16_t from, uint16_t to, uint64_t now,
		     struct outbox *out)
{
	/* twice: mab=1 comes after what it needs, mab=0 before that goes */
	for (unsigned i = 0; i < 2 * PORT_ATTR_MAX; i++) {
		enum port_attr attr = i % PORT_ATTR_MAX;

		if (attr != PORT_STATE)
			bridge_port_set(br, to, attr, bridge_port_get(br, from, attr), now, out);
	}
	for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++)
		copy_vlan(br, from, to, vid, now, out);
}
