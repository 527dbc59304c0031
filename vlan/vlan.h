/* SPDX-License-Identifier: MIT */
/*
 * vlan: which ports carry which VLAN, and how a frame's VLAN is found.
 *
 * One `struct vlan` for each VID 0..4095, all in one zeroed block. The surprising rule: VID 0
 * stands for "VLAN filtering is off": every port is a member, untagged, so the frame path has no
 * second branch. VIDs 1..4094 can be configured, 4095 never (802.1Q table 9-2). Membership is
 * arithmetic on port sets. Pure; owned by the bridge.
 */
#ifndef VLAN_VLAN_H
#define VLAN_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "vlan/portset.h"

#define VLAN_N 4096u
#define VLAN_VID_MAX 4094u
#define VLAN_VID_MASK 0x0fffu

/* Flags of one port in one VLAN, named after BRIDGE_VLAN_INFO_*. */
enum vlan_flag { VLAN_PVID = 1 << 0, VLAN_UNTAGGED = 1 << 1 };

struct vlan {
	struct portset member;     /* carries the VLAN */
	struct portset untagged;   /* of those, egress without tag */
	struct portset forwarding; /* of those, per-VLAN state is forwarding: may receive */
	struct portset learning; /* of those, per-VLAN state is learning or forwarding: may learn */
};

/*
 * Reads "VID" or "VID-VID" from the whole of @text. Returns 0, or -EINVAL for anything that is not
 * one or two VIDs 1..4094 with first < last.
 */
int vlan_parse_range(const char *text, uint16_t *first, uint16_t *last);

/*
 * Adds @port to @v; @untagged says how it leaves. A new member starts forwarding. Returns whether
 * anything changed.
 */
bool vlan_add(struct vlan *v, uint16_t port, bool untagged);

/* Removes @port from @v. Returns whether it was a member. */
bool vlan_del(struct vlan *v, uint16_t port);

#endif
