/* SPDX-License-Identifier: MIT */
/*
 * packet: ports on existing interfaces, through AF_PACKET.
 *
 * Three sockets: one with a receive ring, one with a send ring, one to send super-frames. The
 * surprising rule: the sockets outlive the interface. When that is deleted they are bound to
 * nothing, and bound again when one of its name appears, so descriptors are constant; a renamed
 * interface stays the port's. Only when their namespace loses its name are they closed, because
 * they would keep it alive. The driver's tables are `packet_ops` (kinds.h) and `guest_ops`
 * (guest.h). packet_rx.c receives, packet_tx.c sends, packet_fast.c
 * leaves frames to the kernel.
 */
#ifndef PORTS_PACKET_H
#define PORTS_PACKET_H

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "ports/iface.h"
#include "ports/port.h"

/* Slots of a ring, packed into 64 KiB blocks, no multiple of 4096 apart (cache sets). */
#define PACKET_SLOT 2112u
#define PACKET_BLOCK 65536u
#define PACKET_BLOCK_SLOTS (PACKET_BLOCK / PACKET_SLOT)
#define PACKET_BLOCKS 33u
#define PACKET_SLOTS (PACKET_BLOCKS * PACKET_BLOCK_SLOTS)

struct packet {
	struct port port;         /* rx_fd has the receive ring; -1 when its namespace is gone */
	char ifname[IF_NAMESIZE]; /* as the user says */
	char netns[256];          /* where the interface is, "" = here */
	int netns_fd;             /* tells when that namespace loses its name; -1 = none */
	int ifindex;              /* what the sockets are bound to, 0 = nothing */
	bool complained;          /* said why it cannot attach to the interface that is there now */
	bool bypass;              /* send past the queueing discipline, as the user says */
	bool host_drop;           /* keep the host's own stack out */
	int drop_fd;              /* holds the filter for that; -1 = none */
	char drop_name[IF_NAMESIZE];  /* what the interface was called then */
	struct packet_attach *attach; /* to the fast path, under way or done; NULL = not */
	bool remove_tap;              /* the TAP was made for this port and goes with it */

	/* packet_rx.c */
	uint8_t *rx_ring; /* NULL: receive without it, by recvmmsg() */
	unsigned rx_next; /* slot to look at */
	unsigned rx_held; /* slots before it that were not given back yet */
	bool woken;       /* there was an event: an empty ring needs an explanation */
	bool suspect;     /* frames were dropped although the ring was empty */
	uint64_t missed;
	unsigned vlen; /* frames to ask for at once, without the ring */
	struct mmsghdr in_msg[BATCH_MAX];
	struct iovec in_iov[BATCH_MAX];
	uint8_t in_aux[BATCH_MAX][CMSG_SPACE(sizeof(struct tpacket_auxdata))]
		__attribute__((aligned(8)));

	/* packet_tx.c */
	int tx_fd;   /* for super-frames, and for everything without a ring */
	int ring_fd; /* has the send ring; -1 = none */
	bool direct; /* both send past the queueing discipline */
	uint8_t *tx_ring;
	uint32_t tx_slot, tx_slots;   /* bytes of a slot, and how many there are */
	uint32_t tx_block, tx_blocks; /* the same of blocks */
	uint32_t tx_next;             /* slot to fill */
	struct mmsghdr out_msg[BATCH_MAX];
	struct wire wire[BATCH_MAX];
	const struct txq_entry *out[BATCH_MAX];
};

/* The options of `packet`. Ends with name = NULL. */
extern const struct port_option packet_options[];

/* As port_ops.open(), for a port with table @ops. */
int packet_open_as(const struct port_ops *ops, const struct port_spec *spec,
		   const struct port_host *host, struct packet **packetp, struct error *err);
void packet_close(struct port *port);
void packet_link(struct port *port, const struct link *news);
/* Something happened on @fd. Without that, looking for frames in an empty ring costs no system
 * call. */
void packet_event(struct port *port, int fd, unsigned what, uint64_t now);
void packet_timer(struct port *port, uint64_t now);

/*
 * Opens the network namespace that @port, a `packet` or a guest's, works in. Returns a descriptor
 * for the caller to close, or -errno (-EPERM, -ENOTTY: not to be known, so suppose the switch's
 * own).
 */
int packet_netns(const struct port *port);

/* The interface is gone: reports it, at once, and waits for packet_link(). */
void packet_vanish(struct packet *p);

/* Returns whether the sockets are still bound to the interface they were bound to. */
bool packet_bound(const struct packet *p);

/* packet_rx.c: makes the ring of rx_fd, without which recvmmsg() does; and releases it. */
void packet_rx_init(struct packet *p);
void packet_rx_fini(struct packet *p);
/* Gives the ring up and receives without: slower, and tags come as control messages. */
void packet_rx_plain(struct packet *p);
/* Throws away what an interface that is gone left behind. No batch may be on its way. */
void packet_rx_flush(struct packet *p);
bool packet_waiting(const struct port *port);
void packet_rx(struct port *port, unsigned queue, struct batch *b);
void packet_done(struct port *port, unsigned queue, struct batch *b);
void packet_refresh(struct port *port, struct port_stats *stats);

/* packet_fast.c: port_ops.fast(); looks again at what the interface has; ends it. */
void packet_fast(struct port *port);
void packet_fast_look(struct packet *p);
void packet_fast_close(struct packet *p);

/* packet_tx.c */
void packet_tx_init(struct packet *p);
/* Makes the send ring for the MTU that the port has; takes some 10 ms. Sending works without. */
void packet_tx_open(struct packet *p);
/* Releases it: the interface or its MTU is another. */
void packet_tx_reset(struct packet *p);
/* Opens a socket to send on, bound to p->ifindex if that is not 0. Returns it or -errno. */
int packet_tx_socket(const struct packet *p);
void packet_tx(struct port *port, unsigned queue, struct txq *q);

#endif
