/* SPDX-License-Identifier: MIT */
/* The ports of the kernel's bridge: what may be one, its TAP, coming and going. */
#include <errno.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/guest.h"
#include "ports/iface.h"
#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/tun.h"
#include "switch/daemon/kernel_private.h"
#include "switch/daemon/leaver.h"
#include "switch/daemon/resolve.h"

struct kernel_port *kernel_port_named(const struct kernel *k, const char *name)
{
	for (struct kernel_port *p = k->ports; p; p = p->next)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

struct kernel_port *kernel_port_of(const struct kernel *k, int ifindex)
{
	for (struct kernel_port *p = k->ports; p; p = p->next)
		if (p->ifindex == ifindex && !p->host)
			return p;
	return NULL;
}

struct kernel_port *kernel_host(const struct kernel *k)
{
	for (struct kernel_port *p = k->ports; p; p = p->next)
		if (p->host)
			return p;
	return NULL;
}

struct kernel_port *kernel_missing(const struct kernel *k, unsigned number)
{
	for (struct kernel_port *p = k->ports; p; p = p->next)
		if (!p->host && !p->ifindex && p->number == number)
			return p;
	return NULL;
}

const char *kernel_port_name(const struct kernel *k, const struct brmsg_link *link)
{
	const struct kernel_port *p = kernel_port_of(k, link->base.link.ifindex);

	return p ? p->name : link->base.name;
}

/* Notes that the interface of @p is gone, under a number that the kernel will not soon give. */
static void lose(struct kernel *k, struct kernel_port *p)
{
	unsigned n = PORT_MAX - 1;

	while (n && (kernel_missing(k, n) || brstate_port(&k->state, n)))
		n--;
	p->ifindex = 0;
	p->joined = p->made = false; /* what comes under that name is another's */
	p->number = (uint16_t)n;
	memset(&p->base, 0, sizeof(p->base));
	log_notice("%s: missing, waits for its interface", p->name);
}

/* Whether a port that is described so can be a kernel's at all. */
static int check_spec(const struct port_spec *spec, struct error *err)
{
	bool guest = spec->ops == &tap_ops && resolve_option(spec, "guest");

	if (spec->ops == &tap_ops && !guest)
		return error_set(err, -EOPNOTSUPP,
				 "%s: the kernel bridge cannot forward to a TAP that uswitch "
				 "holds; use tap:%s,guest",
				 spec->address, spec->address);
	if (spec->ops && spec->ops != &tap_ops && spec->ops != &packet_ops)
		return error_set(err, -EOPNOTSUPP,
				 "%s: the kernel bridge has no %s ports, only packet and "
				 "tap:NAME,guest",
				 spec->name, spec->ops->kind);
	if (resolve_option(spec, "netns"))
		return error_set(err, -EOPNOTSUPP,
				 "%s: the kernel bridge has no ports in other namespaces (netns=)",
				 spec->address);
	return 0;
}

/* Decides what a bare name is: a TAP that is made or free is one for a guest. */
static int resolve(struct port_spec *spec, const struct rtnl_link *l, struct error *err)
{
	const struct port_ops *kind = spec->ops ? spec->ops : resolve_kind(spec, l);
	struct error why;

	if (!spec->ops && kind == &tap_ops && !resolve_option(spec, "guest")) {
		if (spec->n_options == PORT_OPTIONS_MAX)
			return error_set(err, -EINVAL, "%s: more than %u options", spec->address,
					 PORT_OPTIONS_MAX);
		strcpy(spec->option[spec->n_options++].text, "guest");
	}
	if (port_spec_resolve(spec, kind, &why))
		return error_set(err, -EINVAL, "%s: %s", spec->address, why.text);
	return check_spec(spec, err);
}

/* Whether the interface @l can be a port (br_add_if). */
static int check_link(struct kernel *k, const struct port_spec *spec, const struct brmsg_link *l,
		      struct error *err)
{
	struct brmsg_link master;
	int ret = resolve_check(spec, &l->base, err);

	if (ret)
		return ret;
	if (l->loopback)
		return error_set(err, -EINVAL,
				 "%s is the loopback interface, which cannot be a port",
				 spec->address);
	if (l->type != ARPHRD_ETHER)
		return error_set(err, -EINVAL, "%s carries no Ethernet frames: it cannot be a port",
				 spec->address);
	if (!l->master || l->master == k->ifindex)
		return 0;
	return error_set(err, -EBUSY, "%s belongs to %s already", spec->address,
			 kernel_link(k, l->master, NULL, &master) ? "another interface"
								  : master.base.name);
}

int kernel_port_check(struct kernel *k, const struct port_spec *spec, struct error *err)
{
	struct port_spec resolved = *spec;
	int ret = check_spec(spec, err);
	struct brmsg_link l;

	if (ret || kernel_link(k, 0, spec->address, &l)) /* it may be yet to come */
		return ret;
	ret = resolve(&resolved, &l.base, err);
	return ret ? ret : check_link(k, &resolved, &l, err);
}

/* Makes the TAP of @spec unless there is one. */
static int make_tap(const struct port_spec *spec, bool *made, struct error *err)
{
	int sock = iface_socket(-1), ret;

	if (sock < 0)
		return error_set(err, sock, "%s: %s", spec->address, strerror(-sock));
	ret = guest_make(-1, sock, spec, made, err);
	close(sock);
	return ret;
}

static void remove_tap(const struct port_spec *spec)
{
	int fd = tun_release(-1, spec->address);

	if (fd >= 0)
		close(fd);
}

/* Makes interface @l a port of the bridge. */
static int enslave(struct kernel *k, struct kernel_port *p, const struct brmsg_link *l,
		   struct error *err)
{
	struct netlink_msg m;
	struct error why;
	int ret;

	brmsg_enslave(&m, l->base.link.ifindex, k->ifindex);
	k->same_ports = false;
	ret = kernel_do(k, &m, p->spec.address, &why);
	if (ret == -EOPNOTSUPP)
		return error_set(err, ret,
				 "%s: a bridge cannot have this interface (as a Wi-Fi station, it "
				 "sends under its own address only)",
				 p->spec.address);
	if (ret)
		return error_set(err, ret, "%s", why.text);
	p->ifindex = l->base.link.ifindex;
	p->joined = l->master != k->ifindex && !model_port(&k->found, l->base.name);
	p->base = l->stats;
	if (!l->base.link.up)
		log_notice("%s: the interface is down", p->name);
	return 0;
}

/* Finds the interface of @p, makes it if that is asked for, and joins it. */
static int join(struct kernel *k, struct kernel_port *p, struct error *err)
{
	struct brmsg_link l;
	int ret = kernel_link(k, 0, p->spec.address, &l);

	if (ret && ret != -ENODEV)
		return error_set(err, ret, "%s: cannot read the interface's state: %s",
				 p->spec.address, strerror(-ret));
	ret = resolve(&p->spec, &l.base, err);
	if (!ret && p->spec.ops == &tap_ops) {
		ret = make_tap(&p->spec, &p->made, err);
		if (!ret && kernel_link(k, 0, p->spec.address, &l))
			ret = error_set(err, -ENODEV, "%s: the TAP is gone", p->spec.address);
	}
	if (!ret && !l.base.link.present) {
		lose(k, p);
		return 0;
	}
	if (!ret)
		ret = check_link(k, &p->spec, &l, err);
	if (!ret)
		ret = enslave(k, p, &l, err);
	if (ret && p->made)
		remove_tap(&p->spec);
	return ret;
}

int kernel_host_check(const struct kernel *k, const struct port_spec *spec, struct error *err)
{
	const char *name = k->daemon->options.name;

	if (strcmp(spec->address, name) != 0)
		return error_set(err, -EOPNOTSUPP,
				 "%s: the host port of a kernel bridge is the bridge itself, %s: "
				 "say -l alone, or -n %s",
				 spec->address, name, spec->address);
	for (unsigned i = 0; i < spec->n_options; i++)
		if (strcmp(spec->option[i].option->name, "mtu") != 0)
			return error_set(err, -EOPNOTSUPP,
					 "%s: the host port of a kernel bridge has no %s", name,
					 spec->option[i].option->name);
	return 0;
}

/* The host port: the bridge's own interface. */
static int join_host(struct kernel *k, struct kernel_port *p, struct error *err)
{
	const char *name = k->daemon->options.name;
	uint32_t mtu = (uint32_t)port_spec_number(&p->spec, "mtu", 0);
	struct netlink_msg m;
	int ret = kernel_host_check(k, &p->spec, err);

	if (ret)
		return ret;
	p->ifindex = k->ifindex;
	if (k->created) {
		brmsg_link_addresses(&m, k->ifindex, true);
		kernel_do(k, &m, "", NULL); /* a kernel without IPv6 refuses */
	}
	if (!mtu)
		return 0;
	brmsg_link_mtu(&m, k->ifindex, mtu);
	return kernel_do(k, &m, name, err);
}

static void forget(struct kernel *k, struct kernel_port *p)
{
	struct kernel_port **link = &k->ports;

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	free(p);
}

int kernel_port_add(struct kernel *k, const struct verb *v, struct error *err)
{
	/* somebody took it out of the bridge behind our back */
	struct kernel_port *old = kernel_port_named(k, v->dev), *p;
	int ret;

	p = calloc(1, sizeof(*p));
	if (!p)
		return error_set(err, -ENOMEM, "out of memory");
	memcpy(p->name, v->dev, sizeof(p->name));
	p->spec = *v->spec;
	p->host = v->host;
	ret = v->host ? join_host(k, p, err) : join(k, p, err);
	if (ret) {
		free(p);
		return ret;
	}
	if (old) {
		p->made |= old->made && p->ifindex;
		p->joined |= old->joined && p->ifindex;
		forget(k, old);
	}
	p->next = k->ports;
	k->ports = p;
	return 0;
}

/* Takes the port out of the bridge. */
static int leave(struct kernel *k, int ifindex, const char *name, struct error *err)
{
	struct netlink_msg m;
	int ret;

	brmsg_enslave(&m, ifindex, 0);
	k->same_ports = false;
	ret = kernel_do(k, &m, name, err);
	return ret == -ENODEV ? 0 : ret;
}

/* Takes its TAP away if that was made for it and nobody has it. */
static void drop_tap(const struct kernel_port *p)
{
	if (p->made && !port_spec_number(&p->spec, "persist", 0))
		remove_tap(&p->spec);
}

int kernel_port_del(struct kernel *k, const char *name, struct error *err)
{
	struct kernel_port *p = kernel_port_named(k, name);
	const struct brstate *s = kernel_state(k);
	int ifindex = p && !p->host ? p->ifindex : 0, ret = 0;

	for (unsigned i = 0; i < s->n && !p && !ifindex; i++)
		if (!strcmp(s->port[i]->link.base.name, name))
			ifindex = s->port[i]->link.base.link.ifindex;
	if (ifindex && brstate_by_index(s, ifindex))
		ret = leave(k, ifindex, name, err);
	if (!ret && p) {
		drop_tap(p);
		forget(k, p);
	}
	return ret;
}

void kernel_ports_close(struct kernel *k, bool keep)
{
	while (k->ports) {
		struct kernel_port *p = k->ports;
		struct brmsg_link l;

		if (!keep && !p->host && p->joined && !kernel_link(k, p->ifindex, NULL, &l) &&
		    l.master == k->ifindex)
			leave(k, p->ifindex, p->name, NULL);
		if (!keep)
			drop_tap(p);
		forget(k, p);
	}
}

void kernel_ports_hand_over(struct kernel *k)
{
	int port[PORT_MAX];
	unsigned n = 0;

	while (k->ports) {
		if (k->ports->joined && k->ports->ifindex && n < PORT_MAX)
			port[n++] = k->ports->ifindex;
		forget(k, k->ports);
	}
	leaver_start(k->daemon, k->ask, k->created ? k->ifindex : 0, port, n);
	k->ask = NULL;
}

/* Joins the interface of the missing port @p if there is one now. */
static bool come_back(struct kernel *k, struct kernel_port *p)
{
	struct brmsg_link l;
	struct error err;
	int ret = kernel_link(k, 0, p->spec.address, &l);

	if (ret)
		return false;
	ret = check_link(k, &p->spec, &l, &err);
	if (!ret)
		ret = enslave(k, p, &l, &err);
	if (ret)
		log_info("%s: still missing: %s", p->name, err.text);
	else
		log_notice("%s: back", p->name);
	return !ret;
}

/* The temporary port @p goes with its interface. */
static void end(struct kernel *k, struct kernel_port *p)
{
	log_info("%s: goes with its interface", p->name);
	model_port_del(&k->daemon->wanted, p->name);
	forget(k, p);
}

void kernel_ports_follow(struct kernel *k)
{
	const struct brstate *s = kernel_state(k);
	struct kernel_port *p, *next;
	struct brmsg_link l;

	for (p = k->ports; p && !k->unread; p = next) {
		next = p->next;
		if (p->host)
			continue;
		if (p->ifindex && !brstate_by_index(s, p->ifindex) &&
		    kernel_link(k, p->ifindex, NULL, &l) == -ENODEV) {
			if (port_spec_number(&p->spec, "temporary", 0)) {
				end(k, p);
				continue;
			}
			lose(k, p);
		}
		if (!p->ifindex && come_back(k, p)) {
			p->came = true;
			s = kernel_state(k);
		}
	}
}
