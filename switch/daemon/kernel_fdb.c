/* SPDX-License-Identifier: MIT */
/* The entries of the kernel's bridge. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ports/log.h"
#include "switch/daemon/kernel_fdb.h"
#include "switch/daemon/loop.h"

uint16_t kernel_number(const struct kernel *k, int ifindex)
{
	const struct brstate_port *b = brstate_by_index(&k->state, ifindex);

	if (ifindex == k->ifindex)
		return kernel_host(k) ? PORT_HOST : PORT_NONE;
	if (b)
		return b->link.number;
	for (uint16_t n = 1; n < PORT_MAX; n++) /* news of a port that has just left */
		if (k->told[n].link.present && k->told[n].link.ifindex == ifindex)
			return n;
	return PORT_NONE;
}

bool kernel_fdb_entry(struct kernel *k, const struct brmsg_fdb *e, struct fdb_entry *entry)
{
	uint64_t now = loop_now(k->daemon->loop);
	uint16_t port = kernel_number(k, e->ifindex);

	if (e->bridge != k->ifindex || port == PORT_NONE)
		return false;
	*entry = e->entry;
	entry->port = port;
	entry->used_ms = now > e->entry.used_ms ? now - e->entry.used_ms : 0;
	entry->updated_ms = now > e->entry.updated_ms ? now - e->entry.updated_ms : 0;
	return true;
}

/* A dump on its way, in the messages of netlink_ask(). */
struct dump {
	struct kernel *k;
	void (*fn)(void *arg, const struct fdb_entry *e); /* e = NULL: it begins again */
	void *arg;
};

static void take_entry(void *arg, const struct nlmsghdr *msg)
{
	const struct dump *d = arg;
	struct brmsg_fdb e;
	struct fdb_entry entry;

	if (!msg)
		d->fn(d->arg, NULL);
	else if (brmsg_read_fdb(msg, &e) > 0 && kernel_fdb_entry(d->k, &e, &entry))
		d->fn(d->arg, &entry);
}

static int dump(struct kernel *k, void (*fn)(void *arg, const struct fdb_entry *e), void *arg)
{
	struct dump d = { k, fn, arg };
	struct netlink_msg m;
	int ret;

	if (!kernel_state(k)->bridge.base.link.present)
		return k->unread;
	brmsg_fdb_dump(&m, k->ifindex);
	ret = netlink_ask(k->ask, &m, take_entry, &d, NULL);
	if (ret)
		log_error("%s: cannot read the kernel's entries: %s", k->daemon->options.name,
			  strerror(-ret));
	return ret;
}

/* Entries collected for a model. */
struct collect {
	struct kernel *k;
	struct model *m;
	int ret;
};

/*
 * The kernel adds a local entry for the address of each port and of the bridge; it does not say
 * which the user added.
 */
static bool is_automatic(struct kernel *k, const struct fdb_entry *e)
{
	const struct brstate *s = &k->state;

	if (!(e->flags & FDB_LOCAL))
		return false;
	if (e->mac == s->bridge.base.link.mac)
		return true;
	for (unsigned i = 0; i < s->n; i++)
		if (s->port[i]->link.base.link.mac == e->mac)
			return true;
	return false;
}

/* Returns the name of port @number, or NULL for one that has just left. */
static const char *name_of(struct kernel *k, uint16_t number)
{
	const struct brstate_port *b = brstate_port(&k->state, number);

	return number == PORT_HOST ? kernel_host(k)->name
	       : b                 ? kernel_port_name(k, &b->link)
				   : NULL;
}

/* A local address that moved on when the port which the user gave it to left is automatic again. */
static bool is_configured(struct kernel *k, const struct fdb_entry *e, const char *dev)
{
	const struct model_fdb *w = model_fdb(&k->daemon->wanted, e->mac, e->vid);

	return !is_automatic(k, e) || (w && strcmp(w->dev, dev) == 0);
}

static void collect(void *arg, const struct fdb_entry *e)
{
	struct collect *c = arg;
	uint16_t flags = e ? e->flags & FDB_MODEL_FLAGS : 0;
	const char *dev = e ? name_of(c->k, e->port) : NULL;

	if (!e)
		c->m->n_fdb = 0;
	if (!dev)
		return;
	if (flags & FDB_LOCAL)
		flags &= (uint16_t)~FDB_STATIC;
	if (flags & (FDB_LOCAL | FDB_STATIC | FDB_EXT_LEARN) && is_configured(c->k, e, dev) &&
	    !c->ret)
		c->ret = model_fdb_put(c->m, e->mac, e->vid, dev, flags);
}

int kernel_read_fdb(struct kernel *k, struct model *m)
{
	const struct model *wanted = &k->daemon->wanted;
	struct collect c = { k, m, 0 };
	int ret = dump(k, collect, &c);

	ret = ret ? ret : c.ret;
	for (unsigned i = 0; i < wanted->n_fdb && !ret; i++) {
		const struct model_fdb *e = &wanted->fdb[i];
		const struct kernel_port *p = kernel_port_named(k, e->dev);

		if (p && !p->ifindex && !model_fdb(m, e->mac, e->vid))
			ret = model_fdb_put(m, e->mac, e->vid, e->dev, e->flags);
	}
	return ret;
}

static void keep(void *arg, const struct fdb_entry *e)
{
	struct kernel *k = arg;
	struct fdb_entry *grown;
	unsigned room = k->entries_room ? 2 * k->entries_room : 1024;

	if (!e) {
		k->n_entries = 0;
		return;
	}
	if (k->n_entries == k->entries_room) {
		grown = realloc(k->entry, room * sizeof(*grown));
		if (!grown)
			return;
		k->entry = grown;
		k->entries_room = room;
	}
	k->entry[k->n_entries++] = *e;
}

/* Where an entry is in a walk's order; never 0. */
static uint64_t place(const struct fdb_entry *e)
{
	return ((uint64_t)e->vid << 48 | e->mac) + 1;
}

static int by_place(const void *a, const void *b)
{
	uint64_t x = place(a), y = place(b);

	return x < y ? -1 : x > y;
}

/* The first entry behind @cursor. */
static unsigned find(const struct kernel *k, uint64_t cursor)
{
	unsigned low = 0, high = k->n_entries;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (place(&k->entry[middle]) <= cursor)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The cursor is the place of the last entry: a walk goes on in the copy that a later one made. */
unsigned kernel_fdb_walk(void *ctx, const struct fdb_match *match, uint64_t *cursor,
			 struct fdb_entry *entries, unsigned max)
{
	struct kernel *k = ctx;
	unsigned n = 0;

	if (!*cursor) {
		k->n_entries = 0;
		dump(k, keep, k);
		if (k->n_entries)
			qsort(k->entry, k->n_entries, sizeof(*k->entry), by_place);
	}
	for (unsigned i = find(k, *cursor); i < k->n_entries && n < max; i++) {
		const struct fdb_entry *e = &k->entry[i];

		*cursor = place(e);
		if ((match->port == PORT_NONE || match->port == e->port) &&
		    (match->vid == FDB_ANY_VID || match->vid == e->vid) &&
		    (e->flags & match->flags_mask) == match->flags_want)
			entries[n++] = *e;
	}
	return n;
}

static void count(void *arg, const struct fdb_entry *e)
{
	uint32_t *used = arg;

	if (e)
		used[e->port]++;
	else
		memset(used, 0, PORT_MAX * sizeof(*used));
}

/* Counts the entries again if any came or went. */
static void count_all(struct kernel *k)
{
	uint64_t turn = loop_wakeups(k->daemon->loop);

	if (k->counted && (k->counted_turn == turn || !kernel_has_news(k)))
		return;
	k->counted_turn = turn;
	memset(k->used, 0, PORT_MAX * sizeof(*k->used));
	k->counted = !dump(k, count, k->used);
}

uint32_t kernel_fdb_used(struct kernel *k, uint16_t number)
{
	count_all(k);
	return k->used[number];
}

void kernel_fdb_info(void *ctx, struct fdb_info *info)
{
	struct kernel *k = ctx;
	const struct brmsg_link *l = &kernel_state(k)->bridge;

	memset(info, 0, sizeof(*info));
	count_all(k);
	for (unsigned i = 0; i < PORT_MAX; i++)
		info->used += k->used[i];
	info->learned = l->n_learned == UINT32_MAX ? 0 : l->n_learned;
}

/* The one entry that was asked for. */
struct found {
	struct kernel *k;
	struct fdb_entry *entry;
	bool good;
};

static void take_found(void *arg, const struct nlmsghdr *msg)
{
	struct found *f = arg;
	struct brmsg_fdb e;

	if (brmsg_read_fdb(msg, &e) > 0)
		f->good = kernel_fdb_entry(f->k, &e, f->entry);
}

int kernel_fdb_get(void *ctx, uint64_t mac, uint16_t vid, struct fdb_entry *entry)
{
	struct kernel *k = ctx;
	struct found f = { .k = k, .entry = entry };
	struct netlink_msg m;
	int ret;

	if (!kernel_state(k)->bridge.base.link.present)
		return -ENOENT;
	brmsg_fdb_get(&m, k->ifindex, mac, vid);
	ret = netlink_ask(k->ask, &m, take_found, &f, NULL);
	return ret ? ret : f.good ? 0 : -ENOENT;
}

/* Whether VLAN 0 cannot be meant alone on port @number: it is in VLANs. */
static bool has_vlans(struct kernel *k, uint16_t number)
{
	const struct brstate *s = kernel_state(k);
	const struct brstate_port *b = brstate_port(s, number);
	const struct model_vlans *v = number == PORT_HOST ? &s->host : b ? &b->vlans : NULL;

	for (unsigned i = 0; v && i < VLAN_N / 64; i++)
		if (v->member[i])
			return true;
	return false;
}

/* Finds the interface of port @number for a change of an entry in @vid. */
static int target(struct kernel *k, uint16_t number, uint16_t vid, bool all_vlans, int *ifindex,
		  struct error *err)
{
	const struct brstate_port *b = brstate_port(kernel_state(k), number);

	*ifindex = number == PORT_HOST ? k->ifindex : b ? b->link.base.link.ifindex : 0;
	if (!*ifindex)
		return error_set(err, -ENODEV, "the port has no interface now");
	if (!vid && !all_vlans && has_vlans(k, number))
		return error_set(err, -EOPNOTSUPP,
				 "vlan 0: the kernel's bridge cannot have an entry there alone, "
				 "without the port's VLANs");
	return 0;
}

int kernel_fdb_add(void *ctx, const struct fdb_entry *e, bool all_vlans, enum fdb_mode mode,
		   struct error *err)
{
	struct kernel *k = ctx;
	struct netlink_msg m;
	int ifindex, ret = target(k, e->port, e->vid, all_vlans, &ifindex, err);

	if (ret)
		return ret;
	brmsg_fdb_add(&m, ifindex, e->port == PORT_HOST, e->mac, e->vid, e->flags, mode);
	return kernel_do(k, &m, "fdb add", err);
}

int kernel_fdb_del(void *ctx, uint64_t mac, uint16_t vid, uint16_t port, bool all_vlans,
		   struct error *err)
{
	struct kernel *k = ctx;
	struct netlink_msg m;
	int ifindex, ret = target(k, port, vid, all_vlans, &ifindex, err);

	if (ret)
		return ret;
	brmsg_fdb_del(&m, ifindex, port == PORT_HOST, mac, vid);
	return kernel_do(k, &m, "fdb del", err);
}

int kernel_fdb_flush(void *ctx, const struct fdb_match *match, struct error *err)
{
	struct kernel *k = ctx;
	bool all = match->port == PORT_NONE;
	struct fdb_match meant = *match;
	struct netlink_msg m;
	int ifindex = k->ifindex, ret = 0;

	if (!all)
		ret = target(k, match->port, 1, true, &ifindex, err);
	if (ret)
		return ret;
	if (!match->vid && k->vlans)
		return error_set(err, -EOPNOTSUPP,
				 "vlan 0: the kernel's bridge cannot flush it alone");
	if (!match->vid)
		meant.vid = FDB_ANY_VID;
	brmsg_fdb_flush(&m, ifindex, all || match->port == PORT_HOST, &meant);
	return kernel_do(k, &m, "fdb flush", err);
}
