/* SPDX-License-Identifier: MIT */
#include "switch/daemon/brmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "fdb/mac.h"

/* Newer than the headers of Debian 12. */
#define BR_FDB_N_LEARNED 48u
#define BR_FDB_MAX_LEARNED 49u
#define BRPORT_MAB 40u
#define EXT_LOCKED 2u /* NTF_EXT_LOCKED */
#define BR_MAX (BR_FDB_MAX_LEARNED + 1)
#define BRPORT_MAX (BRPORT_MAB + 1)

#define CLOCK_MS 10u /* the kernel's times are in USER_HZ */

/* How a setting is sent: its attribute, and its bytes; 0 = a bit of IFLA_BR_MULTI_BOOLOPT. */
struct row {
	uint16_t type;
	uint8_t size;
};

static const struct row bridge_rows[BRIDGE_ATTR_MAX] = {
	[BRIDGE_AGEING_TIME] = { IFLA_BR_AGEING_TIME, 4 },
	[BRIDGE_VLAN_FILTERING] = { IFLA_BR_VLAN_FILTERING, 1 },
	[BRIDGE_VLAN_PROTOCOL] = { IFLA_BR_VLAN_PROTOCOL, 2 },
	[BRIDGE_VLAN_DEFAULT_PVID] = { IFLA_BR_VLAN_DEFAULT_PVID, 2 },
	[BRIDGE_VLAN_STATS_ENABLED] = { IFLA_BR_VLAN_STATS_ENABLED, 1 },
	[BRIDGE_VLAN_STATS_PER_PORT] = { IFLA_BR_VLAN_STATS_PER_PORT, 1 },
	[BRIDGE_GROUP_FWD_MASK] = { IFLA_BR_GROUP_FWD_MASK, 2 },
	[BRIDGE_GROUP_ADDR] = { IFLA_BR_GROUP_ADDR, MAC_LEN },
	[BRIDGE_NO_LINKLOCAL_LEARN] = { BR_BOOLOPT_NO_LL_LEARN, 0 },
	[BRIDGE_FDB_MAX_LEARNED] = { BR_FDB_MAX_LEARNED, 4 },
};

static const struct row port_rows[PORT_ATTR_MAX] = {
	[PORT_STATE] = { IFLA_BRPORT_STATE, 1 },
	[PORT_PRIORITY] = { IFLA_BRPORT_PRIORITY, 2 },
	[PORT_COST] = { IFLA_BRPORT_COST, 4 },
	[PORT_HAIRPIN] = { IFLA_BRPORT_MODE, 1 },
	[PORT_LEARNING] = { IFLA_BRPORT_LEARNING, 1 },
	[PORT_FLOOD] = { IFLA_BRPORT_UNICAST_FLOOD, 1 },
	[PORT_MCAST_FLOOD] = { IFLA_BRPORT_MCAST_FLOOD, 1 },
	[PORT_BCAST_FLOOD] = { IFLA_BRPORT_BCAST_FLOOD, 1 },
	[PORT_ISOLATED] = { IFLA_BRPORT_ISOLATED, 1 },
	[PORT_LOCKED] = { IFLA_BRPORT_LOCKED, 1 },
	[PORT_MAB] = { BRPORT_MAB, 1 },
	[PORT_PORT_GROUP_FWD_MASK] = { IFLA_BRPORT_GROUP_FWD_MASK, 2 },
	[PORT_BACKUP_PORT] = { IFLA_BRPORT_BACKUP_PORT, 4 },
};

static void begin_link(struct netlink_msg *m, uint16_t type, uint16_t flags, uint8_t family,
		       int ifindex, bool change, bool up)
{
	const struct ifinfomsg ifi = { .ifi_family = family,
				       .ifi_index = ifindex,
				       .ifi_flags = up ? IFF_UP : 0,
				       .ifi_change = change ? IFF_UP : 0 };

	netlink_begin(m, type, flags, &ifi, sizeof(ifi));
}

static void put_protocols(struct netlink_msg *m, bool stp, bool mcast_snooping)
{
	netlink_put_u32(m, IFLA_BR_STP_STATE, stp);
	netlink_put_u8(m, IFLA_BR_MCAST_SNOOPING, mcast_snooping);
}

void brmsg_bridge_add(struct netlink_msg *m, const char *name)
{
	struct nlattr *info, *data;

	begin_link(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0, false, false);
	netlink_put_text(m, IFLA_IFNAME, name);
	info = netlink_nest(m, IFLA_LINKINFO);
	netlink_put_text(m, IFLA_INFO_KIND, "bridge");
	data = netlink_nest(m, IFLA_INFO_DATA);
	put_protocols(m, false, false);
	netlink_nest_end(m, data);
	netlink_nest_end(m, info);
}

void brmsg_bridge_protocols(struct netlink_msg *m, int ifindex, bool stp, bool mcast_snooping)
{
	struct nlattr *info, *data;

	begin_link(m, RTM_NEWLINK, 0, AF_UNSPEC, ifindex, false, false);
	info = netlink_nest(m, IFLA_LINKINFO);
	netlink_put_text(m, IFLA_INFO_KIND, "bridge");
	data = netlink_nest(m, IFLA_INFO_DATA);
	put_protocols(m, stp, mcast_snooping);
	netlink_nest_end(m, data);
	netlink_nest_end(m, info);
}

void brmsg_link_del(struct netlink_msg *m, int ifindex, const char *name)
{
	begin_link(m, RTM_DELLINK, 0, AF_UNSPEC, ifindex, false, false);
	if (!ifindex)
		netlink_put_text(m, IFLA_IFNAME, name);
}

void brmsg_link_up(struct netlink_msg *m, int ifindex, bool up)
{
	begin_link(m, RTM_NEWLINK, 0, AF_UNSPEC, ifindex, true, up);
}

void brmsg_link_mtu(struct netlink_msg *m, int ifindex, uint32_t mtu)
{
	begin_link(m, RTM_NEWLINK, 0, AF_UNSPEC, ifindex, false, false);
	netlink_put_u32(m, IFLA_MTU, mtu);
}

void brmsg_link_addresses(struct netlink_msg *m, int ifindex, bool own)
{
	struct nlattr *spec, *inet6;

	begin_link(m, RTM_NEWLINK, 0, AF_UNSPEC, ifindex, false, false);
	spec = netlink_nest(m, IFLA_AF_SPEC);
	inet6 = netlink_nest(m, AF_INET6);
	netlink_put_u8(m, IFLA_INET6_ADDR_GEN_MODE,
		       own ? IN6_ADDR_GEN_MODE_EUI64 : IN6_ADDR_GEN_MODE_NONE);
	netlink_nest_end(m, inet6);
	netlink_nest_end(m, spec);
}

void brmsg_enslave(struct netlink_msg *m, int ifindex, int master)
{
	begin_link(m, RTM_NEWLINK, 0, AF_UNSPEC, ifindex, false, false);
	netlink_put_u32(m, IFLA_MASTER, (uint32_t)master);
}

/* A number of @size bytes in the machine's order. */
static void put_number(struct netlink_msg *m, const struct row *row, uint64_t value)
{
	if (row->size == 1)
		netlink_put_u8(m, row->type, (uint8_t)value);
	else if (row->size == 2)
		netlink_put_u16(m, row->type, (uint16_t)value);
	else
		netlink_put_u32(m, row->type, (uint32_t)value);
}

static void put_bridge_attr(struct netlink_msg *m, enum bridge_attr attr, uint64_t value)
{
	const struct row *row = &bridge_rows[attr];
	struct br_boolopt_multi bit = { .optval = row->size || !value ? 0 : 1u << row->type,
					.optmask = row->size ? 0 : 1u << row->type };
	uint8_t mac[MAC_LEN];

	if (!row->size) {
		netlink_put(m, IFLA_BR_MULTI_BOOLOPT, &bit, sizeof(bit));
	} else if (row->size == MAC_LEN) {
		mac_store(mac, value);
		netlink_put(m, row->type, mac, sizeof(mac));
	} else if (attr == BRIDGE_VLAN_PROTOCOL) {
		put_number(m, row, htons((uint16_t)value));
	} else {
		put_number(m, row, attr == BRIDGE_AGEING_TIME ? value / CLOCK_MS : value);
	}
}

void brmsg_bridge_set(struct netlink_msg *m, int ifindex, enum bridge_attr attr, uint64_t value)
{
	struct nlattr *info, *data;

	begin_link(m, RTM_NEWLINK, 0, AF_UNSPEC, ifindex, false, false);
	info = netlink_nest(m, IFLA_LINKINFO);
	netlink_put_text(m, IFLA_INFO_KIND, "bridge");
	data = netlink_nest(m, IFLA_INFO_DATA);
	put_bridge_attr(m, attr, value);
	netlink_nest_end(m, data);
	netlink_nest_end(m, info);
}

void brmsg_port_set(struct netlink_msg *m, int ifindex, enum port_attr attr, uint64_t value)
{
	struct nlattr *info;

	begin_link(m, RTM_SETLINK, 0, AF_BRIDGE, ifindex, false, false);
	info = netlink_nest(m, IFLA_PROTINFO | NLA_F_NESTED);
	put_number(m, &port_rows[attr], value);
	netlink_nest_end(m, info);
}

static void put_vlans(struct netlink_msg *m, bool host, uint16_t first, uint16_t last,
		      uint16_t flags)
{
	struct bridge_vlan_info info = { .flags = flags, .vid = first };
	struct nlattr *spec = netlink_nest(m, IFLA_AF_SPEC);

	netlink_put_u16(m, IFLA_BRIDGE_FLAGS, host ? BRIDGE_FLAGS_SELF : BRIDGE_FLAGS_MASTER);
	if (last > first) {
		info.flags = flags | BRIDGE_VLAN_INFO_RANGE_BEGIN;
		netlink_put(m, IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info));
		info.flags = flags | BRIDGE_VLAN_INFO_RANGE_END;
		info.vid = last;
	}
	netlink_put(m, IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info));
	netlink_nest_end(m, spec);
}

void brmsg_vlan_add(struct netlink_msg *m, int ifindex, bool host, uint16_t first, uint16_t last,
		    uint16_t flags)
{
	begin_link(m, RTM_SETLINK, 0, AF_BRIDGE, ifindex, false, false);
	put_vlans(m, host, first, last,
		  (uint16_t)((flags & VLAN_PVID ? BRIDGE_VLAN_INFO_PVID : 0) |
			     (flags & VLAN_UNTAGGED ? BRIDGE_VLAN_INFO_UNTAGGED : 0)));
}

void brmsg_vlan_del(struct netlink_msg *m, int ifindex, bool host, uint16_t first, uint16_t last)
{
	begin_link(m, RTM_DELLINK, 0, AF_BRIDGE, ifindex, false, false);
	put_vlans(m, host, first, last, 0);
}

void brmsg_vlan_state(struct netlink_msg *m, int ifindex, uint16_t first, uint16_t last,
		      enum port_state state)
{
	const struct br_vlan_msg head = { .family = AF_BRIDGE, .ifindex = (uint32_t)ifindex };
	const struct bridge_vlan_info info = { .flags = BRIDGE_VLAN_INFO_ONLY_OPTS, .vid = first };
	struct nlattr *entry;

	netlink_begin(m, RTM_NEWVLAN, 0, &head, sizeof(head));
	entry = netlink_nest(m, BRIDGE_VLANDB_ENTRY | NLA_F_NESTED);
	netlink_put(m, BRIDGE_VLANDB_ENTRY_INFO, &info, sizeof(info));
	if (last > first)
		netlink_put_u16(m, BRIDGE_VLANDB_ENTRY_RANGE, last);
	netlink_put_u8(m, BRIDGE_VLANDB_ENTRY_STATE, (uint8_t)state);
	netlink_nest_end(m, entry);
}

static void begin_neigh(struct netlink_msg *m, uint16_t type, uint16_t mode, int ifindex,
			uint16_t state, uint8_t flags)
{
	const struct ndmsg nd = { .ndm_family = AF_BRIDGE,
				  .ndm_ifindex = ifindex,
				  .ndm_state = state,
				  .ndm_flags = flags };

	netlink_begin(m, type, mode, &nd, sizeof(nd));
}

static void put_address(struct netlink_msg *m, uint64_t mac, uint16_t vid)
{
	uint8_t bytes[MAC_LEN];

	mac_store(bytes, mac);
	netlink_put(m, NDA_LLADDR, bytes, sizeof(bytes));
	if (vid)
		netlink_put_u16(m, NDA_VLAN, vid);
}

/* Flags of an entry in the kernel's words. */
static uint8_t neigh_flags(uint16_t flags)
{
	return (uint8_t)((flags & FDB_STICKY ? NTF_STICKY : 0) |
			 (flags & FDB_EXT_LEARN ? NTF_EXT_LEARNED : 0));
}

static uint16_t neigh_state(uint16_t flags)
{
	return flags & FDB_LOCAL ? NUD_PERMANENT : flags & FDB_STATIC ? NUD_NOARP : NUD_REACHABLE;
}

void brmsg_fdb_add(struct netlink_msg *m, int ifindex, bool host, uint64_t mac, uint16_t vid,
		   uint16_t flags, enum fdb_mode mode)
{
	static const uint16_t modes[] = { [FDB_MODE_ADD] = NLM_F_CREATE | NLM_F_EXCL,
					  [FDB_MODE_APPEND] = NLM_F_CREATE | NLM_F_APPEND,
					  [FDB_MODE_REPLACE] = NLM_F_CREATE | NLM_F_REPLACE };

	begin_neigh(m, RTM_NEWNEIGH, modes[mode], ifindex, neigh_state(flags),
		    (uint8_t)((host ? NTF_SELF : NTF_MASTER) | neigh_flags(flags)));
	put_address(m, mac, vid);
}

void brmsg_fdb_del(struct netlink_msg *m, int ifindex, bool host, uint64_t mac, uint16_t vid)
{
	begin_neigh(m, RTM_DELNEIGH, 0, ifindex, NUD_PERMANENT, host ? NTF_SELF : NTF_MASTER);
	put_address(m, mac, vid);
}

void brmsg_fdb_flush(struct netlink_msg *m, int ifindex, bool host, const struct fdb_match *match)
{
	uint16_t mask = match->flags_mask ? match->flags_mask : FDB_LOCAL | FDB_STATIC;
	uint16_t want = match->flags_mask ? match->flags_want : 0;
	uint16_t states = (uint16_t)((mask & FDB_LOCAL ? NUD_PERMANENT : 0) |
				     (mask & FDB_STATIC ? NUD_NOARP : 0));

	begin_neigh(m, RTM_DELNEIGH, NLM_F_BULK, ifindex,
		    (uint16_t)((want & FDB_LOCAL ? NUD_PERMANENT : 0) |
			       (want & FDB_STATIC ? NUD_NOARP : 0)),
		    (uint8_t)((host ? NTF_SELF : NTF_MASTER) | neigh_flags(want)));
	if (match->vid != FDB_ANY_VID)
		netlink_put_u16(m, NDA_VLAN, match->vid);
	if (states)
		netlink_put_u16(m, NDA_NDM_STATE_MASK, states);
	if (neigh_flags(mask))
		netlink_put_u8(m, NDA_NDM_FLAGS_MASK, neigh_flags(mask));
}

void brmsg_link_get(struct netlink_msg *m, int ifindex, const char *name)
{
	begin_link(m, RTM_GETLINK, 0, AF_UNSPEC, ifindex, false, false);
	if (!ifindex)
		netlink_put_text(m, IFLA_IFNAME, name);
}

void brmsg_ports_dump(struct netlink_msg *m, int bridge)
{
	begin_link(m, RTM_GETLINK, NLM_F_DUMP, AF_UNSPEC, 0, false, false);
	netlink_put_u32(m, IFLA_MASTER, (uint32_t)bridge);
}

void brmsg_vlan_dump(struct netlink_msg *m, int ifindex)
{
	const struct br_vlan_msg head = { .family = AF_BRIDGE, .ifindex = (uint32_t)ifindex };

	netlink_begin(m, RTM_GETVLAN, NLM_F_DUMP, &head, sizeof(head));
	if (ifindex)
		netlink_put_u32(m, BRIDGE_VLANDB_DUMP_FLAGS, BRIDGE_VLANDB_DUMPF_STATS);
}

void brmsg_fdb_get(struct netlink_msg *m, int bridge, uint64_t mac, uint16_t vid)
{
	begin_neigh(m, RTM_GETNEIGH, 0, 0, 0, 0);
	put_address(m, mac, vid);
	netlink_put_u32(m, NDA_MASTER, (uint32_t)bridge);
}

void brmsg_fdb_dump(struct netlink_msg *m, int bridge)
{
	begin_neigh(m, RTM_GETNEIGH, NLM_F_DUMP, 0, 0, 0);
	netlink_put_u32(m, NDA_MASTER, (uint32_t)bridge);
}

static void read_bridge(const struct nlattr *data, struct brmsg_link *l)
{
	const struct nlattr *table[BR_MAX];
	const struct br_boolopt_multi *bits;

	netlink_nested(data, table, BR_MAX);
	bits = netlink_data(table[IFLA_BR_MULTI_BOOLOPT], sizeof(*bits));
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++) {
		const struct row *row = &bridge_rows[i];
		const void *value = row->size ? netlink_data(table[row->type], row->size) : bits;

		if (!value)
			continue;
		l->bridge_has |= 1u << i;
		l->bridge[i] = !row->size             ? bits->optval >> row->type & 1
			       : row->size == MAC_LEN ? mac_load(value)
						      : netlink_number(table[row->type], 0);
	}
	l->bridge[BRIDGE_AGEING_TIME] *= CLOCK_MS;
	l->bridge[BRIDGE_VLAN_PROTOCOL] = ntohs((uint16_t)l->bridge[BRIDGE_VLAN_PROTOCOL]);
	l->stp = netlink_number(table[IFLA_BR_STP_STATE], 0);
	l->mcast_snooping = netlink_number(table[IFLA_BR_MCAST_SNOOPING], 0);
	l->n_learned = (uint32_t)netlink_number(table[BR_FDB_N_LEARNED], UINT32_MAX);
}

static void read_port(const struct nlattr *data, struct brmsg_link *l)
{
	const struct nlattr *table[BRPORT_MAX];

	netlink_nested(data, table, BRPORT_MAX);
	l->port = true;
	l->number = (uint16_t)netlink_number(table[IFLA_BRPORT_NO], 0);
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++) {
		const struct nlattr *value = port_rows[i].size ? table[port_rows[i].type] : NULL;

		l->attr[i] =
			netlink_number(value, i == PORT_BACKUP_PORT ? 0 : port_attrs[i].fallback);
		/* a port without a backup does not say that it could have one */
		if (value || i == PORT_BACKUP_PORT)
			l->port_has |= 1u << i;
	}
}

static void read_stats(const struct nlattr *attr, struct port_stats *s)
{
	const struct rtnl_link_stats64 *from =
		netlink_data(attr, offsetof(struct rtnl_link_stats64, rx_nohandler));
	struct rtnl_link_stats64 k;

	if (!from)
		return;
	memcpy(&k, from, offsetof(struct rtnl_link_stats64, rx_nohandler)); /* may be unaligned */
	s->rx = k.rx_packets;
	s->rx_bytes = k.rx_bytes;
	s->rx_missed = k.rx_missed_errors;
	s->queued = s->tx = k.tx_packets;
	s->tx_bytes = k.tx_bytes;
}

int brmsg_read_link(const struct nlmsghdr *msg, struct brmsg_link *l)
{
	const struct nlattr *table[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *ifi = NLMSG_DATA(msg);
	char kind[16];
	int ret;

	memset(l, 0, sizeof(*l));
	ret = rtnl_parse_link(msg, NLMSG_ALIGN(msg->nlmsg_len), &l->base);
	if (ret <= 0)
		return ret;
	l->type = ifi->ifi_type;
	l->loopback = ifi->ifi_flags & IFF_LOOPBACK;
	l->base.link.promisc = ifi->ifi_flags & IFF_PROMISC; /* a bridge makes all its ports so */
	netlink_attrs(msg, sizeof(*ifi), table, IFLA_MAX + 1);
	netlink_nested(table[IFLA_LINKINFO], info, IFLA_INFO_MAX + 1);
	netlink_text(info[IFLA_INFO_SLAVE_KIND], kind, sizeof(kind));
	l->master = (int)netlink_number(table[IFLA_MASTER], 0);
	if (!strcmp(l->base.kind, "bridge"))
		read_bridge(info[IFLA_INFO_DATA], l);
	if (!strcmp(kind, "bridge"))
		read_port(info[IFLA_INFO_SLAVE_DATA], l);
	read_stats(table[IFLA_STATS64], &l->stats);
	return ret;
}

/*
 * Which of two message types @msg has, with a body of @body bytes; 0 or -EBADMSG as the header
 * says.
 */
static int expect(const struct nlmsghdr *msg, int add, int del, size_t body)
{
	if (msg->nlmsg_type != add && msg->nlmsg_type != del)
		return 0;
	return netlink_whole(msg, NLMSG_ALIGN(msg->nlmsg_len), body) ? msg->nlmsg_type : -EBADMSG;
}

int brmsg_read_fdb(const struct nlmsghdr *msg, struct brmsg_fdb *e)
{
	const struct nlattr *table[NDA_FLAGS_EXT + 1];
	const struct ndmsg *nd = NLMSG_DATA(msg);
	int ret = expect(msg, RTM_NEWNEIGH, RTM_DELNEIGH, sizeof(*nd));
	const struct nda_cacheinfo *times;
	const uint8_t *mac;

	if (ret <= 0 || nd->ndm_family != AF_BRIDGE)
		return ret < 0 ? ret : 0;
	memset(e, 0, sizeof(*e));
	netlink_attrs(msg, sizeof(*nd), table, NDA_FLAGS_EXT + 1);
	mac = netlink_data(table[NDA_LLADDR], MAC_LEN);
	e->bridge = (int)netlink_number(table[NDA_MASTER], 0);
	if (!mac || !e->bridge) /* what the interface itself filters by */
		return 0;
	e->ifindex = nd->ndm_ifindex;
	e->entry.mac = mac_load(mac);
	e->entry.vid = (uint16_t)netlink_number(table[NDA_VLAN], 0);
	e->entry.flags =
		(uint16_t)((nd->ndm_state & NUD_PERMANENT ? FDB_LOCAL | FDB_STATIC : 0) |
			   (nd->ndm_state & NUD_NOARP ? FDB_STATIC : 0) |
			   (nd->ndm_flags & NTF_STICKY ? FDB_STICKY : 0) |
			   (nd->ndm_flags & NTF_EXT_LEARNED ? FDB_EXT_LEARN : 0) |
			   (netlink_number(table[NDA_FLAGS_EXT], 0) & EXT_LOCKED ? FDB_LOCKED : 0));
	times = netlink_data(table[NDA_CACHEINFO], sizeof(*times));
	if (times) {
		e->entry.used_ms = (uint64_t)times->ndm_used * CLOCK_MS;
		e->entry.updated_ms = (uint64_t)times->ndm_updated * CLOCK_MS;
	}
	return ret;
}

/* Where the VLANs of a message go. */
struct vlan_reader {
	int ifindex;
	void (*fn)(void *arg, const struct brmsg_vlan *v);
	void *arg;
};

static void read_vlan(void *arg, uint16_t type, const struct nlattr *attr)
{
	const struct nlattr *table[BRIDGE_VLANDB_ENTRY_STATS + 1],
		*stats[BRIDGE_VLANDB_STATS_TX_PACKETS + 1];
	const struct vlan_reader *r = arg;
	struct brmsg_vlan v = { .ifindex = r->ifindex };
	const struct bridge_vlan_info *info;

	if (type != BRIDGE_VLANDB_ENTRY)
		return;
	netlink_nested(attr, table, BRIDGE_VLANDB_ENTRY_STATS + 1);
	netlink_nested(table[BRIDGE_VLANDB_ENTRY_STATS], stats, BRIDGE_VLANDB_STATS_TX_PACKETS + 1);
	info = netlink_data(table[BRIDGE_VLANDB_ENTRY_INFO], sizeof(*info));
	if (!info)
		return;
	v.first = info->vid;
	v.last = (uint16_t)netlink_number(table[BRIDGE_VLANDB_ENTRY_RANGE], info->vid);
	v.flags = (uint16_t)((info->flags & BRIDGE_VLAN_INFO_PVID ? VLAN_PVID : 0) |
			     (info->flags & BRIDGE_VLAN_INFO_UNTAGGED ? VLAN_UNTAGGED : 0));
	v.state =
		(enum port_state)netlink_number(table[BRIDGE_VLANDB_ENTRY_STATE], STATE_FORWARDING);
	v.stats = (struct vlan_stats){ netlink_number(stats[BRIDGE_VLANDB_STATS_RX_BYTES], 0),
				       netlink_number(stats[BRIDGE_VLANDB_STATS_RX_PACKETS], 0),
				       netlink_number(stats[BRIDGE_VLANDB_STATS_TX_BYTES], 0),
				       netlink_number(stats[BRIDGE_VLANDB_STATS_TX_PACKETS], 0) };
	if (v.first && v.first <= v.last && v.last <= VLAN_VID_MAX && v.state <= STATE_BLOCKING)
		r->fn(r->arg, &v);
}

int brmsg_read_vlans(const struct nlmsghdr *msg, void (*fn)(void *arg, const struct brmsg_vlan *v),
		     void *arg)
{
	const struct br_vlan_msg *head = NLMSG_DATA(msg);
	int ret = expect(msg, RTM_NEWVLAN, RTM_DELVLAN, sizeof(*head));
	struct vlan_reader r = { .fn = fn, .arg = arg };

	if (ret <= 0)
		return ret;
	r.ifindex = (int)head->ifindex;
	netlink_each(msg, sizeof(*head), read_vlan, &r);
	return ret;
}
