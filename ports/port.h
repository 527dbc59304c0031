/* SPDX-License-Identifier: MIT */
/*
 * port: what every kind of port is to the rest of the switch.
 *
 * A kind is one `struct port_ops` in one file (tap.c, packet.c, pcap.c, mem.c); its own structure embeds
 * `struct port` as its first member. The surprising rule: transmit is synchronous. When tx() returns, every entry
 * of the queue was copied out or dropped and counted; a full peer loses its own frames and never blocks. No driver
 * knows the event loop: it asks for descriptors and deadlines through `struct port_host`, so tests can drive it
 * by hand. A driver's error ends in its counters or in link.present = false, never in exit.
 *
 * Ports are opened, closed and run by switch/daemon (and tests); all calls come from one thread.
 */
#ifndef PORTS_PORT_H
#define PORTS_PORT_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ports/error.h"
#include "ports/frame.h"
#include "ports/offload.h"

#define PORT_NAME_MAX 16u /* IFNAMSIZ, the final NUL included */
#define PORT_OPTIONS_MAX 16u

struct port;

/* The state of what is behind a port. */
struct link {
	bool present;  /* false: `missing`, the interface does not exist or is gone */
	bool up;       /* IFF_UP */
	bool carrier;  /* IFF_LOWER_UP */
	bool promisc;  /* IFF_PROMISC: matters for the host port only */
	uint32_t mtu;  /* bytes without Ethernet header; 0 = no limit */
	int ifindex;   /* in the port's namespace; 0 = none */
	uint64_t mac;  /* 0 = none */
};

struct port_host { /* what a driver may ask of whoever runs it */
	void *ctx;
	/* Report events of @fd, PORT_IN | PORT_OUT, edge-triggered: rx() runs until `more` is false. 0: no longer. */
	void (*watch)(void *ctx, struct port *port, int fd, unsigned what);
	/* Call timer() at @at_ms (monotonic ms), once; UINT64_MAX = never. */
	void (*deadline)(void *ctx, struct port *port, uint64_t at_ms);
	/* The driver itself noticed that @port's link is now as in @link. */
	void (*link_changed)(void *ctx, struct port *port, const struct link *link);
	/* A listener made @port (its `name` filled in); the host gives it a number or closes it. */
	void (*accept)(void *ctx, struct port *listener, struct port *port);
	/* Close @fd, unwatched, beside the frames: the kernel makes us wait 20 ms. NULL: do it yourself (port_discard). */
	void (*discard)(void *ctx, int fd);
};
enum { PORT_IN = 1, PORT_OUT = 2 };

enum port_option_type {
	PORT_OPT_FLAG,   /* on|off; without "=" it means on */
	PORT_OPT_NUMBER, /* min..max */
	PORT_OPT_TEXT,
};

/* One option of a kind; the tables make parsing, --help and the man page. */
struct port_option {
	const char *name;
	enum port_option_type type;
	uint64_t min, max;
	const char *words; /* PORT_OPT_TEXT: what it may be, "share|drop"; NULL = anything */
	const char *help; /* "MTU of the interface that is created, 68..65521 (default 1500)" */
};

/* A port as the user wrote it: `kind:address,option=value`, taken apart and checked against the option table. */
struct port_spec {
	const struct port_ops *ops;   /* NULL for the bare-name form until it is resolved */
	char name[PORT_NAME_MAX];     /* name= or the interface's; "": the host makes one of kind and number */
	char address[256];            /* interface name, path, host:port; "" if the kind needs none */
	unsigned n_options;
	struct {
		const struct port_option *option;
		uint64_t number;      /* PORT_OPT_FLAG (0/1) and PORT_OPT_NUMBER */
		char text[256];
	} option[PORT_OPTIONS_MAX];
};

struct port_ops {
	const char *kind;    /* "tap" */
	const char *address; /* what stands after the colon, for --help: "NAME", "[FILE]" if optional; NULL = nothing */
	const char *help;    /* one line */
	bool interface;      /* address is an interface name (checked as one; the port's default name) */
	bool local_mac;      /* the interface's MAC is an address of the switch (packet ports, host port) */
	const struct port_option *options; /* ends with name = NULL */

	/*
	 * Opens @spec. @link is what is known of the interface (present = false: it does not exist; NULL: the kind has
	 * none). Fills *@portp. A packet port whose interface is absent opens as missing. Returns 0 or -errno with a
	 * sentence in @err, and then leaves nothing behind.
	 */
	int (*open)(const struct port_spec *spec, const struct link *link, const struct port_host *host,
		    struct port **portp, struct error *err);
	void (*close)(struct port *port);
	/* @fd of watch() is ready for @what. Drivers whose only event is "frames to read" need none. */
	void (*event)(struct port *port, int fd, unsigned what, uint64_t now);
	void (*timer)(struct port *port, uint64_t now);
	/* News of the interface, from netlink. The driver (re)binds, and answers through link_changed(). */
	void (*link)(struct port *port, const struct link *link);
	/* Receives up to a batch. Fills @b->frame, @b->n and @b->more; counts what it refuses in @b->stats. */
	void (*rx)(struct port *port, unsigned queue, struct batch *b);
	/* Sends all of @q and leaves it empty; counts tx, tx_bytes, tx_segments and drop_out in @q->stats. */
	void (*tx)(struct port *port, unsigned queue, struct txq *q);
	/* All sending of @b is over: slots and guest buffers go back. May be NULL. */
	void (*done)(struct port *port, unsigned queue, struct batch *b);
	/* Brings counters that live in the kernel (rx_missed) into @stats. May be NULL. */
	void (*refresh)(struct port *port, struct port_stats *stats);
};

struct port {
	const struct port_ops *ops;
	const struct port_host *host;
	uint16_t number;  /* given by the host after open() */
	char name[PORT_NAME_MAX];
	uint32_t caps;    /* enum offload_cap: what tx() can pass on unfinished */
	struct link link; /* as last told by link_changed() */
	int rx_fd;        /* -1 = none */
};

/* All kinds, NULL-terminated. */
extern const struct port_ops *const port_kinds[];

/* Returns the kind named @kind, or NULL. */
const struct port_ops *port_kind(const char *kind);
/*
 * Takes @text (`NAME`, `KIND:ADDRESS`, each with `,option=value`...) apart into @spec and checks it against the
 * kind's table. For the bare form spec->ops is NULL, options are kept unchecked as text until port_spec_resolve().
 * Returns 0 or -EINVAL with a sentence in @err that names the word at fault and what is allowed.
 */
int port_spec_parse(const char *text, struct port_spec *spec, struct error *err);

/* Decides a bare @spec to be of kind @ops and checks its options. Returns 0 or -EINVAL with a sentence. */
int port_spec_resolve(struct port_spec *spec, const struct port_ops *ops, struct error *err);

/* Prints @spec as port_spec_parse() reads it, canonically, into @text (@size bytes). */
void port_spec_print(const struct port_spec *spec, char *text, size_t size);

/* Returns the value of option @name in @spec or @fallback. */
uint64_t port_spec_number(const struct port_spec *spec, const char *name, uint64_t fallback);
/* Returns the text of option @name in @spec or NULL. */
const char *port_spec_text(const struct port_spec *spec, const char *name);

/* Checks that @name can name a port: 1..15 bytes, no '/', ':', ',', '%', no white space, not "." or "..". */
int port_name_check(const char *name, struct error *err);

#endif
