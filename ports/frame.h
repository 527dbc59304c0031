/* SPDX-License-Identifier: MIT */
/*
 * frame: one Ethernet frame on its way through the switch.
 *
 * The surprising rule: the outer 802.1Q/802.1ad tag of a frame is never in its bytes. Ingress lifts
 * it into `kept`; the bridge may turn it into `tag`, its own VLAN's tag; egress writes [tag if the
 * entry says so] [kept] back between the addresses and the rest. After ingress the bytes are
 * read-only, so a flood is many references to one buffer.
 *
 * `data` is the linear head, private to the switch, the only part that is ever parsed: the whole
 * frame when that has at most 256 bytes, or at most 2048 with a group destination; otherwise at
 * least 128 bytes. `tail` is payload still where the driver received it. Buffers belong to the
 * driver (or the batch's arena) from rx() until done(); nobody else frees or keeps them. Pure: no
 * system calls here.
 */
#ifndef PORTS_FRAME_H
#define PORTS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ports/drop.h"

#define FRAME_HDR_LEN 14u
#define FRAME_TAG_LEN 4u
#define FRAME_TAGGED_MIN (FRAME_HDR_LEN + FRAME_TAG_LEN + 2u) /* as skb_vlan_untag() wants it */
#define FRAME_MAX 65550u /* longest frame without tags: 64 KiB and an Ethernet header */
#define FRAME_TAIL_MAX 20u

#define TPID_8021Q 0x8100u
#define TPID_8021AD 0x88a8u

/* A VLAN tag; tpid 0 means there is none. */
struct vtag {
	uint16_t tpid;
	uint16_t tci; /* PCP 3 | DEI 1 | VID 12, host byte order */
};

/*
 * struct virtio_net_hdr in host byte order, VIRTIO 1.2 section 5.1.6; num_buffers is the driver's
 * own.
 */
struct vnet_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

#define VNET_NEEDS_CSUM 1u
#define VNET_DATA_VALID 2u
#define VNET_GSO_NONE 0u
#define VNET_GSO_TCPV4 1u
#define VNET_GSO_TCPV6 4u
#define VNET_GSO_UDP_L4 5u
#define VNET_GSO_ECN 0x80u

struct frame {
	uint8_t *data;    /* linear head, from the destination address on, outer tag lifted out */
	uint32_t len;     /* bytes in the head */
	uint32_t total;   /* bytes in head and tail */
	uint16_t port;    /* ingress port */
	uint16_t vid;     /* the FDB's VLAN, set by the bridge; 0 = no VLAN filtering */
	struct vtag tag;  /* the bridge's VLAN tag, written only where the egress entry says so */
	struct vtag kept; /* a tag that is payload: always written back, inside `tag` */
	struct vnet_hdr vnet; /* offsets count from data[0], that is without lifted tags */
	uint16_t n_tail;
	uint16_t room; /* bytes before data[0] that a driver may write, for its header */
	const struct iovec *tail;
	uint32_t remote; /* end point behind the ingress port, 0 where there is one */
	uint32_t cookie; /* the driver's own, for done() */
};

/*
 * Lifts an in-band outer tag (0x8100 or 0x88a8) of @f into @f->kept by moving the two addresses up,
 * and corrects len, total and the virtio header's offsets, as skb_vlan_untag() does. A frame
 * without one is unchanged. One with a tag but shorter than FRAME_TAGGED_MIN bytes is refused as
 * the kernel refuses it. @f->data must be writable. Returns DROP_NONE or DROP_MALFORMED.
 */
enum drop frame_lift_tag(struct frame *f);

/* Returns the bytes of @f on the wire when sent with (@tagged) or without its own tag. */
static inline uint32_t frame_wire_len(const struct frame *f, bool tagged)
{
	return f->total + (f->kept.tpid ? FRAME_TAG_LEN : 0) + (tagged ? FRAME_TAG_LEN : 0);
}

/*
 * Writes the tags that egress writes, [tag if @tagged][kept], at @out; returns how many bytes: 0, 4
 * or 8.
 */
unsigned frame_write_tags(const struct frame *f, bool tagged, uint8_t *out);
/*
 * Describes bytes @from..@from+@len of @f, cut at its end, in @iov[1 + FRAME_TAIL_MAX]; returns how
 * many it used.
 */
unsigned frame_slice(const struct frame *f, uint32_t from, uint32_t len, struct iovec *iov);
/* Copies bytes @from..@from+@len of @f, which it must have, to @dst. */
void frame_copy(const struct frame *f, uint32_t from, uint32_t len, uint8_t *dst);

/* A frame as egress writes it: virtio header and vectors. */
#define WIRE_IOV_MAX (4u + FRAME_TAIL_MAX)
struct wire {
	struct vnet_hdr vnet; /* offsets corrected for the tags written */
	uint8_t tags[2 * FRAME_TAG_LEN];
	uint32_t len;                   /* bytes in iov[1..] */
	unsigned n_iov;                 /* vectors in use, iov[0] included */
	struct iovec iov[WIRE_IOV_MAX]; /* iov[0] is left for the driver's own header */
};

/*
 * Describes @f as it is to be written: addresses, tags, rest, tail. No byte is copied but the tags.
 * csum_start and hdr_len count the tags. @w refers to @f's buffers. iov[0] is set to {NULL, 0} for
 * the driver to fill in.
 */
void wire_build(struct wire *w, const struct frame *f, bool tagged);

#endif
