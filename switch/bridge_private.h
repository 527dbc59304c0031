/* SPDX-License-Identifier: MIT */
/*
 * bridge_private: the inside of `struct bridge`, shared by the files that implement it.
 *
 * The surprising rule: everything the frame path asks about ports is kept as port sets that are
 * recomputed when a setting changes, never per frame. `words` bounds all of them. Only
 * switch/bridge*.c, forward.c and trace.c may include this.
 */
#ifndef SWITCH_BRIDGE_PRIVATE_H
#define SWITCH_BRIDGE_PRIVATE_H

#include "fdb/mac.h"
#include "switch/bridge.h"

struct bridge_port {
	bool exists;
	bool local_mac; /* its link's MAC is an address of the switch */
	char name[PORT_NAME_MAX];
	struct link link;
	uint64_t attr[PORT_ATTR_MAX];
	uint32_t max_len;    /* longest frame it may be sent: mtu + 14 + 4 */
	uint16_t pvid;       /* 0 = none */
	uint8_t *vlan_state; /* enum port_state of each VID */
	struct vlan_stats
		*vlan_stats; /* of each VID; pages that are never counted in stay untouched */
};

struct bridge {
	struct fdb *fdb;
	uint64_t attr[BRIDGE_ATTR_MAX];
	bool group_addr_set;         /* by the user: VLAN settings do not change it any more */
	uint16_t group_fwd_required; /* reserved addresses forwarded in 802.1ad mode */
	unsigned words;              /* of every port set */
	struct portset ports;
	struct portset forwarding; /* port state is forwarding: may send and receive */
	struct portset learning;   /* port state is learning or forwarding */
	struct portset flood[3];   /* by enum flood_class: may receive it unasked */
	struct portset hairpin;
	struct portset isolated;
	struct portset locked;
	struct vlan *vlan;             /* VLAN_N of them */
	struct vlan_stats *vlan_stats; /* of each VID, all ports together */
	struct bridge_port port[PORT_MAX];
};

enum flood_class { FLOOD_UNICAST, FLOOD_MULTICAST, FLOOD_BROADCAST };

/* What is decided about one frame before the FDB is asked. */
struct passage {
	uint64_t src, dst;
	struct fdb_spot src_at, dst_at; /* by passage_seek(); dst_at of a unicast address only */
	enum drop drop;                 /* dropped at once */
	enum drop late; /* dropped, but learned from first: reserved address, or learning state */
	bool learn;     /* port and VLAN let its source be learned */
};

/* Where one frame goes: to the port `one`, or, where that is PORT_NONE, to all of `to`. */
struct resolution {
	uint16_t one;
	bool found;  /* an FDB entry decided */
	bool backup; /* sent to the entry's backup port instead */
	struct fdb_hit hit;
	struct portset to;
};

/*
 * The steps of forward.c, in order: admit() judges source, reserved addresses and port state;
 * vlan_classify() (classify.c) finds the VLAN of @f and moves its tag; authorised() is for
 * locked ports only, *@note_locked says that the source becomes or stays a locked entry; resolve()
 * finds the egress ports. None of them changes the bridge; each returns the reason to drop at once.
 */
enum drop admit(const struct bridge *br, const struct frame *f, struct passage *p);
enum drop vlan_classify(const struct bridge *br, struct frame *f, struct passage *p);
enum drop authorised(const struct bridge *br, const struct frame *f, const struct passage *p,
		     uint64_t now, bool *note_locked);
enum drop resolve(const struct bridge *br, const struct frame *f, const struct passage *p,
		  uint64_t now, struct resolution *r);

/* Finds out, once @f has its VLAN, where in the FDB the addresses of @p may stand. */
static inline void passage_seek(const struct bridge *br, const struct frame *f, struct passage *p)
{
	p->src_at = fdb_spot(br->fdb, p->src, f->vid);
	if (!mac_is_group(p->dst))
		p->dst_at = fdb_spot_dst(br->fdb, p->dst, f->vid);
}

/* Counts @f in its VLAN's statistics, sent (@tx) or received by port @n. */
void bridge_vlan_count(struct bridge *br, const struct frame *f, uint16_t n, bool tx);
/* Counts @packets frames, @bytes bytes as bridge_frame_len() without the header, of VLAN @vid. */
void bridge_vlan_add_count(struct bridge *br, uint16_t n, uint16_t vid, uint64_t packets,
			   uint64_t bytes, bool tx);

/*
 * Returns the bytes of @f that the MTU rule and VLAN statistics count: without lifted tags, plus a
 * payload tag.
 */
static inline uint32_t bridge_frame_len(const struct bridge *br, const struct frame *f)
{
	return f->total + (br->attr[BRIDGE_VLAN_FILTERING] && f->kept.tpid ? FRAME_TAG_LEN : 0);
}

/*
 * Returns whether the MTU of port @n forbids to send it @f (is_skb_forwardable); super-frames are
 * exempt.
 */
static inline bool bridge_too_long(const struct bridge *br, uint16_t n, const struct frame *f)
{
	return bridge_frame_len(br, f) > br->port[n].max_len && !f->vnet.gso_type;
}

/* Recomputes the port sets of port @n from its settings and link. */
void bridge_port_sets(struct bridge *br, uint16_t n);

/* Adds the local address of port @n in VLAN @vid (fdb_add_local). Returns 0 or -ENOSPC. */
int bridge_local_add(struct bridge *br, uint16_t n, uint16_t vid, uint64_t now, struct outbox *out);
/* Removes it, or passes it to another port with that MAC (fdb_delete_local). */
void bridge_local_del(struct bridge *br, uint16_t n, uint64_t mac, uint16_t vid, uint64_t now,
		      struct outbox *out);

/*
 * Follows a change of vlan_default_pvid from @old to @pvid on all ports
 * (__br_vlan_set_default_pvid).
 */
int bridge_vlan_default_pvid(struct bridge *br, uint16_t old, uint16_t pvid, uint64_t now,
			     struct outbox *out);

/* Says that port @n changed. */
void bridge_port_event(uint16_t n, enum event_kind kind, struct outbox *out);

#endif
