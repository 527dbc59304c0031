/* SPDX-License-Identifier: MIT */
/*
 * What would happen to a frame, in sentences. The decisions are forward.c's own functions, run on
 * the bridge as it is; only learning, which changes the table, is told instead of done.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "switch/bridge_private.h"

struct story {
	char *text;
	size_t size, at;
};

static void say(struct story *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct story *s, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(s->text + s->at, s->size - s->at, fmt, args);
	va_end(args);
	if (n > 0)
		s->at = s->at + (size_t)n < s->size ? s->at + (size_t)n : s->size - 1;
}

static const char *name(const struct bridge *br, uint16_t n)
{
	return n == PORT_HOST && !br->port[n].exists ? "the host" : br->port[n].name;
}

static const char *proto(uint16_t tpid)
{
	return tpid == TPID_8021AD ? "802.1ad" : "802.1Q";
}

/* Says which VLAN the frame is in and why. */
static void say_vlan(struct story *s, const struct bridge *br, const struct frame *f,
		     struct vtag came)
{
	uint16_t vid = came.tci & VLAN_VID_MASK;

	if (!br->attr[BRIDGE_VLAN_FILTERING])
		say(s, "VLAN filtering is off: one table for all VLANs%s.\n",
		    came.tpid ? ", the tag is payload" : "");
	else if (came.tpid && came.tpid == br->attr[BRIDGE_VLAN_PROTOCOL] && vid)
		say(s, "Tagged %s VID %u: VLAN %u.\n", proto(came.tpid), vid, f->vid);
	else if (!br->port[f->port].pvid)
		say(s, "%s, and %s has no PVID.\n",
		    came.tpid ? "No tag of this bridge's protocol with a VID" : "Untagged",
		    name(br, f->port));
	else
		say(s, "%s: VLAN %u, the PVID of %s.\n",
		    came.tpid ? "No tag of this bridge's protocol with a VID" : "Untagged", f->vid,
		    name(br, f->port));
}

/* Says what learn() would do. Returns whether the source would then be behind the ingress port. */
static bool say_learning(struct story *s, const struct bridge *br, const struct frame *f,
			 const struct passage *p, uint64_t now)
{
	char mac[MAC_STRLEN];
	struct fdb_entry e;

	mac_print(p->src, mac);
	if (!p->learn || !br->attr[BRIDGE_AGEING_TIME]) {
		say(s, "%s is not learned: %s.\n", mac,
		    !br->attr[BRIDGE_AGEING_TIME] ? "the ageing time is 0"
		    : f->port == PORT_HOST        ? "the host's own frames are not"
						  : "learning is off or not allowed here");
		return false;
	}
	if (!fdb_lookup(br->fdb, p->src, f->vid, now, &e)) {
		say(s, "%s would be learned on %s.\n", mac, name(br, f->port));
		return true;
	}
	if (e.flags & FDB_LOCAL)
		say(s, "%s is an address of the switch itself: nothing is learned.\n", mac);
	else if (e.port == f->port)
		say(s, "%s is known on %s.\n", mac, name(br, f->port));
	else if (e.flags & FDB_STICKY)
		say(s, "%s sticks to %s: not moved.\n", mac, name(br, e.port));
	else
		say(s, "%s would move from %s to %s.\n", mac, name(br, e.port), name(br, f->port));
	return e.port != f->port && !(e.flags & (FDB_LOCAL | FDB_STICKY));
}

static void say_destination(struct story *s, const struct bridge *br, const struct passage *p,
			    const struct resolution *r)
{
	char mac[MAC_STRLEN];

	mac_print(p->dst, mac);
	if (!r->found)
		say(s, "%s: %s.\n", mac,
		    p->dst == MAC_BROADCAST ? "broadcast, flooded"
		    : mac_is_group(p->dst)  ? "multicast, flooded"
					    : "not in the address table, flooded");
	else if (r->hit.flags & FDB_LOCAL)
		say(s, "%s is an address of the switch itself: to the host port only.\n", mac);
	else
		say(s, "%s is behind %s%s%s.\n", mac, name(br, r->hit.port),
		    r->backup ? ", whose link is down: its backup is " : "",
		    r->backup ? name(br, (uint16_t)br->port[r->hit.port].attr[PORT_BACKUP_PORT])
			      : "");
}

static void say_output(struct story *s, const struct bridge *br, const struct frame *f, unsigned n)
{
	bool tagged = f->vid && !portset_has(&br->vlan[f->vid].untagged, n);

	if (bridge_too_long(br, (uint16_t)n, f))
		say(s, "%s: dropped (mtu): %u bytes, at most %u fit.\n", br->port[n].name,
		    bridge_frame_len(br, f), br->port[n].max_len);
	else if (tagged)
		say(s, "Out of %s, tagged %s VID %u.\n", br->port[n].name, proto(f->tag.tpid),
		    f->vid);
	else
		say(s, "Out of %s%s.\n", br->port[n].name, f->vid ? ", untagged" : "");
}

/* The steps that need the address table; returns why the frame ends here, or DROP_NONE. */
static enum drop say_forward(struct story *s, const struct bridge *br, const struct frame *f,
			     const struct passage *p, uint64_t now)
{
	struct resolution r;
	bool note_locked, fresh;
	enum drop drop;

	if (p->late != DROP_RESERVED && portset_has(&br->locked, f->port)) {
		drop = authorised(br, f, p, now, &note_locked);
		if (drop) {
			if (note_locked)
				say(s, "The source is noted as a locked entry.\n");
			return drop;
		}
	}
	fresh = say_learning(s, br, f, p, now);
	if (p->late)
		return p->late;
	if (fresh && p->src == p->dst && !portset_has(&br->hairpin, f->port))
		return DROP_SAME_PORT;
	drop = resolve(br, f, p, now, &r);
	say_destination(s, br, p, &r);
	if (drop)
		return drop;
	if (r.one != PORT_NONE)
		say_output(s, br, f, r.one);
	else
		PORTSET_FOREACH(n, &r.to, br->words)
			say_output(s, br, f, n);
	return DROP_NONE;
}

int bridge_trace(const struct bridge *br, uint16_t in, uint64_t src, uint64_t dst, struct vtag tag,
		 uint32_t len, uint64_t now_ms, char *text, size_t size)
{
	uint8_t header[FRAME_HDR_LEN] = { 0 };
	struct frame f = {
		.data = header, .len = sizeof(header), .total = len, .port = in, .kept = tag
	};
	struct story s = { .text = text, .size = size };
	char mac[2][MAC_STRLEN];
	struct passage p;

	if (!bridge_port_exists(br, in))
		return -ENODEV;
	mac_store(header, dst);
	mac_store(header + MAC_LEN, src);
	say(&s, "%u bytes from %s to %s come in on %s.\n", len, mac_print(src, mac[0]),
	    mac_print(dst, mac[1]), name(br, in));
	p.drop = admit(br, &f, &p);
	if (!p.drop) {
		p.drop = vlan_classify(br, &f, &p);
		say_vlan(&s, br, &f, tag);
	}
	if (!p.drop) {
		passage_seek(br, &f, &p);
		p.drop = say_forward(&s, br, &f, &p, now_ms);
	}
	if (p.drop)
		say(&s, "Dropped (%s): %s.\n", drop_word(p.drop), drop_text(p.drop));
	return 0;
}
