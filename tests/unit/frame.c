/* SPDX-License-Identifier: MIT */
/* frame: lifting tags, writing them back, slices. */
#include "ports/queue.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint8_t bytes[FRAME_MAX + 8];

/* A frame over @bytes: @len bytes with EtherType @type, everything else its offset. */
static struct frame make(uint32_t len, uint16_t type)
{
	struct frame f = { .data = bytes, .len = len, .total = len };

	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	bytes[12] = (uint8_t)(type >> 8);
	bytes[13] = (uint8_t)type;
	return f;
}

/* Writes what @w describes to @out and returns its length. */
static uint32_t flatten(const struct wire *w, uint8_t *out)
{
	uint32_t at = 0;

	for (unsigned i = 1; i < w->n_iov; i++) {
		memcpy(out + at, w->iov[i].iov_base, w->iov[i].iov_len);
		at += (uint32_t)w->iov[i].iov_len;
	}
	return at;
}

START_TEST(lift_plain)
{
	struct frame f = make(60, 0x0800);

	f.vnet = (struct vnet_hdr){ .flags = 1, .csum_start = 34, .hdr_len = 54 };
	ck_assert_int_eq(frame_lift_tag(&f), DROP_NONE);
	ck_assert_ptr_eq(f.data, bytes);
	ck_assert_uint_eq(f.len, 60);
	ck_assert_uint_eq(f.kept.tpid, 0);
	ck_assert_uint_eq(f.vnet.csum_start, 34);
	ck_assert_uint_eq(f.vnet.hdr_len, 54);
}
END_TEST

START_TEST(lift_tag)
{
	static const uint16_t tpid[] = { TPID_8021Q, TPID_8021AD };
	struct frame f = make(64, tpid[_i]);

	f.vnet =
		(struct vnet_hdr){ .flags = 1, .csum_start = 38, .csum_offset = 16, .hdr_len = 58 };
	f.total = 1000;
	ck_assert_int_eq(frame_lift_tag(&f), DROP_NONE);
	ck_assert_uint_eq(f.kept.tpid, tpid[_i]);
	ck_assert_uint_eq(f.kept.tci, 14 << 8 | 15);
	ck_assert_uint_eq(f.len, 60);
	ck_assert_uint_eq(f.total, 996);
	for (uint8_t i = 0; i < 12; i++)
		ck_assert_uint_eq(f.data[i], i);
	ck_assert_uint_eq(f.data[12], 16);
	ck_assert_uint_eq(f.data[59], 63);
	ck_assert_uint_eq(f.vnet.csum_start, 34);
	ck_assert_uint_eq(f.vnet.csum_offset, 16);
	ck_assert_uint_eq(f.vnet.hdr_len, 54);
}
END_TEST

START_TEST(lift_other_tpid)
{
	static const uint16_t other[] = { 0x9100, 0x9200, 0x8101, 0x0081, 0xa888 };
	struct frame f = make(64, other[_i]);

	ck_assert_int_eq(frame_lift_tag(&f), DROP_NONE);
	ck_assert_uint_eq(f.kept.tpid, 0);
	ck_assert_uint_eq(f.len, 64);
}
END_TEST

/* skb_vlan_untag() pulls the tag and two more bytes. */
START_TEST(lift_short)
{
	for (uint32_t len = 0; len < 24; len++) {
		struct frame f = make(len, TPID_8021Q);
		enum drop want = len < 14 || len >= 20 ? DROP_NONE : DROP_MALFORMED;

		ck_assert_int_eq(frame_lift_tag(&f), want);
		ck_assert_uint_eq(f.len, len >= 20 ? len - 4 : len);
	}
}
END_TEST

START_TEST(lift_keeps_inner)
{
	struct frame f = make(64, TPID_8021AD);

	bytes[16] = 0x81;
	bytes[17] = 0x00;
	ck_assert_int_eq(frame_lift_tag(&f), DROP_NONE);
	ck_assert_uint_eq(f.kept.tpid, TPID_8021AD);
	ck_assert_uint_eq(f.data[12] << 8 | f.data[13], TPID_8021Q);
}
END_TEST

START_TEST(lift_hostile_offsets)
{
	struct frame f = make(64, TPID_8021Q);

	f.vnet = (struct vnet_hdr){ .flags = 1, .csum_start = 3, .hdr_len = 0 };
	ck_assert_int_eq(frame_lift_tag(&f), DROP_NONE);
	ck_assert_uint_eq(f.vnet.csum_start, 0);
	ck_assert_uint_eq(f.vnet.hdr_len, 0);
}
END_TEST

/* Bits of _i: 1 = kept, 2 = the bridge's tag is set, 4 = it is written, 8 = a tail. */
START_TEST(wire)
{
	struct frame f = make(100, 0x0800);
	struct iovec tail[2] = { { bytes + 100, 50 }, { bytes + 150, 70 } };
	static uint8_t want[300], got[300];
	bool tagged = _i & 4;
	uint32_t at = 12, tags = 0;
	struct wire w;

	f.vnet = (struct vnet_hdr){ .flags = 1, .csum_start = 34, .csum_offset = 6, .hdr_len = 42 };
	if (_i & 1)
		f.kept = (struct vtag){ TPID_8021AD, 0xe123 };
	if (_i & 6)
		f.tag = (struct vtag){ TPID_8021Q, 0x2fff };
	if (_i & 8) {
		f.tail = tail;
		f.n_tail = 2;
		f.total = 220;
	}
	memcpy(want, bytes, 12);
	if (tagged)
		memcpy(want + at, "\x81\x00\x2f\xff", 4), at += 4;
	if (_i & 1)
		memcpy(want + at, "\x88\xa8\xe1\x23", 4), at += 4;
	tags = at - 12;
	memcpy(want + at, bytes + 12, f.total - 12);
	wire_build(&w, &f, tagged);
	ck_assert_ptr_null(w.iov[0].iov_base);
	ck_assert_uint_eq(w.iov[0].iov_len, 0);
	ck_assert_uint_eq(w.len, f.total + tags);
	ck_assert_uint_eq(w.len, frame_wire_len(&f, tagged));
	ck_assert_uint_eq(flatten(&w, got), w.len);
	ck_assert_mem_eq(got, want, w.len);
	ck_assert_uint_eq(w.vnet.csum_start, 34 + tags);
	ck_assert_uint_eq(w.vnet.hdr_len, 42 + tags);
	ck_assert_uint_le(w.n_iov, WIRE_IOV_MAX);
	if (!tags)
		ck_assert_ptr_eq(w.iov[1].iov_base, bytes);
}
END_TEST

START_TEST(wire_without_requests)
{
	struct frame f = make(60, 0x0800);
	struct wire w;

	f.kept = (struct vtag){ TPID_8021Q, 5 };
	wire_build(&w, &f, false);
	ck_assert_uint_eq(w.vnet.csum_start, 0);
	ck_assert_uint_eq(w.vnet.hdr_len, 0);
}
END_TEST

START_TEST(lift_and_write_is_identity)
{
	static const uint16_t types[] = { 0x0800, TPID_8021Q, TPID_8021AD };
	static uint8_t before[200], after[200];
	struct frame f = make(200, types[_i]);
	struct wire w;

	memcpy(before, bytes, sizeof(before));
	frame_lift_tag(&f);
	wire_build(&w, &f, false);
	ck_assert_uint_eq(flatten(&w, after), sizeof(before));
	ck_assert_mem_eq(before, after, sizeof(before));
}
END_TEST

/* Every slice of a frame of a head and three tail pieces, one of them empty. */
START_TEST(slices)
{
	struct frame f = make(14, 0x0800);
	struct iovec tail[4] = {
		{ bytes + 14, 1 }, { bytes, 0 }, { bytes + 15, 9 }, { bytes + 24, 6 }
	};
	struct iovec iov[1 + FRAME_TAIL_MAX];
	uint8_t copy[30];

	f.tail = tail;
	f.n_tail = 4;
	f.total = 30;
	for (uint32_t from = 0; from <= 30; from++) {
		for (uint32_t len = 0; len <= 40; len++) {
			uint32_t want = len < 30 - from ? len : 30 - from, at = from;
			unsigned n = frame_slice(&f, from, len, iov);

			for (unsigned i = 0; i < n; i++) {
				ck_assert_uint_gt(iov[i].iov_len, 0);
				ck_assert_mem_eq(iov[i].iov_base, bytes + at, iov[i].iov_len);
				at += (uint32_t)iov[i].iov_len;
			}
			ck_assert_uint_eq(at, from + want);
			frame_copy(&f, from, want, copy);
			ck_assert_mem_eq(copy, bytes + from, want);
		}
	}
}
END_TEST

START_TEST(drop_words)
{
	ck_assert_str_eq(drop_word(DROP_NONE), "none");
	ck_assert_str_eq(drop_word(DROP_RUNT), "runt");
	ck_assert_str_eq(drop_word(DROP_ERROR), "error");
	ck_assert_str_eq(drop_word((enum drop)DROP_MAX), "unknown");
	for (unsigned i = 0; i < DROP_MAX; i++) {
		ck_assert_ptr_nonnull(drop_text((enum drop)i));
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(drop_word((enum drop)i), drop_word((enum drop)j));
	}
}
END_TEST

START_TEST(arena)
{
	struct batch *b = malloc(sizeof(*b));

	ck_assert_int_eq(batch_init(b), 0);
	b->arena[BATCH_ARENA - 1] = 1;
	batch_fini(b);
	batch_fini(b);
	free(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *t = tcase_create("frame");

	suite_add_tcase(s, t);
	tcase_add_test(t, lift_plain);
	tcase_add_loop_test(t, lift_tag, 0, 2);
	tcase_add_loop_test(t, lift_other_tpid, 0, 5);
	tcase_add_test(t, lift_short);
	tcase_add_test(t, lift_keeps_inner);
	tcase_add_test(t, lift_hostile_offsets);
	tcase_add_loop_test(t, wire, 0, 16);
	tcase_add_test(t, wire_without_requests);
	tcase_add_loop_test(t, lift_and_write_is_identity, 0, 3);
	tcase_add_test(t, slices);
	tcase_add_test(t, drop_words);
	tcase_add_test(t, arena);
	return suite_run(s);
}
