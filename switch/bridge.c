/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "switch/bridge_private.h"

/*
 * Addresses that an 802.1ad bridge forwards: 00 and 0B, 0C, 0D, 0F less its own
 * (BR_GROUPFWD_8021AD).
 */
#define GROUP_FWD_8021AD 0xb801u

struct bridge *bridge_new(uint32_t fdb_size, const uint64_t secret[2])
{
	struct bridge *br = calloc(1, sizeof(*br));

	if (!br)
		return NULL;
	br->fdb = fdb_new(fdb_size, secret);
	br->vlan = calloc(VLAN_N, sizeof(*br->vlan));
	br->vlan_stats = calloc(VLAN_N, sizeof(*br->vlan_stats));
	if (!br->fdb || !br->vlan || !br->vlan_stats) {
		bridge_free(br);
		return NULL;
	}
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		br->attr[i] = bridge_attrs[i].fallback;
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		br->port[PORT_HOST].attr[i] = port_attrs[i].fallback;
	br->words = 1;
	fdb_set_ageing(br->fdb, br->attr[BRIDGE_AGEING_TIME]);
	return br;
}

void bridge_free(struct bridge *br)
{
	if (!br)
		return;
	for (unsigned i = 0; i < PORT_MAX; i++) {
		free(br->port[i].vlan_state);
		free(br->port[i].vlan_stats);
	}
	fdb_free(br->fdb);
	free(br->vlan);
	free(br->vlan_stats);
	free(br);
}

void bridge_tick(struct bridge *br, uint64_t now_ms, struct outbox *out)
{
	struct fdb_entry gone[64];
	unsigned room = outbox_fdb_room(out);
	unsigned n;

	if (room < 8)
		return;
	n = fdb_sweep(br->fdb, now_ms, gone, room < 64 ? room : 64);
	for (unsigned i = 0; i < n; i++) {
		struct event event = { .kind = EVENT_FDB_DELETED,
				       .port = gone[i].port,
				       .vid = gone[i].vid,
				       .fdb = gone[i] };

		outbox_event(out, &event);
	}
}

uint64_t bridge_next(const struct bridge *br, uint64_t now_ms)
{
	return fdb_next(br->fdb, now_ms);
}

/*
 * What VLAN filtering and its protocol change of the reserved addresses (br_recalculate_fwd_mask,
 * recalculate_group_addr).
 */
static void recalculate_reserved(struct bridge *br)
{
	bool provider =
		br->attr[BRIDGE_VLAN_FILTERING] && br->attr[BRIDGE_VLAN_PROTOCOL] == TPID_8021AD;

	if (!br->group_addr_set)
		br->attr[BRIDGE_GROUP_ADDR] = MAC_RESERVED | (provider ? 8 : 0);
	br->group_fwd_required = provider ? (uint16_t)(GROUP_FWD_8021AD &
						       ~(1u << (br->attr[BRIDGE_GROUP_ADDR] & 0xf)))
					  : 0;
}

/* Whether any port carries a VLAN whose counters would have to change kind. */
static bool any_port_vlan(const struct bridge *br)
{
	struct portset ports;

	for (unsigned vid = 1; vid <= VLAN_VID_MAX; vid++) {
		ports = br->vlan[vid].member;
		portset_del(&ports, PORT_HOST);
		if (!portset_empty(&ports, br->words))
			return true;
	}
	return false;
}

/* Whether the kernel would take @value for @attr of @br. */
static int check(const struct bridge *br, enum bridge_attr attr, uint64_t value)
{
	const struct attr *a = &bridge_attrs[attr];

	if (value < a->min || value > a->max)
		return -EINVAL;
	switch (attr) {
	case BRIDGE_VLAN_PROTOCOL:
		return value == TPID_8021Q || value == TPID_8021AD ? 0 : -EINVAL;
	case BRIDGE_GROUP_FWD_MASK:
		return value & 7 ? -EINVAL : 0;
	case BRIDGE_GROUP_ADDR:
		return !mac_is_reserved(value) || ((value & 0xf) >= 1 && (value & 0xf) <= 3)
			       ? -EINVAL
			       : 0;
	case BRIDGE_VLAN_STATS_PER_PORT:
		return value != br->attr[attr] && any_port_vlan(br) ? -EBUSY : 0;
	case BRIDGE_AGEING_TIME:
	case BRIDGE_VLAN_FILTERING:
	case BRIDGE_VLAN_DEFAULT_PVID:
	case BRIDGE_VLAN_STATS_ENABLED:
	case BRIDGE_NO_LINKLOCAL_LEARN:
	case BRIDGE_FDB_MAX_LEARNED:
		return 0;
	case BRIDGE_ATTR_MAX:
		break;
	}
	return -EINVAL;
}

int bridge_set(struct bridge *br, enum bridge_attr attr, uint64_t value, uint64_t now_ms,
	       struct outbox *out)
{
	struct event event = { .kind = EVENT_BRIDGE, .port = PORT_HOST };
	uint64_t old;
	int ret;

	if (attr >= BRIDGE_ATTR_MAX)
		return -EINVAL;
	ret = check(br, attr, value);
	if (ret)
		return ret;
	old = br->attr[attr];
	if (attr == BRIDGE_GROUP_ADDR)
		br->group_addr_set = true;
	if (old == value)
		return 0;
	if (attr == BRIDGE_VLAN_DEFAULT_PVID) {
		ret = bridge_vlan_default_pvid(br, (uint16_t)old, (uint16_t)value, now_ms, out);
		if (ret)
			return ret;
	}
	br->attr[attr] = value;
	if (attr == BRIDGE_AGEING_TIME &&
	    !old) /* what was dead, and is not swept yet, must not come back */
		fdb_flush(br->fdb, PORT_NONE, FDB_ANY_VID, true, now_ms);
	if (attr == BRIDGE_AGEING_TIME)
		fdb_set_ageing(br->fdb, value);
	if (attr == BRIDGE_FDB_MAX_LEARNED)
		fdb_set_max_learned(br->fdb, (uint32_t)value);
	recalculate_reserved(br);
	outbox_event(out, &event);
	return 0;
}

uint64_t bridge_get(const struct bridge *br, enum bridge_attr attr)
{
	return br->attr[attr];
}

bool bridge_port_exists(const struct bridge *br, uint16_t n)
{
	return n < PORT_MAX && br->port[n].exists;
}

uint16_t bridge_port_next(const struct bridge *br, uint16_t from)
{
	unsigned n = portset_next(&br->ports, from, br->words);

	return n < PORT_MAX ? (uint16_t)n : PORT_NONE;
}

const char *bridge_port_name(const struct bridge *br, uint16_t n)
{
	return bridge_port_exists(br, n) ? br->port[n].name : "";
}

uint16_t bridge_port_find(const struct bridge *br, const char *name)
{
	PORTSET_FOREACH(n, &br->ports, br->words)
		if (strcmp(br->port[n].name, name) == 0)
			return (uint16_t)n;
	return PORT_NONE;
}

const struct link *bridge_port_link_get(const struct bridge *br, uint16_t n)
{
	return &br->port[n].link;
}
