/* SPDX-License-Identifier: MIT */
#include "fdb/mac.h"

#include <errno.h>
#include <stdio.h>

/* Returns the value of hex digit @c, or -1. */
static int mac_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, uint64_t *mac)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < MAC_LEN; i++) {
		int digit, byte;

		if (i && *text++ != ':')
			return -EINVAL;
		byte = mac_digit(*text++);
		if (byte < 0)
			return -EINVAL;
		digit = mac_digit(*text);
		if (digit >= 0) {
			text++;
			byte = byte << 4 | digit;
		}
		value = value << 8 | (unsigned)byte;
	}
	if (*text)
		return -EINVAL;
	*mac = value;
	return 0;
}

char *mac_print(uint64_t mac, char text[MAC_STRLEN])
{
	uint8_t b[MAC_LEN];

	mac_store(b, mac);
	snprintf(text, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5]);
	return text;
}
