/* SPDX-License-Identifier: MIT */
#include "switch/daemon/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/netns.h"
#include "ports/tap.h"
#include "switch/daemon/closer.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/guests.h"
#include "switch/daemon/loop.h"
#include "switch/daemon/ports_private.h"
#include "switch/daemon/resolve.h"
#include "switch/daemon/rtnl.h"

/*
 * An interface that is there but cannot be attached to yet (a TAP that is held) is tried again
 * after this time.
 */
#define RETRY_MS 500

_Static_assert((int)PORT_IN == LOOP_IN && (int)PORT_OUT == LOOP_OUT,
	       "a driver's events are the loop's");

void ports_tell(struct slot *s, const struct link *link)
{
	struct worker *w = s->ports->worker;
	uint64_t now = loop_now(s->ports->loop);

	if (w->flows)
		flows_renew(w->flows); /* what it knows of the interface is old */
	bridge_port_link(w->bridge, s->number, link, now, w->out);
	worker_flush(w, now);
}

static void settle(void *arg)
{
	struct ports *ports = arg;

	FOREACH_SLOT(s, ports) {
		if (s->unsettled) {
			s->unsettled = false;
			ports_tell(s, &s->wp.port->link);
		}
	}
}

static void on_watch(void *arg, unsigned what)
{
	struct port_watch *watch = arg;
	struct slot *s = watch->slot;
	struct port *port = s->wp.port;

	if (what & LOOP_IN)
		worker_ready(s->ports->worker, &s->wp);
	if (port->ops->event)
		port->ops->event(port, watch->fd, what, loop_now(s->ports->loop));
}

static void unwatch(struct slot *s, struct port_watch **link)
{
	struct port_watch *watch = *link;

	*link = watch->next;
	loop_watch(s->ports->loop, watch->fd, 0, NULL, NULL);
	free(watch);
}

/* port_host.watch */
static void host_watch(void *ctx, struct port *port, int fd, unsigned what)
{
	struct slot *s = ctx;
	struct port_watch **link = &s->watches, *watch;

	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	if (*link)
		unwatch(s, link);
	if (!what)
		return;
	watch = malloc(sizeof(*watch));
	if (watch) {
		*watch = (struct port_watch){ .slot = s, .fd = fd, .next = s->watches };
		s->watches = watch;
	}
	if (!watch || loop_watch(s->ports->loop, fd, what | LOOP_EDGE, on_watch, watch))
		log_error("%s: out of memory: its frames will not be seen", port->name);
}

/* port_host.deadline */
static void host_deadline(void *ctx, struct port *port, uint64_t at_ms)
{
	struct slot *s = ctx;

	(void)port;
	worker_deadline(s->ports->worker, &s->wp, at_ms);
}

static void log_link(struct slot *s, const struct link *link)
{
	const char *what = link->carrier ? "link up"
			   : link->up    ? "no carrier"
					 : "the interface is down";
	uint64_t now = loop_now(s->ports->loop);

	if (!link->present && s->interface && !s->named)
		snprintf(s->note, sizeof(s->note), "the interface of descriptor %.15s was deleted",
			 s->spec.address);
	if (link->present == s->present && link->present)
		log_rated(&s->rate[LOG_LINK], now, LOG_LEVEL_INFO, "%s: %s", s->wp.port->name,
			  what);
	else if (link->present)
		log_rated(&s->rate[LOG_BACK], now, LOG_LEVEL_NOTICE, "%s: back, %s",
			  s->wp.port->name, what);
	else if (s->named)
		log_rated(&s->rate[LOG_GONE], now, LOG_LEVEL_NOTICE,
			  "%s: missing, waits for its interface", s->wp.port->name);
	else
		log_rated(&s->rate[LOG_GONE], now, LOG_LEVEL_NOTICE, "%s: missing, %s",
			  s->wp.port->name, s->note);
	s->present = link->present;
}

/* Has the interface of @s looked at again soon, without news of it. */
static void try_again(struct slot *s)
{
	struct itimerspec soon = { .it_value.tv_nsec = RETRY_MS * 1000000L };

	s->retry = true;
	timerfd_settime(s->ports->retry_fd, 0, &soon, NULL);
}

/* port_host.link_changed */
static void host_link_changed(void *ctx, struct port *port, const struct link *link)
{
	struct slot *s = ctx;

	port->link = *link;
	if (!s->wp.port) /* it is being opened */
		return;
	if (s->listener != PORT_NONE && !link->present)
		guests_leave(s);
	else if (!link->present && port_spec_number(&s->spec, "temporary", 0))
		guests_end(s);
	else
		log_link(s, link);
	if (!link->present && s->interface && s->home != RTNL_OWN)
		try_again(s); /* with its namespace gone there may be no news of it either */
	s->unsettled = true;
	s->ports->worker->unsettled = true;
	worker_settle(s->ports->worker);
}

/* Finds the namespace that @spec names. *@nsid stays as it is when there is none. */
static int find_home(struct ports *ports, const struct port_spec *spec, int *nsid,
		     struct error *err)
{
	const char *name = resolve_option(spec, "netns");
	int fd, ret;

	if (!name) {
		*nsid = RTNL_OWN;
		return 0;
	}
	fd = netns_open(name, err);
	if (fd < 0)
		return fd;
	ret = rtnl_nsid(ports->rtnl, fd, nsid);
	close(fd);
	if (ret)
		return error_set(err, ret,
				 "%s: cannot see into namespace %s: %s (needs CAP_NET_ADMIN there)",
				 spec->address, name, strerror(-ret));
	return 0;
}

/* port_host.discard */
static void host_discard(void *ctx, int fd)
{
	struct slot *s = ctx;

	closer_close(s->ports->closer, fd);
}

/* port_host.fastpath */
static struct fastpath *host_fastpath(void *ctx)
{
	struct slot *s = ctx;
	struct flows *flows = s->ports->worker->flows;

	return flows ? flows_fastpath(flows) : NULL;
}

/* port_host.aside */
static void host_aside(void *ctx, void (*work)(void *arg), void *arg)
{
	struct slot *s = ctx;

	closer_do(s->ports->closer, work, arg);
}

/* Where the interface of @s is: a TAP's descriptor knows, whatever happened to the interface. */
static int find_nsid(struct slot *s)
{
	int fd, nsid;

	if (s->wp.port->ops != &tap_ops && s->wp.port->ops != &fd_ops)
		return s->home;
	fd = tap_netns(s->wp.port);
	if (fd < 0)
		return s->home;
	if (rtnl_nsid(s->ports->rtnl, fd, &nsid))
		nsid = s->home;
	close(fd);
	return nsid;
}

/* Reads the interface that @s has or waits for. A foreign namespace that is gone has none. */
static int find_link(struct slot *s, struct rtnl_link *l)
{
	struct rtnl *rtnl = s->ports->rtnl;
	int ifindex = s->wp.port->link.ifindex, ret = -ENODEV;

	*l = (struct rtnl_link){ .name = "" };
	s->nsid = find_nsid(s);
	if (ifindex)
		ret = rtnl_get(rtnl, s->nsid, ifindex, NULL, l);
	if (ret == -ENODEV && s->named)
		ret = rtnl_get(rtnl, s->home, 0, s->spec.address, l);
	return ret == -EINVAL ? -ENODEV : ret;
}

/*
 * Says in s->note why @s, after its interface was looked at with result @found, is missing; and has
 * that tried again.
 */
static void explain(struct slot *s, int found, bool held)
{
	const char *why = found  ? "there is no interface %.15s"
			  : held ? "the TAP %.15s is held by another process"
				 : "%.15s cannot be attached to now, the log says why";

	if (!s->named) /* log_link() has said it */
		return;
	s->note[0] = '\0';
	s->retry = false;
	if (!s->wp.port->link.present)
		snprintf(s->note, sizeof(s->note), why, s->spec.address);
	if (!s->wp.port->link.present && (!found || s->home != RTNL_OWN))
		try_again(s);
}

/* Looks at the interface of @s again and passes on what there is to say. */
static void refresh(struct slot *s)
{
	struct port *port = s->wp.port;
	struct rtnl_link l;
	struct link down;
	bool held;
	int ret;

	if (!port->link.present)
		find_home(s->ports, &s->spec, &s->home,
			  NULL); /* a namespace of that name may be another by now */
	ret = find_link(s, &l);
	if (ret && ret != -ENODEV) /* not to be known, as in a namespace that is none of ours */
		return;
	if (s->flapped && port->link.carrier) {
		down = port->link;
		down.carrier = false;
		ports_tell(s, &down);
	}
	held = port->ops == &tap_ops && !port->link.present && l.held;
	if (held)
		l.link.present = false;
	port->ops->link(port, &l.link);
	ports_tell(s, &port->link);
	explain(s, ret, held);
	s->dirty = false;
	s->flapped = false;
}

static void take_news(void *arg, const struct rtnl_news *news)
{
	struct ports *ports = arg;

	FOREACH_SLOT(s, ports) {
		bool mine = news->nsid == s->nsid && s->wp.port->link.ifindex == news->ifindex;
		bool wanted = s->named && news->nsid == s->home && !s->wp.port->link.present &&
			      !strcmp(news->name, s->spec.address);

		if (!s->interface || !(mine || wanted || news->lost))
			continue;
		s->dirty = true;
		s->flapped |= mine && news->no_link;
	}
}

static void on_news(void *arg, unsigned what)
{
	struct ports *ports = arg;

	(void)what;
	rtnl_read(ports->rtnl, take_news, ports);
	FOREACH_SLOT(s, ports)
		if (s->dirty)
			refresh(s);
}

static void on_retry(void *arg, unsigned what)
{
	struct ports *ports = arg;
	uint64_t expired;

	(void)what;
	if (read(ports->retry_fd, &expired, sizeof(expired)) < 0)
		return;
	FOREACH_SLOT(s, ports)
		if (s->retry)
			refresh(s);
}

struct ports *ports_new(struct loop *loop, struct worker *worker, struct error *err)
{
	struct ports *ports = calloc(1, sizeof(*ports));

	if (!ports) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	ports->loop = loop;
	ports->worker = worker;
	worker->settle = settle;
	worker->settle_arg = ports;
	ports->retry_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	ports->gone_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ports->closer = closer_new();
	ports->rtnl = rtnl_open(err);
	if (!ports->rtnl)
		goto err_free;
	if (ports->closer && !loop_watch(loop, rtnl_fd(ports->rtnl), LOOP_IN, on_news, ports) &&
	    !loop_watch(loop, ports->retry_fd, LOOP_IN, on_retry, ports) &&
	    !loop_watch(loop, ports->gone_fd, LOOP_IN, guests_sweep, ports))
		return ports;
	error_set(err, -ENOMEM, "cannot watch for interface news");
err_free:
	ports_free(ports);
	return NULL;
}

void ports_free(struct ports *ports)
{
	if (!ports)
		return;
	for (uint16_t n = 0; n < PORT_MAX; n++)
		if (ports->slot[n])
			ports_del(ports, n);
	closer_free(ports->closer);
	if (ports->rtnl)
		loop_watch(ports->loop, rtnl_fd(ports->rtnl), 0, NULL, NULL);
	loop_watch(ports->loop, ports->retry_fd, 0, NULL, NULL);
	loop_watch(ports->loop, ports->gone_fd, 0, NULL, NULL);
	if (ports->retry_fd >= 0)
		close(ports->retry_fd);
	if (ports->gone_fd >= 0)
		close(ports->gone_fd);
	rtnl_close(ports->rtnl);
	free(ports);
}

/* The number for a new port, PORT_NONE when all are taken. */
static uint16_t free_number(const struct ports *ports, bool host)
{
	uint16_t n = host ? PORT_HOST : 1;

	while (n < PORT_MAX && ports->slot[n])
		n = host ? PORT_MAX : (uint16_t)(n + 1);
	return n < PORT_MAX ? n : PORT_NONE;
}

/* Decides what the spec of @s is and checks its interface, whose state is left in @l. */
static int resolve(struct ports *ports, struct slot *s, struct rtnl_link *l, struct error *err)
{
	struct port_spec *spec = &s->spec;
	struct error why;
	int ret;

	s->named = !spec->ops || spec->ops->interface;
	s->interface = s->named || spec->ops == &fd_ops;
	s->home = s->nsid = RTNL_OWN;
	if (!s->named)
		return 0;
	ret = find_home(ports, spec, &s->home, err);
	if (ret)
		return ret;
	s->nsid = s->home;
	ret = rtnl_get(ports->rtnl, s->home, 0, spec->address, l);
	if (ret && ret != -ENODEV)
		return error_set(err, ret, "%s: cannot read the interface's state: %s",
				 spec->address, strerror(-ret));
	ret = spec->ops ? 0 : port_spec_resolve(spec, resolve_kind(spec, l), &why);
	if (ret)
		return error_set(err, ret, "%s: %s", spec->address, why.text);
	return resolve_check(spec, l, err);
}

int ports_join(struct slot *s, struct port *port, struct error *err)
{
	struct worker *w = s->ports->worker;
	uint64_t now = loop_now(s->ports->loop);
	int ret = bridge_port_add(w->bridge, s->number, port->name, s->host || port->ops->local_mac,
				  now, w->out);

	if (ret)
		return error_set(err, ret, "%s: cannot join the switch: %s", port->name,
				 strerror(-ret));
	port->number = s->number;
	s->wp.port = port;
	s->present = port->link.present;
	if (!s->present)
		log_link(s, &port->link);
	s->ports->slot[s->number] = s;
	worker_add(w, s->number, &s->wp);
	if (s->interface)
		refresh(s);
	else
		ports_tell(s, &port->link);
	worker_ready(w, &s->wp); /* frames may have come before it had a number */
	return 0;
}

void ports_slot_free(struct slot *s)
{
	while (s->watches)
		unwatch(s, &s->watches);
	free(s);
}

struct slot *ports_slot_new(struct ports *ports, const struct port_spec *spec, bool host)
{
	struct slot *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->ports = ports;
	s->spec = *spec;
	s->host = host;
	s->listener = PORT_NONE;
	s->wp.deadline = UINT64_MAX;
	s->number = free_number(ports, host);
	if (s->number == PORT_NONE && !host && guests_give_up(ports))
		s->number = free_number(ports, host);
	s->asks = (struct port_host){ s,
				      host_watch,
				      host_deadline,
				      host_link_changed,
				      NULL,
				      host_discard,
				      host_fastpath,
				      host_aside,
				      ports->worker->daemon->leaving };
	return s;
}

int ports_add(struct ports *ports, const char *name, const struct port_spec *spec, bool host,
	      struct error *err)
{
	struct rtnl_link l = { .name = "" };
	struct port_spec named;
	struct slot *s = ports_slot_new(ports, spec, host);
	struct port *port;
	int ret;

	if (!s)
		return error_set(err, -ENOMEM, "%s: out of memory", name);
	s->asks.accept = guests_accept;
	closer_wait(ports->closer); /* an interface that is on its way out must not be found */
	ret = s->number == PORT_NONE
		      ? error_set(err, -ENOSPC, "%s: the switch has all the ports it can have",
				  name)
		      : resolve(ports, s, &l, err);
	if (ret)
		goto err_free;
	named = s->spec;
	snprintf(named.name, sizeof(named.name), "%s", name);
	ret = named.ops->open(&named, s->interface ? &l.link : NULL, &s->asks, &port, err);
	if (ret)
		goto err_free;
	ret = ports_join(s, port, err);
	if (!ret)
		return 0;
	port->ops->close(port);
err_free:
	ports_slot_free(s);
	return ret;
}

void ports_del(struct ports *ports, uint16_t number)
{
	struct slot *s = ports->slot[number];
	struct worker *w = ports->worker;
	uint64_t now = loop_now(ports->loop);

	for (uint16_t n = 0; n < PORT_MAX; n++)
		if (ports->slot[n] && ports->slot[n]->listener == number)
			ports_del(ports, n);
	if (w->flows)
		flows_collect(w->flows, now);
	worker_flush(w, now);
	bridge_port_del(w->bridge, number, now, w->out);
	worker_flush(w, now);
	worker_del(w, number);
	ports->slot[number] = NULL;
	s->wp.port->ops->close(s->wp.port);
	ports_slot_free(s);
}

bool ports_get(const struct ports *ports, uint16_t number, struct ports_view *view)
{
	const struct slot *s = number < PORT_MAX ? ports->slot[number] : NULL;

	if (!s)
		return false;
	*view = (struct ports_view){ &s->spec, s->wp.port, s->host, s->listener != PORT_NONE,
				     s->note };
	return true;
}
