/* SPDX-License-Identifier: MIT */
#include "fdb/fdb.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#define A UINT64_C(0x02000000000a)
#define B UINT64_C(0x02000000000b)

static const uint64_t secret[2] = { UINT64_C(0x5bd1e9955bd1e995), UINT64_C(0xc2b2ae3d27d4eb4f) };
static struct fdb *fdb;
static struct fdb_changes changes;
static struct fdb_entry entry, gone[64];

static void setup(void)
{
	fdb = fdb_new(FDB_SIZE_MIN, secret);
	ck_assert_ptr_nonnull(fdb);
}

static void teardown(void)
{
	fdb_free(fdb);
}

static enum fdb_learn learn(uint64_t mac, uint16_t port, uint64_t now)
{
	return fdb_learn(fdb, fdb_spot(fdb, mac, 0), port, 0, 0, now, &changes);
}

static int put(uint64_t mac, uint16_t port, unsigned flags, uint64_t now)
{
	const struct fdb_entry e = { .mac = mac, .port = port, .flags = (uint16_t)flags };

	return fdb_put(fdb, &e, now, &changes);
}

/* Returns the port of @mac, or -1. */
static int port_of(uint64_t mac, uint64_t now)
{
	struct fdb_hit hit;

	return fdb_find(fdb, fdb_spot(fdb, mac, 0), now, &hit) ? hit.port : -1;
}

static unsigned learned(void)
{
	struct fdb_info info;

	fdb_get_info(fdb, &info);
	return info.learned;
}

/* Sweeps until nothing is due and returns how many entries went; the last of them are in `gone`. */
static unsigned sweep(uint64_t now)
{
	unsigned n = 0;

	while (fdb_next(fdb, now) <= now)
		n += fdb_sweep(fdb, now, gone, 64);
	return n;
}

static void expect_change(unsigned i, enum fdb_change_kind kind, uint64_t mac, uint16_t port)
{
	ck_assert_uint_lt(i, changes.n);
	ck_assert_int_eq(changes.c[i].kind, kind);
	ck_assert_uint_eq(changes.c[i].entry.mac, mac);
	ck_assert_uint_eq(changes.c[i].entry.port, port);
}

START_TEST(learns_and_moves)
{
	ck_assert_int_eq(port_of(A, 0), -1);
	ck_assert_int_eq(fdb_learn(fdb, fdb_spot(fdb, A, 7), 3, 99, 0, 1234, &changes),
			 FDB_LEARN_NEW);
	ck_assert_uint_eq(changes.n, 1);
	expect_change(0, FDB_ADDED, A, 3);
	ck_assert_int_eq(fdb_learn(fdb, fdb_spot(fdb, A, 7), 3, 99, 0, 1235, &changes),
			 FDB_LEARN_KNOWN);
	ck_assert_uint_eq(changes.n, 0);

	ck_assert(!fdb_lookup(fdb, A, 8, 1235, &entry));
	ck_assert(!fdb_lookup(fdb, B, 7, 1235, &entry));
	ck_assert(fdb_lookup(fdb, A, 7, 1235, &entry));
	ck_assert_uint_eq(entry.mac, A);
	ck_assert_uint_eq(entry.vid, 7);
	ck_assert_uint_eq(entry.port, 3);
	ck_assert_uint_eq(entry.remote, 99);
	ck_assert_uint_eq(entry.flags, FDB_LEARNED);
	ck_assert_uint_eq(entry.updated_ms, 1230);
	ck_assert_uint_eq(entry.used_ms, 1230);

	ck_assert_int_eq(fdb_learn(fdb, fdb_spot(fdb, A, 7), 4, 5, 0, 1300, &changes),
			 FDB_LEARN_MOVED);
	ck_assert_uint_eq(changes.n, 1);
	expect_change(0, FDB_CHANGED, A, 4);
	ck_assert_int_eq(fdb_learn(fdb, fdb_spot(fdb, A, 7), 4, 6, 0, 1300, &changes),
			 FDB_LEARN_MOVED);
	ck_assert_uint_eq(changes.c[0].entry.remote, 6);
	ck_assert_int_eq(fdb_learn(fdb, fdb_spot(fdb, A, 7), 4, 0, 0, 1300, &changes),
			 FDB_LEARN_KNOWN);
	ck_assert(fdb_lookup(fdb, A, 7, 1300, &entry));
	ck_assert_uint_eq(entry.remote, 6);
	ck_assert_uint_eq(fdb_port_used(fdb, 3), 0);
	ck_assert_uint_eq(fdb_port_used(fdb, 4), 1);
}
END_TEST

/* Kernel, section 4: who may roam, and what is lost on the way. */
START_TEST(moves_by_kind)
{
	static const struct {
		unsigned flags;
		enum fdb_learn learn;
		unsigned after;
	} kind[] = {
		{ FDB_USER, FDB_LEARN_MOVED, FDB_USER },
		{ FDB_STATIC | FDB_USER, FDB_LEARN_MOVED, FDB_STATIC | FDB_USER },
		{ FDB_STATIC | FDB_STICKY, FDB_LEARN_STUCK, FDB_STATIC | FDB_STICKY },
		{ FDB_STICKY, FDB_LEARN_STUCK, FDB_STICKY },
		{ FDB_LOCAL | FDB_STATIC, FDB_LEARN_LOCAL, FDB_LOCAL | FDB_STATIC },
		{ FDB_EXT_LEARN | FDB_USER, FDB_LEARN_MOVED, FDB_USER },
		{ FDB_LOCKED | FDB_LEARNED, FDB_LEARN_MOVED, FDB_LEARNED },
	};

	for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		bool moved = kind[i].learn == FDB_LEARN_MOVED;

		ck_assert_int_eq(put(A + i, 1, kind[i].flags, 0), 0);
		ck_assert_int_eq(learn(A + i, 2, 5000), kind[i].learn);
		ck_assert_uint_eq(changes.n, moved);
		ck_assert(fdb_lookup(fdb, A + i, 0, 5000, &entry));
		ck_assert_uint_eq(entry.flags, kind[i].after);
		ck_assert_uint_eq(entry.port, moved ? 2 : 1);
		ck_assert_uint_eq(entry.updated_ms, kind[i].learn == FDB_LEARN_LOCAL ? 0 : 5000);
		ck_assert_uint_eq(entry.used_ms, 0);
	}
}
END_TEST

/* What ages, what a flush takes, and what a link going down takes. */
START_TEST(fate_by_kind)
{
	static const struct {
		unsigned flags;
		bool ages, flushed, down;
	} kind[] = {
		{ FDB_LEARNED, true, true, true },
		{ FDB_LEARNED | FDB_LOCKED, true, true, true },
		{ FDB_USER, true, true, true },
		{ FDB_STICKY | FDB_USER, true, true, true },
		{ FDB_STATIC, false, false, false },
		{ FDB_STATIC | FDB_STICKY, false, false, false },
		{ FDB_LOCAL | FDB_STATIC, false, false, false },
		{ FDB_LOCAL, false, false, false },
		{ FDB_EXT_LEARN, false, true, false },
	};

	for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
		put(A, 1, kind[i].flags, 0);
		ck_assert_int_eq(port_of(A, 299990), 1);
		ck_assert_int_eq(port_of(A, 300000), kind[i].ages ? -1 : 1);

		put(A, 1, kind[i].flags, 0);
		fdb_flush(fdb, 1, FDB_ANY_VID, true, 0);
		ck_assert_int_eq(port_of(A, 0), kind[i].down ? -1 : 1);

		put(A, 1, kind[i].flags, 0);
		fdb_flush(fdb, 1, FDB_ANY_VID, false, 0);
		ck_assert_int_eq(port_of(A, 0), kind[i].flushed ? -1 : 1);
		ck_assert_uint_eq(sweep(0), kind[i].flushed);
		ck_assert_uint_eq(fdb_port_used(fdb, 1), !kind[i].flushed);

		put(A, 1, kind[i].flags, 0);
		ck_assert_int_eq(fdb_del(fdb, A, 0, 0, &changes), 0);
		expect_change(0, FDB_DELETED, A, 1);
		ck_assert_int_eq(fdb_del(fdb, A, 0, 0, &changes), -ENOENT);
		ck_assert_uint_eq(changes.n, 0);
	}
}
END_TEST

START_TEST(put_checks_and_overwrites)
{
	struct fdb_entry e = { .mac = A, .vid = 4095, .port = PORT_MAX - 1, .flags = FDB_STATIC };

	ck_assert_int_eq(fdb_put(fdb, &e, 10, &changes), 0);
	expect_change(0, FDB_ADDED, A, PORT_MAX - 1);
	ck_assert_int_eq(fdb_put(fdb, &e, 2000, &changes), 0);
	ck_assert_uint_eq(changes.n, 0);
	ck_assert(fdb_lookup(fdb, A, 4095, 2000, &entry));
	ck_assert_uint_eq(entry.updated_ms, 2000);
	ck_assert_uint_eq(entry.used_ms, 2000);
	e.remote = 1;
	ck_assert_int_eq(fdb_put(fdb, &e, 10, &changes), 0);
	expect_change(0, FDB_CHANGED, A, PORT_MAX - 1);
	e.flags = FDB_LOCAL;
	ck_assert_int_eq(fdb_put(fdb, &e, 10, &changes), 0);
	ck_assert_uint_eq(changes.c[0].entry.flags, FDB_LOCAL);

	e.vid = 4096;
	ck_assert_int_eq(fdb_put(fdb, &e, 10, &changes), -EINVAL);
	e.vid = 0;
	e.port = PORT_MAX;
	ck_assert_int_eq(fdb_put(fdb, &e, 10, &changes), -EINVAL);
	ck_assert_int_eq(put(0, 1, 0, 10), -EINVAL);
	ck_assert_int_eq(put(UINT64_C(0x010000000001), 1, 0, 10), -EINVAL);
	ck_assert_int_eq(put(A + (UINT64_C(1) << 48), 1, 0, 10), -EINVAL);
	ck_assert_uint_eq(changes.n, 0);

	/* A user's entry is no longer a learned one. */
	learn(B, 1, 10);
	ck_assert_uint_eq(learned(), 1);
	put(B, 1, FDB_USER, 10);
	ck_assert_uint_eq(learned(), 0);
}
END_TEST

START_TEST(flush_scopes)
{
	for (unsigned scope = 0; scope < 4; scope++) {
		for (uint16_t port = 1; port <= 3; port++)
			for (uint16_t vid = 1; vid <= 3; vid++)
				fdb_learn(fdb, fdb_spot(fdb, A + port, vid), port, 0, 0, 0,
					  &changes);
		fdb_flush(fdb, scope & 1 ? 2 : PORT_NONE, scope & 2 ? 3 : FDB_ANY_VID, false, 0);
		for (uint16_t port = 1; port <= 3; port++)
			for (uint16_t vid = 1; vid <= 3; vid++)
				ck_assert(fdb_lookup(fdb, A + port, vid, 0, &entry) ==
					  ((scope & 1 && port != 2) || (scope & 2 && vid != 3)));
		ck_assert_uint_eq(learned(), scope == 0 ? 0 : scope == 3 ? 8 : 6);
		ck_assert_uint_eq(sweep(0), scope == 0 ? 9 : scope == 3 ? 1 : 3);
	}
}
END_TEST

START_TEST(flush_of_some_vlans)
{
	for (uint16_t vid = 1; vid <= 5; vid++) {
		const struct fdb_entry ext = { A + 9, vid, 1, FDB_EXT_LEARN, 0, 0, 0 };

		fdb_learn(fdb, fdb_spot(fdb, A, vid), 1, 0, 0, 0, &changes);
		fdb_learn(fdb, fdb_spot(fdb, B, vid), 2, 0, 0, 0, &changes);
		fdb_put(fdb, &ext, 0, &changes);
	}
	fdb_flush_vlans(fdb, 1, 2, 4);
	for (uint16_t vid = 1; vid <= 5; vid++) {
		ck_assert(fdb_lookup(fdb, A, vid, 0, &entry) == (vid == 1 || vid == 5));
		ck_assert(fdb_lookup(fdb, B, vid, 0, &entry));
		ck_assert(fdb_lookup(fdb, A + 9, vid, 0, &entry));
	}
	ck_assert_uint_eq(sweep(0), 3);
}
END_TEST

/*
 * Generations have 8 bits: an old entry must stay dead through any number of flushes without a
 * sweep.
 */
START_TEST(flushed_stays_dead)
{
	learn(A, 1, 0);
	learn(B, 2, 0);
	for (unsigned i = 0; i < 2000; i++) {
		unsigned how = i / 100 % 3;

		fdb_flush(fdb, how == 1 ? PORT_NONE : 1, how == 2 ? FDB_ANY_VID : 0, false, 0);
		if (how != 0)
			fdb_flush(fdb, PORT_NONE, i % 2 ? 0 : FDB_ANY_VID, false, 0);
		ck_assert_int_eq(port_of(A, 0), -1);
		if (i > 100)
			ck_assert_int_eq(port_of(B, 0), -1);
	}
	ck_assert_uint_eq(sweep(0), 2);
	ck_assert_int_eq(learn(A, 1, 0), FDB_LEARN_NEW);
	ck_assert_int_eq(port_of(A, 0), 1);
}
END_TEST

/*
 * A flush of the port and one of the VLAN must not cancel out, nor a flush in the middle of a pass
 * be lost.
 */
START_TEST(flushes_add_up)
{
	struct fdb *big = fdb_new(65536, secret);
	unsigned n = 0;

	for (unsigned i = 0; i < 60000; i++)
		fdb_learn(big, fdb_spot(big, A + i, i % 7), 1 + i % 5, 0, 0, 0, &changes);
	for (unsigned i = 0; i < 600; i++) {
		fdb_flush(big, PORT_NONE, FDB_ANY_VID, false, 0);
		n += fdb_sweep(big, 0, gone, 64);
		for (unsigned j = 0; j < 60000; j += 1013)
			ck_assert(!fdb_lookup(big, A + j, j % 7, 0, &entry));
		for (unsigned j = 0; j < 3; j++)
			fdb_learn(big, fdb_spot(big, A + 70000 + i, 1), 1, 0, 0, 0, &changes);
	}
	ck_assert_uint_gt(n, 30000);
	while (fdb_next(big, 0) == 0)
		fdb_sweep(big, 0, gone, 64);
	ck_assert_uint_eq(fdb_port_used(big, 1), 1);
	ck_assert(fdb_lookup(big, A + 70599, 1, 0, &entry));
	fdb_free(big);
}
END_TEST

/* An address that comes back before the sweep: listeners hear of its end before its new life. */
START_TEST(dead_then_learned_again)
{
	for (unsigned how = 0; how < 3; how++) {
		uint64_t now = how ? 5000 : 300000;

		put(A, 1, FDB_USER, 0);
		if (how == 1)
			fdb_flush(fdb, 1, FDB_ANY_VID, false, now);
		if (how == 2)
			fdb_flush(fdb, 1, 0, false, now);
		ck_assert_int_eq(fdb_del(fdb, A, 0, now, &changes), -ENOENT);
		ck_assert_int_eq(learn(A, 2, now), FDB_LEARN_NEW);
		ck_assert_uint_eq(changes.n, 2);
		expect_change(0, FDB_DELETED, A, 1);
		ck_assert_uint_eq(changes.c[0].entry.flags, FDB_USER);
		expect_change(1, FDB_ADDED, A, 2);
		ck_assert_uint_eq(changes.c[1].entry.flags, FDB_LEARNED);
		ck_assert_uint_eq(fdb_port_used(fdb, 1), 0);
		ck_assert_uint_eq(sweep(now), 0);
		fdb_del(fdb, A, 0, now, &changes);
	}
}
END_TEST

START_TEST(limit_of_learned)
{
	struct fdb_info info;

	fdb_set_max_learned(fdb, 2);
	ck_assert_int_eq(learn(A, 1, 0), FDB_LEARN_NEW);
	ck_assert_int_eq(fdb_learn(fdb, fdb_spot(fdb, A + 1, 0), 1, 0, FDB_LOCKED, 0, &changes),
			 FDB_LEARN_NEW);
	ck_assert_uint_eq(changes.c[0].entry.flags, FDB_LEARNED | FDB_LOCKED);
	ck_assert_int_eq(learn(A + 2, 1, 0), FDB_LEARN_LIMIT);
	ck_assert_uint_eq(changes.n, 0);
	ck_assert_int_eq(learn(A, 2, 0), FDB_LEARN_MOVED);
	ck_assert_int_eq(learn(A, 2, 0), FDB_LEARN_KNOWN);
	ck_assert_int_eq(put(A + 3, 1, FDB_USER, 0), 0);
	ck_assert_int_eq(put(A + 4, 1, FDB_LOCAL, 0), 0);
	ck_assert_int_eq(put(A + 5, 1, FDB_EXT_LEARN | FDB_USER, 0), 0);
	fdb_get_info(fdb, &info);
	ck_assert_uint_eq(info.learned, 2);
	ck_assert_uint_eq(info.used, 5);
	ck_assert_uint_eq(info.refused, 1);
	ck_assert_uint_eq(info.moved, 1);

	/* Flushed ones do not count, although no sweep has met them. */
	fdb_flush(fdb, 2, FDB_ANY_VID, false, 0);
	ck_assert_uint_eq(learned(), 1);
	ck_assert_int_eq(learn(A + 2, 1, 0), FDB_LEARN_NEW);
	ck_assert_int_eq(learn(A + 6, 1, 0), FDB_LEARN_LIMIT);
	fdb_set_max_learned(fdb, 0);
	ck_assert_int_eq(learn(A + 6, 1, 0), FDB_LEARN_NEW);
}
END_TEST

START_TEST(removes_and_walks)
{
	struct fdb_match match = FDB_MATCH_ALL;
	struct fdb_entry entries[7];
	uint64_t cursor = 0;
	unsigned n = 0, got;

	for (unsigned i = 0; i < 400; i++) {
		const struct fdb_entry e = { .mac = A + i,
					     .vid = i % 4,
					     .port = 1 + i % 5,
					     .flags = i % 2 ? FDB_STATIC : FDB_LEARNED };

		ck_assert_int_eq(fdb_put(fdb, &e, 0, &changes), 0);
	}
	while ((got = fdb_walk(fdb, NULL, 0, &cursor, entries, 7)))
		n += got;
	ck_assert_uint_eq(n, 400);
	match.port = 2;
	match.vid = 1;
	match.flags_mask = FDB_STATIC;
	match.flags_want = FDB_STATIC;
	for (n = 0, cursor = 0; (got = fdb_walk(fdb, &match, 0, &cursor, entries, 7)); n += got)
		for (unsigned i = 0; i < got; i++)
			ck_assert(entries[i].port == 2 && entries[i].vid == 1 &&
				  entries[i].flags == FDB_STATIC);
	ck_assert_uint_eq(n, 20);

	/* Removing a port takes dead entries, too: nobody may hear of its number later. */
	fdb_flush(fdb, 2, FDB_ANY_VID, false, 0);
	for (cursor = 0, n = 0; fdb_walk(fdb, &(struct fdb_match){ .port = 2, .vid = FDB_ANY_VID },
					 0, &cursor, entries, 1);)
		n++;
	ck_assert_uint_eq(n, 40);
	match = FDB_MATCH_ALL;
	match.port = 2;
	for (cursor = 0, n = 0; cursor != UINT64_MAX;)
		n += fdb_remove(fdb, &match, 0, &cursor, entries, 7);
	ck_assert_uint_eq(n, 80);
	ck_assert_uint_eq(fdb_port_used(fdb, 2), 0);
	ck_assert_uint_eq(sweep(0), 0);
	ck_assert_uint_eq(fdb_remove(fdb, &match, 0, &(uint64_t){ 0 }, entries, 7), 0);
}
END_TEST

START_TEST(sizes)
{
	static const uint32_t size[] = { 0, 1, 1000, 1025, 5000, FDB_SIZE_DEFAULT };

	for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		struct fdb *f = fdb_new(size[i], secret);
		struct fdb_info info;

		fdb_get_info(f, &info);
		ck_assert_uint_eq(info.size, size[i] < FDB_SIZE_MIN ? FDB_SIZE_MIN : size[i]);
		ck_assert(!fdb_find(f, fdb_spot(f, A, 0), 0, &(struct fdb_hit){ 0 }));
		ck_assert(!fdb_find(f, fdb_spot_dst(f, A, 0), 0, &(struct fdb_hit){ 0 }));
		fdb_free(f);
	}
	fdb_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fdb");
	TCase *tc = tcase_create("fdb");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, learns_and_moves);
	tcase_add_test(tc, moves_by_kind);
	tcase_add_test(tc, fate_by_kind);
	tcase_add_test(tc, put_checks_and_overwrites);
	tcase_add_test(tc, flush_scopes);
	tcase_add_test(tc, flush_of_some_vlans);
	tcase_add_test(tc, flushed_stays_dead);
	tcase_add_test(tc, flushes_add_up);
	tcase_add_test(tc, dead_then_learned_again);
	tcase_add_test(tc, limit_of_learned);
	tcase_add_test(tc, removes_and_walks);
	tcase_add_test(tc, sizes);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
