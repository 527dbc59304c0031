/* SPDX-License-Identifier: MIT */
#include "ports/csum.h"

#include <string.h>

#include "ports/be.h"

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint32_t)((sum & UINT16_MAX) + (sum >> 16));
}

/* One's complement sum of 64-bit words: carries are counted apart and added at the end. */
static uint32_t sum_bytes(const uint8_t *p, size_t len)
{
	uint64_t a = 0, b = 0, carry_a = 0, carry_b = 0, last = 0;

	for (; len >= 32; len -= 32, p += 32) {
		carry_a += __builtin_add_overflow(a, load64(p), &a);
		carry_b += __builtin_add_overflow(b, load64(p + 8), &b);
		carry_a += __builtin_add_overflow(a, load64(p + 16), &a);
		carry_b += __builtin_add_overflow(b, load64(p + 24), &b);
	}
	for (; len >= 8; len -= 8, p += 8)
		carry_a += __builtin_add_overflow(a, load64(p), &a);
	memcpy(&last, p, len);
	carry_b += __builtin_add_overflow(b, last, &b);
	return fold((uint64_t)fold(a) + fold(b) + fold(carry_a + carry_b));
}

void csum_add(struct csum *c, const uint8_t *p, size_t len)
{
	uint32_t sum = sum_bytes(p, len);

	if (c->odd)
		sum = (sum << 8 | sum >> 8) & UINT16_MAX;
	c->sum += sum;
	c->odd ^= len & 1;
}

void csum_add16(struct csum *c, uint32_t v)
{
	uint8_t bytes[2];

	be16_put(bytes, v);
	csum_add(c, bytes, sizeof(bytes));
}

uint16_t csum_fold(const struct csum *c)
{
	return (uint16_t)fold(c->sum);
}

uint32_t csum_crc32c(uint32_t crc, const uint8_t *p, size_t len)
{
	/* the polynomial 0x1edc6f41, bits reversed, for each value of four bits */
	static const uint32_t table[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
		0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (; len; len--, p++) {
		crc ^= *p;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}
