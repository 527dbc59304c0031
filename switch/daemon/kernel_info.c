/* SPDX-License-Identifier: MIT */
/* What commands that only look are told of the kernel's ports and VLANs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "switch/daemon/kernel_fdb.h"
#include "switch/daemon/loop.h"

static void subtract(struct port_stats *s, const struct port_stats *base)
{
	s->rx -= base->rx;
	s->rx_bytes -= base->rx_bytes;
	s->rx_missed -= base->rx_missed;
	s->tx -= base->tx;
	s->tx_bytes -= base->tx_bytes;
	s->queued -= base->queued;
}

/* What the bridge's own interface sends comes in by the host port. */
static void swap(struct port_stats *s)
{
	*s = (struct port_stats){ .rx = s->tx,
				  .rx_bytes = s->tx_bytes,
				  .tx = s->rx,
				  .queued = s->rx,
				  .tx_bytes = s->rx_bytes };
}

static void host_info(struct kernel *k, const struct kernel_port *p, struct port_info *info)
{
	const struct brmsg_link *l = &kernel_state(k)->bridge;

	info->number = PORT_HOST;
	snprintf(info->name, sizeof(info->name), "%s", p->name);
	info->kind = "host";
	info->link = l->base.link;
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		info->attr[i] = port_attrs[i].fallback;
	info->state = l->base.link.up ? STATE_FORWARDING : STATE_DISABLED;
	info->stats = l->stats;
	swap(&info->stats);
	subtract(&info->stats, &p->base);
}

static void port_info(struct kernel *k, const struct brstate_port *b, struct port_info *info)
{
	const struct brmsg_link *l = &b->link;
	const struct kernel_port *p = kernel_port_of(k, l->base.link.ifindex);
	const struct brstate_port *backup =
		brstate_by_index(&k->state, (int)l->attr[PORT_BACKUP_PORT]);

	info->number = l->number;
	snprintf(info->name, sizeof(info->name), "%s", kernel_port_name(k, l));
	info->kind = p ? p->spec.ops->kind : "packet";
	info->link = l->base.link;
	memcpy(info->attr, l->attr, sizeof(info->attr));
	info->state = (enum port_state)l->attr[PORT_STATE];
	if (backup)
		snprintf(info->backup_port, sizeof(info->backup_port), "%s",
			 kernel_port_name(k, &backup->link));
	info->stats = l->stats;
	if (p)
		subtract(&info->stats, &p->base);
}

static void missing_info(const struct kernel_port *p, uint16_t number, struct port_info *info)
{
	info->number = number;
	snprintf(info->name, sizeof(info->name), "%s", p->name);
	info->kind = p->spec.ops->kind;
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		info->attr[i] = port_attrs[i].fallback;
	snprintf(info->note, sizeof(info->note), "there is no interface %.15s", p->spec.address);
}

int kernel_port_next(void *ctx, uint16_t number, struct port_info *info)
{
	struct kernel *k = ctx;
	const struct kernel_port *host = kernel_host(k), *missing = NULL;
	const struct brstate_port *b;
	unsigned end, n;

	if (k->state_turn != loop_wakeups(k->daemon->loop))
		k->fresh = false; /* counters are no news */
	b = brstate_next(kernel_state(k), number);
	end = b ? b->link.number : PORT_MAX;
	memset(info, 0, sizeof(*info));
	if (number == PORT_HOST && host) {
		host_info(k, host, info);
	} else {
		for (n = number; n < end && !missing; n++)
			missing = kernel_missing(k, n);
		if (missing)
			missing_info(missing, (uint16_t)(n - 1), info);
		else if (b)
			port_info(k, b, info);
		else
			return -ENODEV;
	}
	info->fdb_entries = kernel_fdb_used(k, info->number);
	return 0;
}

bool kernel_vlan_get(void *ctx, uint16_t port, uint16_t vid, uint16_t *flags,
		     enum port_state *state)
{
	struct kernel *k = ctx;
	const struct brstate *s = kernel_state(k);
	const struct brstate_port *b = brstate_port(s, port);
	const struct model_vlans *v = port == PORT_HOST && kernel_host(k) ? &s->host
				      : b                                 ? &b->vlans
									  : NULL;

	if (!v || !(v->member[vid / 64] >> (vid % 64) & 1))
		return false;
	*flags = (uint16_t)((v->untagged[vid / 64] >> (vid % 64) & 1 ? VLAN_UNTAGGED : 0) |
			    (v->pvid == vid ? VLAN_PVID : 0));
	*state = (enum port_state)v->state[vid];
	return true;
}

static void take_vlan_stats(void *arg, const struct brmsg_vlan *v)
{
	struct kernel *k = arg;

	if (v->ifindex == k->vlan_stats_of)
		k->vlan_stats[v->first] = v->stats;
}

static void take_vlans(void *arg, const struct nlmsghdr *msg)
{
	if (msg)
		brmsg_read_vlans(msg, take_vlan_stats, arg);
}

void kernel_vlan_stats(void *ctx, uint16_t port, uint16_t vid, struct vlan_stats *stats)
{
	struct kernel *k = ctx;
	const struct brstate_port *b = brstate_port(kernel_state(k), port);
	int ifindex = port == PORT_HOST ? k->ifindex : b ? b->link.base.link.ifindex : 0;
	uint64_t turn = loop_wakeups(k->daemon->loop);
	struct netlink_msg m;

	memset(stats, 0, sizeof(*stats));
	if (!ifindex)
		return;
	if (ifindex != k->vlan_stats_of || turn != k->vlan_stats_turn) {
		memset(k->vlan_stats, 0, VLAN_N * sizeof(*k->vlan_stats));
		k->vlan_stats_of = ifindex;
		k->vlan_stats_turn = turn;
		brmsg_vlan_dump(&m, ifindex);
		netlink_ask(k->ask, &m, take_vlans, k, NULL);
	}
	*stats = k->vlan_stats[vid];
}

/* The kernel's counters of port @p as they are now. */
static struct port_stats stats_of(struct kernel *k, const struct kernel_port *p)
{
	struct brmsg_link l;

	if (!p->ifindex || kernel_link(k, p->ifindex, NULL, &l))
		return (struct port_stats){ 0 };
	return l.stats;
}

bool kernel_give(void *ctx, const char *port, struct port_carry *carry)
{
	struct kernel *k = ctx;
	struct kernel_port *p = kernel_port_named(k, port);

	if (!p)
		return false;
	carry->stats = stats_of(k, p);
	carry->made = p->made && !port_spec_number(&p->spec, "persist", 0);
	subtract(&carry->stats, &p->base);
	p->made = false;
	return true;
}

void kernel_take(void *ctx, const char *port, const struct port_carry *carry)
{
	struct kernel *k = ctx;
	struct kernel_port *p = kernel_port_named(k, port);

	if (!p)
		return;
	p->base = stats_of(k, p);
	subtract(&p->base, &carry->stats);
	p->made |= carry->made;
}
