/* SPDX-License-Identifier: MIT */
/*
 * portset: a set of port numbers, as a bitmap.
 *
 * Every rule of the bridge that says "which ports" is arithmetic on these sets: members of a VLAN,
 * minus the ingress port, minus isolated ones. The surprising rule: the hot functions take `words`,
 * the number of 64-bit words in use by the highest port of the bridge, and neither read nor write
 * beyond it; a switch of up to 64 ports works on single words. All sets of one bridge are kept with
 * the same `words`. A portset is plain data without ownership; unused words must be zero.
 */
#ifndef VLAN_PORTSET_H
#define VLAN_PORTSET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Port numbers are 0..PORT_MAX-1 as in the kernel (BR_MAX_PORTS); number 0 is the host port. */
#define PORT_MAX 1024u
#define PORT_HOST 0u
#define PORT_NONE UINT16_MAX
#define PORTSET_WORDS (PORT_MAX / 64)

struct portset {
	uint64_t w[PORTSET_WORDS];
};

/* Adds @port (0..PORT_MAX-1) to @s. */
static inline void portset_add(struct portset *s, unsigned port)
{
	s->w[port / 64] |= UINT64_C(1) << (port % 64);
}

/* Removes @port (0..PORT_MAX-1) from @s; harmless when absent. */
static inline void portset_del(struct portset *s, unsigned port)
{
	s->w[port / 64] &= ~(UINT64_C(1) << (port % 64));
}

/* Adds or removes @port (0..PORT_MAX-1) as @in says. */
static inline void portset_put(struct portset *s, unsigned port, bool in)
{
	if (in)
		portset_add(s, port);
	else
		portset_del(s, port);
}

/* Returns whether @port (0..PORT_MAX-1) is in @s. */
static inline bool portset_has(const struct portset *s, unsigned port)
{
	return s->w[port / 64] >> (port % 64) & 1;
}

/* Returns whether the first @words (1..PORTSET_WORDS) words of @s are empty. */
static inline bool portset_empty(const struct portset *s, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		if (s->w[i])
			return false;
	return true;
}

/* @dst = @a & @b over the first @words words; the sets may be the same object. */
static inline void portset_and(struct portset *dst, const struct portset *a,
			       const struct portset *b, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		dst->w[i] = a->w[i] & b->w[i];
}

/* @dst &= ~@b over the first @words words. */
static inline void portset_sub(struct portset *dst, const struct portset *b, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		dst->w[i] &= ~b->w[i];
}

/* @dst |= @b over the first @words words. */
static inline void portset_or(struct portset *dst, const struct portset *b, unsigned words)
{
	for (unsigned i = 0; i < words; i++)
		dst->w[i] |= b->w[i];
}

/* Returns how many ports are in the first @words words of @s. */
static inline unsigned portset_count(const struct portset *s, unsigned words)
{
	unsigned n = 0;

	for (unsigned i = 0; i < words; i++)
		n += (unsigned)__builtin_popcountll(s->w[i]);
	return n;
}

/*
 * Returns the lowest port in @s that is at least @from (0..PORT_MAX), or PORT_MAX when there is
 * none. Iterate with PORTSET_FOREACH.
 */
static inline unsigned portset_next(const struct portset *s, unsigned from, unsigned words)
{
	unsigned i = from / 64;
	uint64_t w;

	if (i >= words)
		return PORT_MAX;
	w = s->w[i] & ~UINT64_C(0) << (from % 64);
	while (!w) {
		if (++i >= words)
			return PORT_MAX;
		w = s->w[i];
	}
	return i * 64 + (unsigned)__builtin_ctzll(w);
}

#define PORTSET_FOREACH(port, set, words)                                  \
	for (unsigned port = portset_next(set, 0, words); port < PORT_MAX; \
	     port = portset_next(set, port + 1, words))

#endif
