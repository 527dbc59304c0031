/* SPDX-License-Identifier: MIT */
#include "switch/daemon/guests.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "ports/kinds.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/loop.h"
#include "switch/daemon/ports_private.h"

static struct slot *slot_of(const struct port *vacant)
{
	return (struct slot *)((uintptr_t)vacant - offsetof(struct slot, vacant));
}

static bool is_vacant(const struct slot *s)
{
	return s->wp.port == &s->vacant;
}

/* Has guests_sweep() called soon. */
static void call_sweep(const struct ports *ports)
{
	eventfd_write(ports->gone_fd, 1);
}

static void vacant_rx(struct port *port, unsigned queue, struct batch *b)
{
	(void)port;
	(void)queue;
	b->n = 0;
	b->more = false;
}

static void vacant_tx(struct port *port, unsigned queue, struct txq *q)
{
	(void)port;
	(void)queue;
	q->stats.drop_out[DROP_DOWN] += q->n;
	q->n = 0;
}

static void vacant_timer(struct port *port, uint64_t now)
{
	struct slot *s = slot_of(port);

	(void)now;
	s->over = true;
	call_sweep(s->ports);
}

static void vacant_close(struct port *port)
{
	(void)port;
}

static const struct port_ops vacant_ops = {
	.kind = "vacant",
	.rx = vacant_rx,
	.tx = vacant_tx,
	.timer = vacant_timer,
	.close = vacant_close,
};

void guests_leave(struct slot *s)
{
	s->left = true;
	call_sweep(s->ports);
}

/* The guest of @s has left: its driver goes, its port waits for the next one. */
static void vacate(struct slot *s, uint64_t keep_ms)
{
	struct worker *w = s->ports->worker;
	struct port *port = s->wp.port;
	uint64_t now = loop_now(s->ports->loop);

	worker_flush(w, now);
	ports_tell(s, &port->link);
	s->vacant = (struct port){ .ops = &vacant_ops,
				   .host = &s->asks,
				   .number = s->number,
				   .link = port->link,
				   .rx_fd = -1 };
	memcpy(s->vacant.name, port->name, sizeof(port->name));
	port->ops->close(port);
	s->wp.port = &s->vacant;
	s->left = false;
	s->left_ms = now;
	snprintf(s->note, sizeof(s->note), "its guest has left; the next one may take the port");
	worker_deadline(w, &s->wp, now + keep_ms);
	log_rated(&s->rate[LOG_GONE], now, LOG_LEVEL_INFO, "%s: its guest has left",
		  s->vacant.name);
}

void guests_end(struct slot *s)
{
	log_info("%s: goes with its interface", s->wp.port->name);
	s->over = true;
	call_sweep(s->ports);
}

void guests_sweep(void *ports, unsigned what)
{
	struct ports *all = ports;
	eventfd_t count;

	(void)what;
	eventfd_read(all->gone_fd, &count);
	for (uint16_t n = 0; n < PORT_MAX; n++) {
		struct slot *s = all->slot[n];
		uint64_t keep_s = s ? port_spec_number(&s->spec, "keep", PORT_KEEP_S) : 0;

		if (s && s->over && s->listener == PORT_NONE)
			model_port_del(&all->worker->daemon->wanted, s->wp.port->name);
		if (s && (s->over || (s->left && !keep_s)))
			ports_del(all, n);
		else if (s && s->left)
			vacate(s, 1000 * keep_s);
	}
}

bool guests_give_up(struct ports *ports)
{
	struct slot *first = NULL;

	FOREACH_SLOT(s, ports)
		if (is_vacant(s) && (!first || s->left_ms < first->left_ms))
			first = s;
	if (first)
		ports_del(ports, first->number);
	return first;
}

/* Makes up a @name for a guest of @listener that no port has; a long one is cut. */
static void make_name(const struct bridge *br, const char *listener, char name[PORT_NAME_MAX])
{
	const char *dot = isdigit((unsigned char)listener[strlen(listener) - 1]) ? "." : "";
	unsigned i = 0;

	do
		snprintf(name, PORT_NAME_MAX, "%.10s%s%u", listener, dot, i++ % (2 * PORT_MAX));
	while (bridge_port_find(br, name) != PORT_NONE);
}

static void copy_vlan(struct bridge *br, uint16_t from, uint16_t to, uint16_t vid, uint64_t now,
		      struct outbox *out)
{
	enum port_state want_state = STATE_FORWARDING, state = STATE_FORWARDING;
	uint16_t want_flags = 0, flags = 0;
	bool want = bridge_vlan_get(br, from, vid, &want_flags, &want_state);
	bool has = bridge_vlan_get(br, to, vid, &flags, &state);

	if (has && !want)
		bridge_vlan_del(br, to, vid, vid, now, out);
	if (want && (!has || flags != want_flags))
		bridge_vlan_add(br, to, vid, vid, want_flags, now, out);
	if (want && state != want_state)
		bridge_vlan_set_state(br, to, vid, vid, want_state, now, out);
}

/* Gives port @to all attributes and VLANs that port @from has, and no others, but not its state. */
static void copy_settings(struct bridge *br, uint16_t from, uint16_t to, uint64_t now,
			  struct outbox *out)
{
	/* twice: mab=1 comes after what it needs, mab=0 before that goes */
	for (unsigned i = 0; i < 2 * PORT_ATTR_MAX; i++) {
		enum port_attr attr = i % PORT_ATTR_MAX;

		if (attr != PORT_STATE)
			bridge_port_set(br, to, attr, bridge_port_get(br, from, attr), now, out);
	}
	for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++)
		copy_vlan(br, from, to, vid, now, out);
}

void ports_share(struct ports *ports, uint16_t number)
{
	struct worker *w = ports->worker;
	uint64_t now = loop_now(ports->loop);

	FOREACH_SLOT(s, ports)
		if (s->listener == number)
			copy_settings(w->bridge, number, s->number, now, w->out);
}

/* Makes a new port for the guest @port of @from. */
static int new_place(struct slot *from, struct port *port)
{
	struct slot *s = ports_slot_new(from->ports, &from->spec, false);
	struct worker *w = from->ports->worker;
	uint64_t now = loop_now(from->ports->loop);
	int ret;

	if (!s)
		return -ENOMEM;
	s->listener = from->number;
	make_name(w->bridge, from->wp.port->name, port->name);
	port->host = &s->asks;
	ret = s->number == PORT_NONE ? -ENOSPC : ports_join(s, port, NULL);
	if (ret) {
		ports_slot_free(s);
		return ret;
	}
	copy_settings(w->bridge, from->number, s->number, now, w->out);
	worker_flush(w, now);
	return 0;
}

/* The guest @port takes the place @s of one that left. */
static void take_place(struct slot *s, struct port *port)
{
	struct worker *w = s->ports->worker;

	memcpy(port->name, s->vacant.name, sizeof(port->name));
	port->number = s->number;
	port->host = &s->asks;
	s->wp.port = port;
	s->over = false;
	s->note[0] = '\0';
	worker_deadline(w, &s->wp, UINT64_MAX);
	ports_tell(s, &port->link);
	worker_ready(w, &s->wp); /* frames may have come before it had a number */
}

int guests_accept(void *ctx, struct port *listener, struct port *port)
{
	struct slot *from = ctx, *place = NULL;
	unsigned n = 0;
	int ret = 0;

	guests_sweep(from->ports, 0);
	FOREACH_SLOT(s, from->ports) {
		if (s->listener != from->number)
			continue;
		n++;
		if (is_vacant(s) && (!place || s->left_ms > place->left_ms))
			place = s;
	}
	if (place)
		take_place(place, port);
	else if (n < port_spec_number(&from->spec, "guests", PORT_GUESTS))
		ret = new_place(from, port);
	else
		ret = -EUSERS;
	if (!ret)
		log_rated(&from->rate[LOG_LINK], loop_now(from->ports->loop), LOG_LEVEL_INFO,
			  "%s: a guest connected, it is %s%s", listener->name, port->name,
			  place ? " again" : "");
	return ret;
}
