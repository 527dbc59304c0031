/* SPDX-License-Identifier: MIT */
/*
 * The forwarding database against a naive model of it: an array that is searched from end to end.
 * Random calls go to both, every answer must be equal. CK_SEED=N starts from another number, which
 * a failure prints.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "fdb/fdb.h"
#include "tests/unit/suite.h"

#define N_MACS 60u
#define N_VIDS 4u
#define N_PORTS 6u
#define N_MODEL (N_MACS * N_VIDS)
#define STEPS 200000u

/* An address the table has a slot for. Gone: dead by a flush. */
struct model_entry {
	bool exists, flushed;
	uint16_t port, flags;
	uint32_t remote;
	uint64_t updated, used; /* units of 10 ms */
};

static struct model_entry model[N_MODEL];
static const uint64_t secret[2] = { UINT64_C(0x9fb21c651e98df25), UINT64_C(0x2545f4914f6cdd1d) };
static uint64_t state, seed, now, ageing;
static uint32_t max_learned;
static unsigned step;
static struct fdb *fdb;
static struct fdb_changes changes;

#define FIRM (FDB_LOCAL | FDB_STATIC)
#define must(cond)                                                                             \
	do {                                                                                   \
		if (!(cond))                                                                   \
			ck_abort_msg("seed %llu, step %u: %s", (unsigned long long)seed, step, \
				     #cond);                                                   \
	} while (0)

static unsigned rnd(unsigned n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (unsigned)((state * UINT64_C(2685821657736338717) >> 33) % n);
}

static uint64_t mac_of(unsigned i)
{
	return UINT64_C(0x020000000000) + i * UINT64_C(0x10001);
}

static struct model_entry *find(const struct fdb_entry *e)
{
	return &model[(e->mac - mac_of(0)) / 0x10001 * N_VIDS + e->vid];
}

static bool over_age(const struct model_entry *m)
{
	if (m->flags & (FIRM | FDB_EXT_LEARN) || ageing == UINT64_MAX)
		return false;
	return now / 10 - m->updated >= (ageing + 9) / 10;
}

static bool alive(const struct model_entry *m)
{
	return m->exists && !m->flushed && !over_age(m);
}

/* The table's times lie on a circle of 2^32 stamps, the last 2^23 of which are the future. */
static uint64_t shown(uint64_t stamp)
{
	uint32_t age = (uint32_t)(now / 10 - stamp);

	return (now / 10 - (age > UINT32_MAX - (1u << 23) ? 0 : age)) * 10;
}

static bool same(const struct fdb_entry *e, const struct model_entry *m)
{
	return e->port == m->port && e->flags == m->flags && e->remote == m->remote &&
	       e->updated_ms == shown(m->updated) && e->used_ms == shown(m->used);
}

static void check_change(unsigned i, enum fdb_change_kind kind, const struct model_entry *m)
{
	must(changes.n > i);
	must(changes.c[i].kind == kind);
	must(find(&changes.c[i].entry) == m);
	must(same(&changes.c[i].entry, m));
}

/*
 * A new entry takes the slot of its dead predecessor, or perhaps of another dead one. Returns the
 * changes so far.
 */
static unsigned replace_dead(struct model_entry *m)
{
	if (!m->exists && (!changes.n || changes.c[0].kind != FDB_DELETED))
		return 0;
	if (!m->exists)
		m = find(&changes.c[0].entry);
	check_change(0, FDB_DELETED, m);
	must(m->exists && !alive(m));
	m->exists = false;
	return 1;
}

static void create(struct model_entry *m, uint16_t port, uint16_t flags, uint32_t remote)
{
	unsigned n = replace_dead(m);

	*m = (struct model_entry){ true, false, port, flags, remote, now / 10, now / 10 };
	check_change(n, FDB_ADDED, m);
	must(changes.n == n + 1);
}

/* Counts learned entries: those alive, or with @all those over age as well. */
static unsigned count_learned(bool all)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_MODEL; i++) {
		const struct model_entry *m = &model[i];

		n += m->exists && (m->flags & FDB_LEARNED) && !m->flushed && (all || !over_age(m));
	}
	return n;
}

static void check_refused(struct model_entry *m)
{
	must(max_learned &&
	     count_learned(true) - (m->exists && !m->flushed && (m->flags & FDB_LEARNED)) >=
		     max_learned);
	must(changes.n == replace_dead(m));
}

static void step_learn(struct model_entry *m, uint64_t mac, uint16_t vid)
{
	uint16_t port = (uint16_t)rnd(N_PORTS), flags = rnd(8) ? 0 : FDB_LOCKED;
	uint32_t remote = rnd(4) ? 0 : rnd(3);
	uint64_t refresh = ageing / 160 > 100       ? 100
			   : (ageing + 9) / 10 / 16 ? (ageing + 9) / 10 / 16
						    : 1;
	unsigned most = count_learned(false);
	bool moved = m->port != port || (remote && m->remote != remote);
	enum fdb_learn got =
		fdb_learn(fdb, fdb_spot(fdb, mac, vid), port, remote, flags, now, &changes);

	if (!ageing) {
		must(got == FDB_LEARN_OFF && changes.n == 0);
	} else if (!alive(m)) {
		if (got == FDB_LEARN_LIMIT) {
			check_refused(m);
			return;
		}
		must(got == FDB_LEARN_NEW);
		must(!max_learned || most < max_learned);
		create(m, port, FDB_LEARNED | flags, remote);
	} else if (m->flags & FDB_LOCAL) {
		must(got == FDB_LEARN_LOCAL && changes.n == 0);
	} else if (moved && !(m->flags & FDB_STICKY)) {
		must(got == FDB_LEARN_MOVED && changes.n == 1);
		m->port = port;
		m->remote = remote;
		m->flags &= (uint16_t) ~(FDB_EXT_LEARN | FDB_LOCKED);
		m->updated = now / 10;
		check_change(0, FDB_CHANGED, m);
	} else {
		must(got == (moved ? FDB_LEARN_STUCK : FDB_LEARN_KNOWN) && changes.n == 0);
		if (now / 10 - m->updated >= refresh)
			m->updated = now / 10;
	}
}

static void step_put(struct model_entry *m, uint64_t mac, uint16_t vid)
{
	struct fdb_entry e = { .mac = mac,
			       .vid = vid,
			       .port = (uint16_t)rnd(N_PORTS),
			       .flags = (uint16_t)rnd(FDB_LEARNED),
			       .remote = rnd(2) };
	bool was = alive(m),
	     changed = m->port != e.port || m->flags != e.flags || m->remote != e.remote;

	must(fdb_put(fdb, &e, now, &changes) == 0);
	if (!was) {
		create(m, e.port, e.flags, e.remote);
		return;
	}
	*m = (struct model_entry){ true, false, e.port, e.flags, e.remote, now / 10, now / 10 };
	must(changes.n == changed);
	if (changed)
		check_change(0, FDB_CHANGED, m);
}

static void step_del(struct model_entry *m, uint64_t mac, uint16_t vid)
{
	bool was = alive(m);

	must(fdb_del(fdb, mac, vid, now, &changes) == (was ? 0 : -ENOENT));
	must(changes.n == was);
	if (was) {
		check_change(0, FDB_DELETED, m);
		m->exists = false;
	}
}

static void step_flush(void)
{
	uint16_t port = rnd(2) ? (uint16_t)rnd(N_PORTS) : PORT_NONE;
	uint16_t vid = rnd(2) ? (uint16_t)rnd(N_VIDS) : FDB_ANY_VID;
	bool keep_ext = rnd(2);

	fdb_flush(fdb, port, vid, keep_ext, now);
	for (unsigned i = 0; i < N_MODEL; i++) {
		struct model_entry *m = &model[i];

		if ((port == PORT_NONE || m->port == port) &&
		    (vid == FDB_ANY_VID || i % N_VIDS == vid) && !(m->flags & FIRM) &&
		    !(keep_ext && (m->flags & FDB_EXT_LEARN)))
			m->flushed = true;
	}
}

static void step_sweep(bool to_the_end)
{
	struct fdb_entry gone[8];

	do {
		unsigned n = fdb_sweep(fdb, now, gone, 1 + rnd(8));

		for (unsigned i = 0; i < n; i++) {
			struct model_entry *m = find(&gone[i]);

			must(m->exists && !alive(m) && same(&gone[i], m));
			m->exists = false;
		}
	} while (to_the_end && fdb_next(fdb, now) <= now);
}

static void step_remove(void)
{
	struct fdb_match match = FDB_MATCH_ALL;
	struct fdb_entry gone[5];
	uint64_t cursor = 0;

	match.port = (uint16_t)rnd(N_PORTS);
	match.flags_mask = (uint16_t)rnd(128);
	match.flags_want = match.flags_mask & (uint16_t)rnd(128);
	while (cursor != UINT64_MAX) {
		unsigned n = fdb_remove(fdb, &match, now, &cursor, gone, 5);

		for (unsigned i = 0; i < n; i++) {
			struct model_entry *m = find(&gone[i]);

			must(m->exists && same(&gone[i], m) && m->port == match.port);
			must((m->flags & match.flags_mask) == match.flags_want);
			m->exists = false;
		}
	}
	for (unsigned i = 0; i < N_MODEL; i++)
		must(!model[i].exists || model[i].port != match.port ||
		     (model[i].flags & match.flags_mask) != match.flags_want);
}

static void step_time(void)
{
	static const uint64_t jump[] = { 1, 7, 10, 90, 500, 1000, 5000, 60000, 299000, 300000 };
	static const uint64_t value[] = { 0,      1,      25,     1000,     4000,
					  300000, 300000, 300000, 86400000, UINT64_MAX };
	uint64_t to = value[rnd(10)];

	now += jump[rnd(10)];
	if (rnd(100) == 0)
		now += UINT64_C(86400000) * rnd(300), step_sweep(true);
	if (rnd(20) != 0)
		return;
	if (to > ageing)
		step_sweep(true); /* else what expired since the last sweep comes back */
	ageing = to;
	fdb_set_ageing(fdb, ageing);
	max_learned = rnd(3) ? 0 : rnd(80);
	fdb_set_max_learned(fdb, max_learned);
}

/* Everything that can be read, read in two ways. */
static void check_all(void)
{
	struct fdb_entry entries[16];
	struct fdb_info info;
	uint64_t cursor = 0;
	unsigned n = 0, got, used = 0, port_used[N_PORTS] = { 0 };

	for (unsigned i = 0; i < N_MODEL; i++) {
		struct model_entry *m = &model[i];

		must(fdb_lookup(fdb, mac_of(i / N_VIDS), (uint16_t)(i % N_VIDS), now, entries) ==
		     alive(m));
		must(!alive(m) || same(entries, m));
		n += alive(m);
		used += m->exists;
		port_used[m->port] += m->exists;
	}
	while ((got = fdb_walk(fdb, NULL, now, &cursor, entries, 16))) {
		for (unsigned i = 0; i < got; i++)
			must(alive(find(&entries[i])) && same(&entries[i], find(&entries[i])));
		n -= got;
	}
	must(n == 0);
	fdb_get_info(fdb, &info);
	must(info.used == used && info.evicted == 0);
	must(info.learned >= count_learned(false) && info.learned <= count_learned(true));
	for (uint16_t port = 0; port < N_PORTS; port++)
		must(fdb_port_used(fdb, port) == port_used[port]);
}

static void step_touch(struct model_entry *m, uint64_t mac, uint16_t vid)
{
	struct fdb_hit hit;

	must(fdb_find(fdb, fdb_spot(fdb, mac, vid), now, &hit) == alive(m));
	if (!alive(m))
		return;
	must(hit.port == m->port && hit.flags == m->flags && fdb_remote(fdb, &hit) == m->remote);
	fdb_touch(fdb, &hit, now);
	if (now / 10 - m->used >= 100)
		m->used = now / 10;
}

START_TEST(random_program)
{
	const char *from = getenv("CK_SEED");

	seed = from ? strtoull(from, NULL, 0) : (uint64_t)_i + 1;
	state = seed * UINT64_C(0x9e3779b97f4a7c15);
	now = UINT64_C(10) << 32; /* where stamps begin again */
	now = now * (1 + seed % 2) - 3600000;
	ageing = 300000;
	fdb = fdb_new(FDB_SIZE_MIN, secret);
	for (step = 0; step < STEPS; step++) {
		unsigned i = rnd(N_MACS), vid = rnd(N_VIDS), what = rnd(1000);
		struct model_entry *m = &model[i * N_VIDS + vid];

		if (what < 600)
			step_learn(m, mac_of(i), (uint16_t)vid);
		else if (what < 650)
			step_put(m, mac_of(i), (uint16_t)vid);
		else if (what < 690)
			step_del(m, mac_of(i), (uint16_t)vid);
		else if (what < 900)
			step_touch(m, mac_of(i), (uint16_t)vid);
		else if (what < 930)
			step_flush();
		else if (what < 970)
			step_time();
		else if (what < 990)
			step_sweep(rnd(4) == 0);
		else if (what < 991)
			step_remove();
		if (what % 50 == 0)
			check_all();
	}
	fdb_free(fdb);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fdb_model");
	TCase *tc = tcase_create("fdb_model");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, random_program, 0, 6);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
