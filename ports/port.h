/* SPDX-License-Identifier: MIT */
/*
 * port: what every kind of port is to the rest of the switch.
 *
 * A kind is one `struct port_ops` in one file (tap.c, packet.c, pcap.c, mem.c); its own structure
 * embeds `struct port` as its first member. The surprising rule: transmit is synchronous. When tx()
 * returns, every entry of the queue was copied out or dropped and counted; a full peer loses its
 * own frames and never blocks. No driver knows the event loop: it asks for descriptors and
 * deadlines through `struct port_host`, so tests can drive it by hand. A driver's error ends in its
 * counters or in link.present = false, never in exit.
 *
 * Ports are opened, closed and run by switch/daemon (and tests); all calls come from one thread.
 */
#ifndef PORTS_PORT_H
#define PORTS_PORT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/error.h"
#include "ports/offload.h"
#include "ports/queue.h"
#include "ports/spec.h"

struct port;

/* The state of what is behind a port. */
struct link {
	bool present; /* false: `missing`, the interface does not exist or is gone */
	bool up;      /* IFF_UP */
	bool carrier; /* IFF_LOWER_UP */
	bool promisc; /* IFF_PROMISC: matters for the host port only */
	uint32_t mtu; /* bytes without Ethernet header; 0 = no limit */
	int ifindex;  /* in the port's namespace; 0 = none */
	uint64_t mac; /* 0 = none */
};

/* What the kernel has to know of an interface to forward past the switch, see fastpath.h. */
struct port_fast {
	bool attached;  /* what it receives may be forwarded so, */
	int ifindex;    /* and frames sent there; 0 = neither */
	uint64_t netns; /* in which namespace that is */
	uint64_t peer;  /* MAC of a veth's other end that may be given frames directly; 0 = none */
	uint32_t peer_max_len; /* longest frame that it takes */
};

struct fastpath;

struct port_host { /* what a driver may ask of whoever runs it */
	void *ctx;
	/*
	 * Report events of @fd, PORT_IN | PORT_OUT, edge-triggered: rx() runs until `more` is
	 * false. 0: no longer.
	 */
	void (*watch)(void *ctx, struct port *port, int fd, unsigned what);
	/* Call timer() at @at_ms (monotonic ms), once; UINT64_MAX = never. */
	void (*deadline)(void *ctx, struct port *port, uint64_t at_ms);
	/* The driver itself noticed that @port's link is now as in @link. */
	void (*link_changed)(void *ctx, struct port *port, const struct link *link);
	/*
	 * @listener made @port for a guest; from event() or timer() only. 0: it has a name and a
	 * number, and asks its own port->host from now on, until it says that it is not present:
	 * then it is closed soon. Else -errno, and the driver frees it.
	 */
	int (*accept)(void *ctx, struct port *listener, struct port *port);
	/*
	 * Close @fd, unwatched, beside the frames: the kernel makes us wait 20 ms. NULL: do it
	 * yourself (port_discard).
	 */
	void (*discard)(void *ctx, int fd);
	/*
	 * The fast path of this switch, or NULL; the member may be NULL, too. And: call @work with
	 * @arg beside the frames.
	 */
	struct fastpath *(*fastpath)(void *ctx);
	void (*aside)(void *ctx, void (*work)(void *arg), void *arg);
	int leaving; /* a bridge that is about to let go of its ports, which may be used: ifindex */
};
enum { PORT_IN = 1, PORT_OUT = 2 };

struct port_ops {
	const char *kind;    /* "tap" */
	const char *address; /* after the colon, for --help: "NAME", "[FILE]" if optional, NULL */
	const char *help;    /* one line */
	bool interface; /* address is an interface name (checked as one; the port's default name) */
	bool local_mac; /* the interface's MAC is an address of the switch */
	const struct port_option *options; /* ends with name = NULL */

	/*
	 * Opens @spec. @link is what is known of the interface (present = false: it does not exist;
	 * NULL: the kind has none). Fills *@portp. A packet port whose interface is absent opens as
	 * missing. Returns 0 or -errno with a sentence in @err, and then leaves nothing behind.
	 */
	int (*open)(const struct port_spec *spec, const struct link *link,
		    const struct port_host *host, struct port **portp, struct error *err);
	void (*close)(struct port *port);
	/*
	 * @fd of watch() is ready for @what. Drivers whose only event is "frames to read" need
	 * none.
	 */
	void (*event)(struct port *port, int fd, unsigned what, uint64_t now);
	void (*timer)(struct port *port, uint64_t now);
	/*
	 * News of the interface, from netlink. The driver (re)binds, and answers through
	 * link_changed().
	 */
	void (*link)(struct port *port, const struct link *link);
	/*
	 * Receives up to a batch. Fills @b->frame, @b->n and @b->more; counts what it refuses in
	 * @b->stats.
	 */
	void (*rx)(struct port *port, unsigned queue, struct batch *b);
	/*
	 * Sends all of @q and leaves it empty; counts tx, tx_bytes, tx_segments and drop_out in
	 * @q->stats.
	 */
	void (*tx)(struct port *port, unsigned queue, struct txq *q);
	/* All sending of @b is over: slots and guest buffers go back. May be NULL. */
	void (*done)(struct port *port, unsigned queue, struct batch *b);
	/*
	 * Known unicast comes or goes here that the kernel might forward by itself: gets ready for
	 * that, soon or never, and keeps port->fast up to date. NULL: never.
	 */
	void (*fast)(struct port *port);
	/* Returns whether received frames wait, without a system call. NULL as fast() is. */
	bool (*waiting)(const struct port *port);
	/* Brings counters that live in the kernel (rx_missed) into @stats. May be NULL. */
	void (*refresh)(struct port *port, struct port_stats *stats);
};

struct port {
	const struct port_ops *ops;
	const struct port_host *host;
	uint16_t number; /* given by the host after open() */
	char name[PORT_NAME_MAX];
	uint32_t caps;    /* enum offload_cap: what tx() can pass on unfinished */
	struct link link; /* as last told by link_changed() */
	int rx_fd;        /* -1 = none */
	struct port_fast fast;
};

/* All kinds, NULL-terminated. */
extern const struct port_ops *const port_kinds[];

/* Returns the kind named @kind, or NULL. */
const struct port_ops *port_kind(const char *kind);

#endif
