/* SPDX-License-Identifier: MIT */
/*
 * The way of a frame through the bridge, in the order of the Linux bridge (net/bridge/br_input.c,
 * br_forward.c):
 *
 *	admit()         source address, reserved group addresses, state of the ingress port
 *	vlan_classify() the frame's VLAN; its tag becomes the bridge's
 *	authorised()    a locked port lets only known sources in
 *	learn()         the source is behind the ingress port
 *	resolve()       one port by the FDB, or all that may be flooded, within the VLAN
 *	deliver()       one queue entry for each egress port
 *
 * The first two run some frames ahead of the rest, so that the FDB's cache lines are on their way
 * when it asks for them. Every frame ends as `forwarded` or as a drop with a reason.
 */
#include "switch/bridge_private.h"

#define AHEAD 8u /* frames; about as many cache misses as a core has in flight */

/*
 * Whether the reserved address 01:80:c2:00:00:0X, X = @x, is forwarded like any other
 * (br_handle_frame).
 */
static bool reserved_forwarded(const struct bridge *br, const struct bridge_port *in, unsigned x)
{
	uint64_t mask = br->group_fwd_required | in->attr[PORT_PORT_GROUP_FWD_MASK];

	if (x == 0)
		return true; /* spanning tree is off: pass BPDUs on, others may need them */
	return x != 1 && (mask | br->attr[BRIDGE_GROUP_FWD_MASK]) >> x & 1;
}

enum drop admit(const struct bridge *br, const struct frame *f, struct passage *p)
{
	const struct bridge_port *in = &br->port[f->port];
	bool learning = portset_has(&br->learning, f->port);

	p->dst = mac_load(f->data);
	p->src = mac_load(f->data + MAC_LEN);
	p->late = DROP_NONE;
	p->learn = learning && in->attr[PORT_LEARNING];
	if (f->port == PORT_HOST) { /* br_dev_xmit(): never learned from, no reserved addresses */
		p->learn = false;
		return learning ? DROP_NONE : DROP_STATE;
	}
	if (mac_is_group(p->src) || !p->src)
		return DROP_BAD_SOURCE;
	if (mac_is_reserved(p->dst) && !reserved_forwarded(br, in, p->dst & 0xf)) {
		p->learn = p->learn && !br->attr[BRIDGE_NO_LINKLOCAL_LEARN];
		if ((p->dst & 0xf) == 1 || !p->learn)
			return DROP_RESERVED;
		p->late = DROP_RESERVED; /* __br_handle_local_finish(), locked or not */
		return DROP_NONE;
	}
	if (!learning)
		return DROP_STATE;
	if (!portset_has(&br->forwarding, f->port))
		p->late = DROP_STATE;
	return DROP_NONE;
}

enum drop authorised(const struct bridge *br, const struct frame *f, const struct passage *p,
		     uint64_t now, bool *note_locked)
{
	struct fdb_hit hit;

	*note_locked = false;
	if (!fdb_find(br->fdb, p->src_at, now, &hit)) {
		*note_locked = br->port[f->port].attr[PORT_MAB];
		return DROP_LOCKED;
	}
	if (hit.port != f->port || hit.flags & FDB_LOCAL)
		return DROP_LOCKED;
	*note_locked = hit.flags & FDB_LOCKED;
	return *note_locked ? DROP_LOCKED : DROP_NONE;
}

static void learn(struct bridge *br, const struct frame *f, const struct passage *p, uint16_t flags,
		  uint64_t now, struct outbox *out)
{
	struct fdb_changes changes;

	changes.n = 0;
	fdb_learn(br->fdb, p->src_at, f->port, f->remote, flags, now, &changes);
	if (changes.n)
		outbox_fdb_changes(out, &changes);
}

/* The ports that get a frame nobody is known to want alone (br_flood, and the copy for br0). */
static void flood(const struct bridge *br, const struct frame *f, const struct passage *p,
		  struct portset *to)
{
	enum flood_class class = p->dst == MAC_BROADCAST ? FLOOD_BROADCAST
				 : mac_is_group(p->dst)  ? FLOOD_MULTICAST
							 : FLOOD_UNICAST;

	if (f->port == PORT_HOST && class != FLOOD_UNICAST)
		*to = br->ports; /* the flood flags do not bind what the host itself sends */
	else
		portset_and(to, &br->ports, &br->flood[class], br->words);
	portset_and(to, to, &br->vlan[f->vid].forwarding, br->words);
	portset_and(to, to, &br->forwarding, br->words);
	if (!portset_has(&br->hairpin, f->port))
		portset_del(to, f->port);
	if (portset_has(&br->isolated, f->port))
		portset_sub(to, &br->isolated, br->words);
}

/* The port behind entry @hit, or its backup while it has no carrier (br_forward). */
static uint16_t egress_port(const struct bridge *br, const struct fdb_hit *hit, bool *backup)
{
	const struct bridge_port *port = &br->port[hit->port];

	*backup =
		port->attr[PORT_BACKUP_PORT] != PORT_NONE && !(port->link.up && port->link.carrier);
	return *backup ? (uint16_t)port->attr[PORT_BACKUP_PORT] : hit->port;
}

/* Why @f may not leave by port @n, if so (should_deliver); flood() asks it of all at once. */
static enum drop refusal(const struct bridge *br, const struct frame *f, uint16_t n)
{
	const struct vlan *v = &br->vlan[f->vid];

	if (n == f->port && !portset_has(&br->hairpin, n))
		return DROP_SAME_PORT;
	if (!portset_has(&br->forwarding, n))
		return DROP_STATE;
	if (portset_has(&br->isolated, f->port) && portset_has(&br->isolated, n))
		return DROP_ISOLATED;
	if (!portset_has(&v->forwarding, n))
		return portset_has(&v->member, n) ? DROP_STATE : DROP_VLAN;
	return DROP_NONE;
}

enum drop resolve(const struct bridge *br, const struct frame *f, const struct passage *p,
		  uint64_t now, struct resolution *r)
{
	bool copy = br->port[PORT_HOST].link.promisc && portset_has(&br->forwarding, PORT_HOST) &&
		    f->port != PORT_HOST; /* br_pass_frame_up(): whatever the VLAN */
	enum drop drop;

	r->found = !mac_is_group(p->dst) && fdb_find(br->fdb, p->dst_at, now, &r->hit);
	r->backup = false;
	if (r->found) {
		if (r->hit.port == PORT_HOST || (r->hit.flags & FDB_LOCAL && f->port != PORT_HOST))
			r->one = PORT_HOST; /* from the host, by the port that has the address */
		else
			r->one = egress_port(br, &r->hit, &r->backup);
		drop = refusal(br, f, r->one);
		if (!copy)
			return drop && r->one == PORT_HOST ? DROP_LOCAL : drop;
		memset(&r->to, 0, br->words * sizeof(r->to.w[0]));
		portset_put(&r->to, r->one, !drop);
	} else {
		flood(br, f, p, &r->to);
	}
	r->one = PORT_NONE;
	if (copy)
		portset_add(&r->to, PORT_HOST);
	return portset_empty(&r->to, br->words) ? DROP_NO_PORT : DROP_NONE;
}

/* Queues @f for port @n, with its tag where its VLAN is not untagged there (br_handle_vlan). */
static void deliver(struct bridge *br, const struct frame *f, unsigned n, struct outbox *out)
{
	struct port_stats *stats = &out->txq[n]->stats;

	stats->queued++;
	if (f->vid && br->attr[BRIDGE_VLAN_STATS_ENABLED])
		bridge_vlan_count(br, f, (uint16_t)n, true);
	if (bridge_too_long(br, (uint16_t)n, f))
		stats->drop_out[DROP_MTU]++;
	else
		outbox_add(out, (uint16_t)n, f,
			   f->vid && !portset_has(&br->vlan[f->vid].untagged, n));
}

/* Everything that needs the FDB, for one admitted and classified frame. */
static enum drop forward(struct bridge *br, const struct frame *f, const struct passage *p,
			 uint64_t now, struct outbox *out)
{
	struct resolution r;
	enum drop drop = p->drop;
	bool note_locked;

	if (drop)
		return drop;
	if (p->late != DROP_RESERVED) {
		if (f->vid && br->attr[BRIDGE_VLAN_STATS_ENABLED])
			bridge_vlan_count(br, f, f->port, false);
		if (portset_has(&br->locked, f->port)) {
			drop = authorised(br, f, p, now, &note_locked);
			if (drop && note_locked)
				learn(br, f, p, FDB_LOCKED, now, out);
			if (drop)
				return drop;
		}
	}
	if (p->learn)
		learn(br, f, p, 0, now, out);
	if (p->late)
		return p->late;
	drop = resolve(br, f, p, now, &r);
	if (r.found && !(r.hit.flags & FDB_LOCAL))
		fdb_touch(br->fdb, &r.hit, now);
	if (drop)
		return drop;
	if (r.one != PORT_NONE)
		deliver(br, f, r.one, out);
	else
		PORTSET_FOREACH(n, &r.to, br->words)
			deliver(br, f, n, out);
	return DROP_NONE;
}

/* Judges @f as far as the FDB is not needed, and sends for what of it forward() will read. */
static void prepare(const struct bridge *br, struct frame *f, struct passage *p)
{
	p->drop = admit(br, f, p);
	if (!p->drop)
		p->drop = vlan_classify(br, f, p);
	if (!p->drop)
		passage_seek(br, f, p);
}

unsigned bridge_input(struct bridge *br, struct batch *in, unsigned from, uint64_t now_ms,
		      struct outbox *out)
{
	struct passage passage[BATCH_MAX];
	unsigned room = outbox_room(out);
	unsigned n = in->n - from < room ? in->n - from : room;
	struct frame *f = in->frame + from;
	uint64_t bytes = 0, forwarded = 0;

	for (unsigned i = 0; i < n && i < AHEAD; i++)
		prepare(br, &f[i], &passage[i]);
	for (unsigned i = 0; i < n; i++) {
		enum drop drop;

		if (i + AHEAD < n)
			prepare(br, &f[i + AHEAD], &passage[i + AHEAD]);
		drop = forward(br, &f[i], &passage[i], now_ms, out);
		bytes += frame_wire_len(&f[i], false);
		if (drop)
			in->stats->drop_in[drop]++;
		else
			forwarded++;
	}
	in->stats->rx += n;
	in->stats->rx_bytes += bytes;
	in->stats->forwarded += forwarded;
	return n;
}
