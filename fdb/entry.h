/* SPDX-License-Identifier: MIT */
/*
 * entry: the values that go in and out of the forwarding database.
 *
 * The surprising rule: a changed table gives its changes back in `struct fdb_changes`, it never
 * calls out. Plain values on the caller's stack, without ownership. Used by everyone who calls
 * fdb/fdb.h.
 */
#ifndef FDB_ENTRY_H
#define FDB_ENTRY_H

#include <stdint.h>

#include "vlan/portset.h"

/* Entry flags, named after the kernel's BR_FDB_* (net/bridge/br_private.h). */
enum fdb_flag {
	FDB_LOCAL = 1 << 0,     /* address of the switch itself: frames go to the host port only */
	FDB_STATIC = 1 << 1,    /* never ages */
	FDB_STICKY = 1 << 2,    /* does not move to another port */
	FDB_USER = 1 << 3,      /* added by the user */
	FDB_EXT_LEARN = 1 << 4, /* added by an outside control plane; never ages, lost on a move */
	FDB_LOCKED = 1 << 5,    /* MAC authentication bypass: known, not authorised */
	FDB_LEARNED = 1 << 6,   /* learned from a frame; what fdb_max_learned counts */
};

/* One entry. */
struct fdb_entry {
	uint64_t mac;
	uint16_t vid;        /* 0..4095; 0 = without VLAN filtering */
	uint16_t port;       /* 0 = the host port */
	uint16_t flags;      /* enum fdb_flag */
	uint32_t remote;     /* end point behind the port, 0 where a port has one peer */
	uint64_t updated_ms; /* last seen as a source, in the clock of `now`; up to 1 s early */
	uint64_t used_ms;    /* last used as a destination, at first updated_ms; up to 1 s early */
};

enum fdb_change_kind { FDB_ADDED, FDB_CHANGED, FDB_DELETED };

/* What one call did to the table, in order; at most a victim deleted and an entry added. */
struct fdb_changes {
	unsigned n;
	struct {
		enum fdb_change_kind kind;
		struct fdb_entry entry; /* FDB_DELETED: as it was; else as it is now */
	} c[2];
};

/* An address and the two buckets it may stand in: hashed once, good while the table lives. */
struct fdb_spot {
	uint64_t key;
	uint32_t bucket[2];
};

/* The answer of the frame path's lookup. */
struct fdb_hit {
	uint16_t port;
	uint16_t flags; /* enum fdb_flag */
	uint32_t slot;  /* for fdb_touch() and fdb_remote(); valid until the table changes */
};

#define FDB_ANY_VID UINT16_MAX

/* Which entries are meant; FDB_MATCH_ALL for all of them. */
struct fdb_match {
	uint16_t port;       /* only this port; PORT_NONE = any */
	uint16_t vid;        /* only this VLAN; FDB_ANY_VID = any */
	uint16_t flags_mask; /* only where (flags & flags_mask) == flags_want */
	uint16_t flags_want;
};
#define FDB_MATCH_ALL ((struct fdb_match){ .port = PORT_NONE, .vid = FDB_ANY_VID })

/* What became of an address that was to be learned. */
enum fdb_learn {
	FDB_LEARN_KNOWN, /* there already, refreshed */
	FDB_LEARN_NEW,
	FDB_LEARN_MOVED, /* roamed; static stays static, EXT_LEARN and LOCKED are lost */
	FDB_LEARN_LOCAL, /* it is the switch's own address: nothing changed */
	FDB_LEARN_STUCK, /* sticky on another port: refreshed, not moved */
	FDB_LEARN_LIMIT, /* fdb_max_learned reached: not learned */
	FDB_LEARN_FULL,  /* no place that fairness allows: not learned */
	FDB_LEARN_OFF,   /* ageing time 0: nothing is learned */
};

/* The table's own counters. */
struct fdb_info {
	uint32_t size;    /* entries that the table holds */
	uint32_t used;    /* slots taken, dead ones not yet swept included */
	uint32_t learned; /* FDB_LEARNED entries as fdb_max_learned counts them */
	uint64_t evicted; /* entries replaced for want of room */
	uint64_t refused; /* addresses not learned for want of room or by the limit */
	uint64_t moved;   /* addresses that roamed */
};

#endif
