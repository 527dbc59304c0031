/* SPDX-License-Identifier: MIT */
/*
 * place: where a new entry goes, and who must go when the table is full; private to fdb/.
 *
 * When both buckets of a key are full, entries are displaced to their other bucket; there are a few
 * more slots than entries allowed, so that finds room. The surprising rule is fairness: with room
 * for N learned entries and P ports that have some, a port with less than N/P never loses one to
 * another port, and gets one more whenever it wants; a port with more only takes from itself or
 * from a larger one.
 */
#ifndef FDB_PLACE_H
#define FDB_PLACE_H

#include <stdint.h>

#include "fdb/entry.h"

struct fdb;

/*
 * Returns a free slot for @key, for a learned entry of @port or, with PORT_NONE, for one that the
 * user adds, which takes from the port that has most. At most one entry has to go, and is noted in
 * @changes. Returns SLOT_NONE when none may.
 */
uint32_t place_find(struct fdb *fdb, uint64_t key, uint16_t port, uint64_t now,
		    struct fdb_changes *changes);

#endif
