/* SPDX-License-Identifier: MIT */
#include "switch/daemon/rtnl.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fdb/mac.h"
#include "switch/daemon/netlink.h"

struct rtnl {
	struct netlink *ask;
	struct netlink *news;
};

/*
 * A TAP with one queue does not say how many descriptors it has, so what tells is that it has
 * carrier while it is open (tun_attach, tun_detach), and that it would not be there at all were it
 * neither open nor persistent.
 */
static void parse_tun(const struct nlattr *nest, bool carrier, struct rtnl_link *l)
{
	const struct nlattr *table[IFLA_TUN_MAX + 1];
	uint64_t queues;

	netlink_nested(nest, table, IFLA_TUN_MAX + 1);
	queues = netlink_number(table[IFLA_TUN_NUM_QUEUES], 0) +
		 netlink_number(table[IFLA_TUN_NUM_DISABLED_QUEUES], 0);
	l->tap = netlink_number(table[IFLA_TUN_TYPE], 0) == IFF_TAP;
	l->held = l->tap && (carrier || queues || !netlink_number(table[IFLA_TUN_PERSIST], 1));
}

static void parse_attrs(const struct nlattr *const *table, struct rtnl_link *l)
{
	const struct nlattr *info[IFLA_INFO_MAX + 1];
	const uint8_t *mac = netlink_data(table[IFLA_ADDRESS], MAC_LEN);
	/* also of an interface that is down, unlike IFF_LOWER_UP */
	bool carrier = netlink_number(table[IFLA_CARRIER], 0);

	netlink_text(table[IFLA_IFNAME], l->name, sizeof(l->name));
	if (mac && !netlink_data(table[IFLA_ADDRESS], MAC_LEN + 1))
		l->link.mac = mac_load(mac);
	l->link.mtu = (uint32_t)netlink_number(table[IFLA_MTU], 0);
	/* counts packet sockets too, which IFF_PROMISC does not */
	l->link.promisc |= netlink_number(table[IFLA_PROMISCUITY], 0) > 0;
	netlink_nested(table[IFLA_LINKINFO], info, IFLA_INFO_MAX + 1);
	netlink_text(info[IFLA_INFO_KIND], l->kind, sizeof(l->kind));
	if (!strcmp(l->kind, "tun"))
		parse_tun(info[IFLA_INFO_DATA], carrier, l);
}

int rtnl_parse_link(const void *msg, size_t len, struct rtnl_link *l)
{
	const struct nlattr *table[IFLA_MAX + 1];
	const struct nlmsghdr *nlh = msg;
	const struct ifinfomsg *ifi = NLMSG_DATA(nlh);

	memset(l, 0, sizeof(*l));
	if (!netlink_whole(nlh, len, 0))
		return -EBADMSG;
	if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
		return 0;
	if (!netlink_whole(nlh, len, sizeof(*ifi)))
		return -EBADMSG;
	if (ifi->ifi_family != AF_UNSPEC)
		return 0;
	l->link.present = nlh->nlmsg_type == RTM_NEWLINK;
	l->link.ifindex = ifi->ifi_index;
	l->link.up = ifi->ifi_flags & IFF_UP;
	l->link.carrier = ifi->ifi_flags & IFF_LOWER_UP;
	l->link.promisc = ifi->ifi_flags & IFF_PROMISC;
	netlink_attrs(nlh, sizeof(*ifi), table, IFLA_MAX + 1);
	parse_attrs(table, l);
	return nlh->nlmsg_type;
}

struct rtnl *rtnl_open(struct error *err)
{
	static const unsigned groups[] = { RTNLGRP_LINK };
	struct rtnl *r = calloc(1, sizeof(*r));

	if (!r) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	r->ask = netlink_open(1, err);
	r->news = r->ask ? netlink_listen(groups, 1, err) : NULL;
	if (r->news)
		return r;
	rtnl_close(r);
	return NULL;
}

void rtnl_close(struct rtnl *r)
{
	if (!r)
		return;
	netlink_close(r->news);
	netlink_close(r->ask);
	free(r);
}

int rtnl_fd(const struct rtnl *r)
{
	return netlink_fd(r->news);
}

/* Whom news go to. */
struct reader {
	void (*fn)(void *arg, const struct rtnl_news *news);
	void *arg;
};

static void take_news(void *arg, const struct nlmsghdr *msg, int nsid)
{
	const struct reader *reader = arg;
	struct rtnl_news news = { .lost = !msg, .nsid = nsid };
	struct rtnl_link l;

	if (msg && rtnl_parse_link(msg, msg->nlmsg_len, &l) <= 0)
		return;
	if (msg) {
		news.ifindex = l.link.ifindex;
		memcpy(news.name, l.name, sizeof(news.name));
		news.no_link = !l.link.present || !l.link.up || !l.link.carrier;
	}
	reader->fn(reader->arg, &news);
}

void rtnl_read(struct rtnl *r, void (*fn)(void *arg, const struct rtnl_news *news), void *arg)
{
	struct reader reader = { fn, arg };

	netlink_read(r->news, take_news, &reader);
}

/* What a question about one interface found out. */
struct found {
	struct rtnl_link *link;
	bool good;
};

static void take_link(void *arg, const struct nlmsghdr *msg)
{
	struct found *f = arg;

	f->good = rtnl_parse_link(msg, msg->nlmsg_len, f->link) == RTM_NEWLINK;
}

int rtnl_get(struct rtnl *r, int nsid, int ifindex, const char *name, struct rtnl_link *link)
{
	const struct ifinfomsg ifi = { .ifi_index = ifindex };
	struct found found = { .link = link };
	struct netlink_msg m;
	int ret;

	memset(link, 0, sizeof(*link));
	if (name)
		snprintf(link->name, sizeof(link->name), "%s", name);
	netlink_begin(&m, RTM_GETLINK, 0, &ifi, sizeof(ifi));
	if (!ifindex)
		netlink_put_text(&m, IFLA_IFNAME, name);
	if (nsid != RTNL_OWN)
		netlink_put_u32(&m, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	ret = netlink_ask(r->ask, &m, take_link, &found, NULL);
	return ret ? ret : found.good ? 0 : -EBADMSG;
}

static void take_nsid(void *arg, const struct nlmsghdr *msg)
{
	const struct nlattr *table[NETNSA_MAX + 1];

	if (!netlink_whole(msg, msg->nlmsg_len, sizeof(struct rtgenmsg)))
		return;
	netlink_attrs(msg, sizeof(struct rtgenmsg), table, NETNSA_MAX + 1);
	*(int *)arg = (int)netlink_number(table[NETNSA_NSID], (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
}

/*
 * RTM_GETNSID or RTM_NEWNSID for the namespace @fd. Returns 0 with *@nsid, -1 while it has none, or
 * -errno.
 */
static int nsid_request(struct rtnl *r, uint16_t type, int fd, int *nsid)
{
	const struct rtgenmsg body = { .rtgen_family = AF_UNSPEC };
	struct netlink_msg m;

	netlink_begin(&m, type, 0, &body, sizeof(body));
	netlink_put_u32(&m, NETNSA_FD, (uint32_t)fd);
	if (type == RTM_NEWNSID)
		netlink_put_u32(&m, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	*nsid = NETNSA_NSID_NOT_ASSIGNED;
	return netlink_ask(r->ask, &m, take_nsid, nsid, NULL);
}

int rtnl_nsid(struct rtnl *r, int fd, int *nsid)
{
	struct stat own, other;
	int ret;

	if (stat("/proc/self/ns/net", &own) || fstat(fd, &other))
		return -errno;
	*nsid = RTNL_OWN;
	if (own.st_ino == other.st_ino && own.st_dev == other.st_dev)
		return 0;
	ret = nsid_request(r, RTM_GETNSID, fd, nsid);
	if (!ret && *nsid < 0) {
		ret = nsid_request(r, RTM_NEWNSID, fd, nsid);
		if (!ret || ret == -EEXIST)
			ret = nsid_request(r, RTM_GETNSID, fd, nsid);
	}
	if (!ret && *nsid < 0)
		ret = -ENOENT;
	return ret;
}
