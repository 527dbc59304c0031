/* SPDX-License-Identifier: MIT */
/*
 * offload: finishes in software what a sender left to hardware and the egress port cannot do.
 *
 * A frame may arrive with its TCP/UDP checksum half done (VNET_NEEDS_CSUM) or as a super-frame of up to
 * 64 KiB that still has to be cut (gso_type). Where the egress port has the capability it crosses unchanged;
 * otherwise offload_begin()/offload_next() yield the frames that go on the wire, complete. The surprising rule:
 * nothing is copied but headers: each piece is a private head in the iterator plus vectors into the original
 * frame, so every piece must be sent before the next is asked for. Pure.
 */
#ifndef PORTS_OFFLOAD_H
#define PORTS_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/frame.h"

/* What a port's peer can be given (struct port caps). */
enum offload_cap {
	OFFLOAD_CSUM = 1 << 0, /* VNET_NEEDS_CSUM frames */
	OFFLOAD_TSO4 = 1 << 1,
	OFFLOAD_TSO6 = 1 << 2,
	OFFLOAD_ECN = 1 << 3, /* TSO of segments with CWR */
	OFFLOAD_USO = 1 << 4,
};
#define OFFLOAD_ALL 0x1fu

/*
 * Checks @f's virtio header against its bytes once at ingress, as virtio_net_hdr_to_skb() would: offsets inside the
 * head, known types, gso_size not 0, and hdr_len recomputed as the end of the transport header. Parses through
 * `kept`-style in-band inner tags and IPv6 extension headers. A frame without requests always passes; DATA_VALID
 * alone is kept. Returns DROP_NONE or DROP_VNET. May rewrite f->vnet (a GSO frame no longer than one segment
 * becomes a plain one).
 */
enum drop offload_check(struct frame *f);

/* Returns whether a port with @caps (enum offload_cap) can take @f's virtio header as it is. */
static inline bool offload_fits(const struct frame *f, uint32_t caps)
{
	static const uint8_t need[8] = {
		[VNET_GSO_TCPV4] = OFFLOAD_TSO4, [2] = 0x80, [3] = 0x80, [VNET_GSO_TCPV6] = OFFLOAD_TSO6,
		[VNET_GSO_UDP_L4] = OFFLOAD_USO, [6] = 0x80, [7] = 0x80,
	};
	uint32_t want = need[f->vnet.gso_type & 7];

	if (f->vnet.gso_type & VNET_GSO_ECN)
		want |= OFFLOAD_ECN;
	if (f->vnet.flags & VNET_NEEDS_CSUM)
		want |= OFFLOAD_CSUM;
	return (want & ~caps) == 0;
}

#define OFFLOAD_HEAD_MAX 256u /* longest headers, tags included, that can be segmented */

/* Cuts and completes one frame for one port. */
struct offload {
	const struct frame *frame;
	bool tagged;
	uint32_t caps;
	uint32_t hdr;  /* header bytes in front of each segment, without lifted tags; 0 = not segmented */
	uint32_t at;   /* payload bytes done */
	uint32_t seg;  /* segments done */
	bool end;
	uint8_t head[OFFLOAD_HEAD_MAX];
};

/*
 * Starts turning @f (which passed offload_check()) into frames for a port with @caps. @tagged as for wire_build().
 * Returns DROP_NONE, or DROP_OFFLOAD when it cannot be done (headers longer than OFFLOAD_HEAD_MAX or than the head).
 */
enum drop offload_begin(struct offload *o, const struct frame *f, bool tagged, uint32_t caps);

/*
 * Describes the next frame in @w; its vectors refer to @o and the frame and stay valid until the next call. TCP:
 * sequence numbers, IP id, lengths, FIN/PSH only on the last, CWR only on the first; UDP: lengths; checksums all
 * complete, a computed UDP checksum of 0 written as 0xffff. Returns false when there are no more.
 */
bool offload_next(struct offload *o, struct wire *w);

#endif
