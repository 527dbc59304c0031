/* SPDX-License-Identifier: MIT */
/*
 * coalesce: what is joined, cut again, is what there was, byte for byte and in order; what differs
 * in anything that matters is not joined.
 */
#include "ports/coalesce.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ports/offload.h"
#include "tests/unit/bytes.h"
#include "tests/unit/suite.h"

#define SIZE 1448u
#define TCP 6
#define NET 14u
#define ROOM 9200u

enum { ACK = 0x10, PSH = 8, FIN = 1, SYN = 2, CWR = 0x80, URG = 0x20, ECE = 0x40 };

/* The next segment of a flow. */
struct flow {
	int version;
	uint8_t number;
	uint32_t seq;
	uint16_t id;
};

static struct coalesce joined;
static struct txq q;
static struct frame frames[BATCH_MAX];
static uint8_t bytes[BATCH_MAX][ROOM], piece[FRAME_MAX + 64];
static struct iovec tails[BATCH_MAX][2];

static uint32_t l4_of(const uint8_t *p)
{
	return NET + (p[NET] >> 4 == 4 ? 20 : 40);
}

/* Writes the checksums of the frame of @len bytes at @p. */
static void complete(uint8_t *p, uint32_t len)
{
	uint32_t l4 = l4_of(p);

	if (p[NET] >> 4 == 4) {
		put(p + NET + 10, 0, 2);
		put(p + NET + 10, ~sum(0, p + NET, 20), 2);
	}
	put(p + l4 + 16, 0, 2);
	put(p + l4 + 16, ~sum(pseudo(p + NET, TCP, len - l4), p + l4, len - l4), 2);
	if (!get(p + l4 + 16, 2)) /* the same number, as offload.c writes it */
		put(p + l4 + 16, 0xffff, 2);
}

/* Adds the next @len bytes of @flow to the queue. Returns the frame, whose bytes may be changed. */
static struct frame *add(struct flow *flow, uint32_t len, uint8_t flags)
{
	unsigned i = q.n;
	uint8_t *p = bytes[i], *tcp;
	struct frame *f = &frames[i];

	memset(p, 0, 128);
	p[5] = p[11] = 1 + flow->number;
	put(p + 12, flow->version == 4 ? 0x0800 : 0x86dd, 2);
	p[NET] = flow->version == 4 ? 0x45 : 0x60;
	tcp = p + l4_of(p);
	*f = (struct frame){ .data = p };
	f->len = f->total = (uint32_t)(tcp - p) + 32 + len;
	if (flow->version == 4) {
		put(p + NET + 2, f->total - NET, 2);
		put(p + NET + 4, flow->id++, 2);
		p[NET + 6] = 0x40;
		p[NET + 8] = 64;
		p[NET + 9] = TCP;
	} else {
		put(p + NET + 4, f->total - NET - 40, 2);
		p[NET + 6] = TCP;
		p[NET + 7] = 64;
	}
	tcp[-1] = flow->number;
	put(tcp, 0x12345678, 4);
	put(tcp + 4, flow->seq, 4);
	put(tcp + 8, 77, 4);
	tcp[12] = 0x80;
	tcp[13] = flags;
	put(tcp + 14, 500, 2);
	memset(tcp + 20, 1, 12);
	for (uint32_t k = 0; k < len; k++)
		tcp[32 + k] = (uint8_t)(flow->seq + k + (flow->seq + k) / 251);
	flow->seq += len;
	complete(p, f->total);
	q.entry[q.n++] = (struct txq_entry){ .frame = f };
	return f;
}

/* Cuts what is at entry @i and compares it with the frames of the same flow from *@next on. */
static void compare(unsigned i, unsigned n, unsigned *next, uint8_t flow)
{
	const struct txq_entry *e = &q.entry[i];
	struct offload o;
	struct wire w;
	unsigned cut = 0;

	ck_assert_int_eq(offload_begin(&o, e->frame, e->tagged, 0), DROP_NONE);
	for (; offload_next(&o, &w); cut++, ++*next) {
		while (*next < n && bytes[*next][5] != flow)
			++*next;
		need(*next < n);
		need(flatten(&w, piece) == frames[*next].total);
		need(!memcmp(piece, frames[*next].data, w.len));
	}
	need(cut == 1u + e->more);
	need(!e->more == !e->frame->vnet.gso_type);
}

/* Joins the queue; nothing may be lost, changed or out of order. Returns what is left of it. */
static unsigned join(uint32_t caps)
{
	unsigned next[256] = { 0 }, n = q.n, all = 0;

	coalesce_queue(&joined, &q, caps);
	for (unsigned i = 0; i < q.n; i++) {
		uint8_t flow = q.entry[i].frame->data[5];

		compare(i, n, &next[flow], flow);
		all += 1u + q.entry[i].more;
	}
	ck_assert_uint_eq(all, n);
	return q.n;
}

static struct flow start(int version)
{
	q.n = 0;
	return (struct flow){ .version = version, .seq = 0xfffff000, .id = 0xfffc };
}

START_TEST(segments)
{
	struct flow flow = start(_i ? 6 : 4);

	for (unsigned i = 0; i < 15; i++)
		add(&flow, SIZE, ACK);
	ck_assert_uint_eq(join(OFFLOAD_ALL), 1);
	ck_assert_uint_eq(q.entry[0].more, 14);
	ck_assert_uint_eq(q.entry[0].frame->vnet.gso_size, SIZE);
	ck_assert_uint_eq(q.entry[0].frame->vnet.hdr_len, _i ? 86 : 66);
	ck_assert_uint_eq(q.entry[0].frame->total, (_i ? 86 : 66) + 15 * SIZE);
}
END_TEST

/* A port's capabilities; and what ends a run: a short segment, PSH, FIN. */
START_TEST(ends)
{
	struct flow flow = start(4);

	add(&flow, SIZE, ACK);
	add(&flow, SIZE, ACK);
	ck_assert_uint_eq(join(OFFLOAD_CSUM | OFFLOAD_TSO6), 2);
	q.n = 2;
	ck_assert_uint_eq(join(OFFLOAD_CSUM | OFFLOAD_TSO4), 1);
	for (unsigned k = 0; k < 3; k++) {
		flow = start(4);
		add(&flow, SIZE, ACK);
		add(&flow, k ? SIZE : SIZE - 1, (uint8_t)(ACK | (k == 1 ? PSH : k == 2 ? FIN : 0)));
		add(&flow, SIZE, ACK);
		add(&flow, SIZE, ACK);
		ck_assert_uint_eq(join(OFFLOAD_ALL), 2);
	}
}
END_TEST

/* Changes of one byte of the second of three segments that keep it apart. 0x100: not completed. */
static const struct {
	int version;
	uint32_t at, value;
} apart[] = {
	{ 4, 0, 2 },               /* destination address */
	{ 4, 14 + 0, 0x46 },       /* IP options */
	{ 4, 14 + 1, 1 },          /* type of service */
	{ 4, 14 + 3, 1 },          /* bytes behind the packet */
	{ 4, 14 + 5, 0 },          /* identification */
	{ 4, 14 + 6, 0 },          /* DF */
	{ 4, 14 + 6, 0x60 },       /* a fragment */
	{ 4, 14 + 8, 63 },         /* time to live */
	{ 4, 14 + 9, 17 },         /* protocol */
	{ 4, 14 + 10, 0x100 | 1 }, /* checksum of IP */
	{ 4, 14 + 19, 9 },         /* another host */
	{ 4, 34 + 1, 9 },          /* another port */
	{ 4, 34 + 7, 1 },          /* sequence number */
	{ 4, 34 + 11, 78 },        /* acknowledgement */
	{ 4, 34 + 12, 0x81 },      /* reserved bits */
	{ 4, 34 + 12, 0x70 },      /* shorter options */
	{ 4, 34 + 13, ACK | SYN }, /* flags */
	{ 4, 34 + 13, ACK | URG },
	{ 4, 34 + 13, ACK | CWR },
	{ 4, 34 + 13, ACK | ECE },
	{ 4, 34 + 13, ACK | 4 },
	{ 4, 34 + 13, 0 },
	{ 4, 34 + 15, 1 },         /* window */
	{ 4, 34 + 17, 0x100 | 1 }, /* checksum of TCP */
	{ 4, 34 + 21, 8 },         /* options */
	{ 4, 900, 0x100 | 0 },     /* damaged payload */
	{ 6, 14 + 1, 1 },          /* traffic class, flow label */
	{ 6, 14 + 7, 63 },         /* hop limit */
	{ 6, 14 + 6, 43 },         /* an extension header */
	{ 6, 900, 0x100 | 0 },
};

START_TEST(kept_apart)
{
	uint8_t *p;
	struct frame *f;
	struct flow flow = start(apart[_i].version);

	add(&flow, SIZE, ACK);
	f = add(&flow, SIZE, ACK);
	p = f->data;
	add(&flow, SIZE, ACK);
	ck_assert_uint_ne(p[apart[_i].at], apart[_i].value & 0xff);
	p[apart[_i].at] = (uint8_t)apart[_i].value;
	if (!(apart[_i].value & 0x100))
		complete(p, f->total);
	coalesce_queue(&joined, &q, OFFLOAD_ALL);
	ck_assert_uint_eq(q.n, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_eq(q.entry[i].frame, &frames[i]);
}
END_TEST

/* The same of what is beside the bytes. */
START_TEST(kept_apart_beside)
{
	struct flow flow = start(4);
	struct frame *f;

	add(&flow, SIZE, ACK);
	f = add(&flow, SIZE, ACK);
	if (_i == 0)
		f->kept = (struct vtag){ TPID_8021Q, 5 };
	if (_i == 1)
		f->tag = (struct vtag){ TPID_8021Q, 5 };
	if (_i == 2)
		q.entry[1].tagged = true;
	if (_i == 3)
		q.entry[1].remote = 1;
	if (_i == 4)
		f->vnet = (struct vnet_hdr){ .flags = VNET_NEEDS_CSUM, .csum_start = 14 };
	if (_i == 5)
		f->vnet.gso_type = VNET_GSO_TCPV4;
	coalesce_queue(&joined, &q, OFFLOAD_ALL);
	ck_assert_uint_eq(q.n, 2);
}
END_TEST

/* Half checksums, and tags, which a super-frame has as its segments had them. */
START_TEST(requests_and_tags)
{
	struct flow flow = start(4);

	for (unsigned i = 0; i < 4; i++) {
		struct frame *f = add(&flow, SIZE, ACK);

		f->tag = (struct vtag){ TPID_8021Q, 5 };
		f->kept = (struct vtag){ TPID_8021AD, 6 };
		q.entry[i].tagged = true;
		put(f->data + 34 + 16, pseudo(f->data + NET, TCP, f->total - 34), 2);
		f->vnet = (struct vnet_hdr){ .flags = VNET_NEEDS_CSUM,
					     .csum_start = 34,
					     .csum_offset = 16 };
	}
	coalesce_queue(&joined, &q, OFFLOAD_ALL);
	ck_assert_uint_eq(q.n, 1);
	ck_assert(q.entry[0].tagged);
	ck_assert_uint_eq(q.entry[0].frame->tag.tci, 5);
	ck_assert_uint_eq(q.entry[0].frame->kept.tci, 6);
	ck_assert_uint_eq(q.entry[0].frame->vnet.csum_start, 34);
	txq_count(&q.stats, &q.entry[0], DROP_NONE);
	ck_assert_uint_eq(q.stats.tx, 4);
	ck_assert_uint_eq(q.stats.tx_bytes, 4 * (66 + 8 + SIZE));
	txq_count(&q.stats, &q.entry[0], DROP_FULL);
	ck_assert_uint_eq(q.stats.drop_out[DROP_FULL], 4);
}
END_TEST

/* What cuts a super-frame again counts the identification up: what does not count is left alone. */
START_TEST(same_id)
{
	struct flow flow = start(4);

	for (unsigned i = 0; i < 4; i++) {
		flow.id = i < 3 ? 7 : 8;
		add(&flow, SIZE, ACK);
	}
	coalesce_queue(&joined, &q, OFFLOAD_ALL);
	ck_assert_uint_eq(q.n, 3);
	ck_assert_uint_eq(q.entry[2].more, 1);
}
END_TEST

/* No longer than IP can say, in no more pieces than a frame may have. */
START_TEST(limits)
{
	struct flow flow = start(4);

	for (unsigned i = 0; i < 9; i++)
		add(&flow, 9000, ACK);
	ck_assert_uint_eq(join(OFFLOAD_ALL), 2);
	ck_assert_uint_eq(q.entry[0].more, 6);
	flow = start(4);
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct frame *f = add(&flow, 600, ACK);

		f->len = 128; /* the rest is in a guest's memory */
		tails[i][0] = (struct iovec){ f->data + 128, 200 };
		tails[i][1] = (struct iovec){ f->data + 328, f->total - 328 };
		f->tail = tails[i];
		f->n_tail = 2;
	}
	ck_assert_uint_eq(join(OFFLOAD_ALL), (BATCH_MAX + 5) / 6);
}
END_TEST

/* Twelve flows at random, with acknowledgements, ends and other frames between. */
START_TEST(random_flows)
{
	uint32_t seed = 1;
	unsigned less = 0;

	for (unsigned round = 0; round < 3000; round++) {
		struct flow flow[12];

		q.n = 0;
		for (unsigned i = 0; i < 12; i++)
			flow[i] = (struct flow){ i % 3 ? 4 : 6, (uint8_t)i, seed + i,
						 (uint16_t)seed };
		while (q.n < BATCH_MAX) {
			struct flow *one;
			unsigned what;

			seed = seed * 1664525 + 1013904223;
			one = &flow[(seed >> 24) % (1 + round % 12)];
			what = (seed >> 16) % 32;
			add(one,
			    what == 0   ? 0
			    : what == 1 ? 300 + what
					: 500,
			    (uint8_t)(what == 2   ? ACK | PSH
				      : what == 3 ? ACK | FIN
				      : what == 4 ? ACK | CWR
						  : ACK));
			one->seq += what == 5;
		}
		less += BATCH_MAX - join(OFFLOAD_ALL);
	}
	ck_assert_uint_gt(less, 3000 * BATCH_MAX / 4);
}
END_TEST

/* Whether the piece of @len bytes is frame @k, but for TCP's checksum. */
static bool alike(unsigned k, uint32_t len)
{
	uint8_t want[512];

	if (frames[k].total != len)
		return false;
	memcpy(want, frames[k].data, len);
	memcpy(want + l4_of(piece) + 16, piece + l4_of(piece) + 16, 2);
	return !memcmp(piece, want, len);
}

/* Cuts entry @i: it is frames that there were, in their order. Returns how many. */
static unsigned compare_loosely(unsigned i)
{
	const struct txq_entry *e = &q.entry[i];
	struct offload o;
	struct wire w;
	unsigned k = 0;

	if (!e->more)
		return 1;
	need(offload_begin(&o, e->frame, false, 0) == DROP_NONE);
	for (; offload_next(&o, &w); k++) {
		flatten(&w, piece);
		while (k < 6 && !alike(k, w.len))
			k++;
		need(k < 6);
	}
	return e->more + 1u;
}

/* One flow, in which anything is damaged: never out of bounds (ASan watches), nothing lost. */
START_TEST(random_damage)
{
	uint32_t seed = 1;

	for (unsigned round = 0; round < 20000; round++) {
		struct flow flow = start(round % 2 ? 4 : 6);
		unsigned n, all = 0;

		while (q.n < 6) {
			struct frame *f = add(&flow, 300, ACK);
			uint32_t at;

			seed = seed * 1664525 + 1013904223;
			at = (seed >> 8) % (l4_of(f->data) + 32);
			if (seed >> 30 == 0)
				f->data[at] ^= (uint8_t)(1u << (seed >> 27 & 7));
			if (seed >> 28 == 0)
				complete(f->data, f->total);
			if (seed >> 25 == 1)
				f->len = f->total = 14 + (seed >> 10) % 300;
			if (seed >> 26 == 3)
				f->vnet.flags = seed >> 5 & 3;
			f->data = memcpy(malloc(f->total), f->data, f->total);
		}
		n = q.n;
		coalesce_queue(&joined, &q, OFFLOAD_ALL);
		for (unsigned i = 0; i < q.n; i++)
			all += compare_loosely(i);
		ck_assert_uint_eq(all, n);
		for (unsigned i = 0; i < n; i++)
			free(frames[i].data);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("coalesce");
	TCase *t = tcase_create("coalesce");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, segments, 0, 2);
	tcase_add_test(t, ends);
	tcase_add_loop_test(t, kept_apart, 0, sizeof(apart) / sizeof(apart[0]));
	tcase_add_loop_test(t, kept_apart_beside, 0, 6);
	tcase_add_test(t, requests_and_tags);
	tcase_add_test(t, same_id);
	tcase_add_test(t, limits);
	tcase_add_test(t, random_flows);
	tcase_add_test(t, random_damage);
	return suite_run(s);
}
