// SPDX-License-Identifier: MIT
#include "tests/diff/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>
#include <sys/socket.h>

void mac_bytes(uint64_t mac, uint8_t bytes[6])
{
	for (unsigned i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
}

uint64_t mac_of(const uint8_t *bytes)
{
	uint64_t mac = 0;

	for (unsigned i = 0; i < 6; i++)
		mac = mac << 8 | bytes[i];
	return mac;
}

int nl_open(struct nl *nl)
{
	int one = 1;

	nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl->socket)
		return -errno;
	mnl_socket_setsockopt(nl->socket, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int error = -errno;

		nl_close(nl);
		return error;
	}
	return 0;
}

void nl_close(struct nl *nl)
{
	if (nl->socket)
		mnl_socket_close(nl->socket);
	nl->socket = NULL;
}

static struct nlmsghdr *start(struct nl *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *msg = mnl_nlmsg_put_header(nl->buffer);

	msg->nlmsg_type = type;
	msg->nlmsg_flags = NLM_F_REQUEST | flags;
	msg->nlmsg_seq = ++nl->seq;
	return msg;
}

static struct nlmsghdr *start_link(struct nl *nl, uint16_t type, uint16_t flags, uint8_t family,
				   int index)
{
	struct nlmsghdr *msg = start(nl, type, flags);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(msg, sizeof(*info));

	info->ifi_family = family;
	info->ifi_index = index;
	return msg;
}

/* Sends @msg, and hands every answer to @row until the kernel has said that it is done. */
static int talk(struct nl *nl, struct nlmsghdr *msg, mnl_cb_t row, void *ctx)
{
	unsigned port = mnl_socket_get_portid(nl->socket);
	uint32_t seq = msg->nlmsg_seq;
	int more = 1;

	if (mnl_socket_sendto(nl->socket, msg, msg->nlmsg_len) < 0)
		return -errno;
	while (more > 0) {
		ssize_t n = mnl_socket_recvfrom(nl->socket, nl->buffer, sizeof(nl->buffer));

		if (n < 0)
			return -errno;
		more = mnl_cb_run(nl->buffer, (size_t)n, seq, port, row, ctx);
	}
	return more < 0 ? -errno : 0;
}

static int request(struct nl *nl, struct nlmsghdr *msg)
{
	msg->nlmsg_flags |= NLM_F_ACK;
	return talk(nl, msg, NULL, NULL);
}

static void put_mac(struct nlmsghdr *msg, uint16_t attr, uint64_t mac)
{
	uint8_t bytes[6];

	mac_bytes(mac, bytes);
	mnl_attr_put(msg, attr, sizeof(bytes), bytes);
}

int nl_veth(struct nl *nl, const char *name, uint64_t mac, const char *peer, uint64_t peer_mac)
{
	struct nlmsghdr *msg = start_link(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0);
	struct nlattr *info, *data, *other;

	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	put_mac(msg, IFLA_ADDRESS, mac);
	info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(msg, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(msg, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(msg, IFLA_IFNAME, peer);
	put_mac(msg, IFLA_ADDRESS, peer_mac);
	mnl_attr_nest_end(msg, other);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return request(nl, msg);
}

int nl_bridge(struct nl *nl, const char *name, uint64_t mac)
{
	struct nlmsghdr *msg = start_link(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, AF_UNSPEC, 0);
	struct nlattr *info, *data;

	mnl_attr_put_strz(msg, IFLA_IFNAME, name);
	put_mac(msg, IFLA_ADDRESS, mac);
	info = mnl_attr_nest_start(msg, IFLA_LINKINFO);
	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	mnl_attr_put_u8(msg, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_put_u32(msg, IFLA_BR_STP_STATE, 0);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return request(nl, msg);
}

int nl_delete(struct nl *nl, int index)
{
	return request(nl, start_link(nl, RTM_DELLINK, 0, AF_UNSPEC, index));
}

int nl_flags(struct nl *nl, int index, unsigned flags, unsigned mask)
{
	struct nlmsghdr *msg = start_link(nl, RTM_NEWLINK, 0, AF_UNSPEC, index);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);

	info->ifi_flags = flags;
	info->ifi_change = mask;
	return request(nl, msg);
}

int nl_mac(struct nl *nl, int index, uint64_t mac)
{
	struct nlmsghdr *msg = start_link(nl, RTM_NEWLINK, 0, AF_UNSPEC, index);

	put_mac(msg, IFLA_ADDRESS, mac);
	return request(nl, msg);
}

int nl_mtu(struct nl *nl, int index, uint32_t mtu)
{
	struct nlmsghdr *msg = start_link(nl, RTM_NEWLINK, 0, AF_UNSPEC, index);

	mnl_attr_put_u32(msg, IFLA_MTU, mtu);
	return request(nl, msg);
}

int nl_master(struct nl *nl, int index, int master)
{
	struct nlmsghdr *msg = start_link(nl, RTM_NEWLINK, 0, AF_UNSPEC, index);

	mnl_attr_put_u32(msg, IFLA_MASTER, (uint32_t)master);
	return request(nl, msg);
}

int nl_bridge_set(struct nl *nl, int index, uint16_t attr, const void *value, size_t size)
{
	struct nlmsghdr *msg = start_link(nl, RTM_NEWLINK, 0, AF_UNSPEC, index);
	struct nlattr *info = mnl_attr_nest_start(msg, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(msg, IFLA_INFO_KIND, "bridge");
	data = mnl_attr_nest_start(msg, IFLA_INFO_DATA);
	mnl_attr_put(msg, attr, size, value);
	mnl_attr_nest_end(msg, data);
	mnl_attr_nest_end(msg, info);
	return request(nl, msg);
}

int nl_port_set(struct nl *nl, int index, uint16_t attr, const void *value, size_t size)
{
	struct nlmsghdr *msg = start_link(nl, RTM_SETLINK, 0, AF_BRIDGE, index);
	struct nlattr *info = mnl_attr_nest_start(msg, IFLA_PROTINFO);

	mnl_attr_put(msg, attr, size, value);
	mnl_attr_nest_end(msg, info);
	return request(nl, msg);
}

int nl_fdb(struct nl *nl, uint16_t type, int index, uint64_t mac, uint16_t vid, uint16_t state,
	   uint8_t flags, uint16_t mode)
{
	struct nlmsghdr *msg = start(nl, type, mode);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));

	nd->ndm_family = AF_BRIDGE;
	nd->ndm_ifindex = index;
	nd->ndm_state = state;
	nd->ndm_flags = flags;
	put_mac(msg, NDA_LLADDR, mac);
	if (vid)
		mnl_attr_put_u16(msg, NDA_VLAN, vid);
	return request(nl, msg);
}

int nl_fdb_flush(struct nl *nl, int index, uint16_t vid)
{
	struct nlmsghdr *msg = start(nl, RTM_DELNEIGH, NLM_F_BULK);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));

	nd->ndm_family = AF_BRIDGE;
	nd->ndm_ifindex = index;
	nd->ndm_flags = NTF_MASTER;
	mnl_attr_put_u16(msg, NDA_NDM_STATE_MASK, NUD_PERMANENT | NUD_NOARP);
	if (vid)
		mnl_attr_put_u16(msg, NDA_VLAN, vid);
	return request(nl, msg);
}

int nl_vlan(struct nl *nl, uint16_t type, int index, bool self, uint16_t first, uint16_t last,
	    uint16_t flags)
{
	struct nlmsghdr *msg = start_link(nl, type, 0, AF_BRIDGE, index);
	struct nlattr *nest = mnl_attr_nest_start(msg, IFLA_AF_SPEC);
	struct bridge_vlan_info info = { .flags = flags, .vid = first };

	mnl_attr_put_u16(msg, IFLA_BRIDGE_FLAGS, self ? BRIDGE_FLAGS_SELF : BRIDGE_FLAGS_MASTER);
	if (last > first) {
		info.flags |= BRIDGE_VLAN_INFO_RANGE_BEGIN;
		mnl_attr_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
		info.flags = flags | BRIDGE_VLAN_INFO_RANGE_END;
		info.vid = last;
	}
	mnl_attr_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof(info), &info);
	mnl_attr_nest_end(msg, nest);
	return request(nl, msg);
}

int nl_vlan_state(struct nl *nl, int index, uint16_t vid, uint8_t state)
{
	struct nlmsghdr *msg = start(nl, RTM_NEWVLAN, 0);
	struct br_vlan_msg *head = mnl_nlmsg_put_extra_header(msg, sizeof(*head));
	struct bridge_vlan_info info = { .flags = BRIDGE_VLAN_INFO_ONLY_OPTS, .vid = vid };
	struct nlattr *nest = mnl_attr_nest_start(msg, BRIDGE_VLANDB_ENTRY);

	head->family = AF_BRIDGE;
	head->ifindex = (uint32_t)index;
	mnl_attr_put(msg, BRIDGE_VLANDB_ENTRY_INFO, sizeof(info), &info);
	mnl_attr_put_u8(msg, BRIDGE_VLANDB_ENTRY_STATE, state);
	mnl_attr_nest_end(msg, nest);
	return request(nl, msg);
}

int nl_dump_vlans(struct nl *nl, mnl_cb_t row, void *ctx)
{
	struct nlmsghdr *msg = start(nl, RTM_GETVLAN, NLM_F_DUMP);
	struct br_vlan_msg *head = mnl_nlmsg_put_extra_header(msg, sizeof(*head));

	head->family = AF_BRIDGE;
	return talk(nl, msg, row, ctx);
}

int nl_dump_fdb(struct nl *nl, int bridge, mnl_cb_t row, void *ctx)
{
	struct nlmsghdr *msg = start(nl, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));

	nd->ndm_family = AF_BRIDGE;
	mnl_attr_put_u32(msg, NDA_MASTER, (uint32_t)bridge);
	return talk(nl, msg, row, ctx);
}

static void read_brport(const struct nlattr *nest, struct nl_link *link)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		unsigned type = mnl_attr_get_type(attr);
		uint16_t size = mnl_attr_get_payload_len(attr);

		if (type >= sizeof(link->has) || size > sizeof(link->brport[0]))
			continue;
		link->has[type] = true;
		memcpy(&link->brport[type], mnl_attr_get_payload(attr), size);
	}
	link->state = (int)link->brport[IFLA_BRPORT_STATE];
}

static void read_linkinfo(const struct nlattr *nest, struct nl_link *link)
{
	const struct nlattr *attr;
	bool bridge_port = false;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND)
			bridge_port = !strcmp(mnl_attr_get_str(attr), "bridge");
		if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_DATA && bridge_port)
			read_brport(attr, link);
	}
}

static int read_link(const struct nlmsghdr *msg, void *ctx)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(msg);
	struct nl_link *link = ctx;
	const struct nlattr *attr;

	link->up = info->ifi_flags & IFF_UP;
	link->carrier = info->ifi_flags & IFF_LOWER_UP;
	mnl_attr_for_each(attr, msg, sizeof(*info)) {
		if (mnl_attr_get_type(attr) == IFLA_MTU)
			link->mtu = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_OPERSTATE)
			link->operstate = mnl_attr_get_u8(attr);
		if (mnl_attr_get_type(attr) == IFLA_MASTER)
			link->master = (int)mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			read_linkinfo(attr, link);
	}
	return MNL_CB_OK;
}

int nl_link(struct nl *nl, int index, struct nl_link *link)
{
	memset(link, 0, sizeof(*link));
	link->state = -1;
	return talk(nl, start_link(nl, RTM_GETLINK, NLM_F_ACK, AF_UNSPEC, index), read_link, link);
}
