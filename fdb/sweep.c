/* SPDX-License-Identifier: MIT */
#include "fdb/sweep.h"

#include "fdb/fdb.h"
#include "fdb/table.h"

#define SWEEP_STEP 4096u     /* slots that one call visits */
#define SWEEP_EVERY_MS 1000u /* from one pass for over-age entries to the next */
#define SWEEP_BUMPS_MAX 255u /* flushes that 8-bit generations can tell apart from the present */

void sweep_note(struct fdb *fdb, uint64_t value, uint64_t now)
{
	uint64_t at = stamp_ms((uint32_t)value, now);

	if (fdb->ageing_ms == UINT64_MAX || value_is(value, FDB_FIRM | FDB_EXT_LEARN))
		return;
	at += fdb->ageing_ms;
	if (at < fdb->sweep.due_ms)
		fdb->sweep.due_ms = at;
	if (at < fdb->sweep.due_next_ms)
		fdb->sweep.due_next_ms = at;
}

void sweep_settle(struct fdb *fdb, uint64_t now)
{
	for (uint32_t slot = 0; slot < table_slots(fdb); slot++) {
		uint64_t value, key = table_get(fdb, slot, &value);

		if ((key & KEY_VALID) && table_dead(fdb, key, value, stamp_of(now)))
			table_bury(fdb, slot);
	}
	fdb->sweep.bumps = 0;
	fdb->sweep.bumps_since = 0;
}

static bool sweep_match(const struct fdb_match *match, uint64_t key, uint64_t value)
{
	return (match->port == PORT_NONE || match->port == value_port(value)) &&
	       (match->vid == FDB_ANY_VID || match->vid == key_vid(key)) &&
	       (value_flags(value) & match->flags_mask) == match->flags_want;
}

/* Buries what @match selects in VLANs @first..@last. */
static void sweep_bury(struct fdb *fdb, const struct fdb_match *match, uint16_t first,
		       uint16_t last)
{
	for (uint32_t slot = 0; slot < table_slots(fdb); slot++) {
		uint64_t value, key = table_get(fdb, slot, &value);

		if ((key & KEY_VALID) && key_vid(key) >= first && key_vid(key) <= last &&
		    sweep_match(match, key, value))
			table_bury(fdb, slot);
	}
}

void fdb_flush(struct fdb *fdb, uint16_t port, uint16_t vid, bool keep_ext, uint64_t now)
{
	const struct fdb_match match = {
		.port = port,
		.vid = vid,
		.flags_mask = FDB_FIRM | (keep_ext ? FDB_EXT_LEARN : 0),
	};

	if (!fdb->used || (port != PORT_NONE && !fdb->port_used[port]))
		return;
	fdb->sweep.again = true;
	if ((port != PORT_NONE && vid != FDB_ANY_VID) || (keep_ext && fdb->ext)) {
		sweep_bury(fdb, &match, 0, UINT16_MAX);
		return;
	}
	if (fdb->sweep.bumps == SWEEP_BUMPS_MAX)
		sweep_settle(fdb, now);
	fdb->sweep.bumps++;
	fdb->sweep.bumps_since++;
	if (port != PORT_NONE)
		fdb->port_gen[port]++;
	else if (vid != FDB_ANY_VID)
		fdb->vlan_gen[vid]++;
	else
		for (unsigned i = 0; i < PORT_MAX; i++)
			fdb->port_gen[i]++;
}

void fdb_flush_vlans(struct fdb *fdb, uint16_t port, uint16_t first, uint16_t last)
{
	const struct fdb_match match = {
		.port = port,
		.vid = FDB_ANY_VID,
		.flags_mask = FDB_FIRM | FDB_EXT_LEARN,
	};

	if (!fdb->port_used[port])
		return;
	fdb->sweep.again = true;
	sweep_bury(fdb, &match, first, last);
}

unsigned fdb_remove(struct fdb *fdb, const struct fdb_match *match, uint64_t now, uint64_t *cursor,
		    struct fdb_entry *gone, unsigned max)
{
	unsigned n = 0;

	for (; *cursor < table_slots(fdb); ++*cursor) {
		uint32_t slot = (uint32_t)*cursor;
		uint64_t value, key = table_get(fdb, slot, &value);

		if (!key || !sweep_match(match, key, value))
			continue;
		if (n == max)
			return n;
		table_read(fdb, slot, now, &gone[n++]);
		table_free(fdb, slot);
	}
	*cursor = UINT64_MAX;
	return n;
}

void fdb_set_ageing(struct fdb *fdb, uint64_t ageing_ms)
{
	uint64_t units = ageing_ms / STAMP_MS + (ageing_ms % STAMP_MS != 0);
	uint64_t refresh = units / 16;

	if (units > STAMP_AGE_MAX) {
		fdb->ageing_ms = UINT64_MAX;
		fdb->hold = UINT32_MAX;
	} else {
		fdb->ageing_ms = units * STAMP_MS;
		fdb->hold = units ? (uint32_t)units - 1 + STAMP_SLACK : 0;
	}
	if (refresh > SWEEP_EVERY_MS / STAMP_MS)
		refresh = SWEEP_EVERY_MS / STAMP_MS;
	fdb->refresh = refresh ? (uint32_t)refresh : 1;
	fdb->sweep.again = true; /* finds out what expires next */
}

static void sweep_begin(struct fdb *fdb, uint64_t now)
{
	fdb->sweep.running = true;
	fdb->sweep.again = false;
	fdb->sweep.cursor = 0;
	fdb->sweep.bumps_since = 0;
	fdb->sweep.started_ms = now;
	fdb->sweep.due_next_ms = UINT64_MAX;
}

static void sweep_end(struct fdb *fdb)
{
	fdb->sweep.running = false;
	fdb->sweep.bumps = fdb->sweep.bumps_since;
	fdb->sweep.due_ms = fdb->sweep.due_next_ms;
}

unsigned fdb_sweep(struct fdb *fdb, uint64_t now, struct fdb_entry *gone, unsigned max)
{
	unsigned n = 0;

	if (fdb_next(fdb, now) > now)
		return 0;
	if (!fdb->sweep.running)
		sweep_begin(fdb, now);
	for (unsigned step = 0; step < SWEEP_STEP && fdb->sweep.cursor < table_slots(fdb); step++) {
		uint32_t slot = fdb->sweep.cursor;
		uint64_t value, key = table_get(fdb, slot, &value);

		if (key && table_dead(fdb, key, value, stamp_of(now))) {
			if (n == max)
				return n;
			table_read(fdb, slot, now, &gone[n++]);
			table_free(fdb, slot);
		} else if (key) {
			sweep_note(fdb, value, now);
		}
		fdb->sweep.cursor++;
	}
	if (fdb->sweep.cursor == table_slots(fdb))
		sweep_end(fdb);
	return n;
}

uint64_t fdb_next(const struct fdb *fdb, uint64_t now)
{
	uint64_t next = fdb->sweep.started_ms + SWEEP_EVERY_MS;

	if (!fdb->used)
		return UINT64_MAX;
	if (fdb->sweep.running || fdb->sweep.again)
		return now;
	return next > fdb->sweep.due_ms ? next : fdb->sweep.due_ms;
}

unsigned fdb_walk(const struct fdb *fdb, const struct fdb_match *match, uint64_t now,
		  uint64_t *cursor, struct fdb_entry *entries, unsigned max)
{
	const struct fdb_match all = FDB_MATCH_ALL;
	unsigned n = 0;

	if (!match)
		match = &all;
	for (; n < max && *cursor < table_slots(fdb); ++*cursor) {
		uint64_t value, key = table_get(fdb, (uint32_t)*cursor, &value);

		if (key && !table_dead(fdb, key, value, stamp_of(now)) &&
		    sweep_match(match, key, value))
			table_read(fdb, (uint32_t)*cursor, now, &entries[n++]);
	}
	return n;
}
