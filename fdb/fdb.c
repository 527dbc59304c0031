/* SPDX-License-Identifier: MIT */
#include "fdb/fdb.h"

#include <errno.h>
#include <stdlib.h>

#include "fdb/mac.h"
#include "fdb/place.h"
#include "fdb/probe.h"
#include "fdb/table.h"

#define FDB_AGEING_MS 300000u
#define FDB_USED_STAMPS 100u /* `used` is written once a second */

struct fdb *fdb_new(uint32_t size, const uint64_t secret[2])
{
	struct fdb *fdb = calloc(1, sizeof(*fdb));

	if (!fdb)
		return NULL;
	fdb->size = size < FDB_SIZE_MIN ? FDB_SIZE_MIN : size > FDB_SIZE_MAX ? FDB_SIZE_MAX : size;
	fdb->secret[0] = secret[0];
	fdb->secret[1] = secret[1] | 1;
	fdb->sweep.due_ms = UINT64_MAX;
	fdb->sweep.due_next_ms = UINT64_MAX;
	fdb_set_ageing(fdb, FDB_AGEING_MS);
	if (table_init(fdb) < 0) {
		fdb_free(fdb);
		return NULL;
	}
	return fdb;
}

void fdb_free(struct fdb *fdb)
{
	if (!fdb)
		return;
	table_fini(fdb);
	free(fdb);
}

struct fdb_spot fdb_spot(const struct fdb *fdb, uint64_t mac, uint16_t vid)
{
	struct fdb_spot spot = { .key = key_make(mac, vid) };

	probe_buckets(fdb, spot.key, spot.bucket);
	__builtin_prefetch(&fdb->bucket[spot.bucket[0]]);
	__builtin_prefetch(&fdb->bucket[spot.bucket[1]]);
	return spot;
}

struct fdb_spot fdb_spot_dst(const struct fdb *fdb, uint64_t mac, uint16_t vid)
{
	struct fdb_spot spot = fdb_spot(fdb, mac, vid);

	__builtin_prefetch(&fdb->cold[spot.bucket[0] * TABLE_WAYS]);
	return spot;
}

bool fdb_find(const struct fdb *fdb, struct fdb_spot spot, uint64_t now, struct fdb_hit *hit)
{
	uint64_t value;
	uint32_t slot = probe_either(fdb, spot.bucket, spot.key, &value);

	if (slot == SLOT_NONE || !table_alive(fdb, key_vid(spot.key), value, stamp_of(now)))
		return false;
	hit->port = value_port(value);
	hit->flags = value_flags(value);
	hit->slot = slot;
	return true;
}

void fdb_touch(struct fdb *fdb, const struct fdb_hit *hit, uint64_t now)
{
	_Atomic uint32_t *used = &fdb->cold[hit->slot].used;

	if (stamp_of(now) - atomic_load_explicit(used, memory_order_relaxed) >= FDB_USED_STAMPS)
		atomic_store_explicit(used, stamp_of(now), memory_order_relaxed);
}

uint32_t fdb_remote(const struct fdb *fdb, const struct fdb_hit *hit)
{
	return table_remote(fdb, hit->slot);
}

bool fdb_lookup(const struct fdb *fdb, uint64_t mac, uint16_t vid, uint64_t now,
		struct fdb_entry *entry)
{
	struct fdb_hit hit;

	if (!fdb_find(fdb, fdb_spot(fdb, mac, vid), now, &hit))
		return false;
	table_read(fdb, hit.slot, now, entry);
	return true;
}

/*
 * Frees the slot of a dead entry with @key, found or buried, so that a new one of that address is
 * never followed by the news of the old one's end.
 */
static void fdb_reap(struct fdb *fdb, uint64_t key, uint64_t now, struct fdb_changes *changes)
{
	uint64_t value;
	uint32_t slot = probe_find(fdb, key, &value);

	if (slot == SLOT_NONE)
		slot = probe_find(fdb, key & ~KEY_VALID, &value);
	if (slot == SLOT_NONE)
		return;
	table_report(fdb, slot, FDB_DELETED, now, changes);
	table_free(fdb, slot);
}

/* Stores a new entry and reports it. Returns whether there was room; @port as for place_find(). */
static bool fdb_add(struct fdb *fdb, uint64_t key, uint64_t value, uint32_t remote, uint16_t port,
		    uint64_t now, struct fdb_changes *changes)
{
	uint32_t slot = place_find(fdb, key, port, now, changes);

	if (slot == SLOT_NONE)
		return false;
	table_store(fdb, slot, key, value, remote, stamp_of(now));
	sweep_note(fdb, value, now);
	table_report(fdb, slot, FDB_ADDED, now, changes);
	return true;
}

static enum fdb_learn fdb_learn_new(struct fdb *fdb, uint64_t key, uint64_t value, uint32_t remote,
				    uint64_t now, struct fdb_changes *changes)
{
	fdb_reap(fdb, key, now, changes);
	if (fdb->max_learned && fdb->learned >= fdb->max_learned && fdb->sweep.bumps)
		sweep_settle(fdb, now); /* flushed entries do not count */
	if (fdb->max_learned && fdb->learned >= fdb->max_learned) {
		fdb->refused++;
		return FDB_LEARN_LIMIT;
	}
	if (!fdb_add(fdb, key, value, remote, value_port(value), now, changes)) {
		fdb->refused++;
		return FDB_LEARN_FULL;
	}
	return FDB_LEARN_NEW;
}

/* Moves the live entry of @slot, with @value, to @port and @remote. */
static enum fdb_learn fdb_roam(struct fdb *fdb, uint32_t slot, uint64_t value, uint16_t port,
			       uint32_t remote, uint64_t now, struct fdb_changes *changes)
{
	unsigned flags = value_flags(value) & (unsigned)~(FDB_EXT_LEARN | FDB_LOCKED);
	uint64_t ignored, key = table_get(fdb, slot, &ignored);

	value = value_make(port, flags, table_gen(fdb, port, key_vid(key)), stamp_of(now));
	table_update(fdb, slot, value);
	atomic_store_explicit(&fdb->cold[slot].remote, remote, memory_order_relaxed);
	sweep_note(fdb, value, now);
	table_report(fdb, slot, FDB_CHANGED, now, changes);
	fdb->moved++;
	return FDB_LEARN_MOVED;
}

enum fdb_learn fdb_learn(struct fdb *fdb, struct fdb_spot spot, uint16_t port, uint32_t remote,
			 uint16_t flags, uint64_t now, struct fdb_changes *changes)
{
	uint32_t slot, stamp = stamp_of(now);
	uint16_t vid = key_vid(spot.key);
	uint64_t value;
	bool moved;

	changes->n = 0;
	if (!fdb->ageing_ms)
		return FDB_LEARN_OFF;
	slot = probe_either(fdb, spot.bucket, spot.key, &value);
	if (slot == SLOT_NONE || !table_alive(fdb, vid, value, stamp)) {
		value = value_make(port, FDB_LEARNED | flags, table_gen(fdb, port, vid), stamp);
		return fdb_learn_new(fdb, spot.key, value, remote, now, changes);
	}
	if (value_is(value, FDB_LOCAL))
		return FDB_LEARN_LOCAL;
	moved = value_port(value) != port || (remote && remote != table_remote(fdb, slot));
	if (moved && !value_is(value, FDB_STICKY))
		return fdb_roam(fdb, slot, value, port, remote, now, changes);
	if (stamp - (uint32_t)value >= fdb->refresh)
		table_refresh(fdb, slot, value, stamp);
	return moved ? FDB_LEARN_STUCK : FDB_LEARN_KNOWN;
}

int fdb_put(struct fdb *fdb, const struct fdb_entry *e, uint64_t now, struct fdb_changes *changes)
{
	uint64_t key = key_make(e->mac, e->vid), value, old;
	uint32_t slot, stamp = stamp_of(now);
	bool same;

	changes->n = 0;
	if (!e->mac || e->mac > MAC_BROADCAST || mac_is_group(e->mac) || e->vid > 4095 ||
	    e->port >= PORT_MAX)
		return -EINVAL;
	value = value_make(e->port, e->flags & FDB_FLAGS, table_gen(fdb, e->port, e->vid), stamp);
	slot = probe_find(fdb, key, &old);
	if (slot == SLOT_NONE || !table_alive(fdb, e->vid, old, stamp)) {
		fdb_reap(fdb, key, now, changes);
		return fdb_add(fdb, key, value, e->remote, PORT_NONE, now, changes) ? 0 : -ENOSPC;
	}
	same = value_port(old) == e->port && value_flags(old) == (e->flags & FDB_FLAGS) &&
	       table_remote(fdb, slot) == e->remote;
	table_update(fdb, slot, value);
	atomic_store_explicit(&fdb->cold[slot].remote, e->remote, memory_order_relaxed);
	atomic_store_explicit(&fdb->cold[slot].used, stamp, memory_order_relaxed);
	sweep_note(fdb, value, now);
	if (!same)
		table_report(fdb, slot, FDB_CHANGED, now, changes);
	return 0;
}

int fdb_del(struct fdb *fdb, uint64_t mac, uint16_t vid, uint64_t now, struct fdb_changes *changes)
{
	struct fdb_hit hit;

	changes->n = 0;
	if (!fdb_find(fdb, fdb_spot(fdb, mac, vid), now, &hit))
		return -ENOENT;
	table_report(fdb, hit.slot, FDB_DELETED, now, changes);
	table_free(fdb, hit.slot);
	return 0;
}

void fdb_set_max_learned(struct fdb *fdb, uint32_t max)
{
	fdb->max_learned = max;
}

/* Counts what fdb->learned would be if flushed entries were swept. */
static uint32_t fdb_count_learned(const struct fdb *fdb)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < table_slots(fdb); slot++) {
		uint64_t value, key = table_get(fdb, slot, &value);

		if ((key & KEY_VALID) && value_is(value, FDB_LEARNED) &&
		    value_gen(value) == table_gen(fdb, value_port(value), key_vid(key)))
			n++;
	}
	return n;
}

void fdb_get_info(const struct fdb *fdb, struct fdb_info *info)
{
	*info = (struct fdb_info){
		.size = fdb->size,
		.used = fdb->used,
		.learned = fdb->sweep.bumps ? fdb_count_learned(fdb) : fdb->learned,
		.evicted = fdb->evicted,
		.refused = fdb->refused,
		.moved = fdb->moved,
	};
}

uint32_t fdb_port_used(const struct fdb *fdb, uint16_t port)
{
	return fdb->port_used[port];
}
