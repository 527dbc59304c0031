/* SPDX-License-Identifier: MIT */
/*
 * hand: a port host driven by hand, for tests of drivers.
 *
 * Remembers what the driver asked for. Included by one test each; all of it is static.
 */
#ifndef TESTS_UNIT_HAND_H
#define TESTS_UNIT_HAND_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ports/port.h"

static struct {
	int fd;      /* watched, -1 = none */
	uint64_t at; /* deadline */
	unsigned n_link;
	struct link link;
} hand = { .fd = -1, .at = UINT64_MAX };

static void hand_watch(void *ctx, struct port *port, int fd, unsigned what)
{
	(void)ctx;
	(void)port;
	hand.fd = what ? fd : -1;
}

static void hand_deadline(void *ctx, struct port *port, uint64_t at_ms)
{
	(void)ctx;
	(void)port;
	hand.at = at_ms;
}

static void hand_link(void *ctx, struct port *port, const struct link *link)
{
	(void)ctx;
	port->link = *link;
	hand.link = *link;
	hand.n_link++;
}

static const struct port_host hand_host = {
	.watch = hand_watch,
	.deadline = hand_deadline,
	.link_changed = hand_link,
};

/* Whether the watched descriptor is readable. */
static inline bool hand_ready(void)
{
	struct pollfd p = { .fd = hand.fd, .events = POLLIN };

	return hand.fd >= 0 && poll(&p, 1, 0) == 1;
}

/* Opens the port that @text describes. Returns 0 or the error. */
static inline int hand_open(const char *text, struct port **port, struct error *err)
{
	static struct port_spec spec;
	int ret = port_spec_parse(text, &spec, err);

	return ret ? ret : spec.ops->open(&spec, NULL, &hand_host, port, err);
}

#endif
