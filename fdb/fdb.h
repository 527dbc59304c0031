/* SPDX-License-Identifier: MIT */
/*
 * fdb: which port a MAC address is behind, per VLAN.
 *
 * A fixed table of cache-line buckets, four 8-byte keys and four 8-byte values each, reached by a hash that
 * is keyed with a secret, so that no guest can aim collisions. Nothing is allocated after fdb_new(). The
 * surprising rules: an entry that is over age, or whose port or VLAN was flushed since, is absent to every
 * reader at once although its slot is only reclaimed by the sweep; and eviction is fair: a port that floods
 * source addresses only ever replaces entries of its own, or of a port with more.
 *
 * Changes are given back in `struct fdb_changes`, never called out. Times are milliseconds of the caller's
 * monotonic clock, passed in. One writer at a time; readers may run beside it. Called by switch/ and tests.
 */
#ifndef FDB_FDB_H
#define FDB_FDB_H

#include <stdbool.h>
#include <stdint.h>

#define FDB_SIZE_MIN 1024u
#define FDB_SIZE_MAX 4194304u
#define FDB_SIZE_DEFAULT 65536u

/* Entry flags, named after the kernel's BR_FDB_* (net/bridge/br_private.h). */
enum fdb_flag {
	FDB_LOCAL = 1 << 0,     /* address of the switch itself: frames go to the host port only */
	FDB_STATIC = 1 << 1,    /* never ages */
	FDB_STICKY = 1 << 2,    /* does not move to another port */
	FDB_USER = 1 << 3,      /* added by the user */
	FDB_EXT_LEARN = 1 << 4, /* added by an outside control plane; never ages, flag lost on a move */
	FDB_LOCKED = 1 << 5,    /* MAC authentication bypass: known, not authorised */
	FDB_LEARNED = 1 << 6,   /* learned from a frame; what fdb_max_learned counts */
};

struct fdb;

/* One entry as readers see it. */
struct fdb_entry {
	uint64_t mac;
	uint16_t vid;        /* 0..4095; 0 = without VLAN filtering */
	uint16_t port;       /* 0 = the host port */
	uint16_t flags;      /* enum fdb_flag */
	uint32_t remote;     /* end point behind the port, 0 where a port has one peer */
	uint64_t updated_ms; /* last seen as a source, in the clock of `now`, 10 ms coarse */
	uint64_t used_ms;    /* last used as a destination, or updated_ms if never; about 1 s coarse */
};

enum fdb_change_kind { FDB_ADDED, FDB_CHANGED, FDB_DELETED };

/* What one call did to the table, in order; at most two changes (a victim evicted, an entry added). */
struct fdb_changes {
	unsigned n;
	struct {
		enum fdb_change_kind kind;
		struct fdb_entry entry; /* FDB_DELETED: as it was; else as it is now */
	} c[2];
};

/* Which entries fdb_flush() or fdb_walk() means; zero-initialised (with ports unset) means all. */
struct fdb_match {
	uint16_t port;       /* only this port; PORT_NONE = any */
	uint16_t vid;        /* only this VLAN; FDB_ANY_VID = any */
	uint16_t flags_mask; /* only where (flags & flags_mask) == flags_want */
	uint16_t flags_want;
};
#define FDB_ANY_VID UINT16_MAX

/* The answer of the frame path's lookup. */
struct fdb_hit {
	uint16_t port;
	uint16_t flags;
	uint32_t slot; /* for fdb_touch() and fdb_remote(); valid until the table changes */
};

/*
 * Returns a table of at least @size entries (FDB_SIZE_MIN..FDB_SIZE_MAX, rounded up to a power of two) whose
 * hash is keyed with @secret; NULL when memory is short. Free with fdb_free(), which accepts NULL.
 */
struct fdb *fdb_new(uint32_t size, const uint64_t secret[2]);
void fdb_free(struct fdb *fdb);

/* Brings the buckets of (@mac, @vid) towards the cache; a hint, free of side effects. */
void fdb_prefetch(const struct fdb *fdb, uint64_t mac, uint16_t vid);

/* The frame path's lookup (br_fdb_find_rcu). Returns whether a live entry exists; fills @hit then. */
bool fdb_find(const struct fdb *fdb, uint64_t mac, uint16_t vid, uint64_t now, struct fdb_hit *hit);

/* Notes that the entry of @hit was used as a destination; does not refresh its age (br_handle_frame_finish). */
void fdb_touch(struct fdb *fdb, const struct fdb_hit *hit, uint64_t now);

/* Returns the end point behind the port of @hit. */
uint32_t fdb_remote(const struct fdb *fdb, const struct fdb_hit *hit);

/* Reads the whole entry (@mac, @vid) into @entry; returns false when there is no live one. */
bool fdb_lookup(const struct fdb *fdb, uint64_t mac, uint16_t vid, uint64_t now, struct fdb_entry *entry);

enum fdb_learn {
	FDB_LEARN_KNOWN,  /* there already, refreshed */
	FDB_LEARN_NEW,
	FDB_LEARN_MOVED,  /* roamed to @port; static stays static, EXT_LEARN and LOCKED are lost */
	FDB_LEARN_LOCAL,  /* @mac is the switch's own address: nothing changed */
	FDB_LEARN_STUCK,  /* sticky on another port: refreshed, not moved */
	FDB_LEARN_LIMIT,  /* fdb_max_learned reached: not learned */
	FDB_LEARN_FULL,   /* no place that fairness allows: not learned */
	FDB_LEARN_OFF,    /* ageing time 0: nothing is learned */
};

/*
 * Learns that @mac in @vid is behind @port/@remote (br_fdb_update). @flags is 0 or FDB_LOCKED (then the new
 * entry is a MAB entry). Changes that listeners must hear of are left in @changes (n = 0 on the fast path).
 */
enum fdb_learn fdb_learn(struct fdb *fdb, uint64_t mac, uint16_t vid, uint16_t port, uint32_t remote,
			 uint16_t flags, uint64_t now, struct fdb_changes *changes);

/*
 * Creates or overwrites the entry (@e->mac, @e->vid) with @e's port, remote and flags; its updated and used
 * times become @now. Always finds room by replacing a dynamic entry if it must.
 * Returns 0, -EINVAL (zero or group MAC, bad VID or port), -ENOSPC (only entries that may not go are left).
 */
int fdb_put(struct fdb *fdb, const struct fdb_entry *e, uint64_t now, struct fdb_changes *changes);

/* Deletes (@mac, @vid). Returns 0 or -ENOENT. */
int fdb_del(struct fdb *fdb, uint64_t mac, uint16_t vid, uint64_t now, struct fdb_changes *changes);

/*
 * Forgets, in constant time, every entry of @port / @vid / all that is neither static nor local (dynamic, also
 * sticky ones; extern_learn ones too unless @keep_ext). They are absent at once; fdb_sweep() reports each.
 * @port PORT_NONE = any port, @vid FDB_ANY_VID = any VLAN. A port and a VLAN together, or @keep_ext, may take
 * one bounded pass over the table instead.
 */
void fdb_flush(struct fdb *fdb, uint16_t port, uint16_t vid, bool keep_ext, uint64_t now);

/*
 * Deletes, at once, up to @max entries that @match selects whatever their kind, starting at *@cursor (0 at
 * first). Each is stored in @gone. Returns how many; *@cursor becomes UINT64_MAX when the table was walked.
 */
unsigned fdb_remove(struct fdb *fdb, const struct fdb_match *match, uint64_t now, uint64_t *cursor,
		    struct fdb_entry *gone, unsigned max);

/* Ageing (hold) time in ms; 0 = nothing is learned and dynamic entries are gone. Default 300,000. */
void fdb_set_ageing(struct fdb *fdb, uint64_t ageing_ms);

/* Most entries learned from frames at a time; 0 = no limit but the table (IFLA_BR_FDB_MAX_LEARNED). */
void fdb_set_max_learned(struct fdb *fdb, uint32_t max);

/*
 * A bounded amount of sweeping: reclaims dead slots and stores up to @max (>= 8) of the entries gone in @gone.
 * Returns how many were stored. Call when fdb_next() says so.
 */
unsigned fdb_sweep(struct fdb *fdb, uint64_t now, struct fdb_entry *gone, unsigned max);

/* When to call fdb_sweep() next: @now while a pass is unfinished, UINT64_MAX = never (nothing can expire). */
uint64_t fdb_next(const struct fdb *fdb, uint64_t now);

/*
 * Reads up to @max live entries that @match (NULL = all) selects into @entries, from *@cursor on (0 at first).
 * Returns how many; 0 at the end. Entries added or moved during a walk may be missed or seen twice.
 */
unsigned fdb_walk(const struct fdb *fdb, const struct fdb_match *match, uint64_t now, uint64_t *cursor,
		  struct fdb_entry *entries, unsigned max);

struct fdb_info {
	uint32_t size;          /* slots */
	uint32_t used;          /* slots taken, dead ones not yet swept included */
	uint32_t learned;       /* live FDB_LEARNED entries as fdb_max_learned counts them */
	uint64_t evicted;       /* entries replaced for want of room */
	uint64_t refused;       /* addresses not learned for want of room or by the limit */
	uint64_t moved;         /* addresses that roamed */
};

/* Reads the table's own counters. */
void fdb_get_info(const struct fdb *fdb, struct fdb_info *info);

/* How many entries @port (0..PORT_MAX-1) has in slots, dead ones not yet swept included. */
uint32_t fdb_port_used(const struct fdb *fdb, uint16_t port);

#endif
