/* SPDX-License-Identifier: MIT */
/*
 * bytes: numbers and checksums of packets, for tests that take frames apart.
 *
 * The surprising rule: nothing here uses what it tests, so a sum is made as RFC 1071 writes it,
 * slow and plain. Included by one test each; all of it is static.
 */
#ifndef TESTS_UNIT_BYTES_H
#define TESTS_UNIT_BYTES_H

#include <check.h>
#include <stdint.h>
#include <string.h>

#include "ports/frame.h"

/* As ck_assert(), which writes to a pipe each time; this is for what is checked millions of times.
 */
#define need(condition)                                         \
	do {                                                    \
		if (!(condition))                               \
			ck_abort_msg("not so: %s", #condition); \
	} while (0)

static inline void put(uint8_t *p, uint32_t v, unsigned n)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static inline uint32_t get(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* RFC 1071 as it is written there: 16-bit words are added, then the carries; never more than 64 KiB
 * at once. */
static inline uint32_t sum(uint32_t s, const uint8_t *p, uint32_t len)
{
	uint64_t all = s;

	for (uint32_t i = 0; i + 1 < len; i += 2)
		all += (uint32_t)p[i] << 8 | p[i + 1];
	if (len % 2)
		all += (uint32_t)p[len - 1] << 8;
	while (all >> 16)
		all = (all & 0xffff) + (all >> 16);
	return (uint32_t)all;
}

static inline uint32_t pseudo(const uint8_t *ip, int proto, uint32_t len)
{
	uint8_t rest[8] = { 0 };

	put(rest, len, 4);
	rest[7] = (uint8_t)proto;
	return sum(sum(0, ip[0] >> 4 == 4 ? ip + 12 : ip + 8, ip[0] >> 4 == 4 ? 8 : 32), rest, 8);
}

static inline uint32_t flatten(const struct wire *w, uint8_t *out)
{
	uint32_t at = 0;

	need(!w->iov[0].iov_base);
	need(w->n_iov <= WIRE_IOV_MAX);
	for (unsigned i = 1; i < w->n_iov; i++) {
		memcpy(out + at, w->iov[i].iov_base, w->iov[i].iov_len);
		at += (uint32_t)w->iov[i].iov_len;
	}
	need(at == w->len);
	return at;
}

#endif
