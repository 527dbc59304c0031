/* SPDX-License-Identifier: MIT */
/*
 * mac: a MAC address as a number.
 *
 * The 48 bits stand in a uint64_t in the order they are written (02:00:00:00:00:01 is
 * 0x020000000001), so comparing is `==` and sorting is `<`. The upper 16 bits are always zero.
 * Plain values, no ownership.
 */
#ifndef FDB_MAC_H
#define FDB_MAC_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MAC_LEN 6
#define MAC_STRLEN 18 /* "xx:xx:xx:xx:xx:xx" and the final NUL */
#define MAC_BROADCAST UINT64_C(0xffffffffffff)
#define MAC_GROUP_BIT UINT64_C(0x010000000000)
#define MAC_RESERVED UINT64_C(0x0180c2000000) /* 01:80:c2:00:00:0X, 802.1Q table 8-1 */

/* Reads the six bytes at @p, which need no alignment. */
static inline uint64_t mac_load(const uint8_t *p)
{
	uint32_t hi;
	uint16_t lo;

	memcpy(&hi, p, 4);
	memcpy(&lo, p + 4, 2);
	return (uint64_t)__builtin_bswap32(hi) << 16 | __builtin_bswap16(lo);
}

/* Writes @mac as six bytes to @p. */
static inline void mac_store(uint8_t *p, uint64_t mac)
{
	uint32_t hi = __builtin_bswap32((uint32_t)(mac >> 16));
	uint16_t lo = __builtin_bswap16((uint16_t)mac);

	memcpy(p, &hi, 4);
	memcpy(p + 4, &lo, 2);
}

/* Returns whether @mac is a group (multicast or broadcast) address. */
static inline bool mac_is_group(uint64_t mac)
{
	return mac & MAC_GROUP_BIT;
}

/*
 * Returns whether @mac is one of the sixteen reserved 01:80:c2:00:00:0X (is_link_local_ether_addr).
 */
static inline bool mac_is_reserved(uint64_t mac)
{
	return (mac & ~UINT64_C(0xf)) == MAC_RESERVED;
}

/*
 * Reads "xx:xx:xx:xx:xx:xx" (one or two hex digits a byte) from the whole of @text into @mac.
 * Returns 0, or -EINVAL when @text is anything else; @mac is then unchanged.
 */
int mac_parse(const char *text, uint64_t *mac);

/* Prints @mac into @text, which has MAC_STRLEN bytes, and returns @text. */
char *mac_print(uint64_t mac, char text[MAC_STRLEN]);

#endif
