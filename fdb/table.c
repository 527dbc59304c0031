/* SPDX-License-Identifier: MIT */
#include "fdb/table.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t)2 << 20)

/*
 * Memory of at least @len bytes, zeroed and resident; in huge pages where that saves many TLB
 * misses.
 */
static void *table_alloc(size_t len)
{
	size_t align = len >= 2 * HUGE_PAGE ? HUGE_PAGE : 64;
	void *p;

	len = (len + align - 1) / align * align;
	p = aligned_alloc(align, len);
	if (!p)
		return NULL;
	if (align == HUGE_PAGE)
		madvise(p, len, MADV_HUGEPAGE); /* a hint: failing costs speed only */
	memset(p, 0, len);
	return p;
}

int table_init(struct fdb *fdb)
{
	/* With one slot in three free, nine entries in ten stand in their first bucket. */
	fdb->n_buckets = (fdb->size + fdb->size / 2) / TABLE_WAYS;
	fdb->bucket = table_alloc(fdb->n_buckets * sizeof(*fdb->bucket));
	fdb->cold = table_alloc(table_slots(fdb) * sizeof(*fdb->cold));
	return fdb->bucket && fdb->cold ? 0 : -ENOMEM;
}

void table_fini(struct fdb *fdb)
{
	free(fdb->bucket);
	free(fdb->cold);
}

uint32_t table_slots(const struct fdb *fdb)
{
	return fdb->n_buckets * TABLE_WAYS;
}

static _Atomic uint64_t *table_key(const struct fdb *fdb, uint32_t slot)
{
	return &fdb->bucket[slot / TABLE_WAYS].key[slot % TABLE_WAYS];
}

static _Atomic uint64_t *table_value(const struct fdb *fdb, uint32_t slot)
{
	return &fdb->bucket[slot / TABLE_WAYS].value[slot % TABLE_WAYS];
}

uint64_t table_get(const struct fdb *fdb, uint32_t slot, uint64_t *value)
{
	uint64_t key = atomic_load_explicit(table_key(fdb, slot), memory_order_acquire);

	*value = atomic_load_explicit(table_value(fdb, slot), memory_order_acquire);
	return key;
}

uint32_t table_remote(const struct fdb *fdb, uint32_t slot)
{
	return atomic_load_explicit(&fdb->cold[slot].remote, memory_order_relaxed);
}

void table_read(const struct fdb *fdb, uint32_t slot, uint64_t now, struct fdb_entry *entry)
{
	uint64_t value, key = table_get(fdb, slot, &value);
	uint32_t used = atomic_load_explicit(&fdb->cold[slot].used, memory_order_relaxed);

	*entry = (struct fdb_entry){
		.mac = key_mac(key),
		.vid = key_vid(key),
		.port = value_port(value),
		.flags = value_flags(value) & (uint16_t)~FDB_BURIED,
		.remote = table_remote(fdb, slot),
		.updated_ms = stamp_ms((uint32_t)value, now),
		.used_ms = stamp_ms(used, now),
	};
}

void table_report(const struct fdb *fdb, uint32_t slot, enum fdb_change_kind kind, uint64_t now,
		  struct fdb_changes *changes)
{
	changes->c[changes->n].kind = kind;
	table_read(fdb, slot, now, &changes->c[changes->n].entry);
	changes->n++;
}

/* Counts an entry with @value in (@by = 1) or out (@by = -1). */
static void table_count(struct fdb *fdb, uint64_t value, int by)
{
	uint16_t port = value_port(value);

	fdb->port_used[port] += (uint32_t)by;
	if (value_is(value, FDB_LEARNED) && !value_is(value, FDB_BURIED))
		fdb->learned += (uint32_t)by;
	if (value_is(value, FDB_EXT_LEARN))
		fdb->ext += (uint32_t)by;
	if (value_is(value, FDB_KEEP)) {
		fdb->fixed += (uint32_t)by;
		return;
	}
	if (by < 0 && --fdb->port_prey[port] == 0)
		fdb->n_ports--;
	else if (by > 0 && fdb->port_prey[port]++ == 0)
		fdb->n_ports++;
}

void table_store(struct fdb *fdb, uint32_t slot, uint64_t key, uint64_t value, uint32_t remote,
		 uint32_t stamp)
{
	struct table_cold *cold = &fdb->cold[slot];

	atomic_store_explicit(&cold->used, stamp, memory_order_relaxed);
	atomic_store_explicit(&cold->remote, remote, memory_order_relaxed);
	atomic_store_explicit(table_value(fdb, slot), value, memory_order_release);
	atomic_store_explicit(table_key(fdb, slot), key, memory_order_release);
	table_count(fdb, value, 1);
	fdb->used++;
}

void table_update(struct fdb *fdb, uint32_t slot, uint64_t value)
{
	_Atomic uint64_t *p = table_value(fdb, slot);

	table_count(fdb, atomic_load_explicit(p, memory_order_relaxed), -1);
	table_count(fdb, value, 1);
	atomic_store_explicit(p, value, memory_order_release);
}

void table_refresh(struct fdb *fdb, uint32_t slot, uint64_t value, uint32_t stamp)
{
	atomic_store_explicit(table_value(fdb, slot), value >> 32 << 32 | stamp,
			      memory_order_release);
}

void table_free(struct fdb *fdb, uint32_t slot)
{
	uint64_t value = atomic_load_explicit(table_value(fdb, slot), memory_order_relaxed);

	atomic_store_explicit(table_key(fdb, slot), 0, memory_order_release);
	table_count(fdb, value, -1);
	fdb->used--;
}

void table_move(struct fdb *fdb, uint32_t from, uint32_t to)
{
	uint64_t value, key = table_get(fdb, from, &value);
	uint32_t used = atomic_load_explicit(&fdb->cold[from].used, memory_order_relaxed);

	table_store(fdb, to, key, value, table_remote(fdb, from), used);
	table_free(fdb, from);
}

void table_bury(struct fdb *fdb, uint32_t slot)
{
	uint64_t value, key = table_get(fdb, slot, &value);

	atomic_store_explicit(table_key(fdb, slot), key & ~KEY_VALID, memory_order_release);
	table_update(fdb, slot, value | (uint64_t)FDB_BURIED << 40);
}
