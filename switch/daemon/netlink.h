/* SPDX-License-Identifier: MIT */
/*
 * netlink: messages to and from the kernel, and the sockets that carry them.
 *
 * The only user of libmnl. Building and taking apart are pure: a buffer in, bytes out. The
 * surprising rule: whatever the kernel sends is believed only after its lengths were checked, and
 * an attribute that is missing or of an unknown size reads as the fallback, since older kernels
 * send less and newer ones more. A socket belongs to the namespace that it was opened in and to the
 * main thread. Used by rtnl.c and the kernel backend.
 */
#ifndef SWITCH_DAEMON_NETLINK_H
#define SWITCH_DAEMON_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/error.h"

/* A request under construction; none of ours is longer. */
struct netlink_msg {
	union {
		struct nlmsghdr head;
		char bytes[1024];
	};
};

/*
 * Begins a request: @type (RTM_*), @flags (NLM_F_REQUEST is added), then the @len bytes at @body.
 */
void netlink_begin(struct netlink_msg *m, uint16_t type, uint16_t flags, const void *body,
		   size_t len);
/* Append an attribute of @type: @len bytes, a number, a string with its NUL. */
void netlink_put(struct netlink_msg *m, uint16_t type, const void *data, size_t len);
void netlink_put_u8(struct netlink_msg *m, uint16_t type, uint8_t value);
void netlink_put_u16(struct netlink_msg *m, uint16_t type, uint16_t value);
void netlink_put_u32(struct netlink_msg *m, uint16_t type, uint32_t value);
void netlink_put_text(struct netlink_msg *m, uint16_t type, const char *text);

/* What is put between the two is inside an attribute of @type. */
struct nlattr *netlink_nest(struct netlink_msg *m, uint16_t type);
void netlink_nest_end(struct netlink_msg *m, struct nlattr *nest);

/* Returns whether the message at @msg is whole within @len bytes and has a body of @body bytes. */
bool netlink_whole(const struct nlmsghdr *msg, size_t len, size_t body);

/*
 * Sets @table[T] to the attribute of type T, NULL where there is none, for T below @n: those after
 * the body of @body bytes of @msg, which is whole, or those inside @nest, which may be NULL.
 */
void netlink_attrs(const struct nlmsghdr *msg, size_t body, const struct nlattr **table,
		   unsigned n);
void netlink_nested(const struct nlattr *nest, const struct nlattr **table, unsigned n);
/* Calls @fn for each attribute after the body of @msg. */
void netlink_each(const struct nlmsghdr *msg, size_t body,
		  void (*fn)(void *arg, uint16_t type, const struct nlattr *attr), void *arg);

/* Returns the number (1, 2, 4 or 8 bytes) in @attr, @fallback when it has none or is NULL. */
uint64_t netlink_number(const struct nlattr *attr, uint64_t fallback);
/* Returns the first @len bytes of @attr, NULL when it has fewer or is NULL. */
const void *netlink_data(const struct nlattr *attr, size_t len);
/* Copies the string of @attr to @text (@size bytes), "" when it is none. */
void netlink_text(const struct nlattr *attr, char *text, size_t size);

/*
 * Reads an acknowledgement or the end of a dump. Returns 0, or the -errno it has, with the kernel's
 * own sentence (NLMSGERR_ATTR_MSG) in @why (@size bytes), "" when it gives none. -EBADMSG: cut
 * short.
 */
int netlink_verdict(const struct nlmsghdr *msg, char *why, size_t size);

struct netlink;

/*
 * Opens a socket for netlink_ask(), which waits up to @patience_s seconds for each answer. Returns
 * NULL with a sentence in @err. netlink_close() accepts NULL.
 */
struct netlink *netlink_open(unsigned patience_s, struct error *err);
/* Opens one for netlink_read() that hears of the @n groups RTNLGRP_* at @groups. */
struct netlink *netlink_listen(const unsigned *groups, unsigned n, struct error *err);
void netlink_close(struct netlink *nl);

/* The descriptor, readable when there is something to read. */
int netlink_fd(const struct netlink *nl);

/*
 * Sends @m and reads the answer up to the kernel's acknowledgement; a dump is asked for again when
 * the kernel says that it was interrupted (-EINTR when that has no end). Each message of the answer
 * goes to @row (NULL: there is none), and to it goes NULL when a dump begins again. Returns 0 or
 * -errno; @why as netlink_verdict(), may be NULL.
 */
int netlink_ask(struct netlink *nl, struct netlink_msg *m,
		void (*row)(void *arg, const struct nlmsghdr *msg), void *arg, struct error *why);

#define NETLINK_OWN (-1) /* the nsid that means the namespace of this process */

/*
 * Reads waiting news, a bounded amount of it, and calls @fn for each message with the nsid that it
 * came from; with NULL when messages were lost.
 */
void netlink_read(struct netlink *nl, void (*fn)(void *arg, const struct nlmsghdr *msg, int nsid),
		  void *arg);

#endif
