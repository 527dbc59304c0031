// SPDX-License-Identifier: MIT
/* A kernel bridge as a side. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "tests/diff/side.h"

unsigned if_nametoindex(const char *name); /* <net/if.h> does not go with <linux/if.h> */

#define EXT_LOCKED (1u << 1) /* NTF_EXT_LOCKED, which Linux 6.1 has not */

int kernel_start(struct side *s)
{
	uint16_t no_pvid = 0;
	int error = nl_bridge(&s->nl, "br0", HOST_MAC), index;

	if (error)
		return error;
	index = s->index_p[0] = s->index_h[0] = (int)if_nametoindex("br0");
	/*
	 * Kernels without VLAN filtering refuse this, and have no VLANs to be rid of:
	 * KNOWN_VLAN_LOCAL.
	 */
	if (!s->program->vlans)
		nl_bridge_set(&s->nl, index, IFLA_BR_VLAN_DEFAULT_PVID, &no_pvid, sizeof(no_pvid));
	for (unsigned i = 1; i <= s->program->n_ports && !error; i++)
		error = nl_master(&s->nl, s->index_p[i], index);
	if (!error)
		error = nl_mtu(&s->nl, index, s->program->mtu[0]);
	return error ? error : nl_flags(&s->nl, index, IFF_UP, IFF_UP);
}

void kernel_stop(struct side *s)
{
	nl_delete(&s->nl, s->index_p[0]);
}

static int set(struct side *s, const struct command *c)
{
	const struct setting *row = &settings[c->attr];
	struct br_boolopt_multi bit = { .optval = (uint32_t)c->value << row->attr,
					.optmask = 1u << row->attr };
	int index = s->index_p[c->port];
	uint64_t value = c->value;

	if (row->bridge && row->attr == IFLA_BR_VLAN_PROTOCOL)
		value = htons((uint16_t)value);
	if (!row->size)
		return nl_bridge_set(&s->nl, s->index_p[0], IFLA_BR_MULTI_BOOLOPT, &bit,
				     sizeof(bit));
	if (row->bridge)
		return nl_bridge_set(&s->nl, s->index_p[0], row->attr, &value, row->size);
	if (row->attr == IFLA_BRPORT_BACKUP_PORT)
		value = c->value ? (uint64_t)s->index_p[c->value] : 0;
	return nl_port_set(&s->nl, index, row->attr, &value, row->size);
}

static int fdb_change(struct side *s, const struct command *c)
{
	static const uint16_t modes[] = { NLM_F_CREATE | NLM_F_EXCL, NLM_F_CREATE | NLM_F_APPEND,
					  NLM_F_CREATE | NLM_F_REPLACE };
	static const uint16_t states[] = { NUD_REACHABLE, NUD_NOARP, NUD_PERMANENT };
	uint8_t flags = c->port ? NTF_MASTER : NTF_SELF;

	if (c->op == OP_FDB_DEL)
		return nl_fdb(&s->nl, RTM_DELNEIGH, s->index_p[c->port], c->mac, c->vid,
			      NUD_PERMANENT, flags, 0);
	if (c->flags & WITH_STICKY)
		flags |= NTF_STICKY;
	if (c->flags & WITH_EXT_LEARN)
		flags |= NTF_EXT_LEARNED;
	return nl_fdb(&s->nl, RTM_NEWNEIGH, s->index_p[c->port], c->mac, c->vid,
		      states[c->flags & 3], flags, modes[c->mode]);
}

static int flush(struct side *s, const struct command *c)
{
	if (c->port)
		return nl_fdb_flush(&s->nl, s->index_p[c->port], c->vid);
	return nl_bridge_set(&s->nl, s->index_p[0], IFLA_BR_FDB_FLUSH, "", 0);
}

static int vlan_change(struct side *s, const struct command *c)
{
	uint16_t flags = (uint16_t)((c->flags & VLAN_PVID ? BRIDGE_VLAN_INFO_PVID : 0) |
				    (c->flags & VLAN_UNTAGGED ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
	int index = s->index_p[c->port];

	if (c->op == OP_VLAN_SET)
		return nl_vlan_state(&s->nl, index, c->vid, (uint8_t)c->value);
	return nl_vlan(&s->nl, c->op == OP_VLAN_ADD ? RTM_SETLINK : RTM_DELLINK, index, !c->port,
		       c->vid, c->vid_last, flags);
}

static int execute(struct side *s, const struct command *c)
{
	switch (c->op) {
	case OP_BRIDGE_SET:
	case OP_PORT_SET:
		return set(s, c);
	case OP_FDB_ADD:
	case OP_FDB_DEL:
		return fdb_change(s, c);
	case OP_FDB_FLUSH:
		return flush(s, c);
	case OP_VLAN_ADD:
	case OP_VLAN_DEL:
	case OP_VLAN_SET:
		return vlan_change(s, c);
	case OP_PORT_ADD:
		return nl_master(&s->nl, s->index_p[c->port], s->index_p[0]);
	case OP_PORT_DEL:
		return nl_master(&s->nl, s->index_p[c->port], 0);
	case OP_CARRIER:
	case OP_ADMIN:
	case OP_MAC:
	case OP_MTU:
	case OP_PROMISC:
	case OP_WAIT:
		break;
	}
	return -EINVAL;
}

int kernel_command(struct side *s, const struct command *c)
{
	int answer = execute(s, c);

	/*
	 * A value that netlink's policy refuses is "out of range", one that the bridge refuses is
	 * "invalid".
	 */
	return answer == -ERANGE ? -EINVAL : answer;
}

struct dump {
	const struct side *s;
	struct entry *entries;
	unsigned n, max;
	bool stale;
};

static void read_neigh(const struct nlmsghdr *msg, const struct side *s, struct entry *e,
		       bool *ours)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;

	e->flags = nd->ndm_state & NUD_PERMANENT ? KIND_LOCAL
		   : nd->ndm_state & NUD_NOARP   ? KIND_STATIC
						 : KIND_DYNAMIC;
	e->flags |= nd->ndm_flags & NTF_STICKY ? WITH_STICKY : 0;
	e->flags |= nd->ndm_flags & NTF_EXT_LEARNED ? WITH_EXT_LEARN : 0;
	for (unsigned i = 0; i <= PORTS; i++)
		if (nd->ndm_ifindex == s->index_p[i])
			e->port = (uint8_t)i;
	mnl_attr_for_each(attr, msg, sizeof(*nd)) {
		if (mnl_attr_get_type(attr) == NDA_LLADDR)
			e->mac = mac_of(mnl_attr_get_payload(attr));
		if (mnl_attr_get_type(attr) == NDA_VLAN)
			e->vid = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == NDA_FLAGS_EXT && mnl_attr_get_u32(attr) & EXT_LOCKED)
			e->flags |= WITH_LOCKED;
		if (mnl_attr_get_type(attr) == NDA_MASTER)
			*ours = mnl_attr_get_u32(attr) == (uint32_t)s->index_p[0];
	}
}

static int add_entry(const struct nlmsghdr *msg, void *ctx)
{
	struct dump *d = ctx;
	struct entry e = { 0 };
	bool ours = false;

	read_neigh(msg, d->s, &e, &ours);
	if (ours && d->n < d->max)
		d->entries[d->n++] = e;
	d->stale |=
		ours && ((const struct ndmsg *)mnl_nlmsg_get_payload(msg))->ndm_state & NUD_STALE;
	return MNL_CB_OK;
}

int kernel_fdb(struct side *s, struct entry *entries, unsigned max)
{
	struct dump d = { .s = s, .entries = entries, .max = max };
	int error = nl_dump_fdb(&s->nl, s->index_p[0], add_entry, &d);

	if (error)
		return error;
	/*
	 * An entry that is over age goes on working until the kernel's collector has come by: wait
	 * for it.
	 */
	return d.stale ? -EAGAIN : (int)d.n;
}

struct vlan_dump {
	const struct side *s;
	struct vlan_entry *entries;
	unsigned n, max;
};

static void add_vlans(struct vlan_dump *d, uint8_t port, const struct nlattr *nest)
{
	struct bridge_vlan_info info = { 0 };
	struct vlan_entry e = { .port = port };
	const struct nlattr *attr;
	uint16_t last = 0;

	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) == BRIDGE_VLANDB_ENTRY_INFO)
			memcpy(&info, mnl_attr_get_payload(attr), sizeof(info));
		if (mnl_attr_get_type(attr) == BRIDGE_VLANDB_ENTRY_RANGE)
			last = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) == BRIDGE_VLANDB_ENTRY_STATE)
			e.state = mnl_attr_get_u8(attr);
	}
	e.flags = (info.flags & BRIDGE_VLAN_INFO_PVID ? VLAN_PVID : 0) |
		  (info.flags & BRIDGE_VLAN_INFO_UNTAGGED ? VLAN_UNTAGGED : 0);
	for (e.vid = info.vid; e.vid <= (last ? last : info.vid) && d->n < d->max; e.vid++)
		d->entries[d->n++] = e;
}

static int add_port_vlans(const struct nlmsghdr *msg, void *ctx)
{
	const struct br_vlan_msg *head = mnl_nlmsg_get_payload(msg);
	struct vlan_dump *d = ctx;
	const struct nlattr *attr;

	for (unsigned i = 0; i <= PORTS; i++) {
		if (head->ifindex != (uint32_t)d->s->index_p[i])
			continue;
		mnl_attr_for_each(attr, msg, sizeof(*head))
			if (mnl_attr_get_type(attr) == BRIDGE_VLANDB_ENTRY)
				add_vlans(d, (uint8_t)i, attr);
	}
	return MNL_CB_OK;
}

int kernel_vlans(struct side *s, struct vlan_entry *entries, unsigned max)
{
	struct vlan_dump d = { .s = s, .entries = entries, .max = max };
	int error = nl_dump_vlans(&s->nl, add_port_vlans, &d);

	return error ? error : (int)d.n;
}

static uint64_t read_setting(const struct side *s, const struct setting *row,
			     const struct nl_link *link)
{
	if (row->bridge || !strcmp(row->name, "state"))
		return SETTING_NONE;
	if (row->attr == IFLA_BRPORT_BACKUP_PORT) {
		for (unsigned i = 1; i <= PORTS; i++)
			if (link->has[row->attr] &&
			    link->brport[row->attr] == (uint64_t)s->index_p[i])
				return i;
		return 0;
	}
	return link->has[row->attr] ? link->brport[row->attr] : SETTING_NONE;
}

int kernel_ports(struct side *s, struct port_state ports[PORTS + 1])
{
	int error = 0;

	for (unsigned i = 1; i <= s->program->n_ports && !error; i++) {
		struct nl_link link;

		error = nl_link(&s->nl, s->index_p[i], &link);
		ports[i] = (struct port_state){ .attached = link.master == s->index_p[0],
						.state = link.state,
						.mtu = link.mtu };
		for (unsigned row = 0; row < n_settings; row++)
			ports[i].setting[row] = read_setting(s, &settings[row], &link);
	}
	return error;
}
