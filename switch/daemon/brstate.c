/* SPDX-License-Identifier: MIT */
#include "switch/daemon/brstate.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* A state being read; `failed`: memory ran short. */
struct reading {
	struct brstate *s;
	bool failed;
};

static void clear_ports(struct brstate *s)
{
	for (unsigned i = 0; i < s->n; i++)
		free(s->port[i]);
	free(s->port);
	s->port = NULL;
	s->n = 0;
}

void brstate_fini(struct brstate *s)
{
	clear_ports(s);
	memset(s, 0, sizeof(*s));
}

static void vlans_init(struct model_vlans *v)
{
	memset(v, 0, sizeof(*v));
	memset(v->state, STATE_FORWARDING, sizeof(v->state));
}

static void take_bridge(void *arg, const struct nlmsghdr *msg)
{
	struct reading *r = arg;

	if (brmsg_read_link(msg, &r->s->bridge) != RTM_NEWLINK)
		memset(&r->s->bridge, 0, sizeof(r->s->bridge));
}

/* netlink_ask() begins a dump, perhaps again. */
static void take_port(void *arg, const struct nlmsghdr *msg)
{
	struct reading *r = arg;
	struct brstate *s = r->s;
	struct brstate_port *p, **grown;
	unsigned at;

	if (!msg) {
		clear_ports(s);
		return;
	}
	p = calloc(1, sizeof(*p));
	grown = realloc(s->port, (s->n + 1) * sizeof(*grown));
	if (grown)
		s->port = grown;
	r->failed |= !p || !grown;
	if (r->failed || brmsg_read_link(msg, &p->link) != RTM_NEWLINK || !p->link.port ||
	    p->link.master != s->bridge.base.link.ifindex) {
		free(p);
		return;
	}
	vlans_init(&p->vlans);
	for (at = s->n++; at && s->port[at - 1]->link.number > p->link.number; at--)
		s->port[at] = s->port[at - 1];
	s->port[at] = p;
}

static void take_vlan(void *arg, const struct brmsg_vlan *v)
{
	struct brstate *s = arg;
	struct model_port port = { .vlans = NULL };

	if (v->ifindex == s->bridge.base.link.ifindex)
		port.vlans = &s->host;
	for (unsigned i = 0; i < s->n && !port.vlans; i++)
		if (s->port[i]->link.base.link.ifindex == v->ifindex)
			port.vlans = &s->port[i]->vlans;
	if (!port.vlans)
		return;
	model_vlan_add(&port, v->first, v->last, v->flags);
	memset(&port.vlans->state[v->first], (int)v->state, (size_t)(v->last - v->first) + 1);
}

static void take_vlans(void *arg, const struct nlmsghdr *msg)
{
	struct reading *r = arg;

	if (msg) {
		brmsg_read_vlans(msg, take_vlan, r->s);
		return;
	}
	vlans_init(&r->s->host);
	for (unsigned i = 0; i < r->s->n; i++)
		vlans_init(&r->s->port[i]->vlans);
}

int brstate_read(struct netlink *nl, int ifindex, struct brstate *s)
{
	struct reading r = { .s = s };
	struct netlink_msg m;
	int ret;

	brstate_fini(s);
	brmsg_link_get(&m, ifindex, NULL);
	ret = netlink_ask(nl, &m, take_bridge, &r, NULL);
	if (ret)
		return ret == -ENODEV ? 0 : ret;
	brmsg_ports_dump(&m, ifindex);
	ret = netlink_ask(nl, &m, take_port, &r, NULL);
	if (!ret) {
		brmsg_vlan_dump(&m, 0);
		ret = netlink_ask(nl, &m, take_vlans, &r, NULL);
		if (ret == -EOPNOTSUPP) /* a kernel without VLAN filtering */
			ret = 0;
	}
	if (!ret && r.failed)
		ret = -ENOMEM;
	if (ret)
		brstate_fini(s);
	return ret;
}

const struct brstate_port *brstate_next(const struct brstate *s, unsigned number)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->port[i]->link.number >= number)
			return s->port[i];
	return NULL;
}

const struct brstate_port *brstate_by_index(const struct brstate *s, int ifindex)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->port[i]->link.base.link.ifindex == ifindex)
			return s->port[i];
	return NULL;
}

const struct brstate_port *brstate_port(const struct brstate *s, unsigned number)
{
	const struct brstate_port *p = brstate_next(s, number);

	return p && p->link.number == number ? p : NULL;
}
