/* SPDX-License-Identifier: MIT */
#include "ports/coalesce.h"

#include <netinet/in.h>
#include <string.h>

#include "ports/be.h"
#include "ports/csum.h"
#include "ports/headers.h"
#include "ports/offload.h"

#define LEAST 300u        /* shorter frames are not worth it */
#define NET FRAME_HDR_LEN /* where IP is: a frame with more tags than the one lifted is let be */
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define IPV4_FRAGMENT 0x3fffu /* the flag and the offset */
#define IPV4_LEN 20u
#define IPV6_LEN 40u
#define IP_MAX 65535u
#define TCP_MIN 20u
#define TCP_CSUM 16u
#define TCP_URGENT 18u  /* from here on: what nobody changes */
#define TCP_ENDS 0x09u  /* PSH, FIN: the last one of a super-frame may have them */
#define TCP_PLAIN 0x10u /* ACK: has to be there, and no other one */

/* What is known of one frame. */
struct segment {
	const struct frame *frame;
	uint32_t ports;        /* as they lie there */
	uint32_t l4, hdr, len; /* offsets of TCP and of the payload, bytes of that */
	uint32_t seq;
	uint16_t id;
	uint8_t flags;
	bool whole; /* the frame has all of the packet, and nothing else */
};

/* Whether @f is TCP, without options of IP, and where its parts are. */
static inline bool find(const struct frame *f, struct segment *s)
{
	const uint8_t *ip = f->data + NET, *tcp;
	uint32_t type, ip_len;

	if (f->len < NET + IPV4_LEN + TCP_MIN)
		return false;
	type = be16(ip - 2);
	if (type == ETHERTYPE_IPV4 && ip[0] == 0x45 && ip[9] == IPPROTO_TCP &&
	    !(be16(ip + 6) & IPV4_FRAGMENT)) {
		s->l4 = NET + IPV4_LEN;
		s->id = (uint16_t)be16(ip + 4);
		ip_len = be16(ip + 2);
	} else if (type == ETHERTYPE_IPV6 && ip[0] >> 4 == 6 && ip[6] == IPPROTO_TCP &&
		   f->len >= NET + IPV6_LEN + TCP_MIN) {
		s->l4 = NET + IPV6_LEN;
		s->id = 0;
		ip_len = IPV6_LEN + be16(ip + 4);
	} else {
		return false;
	}
	tcp = f->data + s->l4;
	memcpy(&s->ports, tcp, sizeof(s->ports));
	s->frame = f;
	s->seq = be32(tcp + 4);
	s->hdr = s->l4 + (tcp[12] >> 4) * 4u;
	s->len = f->total - s->hdr;
	s->flags = tcp[13];
	s->whole = s->hdr >= s->l4 + TCP_MIN && s->hdr <= f->len && NET + ip_len == f->total;
	return true;
}

/* Whether @s may begin a run: data and nothing else, for a port with @caps. */
static bool may_begin(const struct segment *s, uint32_t caps)
{
	uint32_t cap = s->l4 == NET + IPV4_LEN ? OFFLOAD_TSO4 : OFFLOAD_TSO6;

	return caps & cap && s->frame->total >= LEAST && s->whole && s->len &&
	       s->flags == TCP_PLAIN && s->hdr <= COALESCE_HEAD && !s->frame->vnet.gso_type;
}

/* Whether @s is of the flow of @r. */
static inline bool same_flow(const struct coalesce_run *r, const struct txq_entry *e,
			     const struct segment *s)
{
	const uint8_t *a = r->first->data, *b = s->frame->data;
	uint32_t addresses = s->l4 == NET + IPV4_LEN ? 8 : 32;

	return r->ports == s->ports && r->l4 == s->l4 && r->entry->tagged == e->tagged &&
	       r->entry->remote == e->remote && !memcmp(a, b, NET) &&
	       !memcmp(a + s->l4 - addresses, b + s->l4 - addresses, addresses);
}

/* Whether the headers of @s, which is of the flow of @r, are what its next one has. */
static bool continues(const struct coalesce_run *r, const struct segment *s)
{
	const struct frame *f = s->frame, *g = r->first;
	const uint8_t *a = g->data + NET, *b = f->data + NET;
	const uint8_t *t = g->data + r->l4, *u = f->data + s->l4;

	if (!r->open || !s->whole || f->vnet.gso_type || s->hdr != r->hdr || !s->len ||
	    s->len > r->size || s->seq != r->seq || (s->flags & (uint8_t)~TCP_ENDS) != TCP_PLAIN ||
	    memcmp(&f->tag, &g->tag, sizeof(f->tag)) || memcmp(&f->kept, &g->kept, sizeof(f->kept)))
		return false;
	if (memcmp(t + 8, u + 8, 5) || memcmp(t + 14, u + 14, 2) ||
	    memcmp(t + TCP_URGENT, u + TCP_URGENT, r->hdr - r->l4 - TCP_URGENT))
		return false;
	if (r->l4 == NET + IPV6_LEN)
		return !memcmp(a, b, 4) && a[7] == b[7];
	return a[0] == b[0] && a[1] == b[1] && a[6] == b[6] && a[8] == b[8] &&
	       s->id == (uint16_t)(r->id + 1); /* as they are when it is cut again */
}

/* Whether the checksums of @f, whose TCP header is at @l4, are right. */
static bool intact(const struct frame *f, uint32_t l4)
{
	const uint8_t *ip = f->data + NET;
	struct iovec iov[1 + FRAME_TAIL_MAX];
	struct csum c = { 0 };
	unsigned n;

	if (ip[0] >> 4 == 4) {
		csum_add(&c, ip, IPV4_LEN);
		if (csum_fold(&c) != UINT16_MAX)
			return false;
		c = (struct csum){ 0 };
	}
	if (f->vnet.flags & VNET_NEEDS_CSUM)
		return f->vnet.csum_start == l4 && f->vnet.csum_offset == TCP_CSUM;
	if (f->vnet.flags & VNET_DATA_VALID)
		return true;
	headers_sum_pseudo(&c, ip, IPPROTO_TCP);
	csum_add16(&c, f->total - l4);
	n = frame_slice(f, l4, f->total - l4, iov);
	for (unsigned i = 0; i < n; i++)
		csum_add(&c, iov[i].iov_base, iov[i].iov_len);
	return csum_fold(&c) == UINT16_MAX;
}

/* Makes a super-frame of the one frame of @r. */
static void begin_super(struct coalesce *c, struct coalesce_run *r)
{
	const struct frame *f = r->first;
	struct iovec *tail = c->tail[c->n_super];
	struct frame *super = &c->super[c->n_super];

	memcpy(c->head[c->n_super], f->data, r->hdr);
	*super = *f;
	super->data = c->head[c->n_super++];
	super->len = r->hdr;
	super->tail = tail;
	super->n_tail = (uint16_t)frame_slice(f, r->hdr, f->total - r->hdr, tail);
	r->super = super;
	r->entry->frame = super;
}

/* Appends @s to @r. Returns false, and nothing has changed, when that cannot be. */
static bool append(struct coalesce *c, struct coalesce_run *r, const struct segment *s)
{
	const struct frame *have = r->super ? r->super : r->first;
	struct iovec iov[1 + FRAME_TAIL_MAX];
	unsigned n = frame_slice(s->frame, s->hdr, s->len, iov);
	struct frame *super;

	if (have->n_tail + (have == r->first) + n > FRAME_TAIL_MAX ||
	    have->total + s->len > NET + IP_MAX || !intact(s->frame, s->l4) ||
	    (have == r->first && !intact(have, r->l4)))
		return false;
	if (!r->super)
		begin_super(c, r);
	super = r->super;
	memcpy(c->tail[super - c->super] + super->n_tail, iov, n * sizeof(*iov));
	super->n_tail = (uint16_t)(super->n_tail + n);
	super->total += s->len;
	super->data[r->l4 + 13] |= s->flags;
	r->entry->more++;
	r->seq += s->len;
	r->id = s->id;
	r->open = !(s->flags & TCP_ENDS) && s->len == r->size;
	return true;
}

/* Writes the lengths, checksums and requests of a super-frame. */
static void finish(struct coalesce_run *r)
{
	struct frame *f = r->super;
	uint8_t *ip = f->data + NET;
	struct csum c = { 0 };
	uint16_t sum;

	if (ip[0] >> 4 == 4) {
		be16_put(ip + 2, f->total - NET);
		be16_put(ip + 10, 0);
		csum_add(&c, ip, IPV4_LEN);
		sum = (uint16_t)~csum_fold(&c);
		memcpy(ip + 10, &sum, sizeof(sum));
		c = (struct csum){ 0 };
	} else {
		be16_put(ip + 4, f->total - NET - IPV6_LEN);
	}
	headers_sum_pseudo(&c, ip, IPPROTO_TCP);
	csum_add16(&c, f->total - r->l4);
	sum = csum_fold(&c);
	memcpy(f->data + r->l4 + TCP_CSUM, &sum, sizeof(sum));
	f->vnet = (struct vnet_hdr){
		.flags = VNET_NEEDS_CSUM,
		.gso_type = ip[0] >> 4 == 4 ? VNET_GSO_TCPV4 : VNET_GSO_TCPV6,
		.hdr_len = (uint16_t)r->hdr,
		.gso_size = (uint16_t)r->size,
		.csum_start = (uint16_t)r->l4,
		.csum_offset = TCP_CSUM,
	};
}

/* Ends run @i, and forgets it. */
static void end(struct coalesce *c, unsigned i)
{
	if (c->run[i].super)
		finish(&c->run[i]);
	c->run[i] = c->run[--c->n_run];
}

/* Has @e, at its place in the queue, begin a run. */
static void begin(struct coalesce *c, struct txq_entry *e, const struct segment *s)
{
	if (c->n_run == COALESCE_RUNS)
		end(c, 0);
	c->run[c->n_run++] = (struct coalesce_run){
		.entry = e,
		.first = s->frame,
		.ports = s->ports,
		.l4 = s->l4,
		.hdr = s->hdr,
		.seq = s->seq + s->len,
		.size = s->len,
		.id = s->id,
		.open = true,
	};
}

void coalesce_queue(struct coalesce *c, struct txq *q, uint32_t caps)
{
	unsigned kept = 0;

	while (kept < q->n && q->entry[kept].frame->total < LEAST)
		kept++;
	c->n_run = c->n_super = 0;
	for (unsigned i = kept; i < q->n; i++) {
		struct txq_entry *e = &q->entry[i];
		struct segment s;
		unsigned k = 0;

		if ((e->frame->total < LEAST && !c->n_run) || !find(e->frame, &s)) {
			q->entry[kept++] = *e;
			continue;
		}
		while (k < c->n_run && !same_flow(&c->run[k], e, &s))
			k++;
		if (k < c->n_run) {
			if (continues(&c->run[k], &s) && append(c, &c->run[k], &s))
				continue;
			end(c, k);
		}
		q->entry[kept] = *e;
		if (may_begin(&s, caps))
			begin(c, &q->entry[kept], &s);
		kept++;
	}
	q->n = kept;
	while (c->n_run)
		end(c, c->n_run - 1);
}
