/* SPDX-License-Identifier: MIT */
#include "switch/daemon/kernel_private.h"
#include "switch/daemon/leaver.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/log.h"
#include "switch/daemon/kernel_fdb.h"
#include "switch/daemon/loop.h"

#define PATIENCE_S 10

/* What the kernel does shows in its news before it shows anywhere else. */
bool kernel_has_news(const struct kernel *k)
{
	struct pollfd news = { .fd = netlink_fd(k->news), .events = POLLIN };

	return poll(&news, 1, 0) != 0;
}

const struct brstate *kernel_state(struct kernel *k)
{
	if (k->fresh && (k->state_turn == loop_wakeups(k->daemon->loop) || !kernel_has_news(k)))
		return &k->state;
	k->unread = brstate_read(k->ask, k->ifindex, &k->state);
	if (k->unread)
		log_error("%s: cannot read the kernel's bridge: %s", k->daemon->options.name,
			  strerror(-k->unread));
	k->fresh = k->same_ports = !k->unread;
	k->state_turn = loop_wakeups(k->daemon->loop);
	return &k->state;
}

const struct brstate *kernel_ports_state(struct kernel *k)
{
	return k->same_ports ? &k->state : kernel_state(k);
}

int kernel_do(struct kernel *k, struct netlink_msg *m, const char *what, struct error *err)
{
	struct error why;
	int ret = netlink_ask(k->ask, m, NULL, NULL, &why);

	k->counted = false;
	if (m->head.nlmsg_type != RTM_NEWNEIGH && m->head.nlmsg_type != RTM_DELNEIGH)
		k->fresh = false;
	if (ret == -EPERM)
		return error_set(err, ret,
				 "%s: no permission to program the kernel's bridge, which needs "
				 "CAP_NET_ADMIN: run as root, or in a network of your own "
				 "(unshare -Urn)",
				 what);
	if (ret)
		return error_set(err, ret, "%s: %s", what, why.text[0] ? why.text : strerror(-ret));
	return 0;
}

static void take_link(void *arg, const struct nlmsghdr *msg)
{
	brmsg_read_link(msg, arg);
}

int kernel_link(struct kernel *k, int ifindex, const char *name, struct brmsg_link *l)
{
	struct netlink_msg m;

	memset(l, 0, sizeof(*l));
	brmsg_link_get(&m, ifindex, name);
	return netlink_ask(k->ask, &m, take_link, l, NULL);
}

static int kernel_start(void *ctx, bool discard, struct error *err)
{
	struct kernel *k = ctx;
	int ret;

	(void)discard; /* a bridge that is down has kept nothing */
	ret = kernel_bridge_up(k, err);
	k->running = !ret;
	return ret;
}

static int kernel_stop(void *ctx, struct error *err)
{
	struct kernel *k = ctx;
	struct netlink_msg m;

	k->running = false;
	brmsg_link_up(&m, k->ifindex, false);
	return kernel_do(k, &m, k->daemon->options.name, err);
}

static void kernel_serve(void *ctx)
{
	(void)ctx; /* it needs no help */
}

static void kernel_limit(void *ctx, struct model *m)
{
	struct kernel *k = ctx;

	if (k->vlans || !m->attr[BRIDGE_VLAN_DEFAULT_PVID])
		return;
	log_info("%s: this kernel's bridge has no VLANs: vlan_default_pvid is 0", m->name);
	model_set(m, BRIDGE_VLAN_DEFAULT_PVID, 0);
}

static bool is_vlan_attr(unsigned attr)
{
	return attr == BRIDGE_VLAN_FILTERING || attr == BRIDGE_VLAN_PROTOCOL ||
	       attr == BRIDGE_VLAN_DEFAULT_PVID || attr == BRIDGE_VLAN_STATS_ENABLED ||
	       attr == BRIDGE_VLAN_STATS_PER_PORT;
}

static int no_vlans(const char *what, struct error *err)
{
	return error_set(err, -EOPNOTSUPP,
			 "%s: this kernel's bridge has no VLAN filtering "
			 "(CONFIG_BRIDGE_VLAN_FILTERING)",
			 what);
}

static int not_here(const char *what, struct error *err)
{
	return error_set(err, -EOPNOTSUPP, "%s: this kernel's bridge does not have it", what);
}

static int no_accept(const char *port, struct error *err)
{
	return error_set(err, -EOPNOTSUPP,
			 "%s: the kernel's bridge lets in every kind of frame, it has no accept",
			 port);
}

/* What port @p needs that a kernel's port has not; returns 0 or -EOPNOTSUPP with a sentence. */
static int port_lacks(struct kernel *k, const struct model_port *p, struct error *err)
{
	int ret =
		p->host ? kernel_host_check(k, &p->spec, err) : kernel_port_check(k, &p->spec, err);

	if (!ret && p->attr[PORT_ACCEPT] != ACCEPT_ALL)
		ret = no_accept(p->name, err);
	for (unsigned i = 0; !ret && !k->vlans && i < VLAN_N / 64; i++)
		if (p->vlans->member[i])
			ret = no_vlans(p->name, err);
	return ret;
}

static void kernel_lacks(void *ctx, const struct model *m,
			 void (*say)(void *arg, const char *sentence), void *arg)
{
	struct kernel *k = ctx;
	uint32_t has = kernel_state(k)->bridge.bridge_has;
	struct error why;

	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++) {
		const struct attr *attr = &bridge_attrs[i];
		bool vlan = !k->vlans && is_vlan_attr(i);

		if (m->attr[i] == attr->fallback || (has >> i & 1 && !vlan) ||
		    (vlan && i == BRIDGE_VLAN_DEFAULT_PVID && !m->attr[i]))
			continue;
		if (vlan)
			no_vlans(attr->name, &why);
		else
			not_here(attr->name, &why);
		say(arg, why.text);
	}
	for (unsigned i = 0; i < m->n_ports; i++)
		if (port_lacks(k, &m->port[i], &why))
			say(arg, why.text);
}

static void read_bridge(const struct kernel *k, const struct brmsg_link *l, struct model *m)
{
	const struct model *wanted = &k->daemon->wanted;
	uint64_t ageing = wanted->attr[BRIDGE_AGEING_TIME];

	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		if (l->bridge_has >> i & 1)
			m->attr[i] = l->bridge[i];
	if (!k->vlans)
		m->attr[BRIDGE_VLAN_DEFAULT_PVID] = 0;
	/* the kernel counts in ticks, which need not be hundredths of a second */
	if (ageing == m->attr[BRIDGE_AGEING_TIME] + 10)
		m->attr[BRIDGE_AGEING_TIME] = ageing;
}

/* The port of the bridge that somebody else put there, as it would be configured. */
static int foreign_spec(const char *name, struct port_spec *spec)
{
	char text[PORT_NAME_MAX + 8];

	snprintf(text, sizeof(text), "packet:%s", name);
	return port_spec_parse(text, spec, NULL);
}

/* The backup that port @name is to have and that has no interface now, or NULL. */
static const struct kernel_port *missing_backup(const struct kernel *k, const char *name)
{
	const struct model_port *w = model_port(&k->daemon->wanted, name);
	const struct kernel_port *p =
		w && w->backup_port[0] ? kernel_port_named(k, w->backup_port) : NULL;

	return p && !p->ifindex ? p : NULL;
}

static int read_port(const struct kernel *k, const struct brstate *s, const struct brstate_port *b,
		     struct model *m)
{
	const struct brmsg_link *l = &b->link;
	const struct kernel_port *p = kernel_port_of(k, l->base.link.ifindex);
	const struct brstate_port *backup = brstate_by_index(s, (int)l->attr[PORT_BACKUP_PORT]);
	const struct kernel_port *missing = missing_backup(k, p ? p->name : l->base.name);
	struct port_spec spec;
	struct model_port *port;

	if (!p && foreign_spec(l->base.name, &spec))
		return 0;
	port = model_port_add(m, p ? p->name : l->base.name, p ? &p->spec : &spec, false);
	if (!port)
		return -ENOMEM;
	memcpy(port->attr, l->attr, sizeof(port->attr));
	port->attr[PORT_BACKUP_PORT] = port_attrs[PORT_BACKUP_PORT].fallback;
	if (backup)
		snprintf(port->backup_port, sizeof(port->backup_port), "%s",
			 kernel_port_name(k, &backup->link));
	else if (missing)
		memcpy(port->backup_port, missing->name, sizeof(port->backup_port));
	*port->vlans = b->vlans;
	return 0;
}

/* A port that the kernel does not have now is as it is wanted. */
static int read_missing(const struct kernel *k, const struct kernel_port *p, struct model *m)
{
	const struct model_port *wanted = model_port(&k->daemon->wanted, p->name);
	struct model_port *port = model_port_add(m, p->name, &p->spec, false);

	if (!port)
		return -ENOMEM;
	if (!wanted)
		return 0;
	memcpy(port->attr, wanted->attr, sizeof(port->attr));
	memcpy(port->backup_port, wanted->backup_port, sizeof(port->backup_port));
	*port->vlans = *wanted->vlans;
	return 0;
}

int kernel_read(void *ctx, struct model *m, struct error *err)
{
	struct kernel *k = ctx;
	const struct brstate *s = kernel_state(k);
	struct model_port *host;
	int ret = k->unread;

	read_bridge(k, &s->bridge, m);
	for (unsigned i = 0; i < s->n && !ret; i++)
		ret = read_port(k, s, s->port[i], m);
	for (const struct kernel_port *p = k->ports; p && !ret; p = p->next) {
		if (p->host) {
			host = model_port_add(m, p->name, &p->spec, true);
			ret = host ? 0 : -ENOMEM;
			if (host)
				*host->vlans = s->host;
		} else if (!p->ifindex) {
			ret = read_missing(k, p, m);
		}
	}
	if (!ret)
		ret = kernel_read_fdb(k, m);
	return ret ? error_set(err, ret, "%s: cannot read the kernel's bridge: %s", m->name,
			       strerror(-ret))
		   : 0;
}

static int set_bridge(struct kernel *k, const struct verb *v, const char *what, struct error *err)
{
	const struct attr *attr = &bridge_attrs[v->attr];
	bool has = kernel_ports_state(k)->bridge.bridge_has >> v->attr & 1;
	struct netlink_msg m;

	if (!k->vlans && is_vlan_attr(v->attr))
		has = false;
	if (!has && v->value == attr->fallback)
		return 0;
	if (!k->vlans && is_vlan_attr(v->attr))
		return v->attr == BRIDGE_VLAN_DEFAULT_PVID && !v->value ? 0
									: no_vlans(attr->name, err);
	if (!has)
		return not_here(attr->name, err);
	brmsg_bridge_set(&m, k->ifindex, v->attr, v->value);
	return kernel_do(k, &m, what, err);
}

static int set_port(struct kernel *k, const struct verb *v, const struct kernel_port *p,
		    const struct brstate_port *b, const char *what, struct error *err)
{
	const struct kernel_port *backup;
	uint64_t value = v->value;
	struct netlink_msg m;

	if (v->attr == PORT_ACCEPT)
		return v->value == ACCEPT_ALL ? 0 : no_accept(v->dev, err);
	if (!b)
		return p ? 0 : -ENODEV; /* a missing port gets it when it comes */
	if (!(b->link.port_has >> v->attr & 1))
		return v->value == port_attrs[v->attr].fallback
			       ? 0
			       : error_set(err, -EOPNOTSUPP,
					   "%s of %s: this kernel's bridge does not have it",
					   port_attrs[v->attr].name, v->dev);
	if (v->attr == PORT_BACKUP_PORT) {
		backup = v->value_port[0] ? kernel_port_named(k, v->value_port) : NULL;
		if (v->value_port[0] && !backup)
			return error_set(err, -ENODEV, "%s: no such port", what);
		value = backup ? (uint64_t)backup->ifindex : 0;
		if (value == b->link.attr[PORT_BACKUP_PORT])
			return 0; /* the same, or none until it comes */
	}
	brmsg_port_set(&m, b->link.base.link.ifindex, v->attr, value);
	return kernel_do(k, &m, what, err);
}

static int set_vlan(struct kernel *k, const struct verb *v, int ifindex, bool host,
		    const char *what, struct error *err)
{
	struct netlink_msg m;

	if (!k->vlans)
		return no_vlans(what, err);
	if (!ifindex)
		return 0;
	if (v->op == VERB_VLAN_ADD)
		brmsg_vlan_add(&m, ifindex, host, v->vid_first, v->vid_last, v->flags);
	else if (v->op == VERB_VLAN_DEL)
		brmsg_vlan_del(&m, ifindex, host, v->vid_first, v->vid_last);
	else
		brmsg_vlan_state(&m, ifindex, v->vid_first, v->vid_last, v->state);
	return kernel_do(k, &m, what, err);
}

/*
 * Entries of VLAN 0 alone cannot be named to the kernel: with the port's VLANs those come and go,
 * too, and the next round of apply sets that right.
 */
static int set_fdb(struct kernel *k, const struct verb *v, int ifindex, bool host, const char *what,
		   struct error *err)
{
	struct netlink_msg m;
	int ret;

	if (!ifindex)
		return 0;
	if (v->op == VERB_FDB_ADD)
		brmsg_fdb_add(&m, ifindex, host, v->mac, v->vid_first, v->flags, FDB_MODE_REPLACE);
	else
		brmsg_fdb_del(&m, ifindex, host, v->mac, v->vid_first);
	ret = kernel_do(k, &m, what, err);
	return ret == -ENOENT && v->op == VERB_FDB_DEL ? 0 : ret;
}

/* What is done to a port that is there, or configured and missing. */
static int port_verb(struct kernel *k, const struct verb *v, const char *what, struct error *err)
{
	const struct kernel_port *p = kernel_port_named(k, v->dev);
	const struct brstate *s = kernel_ports_state(k);
	const struct brstate_port *b = p ? brstate_by_index(s, p->ifindex) : NULL;
	bool host = p && p->host;
	int ifindex;

	for (unsigned i = 0; i < s->n && !p && !b; i++)
		if (!strcmp(s->port[i]->link.base.name, v->dev))
			b = s->port[i];
	ifindex = host ? k->ifindex : b ? b->link.base.link.ifindex : 0;
	if (!p && !b)
		return v->op == VERB_FDB_DEL || v->op == VERB_VLAN_DEL
			       ? 0
			       : error_set(err, -ENODEV, "%s: no such port", what);
	switch (v->op) {
	case VERB_PORT_SET:
		return host ? error_set(err, -EOPNOTSUPP, "%s: the host port has no settings", what)
			    : set_port(k, v, p, b, what, err);
	case VERB_VLAN_ADD:
	case VERB_VLAN_DEL:
	case VERB_VLAN_SET:
		return set_vlan(k, v, ifindex, host, what, err);
	case VERB_FDB_ADD:
	case VERB_FDB_DEL:
		return set_fdb(k, v, ifindex, host, what, err);
	case VERB_PORT_ADD:
	case VERB_PORT_DEL:
	case VERB_BRIDGE_SET:
		break;
	}
	return -EINVAL;
}

static int kernel_apply(void *ctx, const struct verb *v, struct error *err)
{
	struct kernel *k = ctx;
	char what[256];
	int ret = kernel_ensure(k, err);

	if (ret)
		return ret;
	if (v->op == VERB_PORT_ADD)
		return kernel_port_add(k, v, err);
	if (v->op == VERB_PORT_DEL)
		return kernel_port_del(k, v->dev, err);
	verb_print(v, what, sizeof(what));
	return v->op == VERB_BRIDGE_SET ? set_bridge(k, v, what, err) : port_verb(k, v, what, err);
}

static int kernel_trace(void *ctx, uint16_t in, uint64_t src, uint64_t dst, struct vtag tag,
			uint32_t len, char *text, size_t size, struct error *err)
{
	(void)ctx;
	(void)in;
	(void)src;
	(void)dst;
	(void)tag;
	(void)len;
	(void)text;
	(void)size;
	return error_set(err, -EOPNOTSUPP,
			 "trace: the kernel's bridge does not say what it would do with a frame");
}

static void kernel_close(void *ctx)
{
	struct kernel *k = ctx;
	/* what has never worked is not worth keeping */
	bool keep = k->daemon->options.keep && k->running && k->daemon->started;

	if (k->daemon->serving)
		kernel_ports_hand_over(k);
	else if (!keep)
		kernel_bridge_close(k);
	kernel_ports_close(k, keep);
	kernel_news_close(k);
	model_fini(&k->found);
	brstate_fini(&k->state);
	free(k->told);
	free(k->entry);
	free(k->used);
	free(k->vlan_stats);
	netlink_close(k->ask);
	free(k);
}

static const struct backend_ops kernel_ops = {
	.name = "kernel",
	.shared = true,
	.start = kernel_start,
	.stop = kernel_stop,
	.serve = kernel_serve,
	.give = kernel_give,
	.take = kernel_take,
	.close = kernel_close,
	.limit = kernel_limit,
	.lacks = kernel_lacks,
	.read = kernel_read,
	.apply = kernel_apply,
	.port_next = kernel_port_next,
	.fdb_walk = kernel_fdb_walk,
	.fdb_get = kernel_fdb_get,
	.fdb_add = kernel_fdb_add,
	.fdb_del = kernel_fdb_del,
	.fdb_flush = kernel_fdb_flush,
	.fdb_info = kernel_fdb_info,
	.vlan_get = kernel_vlan_get,
	.vlan_stats = kernel_vlan_stats,
	.trace = kernel_trace,
};

int kernel_open(struct daemon *d, struct backend *b, struct error *err)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int ret = -ENOMEM;

	leaver_wait(d);
	if (!k)
		return error_set(err, ret, "out of memory");
	k->daemon = d;
	model_init(&k->found, d->options.name);
	k->told = calloc(PORT_MAX, sizeof(*k->told));
	k->used = calloc(PORT_MAX, sizeof(*k->used));
	k->vlan_stats = calloc(VLAN_N, sizeof(*k->vlan_stats));
	k->ask = netlink_open(PATIENCE_S, err);
	if (!k->told || !k->used || !k->vlan_stats)
		error_set(err, ret, "out of memory");
	else if (k->ask)
		ret = kernel_news_open(k, err);
	if (!ret)
		ret = kernel_bridge_open(k, err);
	if (ret) {
		kernel_close(k);
		return ret;
	}
	*b = (struct backend){ &kernel_ops, k };
	return 0;
}
