/* SPDX-License-Identifier: MIT */
/*
 * netlink, brmsg: each request byte for byte, as a little-endian machine sends it; what the kernel
 * sends, whole, cut short and with attributes missing.
 */
#include "switch/daemon/brmsg.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC 0x020000000001

static struct netlink_msg m;

/* Whether the message is these bytes, written in hexadecimal with blanks anywhere. */
static void is(const char *name, const char *want)
{
	char got[2 * sizeof(m) + 1], bare[2 * sizeof(m) + 1];
	size_t n = 0;

	for (; *want; want++)
		if (*want != ' ')
			bare[n++] = *want;
	bare[n] = '\0';
	for (uint32_t i = 0; i < m.head.nlmsg_len; i++)
		snprintf(got + 2 * i, 3, "%02x", (unsigned char)m.bytes[i]);
	ck_assert_msg(!strcmp(got, bare), "%s:\n got %s\nwant %s", name, got, bare);
}

/* The header of every message: length, type, flags, then sequence and port, which are set later. */
#define HEAD(len, type, flags) len "000000 " type " " flags " 00000000 00000000 "
/* struct ifinfomsg: family, type, index, flags, change */
#define LINK(family, index) family "00 0000 " index "000000 00000000 00000000 "

START_TEST(links)
{
	brmsg_bridge_add(&m, "br0");
	is("bridge_add",
	   HEAD("4c", "1000", "0106")
		   LINK("00", "00") "0800 0300 62723000 "         /* IFLA_IFNAME "br0" */
				    "2400 1280 "                  /* IFLA_LINKINFO, nested */
				    "0b00 0100 62726964676500 00" /* IFLA_INFO_KIND "bridge" */
				    "1400 0280 "                  /* IFLA_INFO_DATA, nested */
				    "0800 0500 00000000"          /* IFLA_BR_STP_STATE */
				    "0500 1700 00 000000");       /* IFLA_BR_MCAST_SNOOPING */
	brmsg_link_del(&m, 7, NULL);
	is("link_del", HEAD("20", "1100", "0100") LINK("00", "07"));
	brmsg_link_up(&m, 7, true);
	is("up", HEAD("20", "1000", "0100") "0000 0000 07000000 01000000 01000000");
	brmsg_link_up(&m, 7, false);
	is("down", HEAD("20", "1000", "0100") "0000 0000 07000000 00000000 01000000");
	brmsg_link_mtu(&m, 7, 9000);
	is("mtu", HEAD("28", "1000", "0100") LINK("00", "07") "0800 0400 28230000");
	brmsg_link_addresses(&m, 7, false);
	is("addresses",
	   HEAD("30", "1000", "0100") LINK("00", "07") "1000 1a80 0c00 0a80 0500 0800 01 000000");
	brmsg_enslave(&m, 7, 3);
	is("enslave", HEAD("28", "1000", "0100") LINK("00", "07") "0800 0a00 03000000");
	brmsg_link_get(&m, 7, NULL);
	is("get by index", HEAD("20", "1200", "0100") LINK("00", "07"));
	brmsg_link_get(&m, 0, "tap0");
	is("get by name",
	   HEAD("2c", "1200", "0100") LINK("00", "00") "0900 0300 7461703000 000000");
	brmsg_ports_dump(&m, 3);
	is("ports", HEAD("28", "1200", "0103") LINK("00", "00") "0800 0a00 03000000");
}
END_TEST

/* One setting of a bridge: 4 bytes of attribute header and @len bytes at the end of this. */
#define BRIDGE_SET(total, info, data) \
	HEAD(total, "1000", "0100")   \
	LINK("00", "03") info "00 1280 0b00 0100 62726964676500 00" data "00 0280 "

START_TEST(bridge_settings)
{
	brmsg_bridge_set(&m, 3, BRIDGE_AGEING_TIME, 300000);
	is("ageing_time", BRIDGE_SET("3c", "1c", "0c") "0800 0400 30750000");
	brmsg_bridge_set(&m, 3, BRIDGE_VLAN_FILTERING, 1);
	is("vlan_filtering", BRIDGE_SET("3c", "1c", "0c") "0500 0700 01 000000");
	brmsg_bridge_set(&m, 3, BRIDGE_VLAN_PROTOCOL, 0x88a8);
	is("vlan_protocol", BRIDGE_SET("3c", "1c", "0c") "0600 0800 88a8 0000");
	brmsg_bridge_set(&m, 3, BRIDGE_VLAN_DEFAULT_PVID, 0x102);
	is("default_pvid", BRIDGE_SET("3c", "1c", "0c") "0600 2700 0201 0000");
	brmsg_bridge_set(&m, 3, BRIDGE_VLAN_STATS_ENABLED, 1);
	is("stats_enabled", BRIDGE_SET("3c", "1c", "0c") "0500 2900 01 000000");
	brmsg_bridge_set(&m, 3, BRIDGE_VLAN_STATS_PER_PORT, 1);
	is("stats_per_port", BRIDGE_SET("3c", "1c", "0c") "0500 2d00 01 000000");
	brmsg_bridge_set(&m, 3, BRIDGE_GROUP_FWD_MASK, 0x4008);
	is("group_fwd_mask", BRIDGE_SET("3c", "1c", "0c") "0600 0900 0840 0000");
	brmsg_bridge_set(&m, 3, BRIDGE_GROUP_ADDR, 0x0180c2000008);
	is("group_address", BRIDGE_SET("40", "20", "10") "0a00 1400 0180c2000008 0000");
	brmsg_bridge_set(&m, 3, BRIDGE_NO_LINKLOCAL_LEARN, 1);
	is("no_linklocal_learn", BRIDGE_SET("40", "20", "10") "0c00 2e00 01000000 01000000");
	brmsg_bridge_set(&m, 3, BRIDGE_NO_LINKLOCAL_LEARN, 0);
	is("linklocal_learn", BRIDGE_SET("40", "20", "10") "0c00 2e00 00000000 01000000");
	brmsg_bridge_set(&m, 3, BRIDGE_FDB_MAX_LEARNED, 1000);
	is("fdb_max_learned", BRIDGE_SET("3c", "1c", "0c") "0800 3100 e8030000");
}
END_TEST

#define PORT_SET HEAD("2c", "1300", "0100") LINK("07", "07") "0c00 0c80 "

START_TEST(port_settings)
{
	static const struct {
		enum port_attr attr;
		uint64_t value;
		const char *bytes;
	} rows[] = {
		{ PORT_STATE, STATE_LEARNING, PORT_SET "0500 0100 02 000000" },
		{ PORT_PRIORITY, 63, PORT_SET "0600 0200 3f00 0000" },
		{ PORT_COST, 100, PORT_SET "0800 0300 64000000" },
		{ PORT_HAIRPIN, 1, PORT_SET "0500 0400 01 000000" },
		{ PORT_LEARNING, 0, PORT_SET "0500 0800 00 000000" },
		{ PORT_FLOOD, 0, PORT_SET "0500 0900 00 000000" },
		{ PORT_MCAST_FLOOD, 0, PORT_SET "0500 1b00 00 000000" },
		{ PORT_BCAST_FLOOD, 0, PORT_SET "0500 1e00 00 000000" },
		{ PORT_ISOLATED, 1, PORT_SET "0500 2100 01 000000" },
		{ PORT_LOCKED, 1, PORT_SET "0500 2700 01 000000" },
		{ PORT_MAB, 1, PORT_SET "0500 2800 01 000000" },
		{ PORT_PORT_GROUP_FWD_MASK, 4, PORT_SET "0600 1f00 0400 0000" },
		{ PORT_BACKUP_PORT, 9, PORT_SET "0800 2200 09000000" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		brmsg_port_set(&m, 7, rows[i].attr, rows[i].value);
		is(port_attrs[rows[i].attr].name, rows[i].bytes);
	}
	ck_assert_uint_eq(sizeof(rows) / sizeof(rows[0]), PORT_ATTR_MAX - 1); /* all but accept */
}
END_TEST

START_TEST(vlans)
{
	brmsg_vlan_add(&m, 7, false, 10, 10, VLAN_PVID | VLAN_UNTAGGED);
	is("vlan add", HEAD("34", "1300", "0100") LINK(
			       "07", "07") "1400 1a80 0600 0000 0100 0000 0800 0200 0600 0a00");
	brmsg_vlan_add(&m, 3, true, 10, 4094, 0);
	is("vlan add range",
	   HEAD("3c", "1300", "0100") LINK(
		   "07",
		   "03") "1c00 1a80 0600 0000 0200 0000 0800 0200 0800 0a00 0800 0200 1000 fe0f");
	brmsg_vlan_del(&m, 7, false, 10, 12);
	is("vlan del",
	   HEAD("3c", "1100", "0100") LINK(
		   "07",
		   "07") "1c00 1a80 0600 0000 0100 0000 0800 0200 0800 0a00 0800 0200 1000 0c00");
	brmsg_vlan_state(&m, 7, 10, 12, STATE_BLOCKING);
	is("vlan set",
	   HEAD("34", "7000",
		"0100") "07 00 0000 07000000"
			"1c00 0180 0800 0100 4000 0a00 0600 0200 0c00 0000 0500 0300 04 000000");
	brmsg_vlan_dump(&m, 0);
	is("vlans", HEAD("18", "7200", "0103") "07 00 0000 00000000");
	brmsg_vlan_dump(&m, 7);
	is("vlan counters", HEAD("20", "7200", "0103") "07 00 0000 07000000 0800 0100 01000000");
}
END_TEST

/* struct ndmsg: family, padding, index, state, flags, type */
#define NEIGH(index, state, flags) "07 00 0000 " index "000000 " state " " flags " 00 "
#define LLADDR "0a00 0200 020000000001 0000 "

START_TEST(entries)
{
	const struct fdb_match all = { .vid = FDB_ANY_VID },
			       one = { .vid = 10,
				       .flags_mask = FDB_LOCAL | FDB_STATIC | FDB_STICKY,
				       .flags_want = FDB_STATIC | FDB_STICKY };

	brmsg_fdb_add(&m, 7, false, MAC, 0, 0, FDB_MODE_ADD);
	is("dynamic", HEAD("28", "1c00", "0106") NEIGH("07", "0200", "04") LLADDR);
	brmsg_fdb_add(&m, 7, false, MAC, 10, FDB_STATIC | FDB_STICKY, FDB_MODE_REPLACE);
	is("static",
	   HEAD("30", "1c00", "0105") NEIGH("07", "4000", "44") LLADDR "0600 0500 0a00 0000");
	brmsg_fdb_add(&m, 3, true, MAC, 0, FDB_LOCAL, FDB_MODE_APPEND);
	is("local", HEAD("28", "1c00", "010c") NEIGH("03", "8000", "02") LLADDR);
	brmsg_fdb_add(&m, 7, false, MAC, 0, FDB_EXT_LEARN, FDB_MODE_REPLACE);
	is("extern_learn", HEAD("28", "1c00", "0105") NEIGH("07", "0200", "14") LLADDR);
	brmsg_fdb_del(&m, 7, false, MAC, 10);
	is("del",
	   HEAD("30", "1d00", "0100") NEIGH("07", "8000", "04") LLADDR "0600 0500 0a00 0000");
	brmsg_fdb_flush(&m, 3, true, &all);
	is("flush", HEAD("24", "1d00", "0102") NEIGH("03", "0000", "02") "0600 1000 c000 0000");
	brmsg_fdb_flush(&m, 7, false, &one);
	is("flush some",
	   HEAD("34", "1d00", "0102")
		   NEIGH("07", "4000",
			 "44") "0600 0500 0a00 0000 0600 1000 c000 0000 0500 1100 40 000000");
	brmsg_fdb_get(&m, 3, MAC, 10);
	is("get", HEAD("38", "1e00", "0100") NEIGH("00", "0000", "00") LLADDR
	   "0600 0500 0a00 0000 0800 0900 03000000");
	brmsg_fdb_dump(&m, 3);
	is("dump", HEAD("24", "1e00", "0103") NEIGH("00", "0000", "00") "0800 0900 03000000");
}
END_TEST

/* ---- what the kernel sends ---- */

static void begin_link(uint16_t type, uint8_t family)
{
	const struct ifinfomsg ifi = { .ifi_family = family,
				       .ifi_type = 1,
				       .ifi_index = 7,
				       .ifi_flags = 1 /* IFF_UP */ };

	netlink_begin(&m, type, 0, &ifi, sizeof(ifi));
	netlink_put_text(&m, IFLA_IFNAME, "eth0");
}

static void make_bridge(void)
{
	const struct br_boolopt_multi bits = { .optval = 1, .optmask = 3 };
	const uint8_t group[] = { 1, 0x80, 0xc2, 0, 0, 8 };
	struct nlattr *info, *data;

	begin_link(RTM_NEWLINK, 0);
	info = netlink_nest(&m, IFLA_LINKINFO);
	netlink_put_text(&m, IFLA_INFO_KIND, "bridge");
	data = netlink_nest(&m, IFLA_INFO_DATA);
	netlink_put_u32(&m, IFLA_BR_AGEING_TIME, 1000);
	netlink_put_u8(&m, IFLA_BR_VLAN_FILTERING, 1);
	netlink_put_u16(&m, IFLA_BR_VLAN_PROTOCOL, 0xa888); /* big-endian */
	netlink_put_u16(&m, IFLA_BR_VLAN_DEFAULT_PVID, 20);
	netlink_put(&m, IFLA_BR_GROUP_ADDR, group, sizeof(group));
	netlink_put(&m, IFLA_BR_MULTI_BOOLOPT, &bits, sizeof(bits));
	netlink_put_u32(&m, 48, 12);  /* IFLA_BR_FDB_N_LEARNED */
	netlink_put_u32(&m, 200, 12); /* not known yet */
	netlink_nest_end(&m, data);
	netlink_nest_end(&m, info);
}

static void make_port(void)
{
	struct rtnl_link_stats64 stats = { .rx_packets = 1,
					   .rx_bytes = 2,
					   .rx_missed_errors = 3,
					   .tx_packets = 4,
					   .tx_bytes = 5 };
	struct nlattr *info, *data;

	begin_link(RTM_NEWLINK, 0);
	netlink_put_u32(&m, IFLA_MASTER, 3);
	netlink_put(&m, IFLA_STATS64, &stats, sizeof(stats));
	info = netlink_nest(&m, IFLA_LINKINFO);
	netlink_put_text(&m, IFLA_INFO_SLAVE_KIND, "bridge");
	data = netlink_nest(&m, IFLA_INFO_SLAVE_DATA);
	netlink_put_u8(&m, IFLA_BRPORT_STATE, STATE_BLOCKING);
	netlink_put_u32(&m, IFLA_BRPORT_COST, 100);
	netlink_put_u8(&m, IFLA_BRPORT_LEARNING, 0);
	netlink_put_u16(&m, IFLA_BRPORT_NO, 5);
	netlink_put_u32(&m, IFLA_BRPORT_BACKUP_PORT, 9);
	netlink_nest_end(&m, data);
	netlink_nest_end(&m, info);
}

START_TEST(reads_links)
{
	struct brmsg_link l;

	make_bridge();
	ck_assert_int_eq(brmsg_read_link(&m.head, &l), RTM_NEWLINK);
	ck_assert_str_eq(l.base.kind, "bridge");
	ck_assert_uint_eq(l.bridge[BRIDGE_AGEING_TIME], 10000);
	ck_assert_uint_eq(l.bridge[BRIDGE_VLAN_PROTOCOL], 0x88a8);
	ck_assert_uint_eq(l.bridge[BRIDGE_VLAN_DEFAULT_PVID], 20);
	ck_assert_uint_eq(l.bridge[BRIDGE_GROUP_ADDR], 0x0180c2000008);
	ck_assert_uint_eq(l.bridge[BRIDGE_NO_LINKLOCAL_LEARN], 1);
	ck_assert_uint_eq(l.n_learned, 12);
	ck_assert(!(l.bridge_has >> BRIDGE_FDB_MAX_LEARNED & 1));
	ck_assert(l.bridge_has >> BRIDGE_VLAN_DEFAULT_PVID & 1);
	ck_assert(!l.port && l.base.link.up);
	make_port();
	ck_assert_int_eq(brmsg_read_link(&m.head, &l), RTM_NEWLINK);
	ck_assert(l.port);
	ck_assert_int_eq(l.master, 3);
	ck_assert_uint_eq(l.number, 5);
	ck_assert_uint_eq(l.attr[PORT_STATE], STATE_BLOCKING);
	ck_assert_uint_eq(l.attr[PORT_COST], 100);
	ck_assert_uint_eq(l.attr[PORT_LEARNING], 0);
	ck_assert_uint_eq(l.attr[PORT_FLOOD], 1); /* not said: as by default */
	ck_assert_uint_eq(l.attr[PORT_BACKUP_PORT], 9);
	ck_assert(!(l.port_has >> PORT_MAB & 1));
	ck_assert_uint_eq(l.stats.rx, 1);
	ck_assert_uint_eq(l.stats.rx_bytes, 2);
	ck_assert_uint_eq(l.stats.rx_missed, 3);
	ck_assert_uint_eq(l.stats.tx, 4);
	ck_assert_uint_eq(l.stats.queued, 4);
	ck_assert_uint_eq(l.stats.tx_bytes, 5);
	begin_link(RTM_NEWLINK, 7);
	ck_assert_int_eq(brmsg_read_link(&m.head, &l), 0);
}
END_TEST

static void make_fdb(uint16_t type, uint16_t state, uint8_t flags, uint32_t ext)
{
	const struct ndmsg nd = {
		.ndm_family = 7, .ndm_ifindex = 7, .ndm_state = state, .ndm_flags = flags
	};
	const struct nda_cacheinfo times = { .ndm_used = 100, .ndm_updated = 200 };
	const uint8_t mac[] = { 2, 0, 0, 0, 0, 1 };

	netlink_begin(&m, type, 0, &nd, sizeof(nd));
	netlink_put(&m, NDA_LLADDR, mac, sizeof(mac));
	netlink_put_u32(&m, NDA_MASTER, 3);
	netlink_put_u32(&m, NDA_FLAGS_EXT, ext);
	netlink_put(&m, NDA_CACHEINFO, &times, sizeof(times));
	netlink_put_u16(&m, NDA_VLAN, 10);
}

START_TEST(reads_entries)
{
	static const struct {
		uint16_t state;
		uint8_t flags;
		uint32_t ext;
		uint16_t want;
	} rows[] = {
		{ NUD_REACHABLE, 0, 0, 0 },
		{ NUD_STALE, 0, 0, 0 },
		{ NUD_PERMANENT, 0, 0, FDB_LOCAL | FDB_STATIC },
		{ NUD_NOARP, NTF_STICKY, 0, FDB_STATIC | FDB_STICKY },
		{ NUD_REACHABLE, NTF_EXT_LEARNED, 0, FDB_EXT_LEARN },
		{ NUD_REACHABLE, 0, 2, FDB_LOCKED },
	};
	const struct ndmsg neighbour = { .ndm_family = 2 };
	struct brmsg_fdb e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_fdb(i & 1 ? RTM_DELNEIGH : RTM_NEWNEIGH, rows[i].state, rows[i].flags,
			 rows[i].ext);
		ck_assert_int_eq(brmsg_read_fdb(&m.head, &e), i & 1 ? RTM_DELNEIGH : RTM_NEWNEIGH);
		ck_assert_uint_eq(e.entry.flags, rows[i].want);
		ck_assert_uint_eq(e.entry.mac, MAC);
		ck_assert_uint_eq(e.entry.vid, 10);
		ck_assert_uint_eq(e.entry.used_ms, 1000);
		ck_assert_uint_eq(e.entry.updated_ms, 2000);
		ck_assert_int_eq(e.ifindex, 7);
		ck_assert_int_eq(e.bridge, 3);
	}
	netlink_begin(&m, RTM_NEWNEIGH, 0, &neighbour, sizeof(neighbour));
	ck_assert_int_eq(brmsg_read_fdb(&m.head, &e), 0);
}
END_TEST

static struct brmsg_vlan seen[4];
static unsigned n_seen;

static void see(void *arg, const struct brmsg_vlan *v)
{
	(void)arg;
	ck_assert_uint_lt(n_seen, 4);
	seen[n_seen++] = *v;
}

static void put_vlan(uint16_t flags, uint16_t first, uint16_t last, bool stats)
{
	const struct bridge_vlan_info info = { .flags = flags, .vid = first };
	const uint64_t rx_bytes = 86;
	struct nlattr *entry = netlink_nest(&m, BRIDGE_VLANDB_ENTRY), *counters;

	netlink_put(&m, BRIDGE_VLANDB_ENTRY_INFO, &info, sizeof(info));
	if (last)
		netlink_put_u16(&m, BRIDGE_VLANDB_ENTRY_RANGE, last);
	netlink_put_u8(&m, BRIDGE_VLANDB_ENTRY_STATE, STATE_BLOCKING);
	if (stats) {
		counters = netlink_nest(&m, BRIDGE_VLANDB_ENTRY_STATS);
		netlink_put(&m, BRIDGE_VLANDB_STATS_RX_BYTES, &rx_bytes, sizeof(rx_bytes));
		netlink_nest_end(&m, counters);
	}
	netlink_nest_end(&m, entry);
}

static void make_vlans(void)
{
	const struct br_vlan_msg head = { .family = 7, .ifindex = 7 };

	netlink_begin(&m, RTM_NEWVLAN, 0, &head, sizeof(head));
	put_vlan(BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED, 1, 0, true);
	put_vlan(0, 10, 12, false);
	put_vlan(0, 4095, 0, false); /* nonsense is passed over */
	put_vlan(0, 12, 10, false);
}

START_TEST(reads_vlans)
{
	n_seen = 0;
	make_vlans();
	ck_assert_int_eq(brmsg_read_vlans(&m.head, see, NULL), RTM_NEWVLAN);
	ck_assert_uint_eq(n_seen, 2);
	ck_assert_uint_eq(seen[0].first, 1);
	ck_assert_uint_eq(seen[0].last, 1);
	ck_assert_uint_eq(seen[0].flags, VLAN_PVID | VLAN_UNTAGGED);
	ck_assert_uint_eq(seen[0].state, STATE_BLOCKING);
	ck_assert_uint_eq(seen[0].stats.rx_bytes, 86);
	ck_assert_uint_eq(seen[1].first, 10);
	ck_assert_uint_eq(seen[1].last, 12);
	ck_assert_int_eq(seen[1].ifindex, 7);
}
END_TEST

/* Every length of a message is read within its bounds. */
START_TEST(cut_short)
{
	static void (*const make[])(void) = { make_bridge, make_port, make_vlans };
	struct brmsg_link l;
	struct brmsg_fdb e;

	for (unsigned i = 0; i < 4; i++) {
		if (i < 3)
			make[i]();
		else
			make_fdb(RTM_NEWNEIGH, NUD_REACHABLE, 0, 0);
		for (uint32_t len = sizeof(m.head); len < m.head.nlmsg_len; len += 4) {
			struct nlmsghdr *copy = malloc(len); /* a sanitizer sees a read beyond it */

			memcpy(copy, &m, len);
			copy->nlmsg_len = len;
			n_seen = 0;
			ck_assert_int_ge(brmsg_read_link(copy, &l), -EBADMSG);
			ck_assert_int_ge(brmsg_read_fdb(copy, &e), -EBADMSG);
			ck_assert_int_ge(brmsg_read_vlans(copy, see, NULL), -EBADMSG);
			free(copy);
		}
	}
}
END_TEST

/* An acknowledgement with @code, its request in full unless @capped, and the kernel's sentence. */
static void make_verdict(int code, bool capped, const char *text)
{
	struct nlmsgerr e = { .error = code };
	char body[sizeof(e) + 12] = { 0 };
	size_t len = capped ? sizeof(e) : sizeof(body);

	e.msg.nlmsg_len = sizeof(e.msg) + 12;
	memcpy(body, &e, sizeof(e));
	netlink_begin(&m, NLMSG_ERROR,
		      (uint16_t)((capped ? NLM_F_CAPPED : 0) | (text ? NLM_F_ACK_TLVS : 0)), body,
		      len);
	if (text)
		netlink_put_text(&m, NLMSGERR_ATTR_MSG, text);
}

START_TEST(verdicts)
{
	char why[64];
	int done = -EINTR;

	make_verdict(0, true, NULL);
	ck_assert_int_eq(netlink_verdict(&m.head, why, sizeof(why)), 0);
	ck_assert_str_eq(why, "");
	make_verdict(-EINVAL, true, "no such thing");
	ck_assert_int_eq(netlink_verdict(&m.head, why, sizeof(why)), -EINVAL);
	ck_assert_str_eq(why, "no such thing");
	make_verdict(-EINVAL, false, "nor this");
	ck_assert_int_eq(netlink_verdict(&m.head, why, sizeof(why)), -EINVAL);
	ck_assert_str_eq(why, "nor this");
	ck_assert_int_eq(netlink_verdict(&m.head, NULL, 0), -EINVAL);
	m.head.nlmsg_len = sizeof(m.head) + 4;
	ck_assert_int_eq(netlink_verdict(&m.head, why, sizeof(why)), -EBADMSG);
	netlink_begin(&m, NLMSG_DONE, 0, &done, sizeof(done));
	ck_assert_int_eq(netlink_verdict(&m.head, why, sizeof(why)), -EINTR);
	netlink_begin(&m, NLMSG_DONE, 0, &done, 0);
	ck_assert_int_eq(netlink_verdict(&m.head, why, sizeof(why)), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("brmsg");
	TCase *all = tcase_create("all");

	tcase_add_test(all, links);
	tcase_add_test(all, bridge_settings);
	tcase_add_test(all, port_settings);
	tcase_add_test(all, vlans);
	tcase_add_test(all, entries);
	tcase_add_test(all, reads_links);
	tcase_add_test(all, reads_entries);
	tcase_add_test(all, reads_vlans);
	tcase_add_test(all, cut_short);
	tcase_add_test(all, verdicts);
	suite_add_tcase(s, all);
	return suite_run(s);
}
