/* SPDX-License-Identifier: MIT */
/* The kernel's bridge itself: made or taken over, brought up, deleted or given back. */
#include <errno.h>
#include <string.h>

#include "ports/log.h"
#include "switch/daemon/kernel_private.h"

/* Makes the bridge. */
static int create(struct kernel *k, struct error *err)
{
	const char *name = k->daemon->options.name;
	struct brmsg_link l;
	struct netlink_msg m;
	int ret;

	brmsg_bridge_add(&m, name);
	ret = kernel_do(k, &m, name, err);
	if (ret == -EOPNOTSUPP)
		return error_set(err, ret,
				 "%s: this kernel has no bridge (CONFIG_BRIDGE, modprobe bridge)",
				 name);
	if (ret)
		return ret;
	ret = kernel_link(k, 0, name, &l);
	if (ret) {
		brmsg_link_del(&m, 0, name);
		kernel_do(k, &m, name, NULL);
		return error_set(err, ret, "%s: cannot read the bridge that was made: %s", name,
				 strerror(-ret));
	}
	k->created = true;
	k->ifindex = l.base.link.ifindex;
	return 0;
}

/* Makes the bridge, or takes the one that is there when that is wanted. */
static int take(struct kernel *k, struct error *err)
{
	const struct options *o = &k->daemon->options;
	struct brmsg_link *l = &k->before;
	int ret = kernel_link(k, 0, o->name, l);
	bool bridge = !ret && !strcmp(l->base.kind, "bridge");

	if (ret == -ENODEV)
		return create(k, err);
	if (ret)
		return error_set(err, ret, "%s: cannot read the interface's state: %s", o->name,
				 strerror(-ret));
	if (!bridge)
		return error_set(err, -EEXIST,
				 "%s: there is an interface of that name, which is no bridge: "
				 "choose another name (-n)",
				 o->name);
	if (!o->adopt)
		return error_set(err, -EEXIST,
				 "%s: there is a bridge of that name: take it over with "
				 "-b kernel,adopt, or choose another name (-n)",
				 o->name);
	k->ifindex = l->base.link.ifindex;
	log_notice("%s: adopted", o->name);
	return 0;
}

/* Whether the last reading failed. */
static int check_read(const struct kernel *k, struct error *err)
{
	return k->unread ? error_set(err, k->unread, "%s: cannot read the kernel's bridge: %s",
				     k->daemon->options.name, strerror(-k->unread))
			 : 0;
}

int kernel_bridge_open(struct kernel *k, struct error *err)
{
	int ret = take(k, err);

	if (ret)
		return ret;
	k->vlans = kernel_state(k)->bridge.bridge_has >> BRIDGE_VLAN_DEFAULT_PVID & 1;
	return k->created ? check_read(k, err) : kernel_read(k, &k->found, err);
}

int kernel_bridge_up(struct kernel *k, struct error *err)
{
	const char *name = k->daemon->options.name;
	struct netlink_msg m;
	int ret;

	if (!k->created) {
		brmsg_bridge_protocols(&m, k->ifindex, false, false);
		ret = kernel_do(k, &m, name, err);
		if (ret)
			return ret;
	} else if (!kernel_host(k)) { /* without a host port it gets no address by itself */
		brmsg_link_addresses(&m, k->ifindex, false);
		kernel_do(k, &m, "", NULL); /* a kernel without IPv6 refuses, and makes none */
	}
	brmsg_link_up(&m, k->ifindex, true);
	return kernel_do(k, &m, name, err);
}

int kernel_ensure(struct kernel *k, struct error *err)
{
	bool there = kernel_ports_state(k)->bridge.base.link.present;
	int ret = check_read(k, err);

	if (ret || there)
		return ret;
	k->same_ports = false;
	ret = create(k, err);
	return ret || !k->running ? ret : kernel_bridge_up(k, err);
}

/* The start was refused: the bridge that was adopted becomes what it was. */
static int put_back(struct kernel *k, struct error *err)
{
	const struct brmsg_link *l = &k->before;
	struct netlink_msg m;
	int ret = daemon_apply(k->daemon, &k->found, err);

	if (ret)
		return ret;
	brmsg_link_up(&m, k->ifindex, l->base.link.up);
	ret = kernel_do(k, &m, l->base.name, err);
	if (ret)
		return ret;
	brmsg_bridge_protocols(&m, k->ifindex, l->stp, l->mcast_snooping);
	return kernel_do(k, &m, l->base.name, err);
}

bool kernel_adopted(const struct backend *b)
{
	const struct kernel *k = b->ctx;

	return !strcmp(b->ops->name, "kernel") && !k->created;
}

void kernel_bridge_close(struct kernel *k)
{
	struct netlink_msg m;
	struct error err;
	int ret = 0;

	if (k->created) {
		brmsg_link_del(&m, k->ifindex, NULL);
		ret = kernel_do(k, &m, k->daemon->options.name, &err);
	} else if (!k->daemon->started && k->daemon->backend.ctx == k) {
		ret = put_back(k, &err);
	}
	if (ret && ret != -ENODEV) /* somebody deleted it */
		log_error("%s", err.text);
}
