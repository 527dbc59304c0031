/* SPDX-License-Identifier: MIT */
#include "ports/datagrams.h"

#include <errno.h>
#include <stdio.h>

#include "ports/batch.h"
#include "ports/log.h"

#define SOCKET_BYTES (1024 * 1024)               /* wanted for each direction */
#define IN_BYTES (FRAME_MAX + FRAME_TAG_LEN + 1) /* one more, to see that something was longer */

_Static_assert(IN_BYTES <= BATCH_SLOT, "a datagram has room in its slot");
_Static_assert(BATCH_MAX <= STAGE_PIECES, "a batch has room in the vectors");

void datagrams_tune(int fd)
{
	int bytes = SOCKET_BYTES;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void datagrams_warn(const char *name)
{
	FILE *f = fopen("/proc/sys/net/unix/max_dgram_qlen", "re");
	unsigned qlen;

	if (!f)
		return;
	if (fscanf(f, "%u", &qlen) == 1 && qlen < BATCH_MAX)
		log_notice(
			"%s: Unix sockets hold %u datagrams here, of longer bursts frames are lost; "
			"before this and the guest start: sysctl net.unix.max_dgram_qlen=512",
			name, qlen);
	fclose(f);
}

unsigned datagrams_receive(struct datagrams *d, const struct port *port, bool from, struct batch *b)
{
	int n;

	b->n = 0;
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		d->iov[i] = (struct iovec){ batch_slot(b, i), IN_BYTES };
		d->msg[i].msg_hdr = (struct msghdr){
			.msg_iov = &d->iov[i],
			.msg_iovlen = 1,
			.msg_name = from ? &d->from[i].any : NULL,
			.msg_namelen = from ? sizeof(d->from[i].un) : 0,
		};
	}
	n = recvmmsg(port->rx_fd, d->msg, BATCH_MAX, MSG_DONTWAIT, NULL);
	/* That nobody listened to what was sent before is told here, too: go on. */
	b->more = n == BATCH_MAX || (n < 0 && (errno == ECONNREFUSED || errno == ECONNRESET));
	for (int i = 0; i < n; i++) {
		d->from[i].len = d->msg[i].msg_hdr.msg_namelen > sizeof(sa_family_t)
					 ? d->msg[i].msg_hdr.msg_namelen
					 : 0;
		if (!batch_take(b, batch_slot(b, (unsigned)i), d->msg[i].msg_len))
			b->frame[b->n - 1].port = port->number;
	}
	return n > 0 ? (unsigned)n : 0;
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
	case ECONNRESET:
	case ENOTCONN:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
		return DROP_DOWN;
	}
	return DROP_ERROR;
}

void datagrams_send(struct datagrams *d, int fd, struct address *to, struct stage *st)
{
	bool told = false;

	for (unsigned i = 0; i < st->n; i++) {
		d->iov[i] = (struct iovec){ st->bytes + st->piece[i].at, st->piece[i].len };
		d->msg[i].msg_hdr = (struct msghdr){
			.msg_iov = &d->iov[i],
			.msg_iovlen = 1,
			.msg_name = to ? &to->any : NULL,
			.msg_namelen = to ? to->len : 0,
		};
	}
	for (unsigned i = 0; i < st->n;) {
		int n = sendmmsg(fd, d->msg + i, st->n - i, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			i += (unsigned)n;
		} else if (errno == ECONNREFUSED && !to && !told) {
			told = true; /* of a datagram before: this one was not tried */
		} else if (errno == EMSGSIZE) {
			st->piece[i++].drop = DROP_GIANT;
		} else {
			for (enum drop why = refused(errno); i < st->n; i++)
				st->piece[i].drop = why;
		}
	}
}
