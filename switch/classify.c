/* SPDX-License-Identifier: MIT */
/*
 * Which VLAN a frame is in, and what becomes of its tag: the ingress rules of 802.1Q 6.9, as
 * __allowed_ingress() (net/bridge/br_vlan.c) applies them. With VLAN filtering off every frame is
 * in VLAN 0 and tags are payload.
 */
#include "switch/bridge_private.h"

/*
 * Turns the tag or the lack of one into the bridge's own tag, as __allowed_ingress() does. Returns
 * the VID, 0 = none.
 */
static uint16_t bridge_tag(const struct bridge *br, struct frame *f)
{
	uint16_t proto = (uint16_t)br->attr[BRIDGE_VLAN_PROTOCOL];
	uint16_t pvid = br->port[f->port].pvid;

	f->tag = (struct vtag){ proto, 0 };
	if (f->kept.tpid == proto) {
		f->tag = f->kept;
		f->kept = (struct vtag){ 0, 0 };
	}
	if (!(f->tag.tci & VLAN_VID_MASK))
		f->tag.tci |= pvid; /* untagged, or priority-tagged: PCP and DEI stay */
	return f->tag.tci & VLAN_VID_MASK;
}

/* Whether acceptable frame types (802.1Q 6.9) let @f in; a priority tag counts as none. */
static bool accepted(const struct bridge *br, const struct frame *f)
{
	bool tagged = f->kept.tpid == br->attr[BRIDGE_VLAN_PROTOCOL] && f->kept.tci & VLAN_VID_MASK;

	switch ((enum port_accept)br->port[f->port].attr[PORT_ACCEPT]) {
	case ACCEPT_ALL:
		return true;
	case ACCEPT_TAGGED:
		return tagged;
	case ACCEPT_UNTAGGED:
		return !tagged;
	}
	return false;
}

/* VLAN filtering: may @f, in VLAN f->vid, come in, and be learned from? */
static enum drop vlan_ingress(const struct bridge *br, const struct frame *f, struct passage *p)
{
	const struct vlan *v = &br->vlan[f->vid];

	if (!portset_has(&v->member, f->port))
		return DROP_VLAN;
	if (!portset_has(&v->learning, f->port)) {
		if (p->late == DROP_RESERVED)
			p->learn = false; /* br_should_learn() */
		else if (portset_has(&br->forwarding, f->port))
			return DROP_STATE; /* it binds only while the port is forwarding */
	} else if (!portset_has(&v->forwarding, f->port) && !p->late && f->port != PORT_HOST) {
		p->late = DROP_STATE;
	}
	return DROP_NONE;
}

enum drop vlan_classify(const struct bridge *br, struct frame *f, struct passage *p)
{
	enum drop drop = DROP_VLAN;

	f->vid = 0;
	f->tag = (struct vtag){ 0, 0 };
	if (!br->attr[BRIDGE_VLAN_FILTERING])
		return DROP_NONE;
	if (accepted(br, f)) {
		f->vid = bridge_tag(br, f);
		drop = f->vid ? vlan_ingress(br, f, p) : DROP_VLAN;
	}
	return drop && p->late == DROP_RESERVED ? DROP_RESERVED : drop;
}
