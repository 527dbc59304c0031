/* SPDX-License-Identifier: MIT */
/*
 * table: the slots of the forwarding database and the counts of what is in them, private to fdb/.
 *
 * The surprising rule is the order of stores: a value is stored before its key is published and a
 * key is cleared before its slot is used again, so a reader that still finds the key after loading
 * the value has a matching pair.
 *
 * An entry is dead when over age or when its generation is no longer that of its port and VLAN:
 * readers skip it, the sweep frees it. A buried entry was marked dead for good. Functions that
 * change the table are called by the one writer.
 */
#ifndef FDB_TABLE_H
#define FDB_TABLE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fdb/entry.h"
#include "fdb/slot.h"
#include "fdb/sweep.h"

#define TABLE_WAYS 4u

/* One cache line. */
struct table_bucket {
	alignas(64) _Atomic uint64_t key[TABLE_WAYS];
	_Atomic uint64_t value[TABLE_WAYS];
};

/* What the frame path seldom reads of a slot. */
struct table_cold {
	_Atomic uint32_t used; /* stamp */
	_Atomic uint32_t remote;
};

struct fdb {
	struct table_bucket *bucket;
	struct table_cold *cold;
	uint64_t secret[2];
	uint32_t n_buckets;
	uint32_t hold;    /* an entry lives while its age + STAMP_SLACK is at most this */
	uint32_t refresh; /* age from which a frame writes `updated` again */
	uint64_t ageing_ms;
	uint32_t size, used;
	uint32_t fixed;   /* entries that are never evicted */
	uint32_t ext;     /* extern_learn ones among them */
	uint32_t n_ports; /* ports with entries that may be evicted */
	uint32_t learned, max_learned;
	uint32_t hand; /* slot from which the next victim is sought */
	uint64_t evicted, refused, moved;
	struct sweep sweep;
	uint32_t port_used[PORT_MAX];
	uint32_t port_prey[PORT_MAX]; /* those that may be evicted */
	uint8_t port_gen[PORT_MAX];   /* generations survive reuse of a number */
	uint8_t vlan_gen[4096];
};

/* Returns the generation of an entry made now on @port in @vid. */
static inline uint8_t table_gen(const struct fdb *fdb, uint16_t port, uint16_t vid)
{
	return (uint8_t)(fdb->port_gen[port] + fdb->vlan_gen[vid]);
}

/*
 * Returns whether an entry in @vid with @value, not buried, is neither flushed nor over age at
 * @stamp.
 */
static inline bool table_alive(const struct fdb *fdb, uint16_t vid, uint64_t value, uint32_t stamp)
{
	if (value_is(value, FDB_FIRM))
		return true;
	if (value_gen(value) != table_gen(fdb, value_port(value), vid))
		return false;
	return stamp - (uint32_t)value + STAMP_SLACK <= fdb->hold || value_is(value, FDB_EXT_LEARN);
}

/* Returns whether the entry (@key, @value) is dead at @stamp, buried ones included. */
static inline bool table_dead(const struct fdb *fdb, uint64_t key, uint64_t value, uint32_t stamp)
{
	return !(key & KEY_VALID) || !table_alive(fdb, key_vid(key), value, stamp);
}

/* Allocates slots for fdb->size entries. Returns 0 or -ENOMEM. */
int table_init(struct fdb *fdb);
void table_fini(struct fdb *fdb);

/* Returns how many slots there are. */
uint32_t table_slots(const struct fdb *fdb);

/* Returns the key (0 = free) and the @value of @slot. */
uint64_t table_get(const struct fdb *fdb, uint32_t slot, uint64_t *value);

/* Returns the end point in @slot. */
uint32_t table_remote(const struct fdb *fdb, uint32_t slot);

/* Reads @slot, whatever its state, into @entry. */
void table_read(const struct fdb *fdb, uint32_t slot, uint64_t now, struct fdb_entry *entry);

/* Notes in @changes that @kind happened to the entry in @slot, as it is now. */
void table_report(const struct fdb *fdb, uint32_t slot, enum fdb_change_kind kind, uint64_t now,
		  struct fdb_changes *changes);

/* Stores a new entry in the free @slot and publishes it; it was used at @stamp. */
void table_store(struct fdb *fdb, uint32_t slot, uint64_t key, uint64_t value, uint32_t remote,
		 uint32_t stamp);

/*
 * Gives the entry in @slot another @value; table_refresh() where only the stamp of @value becomes
 * @stamp.
 */
void table_update(struct fdb *fdb, uint32_t slot, uint64_t value);
void table_refresh(struct fdb *fdb, uint32_t slot, uint64_t value, uint32_t stamp);

/* Moves the entry in slot @from to the free slot @to. */
void table_move(struct fdb *fdb, uint32_t from, uint32_t to);

/* Frees @slot. */
void table_free(struct fdb *fdb, uint32_t slot);

/* Marks the entry in @slot dead for good; nobody finds it, only the sweep meets it. */
void table_bury(struct fdb *fdb, uint32_t slot);

#endif
