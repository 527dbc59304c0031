/* SPDX-License-Identifier: MIT */
/*
 * probe: from a key to its slot, private to fdb/ and inline because every frame does it twice.
 *
 * The surprising rule: which of a bucket's four keys matches is computed, not branched upon, since
 * it cannot be predicted. A reader beside the writer may miss an entry that is just being
 * displaced.
 */
#ifndef FDB_PROBE_H
#define FDB_PROBE_H

#include <stdint.h>

#include "fdb/table.h"

#define PROBE_INLINE static inline __attribute__((always_inline))

/* Returns the 128-bit product of @a and @b with its halves folded. */
PROBE_INLINE uint64_t probe_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/*
 * Stores the two buckets of @key, buried or not, in @b. One round would do for most secrets but not
 * for all; the constant of the second is 2^64 divided by the golden ratio.
 */
PROBE_INLINE void probe_buckets(const struct fdb *fdb, uint64_t key, uint32_t b[2])
{
	uint64_t hash = probe_fold((key | KEY_VALID) ^ fdb->secret[0], fdb->secret[1]);

	hash = probe_fold(hash, UINT64_C(0x9e3779b97f4a7c15));
	b[0] = (uint32_t)((hash >> 32) * fdb->n_buckets >> 32);
	b[1] = (uint32_t)((hash & UINT32_MAX) * fdb->n_buckets >> 32);
}

/* Returns the slot of bucket @b that holds @key, and its @value; or SLOT_NONE. */
PROBE_INLINE uint32_t probe_bucket(const struct fdb *fdb, uint32_t b, uint64_t key, uint64_t *value)
{
	const struct table_bucket *bucket = &fdb->bucket[b];
	uint32_t way = 0;

#pragma GCC unroll 4
	for (uint32_t i = 1; i < TABLE_WAYS; i++)
		way += i * (atomic_load_explicit(&bucket->key[i], memory_order_acquire) == key);
	if (atomic_load_explicit(&bucket->key[way], memory_order_acquire) != key)
		return SLOT_NONE;
	*value = atomic_load_explicit(&bucket->value[way], memory_order_acquire);
	if (atomic_load_explicit(&bucket->key[way], memory_order_relaxed) != key)
		return SLOT_NONE; /* reused meanwhile: as good as absent */
	return b * TABLE_WAYS + way;
}

/* Returns the slot of one of the buckets @b that holds @key, dead or alive, and its @value. */
PROBE_INLINE uint32_t probe_either(const struct fdb *fdb, const uint32_t b[2], uint64_t key,
				   uint64_t *value)
{
	uint32_t slot = probe_bucket(fdb, b[0], key, value);

	return slot == SLOT_NONE ? probe_bucket(fdb, b[1], key, value) : slot;
}

/* The same where the buckets of @key are not known yet; or SLOT_NONE. */
PROBE_INLINE uint32_t probe_find(const struct fdb *fdb, uint64_t key, uint64_t *value)
{
	uint32_t b[2];

	probe_buckets(fdb, key, b);
	return probe_either(fdb, b, key, value);
}

#endif
