/* SPDX-License-Identifier: MIT */
#include "switch/attr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fdb/mac.h"

#define ROW(name, word, json, type, min, max, fallback, help) \
	{ word, json, type, min, max, fallback, help },

const struct attr bridge_attrs[BRIDGE_ATTR_MAX] = { BRIDGE_ATTRS(ROW) };
const struct attr port_attrs[PORT_ATTR_MAX] = { PORT_ATTRS(ROW) };

static const char *const state_words[] = { "disabled", "listening", "learning", "forwarding",
					   "blocking" };
static const char *const accept_words[] = { "all", "tagged", "untagged" };

int attr_find(const struct attr *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(table[i].name, name))
			return (int)i;
	return -1;
}

const char *port_state_word(enum port_state state)
{
	return state_words[state];
}

const char *port_accept_word(enum port_accept accept)
{
	return accept_words[accept];
}

static bool is_port_attr(const struct attr *attr)
{
	return attr >= port_attrs && attr < port_attrs + PORT_ATTR_MAX;
}

__attribute__((format(printf, 4, 5))) static int refuse(char *why, size_t size, int code,
							const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return code;
}

/*
 * Reads the digits at @text, decimal or after 0x hexadecimal. Returns what follows, or NULL: none,
 * or too many.
 */
static const char *parse_digits(const char *text, uint64_t *value)
{
	unsigned base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	const char *p = text + (base == 16 ? 2 : 0), *start = p;

	*value = 0;
	for (;; p++) {
		unsigned char c = (unsigned char)(*p | 0x20);
		unsigned digit = c >= '0' && c <= '9'                 ? c - '0'
				 : base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10
								      : 16;

		if (digit >= base)
			return p == start ? NULL : p;
		if (*value > (UINT64_MAX - digit) / base)
			return NULL;
		*value = *value * base + digit;
	}
}

static int parse_word(const struct attr *attr, const char *const *words, size_t n, const char *text,
		      uint64_t *value, char *why, size_t size)
{
	char list[80] = "";
	uint64_t number;
	const char *end = parse_digits(text, &number);

	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(list);

		if (!strcmp(text, words[i])) {
			*value = i;
			return 0;
		}
		snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "", words[i]);
	}
	if (attr->type == ATTR_STATE && end && !*end && number < n) {
		*value = number;
		return 0;
	}
	return refuse(why, size, -EINVAL, "%s \"%.40s\" is none of %s", attr->name, text, list);
}

static int parse_bool(const struct attr *attr, const char *text, uint64_t *value, char *why,
		      size_t size)
{
	static const char *const words[] = { "0", "1", "off", "on" };

	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(text, words[i])) {
			*value = i & 1;
			return 0;
		}
	return refuse(why, size, -EINVAL, "%s \"%.40s\" is neither on (1) nor off (0)", attr->name,
		      text);
}

static int parse_number(const struct attr *attr, const char *text, uint64_t *value, char *why,
			size_t size)
{
	uint64_t number;
	const char *end = parse_digits(text, &number);

	if (!end || *end)
		return refuse(why, size, -EINVAL, "%s \"%.40s\" is not a number from %llu to %llu",
			      attr->name, text, (unsigned long long)attr->min,
			      (unsigned long long)attr->max);
	if (number < attr->min || number > attr->max)
		return refuse(why, size, -ERANGE, "%s %.40s is out of range: %llu to %llu",
			      attr->name, text, (unsigned long long)attr->min,
			      (unsigned long long)attr->max);
	*value = number;
	return 0;
}

static int parse_time(const struct attr *attr, const char *text, uint64_t *value, char *why,
		      size_t size)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = { { "s", 1000 }, { "cs", 10 }, { "ms", 1 } };
	uint64_t number, ms = 0;
	const char *end = parse_digits(text, &number);

	if (!end)
		return refuse(why, size, -EINVAL, "%s \"%.40s\" is not a time such as 300s",
			      attr->name, text);
	if (!*end && number)
		return refuse(
			why, size, -EINVAL,
			"%s %.20s needs a unit, s, cs or ms: %.20ss, or %.20scs = %llu.%02us as the kernel counts",
			attr->name, text, text, text, (unsigned long long)(number / 100),
			(unsigned)(number % 100));
	for (unsigned i = 0; *end && i < 3; i++)
		if (!strcmp(end, units[i].unit))
			ms = units[i].ms;
	if (*end && !ms)
		return refuse(why, size, -EINVAL, "%s \"%.40s\" has none of the units s, cs, ms",
			      attr->name, text);
	if (ms && number > attr->max / ms)
		return refuse(why, size, -ERANGE, "%s %.40s is out of range: 0 to %llus",
			      attr->name, text, (unsigned long long)attr->max / 1000);
	if (number * ms % 10)
		return refuse(why, size, -EINVAL, "%s %.40s is not a multiple of 10ms", attr->name,
			      text);
	*value = number * ms;
	return 0;
}

static int parse_mac(const struct attr *attr, const char *text, uint64_t *value, char *why,
		     size_t size)
{
	if (mac_parse(text, value))
		return refuse(why, size, -EINVAL, "%s \"%.40s\" is not a MAC address", attr->name,
			      text);
	return 0;
}

static int parse_proto(const struct attr *attr, const char *text, uint64_t *value, char *why,
		       size_t size)
{
	if (!strcmp(text, "802.1Q") || !strcmp(text, "802.1q"))
		*value = 0x8100;
	else if (!strcmp(text, "802.1ad") || !strcmp(text, "802.1AD"))
		*value = 0x88a8;
	else
		return refuse(why, size, -EINVAL, "%s \"%.40s\" is neither 802.1Q nor 802.1ad",
			      attr->name, text);
	return 0;
}

/*
 * What the kernel refuses beyond a range: br_store_group_fwd_mask(), set_group_fwd_mask(),
 * group_addr_store().
 */
static int check_value(const struct attr *attr, uint64_t value, char *why, size_t size)
{
	if (attr == &bridge_attrs[BRIDGE_GROUP_FWD_MASK] && value & 7)
		return refuse(why, size, -EINVAL,
			      "%s: bits 0, 1 and 2 (STP, pause, LACP) cannot be set", attr->name);
	if (attr == &port_attrs[PORT_PORT_GROUP_FWD_MASK] && value & 2)
		return refuse(why, size, -EINVAL, "%s: bit 1 (pause frames) cannot be set",
			      attr->name);
	if (attr == &bridge_attrs[BRIDGE_GROUP_ADDR] &&
	    (!mac_is_reserved(value) || ((value & 0xf) >= 1 && (value & 0xf) <= 3)))
		return refuse(why, size, -EINVAL, "%s must be 01:80:c2:00:00:0X with X not 1, 2, 3",
			      attr->name);
	return 0;
}

int attr_parse(const struct attr *attr, const char *text, uint64_t *value, char *why, size_t size)
{
	uint64_t v = 0;
	int ret = -EINVAL;

	switch (attr->type) {
	case ATTR_BOOL:
		ret = parse_bool(attr, text, &v, why, size);
		break;
	case ATTR_NUMBER:
	case ATTR_MASK:
		ret = parse_number(attr, text, &v, why, size);
		break;
	case ATTR_TIME:
		ret = parse_time(attr, text, &v, why, size);
		break;
	case ATTR_MAC:
		ret = parse_mac(attr, text, &v, why, size);
		break;
	case ATTR_PROTO:
		ret = parse_proto(attr, text, &v, why, size);
		break;
	case ATTR_STATE:
		ret = parse_word(attr, state_words, 5, text, &v, why, size);
		break;
	case ATTR_ACCEPT:
		ret = parse_word(attr, accept_words, 3, text, &v, why, size);
		break;
	case ATTR_PORT:
		ret = refuse(why, size, -EINVAL, "%s needs a port", attr->name);
		break;
	}
	if (!ret)
		ret = check_value(attr, v, why, size);
	if (!ret)
		*value = v;
	return ret;
}

char *attr_print(const struct attr *attr, uint64_t value, char *text, size_t size)
{
	char mac[MAC_STRLEN];

	switch (attr->type) {
	case ATTR_BOOL:
		snprintf(text, size, "%s",
			 is_port_attr(attr) ? value ? "on" : "off"
			 : value            ? "1"
					    : "0");
		break;
	case ATTR_NUMBER:
	case ATTR_PORT:
		snprintf(text, size, "%llu", (unsigned long long)value);
		break;
	case ATTR_MASK:
		snprintf(text, size, "%#llx", (unsigned long long)value);
		break;
	case ATTR_TIME:
		if (value % 1000)
			snprintf(text, size, "%llums", (unsigned long long)value);
		else
			snprintf(text, size, "%llu%s", (unsigned long long)value / 1000,
				 value ? "s" : "");
		break;
	case ATTR_MAC:
		snprintf(text, size, "%s", mac_print(value, mac));
		break;
	case ATTR_PROTO:
		snprintf(text, size, "%s", value == 0x8100 ? "802.1Q" : "802.1ad");
		break;
	case ATTR_STATE:
		snprintf(text, size, "%s", state_words[value < 5 ? value : 0]);
		break;
	case ATTR_ACCEPT:
		snprintf(text, size, "%s", accept_words[value < 3 ? value : 0]);
		break;
	}
	return text;
}
