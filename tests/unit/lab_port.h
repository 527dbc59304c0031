/* SPDX-License-Identifier: MIT */
/*
 * lab_port: runs a driver by hand, one frame at a time.
 *
 * Plays the part of the daemon: opens a port, tells it news, receives and sends. The surprising
 * rule: there is one batch, lab_batch, and its frames live until the next lab_rx(). Included by
 * tests of drivers.
 */
#ifndef TESTS_UNIT_LAB_PORT_H
#define TESTS_UNIT_LAB_PORT_H

#include "ports/kinds.h"
#include "ports/log.h"
#include "tests/unit/lab.h"

/* What a driver asked for and said. */
struct lab_host {
	struct port_host host;
	int fd;       /* rx_fd, -1 = not watched */
	int other_fd; /* the last other one that is watched */
	uint64_t deadline;
	unsigned changes;
	struct link link;
};

static void lab_watch(void *ctx, struct port *port, int fd, unsigned what)
{
	struct lab_host *h = ctx;

	*(fd == port->rx_fd ? &h->fd : &h->other_fd) = what ? fd : -1;
}

static void lab_link_changed(void *ctx, struct port *port, const struct link *link)
{
	struct lab_host *h = ctx;

	(void)port;
	h->changes++;
	h->link = *link;
}

static void lab_deadline(void *ctx, struct port *port, uint64_t at_ms)
{
	struct lab_host *h = ctx;

	(void)port;
	h->deadline = at_ms;
}

static struct batch lab_batch;
static struct port_stats lab_in;
static struct txq lab_txq;

/* Opens the port that @text describes. Returns it or NULL with *@code and the sentence in @err. */
static UNUSED struct port *lab_try(const char *text, struct lab_host *h, int *code,
				   struct error *err)
{
	static uint16_t number;
	struct port *port = NULL;
	struct port_spec spec;

	*h = (struct lab_host){ { .ctx = h, .watch = lab_watch }, -1, -1, UINT64_MAX, 0, { 0 } };
	h->host.deadline = lab_deadline;
	h->host.link_changed = lab_link_changed;
	err->text[0] = '\0';
	log_set_level(LOG_LEVEL_ERROR);
	*code = port_spec_parse(text, &spec, err);
	if (!*code)
		*code = spec.ops->open(&spec, NULL, &h->host, &port, err);
	if (*code)
		return NULL;
	port->number = ++number;
	return port;
}

static UNUSED struct port *lab_open(const char *text, struct lab_host *h)
{
	struct error err;
	int code;
	struct port *port = lab_try(text, h, &code, &err);

	ck_assert_msg(port, "%s: %s", text, err.text);
	return port;
}

/* Asserts that @text cannot be opened and that the sentence says @what. */
static UNUSED void lab_refused(const char *text, int code, const char *what)
{
	struct lab_host h;
	struct error err;
	int got;
	struct port *port = lab_try(text, &h, &got, &err);

	ck_assert_msg(!port, "%s opens", text);
	ck_assert_msg(got == code, "%s: %d, not %d: %s", text, got, code, err.text);
	ck_assert_msg(strstr(err.text, what), "%s: %s", text, err.text);
}

/* Receives into lab_batch until there is something or @ms are over. Returns how many frames. */
static UNUSED unsigned lab_rx(struct port *port, int ms)
{
	struct batch *b = &lab_batch;

	if (!b->arena)
		ck_assert_int_eq(batch_init(b), 0);
	b->stats = &lab_in;
	if (port->ops->done)
		port->ops->done(port, 0, b);
	if (port->ops->event)
		port->ops->event(port, port->rx_fd, PORT_IN, 0);
	for (int i = 0; i <= ms; i++) {
		port->ops->rx(port, 0, b);
		if (b->n)
			break;
		usleep(1000);
	}
	return b->n;
}

/* Sends @f on @port and returns why it was dropped, DROP_NONE when it was not. */
static UNUSED enum drop lab_tx(struct port *port, const struct frame *f, bool tagged)
{
	struct txq *q = &lab_txq;

	memset(&q->stats, 0, sizeof(q->stats));
	q->entry[0] = (struct txq_entry){ .frame = f, .tagged = tagged };
	q->n = 1;
	port->ops->tx(port, 0, q);
	ck_assert_uint_eq(q->n, 0);
	for (unsigned i = 0; i < DROP_MAX; i++) {
		if (q->stats.drop_out[i]) {
			ck_assert_uint_eq(q->stats.drop_out[i], 1);
			ck_assert_uint_eq(q->stats.tx, 0);
			return i;
		}
	}
	ck_assert_uint_eq(q->stats.tx, 1);
	ck_assert_uint_eq(q->stats.tx_bytes, frame_wire_len(f, tagged));
	return DROP_NONE;
}

/* Tells @port that something about its interface changed, as the daemon does. */
static UNUSED void lab_news(struct port *port, bool present)
{
	struct link link = { .present = present };

	port->ops->link(port, &link);
}

#endif
