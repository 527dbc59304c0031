/* SPDX-License-Identifier: MIT */
#include "switch/daemon/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define NEWS_RCVBUF (8 * 1024 * 1024)
#define NEWS_PER_READ 256
#define ANSWER_BYTES 32768
#define DUMPS_MAX 20 /* attempts at a dump that is interrupted */

struct netlink {
	struct mnl_socket *socket;
	unsigned seq;
	char buf[ANSWER_BYTES] __attribute__((aligned(8)));
};

void netlink_begin(struct netlink_msg *m, uint16_t type, uint16_t flags, const void *body,
		   size_t len)
{
	memset(m, 0, sizeof(*m)); /* attributes are padded */
	mnl_nlmsg_put_header(m->bytes);
	m->head.nlmsg_type = type;
	m->head.nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(mnl_nlmsg_put_extra_header(&m->head, len), body, len);
}

void netlink_put(struct netlink_msg *m, uint16_t type, const void *data, size_t len)
{
	mnl_attr_put(&m->head, type, len, data);
}

void netlink_put_u8(struct netlink_msg *m, uint16_t type, uint8_t value)
{
	mnl_attr_put_u8(&m->head, type, value);
}

void netlink_put_u16(struct netlink_msg *m, uint16_t type, uint16_t value)
{
	mnl_attr_put_u16(&m->head, type, value);
}

void netlink_put_u32(struct netlink_msg *m, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(&m->head, type, value);
}

void netlink_put_text(struct netlink_msg *m, uint16_t type, const char *text)
{
	mnl_attr_put_strz(&m->head, type, text);
}

struct nlattr *netlink_nest(struct netlink_msg *m, uint16_t type)
{
	return mnl_attr_nest_start(&m->head, type);
}

void netlink_nest_end(struct netlink_msg *m, struct nlattr *nest)
{
	mnl_attr_nest_end(&m->head, nest);
}

bool netlink_whole(const struct nlmsghdr *msg, size_t len, size_t body)
{
	return len <= INT32_MAX && mnl_nlmsg_ok(msg, (int)len) &&
	       MNL_ALIGN(msg->nlmsg_len) <= len && /* libmnl walks so far */
	       mnl_nlmsg_get_payload_len(msg) >= body;
}

static void note(const struct nlattr **table, unsigned n, const struct nlattr *attr)
{
	if (mnl_attr_get_type(attr) < n)
		table[mnl_attr_get_type(attr)] = attr;
}

void netlink_attrs(const struct nlmsghdr *msg, size_t body, const struct nlattr **table, unsigned n)
{
	const struct nlattr *attr;

	memset(table, 0, n * sizeof(*table));
	mnl_attr_for_each(attr, msg, (unsigned)body)
		note(table, n, attr);
}

void netlink_nested(const struct nlattr *nest, const struct nlattr **table, unsigned n)
{
	const struct nlattr *attr;

	memset(table, 0, n * sizeof(*table));
	if (nest)
		mnl_attr_for_each_nested(attr, nest)
			note(table, n, attr);
}

void netlink_each(const struct nlmsghdr *msg, size_t body,
		  void (*fn)(void *arg, uint16_t type, const struct nlattr *attr), void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, msg, (unsigned)body)
		fn(arg, mnl_attr_get_type(attr), attr);
}

uint64_t netlink_number(const struct nlattr *attr, uint64_t fallback)
{
	switch (attr ? mnl_attr_get_payload_len(attr) : 0) {
	case 1:
		return mnl_attr_get_u8(attr);
	case 2:
		return mnl_attr_get_u16(attr);
	case 4:
		return mnl_attr_get_u32(attr);
	case 8:
		return mnl_attr_get_u64(attr);
	}
	return fallback;
}

const void *netlink_data(const struct nlattr *attr, size_t len)
{
	return attr && mnl_attr_get_payload_len(attr) >= len ? mnl_attr_get_payload(attr) : NULL;
}

void netlink_text(const struct nlattr *attr, char *text, size_t size)
{
	snprintf(text, size, "%s",
		 attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(attr)
									   : "");
}

int netlink_verdict(const struct nlmsghdr *msg, char *why, size_t size)
{
	bool done = msg->nlmsg_type == NLMSG_DONE;
	const struct nlattr *table[NLMSGERR_ATTR_MSG + 1];
	size_t body = done ? sizeof(int) : sizeof(struct nlmsgerr);
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(msg);
	int code;

	if (size)
		why[0] = '\0';
	if (mnl_nlmsg_get_payload_len(msg) < body)
		return done ? 0 : -EBADMSG;
	code = e->error; /* also where a dump's end has its own */
	if (!done && !(msg->nlmsg_flags & NLM_F_CAPPED))
		body += e->msg.nlmsg_len - sizeof(e->msg);
	if (!(msg->nlmsg_flags & NLM_F_ACK_TLVS) || body > mnl_nlmsg_get_payload_len(msg) || !size)
		return code;
	netlink_attrs(msg, body, table, NLMSGERR_ATTR_MSG + 1);
	netlink_text(table[NLMSGERR_ATTR_MSG], why, size);
	return code;
}

static struct netlink *open_socket(int flags, struct error *err)
{
	struct netlink *nl = calloc(1, sizeof(*nl));

	if (!nl) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (nl->socket && mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return nl;
	error_set(err, -errno, "cannot open a netlink socket: %s", strerror(errno));
	netlink_close(nl);
	return NULL;
}

struct netlink *netlink_open(unsigned patience_s, struct error *err)
{
	struct netlink *nl = open_socket(0, err);
	struct timeval patience = { .tv_sec = patience_s };
	int on = 1;

	if (!nl)
		return NULL;
	setsockopt(netlink_fd(nl), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* kernels that lack one of these answer less precisely; that is all */
	mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return nl;
}

struct netlink *netlink_listen(const unsigned *groups, unsigned n, struct error *err)
{
	struct netlink *nl = open_socket(SOCK_NONBLOCK, err);
	int size = NEWS_RCVBUF, on = 1;

	if (!nl)
		return NULL;
	if (setsockopt(netlink_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(netlink_fd(nl), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	/* Without the privilege there is no news from other namespaces; that is all. */
	mnl_socket_setsockopt(nl->socket, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on));
	for (unsigned i = 0; i < n; i++) {
		int group = (int)groups[i];

		if (!mnl_socket_setsockopt(nl->socket, NETLINK_ADD_MEMBERSHIP, &group,
					   sizeof(group)))
			continue;
		error_set(err, -errno, "cannot listen to the kernel's news (group %d): %s", group,
			  strerror(errno));
		netlink_close(nl);
		return NULL;
	}
	return nl;
}

void netlink_close(struct netlink *nl)
{
	if (nl && nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

/* What became of one reading of an answer. */
struct answer {
	bool over;
	bool interrupted;
	int ret;
};

/* Takes the messages of one datagram that answer request nl->seq. */
static void take_answer(struct netlink *nl, int len, struct answer *a,
			void (*row)(void *, const struct nlmsghdr *), void *arg, struct error *why)
{
	const struct nlmsghdr *msg = (const void *)nl->buf;

	for (; !a->over && netlink_whole(msg, (size_t)len, 0); msg = mnl_nlmsg_next(msg, &len)) {
		if (msg->nlmsg_seq != nl->seq)
			continue;
		a->interrupted |= msg->nlmsg_flags & NLM_F_DUMP_INTR;
		if (msg->nlmsg_type == NLMSG_ERROR || msg->nlmsg_type == NLMSG_DONE) {
			a->over = true;
			a->ret = netlink_verdict(msg, why ? why->text : NULL,
						 why ? sizeof(why->text) : 0);
		} else if (row) {
			row(arg, msg);
		}
	}
}

static int ask_once(struct netlink *nl, struct netlink_msg *m, bool *interrupted,
		    void (*row)(void *, const struct nlmsghdr *), void *arg, struct error *why)
{
	struct answer a = { .over = false };

	m->head.nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->socket, m, m->head.nlmsg_len) < 0)
		return -errno;
	while (!a.over) {
		ssize_t len = mnl_socket_recvfrom(nl->socket, nl->buf, sizeof(nl->buf));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		take_answer(nl, (int)len, &a, row, arg, why);
	}
	*interrupted = a.interrupted;
	return a.ret;
}

int netlink_ask(struct netlink *nl, struct netlink_msg *m,
		void (*row)(void *arg, const struct nlmsghdr *msg), void *arg, struct error *why)
{
	bool dump = (m->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP, interrupted = false;
	int ret;

	if (why)
		why->text[0] = '\0';
	if (!dump)
		m->head.nlmsg_flags |= NLM_F_ACK;
	for (unsigned i = 0; i < DUMPS_MAX; i++) {
		if (dump && row)
			row(arg, NULL);
		ret = ask_once(nl, m, &interrupted, row, arg, why);
		if (ret || !interrupted)
			return ret;
	}
	return -EINTR;
}

/* The namespace that a message came from: the kernel says so only when it is not ours. */
static int message_nsid(struct msghdr *msg)
{
	int nsid = NETLINK_OWN;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	return nsid;
}

/* Reads one datagram. Returns its length, or -errno: -EMSGSIZE for one that is cut short. */
static ssize_t read_datagram(struct netlink *nl, struct sockaddr_nl *from, int *nsid)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { nl->buf, sizeof(nl->buf) };
	struct msghdr msg = { .msg_name = from,
			      .msg_namelen = sizeof(*from),
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(netlink_fd(nl), &msg, 0);

	if (len < 0)
		return -errno;
	*nsid = message_nsid(&msg);
	return msg.msg_flags & MSG_TRUNC ? -EMSGSIZE : len;
}

void netlink_read(struct netlink *nl, void (*fn)(void *arg, const struct nlmsghdr *msg, int nsid),
		  void *arg)
{
	for (unsigned i = 0; i < NEWS_PER_READ; i++) {
		const struct nlmsghdr *msg = (const void *)nl->buf;
		struct sockaddr_nl from;
		int nsid = NETLINK_OWN, left;
		ssize_t len = read_datagram(nl, &from, &nsid);

		if (len == -ENOBUFS || len == -EMSGSIZE) {
			fn(arg, NULL, nsid);
			continue;
		}
		if (len <= 0)
			return;
		if (from.nl_pid) /* only the kernel is believed */
			continue;
		left = (int)len;
		for (; netlink_whole(msg, (size_t)left, 0); msg = mnl_nlmsg_next(msg, &left))
			fn(arg, msg, nsid);
	}
}
