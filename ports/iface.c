/* SPDX-License-Identifier: MIT */
#include "ports/iface.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fdb/mac.h"
#include "ports/netns.h"

#define REPLY_MAX 32768u /* an interface with many virtual functions describes them all */

struct request {
	struct nlmsghdr h;
	struct ifinfomsg i;
	char attributes[64];
};

int iface_socket(int ns)
{
	return netns_socket(ns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static void request_init(struct request *r, uint16_t type, uint16_t flags, int ifindex)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_len = NLMSG_LENGTH(sizeof(r->i));
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = NLM_F_REQUEST | flags;
	r->i.ifi_family = AF_UNSPEC;
	r->i.ifi_index = ifindex;
}

static void request_add(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_LENGTH((unsigned)len);
}

/* Sends @r and reads the answer into @reply. Returns its length (0: it was done) or -errno. */
static int transact(int sock, const struct request *r, struct nlmsghdr *reply)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	const struct nlmsgerr *e;
	ssize_t len;

	if (sendto(sock, r, r->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	len = recv(sock, reply, REPLY_MAX, 0);
	if (len < 0)
		return -errno;
	if (!NLMSG_OK(reply, (size_t)len))
		return -EPROTO;
	if (reply->nlmsg_type != NLMSG_ERROR)
		return (int)len;
	e = NLMSG_DATA(reply);
	return reply->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) ? -EPROTO : e->error;
}

static void copy_text(char *to, size_t size, const struct rtattr *a)
{
	snprintf(to, size, "%.*s", (int)RTA_PAYLOAD(a), (const char *)RTA_DATA(a));
}

static uint32_t number(const struct rtattr *a)
{
	uint32_t v = 0;

	memcpy(&v, RTA_DATA(a), RTA_PAYLOAD(a) < sizeof(v) ? RTA_PAYLOAD(a) : sizeof(v));
	return v;
}

static bool flag(const struct rtattr *a)
{
	return RTA_PAYLOAD(a) && *(const uint8_t *)RTA_DATA(a);
}

static void read_tun(const struct rtattr *info, struct iface *iface)
{
	const struct rtattr *a = RTA_DATA(info);
	size_t left = RTA_PAYLOAD(info);

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		switch (a->rta_type) {
		case IFLA_TUN_TYPE:
			iface->tap = RTA_PAYLOAD(a) && *(const uint8_t *)RTA_DATA(a) == IFF_TAP;
			break;
		case IFLA_TUN_PERSIST:
			iface->tap_persist = flag(a);
			break;
		case IFLA_TUN_MULTI_QUEUE:
			iface->tap_multi_queue = flag(a);
			break;
		case IFLA_TUN_NUM_QUEUES:
			iface->tap_queues = number(a);
			break;
		}
	}
}

static void read_linkinfo(const struct rtattr *linkinfo, struct iface *iface)
{
	const struct rtattr *a = RTA_DATA(linkinfo);
	size_t left = RTA_PAYLOAD(linkinfo);

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_INFO_KIND)
			copy_text(iface->kind, sizeof(iface->kind), a);
		else if (a->rta_type == IFLA_INFO_DATA && !strcmp(iface->kind, "tun"))
			read_tun(a, iface);
	}
}

static bool has_xdp(const struct rtattr *xdp)
{
	const struct rtattr *a = RTA_DATA(xdp);
	size_t left = RTA_PAYLOAD(xdp);

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_XDP_ATTACHED)
			return RTA_PAYLOAD(a) && *(const uint8_t *)RTA_DATA(a) != XDP_ATTACHED_NONE;
	return false;
}

static void read_attribute(const struct rtattr *a, struct iface *iface)
{
	switch (a->rta_type & NLA_TYPE_MASK) {
	case IFLA_IFNAME:
		copy_text(iface->name, sizeof(iface->name), a);
		break;
	case IFLA_MTU:
		iface->link.mtu = number(a);
		break;
	case IFLA_LINK:
		iface->peer = (int)number(a);
		break;
	case IFLA_LINK_NETNSID:
		iface->peer_nsid = (int)number(a);
		break;
	case IFLA_MASTER:
		iface->master = (int)number(a);
		break;
	case IFLA_PROMISCUITY: /* counts packet sockets too, as the flag does not */
		iface->link.promisc |= number(a) > 0;
		break;
	case IFLA_ADDRESS:
		if (RTA_PAYLOAD(a) == MAC_LEN)
			iface->link.mac = mac_load(RTA_DATA(a));
		break;
	case IFLA_LINKINFO:
		read_linkinfo(a, iface);
		break;
	case IFLA_XDP:
		iface->xdp = has_xdp(a);
		break;
	}
}

/* Sends @r, which asks for an interface, and reads the answer. Returns 0 or -errno. */
static int ask(int sock, const struct request *r, struct iface *iface)
{
	union {
		struct nlmsghdr h;
		char bytes[REPLY_MAX];
	} reply;
	const struct ifinfomsg *i = NLMSG_DATA(&reply.h);
	const struct rtattr *a;
	size_t left;
	int ret = transact(sock, r, &reply.h);

	if (ret <= 0)
		return ret ? ret : -EPROTO;
	if (reply.h.nlmsg_type != RTM_NEWLINK || reply.h.nlmsg_len < NLMSG_LENGTH(sizeof(*i)))
		return -EPROTO;
	memset(iface, 0, sizeof(*iface));
	iface->peer_nsid = -1;
	iface->type = i->ifi_type;
	iface->loopback = i->ifi_flags & IFF_LOOPBACK;
	iface->link.present = true;
	iface->link.up = i->ifi_flags & IFF_UP;
	iface->link.carrier = iface->link.up && i->ifi_flags & IFF_LOWER_UP;
	iface->link.promisc = i->ifi_flags & IFF_PROMISC;
	iface->link.ifindex = i->ifi_index;
	a = (const struct rtattr *)((const char *)i + NLMSG_ALIGN(sizeof(*i)));
	left = reply.h.nlmsg_len - NLMSG_SPACE(sizeof(*i));
	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		read_attribute(a, iface);
	if (strcmp(iface->kind, "veth"))
		iface->peer = 0;
	return 0;
}

int iface_get(int sock, const char *name, int ifindex, struct iface *iface)
{
	struct request r;

	request_init(&r, RTM_GETLINK, 0, name ? 0 : ifindex);
	if (name)
		request_add(&r, IFLA_IFNAME, name, strlen(name) + 1);
	return ask(sock, &r, iface);
}

int iface_get_peer(int sock, const struct iface *iface, struct iface *peer)
{
	struct request r;

	if (!iface->peer || iface->peer_nsid < 0)
		return -ENODEV;
	request_init(&r, RTM_GETLINK, 0, iface->peer);
	request_add(&r, IFLA_TARGET_NETNSID, &iface->peer_nsid, sizeof(iface->peer_nsid));
	return ask(sock, &r, peer);
}

int iface_set(int sock, int ifindex, uint32_t mtu, bool up)
{
	union {
		struct nlmsghdr h;
		char bytes[REPLY_MAX];
	} reply;
	struct request r;

	request_init(&r, RTM_NEWLINK, NLM_F_ACK, ifindex);
	if (mtu)
		request_add(&r, IFLA_MTU, &mtu, sizeof(mtu));
	if (up) {
		r.i.ifi_flags = IFF_UP;
		r.i.ifi_change = IFF_UP;
	}
	return transact(sock, &r, &reply.h);
}

bool link_equal(const struct link *a, const struct link *b)
{
	return a->present == b->present && a->up == b->up && a->carrier == b->carrier &&
	       a->promisc == b->promisc && a->mtu == b->mtu && a->ifindex == b->ifindex &&
	       a->mac == b->mac;
}
