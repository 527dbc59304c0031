/* SPDX-License-Identifier: MIT */
/*
 * ports_private: the inside of `struct ports`: one slot for each port of this process.
 *
 * The surprising rule: a slot may outlive its driver. When a guest has left, its slot keeps number,
 * name, settings and counters, and `vacant` stands in for the driver until the next guest comes.
 * Only ports.c, which owns the slots, and guests.c, which fills those of guests, may include this.
 */
#ifndef SWITCH_DAEMON_PORTS_PRIVATE_H
#define SWITCH_DAEMON_PORTS_PRIVATE_H

#include "ports/log.h"
#include "ports/port.h"
#include "switch/daemon/ports.h"
#include "switch/daemon/worker.h"

struct loop;
struct rtnl;
struct closer;

/* A descriptor that a driver asked to have watched. */
struct port_watch {
	struct slot *slot;
	int fd;
	struct port_watch *next;
};

enum {
	LOG_LINK,
	LOG_BACK,
	LOG_GONE,
	N_LOG
}; /* news of a port's link that is logged, each at its own rate */

struct slot {
	struct worker_port wp;
	struct ports *ports;
	struct port_host asks; /* what the driver may ask of us; ctx is this slot */
	struct port_spec spec; /* resolved */
	struct port_watch *watches;
	uint16_t number;
	uint16_t listener; /* whose guest it is, PORT_NONE = of the configuration */
	bool host;
	bool left;          /* the guest has just disconnected: its driver is to be closed */
	bool over;          /* nobody came back in time: the port is to be deleted */
	uint64_t left_ms;   /* when it disconnected */
	struct port vacant; /* in place of the driver after that */
	bool interface;     /* it has one, whose news are followed, */
	bool named;         /* and which is found by its name */
	int home;           /* nsid where its interface is looked for */
	int nsid;           /* nsid where it is now */
	bool present;       /* as last logged */
	bool retry;         /* missing, though it may be possible to attach soon */
	bool dirty;         /* there was news */
	bool flapped;       /* it had no link at some moment since */
	bool unsettled;     /* port->link is not yet told to the bridge */
	char note[160];
	struct log_rate rate[N_LOG];
};

struct ports {
	struct loop *loop;
	struct worker *worker;
	struct rtnl *rtnl;
	struct closer *closer;
	int retry_fd; /* a timer */
	int gone_fd;  /* an eventfd: guests have gone */
	struct slot *slot[PORT_MAX];
};

/* Returns the slot with the lowest number >= @from, or NULL. */
static inline struct slot *ports_slot_next(const struct ports *ports, unsigned from)
{
	for (; from < PORT_MAX; from++)
		if (ports->slot[from])
			return ports->slot[from];
	return NULL;
}

#define FOREACH_SLOT(s, ports)                              \
	for (struct slot *s = ports_slot_next(ports, 0); s; \
	     s = ports_slot_next(ports, s->number + 1u))

/*
 * Returns a slot for @spec without a port, or NULL; its number is PORT_NONE when all are taken.
 * ports_slot_free() is for one that has not joined.
 */
struct slot *ports_slot_new(struct ports *ports, const struct port_spec *spec, bool host);
void ports_slot_free(struct slot *s);

/* Puts the opened @port of @s into bridge and worker. Returns 0 or -errno with a sentence. */
int ports_join(struct slot *s, struct port *port, struct error *err);

/* Tells the bridge that the link of @s is as in @link. */
void ports_tell(struct slot *s, const struct link *link);

#endif
