/* SPDX-License-Identifier: MIT */
/*
 * csum: the Internet checksum (RFC 1071) and SCTP's CRC32c, over bytes that come in pieces.
 *
 * The surprising rule: sums are in the byte order of memory, so a result is stored with memcpy()
 * and no swapping, and a number is added by csum_add16(). Plain data, pure. Used by headers.c,
 * offload.c and coalesce.c.
 */
#ifndef PORTS_CSUM_H
#define PORTS_CSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A running one's complement sum; all zero at first. */
struct csum {
	uint64_t sum;
	bool odd; /* an odd number of bytes so far */
};

/* Adds @len bytes at @p. */
void csum_add(struct csum *c, const uint8_t *p, size_t len);

/* Adds the 16-bit number @v as it is in a packet; what is above 16 bits is cut off. */
void csum_add16(struct csum *c, uint32_t v);

/* Returns the sum folded to 16 bits, not complemented. */
uint16_t csum_fold(const struct csum *c);

/*
 * Adds @len bytes at @p to @crc, which is UINT32_MAX at first; the result is ~@crc, stored little
 * endian.
 */
uint32_t csum_crc32c(uint32_t crc, const uint8_t *p, size_t len);

#endif
