/* SPDX-License-Identifier: MIT */
/*
 * vhost: what the files of the vhost-user port share.
 *
 * vhost_user.c has the port: its socket, connecting, failing, trying again. vhost_wire.c reads the
 * front-end's messages, vhost_msg.c obeys them, vhost_net.c has the frames. The surprising rule:
 * nothing is unmapped or closed while frames may still point into the guest's memory; who finds a
 * front-end to be hostile calls vhost_fail(), which only takes it off the air, and the port's timer
 * does the rest when no frame is under way.
 *
 * A struct vhost lives from open() to close() of its port; a front-end comes and goes in between.
 */
#ifndef PORTS_VHOST_H
#define PORTS_VHOST_H

#include "ports/log.h"
#include "ports/port.h"
#include "ports/vhost_feature.h"
#include "ports/vhost_mem.h"
#include "ports/vring.h"

#define VHOST_PAIRS 16u /* queue pairs of one port */
#define VHOST_QUEUES (2 * VHOST_PAIRS)
#define VHOST_FDS 8u       /* descriptors that one message may bring */
#define VHOST_PAYLOAD 512u /* bytes of the longest message without its header */
#define VHOST_PARTIAL_MS 1000u

/* One ring; even numbers are the guest's receive queues, odd ones its transmit queues. */
struct vhost_queue {
	struct vring ring;
	uint32_t base;         /* for the next start */
	int kick, call, error; /* -1 = none */
	bool addressed;        /* SET_VRING_ADDR came */
	bool started, enabled;
};

/* A message on its way in. */
struct vhost_message {
	struct {
		uint32_t request, flags, size;
	} head;
	uint8_t payload[VHOST_PAYLOAD];
	unsigned got; /* bytes, header included */
	unsigned n_fd;
	int fd[VHOST_FDS];
	bool reply; /* the handler made an answer of head and payload */
};

struct vhost {
	struct port port;
	char path[108];
	bool server;
	int listen_fd, waiting_fd, fd; /* -1 = none; the second is who connected too early */
	/* the front-end */
	bool live; /* connected, and not broken */
	uint64_t features, protocol;
	uint8_t status; /* of the guest's driver, as SET_STATUS says */
	uint32_t mtu;   /* NET_SET_MTU; 0 = not said */
	struct vhost_mem mem;
	struct vhost_queue queue[VHOST_QUEUES];
	struct vhost_message msg;
	unsigned errors; /* messages refused since it connected */
	/* trouble and time */
	const char *broken;                      /* why it has to go */
	uint64_t now;                            /* of the event that is handled */
	uint64_t partial_at, retry_at, up_since; /* ms; UINT64_MAX = never */
	uint32_t backoff_ms, connect_ms;
	struct log_rate rate;
	/* frames */
	bool mergeable;
	uint8_t header_len; /* 10 or 12 */
	uint32_t allowed;   /* enum offload_cap: what the guest may ask of us */
	uint8_t n_in, in[VHOST_PAIRS], n_out,
		out[VHOST_PAIRS];  /* running queues: from the guest, to it */
	uint8_t turn;              /* of the next in[] */
	struct vhost_queue *from;  /* whose chains are in in_pool, while its frames are under way */
	struct vhost_queue *ahead; /* the same between two batches */
	struct vhost_queue *filling; /* whose chains are in out_pool from `next` on */
	bool rarp;                   /* announce rarp_mac */
	bool listening;              /* the guest was asked for kicks */
	uint64_t rarp_mac;
	uint64_t poll_ns, window_ns,
		idle_ns; /* longest polling, its length now, when frames ended (0 = they did not) */
	unsigned next;   /* chain of out_pool to be filled */
	struct vpool in_pool, out_pool;
};

/*
 * The front-end broke a rule: it is off the air at once, disconnected and quarantined soon. @why is
 * a constant.
 */
void vhost_fail(struct vhost *v, const char *why);

/* Sees to it that the timer runs when something is due. */
void vhost_set_deadline(struct vhost *v);

/*
 * Reads and obeys messages. Returns 0; -EAGAIN: there may be more; -ECONNRESET: the front-end is
 * gone; -EPROTO: failed.
 */
int vhost_receive(struct vhost *v, uint64_t now);

/*
 * Obeys the message that was read; an answer is left in it. Returns 0, or -EPROTO when the
 * front-end has failed.
 */
int vhost_obey(struct vhost *v);

/*
 * Returns all chains that are not under way to their rings: needed before memory, or a ring,
 * changes.
 */
void vhost_release(struct vhost *v);

/* Stops queue @q and closes its kick descriptor. */
void vhost_stop(struct vhost *v, struct vhost_queue *q);

/* Closes the descriptors of the message on its way in, and forgets it. */
void vhost_forget(struct vhost *v);

/* Works out again what runs, and tells the link. */
void vhost_update(struct vhost *v);

/* The frame functions of struct port_ops. */
void vhost_rx(struct port *port, unsigned queue, struct batch *b);
void vhost_tx(struct port *port, unsigned queue, struct txq *q);
void vhost_done(struct port *port, unsigned queue, struct batch *b);

/* A kick came after @v went to sleep. */
void vhost_woken(struct vhost *v);

#endif
