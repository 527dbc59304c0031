/* SPDX-License-Identifier: MIT */
/* Ports joining, leaving, changing (net/bridge/br_if.c, br_stp_if.c, br_netlink.c: br_setport). */
#include <errno.h>
#include <stdlib.h>

#include "switch/bridge_private.h"

void bridge_port_event(uint16_t n, enum event_kind kind, struct outbox *out)
{
	struct event event = { .kind = kind, .port = n };

	outbox_event(out, &event);
}

static bool has_carrier(const struct bridge_port *port)
{
	return port->link.present && port->link.up && port->link.carrier;
}

void bridge_port_sets(struct bridge *br, uint16_t n)
{
	struct bridge_port *port = &br->port[n];
	enum port_state state = (enum port_state)port->attr[PORT_STATE];
	bool host = n == PORT_HOST;

	portset_put(&br->ports, n, port->exists);
	portset_put(&br->forwarding, n, port->exists && state == STATE_FORWARDING);
	portset_put(&br->learning, n,
		    port->exists && (state == STATE_FORWARDING || state == STATE_LEARNING));
	/* br0 gets unknown unicast only while promiscuous, which resolve() sees to. */
	portset_put(&br->flood[FLOOD_UNICAST], n, port->exists && !host && port->attr[PORT_FLOOD]);
	portset_put(&br->flood[FLOOD_MULTICAST], n, port->exists && port->attr[PORT_MCAST_FLOOD]);
	portset_put(&br->flood[FLOOD_BROADCAST], n, port->exists && port->attr[PORT_BCAST_FLOOD]);
	portset_put(&br->hairpin, n, port->exists && port->attr[PORT_HAIRPIN]);
	portset_put(&br->isolated, n, port->exists && port->attr[PORT_ISOLATED]);
	portset_put(&br->locked, n, port->exists && port->attr[PORT_LOCKED]);
	/* What goes up to the host passes no MTU check (br_pass_frame_up). */
	port->max_len = port->link.mtu && !host ? port->link.mtu + FRAME_HDR_LEN + FRAME_TAG_LEN
						: UINT32_MAX;
}

/* Sets the words of every set to what the highest port needs. */
static void recount_words(struct bridge *br)
{
	br->words = 1;
	for (unsigned i = 1; i < PORTSET_WORDS; i++)
		if (br->ports.w[i])
			br->words = i + 1;
}

int bridge_port_add(struct bridge *br, uint16_t n, const char *name, bool local_mac,
		    uint64_t now_ms, struct outbox *out)
{
	struct bridge_port *port = &br->port[n];
	uint16_t pvid = (uint16_t)br->attr[BRIDGE_VLAN_DEFAULT_PVID];
	int ret = -ENOMEM;

	if (n >= PORT_MAX || !*name || strlen(name) >= PORT_NAME_MAX)
		return -EINVAL;
	if (port->exists || bridge_port_find(br, name) != PORT_NONE)
		return -EEXIST;
	memset(port, 0, sizeof(*port));
	port->vlan_state = calloc(VLAN_N, 1);
	port->vlan_stats = calloc(VLAN_N, sizeof(*port->vlan_stats));
	if (!port->vlan_state || !port->vlan_stats)
		goto free_port;
	ret = outbox_port_add(out, n);
	if (ret)
		goto free_port;
	memcpy(port->name, name, strlen(name) + 1);
	port->exists = true;
	port->local_mac = local_mac;
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		port->attr[i] = port_attrs[i].fallback;
	port->attr[PORT_STATE] = STATE_DISABLED;
	bridge_port_sets(br, n);
	recount_words(br);
	vlan_add(&br->vlan[0], n, true);
	bridge_port_event(n, EVENT_PORT, out);
	if (pvid)
		bridge_vlan_add(br, n, pvid, pvid, VLAN_PVID | VLAN_UNTAGGED, now_ms, out);
	return 0;

free_port:
	free(port->vlan_state);
	free(port->vlan_stats);
	memset(port, 0, sizeof(*port));
	return ret;
}

/* Returns another port than @n with address @mac in VLAN @vid, or PORT_NONE. */
static uint16_t other_owner(const struct bridge *br, uint16_t n, uint64_t mac, uint16_t vid)
{
	PORTSET_FOREACH(i, &br->vlan[vid].member, br->words)
		if (i != n && br->port[i].local_mac && br->port[i].link.mac == mac)
			return (uint16_t)i;
	return PORT_NONE;
}

/*
 * Gives entry @local of its port to another port that has that address; silently, as
 * fdb_delete_local() does.
 */
static bool pass_on(struct bridge *br, const struct fdb_entry *local, uint64_t now)
{
	struct fdb_changes changes = { 0 };
	struct fdb_entry e = *local;

	e.port = other_owner(br, local->port, local->mac, local->vid);
	e.flags &= (uint16_t)~FDB_USER;
	return e.port != PORT_NONE && !fdb_put(br->fdb, &e, now, &changes);
}

/* Removes every entry of port @n, addresses of the switch that another port shares excepted. */
static void forget_port(struct bridge *br, uint16_t n, uint64_t now, struct outbox *out)
{
	struct fdb_match match = { .port = n, .vid = FDB_ANY_VID };
	struct fdb_entry gone[64];
	uint64_t cursor = 0;
	unsigned got;

	fdb_flush(br->fdb, n, FDB_ANY_VID, false, now);
	do {
		got = fdb_remove(br->fdb, &match, now, &cursor, gone, 64);
		for (unsigned i = 0; i < got; i++) {
			struct event event = { .kind = EVENT_FDB_DELETED,
					       .port = n,
					       .vid = gone[i].vid,
					       .fdb = gone[i] };

			if (!(gone[i].flags & FDB_LOCAL) || !pass_on(br, &gone[i], now))
				outbox_event(out, &event);
		}
	} while (cursor != UINT64_MAX);
}

int bridge_port_del(struct bridge *br, uint16_t n, uint64_t now_ms, struct outbox *out)
{
	struct bridge_port *port = &br->port[n];

	if (!bridge_port_exists(br, n))
		return -ENODEV;
	bridge_vlan_del(br, n, 1, VLAN_VID_MAX, now_ms, out);
	forget_port(br, n, now_ms, out);
	vlan_del(&br->vlan[0], n);
	PORTSET_FOREACH(i, &br->ports, br->words)
		if (br->port[i].attr[PORT_BACKUP_PORT] == n)
			br->port[i].attr[PORT_BACKUP_PORT] = PORT_NONE;
	port->exists = false;
	bridge_port_sets(br, n);
	recount_words(br);
	outbox_port_del(out, n);
	bridge_port_event(n, EVENT_PORT_DELETED, out);
	free(port->vlan_state);
	free(port->vlan_stats);
	memset(port, 0, sizeof(*port));
	return 0;
}

/* Moves the address of port @n from @old to the MAC of its link (br_fdb_changeaddr). */
static void change_mac(struct bridge *br, uint16_t n, uint64_t old, uint64_t now,
		       struct outbox *out)
{
	for (unsigned vid = 0; vid <= VLAN_VID_MAX; vid++) {
		if (!portset_has(&br->vlan[vid].member, n))
			continue;
		if (old)
			bridge_local_del(br, n, old, (uint16_t)vid, now, out);
		bridge_local_add(br, n, (uint16_t)vid, now, out);
	}
}

int bridge_port_link(struct bridge *br, uint16_t n, const struct link *link, uint64_t now_ms,
		     struct outbox *out)
{
	struct bridge_port *port = &br->port[n];
	struct link old;
	bool had, down;

	if (!bridge_port_exists(br, n))
		return -ENODEV;
	old = port->link;
	had = has_carrier(port);
	down = old.up && !link->up;
	port->link = *link;
	if (!link->mac)
		port->link.mac = old.mac; /* a missing interface keeps the address it had */
	if (port->local_mac && old.mac != port->link.mac)
		change_mac(br, n, old.mac, now_ms, out);
	/*
	 * br_stp_disable_port(), which br_port_carrier_check() leaves out for a port that is
	 * disabled already
	 */
	if (down || (had && !has_carrier(port) && port->attr[PORT_STATE] != STATE_DISABLED)) {
		port->attr[PORT_STATE] = STATE_DISABLED;
		if (port->attr[PORT_BACKUP_PORT] == PORT_NONE)
			fdb_flush(br->fdb, n, FDB_ANY_VID, true, now_ms);
	} else if (!had && has_carrier(port)) {
		port->attr[PORT_STATE] =
			STATE_FORWARDING; /* br_stp_enable_port() without spanning tree */
	}
	bridge_port_sets(br, n);
	if (memcmp(&old, &port->link, sizeof(old)) != 0)
		bridge_port_event(n, EVENT_PORT, out);
	return 0;
}

/* Sets the state of port @n by hand (br_set_port_state, br_port_state_selection). */
static int set_state(struct bridge *br, uint16_t n, uint64_t state)
{
	struct bridge_port *port = &br->port[n];

	if (!port->link.up || !port->link.present ||
	    (!port->link.carrier && state != STATE_DISABLED))
		return -ENETDOWN;
	port->attr[PORT_STATE] = state == STATE_BLOCKING ? STATE_FORWARDING : state;
	return 0;
}

/*
 * Whether @port may have @attr at @value: MAC authentication bypass notes sources that the lock
 * keeps out (br_setport).
 */
static bool mab_allows(const struct bridge_port *port, enum port_attr attr, uint64_t value)
{
	bool mab = attr == PORT_MAB ? value : port->attr[PORT_MAB];
	bool locked = attr == PORT_LOCKED ? value : port->attr[PORT_LOCKED];
	bool learning = attr == PORT_LEARNING ? value : port->attr[PORT_LEARNING];

	return !mab || (locked && learning);
}

int bridge_port_set(struct bridge *br, uint16_t n, enum port_attr attr, uint64_t value,
		    uint64_t now_ms, struct outbox *out)
{
	const struct fdb_match noted = { n, FDB_ANY_VID, FDB_LOCKED, FDB_LOCKED };
	struct bridge_port *port = &br->port[n];

	if (!bridge_port_exists(br, n))
		return -ENODEV;
	if (n == PORT_HOST && attr != PORT_ACCEPT)
		return -EOPNOTSUPP; /* br0 has no port flags */
	if (attr >= PORT_ATTR_MAX || value < port_attrs[attr].min || value > port_attrs[attr].max)
		return -EINVAL;
	if (attr == PORT_PORT_GROUP_FWD_MASK && value & 2)
		return -EINVAL;
	if (attr == PORT_BACKUP_PORT && value != PORT_NONE &&
	    (value == n || value == PORT_HOST || !bridge_port_exists(br, (uint16_t)value)))
		return -EINVAL;
	if (!mab_allows(port, attr, value))
		return -EINVAL;
	if (port->attr[attr] == value && attr != PORT_STATE)
		return 0;
	if (attr == PORT_STATE) {
		int ret = set_state(br, n, value);

		if (ret)
			return ret;
	} else {
		port->attr[attr] = value;
	}
	if (attr == PORT_MAB && !value)
		bridge_fdb_flush(br, &noted, now_ms, out);
	bridge_port_sets(br, n);
	bridge_port_event(n, EVENT_PORT, out);
	return 0;
}

uint64_t bridge_port_get(const struct bridge *br, uint16_t n, enum port_attr attr)
{
	return br->port[n].attr[attr];
}

int bridge_local_add(struct bridge *br, uint16_t n, uint16_t vid, uint64_t now, struct outbox *out)
{
	struct fdb_entry e = {
		.mac = br->port[n].link.mac, .vid = vid, .port = n, .flags = FDB_LOCAL | FDB_STATIC
	};
	struct fdb_changes changes = { 0 };
	struct fdb_hit hit;
	int ret;

	if (!br->port[n].local_mac || !e.mac || mac_is_group(e.mac))
		return 0;
	if (fdb_find(br->fdb, fdb_spot(br->fdb, e.mac, vid), now, &hit)) {
		if (hit.flags & FDB_LOCAL)
			return 0; /* several ports may have one address; the first keeps it */
		fdb_del(br->fdb, e.mac, vid, now, &changes);
		outbox_fdb_changes(out, &changes);
		changes.n = 0;
	}
	ret = fdb_put(br->fdb, &e, now, &changes);
	outbox_fdb_changes(out, &changes);
	return ret;
}

void bridge_local_del(struct bridge *br, uint16_t n, uint64_t mac, uint16_t vid, uint64_t now,
		      struct outbox *out)
{
	struct fdb_changes changes = { 0 };
	struct fdb_entry e;

	if (!fdb_lookup(br->fdb, mac, vid, now, &e) || e.port != n || !(e.flags & FDB_LOCAL) ||
	    e.flags & FDB_USER)
		return;
	if (pass_on(br, &e, now))
		return;
	fdb_del(br->fdb, mac, vid, now, &changes);
	outbox_fdb_changes(out, &changes);
}
