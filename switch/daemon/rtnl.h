/* SPDX-License-Identifier: MIT */
/*
 * rtnl: what the kernel says about network interfaces.
 *
 * The surprising rule: news carries no state. A message only tells which
 * interface to look at again; rtnl_get() then asks for its state as it is now. So nothing is
 * cached, a lost message costs one more look at every interface of interest (rtnl_news.lost), and
 * wireless or partial messages cannot mislead.
 *
 * Interfaces in other network namespaces are reached through the same two sockets by the number
 * (nsid) that the kernel gives a peer namespace, which needs CAP_NET_ADMIN and CAP_NET_BROADCAST
 * there; unlike a socket of its own in that namespace this does not keep the namespace alive. Made
 * and freed by ports.c, used by the main thread only.
 */
#ifndef SWITCH_DAEMON_RTNL_H
#define SWITCH_DAEMON_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/error.h"
#include "ports/port.h"

#define RTNL_OWN (-1) /* the nsid that means the namespace of this process */

struct rtnl;

/* One interface. */
struct rtnl_link {
	struct link link; /* present, up, carrier, promisc, mtu, ifindex, mac */
	char name[PORT_NAME_MAX];
	char kind[16]; /* IFLA_INFO_KIND: "veth", "tun", "bridge"; "" for hardware */
	bool tap;      /* a TAP device (kind "tun" in TAP mode) */
	bool held;     /* that some process has open */
};

/* Something about interface @ifindex, or one named @name, changed. */
struct rtnl_news {
	bool lost; /* messages were lost: anything may have changed; nothing else is set */
	int nsid;
	int ifindex;
	char name[PORT_NAME_MAX];
	bool no_link; /* it was gone or without carrier at that moment, even if it is back by now */
};

/* Returns the sockets, or NULL with a sentence in @err. rtnl_close() accepts NULL. */
struct rtnl *rtnl_open(struct error *err);
void rtnl_close(struct rtnl *r);

/* The descriptor that is readable when there is news. */
int rtnl_fd(const struct rtnl *r);

/* Reads waiting news, a bounded amount of it, and calls @fn for each. */
void rtnl_read(struct rtnl *r, void (*fn)(void *arg, const struct rtnl_news *news), void *arg);

/*
 * Reads the state of the interface @ifindex, or when that is 0 the one named @name, of namespace
 * @nsid. Returns 0; -ENODEV when there is none, then @link is zeroed but for its name; -EPERM or
 * another -errno of the socket.
 */
int rtnl_get(struct rtnl *r, int nsid, int ifindex, const char *name, struct rtnl_link *link);

/*
 * Finds the number of the network namespace that @fd refers to, and has one assigned if needed.
 * Returns 0 with
 * *@nsid, RTNL_OWN for the process's own, or -errno (-EPERM).
 */
int rtnl_nsid(struct rtnl *r, int fd, int *nsid);

/*
 * Reads the netlink message at @msg (@len bytes) into @link. Returns RTM_NEWLINK or RTM_DELLINK; 0
 * for a message that is no news of an interface (among them AF_BRIDGE's, which repeat a bridge
 * port); -EBADMSG when it is cut short. Pure.
 */
int rtnl_parse_link(const void *msg, size_t len, struct rtnl_link *link);

#endif
