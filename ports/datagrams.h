/* SPDX-License-Identifier: MIT */
/*
 * datagrams: one frame a datagram, many datagrams a system call.
 *
 * What `dgram` ports and the guests of `vde` share. The surprising rule: a Unix socket holds only
 * net.unix.max_dgram_qlen datagrams, ten by default, whatever its buffer: of longer bursts frames
 * are lost. Room for the kernel's vectors, part of a driver's own structure; used by rx() and tx()
 * in turn.
 */
#ifndef PORTS_DATAGRAMS_H
#define PORTS_DATAGRAMS_H

#include "ports/address.h"
#include "ports/stage.h"

struct datagrams {
	struct mmsghdr msg[STAGE_PIECES];
	struct iovec iov[STAGE_PIECES];
	struct address from[BATCH_MAX]; /* who sent the datagrams of the last batch */
};

/* Asks for the memory between @fd and its peer that bursts need. */
void datagrams_tune(int fd);

/* Says so, for the port @name, when Unix sockets hold fewer datagrams than a batch has. */
void datagrams_warn(const char *name);

/*
 * Receives from port->rx_fd up to a batch into @b, as rx() does. With @from, d->from[i] is who sent
 * datagram i, of length 0 if that has no address. Returns how many datagrams there were.
 */
unsigned datagrams_receive(struct datagrams *d, const struct port *port, bool from,
			   struct batch *b);

/*
 * Sends the pieces of @st on @fd to @to, NULL = whom it is connected to; notes in each piece why it
 * did not go.
 */
void datagrams_send(struct datagrams *d, int fd, struct address *to, struct stage *st);

#endif
