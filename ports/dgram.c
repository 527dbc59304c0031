/* SPDX-License-Identifier: MIT */
/*
 * dgram: one frame a datagram, over a Unix or UDP socket, as QEMU's -netdev dgram and socket,udp=,
 * GNS3's UDP links and vfkit speak it.
 *
 * There is no connection, so the port always has a carrier. Where no peer is named it is whoever
 * sent last; until then what is sent to the port is dropped as `down`.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/address.h"
#include "ports/batch.h"
#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/stage.h"

#define SOCKET_BYTES (1024 * 1024)               /* wanted for each direction */
#define QLEN_SMALL BATCH_MAX                     /* fewer datagrams do not even hold one batch */
#define IN_BYTES (FRAME_MAX + FRAME_TAG_LEN + 1) /* one more, to see that something was longer */

_Static_assert(IN_BYTES <= BATCH_SLOT, "a datagram has room in its slot");

struct dgram {
	struct port port; /* rx_fd is the socket */
	struct address local, remote;
	bool fixed; /* remote was given; else it is learned, and remote.len is 0 before */
	struct stage out;
	struct mmsghdr in_msg[BATCH_MAX];
	struct iovec in_iov[BATCH_MAX];
	struct address in_from[BATCH_MAX];
	struct mmsghdr out_msg[STAGE_PIECES];
	struct iovec out_iov[STAGE_PIECES];
};

static struct dgram *dgram_of(struct port *port)
{
	return (struct dgram *)port;
}

/* A Unix socket holds no more datagrams than this, whoever sends them. */
static void warn_qlen(const struct port_spec *spec, const struct dgram *d)
{
	FILE *f = d->local.any.sa_family == AF_UNIX
			  ? fopen("/proc/sys/net/unix/max_dgram_qlen", "re")
			  : NULL;
	unsigned qlen;

	if (!f)
		return;
	if (fscanf(f, "%u", &qlen) == 1 && qlen < QLEN_SMALL)
		log_notice(
			"%s: Unix sockets hold %u datagrams here, of longer bursts frames are lost; "
			"before this and the guest start: sysctl net.unix.max_dgram_qlen=512",
			spec->name, qlen);
	fclose(f);
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
	int bytes = SOCKET_BYTES;

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
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
	warn_qlen(spec, d);
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

/* Takes datagram @i, which was read to its slot of the arena. */
static void dgram_take(struct dgram *d, struct batch *b, unsigned i)
{
	const struct mmsghdr *m = &d->in_msg[i];

	if (!d->fixed && m->msg_hdr.msg_namelen > sizeof(sa_family_t)) {
		d->remote = d->in_from[i];
		d->remote.len = m->msg_hdr.msg_namelen;
	}
	if (!batch_take(b, batch_slot(b, i), m->msg_len))
		b->frame[b->n - 1].port = d->port.number;
}

static void dgram_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct dgram *d = dgram_of(port);
	int n;

	(void)queue;
	b->n = 0;
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		d->in_iov[i] = (struct iovec){ batch_slot(b, i), IN_BYTES };
		d->in_msg[i].msg_hdr = (struct msghdr){
			.msg_iov = &d->in_iov[i],
			.msg_iovlen = 1,
			.msg_name = d->fixed ? NULL : &d->in_from[i].any,
			.msg_namelen = d->fixed ? 0 : sizeof(d->in_from[i].un),
		};
	}
	n = recvmmsg(port->rx_fd, d->in_msg, BATCH_MAX, MSG_DONTWAIT, NULL);
	/* That nobody listened to what was sent before is told here, too: go on. */
	b->more = n == BATCH_MAX || (n < 0 && errno == ECONNREFUSED);
	for (int i = 0; i < n; i++)
		dgram_take(d, b, (unsigned)i);
}

/* What became of a datagram that sendmmsg() refused with @code. */
static enum drop refused(int code)
{
	switch (code) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_FULL;
	case ENOENT:
	case ECONNREFUSED:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
		return DROP_DOWN;
	}
	return DROP_ERROR;
}

static void dgram_send(struct port *port, struct stage *st)
{
	struct dgram *d = dgram_of(port);
	bool named = !d->fixed || d->local.any.sa_family == AF_UNIX, told = false;

	for (unsigned i = 0; i < st->n; i++) {
		d->out_iov[i] = (struct iovec){ st->bytes + st->piece[i].at, st->piece[i].len };
		d->out_msg[i].msg_hdr = (struct msghdr){
			.msg_iov = &d->out_iov[i],
			.msg_iovlen = 1,
			.msg_name = named ? &d->remote.any : NULL,
			.msg_namelen = named ? d->remote.len : 0,
		};
	}
	for (unsigned i = 0; i < st->n;) {
		int n = sendmmsg(port->rx_fd, d->out_msg + i, st->n - i,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			i += (unsigned)n;
		} else if (errno == ECONNREFUSED && !named && !told) {
			told = true; /* of a datagram before: this one was not tried */
		} else if (errno == EMSGSIZE) {
			st->piece[i++].drop = DROP_GIANT;
		} else {
			for (enum drop why = refused(errno); i < st->n; i++)
				st->piece[i].drop = why;
		}
	}
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
