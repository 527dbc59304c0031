/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells by itself. News of entries and VLANs are passed on; of links they only tell
 * to look, since one change is told many times.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ports/iface.h"
#include "ports/log.h"
#include "switch/daemon/control.h"
#include "switch/daemon/drift.h"
#include "switch/daemon/kernel_fdb.h"
#include "switch/daemon/loop.h"

#define DRIFT_MS 100

/* One reading of what waits. */
struct reading {
	struct kernel *k;
	bool links; /* some interface changed */
	bool lost;
	bool drift;            /* configuration may have changed */
	enum event_kind vlans; /* what a message says of the VLANs in it */
};

static void publish(struct kernel *k, const struct event *e)
{
	daemon_event(k->daemon, e, loop_now(k->daemon->loop));
}

static void take_vlan(void *arg, const struct brmsg_vlan *v)
{
	struct reading *r = arg;
	struct event e = { .kind = r->vlans,
			   .port = kernel_number(r->k, v->ifindex),
			   .vid = v->first,
			   .vid_last = v->last,
			   .vlan_flags = v->flags };

	if (e.port == PORT_NONE)
		return;
	r->k->fresh = false;
	r->drift = true;
	publish(r->k, &e);
}

/* An extern_learn entry that roamed is an ordinary one since: it is wanted no more. */
static void follow_entry(struct kernel *k, const struct fdb_entry *e)
{
	const uint16_t lasting = FDB_LOCAL | FDB_STATIC | FDB_EXT_LEARN;
	struct model *wanted = &k->daemon->wanted;
	struct fdb_entry now;

	if (!(e->flags & lasting) && model_fdb(wanted, e->mac, e->vid) &&
	    !kernel_fdb_get(k, e->mac, e->vid, &now) && !(now.flags & lasting))
		model_fdb_del(wanted, e->mac, e->vid);
}

static void take_entry(struct kernel *k, const struct brmsg_fdb *e, bool deleted)
{
	struct event event = { .kind = deleted ? EVENT_FDB_DELETED : EVENT_FDB_CHANGED };

	if (e->bridge != k->ifindex)
		return;
	k->counted = false;
	if (!deleted)
		follow_entry(k, &e->entry);
	if (kernel_fdb_entry(k, e, &event.fdb))
		publish(k, &event);
}

static void take(void *arg, const struct nlmsghdr *msg, int nsid)
{
	struct reading *r = arg;
	struct kernel *k = r->k;
	struct brmsg_fdb e;
	int type;

	if (!msg) {
		r->lost = r->links = true;
		return;
	}
	if (nsid != NETLINK_OWN)
		return;
	if (msg->nlmsg_type == RTM_NEWLINK || msg->nlmsg_type == RTM_DELLINK) {
		r->links = true;
		k->fresh = false;
		return;
	}
	type = brmsg_read_fdb(msg, &e);
	if (type > 0) {
		take_entry(k, &e, type == RTM_DELNEIGH);
		r->drift |= e.bridge == k->ifindex && e.entry.flags & FDB_MODEL_FLAGS;
	}
	r->vlans = msg->nlmsg_type == RTM_DELVLAN ? EVENT_VLAN_DELETED : EVENT_VLAN_ADDED;
	brmsg_read_vlans(msg, take_vlan, r);
}

/* Tells monitors what became of port @number: @now, or with link.present unset nothing. */
static void tell_port(struct kernel *k, uint16_t number, const struct kernel_told *now)
{
	struct kernel_told *told = &k->told[number];
	struct event e = { .kind = EVENT_PORT, .port = number };
	bool same = link_equal(&told->link, &now->link) &&
		    !memcmp(told->attr, now->attr, sizeof(now->attr));

	if (same)
		return;
	if (!now->link.present)
		e.kind = EVENT_PORT_DELETED;
	*told = *now;
	publish(k, &e);
}

/* Tells monitors what is not any more as they were told. */
static void tell_links(struct kernel *k)
{
	const struct brstate *s = kernel_state(k);
	const struct event e = { .kind = EVENT_BRIDGE };
	struct kernel_told now;

	if (k->unread)
		return;
	for (unsigned n = 0; n < PORT_MAX; n++) {
		const struct brstate_port *b = n ? brstate_port(s, n) : NULL;
		const struct brmsg_link *l = b ? &b->link : NULL;

		memset(&now, 0, sizeof(now));
		if (!n && kernel_host(k))
			l = &s->bridge;
		if (l) {
			now.link = l->base.link;
			memcpy(now.attr, l->attr, sizeof(now.attr));
		}
		if (l || k->told[n].link.present)
			tell_port(k, (uint16_t)n, &now);
	}
	if (!memcmp(k->bridge, s->bridge.bridge, sizeof(k->bridge)))
		return;
	memcpy(k->bridge, s->bridge.bridge, sizeof(k->bridge));
	publish(k, &e);
}

/* Has the configuration compared soon, when what goes on is over. */
static void arm(struct kernel *k)
{
	struct itimerspec soon = { .it_value.tv_nsec = DRIFT_MS * 1000000L };

	timerfd_settime(k->drift_fd, 0, &soon, NULL);
}

static void on_drift(void *arg, unsigned what)
{
	struct kernel *k = arg;
	uint64_t expired;

	(void)what;
	if (read(k->drift_fd, &expired, sizeof(expired)) == sizeof(expired) && k->daemon->started)
		drift_check(k->daemon);
}

/* Ports that have come back get their settings; what else others did is left as it is. */
static void follow_ports(struct kernel *k)
{
	struct error err;

	kernel_ports_follow(k);
	for (struct kernel_port *p = k->ports; p; p = p->next) {
		if (p->came && drift_settle(k->daemon, p->name, &err))
			log_error("%s", err.text);
		p->came = false;
	}
}

static void on_news(void *arg, unsigned what)
{
	struct kernel *k = arg;
	struct reading r = { .k = k };

	(void)what;
	netlink_read(k->news, take, &r);
	if (r.lost) {
		k->fresh = k->counted = false;
		log_info("%s: the kernel had more news than fit: everything is read again",
			 k->daemon->options.name);
		if (k->daemon->control)
			control_lost(k->daemon->control);
	}
	if (r.links || r.drift)
		arm(k);
	if (!r.links)
		return;
	if (k->daemon->started)
		follow_ports(k);
	tell_links(k);
}

int kernel_news_open(struct kernel *k, struct error *err)
{
	static const unsigned groups[] = { RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_BRVLAN };

	k->news = netlink_listen(groups, sizeof(groups) / sizeof(groups[0]), err);
	if (!k->news)
		return -EIO;
	k->drift_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop_watch(k->daemon->loop, netlink_fd(k->news), LOOP_IN, on_news, k) ||
	    loop_watch(k->daemon->loop, k->drift_fd, LOOP_IN, on_drift, k))
		return error_set(err, -ENOMEM, "cannot watch for the kernel's news");
	return 0;
}

void kernel_news_close(struct kernel *k)
{
	if (!k->news)
		return;
	loop_watch(k->daemon->loop, k->drift_fd, 0, NULL, NULL);
	if (k->drift_fd >= 0)
		close(k->drift_fd);
	loop_watch(k->daemon->loop, netlink_fd(k->news), 0, NULL, NULL);
	netlink_close(k->news);
}
