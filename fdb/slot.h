/* SPDX-License-Identifier: MIT */
/*
 * slot: the two words of one slot of the forwarding database, private to fdb/.
 *
 *	key	MAC 48 | VID 12 | 0 3 | valid 1			0 = a free slot
 *	value	port 12 | flags 12 | generation 8 | updated 32	`updated` is a stamp, units of 10 ms
 *
 * The surprising rule: stamps are points on a circle of 497 days. An age is a difference of two
 * stamps, and the part of the circle just ahead of now counts as now. Plain values.
 */
#ifndef FDB_SLOT_H
#define FDB_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb/entry.h"

#define SLOT_NONE UINT32_MAX

#define KEY_VALID UINT64_C(1)

#define FDB_FLAGS 0x7fu                   /* what callers may set */
#define FDB_BURIED 0x800u                 /* marked dead for good; the key is not valid */
#define FDB_FIRM (FDB_LOCAL | FDB_STATIC) /* neither ages nor is flushed */
#define FDB_KEEP (FDB_FIRM | FDB_USER | FDB_EXT_LEARN) /* never evicted */

/*
 * A stamp up to STAMP_SLACK ahead is the present: threads may carry clocks that differ by a little.
 * As much again separates the highest age at which an entry may expire from that, for dead ones to
 * be swept in.
 */
#define STAMP_MS 10u
#define STAMP_SLACK (UINT32_C(1) << 23) /* 23 hours */
#define STAMP_AGE_MAX (UINT32_MAX - 2 * STAMP_SLACK)

/* Returns the key of (@mac, @vid 0..4095). */
static inline uint64_t key_make(uint64_t mac, uint16_t vid)
{
	return mac << 16 | (uint64_t)(vid & 0xfff) << 4 | KEY_VALID;
}

/* Returns the MAC address in @key. */
static inline uint64_t key_mac(uint64_t key)
{
	return key >> 16;
}

/* Returns the VLAN in @key. */
static inline uint16_t key_vid(uint64_t key)
{
	return key >> 4 & 0xfff;
}

/* Returns the value of @port, @flags (enum fdb_flag), generation @gen and @stamp. */
static inline uint64_t value_make(uint16_t port, unsigned flags, uint8_t gen, uint32_t stamp)
{
	return (uint64_t)port << 52 | (uint64_t)flags << 40 | (uint64_t)gen << 32 | stamp;
}

/* Returns the port in @value. */
static inline uint16_t value_port(uint64_t value)
{
	return (uint16_t)(value >> 52);
}

/* Returns the flags in @value. */
static inline uint16_t value_flags(uint64_t value)
{
	return value >> 40 & 0xfff;
}

/* Returns whether @value has one of @flags. */
static inline bool value_is(uint64_t value, unsigned flags)
{
	return value & (uint64_t)flags << 40;
}

/* Returns the generation in @value. */
static inline uint8_t value_gen(uint64_t value)
{
	return (uint8_t)(value >> 32);
}

/* Returns the stamp of @now (ms). */
static inline uint32_t stamp_of(uint64_t now)
{
	return (uint32_t)(now / STAMP_MS);
}

/* Returns the time (ms) of @stamp, which is at most a circle older than @now. */
static inline uint64_t stamp_ms(uint32_t stamp, uint64_t now)
{
	uint32_t age = stamp_of(now) - stamp;

	if (age > UINT32_MAX - STAMP_SLACK)
		age = 0;
	return now / STAMP_MS < age ? 0 : (now / STAMP_MS - age) * STAMP_MS;
}

#endif
