/* SPDX-License-Identifier: MIT */
/*
 * fdb: which port a MAC address is behind, per VLAN.
 *
 * A fixed table of cache-line buckets, four 8-byte keys and four 8-byte values each, reached by a
 * hash that is keyed with a secret, so that no guest can aim collisions. Nothing is allocated after
 * fdb_new(). The surprising rules: an entry that is over age, or whose port or VLAN was flushed
 * since, is absent to every reader at once although its slot is only reclaimed by the sweep; and
 * eviction is fair: a port that floods source addresses only ever replaces entries of its own, or
 * of a port with more. What the user added is never evicted.
 *
 * Changes are given back, never called out. Times are milliseconds of the caller's monotonic clock,
 * passed in. One writer at a time; readers may run beside it. Called by switch/ and tests.
 */
#ifndef FDB_FDB_H
#define FDB_FDB_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb/entry.h"

#define FDB_SIZE_MIN 1024u
#define FDB_SIZE_MAX 4194304u
#define FDB_SIZE_DEFAULT 65536u

struct fdb;

/*
 * Returns a table of @size entries (FDB_SIZE_MIN..FDB_SIZE_MAX, else clamped) whose hash is keyed
 * with @secret; NULL when memory is short. All of it is resident from the start. Free with
 * fdb_free(), which accepts NULL.
 */
struct fdb *fdb_new(uint32_t size, const uint64_t secret[2]);
void fdb_free(struct fdb *fdb);

/*
 * Returns where (@mac, @vid 0..4095) may stand, and brings that towards the cache: best about eight
 * frames before fdb_learn(), or with fdb_spot_dst() before fdb_find() and fdb_touch().
 */
struct fdb_spot fdb_spot(const struct fdb *fdb, uint64_t mac, uint16_t vid);
struct fdb_spot fdb_spot_dst(const struct fdb *fdb, uint64_t mac, uint16_t vid);

/*
 * The frame path's lookup (br_fdb_find_rcu). Returns whether the address of @spot has a live entry;
 * fills @hit then.
 */
bool fdb_find(const struct fdb *fdb, struct fdb_spot spot, uint64_t now, struct fdb_hit *hit);

/*
 * Notes that the entry of @hit was used as a destination at @now, which does not refresh its age
 * (br_handle_frame_finish).
 */
void fdb_touch(struct fdb *fdb, const struct fdb_hit *hit, uint64_t now);

/* Returns the end point behind the port of @hit. */
uint32_t fdb_remote(const struct fdb *fdb, const struct fdb_hit *hit);

/* Reads the whole entry (@mac, @vid) into @entry; returns false when there is no live one. */
bool fdb_lookup(const struct fdb *fdb, uint64_t mac, uint16_t vid, uint64_t now,
		struct fdb_entry *entry);

/*
 * Learns that the address of @spot is behind @port/@remote (br_fdb_update). @flags is 0 or
 * FDB_LOCKED (then a new entry is a MAB entry). A @remote of 0 leaves the end point of an entry on
 * @port as it is. Changes that listeners must hear of are left in @changes (n = 0 on the fast
 * path).
 */
enum fdb_learn fdb_learn(struct fdb *fdb, struct fdb_spot spot, uint16_t port, uint32_t remote,
			 uint16_t flags, uint64_t now, struct fdb_changes *changes);

/*
 * Creates or overwrites the entry (@e->mac, @e->vid) with @e's port, remote and flags; its updated
 * and used times become @now. Makes room by taking a learned entry from the port that has most of
 * them. An entry that already is as @e says is no change to listeners.
 * Returns 0, -EINVAL (zero or group MAC, bad VID or port), -ENOSPC (only entries that may not go
 * are left).
 */
int fdb_put(struct fdb *fdb, const struct fdb_entry *e, uint64_t now, struct fdb_changes *changes);

/* Deletes (@mac, @vid), whatever its kind. Returns 0 or -ENOENT. */
int fdb_del(struct fdb *fdb, uint64_t mac, uint16_t vid, uint64_t now, struct fdb_changes *changes);

/*
 * Forgets, in constant time, every entry of @port / @vid / all that is neither static nor local
 * (dynamic, also sticky ones; extern_learn ones too unless @keep_ext). They are absent at once;
 * fdb_sweep() reports each. @port PORT_NONE = any port, @vid FDB_ANY_VID = any VLAN. A port and a
 * VLAN together, or @keep_ext while there are extern_learn entries, takes one pass over the table
 * instead.
 */
void fdb_flush(struct fdb *fdb, uint16_t port, uint16_t vid, bool keep_ext, uint64_t now);

/*
 * Forgets the same kinds of entries, extern_learn ones excepted, of @port (0..PORT_MAX-1) in VLANs
 * @first..@last (0..4095): one pass over the table, however many VLANs (br_fdb_delete_by_port).
 */
void fdb_flush_vlans(struct fdb *fdb, uint16_t port, uint16_t first, uint16_t last);

/*
 * Deletes, at once, up to @max entries that @match selects whatever their kind, also dead ones that
 * the sweep has not met yet, starting at *@cursor (0 at first). Each is stored in @gone. Returns
 * how many; *@cursor becomes UINT64_MAX when the table was walked.
 */
unsigned fdb_remove(struct fdb *fdb, const struct fdb_match *match, uint64_t now, uint64_t *cursor,
		    struct fdb_entry *gone, unsigned max);

/*
 * Sets the ageing (hold) time, 300,000 ms at first; 0 = nothing is learned and dynamic entries are
 * gone; 496 days or more (also UINT64_MAX) = never. A higher one brings back what expired since the
 * last sweep.
 */
void fdb_set_ageing(struct fdb *fdb, uint64_t ageing_ms);

/*
 * Sets how many entries may be learned from frames; 0 = as many as fit (IFLA_BR_FDB_MAX_LEARNED).
 */
void fdb_set_max_learned(struct fdb *fdb, uint32_t max);

/*
 * A bounded amount of sweeping: reclaims dead slots and stores up to @max (>= 1) of the entries
 * gone in @gone. Returns how many were stored; does nothing before fdb_next() says so.
 */
unsigned fdb_sweep(struct fdb *fdb, uint64_t now, struct fdb_entry *gone, unsigned max);

/*
 * When to call fdb_sweep() next: @now while a pass is unfinished, UINT64_MAX = nothing can expire.
 */
uint64_t fdb_next(const struct fdb *fdb, uint64_t now);

/*
 * Reads up to @max live entries that @match (NULL = all) selects into @entries, from *@cursor on (0
 * at first). Returns how many; 0 at the end. Entries added or displaced during a walk may be missed
 * or seen twice.
 */
unsigned fdb_walk(const struct fdb *fdb, const struct fdb_match *match, uint64_t now,
		  uint64_t *cursor, struct fdb_entry *entries, unsigned max);

/* Reads the table's own counters into @info. */
void fdb_get_info(const struct fdb *fdb, struct fdb_info *info);

/* Returns how many entries @port (0..PORT_MAX-1) has in slots, dead ones not yet swept included. */
uint32_t fdb_port_used(const struct fdb *fdb, uint16_t port);

#endif
