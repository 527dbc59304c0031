/* SPDX-License-Identifier: MIT */
/*
 * iface: one network interface as the kernel describes it.
 *
 * A handful of rtnetlink requests, one answer each, for drivers that open or find an interface
 * again; news of interfaces is the daemon's. The surprising rule: all of them work in the namespace
 * of the socket they are given, whatever the process's own is. Plain data, no state; not for the
 * frame path.
 */
#ifndef PORTS_IFACE_H
#define PORTS_IFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/port.h"

struct iface {
	char name[IF_NAMESIZE];
	struct link link;
	uint16_t type; /* ARPHRD_ETHER, ... */
	bool loopback;
	char kind[16]; /* "veth", "tun", "bridge", ...; "" = hardware */
	int peer;      /* ifindex of a veth's other end, 0 = there is none */
	int peer_nsid; /* its namespace as that of the socket knows it, -1 = the same */
	bool xdp;      /* an XDP program sees what it receives */
	int master;    /* ifindex of the bridge, bond, ... it belongs to; 0 = none */
	bool tap;      /* of kind "tun" and Ethernet */
	bool tap_multi_queue;
	bool tap_persist;
	uint32_t tap_queues; /* descriptors that hold it: 0 = free */
};

/* Opens a socket for the calls below in namespace @ns (a descriptor, -1 = the own). Returns it or
 * -errno. */
int iface_socket(int ns);

/* Reads the interface named @name, or numbered @ifindex when @name is NULL. Returns 0, -ENODEV,
 * -errno. */
int iface_get(int sock, const char *name, int ifindex, struct iface *iface);

/* Reads the other end of @iface, a veth whose other end is in another namespace. Returns 0, -ENODEV
 * (it is none of those), -EPERM (not to be seen from here), -errno. */
int iface_get_peer(int sock, const struct iface *iface, struct iface *peer);

/* Sets the MTU of interface @ifindex unless @mtu is 0, and brings it up when @up. Returns 0 or
 * -errno. */
int iface_set(int sock, int ifindex, uint32_t mtu, bool up);

/* Returns whether @a and @b say the same. */
bool link_equal(const struct link *a, const struct link *b);

#endif
