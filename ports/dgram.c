/* SPDX-License-Identifier: MIT */
/*
 * dgram: one frame a datagram, over a Unix or UDP socket, as QEMU's -netdev dgram and socket,udp=,
 * GNS3's UDP links and vfkit speak it.
 *
 * There is no connection, so the port always has a carrier. Where no peer is named it is whoever
 * sent last; until then what is sent to the port is dropped as `down`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/datagrams.h"
#include "ports/kinds.h"

struct dgram {
	struct port port; /* rx_fd is the socket */
	struct address local, remote;
	bool fixed; /* remote was given; else it is learned, and remote.len is 0 before */
	struct stage out;
	struct datagrams io;
};

static struct dgram *dgram_of(struct port *port)
{
	return (struct dgram *)port;
}

static int dgram_parse(struct dgram *d, const struct port_spec *spec, struct error *err)
{
	const char *local = port_spec_text(spec, "local"), *remote = port_spec_text(spec, "remote");
	int ret;

	if (!local)
		return error_set(err, -EINVAL,
				 "dgram: local=unix:PATH or local=HOST:PORT is missing");
	ret = address_parse(local, SOCK_DGRAM, &d->local, err);
	d->fixed = remote != NULL;
	if (ret || !remote)
		return ret;
	ret = address_parse(remote, SOCK_DGRAM, &d->remote, err);
	if (!ret && d->local.any.sa_family != d->remote.any.sa_family)
		ret = error_set(err, -EINVAL, "dgram: %s and %s are of different kinds", local,
				remote);
	return ret;
}

static int dgram_bind(struct dgram *d, const struct port_spec *spec, struct error *err)
{
	int fd = address_bind(&d->local, SOCK_DGRAM, port_spec_text(spec, "local"), err), ret;

	if (fd < 0)
		return fd;
	datagrams_tune(fd);
	/* A UDP socket then takes frames from there only; a path may not be there yet. */
	if (d->fixed && d->local.any.sa_family != AF_UNIX &&
	    connect(fd, &d->remote.any, d->remote.len)) {
		ret = error_set(err, -errno, "%s: %s", port_spec_text(spec, "remote"),
				strerror(errno));
		close(fd);
		return ret;
	}
	d->port.rx_fd = fd;
	return 0;
}

static void dgram_free(struct dgram *d)
{
	stage_fini(&d->out);
	free(d);
}

static int dgram_open(const struct port_spec *spec, const struct link *link,
		      const struct port_host *host, struct port **portp, struct error *err)
{
	struct dgram *d = calloc(1, sizeof(*d));
	int ret;

	(void)link;
	if (!d || stage_init(&d->out, false, FRAME_MAX)) {
		free(d);
		return error_set(err, -ENOMEM, "dgram: out of memory");
	}
	d->port.ops = &dgram_ops;
	d->port.host = host;
	d->port.link = (struct link){ .present = true, .up = true, .carrier = true };
	memcpy(d->port.name, spec->name, sizeof(d->port.name));
	ret = dgram_parse(d, spec, err);
	if (!ret)
		ret = dgram_bind(d, spec, err);
	if (ret) {
		dgram_free(d);
		return ret;
	}
	if (d->local.any.sa_family == AF_UNIX)
		datagrams_warn(spec->name);
	host->watch(host->ctx, &d->port, d->port.rx_fd, PORT_IN);
	*portp = &d->port;
	return 0;
}

static void dgram_close(struct port *port)
{
	struct dgram *d = dgram_of(port);

	port->host->watch(port->host->ctx, port, port->rx_fd, 0);
	close(port->rx_fd);
	address_unlink(&d->local);
	dgram_free(d);
}

static void dgram_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct dgram *d = dgram_of(port);
	unsigned n = datagrams_receive(&d->io, port, !d->fixed, b);

	(void)queue;
	for (unsigned i = 0; i < n && !d->fixed; i++)
		if (d->io.from[i].len)
			d->remote = d->io.from[i];
}

static void dgram_send(struct port *port, struct stage *st)
{
	struct dgram *d = dgram_of(port);
	bool named = !d->fixed || d->local.any.sa_family == AF_UNIX;

	datagrams_send(&d->io, port->rx_fd, named ? &d->remote : NULL, st);
}

static void dgram_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct dgram *d = dgram_of(port);

	(void)queue;
	if (d->remote.len) {
		stage_tx(&d->out, port, q, dgram_send);
	} else {
		q->stats.drop_out[DROP_DOWN] += q->n;
		q->n = 0;
	}
}

static const struct port_option dgram_options[] = {
	{ .name = "local",
	  .type = PORT_OPT_TEXT,
	  .help = "where frames for the port are sent to: unix:PATH or HOST:PORT" },
	{ .name = "remote",
	  .type = PORT_OPT_TEXT,
	  .help = "where the port sends frames to, and for UDP the only sender that is listened to "
		  "(default: whoever sent last)" },
	{ .name = NULL },
};

const struct port_ops dgram_ops = {
	.kind = "dgram",
	.help = "a datagram socket, one frame a datagram: QEMU -netdev dgram, GNS3, ...",
	.options = dgram_options,
	.open = dgram_open,
	.close = dgram_close,
	.rx = dgram_rx,
	.tx = dgram_tx,
};
