/* SPDX-License-Identifier: MIT */
#include "ports/offload.h"

#include <netinet/in.h>
#include <string.h>

#include "ports/be.h"
#include "ports/csum.h"
#include "ports/headers.h"

#define IPV4_MIN 20u
#define IPV6_LEN 40u
#define TCP_MIN 20u
#define TCP_CSUM 16u /* offset of the checksum in its header */
#define UDP_LEN 8u
#define UDP_CSUM 6u
#define SCTP_LEN 12u
#define SCTP_CSUM 8u
#define GSO_BY_FRAGS UINT16_MAX /* a gso_size that means something else inside the kernel */

#define GRE_CSUM 4u /* offset of the checksum in its header, if that has one */
#define GRE_CSUM_END 8u
#define GRE_HAS_CSUM 0x80u  /* in its first byte */
#define GRE_HAS_ORDER 0x50u /* a route or a sequence number: nothing that can be repeated */
#define GRE_VERSION 0x07u   /* in its second byte */

#define TCP_FIN 0x01u
#define TCP_PSH 0x08u
#define TCP_CWR 0x80u

/* What a gso_type asks for. */
struct gso {
	uint8_t version; /* 4, 6, 0 = either */
	uint8_t proto;
	uint8_t csum_offset;
	uint8_t min; /* bytes of the shortest transport header */
};

/* Stores the complement of @c at @p; 0 is written as 0xffff, which is the same number and for UDP
 * not "none". */
static void put_csum(uint8_t *p, const struct csum *c)
{
	uint16_t v = (uint16_t)~csum_fold(c);

	if (!v)
		v = UINT16_MAX;
	memcpy(p, &v, sizeof(v));
}

static bool gso_request(uint8_t gso_type, struct gso *gso)
{
	static const struct gso tcp4 = { 4, IPPROTO_TCP, TCP_CSUM, TCP_MIN };
	static const struct gso tcp6 = { 6, IPPROTO_TCP, TCP_CSUM, TCP_MIN };
	static const struct gso udp = { 0, IPPROTO_UDP, UDP_CSUM, UDP_LEN };

	switch (gso_type) {
	case VNET_GSO_TCPV4:
	case VNET_GSO_TCPV4 | VNET_GSO_ECN:
		*gso = tcp4;
		return true;
	case VNET_GSO_TCPV6:
	case VNET_GSO_TCPV6 | VNET_GSO_ECN:
		*gso = tcp6;
		return true;
	case VNET_GSO_UDP_L4:
		*gso = udp;
		return true;
	}
	return false;
}

static bool gso_matches(const struct gso *gso, const struct headers *h)
{
	return (!gso->version || h->version == gso->version) && h->proto == gso->proto &&
	       !h->fragment;
}

/* The CRC of SCTP cannot be asked for in a virtio header: kernels ask for it as if it was a
 * checksum. */
static void complete_sctp(struct frame *f)
{
	struct iovec iov[1 + FRAME_TAIL_MAX];
	uint8_t *field = f->data + f->vnet.csum_start + SCTP_CSUM;
	uint32_t crc = UINT32_MAX;
	unsigned n;

	memset(field, 0, 4);
	n = frame_slice(f, f->vnet.csum_start, f->total, iov);
	for (unsigned i = 0; i < n; i++)
		crc = csum_crc32c(crc, iov[i].iov_base, iov[i].iov_len);
	crc = ~crc;
	for (unsigned i = 0; i < 4; i++)
		field[i] = (uint8_t)(crc >> 8 * i);
	f->vnet = (struct vnet_hdr){ 0 };
}

/* Gives a TCP super-frame whose sender did not ask for a checksum (an LRO'd one) what such a
 * request has. */
static enum drop request_csum(struct frame *f, const struct gso *gso)
{
	struct csum c = { 0 };
	struct headers h;
	uint16_t sum;

	if (gso->proto != IPPROTO_TCP || headers_parse(f->data, f->len, &h) != HEADERS_OK ||
	    !gso_matches(gso, &h) || h.transport + TCP_MIN > f->len)
		return DROP_VNET;
	headers_sum_pseudo(&c, f->data + h.net, h.proto);
	csum_add16(&c, f->total - h.transport);
	sum = csum_fold(&c);
	memcpy(f->data + h.transport + TCP_CSUM, &sum, sizeof(sum));
	f->vnet.flags = VNET_NEEDS_CSUM;
	f->vnet.csum_start = (uint16_t)h.transport;
	f->vnet.csum_offset = TCP_CSUM;
	return DROP_NONE;
}

/* Checks a request for a checksum, with @gso or without (NULL). */
static enum drop check_csum(struct frame *f, const struct gso *gso)
{
	const struct vnet_hdr *v = &f->vnet;
	struct headers h;

	if (v->csum_start < FRAME_HDR_LEN + IPV4_MIN ||
	    (uint32_t)v->csum_start + v->csum_offset + 2 > f->total)
		return DROP_VNET;
	if (gso &&
	    (v->csum_offset != gso->csum_offset || (uint32_t)v->csum_start + gso->min > f->total))
		return DROP_VNET;
	switch (headers_parse(f->data, f->len, &h)) {
	case HEADERS_OK:
		break;
	case HEADERS_BAD:
		return DROP_VNET;
	case HEADERS_OTHER:
	case HEADERS_PARTIAL:
		return DROP_NONE;
	}
	if (v->csum_start < h.transport)
		return DROP_VNET;
	if (v->csum_start > h.transport) { /* of something in a tunnel */
		if (gso)
			f->vnet.gso_type |= OFFLOAD_GSO_TUNNEL;
		return h.proto == IPPROTO_TCP ? DROP_VNET : DROP_NONE;
	}
	if (gso && !gso_matches(gso, &h))
		return DROP_VNET;
	if (!gso && h.proto == IPPROTO_SCTP && v->csum_offset == SCTP_CSUM &&
	    h.transport + SCTP_LEN <= f->len)
		complete_sctp(f);
	return DROP_NONE;
}

/* Checks what a GSO frame says of its length and makes hdr_len exact; its checksum request was
 * checked. */
static enum drop check_gso(struct frame *f, const struct gso *gso)
{
	struct vnet_hdr *v = &f->vnet;
	uint32_t hdr = v->csum_start + (uint32_t)gso->min;
	uint8_t doff;

	if (!v->gso_size || v->gso_size == GSO_BY_FRAGS)
		return DROP_VNET;
	if (gso->proto == IPPROTO_TCP) {
		frame_copy(f, v->csum_start + 12u, 1, &doff);
		hdr = v->csum_start + (doff >> 4) * 4u;
		if (hdr < v->csum_start + TCP_MIN)
			return DROP_VNET;
	}
	if (hdr > f->total || hdr > UINT16_MAX - 2 * FRAME_TAG_LEN)
		return DROP_VNET;
	v->hdr_len = (uint16_t)hdr;
	if (f->total - hdr <= v->gso_size && !(v->gso_type & OFFLOAD_GSO_TUNNEL)) {
		v->gso_type = VNET_GSO_NONE;
		v->gso_size = 0;
		v->hdr_len = 0;
	} else if (gso->proto == IPPROTO_UDP &&
		   f->total - hdr > v->gso_size * OFFLOAD_USO_SEGMENTS) {
		return DROP_VNET;
	}
	return DROP_NONE;
}

enum drop offload_check(struct frame *f)
{
	struct vnet_hdr *v = &f->vnet;
	bool is_gso = v->gso_type != VNET_GSO_NONE;
	enum drop drop = DROP_NONE;
	struct gso gso;

	if (!is_gso && !(v->flags & VNET_NEEDS_CSUM)) {
		*v = (struct vnet_hdr){ .flags = v->flags & VNET_DATA_VALID };
		return DROP_NONE;
	}
	v->flags &= VNET_NEEDS_CSUM | VNET_DATA_VALID;
	if (is_gso && !gso_request(v->gso_type, &gso))
		return DROP_VNET;
	if (!is_gso)
		v->gso_size = v->hdr_len = 0;
	if (!(v->flags & VNET_NEEDS_CSUM))
		drop = request_csum(f, &gso);
	else
		drop = check_csum(f, is_gso ? &gso : NULL);
	if (!drop && is_gso)
		drop = check_gso(f, &gso);
	return drop;
}

/* Appends a layer for @h. Returns false if there is no room, or nothing can be cut there. */
static bool add_layer(struct offload *o, const struct headers *h)
{
	const uint8_t *ip = o->head + h->net;
	struct csum c = { 0 };

	if (h->fragment || o->n_layers == OFFLOAD_LAYERS)
		return false;
	headers_sum_pseudo(&c, ip, h->proto);
	o->layer[o->n_layers++] = (struct offload_layer){
		.net = h->net,
		.l4 = h->transport,
		.pseudo = csum_fold(&c),
		.id = (uint16_t)(h->version == 4 ? be16(ip + 4) : 0),
		.version = h->version,
		.proto = h->proto,
	};
	return true;
}

/* Makes of the last layer a tunnel, whose header ends before @end. Returns false if it cannot be
 * cut. */
static bool end_tunnel(struct offload *o, uint32_t end)
{
	struct offload_layer *l = &o->layer[o->n_layers - 1];
	const uint8_t *l4 = o->head + l->l4;

	if (l->proto == IPPROTO_UDP) {
		if (be16(l4 + UDP_CSUM))
			l->csum = l->l4 + UDP_CSUM;
		return true;
	}
	l->pseudo = 0;
	if (l->proto != IPPROTO_GRE)
		return true;
	if (l4[0] & GRE_HAS_CSUM)
		l->csum = l->l4 + GRE_CSUM;
	return !(l4[0] & GRE_HAS_ORDER) && !(l4[1] & GRE_VERSION) &&
	       (!l->csum || l->l4 + GRE_CSUM_END <= end);
}

/* Finds the layers of a GSO frame, whose first hdr_len bytes are in `head`. */
static enum drop begin_gso(struct offload *o, uint32_t total)
{
	const struct vnet_hdr *v = &o->frame->vnet;
	struct offload_layer *l;
	struct csum c = { 0 };
	struct headers h;
	struct gso gso;
	uint8_t *l4 = o->head + o->l4;

	if (headers_parse(o->head, o->head_len, &h) != HEADERS_OK || !add_layer(o, &h))
		return DROP_OFFLOAD;
	while (h.transport < o->l4)
		if (headers_inner(o->head, o->l4, total, &h) != HEADERS_OK ||
		    !end_tunnel(o, h.net) || !add_layer(o, &h))
			return DROP_OFFLOAD;
	if (h.transport != o->l4 ||
	    !gso_request(v->gso_type & (uint8_t)~OFFLOAD_GSO_TUNNEL, &gso) ||
	    !gso_matches(&gso, &h))
		return DROP_OFFLOAD;
	l = &o->layer[o->n_layers - 1];
	l->csum = o->l4 + v->csum_offset;
	if (gso.proto == IPPROTO_TCP) {
		o->seq = be32(l4 + 4);
		o->tcp_flags = l4[13];
	}
	/* the sender's sum has the length of all; take it away */
	csum_add(&c, o->head + l->csum, 2);
	csum_add16(&c, ~(total - o->l4) & UINT16_MAX);
	l->pseudo = csum_fold(&c);
	return DROP_NONE;
}

enum drop offload_begin(struct offload *o, const struct frame *f, bool tagged, uint32_t caps)
{
	const struct vnet_hdr *v = &f->vnet;
	unsigned n_tags;

	o->frame = f;
	o->tagged = tagged;
	o->end = false;
	o->n_layers = 0;
	o->hdr = 0;
	if (offload_fits(f, caps))
		return DROP_NONE;
	o->hdr = v->gso_type ? v->hdr_len : (uint32_t)v->csum_start + v->csum_offset + 2;
	o->at = o->hdr;
	if (o->hdr + 2 * FRAME_TAG_LEN > OFFLOAD_HEAD_MAX)
		return DROP_OFFLOAD;
	frame_copy(f, 0, 12, o->head);
	n_tags = frame_write_tags(f, tagged, o->head + 12);
	frame_copy(f, 12, o->hdr - 12, o->head + 12 + n_tags);
	o->head_len = o->hdr + n_tags;
	o->l4 = v->csum_start + n_tags;
	return v->gso_type ? begin_gso(o, f->total + n_tags) : DROP_NONE;
}

/* Writes the length, id and checksum of an IP header of a piece that ends at @end. */
static void edit_ip(struct offload *o, struct offload_layer *l, uint32_t end)
{
	uint8_t *ip = o->head + l->net;
	struct csum c = { 0 };
	uint16_t sum;

	if (l->version == 6) {
		be16_put(ip + 4, end - l->net - IPV6_LEN);
		return;
	}
	be16_put(ip + 2, end - l->net);
	be16_put(ip + 4, l->id++);
	be16_put(ip + 10, 0);
	csum_add(&c, ip, (ip[0] & 15u) * 4);
	sum = (uint16_t)~csum_fold(&c);
	memcpy(ip + 10, &sum, sizeof(sum));
}

/* Writes what differs from piece to piece, for one of @len bytes behind the headers: lengths, ids,
 * sequence number, flags; and the IP checksums. */
static void edit_headers(struct offload *o, uint32_t len)
{
	uint8_t *l4 = o->head + o->l4;
	bool first = o->at == o->hdr;

	for (unsigned i = 0; i < o->n_layers; i++) {
		edit_ip(o, &o->layer[i], o->head_len + len);
		if (o->layer[i].proto == IPPROTO_UDP)
			be16_put(o->head + o->layer[i].l4 + 4, o->head_len + len - o->layer[i].l4);
	}
	if (o->layer[o->n_layers - 1].proto == IPPROTO_UDP)
		return;
	be32_put(l4 + 4, o->seq);
	o->seq += len;
	l4[13] = o->tcp_flags;
	if (!first)
		l4[13] &= (uint8_t)~TCP_CWR;
	if (!o->end)
		l4[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
}

/*
 * Writes the checksums of a piece with @len bytes behind the headers, whose sum is @c, from the
 * inside to the outside. No byte is added twice.
 */
static void complete_layers(struct offload *o, const struct csum *c, uint32_t len)
{
	uint16_t behind = csum_fold(c); /* the sum of all behind `done` */
	uint32_t done = o->head_len;

	for (unsigned i = o->n_layers; i--;) {
		const struct offload_layer *l = &o->layer[i];
		struct csum all = { 0 };
		uint16_t sum;

		if (l->csum)
			be16_put(o->head + l->csum, 0);
		csum_add(&all, o->head + l->l4, done - l->l4);
		csum_add(&all, (const uint8_t *)&behind, sizeof(behind));
		behind = csum_fold(&all);
		done = l->l4;
		if (!l->csum)
			continue;
		all = (struct csum){ .sum = (uint64_t)behind + l->pseudo };
		if (l->proto != IPPROTO_GRE)
			csum_add16(&all, o->head_len + len - l->l4);
		put_csum(o->head + l->csum, &all);
		memcpy(&sum, o->head + l->csum, sizeof(sum));
		all = (struct csum){ .sum = (uint64_t)behind + sum };
		behind = csum_fold(&all);
	}
}

bool offload_next(struct offload *o, struct wire *w)
{
	const struct frame *f = o->frame;
	struct csum c = { 0 };
	uint32_t len;

	if (o->end)
		return false;
	if (!o->hdr) {
		wire_build(w, f, o->tagged);
		o->end = true;
		return true;
	}
	len = f->total - o->at;
	if (o->n_layers && len > f->vnet.gso_size)
		len = f->vnet.gso_size;
	o->end = o->at + len == f->total;
	w->vnet = (struct vnet_hdr){ 0 };
	w->len = o->head_len + len;
	w->iov[0] = (struct iovec){ NULL, 0 };
	w->iov[1] = (struct iovec){ o->head, o->head_len };
	w->n_iov = 2 + frame_slice(f, o->at, len, &w->iov[2]);
	if (!o->n_layers)
		csum_add(&c, o->head + o->l4, o->head_len - o->l4);
	for (unsigned i = 2; i < w->n_iov; i++)
		csum_add(&c, w->iov[i].iov_base, w->iov[i].iov_len);
	if (o->n_layers) {
		edit_headers(o, len);
		complete_layers(o, &c, len);
	} else {
		put_csum(o->head + o->l4 + f->vnet.csum_offset, &c);
	}
	o->at += len;
	return true;
}
