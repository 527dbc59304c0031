/* SPDX-License-Identifier: MIT */
/* The forwarding database when there is not room for all: who stays, who goes, who is refused. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "fdb/fdb.h"
#include "tests/unit/suite.h"

#define FLOOD 10000000u
#define BASE UINT64_C(0x020000000000)

static const uint64_t secret[2] = { UINT64_C(0x27d4eb2f165667c5), UINT64_C(0x85ebca77c2b2ae63) };
static struct fdb_changes changes;
static uint64_t state = 1;

/* xorshift64* */
static uint64_t rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(2685821657736338717);
}

static uint64_t random_mac(void)
{
	return (rnd() >> 16 & UINT64_C(0xfcffffffffff)) | BASE;
}

static enum fdb_learn learn(struct fdb *fdb, uint64_t mac, uint16_t port)
{
	return fdb_learn(fdb, fdb_spot(fdb, mac, 0), port, 0, 0, 1000, &changes);
}

static int put(struct fdb *fdb, uint64_t mac, uint16_t port, unsigned flags)
{
	const struct fdb_entry e = { .mac = mac, .port = port, .flags = (uint16_t)flags };

	return fdb_put(fdb, &e, 1000, &changes);
}

static bool is_on(struct fdb *fdb, uint64_t mac, uint16_t port)
{
	struct fdb_hit hit;

	return fdb_find(fdb, fdb_spot(fdb, mac, 0), 1000, &hit) && hit.port == port;
}

static struct fdb_info info(struct fdb *fdb)
{
	struct fdb_info i;

	fdb_get_info(fdb, &i);
	return i;
}

/* Any set of addresses fits up to the size, also regular ones, also with poor secrets. */
START_TEST(holds_its_size)
{
	static const uint64_t secrets[][2] = {
		{ 0, 0 },
		{ 1, 2 },
		{ UINT64_C(0x94d049bb133111eb), UINT64_C(0xbf58476d1ce4e5b9) },
		{ 7, 1u << 31 },
		{ UINT64_C(0x1234567890abcdef), UINT64_C(0xfedcba9876543210) }
	};

	for (unsigned i = 0; i < 5 * 5; i++) {
		uint32_t size = i % 2 ? 65536 : FDB_SIZE_MIN, refused = 0;
		struct fdb *fdb = fdb_new(size, secrets[i % 5]);

		for (uint32_t j = 0; j < 2 * size; j++) {
			uint64_t k = j / 2, mac = BASE + k;
			uint16_t vid = 0;

			if (i / 5 == 1)
				mac = BASE + (k << 20);
			if (i / 5 == 2)
				mac = k % 2 ? UINT64_C(0xfc0000000000) + k : 2 * k + 2;
			if (i / 5 == 3)
				mac = BASE + k / 4096, vid = k % 4096;
			if (i / 5 == 4)
				mac = BASE + k * k * k;
			refused += fdb_learn(fdb, fdb_spot(fdb, mac, vid), 1, 0, 0, 1000,
					     &changes) != (j % 2 ? FDB_LEARN_KNOWN : FDB_LEARN_NEW);
			refused += changes.n != 1 - j % 2;
		}
		ck_assert_msg(!refused, "%u refused: set %u, secret %u", refused, i / 5, i % 5);
		ck_assert_uint_eq(info(fdb).used, size);
		ck_assert_uint_eq(info(fdb).evicted, 0);
		fdb_free(fdb);
	}
}
END_TEST

/* Where an address may stand is known before it is there, and stays true when it is displaced. */
START_TEST(spots_stay)
{
	struct fdb *fdb = fdb_new(FDB_SIZE_MIN, secret);
	struct fdb_spot spot[FDB_SIZE_MIN];
	struct fdb_hit hit;

	for (uint32_t i = 0; i < FDB_SIZE_MIN; i++)
		spot[i] = fdb_spot(fdb, BASE + i, 7);
	for (uint32_t i = 0; i < FDB_SIZE_MIN; i++)
		ck_assert_int_eq(
			fdb_learn(fdb, spot[i], (uint16_t)(i % PORT_MAX), 0, 0, 1000, &changes),
			FDB_LEARN_NEW);
	for (uint32_t i = 0; i < FDB_SIZE_MIN; i++) {
		ck_assert(fdb_find(fdb, spot[i], 1000, &hit));
		ck_assert_uint_eq(hit.port, i % PORT_MAX);
		ck_assert(!fdb_find(fdb, fdb_spot(fdb, BASE + i, 8), 1000, &hit));
	}
	fdb_free(fdb);
}
END_TEST

START_TEST(user_entries_fit)
{
	struct fdb *fdb = fdb_new(FDB_SIZE_MIN, secret);
	unsigned evicted = 0;

	for (unsigned i = 0; i < 1100; i++)
		learn(fdb, BASE + i, 1 + (i % 4 == 0));
	ck_assert_uint_eq(info(fdb).used, FDB_SIZE_MIN);
	for (unsigned i = 0; i < FDB_SIZE_MIN; i++) {
		uint32_t had[3] = { 0, fdb_port_used(fdb, 1), fdb_port_used(fdb, 2) };
		unsigned kind = i % 4 == 0   ? FDB_USER
				: i % 4 == 1 ? FDB_LOCAL
				: i % 4 == 2 ? FDB_STATIC
					     : FDB_EXT_LEARN;

		ck_assert_int_eq(put(fdb, 2 * BASE + i, 3, kind), 0);
		ck_assert_uint_eq(changes.n, 2);
		ck_assert_int_eq(changes.c[0].kind, FDB_DELETED);
		ck_assert_int_eq(changes.c[1].kind, FDB_ADDED);
		/* From the port that has most. */
		ck_assert_uint_ge(had[changes.c[0].entry.port], had[3 - changes.c[0].entry.port]);
		evicted++;
	}
	ck_assert_uint_eq(info(fdb).evicted - evicted, 1100 - FDB_SIZE_MIN - info(fdb).refused);
	ck_assert_int_eq(put(fdb, BASE, 3, FDB_STATIC), -ENOSPC);
	ck_assert_uint_eq(changes.n, 0);
	ck_assert_int_eq(learn(fdb, BASE, 1), FDB_LEARN_FULL);
	ck_assert_int_eq(put(fdb, 2 * BASE, 4, FDB_STATIC), 0);
	for (unsigned i = 1; i < FDB_SIZE_MIN; i++)
		ck_assert(is_on(fdb, 2 * BASE + i, 3));
	ck_assert_int_eq(fdb_del(fdb, 2 * BASE + 7, 0, 1000, &changes), 0);
	ck_assert_int_eq(put(fdb, BASE, 3, FDB_STATIC), 0);
	fdb_free(fdb);
}
END_TEST

/* Returns the pages of our own memory that are resident; those of program files come and go. */
static long resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all, pages, shared;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld %ld %ld", &all, &pages, &shared), 3);
	fclose(f);
	return pages - shared;
}

/*
 * Ten million random addresses from one port: the others lose nothing, and memory stays as it is.
 */
START_TEST(flood_from_one_port)
{
	struct fdb *fdb = fdb_new(16384, secret);
	unsigned lost = 0;
	long before;

	put(fdb, BASE, 1, FDB_USER);
	put(fdb, BASE + (1u << 20), 1, FDB_EXT_LEARN);
	for (unsigned i = 1; i <= 4000; i++)
		ck_assert_int_eq(learn(fdb, BASE + i, 2 + i % 7), FDB_LEARN_NEW);
	before = resident();
	for (unsigned i = 0; i < FLOOD; i++) {
		learn(fdb, random_mac(), 1);
		lost += changes.n == 2 && changes.c[0].entry.port != 1;
	}
	ck_assert_uint_eq(lost, 0);
	ck_assert_int_le(resident() - before, 16);
	ck_assert(is_on(fdb, BASE, 1));
	ck_assert(is_on(fdb, BASE + (1u << 20), 1));
	for (unsigned i = 1; i <= 4000; i++)
		ck_assert(is_on(fdb, BASE + i, 2 + i % 7));
	ck_assert_uint_eq(info(fdb).used, 16384);

	/* The small ports still learn, up to their share: (16384 - 2) / 8. */
	for (unsigned i = 0; i < 7 * 1400; i++)
		ck_assert_int_eq(learn(fdb, BASE + 10000 + i, 2 + i % 7), FDB_LEARN_NEW);
	for (unsigned i = 1; i <= 4000; i++)
		ck_assert(is_on(fdb, BASE + i, 2 + i % 7));
	for (unsigned i = 0; i < 7 * 1400; i++)
		ck_assert(is_on(fdb, BASE + 10000 + i, 2 + i % 7));
	fdb_free(fdb);
}
END_TEST

/* Nobody with less than a fair share loses an entry to another port, whatever the mix. */
START_TEST(fairness_invariant)
{
	for (unsigned round = 0; round < 30; round++) {
		struct fdb *fdb = fdb_new(FDB_SIZE_MIN, secret);
		unsigned n_fixed = rnd() % 500, n_ports = 2 + rnd() % 60, count[64] = { 0 },
			 n_used = 0;

		for (unsigned i = 0; i < n_fixed; i++)
			put(fdb, 2 * BASE + i, rnd() % 64, FDB_STATIC);
		for (unsigned i = 0; i < 20000; i++) {
			unsigned port = rnd() % n_ports, most = 0, loser, share;
			enum fdb_learn result;

			port = rnd() % n_ports < port ? 0 : port;
			result = learn(fdb, random_mac(), (uint16_t)port);
			share = (FDB_SIZE_MIN - n_fixed + n_used - !!count[port]) /
				(n_used + !count[port]);
			if (changes.n == 2) {
				loser = changes.c[0].entry.port;
				ck_assert(loser == port || count[loser] >= share);
				ck_assert(loser == port || count[loser] > count[port]);
				ck_assert(!(changes.c[0].entry.flags & FDB_STATIC));
				n_used -= --count[loser] == 0;
			}
			if (result == FDB_LEARN_NEW)
				n_used += count[port]++ == 0;
			else
				for (unsigned j = 0; j < n_ports; j++)
					most = count[j] > most ? count[j] : most;
			if (result != FDB_LEARN_NEW)
				ck_assert_uint_ge(count[port], share);
		}
		for (unsigned i = 0; i < n_fixed; i++)
			ck_assert(fdb_find(fdb, fdb_spot(fdb, 2 * BASE + i, 0), 1000,
					   &(struct fdb_hit){ 0 }));
		fdb_free(fdb);
	}
}
END_TEST

/* Dead entries that no sweep has met are room like any other. */
START_TEST(dead_make_room)
{
	struct fdb *fdb = fdb_new(FDB_SIZE_MIN, secret);

	for (unsigned i = 0; i < FDB_SIZE_MIN; i++)
		learn(fdb, BASE + i, 1);
	fdb_flush(fdb, 1, FDB_ANY_VID, false, 1000);
	for (unsigned i = 0; i < FDB_SIZE_MIN; i++)
		ck_assert_int_eq(learn(fdb, 2 * BASE + i, 2), FDB_LEARN_NEW);
	ck_assert_uint_eq(info(fdb).evicted, 0);
	ck_assert_uint_eq(fdb_port_used(fdb, 1), 0);
	fdb_free(fdb);
}
END_TEST

/* What listeners believe if they only hear of changes: the port of each address + 1, or 0. */
#define HEARD 3000u
static uint16_t heard[HEARD];

static bool hear(enum fdb_change_kind kind, const struct fdb_entry *e)
{
	uint16_t *port = &heard[e->mac - BASE];
	bool right = kind == FDB_ADDED     ? !*port
		     : kind == FDB_CHANGED ? *port
					   : *port == e->port + 1;

	*port = kind == FDB_DELETED ? 0 : e->port + 1;
	return right;
}

static unsigned hear_sweep(struct fdb *fdb, uint64_t now)
{
	struct fdb_entry gone[16];
	unsigned wrong = 0, n = fdb_sweep(fdb, now, gone, 16);

	for (unsigned i = 0; i < n; i++)
		wrong += !hear(FDB_DELETED, &gone[i]);
	return wrong;
}

/* Everything at once in a table that is too small: the news must add up to what is there. */
START_TEST(news_add_up)
{
	struct fdb *fdb = fdb_new(FDB_SIZE_MIN, secret);
	struct fdb_entry entries[16];
	unsigned wrong = 0, n = 0, got;
	uint64_t now = 0, cursor = 0;

	fdb_set_ageing(fdb, 30000);
	for (unsigned i = 0; i < 1000000; i++) {
		struct fdb_entry e = { .mac = BASE + rnd() % HEARD,
				       .port = rnd() % 9,
				       .flags = rnd() % 64 };
		unsigned what = rnd() % 1000;

		now += rnd() % 16;
		if (what < 800)
			fdb_learn(fdb, fdb_spot(fdb, e.mac, 0), e.port, 0, 0, now, &changes);
		else if (what < 850)
			fdb_put(fdb, &e, now, &changes);
		else if (what < 900)
			fdb_del(fdb, e.mac, 0, now, &changes);
		else
			changes.n = 0;
		for (unsigned j = 0; j < changes.n; j++)
			wrong += !hear(changes.c[j].kind, &changes.c[j].entry);
		if (what == 998)
			fdb_flush(fdb, rnd() % 2 ? e.port : PORT_NONE, FDB_ANY_VID, rnd() % 2, now);
		if (what > 900 && what < 950 && fdb_next(fdb, now) <= now)
			wrong += hear_sweep(fdb, now);
	}
	while (fdb_next(fdb, now) != UINT64_MAX) {
		now = fdb_next(fdb, now) > now ? fdb_next(fdb, now) : now;
		wrong += hear_sweep(fdb, now);
	}
	while ((got = fdb_walk(fdb, NULL, now, &cursor, entries, 16)))
		for (unsigned i = 0; i < got; i++, n++)
			wrong += heard[entries[i].mac - BASE] != entries[i].port + 1 ||
				 !(entries[i].flags & (FDB_STATIC | FDB_LOCAL | FDB_EXT_LEARN));
	for (unsigned i = 0; i < HEARD; i++)
		n -= !!heard[i];
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_gt(info(fdb).evicted, 100);
	fdb_free(fdb);
}
END_TEST

struct race {
	struct fdb *fdb;
	atomic_bool stop;
	uint64_t found, wrong;
};

/* The port of an address in this test. */
static uint16_t port_for(uint64_t mac)
{
	return 1 + mac % 997;
}

static void *read_all(void *arg)
{
	struct race *race = arg;
	struct fdb_hit hit;

	while (!atomic_load(&race->stop)) {
		for (uint64_t mac = BASE; mac < BASE + 2000; mac++) {
			if (!fdb_find(race->fdb, fdb_spot(race->fdb, mac, 0), 1000, &hit))
				continue;
			race->found++;
			race->wrong += hit.port != port_for(mac);
		}
	}
	return NULL;
}

/* A reader beside the writer never sees one entry's key with another's value. */
START_TEST(reader_beside_writer)
{
	struct race race = { .fdb = fdb_new(FDB_SIZE_MIN, secret) };
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, read_all, &race), 0);
	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t mac = BASE + rnd() % 2000;

		if (i % 3)
			learn(race.fdb, mac, port_for(mac));
		else
			fdb_del(race.fdb, mac, 0, 1000, &changes);
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	ck_assert_uint_gt(race.found, 0);
	ck_assert_uint_eq(race.wrong, 0);
	fdb_free(race.fdb);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fdb_full");
	TCase *tc = tcase_create("fdb_full");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, holds_its_size);
	tcase_add_test(tc, spots_stay);
	tcase_add_test(tc, user_entries_fit);
	tcase_add_test(tc, flood_from_one_port);
	tcase_add_test(tc, fairness_invariant);
	tcase_add_test(tc, dead_make_room);
	tcase_add_test(tc, news_add_up);
	tcase_add_test(tc, reader_beside_writer);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
