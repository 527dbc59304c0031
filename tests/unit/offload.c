/* SPDX-License-Identifier: MIT */
/*
 * offload: every combination of request, tags, capabilities and size is taken apart again by a
 * parser and a checksum of the test's own; the payload must come out as it went in.
 */
#include "ports/offload.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ports/csum.h"
#include "ports/headers.h"
#include "tests/unit/bytes.h"
#include "tests/unit/suite.h"

#define MSS 1448u
#define TCP 6
#define UDP 17

/* What a frame asks for. */
struct kind {
	const char *name;
	int version, proto;
	uint8_t flags, gso_type;
};

static const struct kind kinds[] = {
	{ "plain tcp4", 4, TCP, 0, 0 },
	{ "plain udp6", 6, UDP, 0, 0 },
	{ "csum tcp4", 4, TCP, VNET_NEEDS_CSUM, 0 },
	{ "csum udp4", 4, UDP, VNET_NEEDS_CSUM, 0 },
	{ "csum tcp6", 6, TCP, VNET_NEEDS_CSUM, 0 },
	{ "csum udp6", 6, UDP, VNET_NEEDS_CSUM, 0 },
	{ "tso4", 4, TCP, VNET_NEEDS_CSUM, VNET_GSO_TCPV4 },
	{ "tso6", 6, TCP, VNET_NEEDS_CSUM, VNET_GSO_TCPV6 },
	{ "tso4 ecn", 4, TCP, VNET_NEEDS_CSUM, VNET_GSO_TCPV4 | VNET_GSO_ECN },
	{ "tso6 ecn", 6, TCP, VNET_NEEDS_CSUM, VNET_GSO_TCPV6 | VNET_GSO_ECN },
	{ "tso4 without csum", 4, TCP, 0, VNET_GSO_TCPV4 },
	{ "tso6 without csum", 6, TCP, VNET_DATA_VALID, VNET_GSO_TCPV6 },
	{ "uso4", 4, UDP, VNET_NEEDS_CSUM, VNET_GSO_UDP_L4 },
	{ "uso6", 6, UDP, VNET_NEEDS_CSUM, VNET_GSO_UDP_L4 },
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const uint32_t sizes[] = { 0, 1, 2, 27, MSS - 1, MSS, MSS + 1, 2 * MSS, 9001, 65000 };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static uint8_t bytes[FRAME_MAX + 64], piece[FRAME_MAX + 64], payload_out[FRAME_MAX];
static struct iovec tail[FRAME_TAIL_MAX];

/* Where the parts of the built frame are. */
struct shape {
	uint32_t net, l4, payload, total;
};

/* Builds a frame of @k with @len bytes of payload in @bytes; @inner: a tag that stays in; @options:
 * IP and TCP options. */
static struct shape build(const struct kind *k, uint32_t len, bool inner, bool options)
{
	struct shape s = { .net = 14 };
	uint32_t type = k->version == 4 ? 0x0800 : 0x86dd;
	uint8_t *ip, *l4;

	for (uint32_t i = 0; i < len + 512 && i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	if (inner) {
		put(bytes + 12, 0x8100, 2);
		put(bytes + 14, 0x6005, 2);
		s.net += 4;
	}
	put(bytes + s.net - 2, type, 2);
	ip = bytes + s.net;
	if (k->version == 4) {
		s.l4 = s.net + (options ? 28 : 20);
		ip[0] = (uint8_t)(0x40 | (s.l4 - s.net) / 4);
		put(ip + 4, 0xfffe, 2);
		put(ip + 6, 0x4000, 2);
		ip[9] = (uint8_t)k->proto;
	} else {
		s.l4 = s.net + (options ? 40 + 8 + 24 : 40);
		ip[0] = 0x60;
		ip[6] = options ? 0 : (uint8_t)k->proto;
		if (options) {
			ip[40] = 60; /* hop-by-hop of 8 bytes, then destination options of 24 */
			ip[41] = 0;
			ip[48] = (uint8_t)k->proto;
			ip[49] = 2;
		}
	}
	l4 = bytes + s.l4;
	s.payload = s.l4 + (k->proto == UDP ? 8 : options ? 32 : 20);
	s.total = s.payload + len;
	if (k->version == 4) {
		put(ip + 2, (s.total - s.net) & 0xffff, 2);
		put(ip + 10, 0, 2);
		put(ip + 10, ~sum(0, ip, s.l4 - s.net), 2);
	} else {
		put(ip + 4, (s.total - s.net - 40) & 0xffff, 2);
	}
	if (k->proto == TCP) {
		put(l4 + 4, 0xfffff000, 4); /* wraps */
		l4[12] = (uint8_t)((s.payload - s.l4) / 4 << 4);
		l4[13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
		put(l4 + 16, k->flags & VNET_NEEDS_CSUM ? pseudo(ip, TCP, s.total - s.l4) : 0, 2);
	} else {
		put(l4 + 4, s.total - s.l4, 2);
		put(l4 + 6, k->flags & VNET_NEEDS_CSUM ? pseudo(ip, UDP, s.total - s.l4) : 0, 2);
	}
	if (!k->flags && !k->gso_type)
		put(l4 + (k->proto == TCP ? 16 : 6),
		    ~sum(pseudo(ip, k->proto, s.total - s.l4), l4, s.total - s.l4), 2);
	return s;
}

/* Makes a frame of the bytes; @split: only 128 bytes are the head, the rest is in many pieces. */
static struct frame wrap(const struct kind *k, const struct shape *s, bool split)
{
	struct frame f = { .data = bytes, .len = s->total, .total = s->total };
	uint32_t at = 128, step;

	f.vnet.flags = k->flags;
	f.vnet.gso_type = k->gso_type;
	f.vnet.gso_size = k->gso_type ? MSS : 0;
	f.vnet.hdr_len = (uint16_t)s->total; /* only a hint */
	if (k->flags & VNET_NEEDS_CSUM) {
		f.vnet.csum_start = (uint16_t)s->l4;
		f.vnet.csum_offset = k->proto == TCP ? 16 : 6;
	}
	if (!split || s->total <= 256)
		return f;
	f.len = at;
	f.tail = tail;
	step = (s->total - at) / 17 | 1;
	while (at < s->total) {
		uint32_t len = step < s->total - at ? step : s->total - at;

		tail[f.n_tail++] = (struct iovec){ bytes + at, len };
		at += len;
	}
	ck_assert_uint_le(f.n_tail, FRAME_TAIL_MAX);
	return f;
}

/* Checks one complete frame of @len bytes in @piece, the @n-th, and appends its payload. Returns
 * the bytes so far. */
static uint32_t check_piece(const struct kind *k, const struct shape *s, uint32_t tags,
			    uint32_t len, unsigned n, uint32_t done, bool last)
{
	const uint8_t *ip = piece + s->net + tags, *l4 = piece + s->l4 + tags;
	uint32_t l4_len = len - s->l4 - tags, data = len - s->payload - tags;

	need(!memcmp(piece, bytes, 12));
	need(!memcmp(piece + 12 + tags, bytes + 12, s->net - 12));
	if (k->version == 4) {
		need(get(ip + 2, 2) == len - s->net - tags);
		need(get(ip + 4, 2) == ((0xfffe + n) & 0xffff));
		need(sum(0, ip, s->l4 - s->net) == 0xffff);
		need(!memcmp(ip + 12, bytes + s->net + 12, s->l4 - s->net - 12));
	} else {
		need(get(ip + 4, 2) == len - s->net - tags - 40);
		need(!memcmp(ip + 6, bytes + s->net + 6, s->l4 - s->net - 6));
	}
	need(sum(pseudo(ip, k->proto, l4_len), l4, l4_len) == 0xffff);
	if (k->proto == TCP) {
		need(get(l4 + 4, 4) == 0xfffff000 + done);
		need(l4[13] == (0x10 | (n ? 0 : 0x80) | (last ? 0x09 : 0)));
		need(!memcmp(l4 + 20, bytes + s->l4 + 20, s->payload - s->l4 - 20));
	} else {
		need(get(l4 + 4, 2) == l4_len);
		need(get(l4 + 6, 2) != 0);
	}
	memcpy(payload_out + done, piece + s->payload + tags, data);
	return done + data;
}

/* Sends @f and checks everything that comes out. */
static void send_and_check(const struct kind *k, const struct shape *s, const struct frame *f,
			   bool tagged, uint32_t caps)
{
	static const uint8_t tag[] = { 0x81, 0x00, 0x20, 0x0a },
			     kept[] = { 0x88, 0xa8, 0x60, 0x64 };
	static const struct vnet_hdr none;
	uint32_t tags = frame_wire_len(f, tagged) - f->total, done = 0, len;
	bool fits = offload_fits(f, caps);
	struct offload o;
	struct wire w;
	unsigned n;

	need(offload_begin(&o, f, tagged, caps) == DROP_NONE);
	for (n = 0; offload_next(&o, &w); n++) {
		len = flatten(&w, piece);
		if (tagged)
			need(!memcmp(piece + 12, tag, 4));
		if (f->kept.tpid)
			need(!memcmp(piece + 12 + tags - 4, kept, 4));
		if (fits) {
			need(!memcmp(piece + 12 + tags, bytes + 12, s->total - 12));
			need(w.vnet.flags == f->vnet.flags);
			need(w.vnet.gso_type == f->vnet.gso_type);
			if (f->vnet.flags & VNET_NEEDS_CSUM)
				need(w.vnet.csum_start == s->l4 + tags);
			if (f->vnet.gso_type)
				need(w.vnet.hdr_len == s->payload + tags);
			continue;
		}
		need(!memcmp(&w.vnet, &none, sizeof(none)));
		need(len <= (s->payload + tags + (f->vnet.gso_type ? MSS : s->total)));
		done = check_piece(k, s, tags, len, n, done,
				   done + len - s->payload - tags == s->total - s->payload);
	}
	need(!offload_next(&o, &w));
	if (fits || !f->vnet.gso_type)
		need(n == 1);
	else
		need(n == (s->total - s->payload + MSS - 1) / MSS);
	if (!fits) {
		need(done == s->total - s->payload);
		need(!memcmp(payload_out, bytes + s->payload, done));
	}
}

/* One kind (_i) with everything else. Bits: 1 = kept, 2 = tagged, 4 = inner tag, 8 = options, 16 =
 * split. */
START_TEST(everything)
{
	static const uint32_t caps[] = {
		0,
		OFFLOAD_CSUM,
		OFFLOAD_ALL,
		OFFLOAD_ALL & ~OFFLOAD_CSUM,
		OFFLOAD_ALL & ~OFFLOAD_TSO4,
		OFFLOAD_ALL & ~OFFLOAD_TSO6,
		OFFLOAD_ALL & ~OFFLOAD_ECN,
		OFFLOAD_ALL & ~OFFLOAD_USO,
	};
	const struct kind *k = &kinds[_i];

	for (unsigned bits = 0; bits < 32; bits++) {
		for (unsigned i = 0; i < N_SIZES; i++) {
			struct shape s = build(k, sizes[i], bits & 4, bits & 8);
			struct frame f = wrap(k, &s, bits & 16);

			if (sizes[i] > 10000 && bits % 5) /* long ones take their time */
				continue;
			ck_assert_int_eq(offload_check(&f), DROP_NONE);
			ck_assert_int_eq(f.vnet.gso_type != 0, k->gso_type && sizes[i] > MSS);
			if (bits & 1)
				f.kept = (struct vtag){ TPID_8021AD, 0x6064 };
			if (bits & 2)
				f.tag = (struct vtag){ TPID_8021Q, 0x200a };
			for (unsigned c = 0; c < sizeof(caps) / sizeof(caps[0]); c++)
				send_and_check(k, &s, &f, bits & 2, caps[c]);
		}
	}
}
END_TEST

/* hdr_len is a hint: whatever it says, a valid frame passes and hdr_len becomes exact. */
START_TEST(hdr_len_is_a_hint)
{
	static const uint16_t said[] = { 0, 14, 54, 65535 };

	for (unsigned i = 0; i < 4; i++) {
		struct shape s = build(&kinds[6], 9000, false, true);
		struct frame f = wrap(&kinds[6], &s, false);

		f.vnet.hdr_len = said[i];
		ck_assert_int_eq(offload_check(&f), DROP_NONE);
		ck_assert_uint_eq(f.vnet.hdr_len, s.payload);
	}
}
END_TEST

/* A frame without requests passes whatever it is, with its header made clean. */
START_TEST(no_request)
{
	struct frame f = { .data = bytes, .len = 14, .total = 14 };

	memset(bytes, 0xff, 14);
	f.vnet = (struct vnet_hdr){ 0xfe, 0, 0xffff, 0xffff, 0xffff, 0xffff };
	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	ck_assert_uint_eq(f.vnet.flags, VNET_DATA_VALID);
	ck_assert_uint_eq(f.vnet.hdr_len | f.vnet.gso_size | f.vnet.csum_start | f.vnet.csum_offset,
			  0);
}
END_TEST

/*
 * Requests that must be refused, as changes to a valid TSO4 (0), USO4 (1), partial TCP4 (2) or
 * partial UDP6 (3) frame of 9000 bytes.
 */
static const struct {
	unsigned base;
	int flags, gso_type, gso_size, start, offset, byte, value; /* -1 = as it is */
} refused[] = {
	{ 0, -1, 2, -1, -1, -1, -1, 0 }, /* unknown types */
	{ 0, -1, 3, -1, -1, -1, -1, 0 },
	{ 0, -1, 0x80, -1, -1, -1, -1, 0 },
	{ 0, -1, 0x41, -1, -1, -1, -1, 0 },
	{ 1, -1, 0x85, -1, -1, -1, -1, 0 }, /* ECN of UDP */
	{ 0, -1, -1, 0, -1, -1, -1, 0 },
	{ 0, -1, -1, 0xffff, -1, -1, -1, 0 },
	{ 0, -1, 4, -1, -1, -1, -1, 0 },     /* says v6, is v4 */
	{ 0, -1, 5, -1, -1, 6, -1, 0 },      /* says UDP, is TCP */
	{ 1, 0, -1, -1, -1, -1, -1, 0 },     /* USO without a checksum */
	{ 1, -1, -1, 60, -1, -1, -1, 0 },    /* 150 segments */
	{ 0, 0, 4, -1, -1, -1, -1, 0 },      /* probed: says v6, is v4 */
	{ 0, 0, 1, -1, -1, -1, 23, UDP },    /* probed: not TCP */
	{ 0, -1, -1, -1, -1, 6, -1, 0 },     /* wrong checksum field */
	{ 0, -1, -1, -1, -1, -1, 46, 0x40 }, /* TCP header of 16 bytes */
	{ 0, -1, -1, -1, -1, -1, 14, 0x44 }, /* IP header of 16 bytes */
	{ 0, -1, -1, -1, -1, -1, 14, 0x65 }, /* version 6 under the type of 4 */
	{ 0, -1, -1, -1, -1, -1, 20, 0x20 }, /* a fragment */
	{ 2, -1, -1, -1, 0, -1, -1, 0 },
	{ 2, -1, -1, -1, 14, -1, -1, 0 },
	{ 2, -1, -1, -1, 33, -1, -1, 0 }, /* before the end of the IP header */
	{ 3, -1, -1, -1, 53, -1, -1, 0 },
	{ 2, -1, -1, -1, 33, -1, 13, 0x99 }, /* not IP, but nothing is that short */
	{ 2, -1, -1, -1, 54, -1, -1, 0 },    /* inside TCP */
	{ 2, -1, -1, -1, 65535, -1, -1, 0 },
	{ 2, -1, -1, -1, -1, 65535, -1, 0 },
	{ 2, -1, -1, -1, -1, 9000 + 19, -1, 0 },
	{ 2, -1, -1, -1, 9000, 53, -1, 0 },
};

START_TEST(refusals)
{
	static const unsigned base[] = { 6, 12, 2, 5 };
	const struct kind *k = &kinds[base[refused[_i].base]];
	struct shape s = build(k, 9000, false, false);
	struct frame f = wrap(k, &s, false);

	if (refused[_i].flags >= 0)
		f.vnet.flags = (uint8_t)refused[_i].flags;
	if (refused[_i].gso_type >= 0)
		f.vnet.gso_type = (uint8_t)refused[_i].gso_type;
	if (refused[_i].gso_size >= 0)
		f.vnet.gso_size = (uint16_t)refused[_i].gso_size;
	if (refused[_i].start >= 0)
		f.vnet.csum_start = (uint16_t)refused[_i].start;
	if (refused[_i].offset >= 0)
		f.vnet.csum_offset = (uint16_t)refused[_i].offset;
	if (refused[_i].byte >= 0)
		bytes[refused[_i].byte] = (uint8_t)refused[_i].value;
	ck_assert_int_eq(offload_check(&f), DROP_VNET);
}
END_TEST

/* A probed TCP header that is cut short: nothing is written behind the frame. */
START_TEST(probed_cut_short)
{
	const struct kind *k = &kinds[10];

	for (uint32_t cut = 0; cut < 20; cut++) {
		struct shape s = build(k, 9000, false, false);
		struct frame f = wrap(k, &s, false);

		f.len = f.total = s.l4 + cut;
		memset(bytes + f.len, 0xaa, 40);
		ck_assert_int_eq(offload_check(&f), DROP_VNET);
		for (unsigned i = 0; i < 40; i++)
			need(bytes[f.len + i] == 0xaa);
	}
}
END_TEST

/* Any header over any bytes: never out of bounds (ASan watches), and what passes can be sent or is
 * refused. */
START_TEST(random_headers)
{
	uint32_t seed = 1;

	for (unsigned i = 0; i < 200000; i++) {
		uint32_t len = 14 + (i % 7 ? i % 120 : i % 3000);
		uint8_t *heap = malloc(len);
		struct frame f = { .data = heap, .len = len, .total = len };
		struct offload o;
		struct wire w;
		uint8_t *p = (uint8_t *)&f.vnet;

		build(&kinds[i % N_KINDS], 100, i & 1, i & 2);
		memcpy(heap, bytes, len);
		for (unsigned j = 0; j < sizeof(f.vnet) + i % 4; j++) {
			seed = seed * 1664525 + 1013904223;
			if (j < sizeof(f.vnet))
				p[j] = (uint8_t)(seed >> 24);
			else
				heap[12 + (seed >> 8) % (len - 12)] = (uint8_t)(seed >> 24);
		}
		f.vnet.flags &= 3;
		f.vnet.gso_type = (uint8_t)(seed % 3 ? f.vnet.gso_type & 0x87 : 0);
		f.vnet.csum_start =
			(uint16_t)(seed % 5 ? 34 + f.vnet.csum_start % 64 : f.vnet.csum_start);
		f.vnet.csum_offset =
			(uint16_t)(seed % 5 ? (seed & 0x10000 ? 6 : 16) : f.vnet.csum_offset % 64);
		if (!offload_check(&f) && !offload_begin(&o, &f, false, 0))
			for (uint32_t total = 0; offload_next(&o, &w); total += w.len)
				need(w.len <= f.total);
		free(heap);
	}
}
END_TEST

/* Headers that reach beyond the head, behind eight extension headers' worth of options. */
START_TEST(deep_headers)
{
	const struct kind *k = &kinds[7];
	struct shape s = build(k, 9000, false, true);
	uint32_t more = 200;
	struct frame f;

	memmove(bytes + s.l4 + more, bytes + s.l4, s.total - s.l4);
	bytes[s.net + 49] = (uint8_t)(2 + more / 8);
	s.l4 += more;
	s.payload += more;
	s.total += more;
	put(bytes + s.net + 4, s.total - s.net - 40, 2);
	f = wrap(k, &s, true);
	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	ck_assert_uint_eq(f.vnet.hdr_len, s.payload);
	send_and_check(k, &s, &f, false, 0);
	send_and_check(k, &s, &f, false, OFFLOAD_ALL);
}
END_TEST

/* A UDP checksum that comes out as 0 is sent as 0xffff. */
START_TEST(udp_zero)
{
	struct shape s = build(&kinds[3], 2, false, false);
	struct frame f = wrap(&kinds[3], &s, false);
	struct offload o;
	struct wire w;

	put(bytes + s.payload, 0, 2);
	put(bytes + s.payload, ~sum(0, bytes + s.l4, s.total - s.l4), 2);
	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	ck_assert_int_eq(offload_begin(&o, &f, false, 0), DROP_NONE);
	ck_assert(offload_next(&o, &w));
	flatten(&w, piece);
	ck_assert_uint_eq(get(piece + s.l4 + 6, 2), 0xffff);
}
END_TEST

START_TEST(sctp)
{
	struct kind k = kinds[3];
	struct shape s = build(&k, 100, false, false);
	struct frame f = wrap(&k, &s, false);
	uint32_t crc = UINT32_MAX;

	bytes[s.net + 9] = 132;
	f.vnet.csum_offset = 8;
	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	ck_assert_uint_eq(f.vnet.flags, 0);
	memcpy(piece, bytes, s.total);
	put(piece + s.l4 + 8, 0, 4);
	for (uint32_t i = s.l4; i < s.total; i++) {
		crc ^= piece[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	crc = ~crc;
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(bytes[s.l4 + 8 + i], crc >> 8 * i & 0xff);
}
END_TEST

/* Checksums of odd and even pieces, at odd and even addresses; the check value of CRC32c. */
START_TEST(sums)
{
	for (uint32_t i = 0; i < 300; i++)
		bytes[i] = (uint8_t)(i * 251 + 3);
	memset(bytes + 100, 0xff, 90);
	for (uint32_t from = 0; from < 9; from++) {
		for (uint32_t a = 0; a < 80; a++) {
			for (uint32_t b = 0; b < 80; b++) {
				struct csum c = { 0 };
				uint16_t got;
				uint8_t raw[2];

				csum_add(&c, bytes + 60 + from, a);
				csum_add(&c, bytes + 60 + from + a, b);
				got = csum_fold(&c);
				memcpy(raw, &got, 2);
				need(get(raw, 2) % 0xffff ==
				     sum(0, bytes + 60 + from, a + b) % 0xffff);
			}
		}
	}
	need(~csum_crc32c(UINT32_MAX, (const uint8_t *)"123456789", 9) == 0xe3069283);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("offload");
	TCase *t = tcase_create("offload");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, everything, 0, N_KINDS);
	tcase_add_test(t, hdr_len_is_a_hint);
	tcase_add_test(t, no_request);
	tcase_add_loop_test(t, refusals, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, probed_cut_short);
	tcase_add_test(t, random_headers);
	tcase_add_test(t, deep_headers);
	tcase_add_test(t, udp_zero);
	tcase_add_test(t, sctp);
	tcase_add_test(t, sums);
	return suite_run(s);
}
