/* SPDX-License-Identifier: MIT */
#include "switch/daemon/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
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
#include <sys/time.h>
#include <unistd.h>

#include "fdb/mac.h"

#define NEWS_RCVBUF (8 * 1024 * 1024)
#define NEWS_PER_READ 256
#define MSG_BYTES 32768

struct rtnl {
	struct mnl_socket *ask;
	struct mnl_socket *news;
	unsigned seq;
	char buf[MSG_BYTES] __attribute__((aligned(8)));
};

/* Copies the string of @attr into @text when it is one. */
static void get_string(const struct nlattr *attr, char *text, size_t size)
{
	if (mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(text, size, "%s", mnl_attr_get_str(attr));
}

static uint32_t get_u32(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attr);
}

static uint8_t get_u8(const struct nlattr *attr)
{
	return mnl_attr_validate(attr, MNL_TYPE_U8) < 0 ? 0 : mnl_attr_get_u8(attr);
}

/*
 * A TAP with one queue does not say how many descriptors it has, so what tells is that it has
 * carrier while it is open (tun_attach, tun_detach), and that it would not be there at all were it
 * neither open nor persistent.
 */
static void parse_tun(const struct nlattr *nest, bool carrier, struct rtnl_link *l)
{
	const struct nlattr *attr;
	uint32_t queues = 0;
	bool persist = true;

	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_TUN_TYPE:
			l->tap = get_u8(attr) == IFF_TAP;
			break;
		case IFLA_TUN_PERSIST:
			persist = get_u8(attr);
			break;
		case IFLA_TUN_NUM_QUEUES:
		case IFLA_TUN_NUM_DISABLED_QUEUES:
			queues += get_u32(attr);
			break;
		}
	}
	l->held = l->tap && (carrier || queues || !persist);
}

static void parse_info(const struct nlattr *nest, bool carrier, struct rtnl_link *l)
{
	const struct nlattr *attr, *data = NULL;

	mnl_attr_for_each_nested(attr, nest) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_INFO_KIND:
			get_string(attr, l->kind, sizeof(l->kind));
			break;
		case IFLA_INFO_DATA:
			data = attr;
			break;
		}
	}
	if (data && !strcmp(l->kind, "tun"))
		parse_tun(data, carrier, l);
}

static void parse_attrs(const struct nlmsghdr *nlh, struct rtnl_link *l)
{
	const struct nlattr *attr, *info = NULL;
	bool carrier = false;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg)) {
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			get_string(attr, l->name, sizeof(l->name));
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(attr) == MAC_LEN)
				l->link.mac = mac_load(mnl_attr_get_payload(attr));
			break;
		case IFLA_MTU:
			l->link.mtu = get_u32(attr);
			break;
		case IFLA_CARRIER: /* also of an interface that is down, unlike IFF_LOWER_UP */
			carrier = get_u8(attr);
			break;
		case IFLA_PROMISCUITY: /* counts packet sockets too, which IFF_PROMISC does not */
			l->link.promisc |= get_u32(attr) > 0;
			break;
		case IFLA_LINKINFO:
			info = attr;
			break;
		}
	}
	if (info)
		parse_info(info, carrier, l);
}

int rtnl_parse_link(const void *msg, size_t len, struct rtnl_link *l)
{
	const struct nlmsghdr *nlh = msg;
	const struct ifinfomsg *ifi;

	memset(l, 0, sizeof(*l));
	if (len > INT32_MAX || !mnl_nlmsg_ok(nlh, (int)len) ||
	    MNL_ALIGN(nlh->nlmsg_len) > len) /* it walks so far */
		return -EBADMSG;
	if (nlh->nlmsg_type != RTM_NEWLINK && nlh->nlmsg_type != RTM_DELLINK)
		return 0;
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*ifi))
		return -EBADMSG;
	ifi = mnl_nlmsg_get_payload(nlh);
	if (ifi->ifi_family != AF_UNSPEC)
		return 0;
	l->link.present = nlh->nlmsg_type == RTM_NEWLINK;
	l->link.ifindex = ifi->ifi_index;
	l->link.up = ifi->ifi_flags & IFF_UP;
	l->link.carrier = ifi->ifi_flags & IFF_LOWER_UP;
	l->link.promisc = ifi->ifi_flags & IFF_PROMISC;
	parse_attrs(nlh, l);
	return nlh->nlmsg_type;
}

static struct mnl_socket *open_socket(int flags, unsigned groups, struct error *err)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);

	if (s && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) == 0)
		return s;
	error_set(err, -errno, "cannot open a netlink socket: %s", strerror(errno));
	if (s)
		mnl_socket_close(s);
	return NULL;
}

struct rtnl *rtnl_open(struct error *err)
{
	struct rtnl *r = calloc(1, sizeof(*r));
	struct timeval patience = { .tv_sec = 1 };
	int size = NEWS_RCVBUF, on = 1, fd;

	if (!r) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	r->ask = open_socket(0, 0, err);
	r->news = r->ask ? open_socket(SOCK_NONBLOCK, RTMGRP_LINK, err) : NULL;
	if (!r->news) {
		rtnl_close(r);
		return NULL;
	}
	setsockopt(mnl_socket_get_fd(r->ask), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	fd = rtnl_fd(r);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Without the privilege there is no news from other namespaces; that is all. */
	setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on));
	return r;
}

void rtnl_close(struct rtnl *r)
{
	if (!r)
		return;
	if (r->news)
		mnl_socket_close(r->news);
	if (r->ask)
		mnl_socket_close(r->ask);
	free(r);
}

int rtnl_fd(const struct rtnl *r)
{
	return mnl_socket_get_fd(r->news);
}

/* The namespace that a message came from: the kernel says so only when it is not ours. */
static int message_nsid(struct msghdr *msg)
{
	int nsid = RTNL_OWN;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	return nsid;
}

/* Passes on the messages of one datagram. */
static void read_datagram(const char *buf, int len, int nsid,
			  void (*fn)(void *, const struct rtnl_news *), void *arg)
{
	const struct nlmsghdr *nlh = (const void *)buf;
	struct rtnl_news news = { .nsid = nsid };
	struct rtnl_link l;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (rtnl_parse_link(nlh, (size_t)len, &l) <= 0)
			continue;
		news.ifindex = l.link.ifindex;
		memcpy(news.name, l.name, sizeof(news.name));
		news.no_link = !l.link.present || !l.link.up || !l.link.carrier;
		fn(arg, &news);
	}
}

void rtnl_read(struct rtnl *r, void (*fn)(void *arg, const struct rtnl_news *news), void *arg)
{
	const struct rtnl_news lost = { .lost = true };

	for (unsigned i = 0; i < NEWS_PER_READ; i++) {
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control;
		struct sockaddr_nl from;
		struct iovec iov = { r->buf, sizeof(r->buf) };
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof(from),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control) };
		ssize_t len = recvmsg(rtnl_fd(r), &msg, 0);

		if (len < 0 && errno == ENOBUFS) {
			fn(arg, &lost);
			continue;
		}
		if (len <= 0)
			return;
		if (from.nl_pid) /* only the kernel is believed */
			continue;
		if (msg.msg_flags & MSG_TRUNC)
			fn(arg, &lost);
		else
			read_datagram(r->buf, (int)len, message_nsid(&msg), fn, arg);
	}
}

/*
 * Sends the request in r->buf and reads the one answer into it. Returns 0 with *@reply (NULL for a
 * bare acknowledgement), or -errno.
 */
static int ask(struct rtnl *r, struct nlmsghdr *request, const struct nlmsghdr **reply)
{
	const struct nlmsghdr *nlh = (const void *)r->buf;
	const struct nlmsgerr *e;
	ssize_t len;

	request->nlmsg_seq = ++r->seq;
	*reply = NULL;
	if (mnl_socket_sendto(r->ask, request, request->nlmsg_len) < 0)
		return -errno;
	do {
		len = mnl_socket_recvfrom(r->ask, r->buf, sizeof(r->buf));
		if (len < 0 && errno != EINTR)
			return -errno;
	} while (len < 0 || !mnl_nlmsg_ok(nlh, (int)len) || nlh->nlmsg_seq != r->seq);
	if (nlh->nlmsg_type != NLMSG_ERROR) {
		*reply = nlh;
		return 0;
	}
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return -EBADMSG;
	e = mnl_nlmsg_get_payload(nlh);
	return e->error;
}

int rtnl_get(struct rtnl *r, int nsid, int ifindex, const char *name, struct rtnl_link *link)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(r->buf);
	const struct nlmsghdr *reply;
	struct ifinfomsg *ifi;
	int ret;

	memset(link, 0, sizeof(*link));
	if (name)
		snprintf(link->name, sizeof(link->name), "%s", name);
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = ifindex;
	if (!ifindex)
		mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	if (nsid != RTNL_OWN)
		mnl_attr_put_u32(nlh, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	ret = ask(r, nlh, &reply);
	if (ret)
		return ret;
	if (!reply || rtnl_parse_link(reply, reply->nlmsg_len, link) != RTM_NEWLINK)
		return -EBADMSG;
	return 0;
}

/*
 * RTM_GETNSID or RTM_NEWNSID for the namespace @fd. Returns 0 with *@nsid, -1 while it has none, or
 * -errno.
 */
static int nsid_request(struct rtnl *r, uint16_t type, uint16_t flags, int fd, int *nsid)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(r->buf);
	const struct nlmsghdr *reply;
	const struct nlattr *attr;
	int ret;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)fd);
	if (type == RTM_NEWNSID)
		mnl_attr_put_u32(nlh, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	ret = ask(r, nlh, &reply);
	*nsid = NETNSA_NSID_NOT_ASSIGNED;
	if (ret || !reply)
		return ret;
	mnl_attr_for_each(attr, reply, sizeof(struct rtgenmsg))
		if (mnl_attr_get_type(attr) == NETNSA_NSID)
			*nsid = (int)get_u32(attr);
	return 0;
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
	ret = nsid_request(r, RTM_GETNSID, 0, fd, nsid);
	if (!ret && *nsid < 0) {
		ret = nsid_request(r, RTM_NEWNSID, NLM_F_ACK, fd, nsid);
		if (!ret || ret == -EEXIST)
			ret = nsid_request(r, RTM_GETNSID, 0, fd, nsid);
	}
	if (!ret && *nsid < 0)
		ret = -ENOENT;
	return ret;
}
