/* SPDX-License-Identifier: MIT */
/* The forwarding database and the clock: ageing, the sweep, where 32-bit stamps begin again. */
#include <check.h>
#include <stdlib.h>

#include "fdb/fdb.h"
#include "tests/unit/suite.h"

#define DAY_MS UINT64_C(86400000)
#define CIRCLE_MS (UINT64_C(10) << 32) /* where a 32-bit stamp of 10 ms begins again */
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

/* Sweeps until nothing is due and returns how many entries went; the last of them are in `gone`. */
static unsigned sweep(uint64_t now)
{
	unsigned n = 0;

	while (fdb_next(fdb, now) <= now)
		n += fdb_sweep(fdb, now, gone, 64);
	return n;
}

START_TEST(use_does_not_refresh)
{
	struct fdb_hit hit;

	learn(A, 1, 1000);
	for (uint64_t now = 1000; now < 301000; now += 500) {
		ck_assert(fdb_find(fdb, fdb_spot(fdb, A, 0), now, &hit));
		fdb_touch(fdb, &hit, now);
		ck_assert(fdb_lookup(fdb, A, 0, now, &entry));
		ck_assert_uint_ge(entry.used_ms + 1000, now);
		ck_assert_uint_le(entry.used_ms, now);
		ck_assert_uint_eq(entry.updated_ms, 1000);
	}
	ck_assert(!fdb_find(fdb, fdb_spot(fdb, A, 0), 301000, &hit));
}
END_TEST

START_TEST(refreshed_once_a_second)
{
	learn(A, 1, 0);
	learn(A, 1, 990);
	fdb_lookup(fdb, A, 0, 990, &entry);
	ck_assert_uint_eq(entry.updated_ms, 0);
	learn(A, 1, 1000);
	fdb_lookup(fdb, A, 0, 1000, &entry);
	ck_assert_uint_eq(entry.updated_ms, 1000);

	fdb_set_ageing(fdb, 1600);
	learn(A, 1, 1100);
	fdb_lookup(fdb, A, 0, 1100, &entry);
	ck_assert_uint_eq(entry.updated_ms, 1100);
	fdb_set_ageing(fdb, 20);
	for (uint64_t now = 1110; now < 3000; now += 10)
		ck_assert_int_eq(learn(A, 1, now), FDB_LEARN_KNOWN);
	ck_assert_int_eq(learn(A, 1, 3010), FDB_LEARN_NEW);
}
END_TEST

START_TEST(ageing_of_any_value)
{
	static const uint64_t never[] = { 496 * DAY_MS, 500 * DAY_MS, UINT64_MAX / 2, UINT64_MAX };

	learn(A, 1, 0);
	put(B, 1, FDB_STATIC, 0);
	fdb_set_ageing(fdb, 0);
	ck_assert_int_eq(port_of(A, 0), -1);
	ck_assert_int_eq(port_of(B, 0), 1);
	ck_assert_int_eq(learn(B, 2, 0), FDB_LEARN_OFF);
	ck_assert_int_eq(learn(A, 1, 0), FDB_LEARN_OFF);
	ck_assert_int_eq(put(A + 2, 1, FDB_USER, 0), 0);
	ck_assert_int_eq(port_of(A + 2, 0), -1);
	ck_assert_uint_eq(sweep(0), 2);
	ck_assert_uint_eq(fdb_next(fdb, 0), UINT64_MAX);

	for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		fdb_set_ageing(fdb, never[i]);
		learn(A, 1, 0);
		ck_assert_uint_eq(sweep(0), 0);
		ck_assert_uint_eq(fdb_next(fdb, 0), UINT64_MAX);
		for (uint64_t day = 0; day < 3000; day++)
			ck_assert_int_eq(port_of(A, day * DAY_MS), 1);
	}
	fdb_set_ageing(fdb, 495 * DAY_MS);
	learn(A, 1, 3000 * DAY_MS);
	ck_assert_int_eq(port_of(A, 3494 * DAY_MS), 1);
	ck_assert_int_eq(port_of(A, 3495 * DAY_MS), -1);
	ck_assert_int_eq(port_of(A, 3496 * DAY_MS), -1);
	fdb_set_ageing(fdb, 1);
	learn(A, 1, 100);
	ck_assert_int_eq(port_of(A, 105), 1);
	ck_assert_int_eq(port_of(A, 110), -1);
}
END_TEST

/* Stamps have 32 bits: nothing may expire early, or come back to life, where they begin again. */
START_TEST(clock_wraps)
{
	for (unsigned turn = 1; turn < 4; turn++) {
		uint64_t wrap = turn * CIRCLE_MS;

		ck_assert_int_eq(learn(A, 1, wrap - 10000), FDB_LEARN_NEW);
		for (uint64_t now = wrap - 10000; now < wrap + 290000; now += 1000)
			ck_assert_int_eq(port_of(A, now), 1);
		for (uint64_t now = wrap + 290000; now < wrap + 495 * DAY_MS; now += 6 * 3600000)
			ck_assert_int_eq(port_of(A, now), -1);
		ck_assert_uint_eq(sweep(wrap + 290000), 1);

		learn(B, 1, wrap - 500);
		learn(B, 1, wrap + 600);
		fdb_lookup(fdb, B, 0, wrap + 700, &entry);
		ck_assert_uint_eq(entry.updated_ms, wrap + 600);
		ck_assert_uint_eq(entry.used_ms, wrap - 500);
		fdb_del(fdb, B, 0, wrap + 700, &changes);
	}
}
END_TEST

/* Another thread may have read the clock a little later. */
START_TEST(clock_steps_back)
{
	learn(A, 1, 1000000);
	ck_assert_int_eq(port_of(A, 999000), 1);
	ck_assert_int_eq(learn(A, 1, 999000), FDB_LEARN_KNOWN);
	fdb_lookup(fdb, A, 0, 990000, &entry);
	ck_assert_uint_le(entry.updated_ms, 1000000);
	ck_assert_uint_ge(entry.updated_ms, 990000);
	ck_assert_int_eq(port_of(A, 999000 + 299990), 1);
}
END_TEST

START_TEST(sweep_schedule)
{
	ck_assert_uint_eq(fdb_next(fdb, 0), UINT64_MAX);
	put(B, 1, FDB_STATIC, 0);
	sweep(0);
	ck_assert_uint_eq(fdb_next(fdb, 0), UINT64_MAX);

	learn(A, 1, 2000);
	learn(A + 2, 1, 2500);
	ck_assert_uint_eq(fdb_next(fdb, 2500), 302000);
	ck_assert_uint_eq(fdb_sweep(fdb, 301990, gone, 64), 0);
	ck_assert_uint_eq(sweep(302000), 1);
	ck_assert_uint_eq(gone[0].mac, A);
	ck_assert_uint_eq(gone[0].flags, FDB_LEARNED);
	ck_assert_uint_eq(fdb_next(fdb, 302000), 303000);
	ck_assert_uint_eq(sweep(303000), 1);
	ck_assert_uint_eq(fdb_next(fdb, 303000), UINT64_MAX);

	/* Refreshed entries put the next pass off, one pass late. */
	learn(A, 1, 400000);
	learn(A, 1, 600000);
	ck_assert_uint_eq(fdb_next(fdb, 600000), 700000);
	ck_assert_uint_eq(sweep(700000), 0);
	ck_assert_uint_eq(fdb_next(fdb, 700000), 900000);

	/* Less room in the answer than entries to report. */
	for (unsigned i = 0; i < 500; i++)
		learn(A + 16 + i, 1, 700000);
	ck_assert_int_eq(fdb_del(fdb, A, 0, 700000, &changes), 0);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(fdb_sweep(fdb, 1000000, gone, 5), 5);
	ck_assert_uint_eq(sweep(1000000), 0);
	ck_assert_uint_eq(fdb_port_used(fdb, 1), 1);
}
END_TEST

START_TEST(ageing_begins_with_the_move)
{
	put(A, 1, FDB_EXT_LEARN, 0);
	sweep(0);
	ck_assert_uint_eq(fdb_next(fdb, 0), UINT64_MAX);
	ck_assert_int_eq(learn(A, 2, 5000), FDB_LEARN_MOVED);
	ck_assert_uint_eq(fdb_next(fdb, 5000), 305000);
	ck_assert_uint_eq(sweep(305000), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fdb_time");
	TCase *tc = tcase_create("fdb_time");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, use_does_not_refresh);
	tcase_add_test(tc, refreshed_once_a_second);
	tcase_add_test(tc, ageing_of_any_value);
	tcase_add_test(tc, clock_wraps);
	tcase_add_test(tc, clock_steps_back);
	tcase_add_test(tc, sweep_schedule);
	tcase_add_test(tc, ageing_begins_with_the_move);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
