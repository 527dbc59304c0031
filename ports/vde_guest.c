/* SPDX-License-Identifier: MIT */
#include "ports/vde_guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/datagrams.h"
#include "ports/log.h"

/* Longest frame that libvdeplug has room for, 9216 bytes of payload with header and tag. */
#define LONGEST (9216u + FRAME_HDR_LEN + FRAME_TAG_LEN)

struct vde_guest {
	struct port port; /* rx_fd is the datagram socket, -1 = the guest has gone */
	int ctl_fd;
	bool dead; /* its socket is gone, though its connection is not: timer() makes an end */
	struct sockaddr_un un; /* where the datagram socket is */
	struct stage out;
	struct datagrams io;
};

static const struct port_ops vde_guest_ops;

static struct vde_guest *guest_of(struct port *port)
{
	return (struct vde_guest *)port;
}

struct port *vde_guest_new(const struct port_host *host, int ctl, int data,
			   const struct sockaddr_un *un)
{
	struct vde_guest *g = calloc(1, sizeof(*g));

	if (!g || stage_init(&g->out, false, LONGEST)) {
		free(g);
		return NULL;
	}
	datagrams_tune(data);
	g->port.ops = &vde_guest_ops;
	g->port.host = host;
	g->port.rx_fd = data;
	g->port.link = (struct link){ .present = true, .up = true, .carrier = true };
	g->ctl_fd = ctl;
	g->un = *un;
	return &g->port;
}

/* Closes both sockets. */
static void hang_up(struct vde_guest *g)
{
	if (g->port.rx_fd < 0)
		return;
	close(g->port.rx_fd);
	close(g->ctl_fd);
	unlink(g->un.sun_path);
	g->port.rx_fd = g->ctl_fd = -1;
}

void vde_guest_free(struct port *port)
{
	struct vde_guest *g = guest_of(port);

	hang_up(g);
	stage_fini(&g->out);
	free(g);
}

static void watch(struct vde_guest *g, int fd, unsigned what)
{
	g->port.host->watch(g->port.host->ctx, &g->port, fd, what);
}

/* The guest is gone for good. */
static void leave(struct vde_guest *g, const char *why)
{
	const struct link gone = { .present = false };

	log_info("%s: %s", g->port.name, why);
	watch(g, g->port.rx_fd, 0);
	watch(g, g->ctl_fd, 0);
	g->port.host->deadline(g->port.host->ctx, &g->port, UINT64_MAX);
	hang_up(g);
	g->port.host->link_changed(g->port.host->ctx, &g->port, &gone);
}

void vde_guest_answer(struct port *port)
{
	struct vde_guest *g = guest_of(port);
	ssize_t len = send(g->ctl_fd, &g->un, sizeof(g->un), MSG_NOSIGNAL | MSG_DONTWAIT);

	watch(g, port->rx_fd, PORT_IN);
	watch(g, g->ctl_fd, PORT_IN);
	if (len != (ssize_t)sizeof(g->un))
		leave(g, "it does not wait for its answer");
}

static void guest_close(struct port *port)
{
	struct vde_guest *g = guest_of(port);

	if (port->rx_fd >= 0) {
		watch(g, port->rx_fd, 0);
		watch(g, g->ctl_fd, 0);
		port->host->deadline(port->host->ctx, port, UINT64_MAX);
	}
	vde_guest_free(port);
}

static void guest_event(struct port *port, int fd, unsigned what, uint64_t now)
{
	struct vde_guest *g = guest_of(port);
	uint8_t byte;
	ssize_t len;

	(void)what;
	(void)now;
	if (fd != g->ctl_fd || fd < 0)
		return;
	len = recv(fd, &byte, 1, MSG_DONTWAIT);
	if (len > 0)
		leave(g, "closed: it says more than its request");
	else if (!len || errno != EAGAIN)
		leave(g, "unplugged");
}

static void guest_timer(struct port *port, uint64_t now)
{
	struct vde_guest *g = guest_of(port);

	(void)now;
	if (g->dead && port->rx_fd >= 0)
		leave(g, "closed: it receives no more");
}

static void guest_rx(struct port *port, unsigned queue, struct batch *b)
{
	(void)queue;
	b->n = 0;
	b->more = false;
	if (port->rx_fd >= 0 && !guest_of(port)->dead)
		datagrams_receive(&guest_of(port)->io, port, false, b);
}

/* When the guest's socket is gone ours has no peer any more, and anybody could send to it. */
static void guest_check(struct vde_guest *g)
{
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);

	if (!getpeername(g->port.rx_fd, (struct sockaddr *)&peer, &len) || errno != ENOTCONN)
		return;
	g->dead = true;
	g->port.host->deadline(g->port.host->ctx, &g->port, 0);
}

static void guest_send(struct port *port, struct stage *st)
{
	struct vde_guest *g = guest_of(port);

	datagrams_send(&g->io, port->rx_fd, NULL, st);
	if (st->n && st->piece[st->n - 1].drop == DROP_DOWN)
		guest_check(g);
}

static void guest_tx(struct port *port, unsigned queue, struct txq *q)
{
	(void)queue;
	if (port->rx_fd >= 0 && !guest_of(port)->dead) {
		stage_tx(&guest_of(port)->out, port, q, guest_send);
	} else {
		q->stats.drop_out[DROP_DOWN] += q->n;
		q->n = 0;
	}
}

static const struct port_ops vde_guest_ops = {
	.kind = "vde",
	.help = "a guest of a vde port",
	.close = guest_close,
	.event = guest_event,
	.timer = guest_timer,
	.rx = guest_rx,
	.tx = guest_tx,
};
