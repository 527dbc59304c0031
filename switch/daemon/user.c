/* SPDX-License-Identifier: MIT */
#include "switch/daemon/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "fdb/mac.h"
#include "ports/guest.h"
#include "switch/daemon/loop.h"
#include "switch/daemon/ports.h"
#include "switch/daemon/worker.h"

#define WALK_STEP 64
#define VLAN_STEP 128u

struct user {
	struct daemon *daemon;
	struct bridge *bridge;
	struct worker worker;
	struct ports *ports;
};

static uint64_t now_of(const struct user *u)
{
	return loop_now(u->daemon->loop);
}

/* Sends what a change to the bridge left in the outbox; returns @ret. */
static int flush(struct user *u, int ret)
{
	if (u->worker.flows)
		flows_renew(u->worker.flows);
	worker_flush(&u->worker, now_of(u));
	return ret;
}

static int read_vlans(const struct user *u, uint16_t n, struct model_port *p)
{
	for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++) {
		enum port_state state;
		uint16_t flags;

		if (!bridge_vlan_get(u->bridge, n, vid, &flags, &state))
			continue;
		model_vlan_add(p, vid, vid, flags);
		p->vlans->state[vid] = (uint8_t)state;
	}
	return 0;
}

static int read_port(const struct user *u, uint16_t n, struct model *m)
{
	const char *name = bridge_port_name(u->bridge, n);
	struct ports_view view;
	struct model_port *p;
	uint64_t backup;

	if (!ports_get(u->ports, n, &view) || view.guest)
		return 0;
	p = model_port_add(m, name, view.spec, view.host);
	if (!p)
		return -ENOMEM;
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		p->attr[i] = bridge_port_get(u->bridge, n, i);
	backup = p->attr[PORT_BACKUP_PORT];
	p->attr[PORT_BACKUP_PORT] = port_attrs[PORT_BACKUP_PORT].fallback;
	if (backup != PORT_NONE)
		snprintf(p->backup_port, sizeof(p->backup_port), "%s",
			 bridge_port_name(u->bridge, (uint16_t)backup));
	return read_vlans(u, n, p);
}

/* Entries that the user added and that stay. */
static int read_fdb(const struct user *u, struct model *m)
{
	const struct fdb_match match = { .port = PORT_NONE,
					 .vid = FDB_ANY_VID,
					 .flags_mask = FDB_USER,
					 .flags_want = FDB_USER };
	struct fdb_entry e[WALK_STEP];
	uint64_t cursor = 0;
	unsigned n;
	int ret = 0;

	while (!ret && (n = bridge_fdb_walk(u->bridge, &match, now_of(u), &cursor, e, WALK_STEP))) {
		for (unsigned i = 0; i < n && !ret; i++) {
			uint16_t flags = e[i].flags & FDB_MODEL_FLAGS;

			if (flags & FDB_LOCAL) /* the bridge has it static, too */
				flags &= (uint16_t)~FDB_STATIC;
			if (flags & (FDB_LOCAL | FDB_STATIC | FDB_EXT_LEARN))
				ret = model_fdb_put(m, e[i].mac, e[i].vid,
						    bridge_port_name(u->bridge, e[i].port), flags);
		}
	}
	return ret;
}

static int user_read(void *ctx, struct model *m, struct error *err)
{
	struct user *u = ctx;
	int ret = 0;

	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		m->attr[i] = bridge_get(u->bridge, i);
	for (uint16_t n = bridge_port_next(u->bridge, 0); n != PORT_NONE && !ret;
	     n = bridge_port_next(u->bridge, (uint16_t)(n + 1)))
		ret = read_port(u, n, m);
	if (!ret)
		ret = read_fdb(u, m);
	return ret ? error_set(err, ret, "out of memory") : 0;
}

static int port_add(struct user *u, const struct verb *v, uint16_t n, struct error *err)
{
	struct ports_view view;

	/* the port that is kept for a guest gives way */
	if (n != PORT_NONE && ports_get(u->ports, n, &view) && view.guest &&
	    !view.port->link.present) {
		ports_del(u->ports, n);
		n = PORT_NONE;
	}
	if (n != PORT_NONE)
		return error_set(err, -EEXIST, "%s: there is such a port already", v->dev);
	return ports_add(u->ports, v->dev, v->spec, v->host, err);
}

static int port_set(struct user *u, const struct verb *v, uint16_t n)
{
	uint64_t value = v->value;

	if (v->attr == PORT_BACKUP_PORT) {
		value = v->value_port[0] ? bridge_port_find(u->bridge, v->value_port) : PORT_NONE;
		if (v->value_port[0] && value == PORT_NONE)
			return -ENODEV;
	}
	return bridge_port_set(u->bridge, n, v->attr, value, now_of(u), u->worker.out);
}

static int vlan_step(struct user *u, const struct verb *v, uint16_t n, uint16_t first,
		     uint16_t last)
{
	struct outbox *out = u->worker.out;
	uint64_t now = now_of(u);

	switch (v->op) {
	case VERB_VLAN_ADD:
		return bridge_vlan_add(u->bridge, n, first, last, v->flags, now, out);
	case VERB_VLAN_DEL:
		return bridge_vlan_del(u->bridge, n, first, last, now, out);
	case VERB_VLAN_SET:
		return bridge_vlan_set_state(u->bridge, n, first, last, v->state, now, out);
	case VERB_FDB_DEL:
	case VERB_FDB_ADD:
	case VERB_PORT_DEL:
	case VERB_PORT_ADD:
	case VERB_PORT_SET:
	case VERB_BRIDGE_SET:
		break;
	}
	return -EINVAL;
}

/* Does a range in steps that surely fit into the outbox: a VLAN may be news of two addresses. */
static int vlan_set(struct user *u, const struct verb *v, uint16_t n)
{
	int ret = 0;

	for (unsigned first = v->vid_first; first <= v->vid_last && !ret; first += VLAN_STEP) {
		unsigned last = first + VLAN_STEP - 1;

		last = last < v->vid_last ? last : v->vid_last;
		ret = flush(u, vlan_step(u, v, n, (uint16_t)first, (uint16_t)last));
	}
	return ret;
}

static int fdb_set(struct user *u, const struct verb *v, uint16_t n)
{
	const struct fdb_entry e = {
		.mac = v->mac, .vid = v->vid_first, .port = n, .flags = v->flags
	};
	struct outbox *out = u->worker.out;
	int ret;

	if (v->op == VERB_FDB_ADD)
		return bridge_fdb_add(u->bridge, &e, false, FDB_MODE_REPLACE, now_of(u), out);
	ret = bridge_fdb_del(u->bridge, v->mac, v->vid_first, n, false, now_of(u), out);
	return ret == -ENOENT ? 0 : ret;
}

/* Does @v; -errno without a sentence is explained by the caller. */
static int apply(struct user *u, const struct verb *v, struct error *err)
{
	uint16_t n = v->dev[0] ? bridge_port_find(u->bridge, v->dev) : PORT_NONE;
	int ret = -EINVAL;

	if (n == PORT_NONE && v->op != VERB_BRIDGE_SET && v->op != VERB_PORT_ADD)
		return v->op == VERB_PORT_DEL || v->op == VERB_FDB_DEL || v->op == VERB_VLAN_DEL
			       ? 0
			       : -ENODEV;
	switch (v->op) {
	case VERB_BRIDGE_SET:
		return bridge_set(u->bridge, v->attr, v->value, now_of(u), u->worker.out);
	case VERB_PORT_ADD:
		return port_add(u, v, n, err);
	case VERB_PORT_DEL:
		ports_del(u->ports, n);
		return 0;
	case VERB_PORT_SET:
		ret = port_set(u, v, n);
		break;
	case VERB_VLAN_ADD:
	case VERB_VLAN_DEL:
	case VERB_VLAN_SET:
		ret = vlan_set(u, v, n);
		break;
	case VERB_FDB_ADD:
	case VERB_FDB_DEL:
		return fdb_set(u, v, n);
	}
	if (!ret)
		ports_share(u->ports, n);
	return ret;
}

static int user_apply(void *ctx, const struct verb *v, struct error *err)
{
	struct user *u = ctx;
	struct error why = { "" };
	char text[256];
	int ret = flush(u, apply(u, v, &why));

	if (!ret)
		return 0;
	if (why.text[0])
		return error_set(err, ret, "%s", why.text);
	return error_set(err, ret, "%s: %s", verb_print(v, text, sizeof(text)), strerror(-ret));
}

/* Brings counters and ages up to date. */
static void refresh(struct user *u)
{
	if (u->worker.flows)
		flows_collect(u->worker.flows, now_of(u));
}

static int user_port_next(void *ctx, uint16_t number, struct port_info *info)
{
	struct user *u = ctx;
	uint16_t n = bridge_port_next(u->bridge, number);
	struct ports_view view;
	uint64_t backup;

	if (n == PORT_NONE || !ports_get(u->ports, n, &view))
		return -ENODEV;
	refresh(u);
	memset(info, 0, sizeof(*info));
	info->number = n;
	snprintf(info->name, sizeof(info->name), "%s", bridge_port_name(u->bridge, n));
	info->kind = view.host ? "host" : view.spec->ops->kind;
	info->link = *bridge_port_link_get(u->bridge, n);
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		info->attr[i] = bridge_port_get(u->bridge, n, i);
	info->state = (enum port_state)info->attr[PORT_STATE];
	backup = info->attr[PORT_BACKUP_PORT];
	if (backup != PORT_NONE)
		snprintf(info->backup_port, sizeof(info->backup_port), "%s",
			 bridge_port_name(u->bridge, (uint16_t)backup));
	if (view.port->ops->refresh)
		view.port->ops->refresh(view.port, &u->worker.out->txq[n]->stats);
	info->stats = u->worker.out->txq[n]->stats;
	info->fdb_entries = bridge_fdb_port_used(u->bridge, n);
	snprintf(info->note, sizeof(info->note), "%s", view.note);
	return 0;
}

static unsigned user_fdb_walk(void *ctx, const struct fdb_match *match, uint64_t *cursor,
			      struct fdb_entry *entries, unsigned max)
{
	struct user *u = ctx;

	refresh(u);
	return bridge_fdb_walk(u->bridge, match, now_of(u), cursor, entries, max);
}

static int user_fdb_get(void *ctx, uint64_t mac, uint16_t vid, struct fdb_entry *entry)
{
	struct user *u = ctx;

	refresh(u);
	return bridge_fdb_get(u->bridge, mac, vid, now_of(u), entry) ? 0 : -ENOENT;
}

static int user_fdb_add(void *ctx, const struct fdb_entry *entry, bool all_vlans,
			enum fdb_mode mode, struct error *err)
{
	struct user *u = ctx;
	int ret = flush(
		u, bridge_fdb_add(u->bridge, entry, all_vlans, mode, now_of(u), u->worker.out));

	return ret ? error_set(err, ret, "%s", strerror(-ret)) : 0;
}

static int user_fdb_del(void *ctx, uint64_t mac, uint16_t vid, uint16_t port, bool all_vlans,
			struct error *err)
{
	struct user *u = ctx;
	int ret = flush(
		u, bridge_fdb_del(u->bridge, mac, vid, port, all_vlans, now_of(u), u->worker.out));

	return ret ? error_set(err, ret, "%s", strerror(-ret)) : 0;
}

static int user_fdb_flush(void *ctx, const struct fdb_match *match, struct error *err)
{
	struct user *u = ctx;
	int ret = flush(u, bridge_fdb_flush(u->bridge, match, now_of(u), u->worker.out));

	return ret ? error_set(err, ret, "%s", strerror(-ret)) : 0;
}

static void user_fdb_info(void *ctx, struct fdb_info *info)
{
	struct user *u = ctx;

	bridge_fdb_info(u->bridge, info);
}

static bool user_vlan_get(void *ctx, uint16_t port, uint16_t vid, uint16_t *flags,
			  enum port_state *state)
{
	struct user *u = ctx;

	return bridge_vlan_get(u->bridge, port, vid, flags, state);
}

static void user_vlan_stats(void *ctx, uint16_t port, uint16_t vid, struct vlan_stats *stats)
{
	struct user *u = ctx;

	refresh(u);
	bridge_vlan_stats(u->bridge, port, vid, stats);
}

static int user_trace(void *ctx, uint16_t in, uint64_t src, uint64_t dst, struct vtag tag,
		      uint32_t len, char *text, size_t size, struct error *err)
{
	struct user *u = ctx;
	int ret = bridge_trace(u->bridge, in, src, dst, tag, len, now_of(u), text, size);

	return ret ? error_set(err, ret, "%s", strerror(-ret)) : 0;
}

static int user_start(void *ctx, bool discard, struct error *err)
{
	struct user *u = ctx;

	(void)err;
	if (discard)
		worker_discard(&u->worker);
	if (u->worker.flows)
		flows_pause(u->worker.flows, false);
	loop_set_turn(u->daemon->loop, worker_turn, &u->worker);
	return 0;
}

static int user_stop(void *ctx, struct error *err)
{
	struct user *u = ctx;

	(void)err;
	if (u->worker.flows)
		flows_pause(u->worker.flows, true);
	refresh(u);
	loop_set_turn(u->daemon->loop, NULL, NULL);
	return 0;
}

static void user_serve(void *ctx)
{
	struct user *u = ctx;

	worker_all_ready(&u->worker);
	worker_turn(&u->worker, now_of(u));
}

static bool user_give(void *ctx, const char *port, struct port_carry *carry)
{
	struct user *u = ctx;
	uint16_t n = bridge_port_find(u->bridge, port);
	struct ports_view view;

	refresh(u);
	memset(carry, 0, sizeof(*carry));
	if (n == PORT_NONE || !ports_get(u->ports, n, &view))
		return false;
	if (view.port->ops->refresh)
		view.port->ops->refresh(view.port, &u->worker.out->txq[n]->stats);
	carry->stats = u->worker.out->txq[n]->stats;
	carry->made = view.port->ops == &guest_ops && guest_own(view.port, false);
	return true;
}

static void user_take(void *ctx, const char *port, const struct port_carry *carry)
{
	struct user *u = ctx;
	uint16_t n = bridge_port_find(u->bridge, port);
	struct ports_view view;

	if (n == PORT_NONE || !ports_get(u->ports, n, &view))
		return;
	worker_timers(&u->worker, now_of(u)); /* rings are made: it takes 10 ms a port */
	u->worker.out->txq[n]->stats = carry->stats;
	if (view.port->ops == &guest_ops && carry->made)
		guest_own(view.port, true);
}

static void user_limit(void *ctx, struct model *m)
{
	(void)ctx; /* it can have all that there is */
	(void)m;
}

static void user_lacks(void *ctx, const struct model *m,
		       void (*say)(void *arg, const char *sentence), void *arg)
{
	(void)ctx;
	(void)m;
	(void)say;
	(void)arg;
}

static void user_close(void *ctx)
{
	struct user *u = ctx;

	loop_set_turn(u->daemon->loop, NULL, NULL);
	ports_free(u->ports);
	worker_fini(&u->worker);
	bridge_free(u->bridge);
	free(u);
}

static const struct backend_ops user_ops = {
	.name = "user",
	.start = user_start,
	.stop = user_stop,
	.serve = user_serve,
	.give = user_give,
	.take = user_take,
	.close = user_close,
	.limit = user_limit,
	.lacks = user_lacks,
	.read = user_read,
	.apply = user_apply,
	.port_next = user_port_next,
	.fdb_walk = user_fdb_walk,
	.fdb_get = user_fdb_get,
	.fdb_add = user_fdb_add,
	.fdb_del = user_fdb_del,
	.fdb_flush = user_fdb_flush,
	.fdb_info = user_fdb_info,
	.vlan_get = user_vlan_get,
	.vlan_stats = user_vlan_stats,
	.trace = user_trace,
};

int user_open(struct daemon *d, struct backend *b, struct error *err)
{
	struct user *u = calloc(1, sizeof(*u));
	uint64_t secret[2];
	int ret = 0;

	if (!u)
		return error_set(err, -ENOMEM, "out of memory");
	u->daemon = d;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		ret = error_set(err, -errno, "cannot draw a random number: %s", strerror(errno));
	if (!ret)
		u->bridge = bridge_new(d->options.fdb_size, secret);
	if (!ret && (!u->bridge || worker_init(&u->worker, d, u->bridge, d->options.poll_us,
					       d->options.keep_cpu)))
		ret = error_set(err, -ENOMEM,
				"out of memory for a table of %u addresses (--fdb-size)",
				d->options.fdb_size);
	if (!ret && d->options.fastpath)
		u->worker.flows = flows_new(&u->worker);
	if (!ret)
		u->ports = ports_new(d->loop, &u->worker, err);
	if (!ret && !u->ports)
		ret = -EIO;
	if (ret)
		user_close(u);
	else
		*b = (struct backend){ &user_ops, u };
	return ret;
}
