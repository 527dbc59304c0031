/* SPDX-License-Identifier: MIT */
/*
 * brmsg: rtnetlink's messages about a kernel bridge, made and read.
 *
 * Pure: values in, bytes out, and back. The surprising rule: what a kernel does not send it does
 * not have (no VLAN filtering, an older bridge), and `has` says so; whoever sets such a thing would
 * otherwise be ignored in silence. Settings travel as switch/attr.h has them: milliseconds, a MAC
 * as a number, but a backup port as its ifindex. Used by the kernel backend and tests.
 */
#ifndef SWITCH_DAEMON_BRMSG_H
#define SWITCH_DAEMON_BRMSG_H

#include "fdb/fdb.h"
#include "ports/queue.h"
#include "switch/attr.h"
#include "switch/bridge.h"
#include "switch/daemon/netlink.h"
#include "switch/daemon/rtnl.h"

/* Makes the bridge @name, down, that floods multicast and has no spanning tree. */
void brmsg_bridge_add(struct netlink_msg *m, const char *name);
/* Has bridge @ifindex speak the spanning tree protocol, and look into multicast, or not. */
void brmsg_bridge_protocols(struct netlink_msg *m, int ifindex, bool stp, bool mcast_snooping);
/* Deletes interface @ifindex or, when that is 0, @name. */
void brmsg_link_del(struct netlink_msg *m, int ifindex, const char *name);
/* Brings it up or down. */
void brmsg_link_up(struct netlink_msg *m, int ifindex, bool up);
/* Sets its MTU in bytes. */
void brmsg_link_mtu(struct netlink_msg *m, int ifindex, uint32_t mtu);
/* Has it make IPv6 addresses of its own, or not. */
void brmsg_link_addresses(struct netlink_msg *m, int ifindex, bool own);
/* Makes it a port of bridge @master, 0 = of none. */
void brmsg_enslave(struct netlink_msg *m, int ifindex, int master);
/* Sets one setting of bridge or port @ifindex. */
void brmsg_bridge_set(struct netlink_msg *m, int ifindex, enum bridge_attr attr, uint64_t value);
void brmsg_port_set(struct netlink_msg *m, int ifindex, enum port_attr attr, uint64_t value);

/*
 * Adds (@flags: enum vlan_flag) or deletes VLANs @first..@last of @ifindex, a port or (@host) the
 * bridge itself; sets their state.
 */
void brmsg_vlan_add(struct netlink_msg *m, int ifindex, bool host, uint16_t first, uint16_t last,
		    uint16_t flags);
void brmsg_vlan_del(struct netlink_msg *m, int ifindex, bool host, uint16_t first, uint16_t last);
void brmsg_vlan_state(struct netlink_msg *m, int ifindex, uint16_t first, uint16_t last,
		      enum port_state state);

/*
 * Adds or deletes the entry of @mac; @vid 0 = as without a VLAN: in VLAN 0 and each of the port's.
 * @flags: enum fdb_flag.
 */
void brmsg_fdb_add(struct netlink_msg *m, int ifindex, bool host, uint64_t mac, uint16_t vid,
		   uint16_t flags, enum fdb_mode mode);
void brmsg_fdb_del(struct netlink_msg *m, int ifindex, bool host, uint64_t mac, uint16_t vid);
/*
 * Deletes the entries that @match selects (as bridge_fdb_flush()) of @ifindex, a port or (@host)
 * the bridge: then of all. The kernel cannot select VLAN 0: match->vid must be another or
 * FDB_ANY_VID.
 */
void brmsg_fdb_flush(struct netlink_msg *m, int ifindex, bool host, const struct fdb_match *match);

/* Ask for the interface @ifindex or, when that is 0, @name; for the ports of @bridge. */
void brmsg_link_get(struct netlink_msg *m, int ifindex, const char *name);
void brmsg_ports_dump(struct netlink_msg *m, int bridge);
/* Ask for the VLANs of every bridge and port, or with @ifindex those of one with their counters. */
void brmsg_vlan_dump(struct netlink_msg *m, int ifindex);
/* Ask for the entry of @mac in VLAN @vid of @bridge; for all its entries. */
void brmsg_fdb_get(struct netlink_msg *m, int bridge, uint64_t mac, uint16_t vid);
void brmsg_fdb_dump(struct netlink_msg *m, int bridge);

/* What a message says of an interface. */
struct brmsg_link {
	struct rtnl_link base;
	uint16_t type; /* ARPHRD_ETHER, ... */
	bool loopback;
	int master;                       /* 0 = none */
	uint32_t bridge_has;              /* bit N: enum bridge_attr N is in `bridge` */
	uint64_t bridge[BRIDGE_ATTR_MAX]; /* of a bridge */
	bool stp, mcast_snooping;
	uint32_t n_learned; /* UINT32_MAX = the kernel does not count them */
	bool port;          /* it is a bridge's port: */
	uint16_t number;    /* 1..1023 */
	uint32_t port_has;
	uint64_t attr[PORT_ATTR_MAX];
	struct port_stats stats; /* rx, rx_bytes, rx_missed, tx, tx_bytes and queued */
};

/*
 * Reads @msg, which is whole, into @l. Returns RTM_NEWLINK or RTM_DELLINK; 0 for a message that is
 * neither, or one of AF_BRIDGE; -EBADMSG.
 */
int brmsg_read_link(const struct nlmsghdr *msg, struct brmsg_link *l);

/* An entry as the kernel has it; its times are how long ago, in ms. */
struct brmsg_fdb {
	struct fdb_entry entry; /* port is not set; a stale one is dynamic */
	int ifindex;            /* of the port, or of the bridge itself */
	int bridge;
};

/* As brmsg_read_link() for RTM_NEWNEIGH and RTM_DELNEIGH of a bridge; 0 for all others. */
int brmsg_read_fdb(const struct nlmsghdr *msg, struct brmsg_fdb *e);

/* VLANs with the same flags and state. */
struct brmsg_vlan {
	int ifindex;
	uint16_t first, last;
	uint16_t flags; /* enum vlan_flag */
	enum port_state state;
	struct vlan_stats stats; /* of the first, if they were asked for */
};

/*
 * Calls @fn for each range in RTM_NEWVLAN or RTM_DELVLAN @msg. Returns which of both, 0 for another
 * message, -EBADMSG.
 */
int brmsg_read_vlans(const struct nlmsghdr *msg, void (*fn)(void *arg, const struct brmsg_vlan *v),
		     void *arg);

#endif
