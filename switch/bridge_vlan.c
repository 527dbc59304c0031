/* SPDX-License-Identifier: MIT */
/* VLAN membership (net/bridge/br_vlan.c). */
#include <errno.h>

#include "switch/bridge_private.h"

/* VLANs of a port, one after another, that changed alike: one event, as br_vlan_notify() has it. */
struct run {
	enum event_kind kind;
	uint16_t port, first, last, flags; /* first 0 = none yet */
};

static void run_end(struct run *run, struct outbox *out)
{
	struct event event = { .kind = run->kind,
			       .port = run->port,
			       .vid = run->first,
			       .vid_last = run->last,
			       .vlan_flags = run->flags };

	if (run->first)
		outbox_event(out, &event);
	run->first = 0;
}

/* Notes that VLAN @vid, which is not below the last one, has changed. */
static void run_add(struct run *run, const struct bridge *br, uint16_t vid, struct outbox *out)
{
	enum port_state state;
	uint16_t flags;

	bridge_vlan_get(br, run->port, vid, &flags, &state);
	if (vid != run->last + 1 || flags != run->flags)
		run_end(run, out);
	if (!run->first)
		run->first = vid;
	run->last = vid;
	run->flags = flags;
}

/*
 * Adds or changes one VLAN of port @n (nbp_vlan_add, __vlan_add_flags). Returns 1 if it changed, 0,
 * or -ENOSPC.
 */
static int add_one(struct bridge *br, uint16_t n, uint16_t vid, uint16_t flags, uint64_t now,
		   struct outbox *out)
{
	struct bridge_port *port = &br->port[n];
	struct vlan *v = &br->vlan[vid];
	bool member = portset_has(&v->member, n);
	bool changed = vlan_add(v, n, flags & VLAN_UNTAGGED);
	int ret;

	if (!member) {
		port->vlan_state[vid] = STATE_FORWARDING;
		ret = bridge_local_add(br, n, vid, now, out);
		if (ret) {
			vlan_del(v, n);
			return ret;
		}
	}
	if (flags & VLAN_PVID && port->pvid != vid) {
		port->pvid = vid;
		changed = true;
	} else if (!(flags & VLAN_PVID) && port->pvid == vid) {
		port->pvid = 0;
		changed = true;
	}
	return changed;
}

int bridge_vlan_add(struct bridge *br, uint16_t n, uint16_t first, uint16_t last, uint16_t flags,
		    uint64_t now_ms, struct outbox *out)
{
	struct run run = { .kind = EVENT_VLAN_ADDED, .port = n };
	int ret = 0;

	if (!bridge_port_exists(br, n))
		return -ENODEV;
	if (first < 1 || last > VLAN_VID_MAX || first > last ||
	    (flags & VLAN_PVID && first != last))
		return -EINVAL;
	for (unsigned vid = first; vid <= last && ret >= 0; vid++) {
		ret = add_one(br, n, (uint16_t)vid, flags, now_ms, out);
		if (ret > 0)
			run_add(&run, br, (uint16_t)vid, out);
	}
	run_end(&run, out);
	return ret < 0 ? ret : 0;
}

/* Takes port @n out of one VLAN that it is in, but for what it learned there (nbp_vlan_delete). */
static void del_one(struct bridge *br, uint16_t n, uint16_t vid, uint64_t now, struct outbox *out)
{
	struct bridge_port *port = &br->port[n];

	if (port->link.mac)
		bridge_local_del(br, n, port->link.mac, vid, now, out);
	vlan_del(&br->vlan[vid], n);
	if (port->pvid == vid)
		port->pvid = 0;
	memset(&port->vlan_stats[vid], 0, sizeof(port->vlan_stats[vid]));
	if (portset_empty(&br->vlan[vid].member, br->words))
		memset(&br->vlan_stats[vid], 0, sizeof(br->vlan_stats[vid]));
}

int bridge_vlan_del(struct bridge *br, uint16_t n, uint16_t first, uint16_t last, uint64_t now_ms,
		    struct outbox *out)
{
	struct run run = { .kind = EVENT_VLAN_DELETED, .port = n };

	if (!bridge_port_exists(br, n))
		return -ENODEV;
	if (first < 1 || last > VLAN_VID_MAX || first > last)
		return -EINVAL;
	for (unsigned i = first; i <= last; i++) {
		uint16_t vid = (uint16_t)i;

		if (!portset_has(&br->vlan[vid].member, n))
			continue;
		del_one(br, n, vid, now_ms, out);
		run_add(&run, br, vid, out);
	}
	if (run.last)
		fdb_flush_vlans(br->fdb, n, first, last);
	run_end(&run, out);
	return 0;
}

int bridge_vlan_set_state(struct bridge *br, uint16_t n, uint16_t first, uint16_t last,
			  enum port_state state, uint64_t now_ms, struct outbox *out)
{
	struct run run = { .kind = EVENT_VLAN_ADDED, .port = n };

	(void)now_ms;
	if (!bridge_port_exists(br, n))
		return -ENODEV;
	if (first < 1 || last > VLAN_VID_MAX || first > last || state > STATE_BLOCKING)
		return -EINVAL;
	for (unsigned vid = first; vid <= last; vid++)
		if (!portset_has(&br->vlan[vid].member, n))
			return -ENOENT;
	for (unsigned vid = first; vid <= last; vid++) {
		struct vlan *v = &br->vlan[vid];

		if (br->port[n].vlan_state[vid] == state)
			continue;
		br->port[n].vlan_state[vid] = (uint8_t)state;
		portset_put(&v->forwarding, n, state == STATE_FORWARDING);
		portset_put(&v->learning, n, state == STATE_FORWARDING || state == STATE_LEARNING);
		run_add(&run, br, (uint16_t)vid, out);
	}
	run_end(&run, out);
	return 0;
}

bool bridge_vlan_get(const struct bridge *br, uint16_t n, uint16_t vid, uint16_t *flags,
		     enum port_state *state)
{
	*flags = 0;
	*state = STATE_DISABLED;
	if (!bridge_port_exists(br, n) || vid < 1 || vid > VLAN_VID_MAX ||
	    !portset_has(&br->vlan[vid].member, n))
		return false;
	if (br->port[n].pvid == vid)
		*flags |= VLAN_PVID;
	if (portset_has(&br->vlan[vid].untagged, n))
		*flags |= VLAN_UNTAGGED;
	*state = (enum port_state)br->port[n].vlan_state[vid];
	return true;
}

/* Whether @vid is what a default PVID of @vid looks like on port @n (vlan_default_pvid). */
static bool is_default(const struct bridge *br, uint16_t n, uint16_t vid)
{
	return br->port[n].pvid == vid && portset_has(&br->vlan[vid].untagged, n);
}

int bridge_vlan_default_pvid(struct bridge *br, uint16_t old, uint16_t pvid, uint64_t now,
			     struct outbox *out)
{
	PORTSET_FOREACH(i, &br->ports, br->words) {
		uint16_t n = (uint16_t)i;
		int ret;

		if (old && !is_default(br, n, old))
			continue; /* the user has set up something else */
		if (pvid && portset_has(&br->vlan[pvid].member, n))
			continue;
		if (old)
			bridge_vlan_del(br, n, old, old, now, out);
		if (!pvid)
			continue;
		ret = bridge_vlan_add(br, n, pvid, pvid, VLAN_PVID | VLAN_UNTAGGED, now, out);
		if (ret)
			return ret;
	}
	return 0;
}

/* The counters that a frame of VLAN @vid on port @n goes to. */
static struct vlan_stats *counters(const struct bridge *br, uint16_t n, uint16_t vid)
{
	bool own = br->attr[BRIDGE_VLAN_STATS_PER_PORT] && n != PORT_HOST;

	return own ? &br->port[n].vlan_stats[vid] : &br->vlan_stats[vid];
}

void bridge_vlan_add_count(struct bridge *br, uint16_t n, uint16_t vid, uint64_t packets,
			   uint64_t bytes, bool tx)
{
	struct vlan_stats *s = counters(br, n, vid);

	*(tx ? &s->tx_packets : &s->rx_packets) += packets;
	*(tx ? &s->tx_bytes : &s->rx_bytes) += bytes;
}

void bridge_vlan_count(struct bridge *br, const struct frame *f, uint16_t n, bool tx)
{
	bridge_vlan_add_count(br, n, f->vid, 1, bridge_frame_len(br, f) - FRAME_HDR_LEN, tx);
}

void bridge_vlan_stats(const struct bridge *br, uint16_t n, uint16_t vid, struct vlan_stats *stats)
{
	*stats = *counters(br, n, vid);
}
