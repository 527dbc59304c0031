/* SPDX-License-Identifier: MIT */
/*
 * listener: the host of a port that accepts guests, for tests of drivers that listen.
 *
 * It remembers what was asked for, takes the last guest accepted as `guest`, and expects at the end
 * that nothing is watched any more. Included by one test each; all of it is static.
 */
#ifndef TESTS_UNIT_LISTENER_H
#define TESTS_UNIT_LISTENER_H

#include <check.h>
#include <poll.h>
#include <stdlib.h>

#include "ports/port.h"

#define WATCHED_MAX 1024

static struct port *port, *guest;
static struct batch *batch;
static struct port_stats in;
static struct txq *txq;
static struct error err;
static struct port *watched[WATCHED_MAX]; /* by descriptor */
static uint64_t at;                       /* the deadline last asked for */
static int refuse;                        /* what accept() answers */
static unsigned n_link;

static void on_watch(void *ctx, struct port *p, int fd, unsigned what)
{
	(void)ctx;
	watched[fd] = what ? p : NULL;
}

static void on_deadline(void *ctx, struct port *p, uint64_t at_ms)
{
	(void)ctx;
	(void)p;
	at = at_ms;
}

static void on_link(void *ctx, struct port *p, const struct link *link)
{
	(void)ctx;
	p->link = *link;
	n_link++;
}

static int on_accept(void *ctx, struct port *listener, struct port *p)
{
	(void)ctx;
	ck_assert_ptr_eq(listener, port);
	if (refuse)
		return refuse;
	guest = p;
	guest->number = 7;
	return 0;
}

static const struct port_host host = {
	.watch = on_watch,
	.deadline = on_deadline,
	.link_changed = on_link,
	.accept = on_accept,
};

static void listener_setup(void)
{
	batch = malloc(sizeof(*batch));
	ck_assert_int_eq(batch_init(batch), 0);
	batch->stats = &in;
	txq = calloc(1, sizeof(*txq));
}

static void listener_teardown(void)
{
	if (guest)
		guest->ops->close(guest);
	if (port)
		port->ops->close(port);
	for (unsigned i = 0; i < WATCHED_MAX; i++)
		ck_assert_ptr_null(watched[i]);
	batch_fini(batch);
	free(batch);
	free(txq);
}

/* Opens the port that @what describes. Returns 0 or the error. */
static int listener_open(const char *what)
{
	static struct port_spec spec;
	int ret = port_spec_parse(what, &spec, &err);

	return ret ? ret : spec.ops->open(&spec, NULL, &host, &port, &err);
}

/* Tells @p what is ready of @events, POLLIN | POLLOUT. */
static void listener_events(struct port *p, short events)
{
	for (int fd = 0; fd < WATCHED_MAX; fd++) {
		struct pollfd pfd = { .fd = fd, .events = events };

		if (watched[fd] == p && poll(&pfd, 1, 0) == 1)
			p->ops->event(p, fd,
				      (pfd.revents & POLLIN ? PORT_IN : 0u) |
					      (pfd.revents & ~POLLIN ? PORT_OUT : 0u),
				      1000);
	}
}

#endif
