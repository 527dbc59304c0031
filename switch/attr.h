/* SPDX-License-Identifier: MIT */
/*
 * attr: the settings of the bridge and of its ports, as tables.
 *
 * Names, ranges and defaults are the kernel's (net/bridge/br_netlink.c; ip-link(8), bridge(8)).
 * Parsing, `show`, the configuration's diff and the manual all walk these tables, so a new setting
 * is one line here and its meaning in bridge.c. Every value travels as a uint64_t; times are
 * milliseconds inside and get their unit when printed. Constant data, no ownership.
 */
#ifndef SWITCH_ATTR_H
#define SWITCH_ATTR_H

#include <stddef.h>
#include <stdint.h>

enum attr_type {
	ATTR_BOOL, /* 0|1|off|on; JSON: as iproute2 0/1 for the bridge, true/false for a port */
	ATTR_NUMBER,
	ATTR_MASK, /* 16 bits, hexadecimal or decimal; JSON: string "0x8" */
	ATTR_TIME, /* ms inside, a multiple of 10; text: 300s, 20ms, 30000cs, 0; JSON: cs */
	ATTR_MAC,
	ATTR_PROTO,  /* 802.1Q|802.1ad, inside 0x8100|0x88a8 */
	ATTR_STATE,  /* enum port_state: disabled listening learning forwarding blocking, or 0..4 */
	ATTR_PORT,   /* a port's name; inside its number, PORT_NONE = none */
	ATTR_ACCEPT, /* enum port_accept: all|tagged|untagged */
};

enum port_state {
	STATE_DISABLED,
	STATE_LISTENING,
	STATE_LEARNING,
	STATE_FORWARDING,
	STATE_BLOCKING
};
enum port_accept { ACCEPT_ALL, ACCEPT_TAGGED, ACCEPT_UNTAGGED };

/* X(constant, keyword, JSON key, type, min, max, default, help) */
#define BRIDGE_ATTRS(X)                                                                          \
	X(AGEING_TIME, "ageing_time", "ageing_time", ATTR_TIME, 0, UINT32_MAX * 10ull, 300000,   \
	  "forget a learned address after this time without a frame from it; 0 learns nothing")  \
	X(VLAN_FILTERING, "vlan_filtering", "vlan_filtering", ATTR_BOOL, 0, 1, 0,                \
	  "obey VLAN membership; off: tags are payload")                                         \
	X(VLAN_PROTOCOL, "vlan_protocol", "vlan_protocol", ATTR_PROTO, 0x8100, 0x88a8, 0x8100,   \
	  "802.1Q or 802.1ad: the tag that VLAN filtering acts on")                              \
	X(VLAN_DEFAULT_PVID, "vlan_default_pvid", "vlan_default_pvid", ATTR_NUMBER, 0, 4094, 1,  \
	  "VLAN that a new port joins, as PVID and untagged; 0 = none")                          \
	X(VLAN_STATS_ENABLED, "vlan_stats_enabled", "vlan_stats_enabled", ATTR_BOOL, 0, 1, 0,    \
	  "count frames and bytes of each VLAN")                                                 \
	X(VLAN_STATS_PER_PORT, "vlan_stats_per_port", "vlan_stats_per_port", ATTR_BOOL, 0, 1, 0, \
	  "count them for each port apart; only while no port has a VLAN")                       \
	X(GROUP_FWD_MASK, "group_fwd_mask", "group_fwd_mask", ATTR_MASK, 0, 0xffff, 0,           \
	  "bit N forwards 01:80:c2:00:00:0N; bits 0, 1 and 2 are refused")                       \
	X(GROUP_ADDR, "group_address", "group_addr", ATTR_MAC, 0, UINT64_MAX, 0x0180c2000000ull, \
	  "destination of this bridge's own BPDUs, 01:80:c2:00:00:0X but not X = 1, 2, 3")       \
	X(NO_LINKLOCAL_LEARN, "no_linklocal_learn", "no_linklocal_learn", ATTR_BOOL, 0, 1, 0,    \
	  "do not learn from frames to reserved group addresses")                                \
	X(FDB_MAX_LEARNED, "fdb_max_learned", "fdb_max_learned", ATTR_NUMBER, 0, UINT32_MAX, 0,  \
	  "most addresses learned at a time; 0 = as many as the table holds")

#define PORT_ATTRS(X)                                                                       \
	X(STATE, "state", "state", ATTR_STATE, 0, 4, STATE_FORWARDING,                      \
	  "disabled, listening, learning, forwarding, blocking")                            \
	X(PRIORITY, "priority", "priority", ATTR_NUMBER, 0, 63, 32,                         \
	  "spanning tree: high bits of the port id")                                        \
	X(COST, "cost", "cost", ATTR_NUMBER, 1, 65535, 2, "spanning tree: path cost")       \
	X(HAIRPIN, "hairpin", "hairpin", ATTR_BOOL, 0, 1, 0,                                \
	  "may send a frame back out of its ingress port")                                  \
	X(LEARNING, "learning", "learning", ATTR_BOOL, 0, 1, 1, "learn source addresses")   \
	X(FLOOD, "flood", "flood", ATTR_BOOL, 0, 1, 1, "gets unknown unicast")              \
	X(MCAST_FLOOD, "mcast_flood", "mcast_flood", ATTR_BOOL, 0, 1, 1,                    \
	  "gets unregistered multicast")                                                    \
	X(BCAST_FLOOD, "bcast_flood", "bcast_flood", ATTR_BOOL, 0, 1, 1, "gets broadcast")  \
	X(ISOLATED, "isolated", "isolated", ATTR_BOOL, 0, 1, 0,                             \
	  "no traffic to or from other isolated ports")                                     \
	X(LOCKED, "locked", "locked", ATTR_BOOL, 0, 1, 0,                                   \
	  "only sources with an entry on this port pass")                                   \
	X(MAB, "mab", "mab", ATTR_BOOL, 0, 1, 0,                                            \
	  "on a locked port, note unknown sources as locked entries")                       \
	X(PORT_GROUP_FWD_MASK, "group_fwd_mask", "group_fwd_mask", ATTR_MASK, 0, 0xffff, 0, \
	  "bit N forwards 01:80:c2:00:00:0N received on this port; bit 1 is refused")       \
	X(BACKUP_PORT, "backup_port", "backup_port", ATTR_PORT, 0, 0xffff, 0xffff,          \
	  "gets this port's unicast while it has no carrier")                               \
	X(ACCEPT, "accept", "accept", ATTR_ACCEPT, 0, 2, ACCEPT_ALL,                        \
	  "all, tagged or untagged: frame types let in while VLAN filtering is on")

enum bridge_attr {
#define X(name, ...) BRIDGE_##name,
	BRIDGE_ATTRS(X)
#undef X
		BRIDGE_ATTR_MAX
};

enum port_attr {
#define X(name, ...) PORT_##name,
	PORT_ATTRS(X)
#undef X
		PORT_ATTR_MAX
};

struct attr {
	const char *name; /* keyword of commands and text */
	const char *json; /* iproute2's JSON key */
	enum attr_type type;
	uint64_t min, max, fallback;
	const char *help;
};

extern const struct attr bridge_attrs[BRIDGE_ATTR_MAX];
extern const struct attr port_attrs[PORT_ATTR_MAX];

/* Returns the index of keyword @name in @table of @n rows, or -1. */
int attr_find(const struct attr *table, size_t n, const char *name);

/*
 * Reads @text as a value of @attr. ATTR_PORT is left to the caller. Returns 0, or -EINVAL / -ERANGE
 * with a sentence in @why (@size bytes): `ageing_time 30000` asks for a unit, an unknown word lists
 * the words.
 */
int attr_parse(const struct attr *attr, const char *text, uint64_t *value, char *why, size_t size);

/* Prints @value as attr_parse() reads it into @text (@size >= 24 bytes) and returns @text. */
char *attr_print(const struct attr *attr, uint64_t value, char *text, size_t size);

/* Returns the kernel's word for @state ("forwarding"). */
const char *port_state_word(enum port_state state);
/* Returns the word for @accept ("untagged"). */
const char *port_accept_word(enum port_accept accept);

#endif
