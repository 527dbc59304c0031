/* SPDX-License-Identifier: MIT */
/*
 * flow: frames that the bridge would always treat alike, for somebody else to forward.
 *
 * A flow is what known unicast from one port, source and tag to one destination becomes: always
 * the same egress port and the same tag. Whoever forwards such frames past the bridge brings their
 * number back, so that ages and counters are as if the bridge had seen them. The surprising rule:
 * a flow is right only as long as the bridge stays as it is; whatever makes an event may end it.
 * Pure, as bridge.h; called by switch/daemon/flows.c and tests.
 */
#ifndef SWITCH_FLOW_H
#define SWITCH_FLOW_H

#include "switch/bridge.h"

struct bridge_flow {
	uint16_t in, out; /* ports */
	uint16_t vid;     /* the FDB's VLAN, 0 = no VLAN filtering */
	uint64_t src, dst;
	uint32_t max_len; /* longest frame, lifted tag apart, that may pass; not for super-frames */
	bool learn;       /* it keeps the entry of its source young */
	bool pop;         /* the frame's tag is taken off */
	struct vtag push; /* put on; tpid 0 = none */
	uint32_t in_extra;  /* bytes of a tag that ingress counts for each frame, */
	uint32_t out_extra; /* that egress counts, */
	uint32_t vid_extra; /* and that the VLAN's statistics count */
};

/*
 * Fills @flow with what becomes now of frames from @src to @dst received on port @in with tag @tag
 * (tpid 0: untagged). Returns false when that is not one and the same thing for all of them, and
 * nothing but: one known port other than the host's, nothing to learn, at most one tag to push or
 * pop. Decided by the same functions as in bridge_input().
 */
bool bridge_flow(const struct bridge *br, uint16_t in, uint64_t src, uint64_t dst, struct vtag tag,
		 uint64_t now_ms, struct bridge_flow *flow);

/*
 * Counts @packets frames of @flow, @bytes bytes without lifted tags, that were forwarded elsewhere,
 * the last of them about @now_ms, and notes in the FDB that source and destination were in use.
 */
void bridge_flow_count(struct bridge *br, const struct bridge_flow *flow, uint64_t packets,
		       uint64_t bytes, uint64_t now_ms, struct outbox *out);

#endif
