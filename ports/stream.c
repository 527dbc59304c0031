/* SPDX-License-Identifier: MIT */
/*
 * stream: frames over a connection, each behind its length as four bytes, high one first, as QEMU's
 * -netdev stream and socket, passt and socket_vmnet speak it.
 *
 * One structure for three roles: a listener, which moves no frames; a guest that a listener
 * accepted, which is of no more use when its connection ends; and a client, which connects again.
 * Received frames stay where read() put them, so there is no copy.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/address.h"
#include "ports/batch.h"
#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/stage.h"

#define PREFIX 4u
#define IN_BYTES (256u * 1024u)
#define SOCKET_BYTES (1024 * 1024) /* wanted between us and a local peer, each way */
#define WAIT_MIN_MS 100u
#define WAIT_MAX_MS 5000u
#define ACCEPTS_MAX 64 /* guests at a time */
#define BACKLOG 128

enum role { LISTENER, GUEST, CLIENT };

struct stream {
	struct port port; /* rx_fd: the connection, -1 = none */
	enum role role;
	int listen_fd; /* -1 = none */
	struct address address;
	char text[256]; /* of the address */
	bool connecting;
	bool lost;        /* the connection just ended */
	bool blocked;     /* the peer does not read: until PORT_OUT */
	uint64_t wait_ms; /* before the next attempt to connect */
	uint8_t *in;
	uint32_t in_at, in_len; /* bytes taken and bytes there */
	struct stage out;
	struct log_rate rate;
};

static struct stream *stream_of(struct port *port)
{
	return (struct stream *)port;
}

static void stream_watch(struct stream *s, int fd, unsigned what)
{
	s->port.host->watch(s->port.host->ctx, &s->port, fd, what);
}

static void stream_deadline(struct stream *s, uint64_t at_ms)
{
	s->port.host->deadline(s->port.host->ctx, &s->port, at_ms);
}

static void stream_tell(struct stream *s, bool carrier)
{
	struct link link = {
		.present = carrier || s->role != GUEST,
		.up = true,
		.carrier = carrier,
	};

	if (link.carrier == s->port.link.carrier && link.present == s->port.link.present)
		return;
	s->port.link = link;
	s->port.host->link_changed(s->port.host->ctx, &s->port, &link);
}

/* Ends the connection. A client will connect again, after a while. */
static void stream_hang_up(struct stream *s, const char *why)
{
	log_info("%s: %s", s->port.name, why);
	stream_watch(s, s->port.rx_fd, 0);
	close(s->port.rx_fd);
	s->port.rx_fd = -1;
	s->in_at = s->in_len = 0;
	s->out.held = 0;
	s->connecting = s->blocked = false;
	s->lost = true;
	if (s->role == CLIENT)
		stream_deadline(s, 0);
	stream_tell(s, false);
}

static void stream_tune(int fd, sa_family_t family)
{
	int on = 1, bytes = SOCKET_BYTES;

	if (family == AF_UNIX) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	} else {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	}
}

static void stream_connected(struct stream *s)
{
	s->connecting = false;
	log_info("%s: connected to %s", s->port.name, s->text);
	stream_tell(s, true);
}

/* One attempt to connect; the next one takes longer to come, until a frame was received. */
static void stream_connect(struct stream *s, uint64_t now)
{
	sa_family_t family = s->address.any.sa_family;
	int fd = address_socket(family, SOCK_STREAM);

	stream_deadline(s, now + s->wait_ms);
	s->wait_ms = 2 * s->wait_ms < WAIT_MAX_MS ? 2 * s->wait_ms : WAIT_MAX_MS;
	if (fd < 0)
		return;
	stream_tune(fd, family);
	if (connect(fd, &s->address.any, s->address.len) && errno != EINPROGRESS) {
		log_rated(&s->rate, now, LOG_LEVEL_INFO, "%s: %s: %s", s->port.name, s->text,
			  strerror(errno));
		close(fd);
		return;
	}
	s->connecting = true;
	s->port.rx_fd = fd;
	stream_watch(s, fd, PORT_IN | PORT_OUT);
}

static void stream_free(struct stream *s)
{
	stage_fini(&s->out);
	free(s->in);
	free(s);
}

static struct stream *stream_new(enum role role, const struct port_host *host)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->port.ops = &stream_ops;
	s->port.host = host;
	s->port.rx_fd = s->listen_fd = -1;
	s->port.link = (struct link){ .present = true, .up = true, .carrier = role == GUEST };
	s->role = role;
	s->wait_ms = WAIT_MIN_MS;
	if (role == LISTENER)
		return s;
	s->in = malloc(IN_BYTES);
	if (s->in && !stage_init(&s->out, true, FRAME_MAX))
		return s;
	stream_free(s);
	return NULL;
}

static int stream_listen(struct stream *s, struct error *err)
{
	int fd = address_bind(&s->address, SOCK_STREAM, s->text, err), ret;

	if (fd < 0)
		return fd;
	if (listen(fd, BACKLOG)) {
		ret = error_set(err, -errno, "%s: %s", s->text, strerror(errno));
		close(fd);
		return ret;
	}
	s->listen_fd = fd;
	stream_watch(s, fd, PORT_IN);
	return 0;
}

static int stream_open(const struct port_spec *spec, const struct link *link,
		       const struct port_host *host, struct port **portp, struct error *err)
{
	bool listens = port_spec_number(spec, "listen", 0);
	struct stream *s;
	int ret;

	(void)link;
	if (!listens && (port_spec_number(spec, "guests", 0) ||
			 port_spec_number(spec, "keep", UINT64_MAX) != UINT64_MAX))
		return error_set(err, -EINVAL, "%s: guests and keep are for a port with listen",
				 spec->address);
	s = stream_new(listens ? LISTENER : CLIENT, host);
	if (!s)
		return error_set(err, -ENOMEM, "%s: out of memory", spec->address);
	memcpy(s->port.name, spec->name, sizeof(s->port.name));
	memcpy(s->text, spec->address, sizeof(s->text));
	ret = address_parse(s->text, SOCK_STREAM, &s->address, err);
	if (!ret && s->role == LISTENER)
		ret = stream_listen(s, err);
	if (ret) {
		stream_free(s);
		return ret;
	}
	if (s->role == CLIENT)
		stream_deadline(s, 0);
	*portp = &s->port;
	return 0;
}

static void stream_close(struct port *port)
{
	struct stream *s = stream_of(port);

	if (port->rx_fd >= 0) {
		stream_watch(s, port->rx_fd, 0);
		close(port->rx_fd);
	}
	if (s->listen_fd >= 0) {
		stream_watch(s, s->listen_fd, 0);
		close(s->listen_fd);
		address_unlink(&s->address);
	}
	stream_deadline(s, UINT64_MAX);
	stream_free(s);
}

/* Makes a port of the connection @fd. */
static void stream_welcome(struct stream *s, int fd, uint64_t now)
{
	const struct port_host *host = s->port.host;
	struct stream *guest = stream_new(GUEST, host);
	int ret = guest ? 0 : -ENOMEM;

	if (guest) {
		stream_tune(fd, s->address.any.sa_family);
		guest->port.rx_fd = fd;
		memcpy(guest->text, s->text, sizeof(guest->text));
		ret = host->accept(host->ctx, &s->port, &guest->port);
	}
	if (!ret) {
		stream_watch(guest, fd, PORT_IN | PORT_OUT);
		return;
	}
	log_rated(&s->rate, now, LOG_LEVEL_WARNING, "%s: a guest was turned away: %s", s->port.name,
		  strerror(-ret));
	if (guest)
		stream_free(guest);
	close(fd);
}

static void stream_accept(struct stream *s, uint64_t now)
{
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			stream_welcome(s, fd, now);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != ECONNABORTED) { /* out of descriptors or memory */
			log_rated(&s->rate, now, LOG_LEVEL_WARNING, "%s: %s: %s", s->port.name,
				  s->text, strerror(errno));
			stream_deadline(s, now + WAIT_MIN_MS);
			return;
		}
	}
	stream_deadline(s, now);
}

static void stream_timer(struct port *port, uint64_t now)
{
	struct stream *s = stream_of(port);

	if (s->role == LISTENER) {
		stream_accept(s, now);
	} else if (s->role == CLIENT && s->lost) {
		s->lost = false;
		stream_deadline(s, now + s->wait_ms);
	} else if (s->connecting) { /* nobody answers */
		stream_hang_up(s, "no answer");
	} else if (s->role == CLIENT && port->rx_fd < 0) {
		stream_connect(s, now);
	}
}

/* The peer reads again: what is left of a frame first. */
static void stream_resume(struct stream *s)
{
	struct stage *st = &s->out;
	ssize_t len = 0;

	if (st->held)
		len = send(s->port.rx_fd, st->bytes, st->held, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (len < 0)
		return; /* a connection that is broken is also readable */
	st->held -= (uint32_t)len;
	memmove(st->bytes, st->bytes + len, st->held);
	s->blocked = st->held;
}

static void stream_event(struct port *port, int fd, unsigned what, uint64_t now)
{
	struct stream *s = stream_of(port);
	socklen_t size = sizeof(int);
	int code = 0;

	if (fd == s->listen_fd) {
		stream_accept(s, now);
	} else if (s->connecting && what & PORT_OUT) {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
		if (code)
			stream_hang_up(s, strerror(code));
		else
			stream_connected(s);
	} else if (s->blocked && what & PORT_OUT) {
		stream_resume(s);
	}
}

/* Takes frames that are there into @b. Returns how many it looked at. */
static unsigned stream_take(struct stream *s, struct batch *b)
{
	unsigned n = 0;
	uint32_t len;

	for (; n < BATCH_MAX && s->in_len - s->in_at >= PREFIX; n++) {
		memcpy(&len, s->in + s->in_at, PREFIX);
		len = __builtin_bswap32(len);
		if (len < FRAME_HDR_LEN || len > FRAME_MAX) {
			batch_refuse(b, 0, DROP_MALFORMED);
			stream_hang_up(s, "closed: the peer sent a length that no frame has");
			break;
		}
		if (s->in_len - s->in_at - PREFIX < len)
			break;
		if (!batch_take(b, s->in + s->in_at + PREFIX, len))
			b->frame[b->n - 1].port = s->port.number;
		s->in_at += PREFIX + len;
		s->wait_ms = WAIT_MIN_MS;
	}
	return n;
}

/* Reads behind the part of a frame that is there. Returns whether there was something. */
static bool stream_read(struct stream *s)
{
	ssize_t len;

	s->in_len -= s->in_at;
	memmove(s->in, s->in + s->in_at, s->in_len);
	s->in_at = 0;
	len = recv(s->port.rx_fd, s->in + s->in_len, IN_BYTES - s->in_len, MSG_DONTWAIT);
	if (len > 0)
		s->in_len += (uint32_t)len;
	else if (!len)
		stream_hang_up(s, "the peer has gone");
	else if (errno != EAGAIN)
		stream_hang_up(s, strerror(errno));
	return len > 0;
}

static void stream_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct stream *s = stream_of(port);

	(void)queue;
	b->n = 0;
	b->more = false;
	if (port->rx_fd < 0 || s->connecting)
		return;
	if (!stream_take(s, b) && port->rx_fd >= 0) {
		if (!stream_read(s))
			return;
		stream_take(s, b);
	}
	b->more = port->rx_fd >= 0;
}

/* After @sent bytes of the buffer went: the rest of a frame that was begun is kept, those behind it
 * are lost. */
static void stream_keep(struct stage *st, uint32_t sent)
{
	uint32_t end = sent < st->held ? st->held : sent; /* of the frame that was begun */

	for (unsigned i = 0; i < st->n; i++) {
		struct stage_piece *p = &st->piece[i];

		if (p->at >= sent)
			p->drop = DROP_FULL;
		else if (p->at + p->len > sent)
			end = p->at + p->len;
	}
	st->held = end - sent;
	memmove(st->bytes, st->bytes + sent, st->held);
}

static void stream_send(struct port *port, struct stage *st)
{
	struct stream *s = stream_of(port);
	enum drop drop = s->blocked ? DROP_FULL : DROP_DOWN;
	ssize_t sent = -1;

	if (port->rx_fd >= 0 && !s->connecting && !s->blocked) {
		sent = send(port->rx_fd, st->bytes, st->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		s->blocked = sent < (ssize_t)st->len && (sent >= 0 || errno == EAGAIN);
		if (sent < 0 && (s->blocked || errno == ENOBUFS || errno == ENOMEM))
			sent = 0;
		else if (sent < 0)
			stream_hang_up(s, strerror(errno));
	}
	if (sent == (ssize_t)st->len)
		st->held = 0;
	else if (sent >= 0)
		stream_keep(st, (uint32_t)sent);
	for (unsigned i = 0; sent < 0 && i < st->n; i++)
		st->piece[i].drop = drop;
}

static void stream_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct stream *s = stream_of(port);

	(void)queue;
	if (s->blocked || port->rx_fd < 0 || s->connecting) { /* not worth finishing them */
		q->stats.drop_out[s->blocked ? DROP_FULL : DROP_DOWN] += q->n;
		q->n = 0;
	} else {
		stage_tx(&s->out, port, q, stream_send);
	}
}

static const struct port_option stream_options[] = {
	{ .name = "listen",
	  .type = PORT_OPT_FLAG,
	  .help = "wait for guests: each that connects gets a port of its own, named by this one's "
		  "name and a number, with this one's settings (default: connect, again and again)" },
	PORT_GUEST_OPTIONS,
	{ .name = NULL },
};

const struct port_ops stream_ops = {
	.kind = "stream",
	.address = "unix:PATH|HOST:PORT",
	.help = "a connection to a QEMU guest (-netdev stream or socket), passt, ...",
	.options = stream_options,
	.open = stream_open,
	.close = stream_close,
	.event = stream_event,
	.timer = stream_timer,
	.rx = stream_rx,
	.tx = stream_tx,
};
