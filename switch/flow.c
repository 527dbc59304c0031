/* SPDX-License-Identifier: MIT */
#include "switch/flow.h"

#include "switch/bridge_private.h"

/* Whether learning from a frame of @p would change nothing but an age. */
static bool learned(const struct bridge *br, uint16_t in, const struct passage *p, uint64_t now)
{
	struct fdb_hit hit;

	if (!p->learn || !br->attr[BRIDGE_AGEING_TIME])
		return true;
	return fdb_find(br->fdb, p->src_at, now, &hit) && hit.port == in &&
	       !(hit.flags & (FDB_LOCAL | FDB_LOCKED));
}

/*
 * Fills in what becomes of the tag @came of @f, classified, on its way to flow->out. Returns false
 * when that is more than one step.
 */
static bool retag(const struct bridge *br, const struct frame *f, struct vtag came,
		  struct bridge_flow *flow)
{
	bool tagged = f->vid && !portset_has(&br->vlan[f->vid].untagged, flow->out);
	bool lifted = came.tpid && !f->kept.tpid; /* it became the bridge's own */

	flow->pop = lifted && !tagged;
	flow->push = (struct vtag){ 0, 0 };
	if (lifted && tagged)
		return came.tci == f->tag.tci;
	if (tagged)
		flow->push = f->tag;
	return !(tagged && f->kept.tpid);
}

bool bridge_flow(const struct bridge *br, uint16_t in, uint64_t src, uint64_t dst, struct vtag tag,
		 uint64_t now_ms, struct bridge_flow *flow)
{
	uint8_t header[FRAME_HDR_LEN] = { 0 };
	struct frame f = { .data = header,
			   .len = sizeof(header),
			   .total = sizeof(header),
			   .port = in,
			   .kept = tag };
	struct resolution r;
	struct passage p;
	bool note_locked;

	mac_store(header, dst);
	mac_store(header + MAC_LEN, src);
	if (!bridge_port_exists(br, in) || in == PORT_HOST || mac_is_group(dst))
		return false;
	if (admit(br, &f, &p) || vlan_classify(br, &f, &p) || p.late)
		return false;
	passage_seek(br, &f, &p);
	if (portset_has(&br->locked, in) && authorised(br, &f, &p, now_ms, &note_locked))
		return false;
	if (!learned(br, in, &p, now_ms) || resolve(br, &f, &p, now_ms, &r) || !r.found)
		return false;
	*flow = (struct bridge_flow){
		.in = in, .out = r.one, .vid = f.vid, .src = src, .dst = dst, .learn = p.learn
	};
	if (r.one == PORT_NONE || r.one == PORT_HOST || r.one == in || !retag(br, &f, tag, flow))
		return false;
	flow->vid_extra = bridge_frame_len(br, &f) - f.total;
	flow->max_len = br->port[flow->out].max_len - flow->vid_extra;
	flow->in_extra = frame_wire_len(&f, false) - f.total;
	flow->out_extra =
		frame_wire_len(&f, f.vid && !portset_has(&br->vlan[f.vid].untagged, flow->out)) -
		f.total;
	return true;
}

/* Notes in the FDB that an entry was a source, or the destination, of frames. */
static void keep_young(struct bridge *br, const struct bridge_flow *flow, uint64_t now,
		       struct outbox *out)
{
	struct fdb_spot src = fdb_spot(br->fdb, flow->src, flow->vid);
	struct fdb_spot dst = fdb_spot(br->fdb, flow->dst, flow->vid);
	struct fdb_changes changes;
	struct fdb_hit hit;

	changes.n = 0;
	if (flow->learn && fdb_find(br->fdb, src, now, &hit) && hit.port == flow->in)
		fdb_learn(br->fdb, src, flow->in, 0, 0, now, &changes);
	if (changes.n)
		outbox_fdb_changes(out, &changes);
	if (fdb_find(br->fdb, dst, now, &hit) && !(hit.flags & FDB_LOCAL))
		fdb_touch(br->fdb, &hit, now);
}

void bridge_flow_count(struct bridge *br, const struct bridge_flow *flow, uint64_t packets,
		       uint64_t bytes, uint64_t now_ms, struct outbox *out)
{
	bool vlan = flow->vid && br->attr[BRIDGE_VLAN_STATS_ENABLED];
	uint64_t vid_bytes = bytes + packets * flow->vid_extra - packets * FRAME_HDR_LEN;
	struct port_stats *s;

	if (bridge_port_exists(br, flow->in)) {
		s = &out->txq[flow->in]->stats;
		s->rx += packets;
		s->rx_fast += packets;
		s->rx_bytes += bytes + packets * flow->in_extra;
		s->forwarded += packets;
		if (vlan)
			bridge_vlan_add_count(br, flow->in, flow->vid, packets, vid_bytes, false);
		keep_young(br, flow, now_ms, out);
	}
	if (bridge_port_exists(br, flow->out)) {
		s = &out->txq[flow->out]->stats;
		s->queued += packets;
		s->tx += packets;
		s->tx_segments += packets;
		s->tx_bytes += bytes + packets * flow->out_extra;
		if (vlan)
			bridge_vlan_add_count(br, flow->out, flow->vid, packets, vid_bytes, true);
	}
}
