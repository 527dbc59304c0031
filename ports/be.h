/* SPDX-License-Identifier: MIT */
/*
 * be: numbers as they are in packets, high byte first.
 *
 * The surprising rule: what is written is cut to its size without a word. Plain functions on bytes
 * that the caller knows to be there; used wherever headers are read or written.
 */
#ifndef PORTS_BE_H
#define PORTS_BE_H

#include <stdint.h>

/* Returns the 16-bit number at @p. */
static inline uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* Returns the 32-bit number at @p. */
static inline uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

/* Writes @v as a 16-bit number at @p. */
static inline void be16_put(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Writes @v as a 32-bit number at @p. */
static inline void be32_put(uint8_t *p, uint32_t v)
{
	be16_put(p, v >> 16);
	be16_put(p + 2, v);
}

#endif
