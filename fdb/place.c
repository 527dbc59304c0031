/* SPDX-License-Identifier: MIT */
#include "fdb/place.h"

#include "fdb/probe.h"
#include "fdb/table.h"

#define PLACE_STEPS 96u  /* buckets looked at for a chain of displacements */
#define PLACE_SCAN 4096u /* slots looked at for a victim of a learned entry */

/* Who may be evicted: entries of port `own`, and of ports that have at least `least` of them. */
struct prey {
	uint16_t own;
	uint32_t least;
};

/* Returns the rule of eviction for a newcomer of @port (PORT_NONE: the user's). */
static struct prey place_prey(const struct fdb *fdb, uint16_t port)
{
	struct prey prey = { .own = port, .least = 1 };
	uint32_t n, share;

	if (port == PORT_NONE) {
		for (unsigned i = 0; i < PORT_MAX; i++)
			if (fdb->port_prey[i] > prey.least)
				prey.least = fdb->port_prey[i];
		return prey;
	}
	n = fdb->n_ports + !fdb->port_prey[port];
	share = (fdb->size - fdb->fixed + n - 1) / n;
	if (fdb->port_prey[port] >= share)
		prey.least = fdb->port_prey[port] + 1;
	else
		prey = (struct prey){ .own = PORT_NONE, .least = share };
	return prey;
}

static bool place_is_prey(const struct fdb *fdb, const struct prey *prey, uint64_t value)
{
	uint16_t port = value_port(value);

	if (value_is(value, FDB_KEEP))
		return false;
	return port == prey->own || fdb->port_prey[port] >= prey->least;
}

/* Frees @slot, whose entry is in the way, and says so. */
static void place_evict(struct fdb *fdb, uint32_t slot, uint64_t now, struct fdb_changes *changes)
{
	uint64_t value, key = table_get(fdb, slot, &value);

	fdb->evicted += !table_dead(fdb, key, value, stamp_of(now));
	table_report(fdb, slot, FDB_DELETED, now, changes);
	table_free(fdb, slot);
}

/*
 * Returns a slot of the two buckets @b that is free (@dead false) or whose entry is dead; or
 * SLOT_NONE.
 */
static uint32_t place_near(const struct fdb *fdb, const uint32_t b[2], bool dead, uint64_t now)
{
	for (unsigned i = 0; i < 2 * TABLE_WAYS; i++) {
		uint32_t slot = b[i / TABLE_WAYS] * TABLE_WAYS + i % TABLE_WAYS;
		uint64_t value, key = table_get(fdb, slot, &value);

		if (dead ? key && table_dead(fdb, key, value, stamp_of(now)) : !key)
			return slot;
	}
	return SLOT_NONE;
}

/* Returns the prey in the two buckets @b that was refreshed longest ago, or SLOT_NONE. */
static uint32_t place_prey_near(const struct fdb *fdb, const uint32_t b[2], const struct prey *prey,
				uint64_t now)
{
	uint32_t best = SLOT_NONE, oldest = 0;

	for (unsigned i = 0; i < 2 * TABLE_WAYS; i++) {
		uint32_t slot = b[i / TABLE_WAYS] * TABLE_WAYS + i % TABLE_WAYS;
		uint64_t value, key = table_get(fdb, slot, &value);
		uint32_t age = stamp_of(now) - (uint32_t)value;

		if (!key || !place_is_prey(fdb, prey, value))
			continue;
		if (best == SLOT_NONE || age > oldest) {
			best = slot;
			oldest = age;
		}
	}
	return best;
}

/* Returns the next dead entry or prey among @max slots from the hand on, or SLOT_NONE. */
static uint32_t place_prey_far(struct fdb *fdb, const struct prey *prey, uint32_t max, uint64_t now)
{
	for (uint32_t i = 0; i < max; i++) {
		uint32_t slot = fdb->hand;
		uint64_t value, key = table_get(fdb, slot, &value);

		fdb->hand = slot + 1 < table_slots(fdb) ? slot + 1 : 0;
		if (key &&
		    (table_dead(fdb, key, value, stamp_of(now)) || place_is_prey(fdb, prey, value)))
			return slot;
	}
	return SLOT_NONE;
}

/* Makes an entry go so that @port may have one more. Returns whether one went. */
static bool place_make_room(struct fdb *fdb, const uint32_t b[2], uint16_t port, uint64_t now,
			    struct fdb_changes *changes)
{
	const struct prey none = { .own = PORT_NONE, .least = UINT32_MAX };
	struct prey prey = place_prey(fdb, port);
	uint32_t slot = SLOT_NONE;

	if (fdb->sweep.bumps) /* there may be dead ones that no pass has met */
		slot = place_prey_far(fdb, &none, PLACE_SCAN, now);
	if (slot == SLOT_NONE)
		slot = place_prey_near(fdb, b, &prey, now);
	if (slot == SLOT_NONE && port == PORT_NONE)
		slot = place_prey_far(fdb, &prey, table_slots(fdb), now);
	else if (slot == SLOT_NONE && prey.own == PORT_NONE)
		slot = place_prey_far(fdb, &prey, PLACE_SCAN, now);
	if (slot == SLOT_NONE)
		return false;
	place_evict(fdb, slot, now, changes);
	return true;
}

/*
 * One bucket on the way of displacements: its full, and `way` of its parent holds an entry that may
 * come here.
 */
struct step {
	uint32_t bucket;
	uint16_t parent, way;
};

/*
 * Moves entries along the chain that ends with @way of step @at and the free slot @to. Returns the
 * slot freed.
 */
static uint32_t place_shift(struct fdb *fdb, const struct step *steps, unsigned at, unsigned way,
			    uint32_t to, uint64_t now)
{
	for (;;) {
		uint32_t from = steps[at].bucket * TABLE_WAYS + way;
		uint64_t value;

		table_get(fdb, from, &value);
		table_move(fdb, from, to);
		sweep_note(fdb, value, now); /* the pass may have gone by */
		to = from;
		if (steps[at].parent == at)
			return to;
		way = steps[at].way;
		at = steps[at].parent;
	}
}

static bool place_seen(const struct step *steps, unsigned n, uint32_t bucket)
{
	for (unsigned i = 0; i < n; i++)
		if (steps[i].bucket == bucket)
			return true;
	return false;
}

/*
 * Frees a slot of the two full buckets @b by moving entries to their other buckets, breadth first.
 * Dead entries stay where they are, else one could slip past the sweep. Returns the slot or
 * SLOT_NONE.
 */
static uint32_t place_displace(struct fdb *fdb, const uint32_t b[2], uint64_t now)
{
	struct step steps[PLACE_STEPS] = { { .bucket = b[0] }, { .bucket = b[1], .parent = 1 } };
	unsigned n = b[0] == b[1] ? 1 : 2;

	for (unsigned i = 0; i < n; i++) {
		for (unsigned way = 0; way < TABLE_WAYS; way++) {
			uint32_t slot = steps[i].bucket * TABLE_WAYS + way, to[2], other;
			uint64_t value, key = table_get(fdb, slot, &value);

			if (table_dead(fdb, key, value, stamp_of(now)))
				continue;
			probe_buckets(fdb, key, to);
			other = to[0] == steps[i].bucket ? to[1] : to[0];
			slot = place_near(fdb, (uint32_t[2]){ other, other }, false, now);
			if (slot != SLOT_NONE)
				return place_shift(fdb, steps, i, way, slot, now);
			if (n < PLACE_STEPS && !place_seen(steps, n, other))
				steps[n++] = (struct step){ other, (uint16_t)i, (uint16_t)way };
		}
	}
	return SLOT_NONE;
}

uint32_t place_find(struct fdb *fdb, uint64_t key, uint16_t port, uint64_t now,
		    struct fdb_changes *changes)
{
	uint32_t b[2], slot = SLOT_NONE;

	probe_buckets(fdb, key, b);
	if (fdb->used < fdb->size)
		slot = place_near(fdb, b, false, now);
	if (slot != SLOT_NONE)
		return slot;
	slot = place_near(fdb, b, true, now);
	if (slot != SLOT_NONE) {
		place_evict(fdb, slot, now, changes);
		return slot;
	}
	if (fdb->used >= fdb->size && !place_make_room(fdb, b, port, now, changes))
		return SLOT_NONE;
	slot = place_near(fdb, b, false, now);
	return slot == SLOT_NONE ? place_displace(fdb, b, now) : slot;
}
