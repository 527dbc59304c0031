/* SPDX-License-Identifier: MIT */
#include "ports/hostdrop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/netns.h"

#define TABLE_OWNER 0x2u /* NFT_TABLE_F_OWNER, since 5.12 */

/* A batch under construction. */
struct batch_writer {
	uint8_t *buf;
	size_t len;
	size_t msg; /* where the message under construction starts */
};

static void message(struct batch_writer *w, uint16_t type, uint16_t flags, uint8_t family,
		    uint16_t res_id)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)(w->buf + w->len);
	struct nfgenmsg *g = NLMSG_DATA(h);

	w->msg = w->len;
	h->nlmsg_len = NLMSG_LENGTH(sizeof(*g));
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	w->len += h->nlmsg_len;
}

/* Returns where the attribute starts, for nest_end(). */
static size_t attribute(struct batch_writer *w, uint16_t type, const void *data, size_t len)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)(w->buf + w->msg);
	struct nlattr *a = (struct nlattr *)(void *)(w->buf + w->len);
	size_t at = w->len;

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memcpy(w->buf + w->len + NLA_HDRLEN, data, len);
	w->len += NLA_ALIGN(a->nla_len);
	h->nlmsg_len = (uint32_t)(w->len - w->msg);
	return at;
}

static void text(struct batch_writer *w, uint16_t type, const char *s)
{
	attribute(w, type, s, strlen(s) + 1);
}

static void be32(struct batch_writer *w, uint16_t type, uint32_t v)
{
	v = htonl(v);
	attribute(w, type, &v, sizeof(v));
}

static void nest_end(struct batch_writer *w, size_t at)
{
	struct nlattr *a = (struct nlattr *)(void *)(w->buf + at);

	a->nla_len = (uint16_t)(w->len - at);
}

size_t hostdrop_build(uint8_t *buf, const char *table, const char *ifname)
{
	const uint16_t nft = NFNL_SUBSYS_NFTABLES << 8;
	struct batch_writer w = { .buf = buf };
	size_t hook;

	memset(buf, 0, HOSTDROP_MAX);
	message(&w, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	message(&w, nft | NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, NFPROTO_NETDEV, 0);
	text(&w, NFTA_TABLE_NAME, table);
	be32(&w, NFTA_TABLE_FLAGS, TABLE_OWNER);
	message(&w, nft | NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK, NFPROTO_NETDEV, 0);
	text(&w, NFTA_CHAIN_TABLE, table);
	text(&w, NFTA_CHAIN_NAME, "ingress");
	text(&w, NFTA_CHAIN_TYPE, "filter");
	be32(&w, NFTA_CHAIN_POLICY, NF_DROP);
	hook = attribute(&w, NFTA_CHAIN_HOOK | NLA_F_NESTED, "", 0);
	be32(&w, NFTA_HOOK_HOOKNUM, NF_NETDEV_INGRESS);
	be32(&w, NFTA_HOOK_PRIORITY, (uint32_t)INT_MIN);
	text(&w, NFTA_HOOK_DEV, ifname);
	nest_end(&w, hook);
	message(&w, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	return w.len;
}

/* Reads the one answer: an error, or the acknowledgement of the last message. */
static int answer(int fd)
{
	union {
		struct nlmsghdr h;
		char bytes[1024];
	} reply;
	const struct nlmsgerr *e = NLMSG_DATA(&reply.h);
	ssize_t len = recv(fd, &reply, sizeof(reply), 0);

	if (len < 0)
		return -errno;
	if ((size_t)len < NLMSG_LENGTH(sizeof(*e)) || reply.h.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return e->error;
}

int hostdrop_open(int ns, const char *ifname, struct error *err)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t buf[HOSTDROP_MAX] __attribute__((aligned(8)));
	char table[64];
	size_t len;
	int fd, ret = 0;

	snprintf(table, sizeof(table), "uswitch-%s-%d", ifname, (int)getpid());
	len = hostdrop_build(buf, table, ifname);
	fd = netns_socket(ns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (fd < 0)
		ret = fd;
	else if (sendto(fd, buf, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		ret = -errno;
	else
		ret = answer(fd);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	if (ret == -EPERM)
		return error_set(err, ret,
				 "%s: no permission for host=drop, which needs CAP_NET_ADMIN",
				 ifname);
	return error_set(err, ret,
			 "%s: host=drop needs the kernel's nf_tables (modprobe nf_tables): %s",
			 ifname, strerror(-ret));
}
