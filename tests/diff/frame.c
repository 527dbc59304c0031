// SPDX-License-Identifier: MIT
/* The bytes of frames, and the words of commands. */
#include <inttypes.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "tests/diff/netlink.h"
#include "tests/diff/program.h"

#define MAGIC 0x7573 /* in front of the serial number */
#define SERIAL_LEN 6u
#define SHORT_TYPE 0xb000u /* a frame too short for its serial number has it in the type: 0xbNNN */

const struct setting settings[] = {
	{ "ageing_time", 1, IFLA_BR_AGEING_TIME, 4, 0, 5, { 30000, 30000, 30000, 100000, 0 } },
	{ "group_fwd_mask",
	  1,
	  IFLA_BR_GROUP_FWD_MASK,
	  2,
	  0,
	  8,
	  { 0, 0, 8, 0xfff8, 0x4000, 0xc008, 4, 1 } },
	{ "no_linklocal_learn", 1, 0, 0, 0, 2, { 0, 1 } },
	{ "fdb_max_learned", 1, IFLA_BR_MULTI_BOOLOPT + 3, 4, 6007, 4, { 0, 0, 3, 8 } },
	{ "state", 0, IFLA_BRPORT_STATE, 1, 0, 8, { 3, 3, 3, 3, 0, 1, 2, 4 } },
	{ "hairpin", 0, IFLA_BRPORT_MODE, 1, 0, 2, { 0, 1 } },
	{ "learning", 0, IFLA_BRPORT_LEARNING, 1, 0, 3, { 1, 1, 0 } },
	{ "flood", 0, IFLA_BRPORT_UNICAST_FLOOD, 1, 0, 3, { 1, 1, 0 } },
	{ "mcast_flood", 0, IFLA_BRPORT_MCAST_FLOOD, 1, 0, 3, { 1, 1, 0 } },
	{ "bcast_flood", 0, IFLA_BRPORT_BCAST_FLOOD, 1, 0, 3, { 1, 1, 0 } },
	{ "isolated", 0, IFLA_BRPORT_ISOLATED, 1, 0, 3, { 0, 1, 1 } },
	{ "locked", 0, IFLA_BRPORT_LOCKED, 1, 0, 3, { 0, 0, 1 } },
	{ "mab", 0, IFLA_BRPORT_LOCKED + 1, 1, 6002, 2, { 0, 1 } },
	{ "group_fwd_mask",
	  0,
	  IFLA_BRPORT_GROUP_FWD_MASK,
	  2,
	  0,
	  8,
	  { 0, 0, 1, 4, 0x4008, 0xfffd, 2, 0xffff } },
	{ "backup_port", 0, IFLA_BRPORT_BACKUP_PORT, 4, 0, 8, { 0, 0, 1, 2, 3, 4, 5, 6 } },
	{ "priority", 0, IFLA_BRPORT_PRIORITY, 2, 0, 4, { 32, 0, 63, 64 } },
	{ "cost", 0, IFLA_BRPORT_COST, 4, 0, 4, { 2, 1, 65535, 65536 } },
	{ "vlan_filtering", 1, IFLA_BR_VLAN_FILTERING, 1, 0, 4, { 1, 1, 1, 0 } },
	{ "vlan_protocol", 1, IFLA_BR_VLAN_PROTOCOL, 2, 0, 4, { 0x8100, 0x8100, 0x88a8, 0x88a8 } },
	{ "vlan_default_pvid", 1, IFLA_BR_VLAN_DEFAULT_PVID, 2, 0, 6, { 1, 1, 0, 10, 20, 4094 } },
};
const unsigned n_settings = sizeof(settings) / sizeof(settings[0]);
const unsigned n_vlan_settings = 3;

unsigned setting_find(const char *name, int bridge)
{
	unsigned row = 0;

	while (row + 1 < n_settings &&
	       (settings[row].bridge != bridge || strcmp(settings[row].name, name)))
		row++;
	return row;
}

static const char *mac_print(uint64_t mac, char text[18])
{
	uint8_t b[6];

	mac_bytes(mac, b);
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return text;
}

static const char *const states[] = { "disabled", "listening", "learning", "forwarding",
				      "blocking" };

static void value_print(const struct command *c, char *text, size_t size)
{
	const struct setting *s = &settings[c->attr];

	if (!strcmp(s->name, "ageing_time") && c->value)
		snprintf(text, size, "%" PRIu64 "cs", c->value);
	else if (!strcmp(s->name, "state") && c->value < 5)
		snprintf(text, size, "%s", states[c->value]);
	else if (!strcmp(s->name, "backup_port"))
		snprintf(text, size, "p%" PRIu64, c->value);
	else if (!strcmp(s->name, "vlan_protocol"))
		snprintf(text, size, "%s", c->value == 0x8100 ? "802.1Q" : "802.1ad");
	else if (!strcmp(s->name, "group_fwd_mask"))
		snprintf(text, size, "0x%" PRIx64, c->value);
	else
		snprintf(text, size, "%" PRIu64, c->value);
}

static void fdb_print(const struct command *c, const char *dev, char *text, size_t size)
{
	static const char *const modes[] = { "add", "append", "replace" };
	static const char *const kinds[] = { "dynamic", "static", "local" };
	char mac[18], vlan[16] = "";

	if (c->vid)
		snprintf(vlan, sizeof(vlan), " vlan %u", c->vid);
	if (c->op == OP_FDB_FLUSH)
		snprintf(text, size, "fdb flush dev %s%s", dev, vlan);
	else if (c->op == OP_FDB_DEL)
		snprintf(text, size, "fdb del %s dev %s%s", mac_print(c->mac, mac), dev, vlan);
	else
		snprintf(text, size, "fdb %s %s dev %s %s%s%s%s%s", modes[c->mode],
			 mac_print(c->mac, mac), dev, kinds[c->flags & 3],
			 c->flags & WITH_STICKY ? " sticky" : "",
			 c->flags & WITH_EXT_LEARN ? " extern_learn" : "", vlan,
			 c->port ? "" : " self");
}

static void vlan_print(const struct command *c, const char *dev, char *text, size_t size)
{
	const char *verb = c->op == OP_VLAN_ADD ? "add" : c->op == OP_VLAN_DEL ? "del" : "set";
	const char *self = c->port ? "" : " self";
	char range[16] = "";

	if (c->vid_last > c->vid)
		snprintf(range, sizeof(range), "-%u", c->vid_last);
	if (c->op == OP_VLAN_SET)
		snprintf(text, size, "vlan set vid %u dev %s state %s%s", c->vid, dev,
			 states[c->value], self);
	else
		snprintf(text, size, "vlan %s vid %u%s dev %s%s%s%s", verb, c->vid, range, dev,
			 c->flags & VLAN_PVID ? " pvid" : "",
			 c->flags & VLAN_UNTAGGED ? " untagged" : "", self);
}

char *command_print(const struct command *c, char *text, size_t size)
{
	char dev[8] = "br0", value[32], mac[18];
	const char *down = c->value ? "up" : "down";

	if (c->port)
		snprintf(dev, sizeof(dev), "p%u", c->port);
	if (c->op == OP_BRIDGE_SET || c->op == OP_PORT_SET)
		value_print(c, value, sizeof(value));
	switch (c->op) {
	case OP_BRIDGE_SET:
		snprintf(text, size, "set %s %s", settings[c->attr].name, value);
		break;
	case OP_PORT_SET:
		if (!c->value && !strcmp(settings[c->attr].name, "backup_port"))
			snprintf(text, size, "link set dev %s nobackup_port", dev);
		else
			snprintf(text, size, "link set dev %s %s %s", dev, settings[c->attr].name,
				 value);
		break;
	case OP_FDB_ADD:
	case OP_FDB_DEL:
	case OP_FDB_FLUSH:
		fdb_print(c, dev, text, size);
		break;
	case OP_VLAN_ADD:
	case OP_VLAN_DEL:
	case OP_VLAN_SET:
		vlan_print(c, dev, text, size);
		break;
	case OP_PORT_ADD:
		snprintf(text, size, "link add packet:%s", dev);
		break;
	case OP_PORT_DEL:
		snprintf(text, size, "link del dev %s", dev);
		break;
	case OP_CARRIER:
		snprintf(text, size, "ip link set h%u %s", c->port, down);
		break;
	case OP_ADMIN:
		snprintf(text, size, "ip link set %s %s", dev, down);
		break;
	case OP_MAC:
		snprintf(text, size, "ip link set %s address %s", dev, mac_print(c->mac, mac));
		break;
	case OP_MTU:
		snprintf(text, size, "ip link set %s mtu %" PRIu64, dev, c->value);
		break;
	case OP_PROMISC:
		snprintf(text, size, "ip link set br0 promisc %s", c->value ? "on" : "off");
		break;
	case OP_WAIT:
		snprintf(text, size, "wait %" PRIu64 "ms", c->value);
		break;
	}
	return text;
}

char *frame_print(const struct frame *f, char *text, size_t size)
{
	char dst[18], src[18], from[8] = "br0", tags[64] = "";
	size_t at = 0;

	if (f->port)
		snprintf(from, sizeof(from), "h%u", f->port);
	for (unsigned i = 0; i < f->n_tags; i++)
		at += (size_t)snprintf(tags + at, sizeof(tags) - at, " %04x vid %u pcp %u",
				       f->tag[i].tpid, f->tag[i].tci & 0xfff, f->tag[i].tci >> 13);
	snprintf(text, size, "frame %u from %s: %s > %s%s type %04x, %zu bytes", f->serial, from,
		 mac_print(f->src, src), mac_print(f->dst, dst), tags, f->type, frame_len(f));
	return text;
}

size_t frame_len(const struct frame *f)
{
	return 14 + 4u * f->n_tags + f->payload;
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

size_t frame_bytes(const struct frame *f, uint8_t *bytes)
{
	uint8_t *p = bytes + 12;

	mac_bytes(f->dst, bytes);
	mac_bytes(f->src, bytes + 6);
	for (unsigned i = 0; i < f->n_tags; i++, p += 4) {
		put16(p, f->tag[i].tpid);
		put16(p + 2, f->tag[i].tci);
	}
	put16(p, f->payload < SERIAL_LEN && f->type >= 0x600 ? SHORT_TYPE | (f->serial & 0xfff)
							     : f->type);
	p += 2;
	for (unsigned i = 0; i < f->payload; i++)
		p[i] = (uint8_t)(f->serial + i * 7);
	if (f->payload >= SERIAL_LEN) {
		put16(p, MAGIC);
		put16(p + 2, f->serial >> 16);
		put16(p + 4, f->serial & 0xffff);
	}
	return frame_len(f);
}

int64_t frame_serial(const uint8_t *bytes, size_t len)
{
	size_t at = 12;

	while (at + 4 <= len && ((bytes[at] == 0x81 && bytes[at + 1] == 0) ||
				 (bytes[at] == 0x88 && bytes[at + 1] == 0xa8)))
		at += 4;
	if (at + 2 + SERIAL_LEN <= len && bytes[at + 2] == MAGIC >> 8 &&
	    bytes[at + 3] == (MAGIC & 0xff))
		return (int64_t)bytes[at + 4] << 24 | bytes[at + 5] << 16 | bytes[at + 6] << 8 |
		       bytes[at + 7];
	if (at + 2 <= len && bytes[at] >> 4 == SHORT_TYPE >> 12)
		return (bytes[at] & 15) << 8 | bytes[at + 1];
	return -1;
}
