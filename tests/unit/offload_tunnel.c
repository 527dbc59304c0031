/* SPDX-License-Identifier: MIT */
/*
 * offload of what is in tunnels: super-frames and half checksums inside VXLAN, Geneve, GRE and IP
 * in IP, cut, and then taken apart layer by layer.
 */
#include "ports/offload.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/bytes.h"
#include "tests/unit/suite.h"

#define MSS 1398u
#define TCP 6
#define UDP 17
#define GRE 47
#define IPIP 4
#define IP6 41

#define MACS "\2\0\0\0\0\3\2\0\0\0\0\4"
#define VXLAN "\x08\0\0\0\0\0\x2a\0"

/* An IP header and what is behind it, up to the next IP header or to the payload. */
struct layer {
	int version, proto;
	bool csum; /* of a tunnel: it has one */
	const char *gap;
	uint32_t gap_len; /* header behind UDP's, or the whole of GRE's; and an Ethernet header */
	uint32_t options; /* bytes of IP options or extension headers */
	/* filled in by build() */
	uint32_t net, l4;
};

struct shape {
	const char *name;
	unsigned n;
	struct layer layer[4]; /* the last one is the TCP or UDP that asks for something */
	uint32_t payload, total;
};

/* A tunnel: version, protocol, whether it has a checksum, what is behind IP and UDP, IP options. */
#define OUTSIDE(v, p, c, bytes, o)                                                               \
	{                                                                                        \
		.version = v, .proto = p, .csum = c, .gap = bytes, .gap_len = sizeof(bytes) - 1, \
		.options = o                                                                     \
	}
#define INSIDE(v, p, o)                                \
	{                                              \
		.version = v, .proto = p, .options = o \
	}
#define SHAPE(text, count, ...)                                    \
	{                                                          \
		.name = text, .n = count, .layer = { __VA_ARGS__ } \
	}

static const struct shape shapes[] = {
	SHAPE("vxlan", 2, OUTSIDE(4, UDP, false, VXLAN MACS "\x08\0", 0), INSIDE(4, TCP, 0)),
	SHAPE("vxlan, checksum", 2, OUTSIDE(4, UDP, true, VXLAN MACS "\x08\0", 0),
	      INSIDE(4, TCP, 0)),
	SHAPE("vxlan6 in 4", 2, OUTSIDE(4, UDP, true, VXLAN MACS "\x86\xdd", 0), INSIDE(6, TCP, 0)),
	SHAPE("vxlan over 6", 2, OUTSIDE(6, UDP, true, VXLAN MACS "\x08\0", 0), INSIDE(4, TCP, 0)),
	SHAPE("vxlan over 6 without", 2, OUTSIDE(6, UDP, false, VXLAN MACS "\x86\xdd", 0),
	      INSIDE(6, TCP, 0)),
	SHAPE("vxlan, a tag inside", 2, OUTSIDE(4, UDP, true, VXLAN MACS "\x81\0\0\5\x08\0", 0),
	      INSIDE(4, TCP, 0)),
	SHAPE("vxlan, datagrams", 2, OUTSIDE(4, UDP, true, VXLAN MACS "\x86\xdd", 0),
	      INSIDE(6, UDP, 0)),
	SHAPE("vxlan, options", 2, OUTSIDE(4, UDP, true, VXLAN MACS "\x86\xdd", 8),
	      INSIDE(6, TCP, 24)),
	SHAPE("geneve, options", 2,
	      OUTSIDE(6, UDP, true, "\2\0\x65\x58\0\0\x2a\0optsopts" MACS "\x08\0", 8),
	      INSIDE(4, UDP, 8)),
	SHAPE("fou", 2, OUTSIDE(4, UDP, true, "", 0), INSIDE(4, TCP, 0)),
	SHAPE("an odd header", 2, OUTSIDE(4, UDP, true, "\1\2\3", 0), INSIDE(6, TCP, 0)),
	SHAPE("ipip", 2, OUTSIDE(4, IPIP, false, "", 0), INSIDE(4, TCP, 0)),
	SHAPE("sit", 2, OUTSIDE(4, IP6, false, "", 0), INSIDE(6, TCP, 0)),
	SHAPE("4 in 6", 2, OUTSIDE(6, IPIP, false, "", 0), INSIDE(4, UDP, 0)),
	SHAPE("gre", 2, OUTSIDE(4, GRE, false, "\0\0\x08\0", 0), INSIDE(4, TCP, 0)),
	SHAPE("gre, key and checksum", 2,
	      OUTSIDE(4, GRE, true, "\xa0\0\x86\xdd\0\0\0\0\0\0\0\7", 0), INSIDE(6, TCP, 0)),
	SHAPE("gretap", 2, OUTSIDE(6, GRE, false, "\x20\0\x65\x58\0\0\0\7" MACS "\x08\0", 0),
	      INSIDE(4, TCP, 0)),
	SHAPE("vxlan in vxlan", 3, OUTSIDE(4, UDP, true, VXLAN MACS "\x08\0", 0),
	      OUTSIDE(4, UDP, true, VXLAN MACS "\x86\xdd", 0), INSIDE(6, TCP, 0)),
	SHAPE("gre in vxlan", 3, OUTSIDE(6, UDP, false, VXLAN MACS "\x08\0", 0),
	      OUTSIDE(4, GRE, true, "\x80\0\x08\0\0\0\0\0", 0), INSIDE(4, UDP, 0)),
};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static uint8_t bytes[FRAME_MAX + 64], piece[FRAME_MAX + 64], payload_out[FRAME_MAX];
static struct iovec tail[FRAME_TAIL_MAX];

/* Writes the IP header of @l, without its length. Returns where the next one begins. */
static uint32_t put_ip(struct layer *l, uint32_t at)
{
	uint8_t *ip = bytes + at;

	l->net = at;
	l->l4 = at + (l->version == 4 ? 20 : 40) + l->options;
	if (l->version == 4) {
		memset(ip, 0, 12);
		ip[0] = (uint8_t)(0x45 + l->options / 4);
		put(ip + 4, 0xfff0 + at, 2);
		put(ip + 6, 0x4000, 2);
		ip[9] = (uint8_t)l->proto;
	} else {
		memset(ip, 0, 8);
		ip[0] = 0x60;
		ip[6] = (uint8_t)(l->options ? 60 : l->proto);
		if (l->options) {
			ip[40] = (uint8_t)l->proto;
			ip[41] = (uint8_t)(l->options / 8 - 1);
		}
	}
	return l->l4;
}

/* Offset of the checksum in the header behind @l's IP header. */
static uint32_t csum_at(const struct layer *l)
{
	return l->l4 + (l->proto == TCP ? 16 : l->proto == UDP ? 6 : 4);
}

/* Writes the lengths of a frame that ends at @end, and of its IPv4 headers the checksums. */
static void put_lengths(const struct shape *s, uint32_t end)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct layer *l = &s->layer[i];
		uint8_t *ip = bytes + l->net;

		put(ip + (l->version == 4 ? 2 : 4), end - l->net - (l->version == 4 ? 0 : 40), 2);
		if (l->version == 4)
			put(ip + 10, ~sum(0, ip, l->l4 - l->net), 2);
		if (l->proto == UDP)
			put(bytes + l->l4 + 4, end - l->l4, 2);
	}
}

/* What the sum of all from l4 to @end has to be when the checksum there is complete. */
static uint32_t full_sum(const uint8_t *p, const struct layer *l, uint32_t end)
{
	uint32_t start = l->proto == GRE ? 0 : pseudo(p + l->net, l->proto, end - l->l4);

	return sum(start, p + l->l4, end - l->l4);
}

/*
 * Builds @s with @len bytes of payload as a kernel hands it out: super-frames (@gso) with sums of
 * pseudo-headers only, others with all of the tunnel's checksums complete as if the inner one was.
 */
static struct frame build(struct shape *s, uint32_t len, bool gso)
{
	struct layer *last = &s->layer[s->n - 1];
	uint32_t at = 14;
	struct frame f;

	for (uint32_t i = 0; i < len + 512 && i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	put(bytes + 12, s->layer[0].version == 4 ? 0x0800 : 0x86dd, 2);
	for (unsigned i = 0; i + 1 < s->n; i++) {
		at = put_ip(&s->layer[i], at);
		if (s->layer[i].proto == UDP)
			at += 8;
		memcpy(bytes + at, s->layer[i].gap, s->layer[i].gap_len);
		at += s->layer[i].gap_len;
	}
	at = put_ip(last, at);
	s->payload = at + (last->proto == UDP ? 8 : 32);
	s->total = s->payload + len;
	if (last->proto == TCP) {
		put(bytes + at + 4, 0xfffff000, 4);
		put(bytes + at + 12, 0x8099, 2); /* CWR ACK PSH FIN */
	}
	put_lengths(s, s->total);
	for (unsigned i = s->n; i--;) {
		const struct layer *l = &s->layer[i];
		uint8_t *field = bytes + csum_at(l);

		if (l != last && (l->proto == UDP || (l->proto == GRE && l->csum)))
			put(field, 0, 2);
		if (l == last && gso)
			put(field, pseudo(bytes + l->net, l->proto, s->total - l->l4), 2);
		if (l == last && !gso) {
			put(field, 0, 2);
			put(field, ~full_sum(bytes, l, s->total), 2);
		}
		if (l != last && l->csum && !gso)
			put(field, ~full_sum(bytes, l, s->total), 2);
		if (l != last && l->csum && gso && l->proto == UDP)
			put(field, pseudo(bytes + l->net, UDP, s->total - l->l4), 2);
	}
	if (!gso)
		put(bytes + csum_at(last),
		    pseudo(bytes + last->net, last->proto, s->total - last->l4), 2);
	f = (struct frame){ .data = bytes, .len = s->total, .total = s->total };
	f.vnet.flags = VNET_NEEDS_CSUM;
	f.vnet.csum_start = (uint16_t)last->l4;
	f.vnet.csum_offset = (uint16_t)(csum_at(last) - last->l4);
	if (gso) {
		f.vnet.gso_type = (uint8_t)(last->proto == UDP   ? VNET_GSO_UDP_L4
					    : last->version == 4 ? VNET_GSO_TCPV4
								 : VNET_GSO_TCPV6);
		f.vnet.gso_size = MSS;
	}
	return f;
}

/* Leaves 128 bytes of @f in the head. */
static void split(struct frame *f)
{
	uint32_t at = 128, step = (f->total - at) / 17 | 1;

	f->len = at;
	f->tail = tail;
	for (f->n_tail = 0; at < f->total; at += (uint32_t)tail[f->n_tail++].iov_len)
		tail[f->n_tail] =
			(struct iovec){ bytes + at, step < f->total - at ? step : f->total - at };
	ck_assert_uint_le(f->n_tail, FRAME_TAIL_MAX);
}

/* Checks the @n-th piece, of @len bytes in @piece, which has @tags bytes of tags. */
static uint32_t check_piece(const struct shape *s, uint32_t tags, uint32_t len, unsigned n,
			    uint32_t done, bool gso)
{
	const uint8_t *p = piece + tags, *l4 = p + s->layer[s->n - 1].l4;
	uint32_t data = len - tags - s->payload;

	need(!memcmp(p + 12, bytes + 12, 2));
	for (unsigned i = 0; i < s->n; i++) {
		const struct layer *l = &s->layer[i];
		const uint8_t *ip = p + l->net;
		uint32_t end = l->l4 + (l->proto == UDP ? 8 : 0), fixed = l->proto == GRE ? 8 : 0;

		if (l->version == 4) {
			need(get(ip + 2, 2) == len - tags - l->net);
			need(get(ip + 4, 2) == ((0xfff0 + l->net + n) & 0xffff));
			need(sum(0, ip, l->l4 - l->net) == 0xffff);
		} else {
			need(get(ip + 4, 2) == len - tags - l->net - 40);
		}
		if (l->proto == UDP)
			need(get(p + l->l4 + 4, 2) == len - tags - l->l4);
		if (l->csum || i + 1 == s->n)
			need(full_sum(p, l, len - tags) == 0xffff);
		else if (l->proto == UDP)
			need(!get(p + csum_at(l), 2));
		if (i + 1 < s->n && l->gap_len > fixed)
			need(!memcmp(p + end + fixed, l->gap + fixed, l->gap_len - fixed));
	}
	if (s->layer[s->n - 1].proto == TCP) {
		need(get(l4 + 4, 4) == 0xfffff000 + done);
		need(l4[13] ==
		     (0x10 | (n ? 0 : 0x80) | (done + data == s->total - s->payload ? 9 : 0)));
	}
	need(!gso || data <= MSS);
	memcpy(payload_out + done, p + s->payload, data);
	return done + data;
}

static void send_and_check(const struct shape *s, const struct frame *f, bool tagged, bool gso,
			   uint32_t caps)
{
	uint32_t tags = frame_wire_len(f, tagged) - f->total, done = 0;
	struct offload o;
	struct wire w;
	unsigned n;

	ck_assert_int_eq(offload_begin(&o, f, tagged, caps), DROP_NONE);
	for (n = 0; offload_next(&o, &w); n++)
		done = check_piece(s, tags, flatten(&w, piece), n, done, gso);
	need(done == s->total - s->payload);
	need(!memcmp(payload_out, bytes + s->payload, done));
	need(n == (gso ? (done + MSS - 1) / MSS : 1));
}

/* No port is given a super-frame in a tunnel; all of its layers are right in each piece. */
START_TEST(super_frames)
{
	static const uint32_t sizes[] = { MSS - 1, MSS + 1, 3 * MSS, 9001, 65000 };
	struct shape s = shapes[_i];

	for (unsigned bits = 0; bits < 8; bits++) {
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct frame f = build(&s, sizes[i], true);

			if (bits & 4)
				split(&f);
			ck_assert_int_eq(offload_check(&f), DROP_NONE);
			ck_assert(!offload_fits(&f, OFFLOAD_ALL));
			ck_assert_uint_eq(f.vnet.hdr_len, s.payload);
			if (bits & 1)
				f.kept = (struct vtag){ TPID_8021AD, 0x6064 };
			if (bits & 2)
				f.tag = (struct vtag){ TPID_8021Q, 0x200a };
			send_and_check(&s, &f, bits & 2, true, OFFLOAD_ALL);
			send_and_check(&s, &f, bits & 2, true, 0);
		}
	}
}
END_TEST

/* A half checksum in a tunnel: with it the tunnel's own, which was made for that, is right. */
START_TEST(half_checksums)
{
	struct shape s = shapes[_i];

	for (uint32_t len = 0; len < 40; len++) {
		struct frame f = build(&s, len, false);

		ck_assert_int_eq(offload_check(&f), DROP_NONE);
		ck_assert(offload_fits(&f, OFFLOAD_CSUM));
		f.tag = (struct vtag){ TPID_8021Q, 0x200a };
		send_and_check(&s, &f, len & 1, false, 0);
	}
}
END_TEST

/* Changes of one byte of a VXLAN frame (1) or one in GRE (14) that make it one we cannot cut. */
static const struct {
	unsigned shape;
	int layer; /* whose IP header the offset counts from; its l4 if negative */
	uint32_t offset;
	uint8_t value;
} uncut[] = {
	{ 1, 0, 9, 50 },     /* ESP */
	{ 1, 0, 6, 0x20 },   /* a fragment */
	{ 1, 1, 6, 0x20 },   /* inside */
	{ 1, 1, 0, 0x75 },   /* neither 4 nor 6 inside */
	{ 1, 1, 0, 0x46 },   /* options that reach into TCP */
	{ 1, 1, 3, 0x01 },   /* the length inside is not what is left */
	{ 1, 1, 11, 0x00 },  /* its checksum */
	{ 1, 1, 9, UDP },    /* not what gso_type says */
	{ 14, -1, 0, 0x10 }, /* sequence numbers */
	{ 14, -1, 0, 0x40 }, /* a route */
	{ 14, -1, 0, 0x80 }, /* a checksum where the IP header is */
	{ 14, -1, 1, 0x01 }, /* PPTP */
	{ 3, 0, 6, 58 },     /* ICMPv6 */
};

START_TEST(refusals)
{
	struct shape s = shapes[uncut[_i].shape];
	struct frame f = build(&s, 9000, true);
	int layer = uncut[_i].layer;
	struct offload o;

	bytes[(layer < 0 ? s.layer[0].l4 : s.layer[layer].net) + uncut[_i].offset] =
		uncut[_i].value;
	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	ck_assert_int_eq(offload_begin(&o, &f, false, OFFLOAD_ALL), DROP_OFFLOAD);
}
END_TEST

/* Three tunnels in each other are one too many; TCP in TCP is none. */
START_TEST(too_deep)
{
	struct shape s =
		SHAPE("", 4, OUTSIDE(4, IPIP, false, "", 0), OUTSIDE(4, IPIP, false, "", 0),
		      OUTSIDE(4, IPIP, false, "", 0), INSIDE(4, TCP, 0));
	struct frame f = build(&s, 9000, true);
	struct offload o;

	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	ck_assert_int_eq(offload_begin(&o, &f, false, OFFLOAD_ALL), DROP_OFFLOAD);
	f = build(&s, 9000, true);
	bytes[14 + 9] = TCP;
	ck_assert_int_eq(offload_check(&f), DROP_VNET);
}
END_TEST

/* The mark is ours: nobody may hand it in. */
START_TEST(mark_from_outside)
{
	static const uint8_t types[] = { VNET_GSO_TCPV4, VNET_GSO_TCPV6, VNET_GSO_UDP_L4, 0 };
	struct shape s = shapes[0];

	for (unsigned i = 0; i < 4; i++) {
		struct frame f = build(&s, 9000, true);

		f.vnet.gso_type = types[i] | OFFLOAD_GSO_TUNNEL;
		ck_assert_int_eq(offload_check(&f), DROP_VNET);
	}
}
END_TEST

/* Any byte changed: what passes is cut within its bounds (ASan watches). */
START_TEST(random_changes)
{
	uint32_t seed = 1;

	for (unsigned i = 0; i < 100000; i++) {
		struct shape s = shapes[i % N_SHAPES];
		struct frame f = build(&s, 3000, true);
		struct offload o;
		struct wire w;
		uint8_t *heap;

		for (unsigned j = 0; j < 1 + i % 3; j++) {
			seed = seed * 1664525 + 1013904223;
			bytes[12 + (seed >> 8) % (s.payload - 12)] ^= (uint8_t)(1u << (seed >> 29));
		}
		if (i % 5 == 0)
			f.vnet.csum_start = (uint16_t)(34 + (seed >> 16) % 200);
		f.len = f.total = i % 7 ? f.total : 34 + (seed >> 12) % 300;
		heap = malloc(f.total);
		f.data = memcpy(heap, bytes, f.total);
		if (!offload_check(&f) && !offload_begin(&o, &f, false, 0))
			for (uint32_t total = 0; offload_next(&o, &w); total += w.len)
				need(w.len <= f.total);
		free(heap);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("offload_tunnel");
	TCase *t = tcase_create("offload_tunnel");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, super_frames, 0, N_SHAPES);
	tcase_add_loop_test(t, half_checksums, 0, N_SHAPES);
	tcase_add_loop_test(t, refusals, 0, sizeof(uncut) / sizeof(uncut[0]));
	tcase_add_test(t, too_deep);
	tcase_add_test(t, mark_from_outside);
	tcase_add_test(t, random_changes);
	return suite_run(s);
}
