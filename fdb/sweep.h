/* SPDX-License-Identifier: MIT */
/*
 * sweep: how dead entries of the forwarding database are met and freed, private to fdb/.
 *
 * A pass visits every slot in small steps. A flush only counts a generation up; the surprising rule
 * is that generations are 8 bits wide, so the entries of 256 flushes ago would come back to life:
 * when 255 flushes wait for a pass, sweep_settle() buries what is dead. Part of `struct fdb`,
 * changed by the one writer.
 */
#ifndef FDB_SWEEP_H
#define FDB_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

struct fdb;

struct sweep {
	bool running, again;  /* a pass is under way; another one must follow */
	uint32_t cursor;      /* next slot of the pass */
	unsigned bumps;       /* flushes that no finished pass has dealt with */
	unsigned bumps_since; /* of them, since the present pass began */
	uint64_t started_ms;  /* when the last pass began */
	uint64_t due_ms;      /* no entry expires earlier, UINT64_MAX = none ever */
	uint64_t due_next_ms; /* the same of what the present pass has met */
};

/* Notes that the entry with @value, stored or moved at @now, will want sweeping when it expires. */
void sweep_note(struct fdb *fdb, uint64_t value, uint64_t now);

/* Buries every dead entry at @now, so that no generation can revive it: one pass over the table. */
void sweep_settle(struct fdb *fdb, uint64_t now);

#endif
