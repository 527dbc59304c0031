/* SPDX-License-Identifier: MIT */
/*
 * offload: finishes in software what a sender left to hardware and the egress port cannot do.
 *
 * A frame may arrive with its TCP/UDP checksum half done (VNET_NEEDS_CSUM) or as a super-frame of
 * up to 64 KiB that still has to be cut (gso_type). Where the egress port has the capability it
 * crosses unchanged; otherwise offload_begin()/offload_next() yield the frames that go on the wire,
 * complete. The surprising rule: nothing is copied but headers: each piece is a private head in the
 * iterator plus vectors into the original frame, so every piece must be sent before the next is
 * asked for. Pure.
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
 * With a gso_type: the super-frame is inside a tunnel (VXLAN, Geneve, GRE, IP in IP). The header
 * has no word for that; only the kernel that made the frame knew. Set by offload_check(), refused
 * from outside, and no port can be given such a frame: kernels drop what they cannot cut.
 */
#define OFFLOAD_GSO_TUNNEL 0x02u

#define OFFLOAD_USO_SEGMENTS 128u /* as many as the kernel allows (UDP_MAX_SEGMENTS) */

/*
 * Checks @f's virtio header against its bytes once at ingress, after frame_lift_tag(), as
 * virtio_net_hdr_to_skb() would: known types, gso_size not 0, offsets inside the frame and not
 * before the transport header; and makes it canonical: hdr_len is the end of the transport header
 * of a GSO frame and 0 otherwise, a GSO frame no longer than one segment becomes a plain one, a TCP
 * GSO frame without VNET_NEEDS_CSUM gets it and its pseudo-header sum (so @f->data must be
 * writable), an SCTP checksum, which the header cannot describe, is completed. hdr_len is never a
 * reason to refuse, nor is a GSO frame inside a tunnel, which gets OFFLOAD_GSO_TUNNEL. Returns
 * DROP_NONE or DROP_VNET.
 */
enum drop offload_check(struct frame *f);

/* Returns whether a port with @caps (enum offload_cap) can take @f's virtio header as it is. */
static inline bool offload_fits(const struct frame *f, uint32_t caps)
{
	static const uint8_t need[8] = {
		[VNET_GSO_TCPV4] = OFFLOAD_TSO4,
		[2] = 0x80,
		[3] = 0x80, /* VNET_GSO_TCPV4 in a tunnel */
		[VNET_GSO_TCPV6] = OFFLOAD_TSO6,
		[VNET_GSO_UDP_L4] = OFFLOAD_USO,
		[6] = 0x80, /* VNET_GSO_TCPV6 in a tunnel */
		[7] = 0x80, /* VNET_GSO_UDP_L4 in a tunnel */
	};
	uint32_t want = need[f->vnet.gso_type & 7];

	if (f->vnet.gso_type & VNET_GSO_ECN)
		want |= OFFLOAD_ECN;
	if (f->vnet.flags & VNET_NEEDS_CSUM)
		want |= OFFLOAD_CSUM;
	return (want & ~caps) == 0;
}

#define OFFLOAD_HEAD_MAX 384u /* longest headers, tags included, that can be finished */
#define OFFLOAD_LAYERS 3u     /* IP headers in each other: two tunnels */

/* An IP header in `head` and the transport or tunnel header behind it. */
struct offload_layer {
	uint32_t net, l4;
	uint32_t csum;   /* offset of a checksum from l4 on; 0 = none to be written */
	uint16_t pseudo; /* sum of its pseudo-header without the length; 0 if it has none */
	uint16_t id;     /* IPv4 identification of the next piece */
	uint8_t version; /* 4 or 6 */
	uint8_t proto;
};

/* Cuts and completes one frame for one port. All but `head` is private. */
struct offload {
	const struct frame *frame;
	bool tagged;
	bool end;          /* no more frames */
	uint8_t tcp_flags; /* of the super-frame */
	uint32_t seq;      /* TCP sequence number of the next piece */
	uint32_t hdr;      /* header bytes that `head` replaces; 0 = the frame goes as it is */
	uint32_t head_len; /* bytes in head: hdr and the tags */
	uint32_t l4;       /* offset in head of what the checksum is over */
	uint32_t at;       /* bytes of the frame done */
	unsigned n_layers; /* 0 = not to be cut */
	struct offload_layer layer[OFFLOAD_LAYERS]; /* from the outside to the inside */
	uint8_t head[OFFLOAD_HEAD_MAX];
};

/*
 * Starts turning @f (which passed offload_check()) into frames for a port with @caps. @tagged as
 * for wire_build(). Returns DROP_NONE, or DROP_OFFLOAD when it cannot be done: headers longer than
 * OFFLOAD_HEAD_MAX, or a GSO frame whose headers are not {tags, IPv4 or IPv6 with extension
 * headers, TCP or UDP}, alone or behind the same of up to two tunnels over UDP, GRE or IP.
 */
enum drop offload_begin(struct offload *o, const struct frame *f, bool tagged, uint32_t caps);

/*
 * Describes the next frame in @w; its vectors refer to @o and the frame and stay valid until the
 * next call. TCP: sequence numbers, IP id, lengths, FIN/PSH only on the last, CWR only on the
 * first; UDP: lengths; tunnels around that: IP id, lengths; checksums all complete, a computed
 * checksum of 0 written as 0xffff, a tunnel's that was 0 left out. Returns false when there are no
 * more.
 */
bool offload_next(struct offload *o, struct wire *w);

#endif
