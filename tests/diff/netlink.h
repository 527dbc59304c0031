/* SPDX-License-Identifier: MIT */
/*
 * netlink: the few rtnetlink requests that the differential test makes, one function each.
 *
 * A `struct nl` is a socket in one network namespace, the one current when nl_open() is called; it
 * stays there. The surprising rule: every function waits for the kernel's acknowledgement and
 * returns its answer, 0 or -errno, without printing anything, since a refusal is an answer to
 * compare.
 */
#ifndef TESTS_DIFF_NETLINK_H
#define TESTS_DIFF_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nl {
	struct mnl_socket *socket;
	uint32_t seq;
	char buffer[32768];
};

int nl_open(struct nl *nl);
void nl_close(struct nl *nl);

/* A pair of veth interfaces with these addresses, both down. */
int nl_veth(struct nl *nl, const char *name, uint64_t mac, const char *peer, uint64_t peer_mac);
/* An empty bridge without snooping, with a fixed address. */
int nl_bridge(struct nl *nl, const char *name, uint64_t mac);
int nl_delete(struct nl *nl, int index);

/* IFF_* flags in @mask become as in @flags. */
int nl_flags(struct nl *nl, int index, unsigned flags, unsigned mask);
int nl_mac(struct nl *nl, int index, uint64_t mac);
int nl_mtu(struct nl *nl, int index, uint32_t mtu);
int nl_master(struct nl *nl, int index, int master);

/* An attribute of a bridge (IFLA_BR_*) or of a bridge port (IFLA_BRPORT_*) of @size bytes. */
int nl_bridge_set(struct nl *nl, int index, uint16_t attr, const void *value, size_t size);
int nl_port_set(struct nl *nl, int index, uint16_t attr, const void *value, size_t size);

/*
 * RTM_NEWNEIGH / RTM_DELNEIGH of the bridge; @flags NTF_*, @state NUD_*, @mode NLM_F_*, @vid 0 =
 * none.
 */
int nl_fdb(struct nl *nl, uint16_t type, int index, uint64_t mac, uint16_t vid, uint16_t state,
	   uint8_t flags, uint16_t mode);

/*
 * What `bridge fdb flush dev PORT master [vlan VID] nopermanent nostatic` asks for:
 * IFLA_BRPORT_FLUSH spares extern_learn.
 */
int nl_fdb_flush(struct nl *nl, int index, uint16_t vid);

/*
 * RTM_SETLINK / RTM_DELLINK: VLANs @first..@last of a port, or (@self) of the bridge; @flags
 * BRIDGE_VLAN_INFO_*.
 */
int nl_vlan(struct nl *nl, uint16_t type, int index, bool self, uint16_t first, uint16_t last,
	    uint16_t flags);
/* The state of one VLAN of a port or of the bridge. */
int nl_vlan_state(struct nl *nl, int index, uint16_t vid, uint8_t state);

/* Dumps: calls @row for each message. */
int nl_dump_fdb(struct nl *nl, int bridge, mnl_cb_t row, void *ctx);
int nl_dump_vlans(struct nl *nl, mnl_cb_t row, void *ctx);

/* What IFLA_* say of interface @index. */
struct nl_link {
	bool up, carrier;
	uint32_t mtu;
	unsigned operstate; /* IF_OPER_* */
	int state;          /* as a bridge port; -1 = it is none */
	int master;
	bool has[64]; /* IFLA_BRPORT_* of up to eight bytes */
	uint64_t brport[64];
};
int nl_link(struct nl *nl, int index, struct nl_link *link);

void mac_bytes(uint64_t mac, uint8_t bytes[6]);
uint64_t mac_of(const uint8_t *bytes);

#endif
