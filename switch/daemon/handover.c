/* SPDX-License-Identifier: MIT */
#include "switch/daemon/handover.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ports/log.h"
#include "switch/daemon/backends.h"
#include "switch/daemon/control.h"
#include "switch/daemon/drift.h"
#include "switch/daemon/kernel.h"
#include "switch/daemon/show.h"
#include "switch/daemon/user.h"

#define STEP 64u

/* A hand-over on its way. */
struct handover {
	struct daemon *d;
	struct backend from, to;
	struct names *old, *new; /* of the ports, by each backend's numbers */
	unsigned n;              /* entries carried over */
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* Opens the new backend beside the old one, and brings it to the configuration. */
static int prepare(struct handover *h, bool kernel, struct error *err)
{
	struct daemon *d = h->d;
	struct model next, actual;
	int ret;

	d->leaving = kernel ? 0 : (int)if_nametoindex(d->options.name);
	ret = kernel ? kernel_open(d, &h->to, err) : user_open(d, &h->to, err);
	if (ret)
		return ret;
	model_init(&next, d->options.name);
	model_init(&actual, d->options.name);
	ret = drift_follow(d, &next, &actual, err);
	if (!ret) {
		h->to.ops->limit(h->to.ctx, &next);
		ret = backends_check(&h->to, &next, err);
	}
	d->backend = h->to;
	d->serving = &h->from;
	if (!ret)
		ret = daemon_apply(d, &next, err);
	if (ret) {
		d->backend = h->from;
		d->serving = NULL;
		h->to.ops->close(h->to.ctx);
	}
	model_fini(&actual);
	model_fini(&next);
	return ret;
}

static uint16_t number_of(const struct names *names, const char *name)
{
	for (uint16_t n = 1; n < PORT_MAX; n++)
		if (!strcmp(names->name[n], name))
			return n;
	return PORT_NONE;
}

/* Copies what was learned, to the kernel as static entries. */
static void copy_entries(struct handover *h, uint16_t as)
{
	const struct fdb_match match = { .port = PORT_NONE,
					 .vid = FDB_ANY_VID,
					 .flags_mask = FDB_LOCAL | FDB_STATIC | FDB_EXT_LEARN |
						       FDB_LOCKED };
	struct fdb_entry e[STEP];
	uint64_t cursor = 0;
	unsigned n;

	while ((n = h->from.ops->fdb_walk(h->from.ctx, &match, &cursor, e, STEP))) {
		for (unsigned i = 0; i < n; i++) {
			uint16_t port = number_of(h->new, h->old->name[e[i].port]);

			e[i].port = port;
			e[i].flags = (uint16_t)((e[i].flags & FDB_STICKY) | as);
			if (port != PORT_NONE &&
			    !h->to.ops->fdb_add(h->to.ctx, &e[i], as && !e[i].vid, FDB_MODE_REPLACE,
						NULL))
				h->n++;
		}
		h->from.ops->serve(h->from.ctx);
	}
}

/* Entries that were static for the hand-over only age from now on, wherever they are by now. */
static void settle_entries(struct handover *h)
{
	const struct fdb_match match = { .port = PORT_NONE,
					 .vid = FDB_ANY_VID,
					 .flags_mask = FDB_LOCAL | FDB_STATIC,
					 .flags_want = FDB_STATIC };
	struct fdb_entry e[STEP];
	uint64_t cursor = 0;
	unsigned n;

	while ((n = h->to.ops->fdb_walk(h->to.ctx, &match, &cursor, e, STEP)))
		for (unsigned i = 0; i < n; i++) {
			if (model_fdb(&h->d->wanted, e[i].mac, e[i].vid))
				continue;
			e[i].flags &= FDB_STICKY;
			h->to.ops->fdb_add(h->to.ctx, &e[i], !e[i].vid, FDB_MODE_REPLACE, NULL);
		}
}

/* Counters go on, and a TAP that was made for a port stays the port's. */
static void carry_ports(struct handover *h)
{
	const struct model *m = &h->d->wanted;
	struct port_carry carry;

	for (unsigned i = 0; i < m->n_ports; i++)
		if (h->from.ops->give(h->from.ctx, m->port[i].name, &carry))
			h->to.ops->take(h->to.ctx, m->port[i].name, &carry);
}

/* Stops the one and starts the other. */
static int swap(struct handover *h, uint64_t *us, struct error *err)
{
	struct handover back;
	uint64_t begin;
	int ret;

	h->from.ops->serve(h->from.ctx);
	begin = now_us();
	ret = h->from.ops->stop(h->from.ctx, err);
	if (!ret)
		ret = h->to.ops->start(h->to.ctx, true, err);
	*us = now_us() - begin;
	if (!ret)
		return 0;
	back = (struct handover){ .d = h->d, .from = h->to, .to = h->from };
	carry_ports(&back);
	h->d->backend = h->from;
	h->d->serving = NULL;
	h->to.ops->close(h->to.ctx);
	h->from.ops->start(h->from.ctx, false, NULL);
	return ret;
}

static int hand_over(struct handover *h, bool kernel, struct error *err)
{
	struct daemon *d = h->d;
	uint64_t us = 0;
	int ret = prepare(h, kernel, err);

	if (ret)
		return ret;
	names_read(h->old, &h->from);
	names_read(h->new, &h->to);
	copy_entries(h, kernel ? FDB_STATIC : 0);
	carry_ports(h);
	ret = swap(h, &us, err);
	if (ret)
		return ret;
	if (kernel)
		settle_entries(h);
	d->serving = &h->to;
	h->from.ops->close(h->from.ctx);
	control_renumber(d->control);
	log_notice("%s: the %s backend forwards now: %u addresses carried over, %llu.%03llu ms "
		   "without forwarding",
		   d->options.name, d->backend.ops->name, h->n, (unsigned long long)us / 1000,
		   (unsigned long long)us % 1000);
	return 0;
}

int handover(struct daemon *d, bool kernel, struct error *err)
{
	struct handover h = { .d = d, .from = d->backend };
	const struct model_port *host = model_host(&d->wanted);
	int ret = -ENOMEM;

	if (!strcmp(d->backend.ops->name, kernel ? "kernel" : "user"))
		return 0;
	if (host)
		return error_set(err, -EOPNOTSUPP,
				 "the host port %s cannot be handed over, its interface would be "
				 "another: take it away first (link del dev %s)",
				 host->name, host->name);
	if (kernel_adopted(&d->backend))
		return error_set(err, -EOPNOTSUPP,
				 "%s was taken over with its ports (-b kernel,adopt): it cannot be "
				 "handed over",
				 d->options.name);
	h.old = calloc(1, sizeof(*h.old));
	h.new = calloc(1, sizeof(*h.new));
	if (h.old && h.new)
		ret = hand_over(&h, kernel, err);
	else
		error_set(err, ret, "Cannot allocate memory");
	d->serving = NULL;
	d->leaving = 0;
	free(h.old);
	free(h.new);
	return ret;
}
