/* SPDX-License-Identifier: MIT */
/*
 * guests: the ports of those that connect to a listening port.
 *
 * Each guest gets a port, named NAME0, NAME1, ... (NAME.0, ... where NAME ends in a digit), with
 * all settings of the listener, then and later. The surprising rule: the port outlives the guest.
 * Its addresses are forgotten at once, but for `keep` seconds it is `missing` with its name and
 * counters, and the next guest that connects takes it; with several such ports, that of the guest
 * that left last, which is the one most likely to be back. So a listener never has more ports than
 * it had guests at a time. A kept port gives way to any other that needs its number or its name.
 *
 * A driver knows nothing of this: its port ends with link.present = false. Called by ports.c, which
 * owns the slots, on the main thread.
 */
#ifndef SWITCH_DAEMON_GUESTS_H
#define SWITCH_DAEMON_GUESTS_H

#include <stdbool.h>

struct port;
struct ports;
struct slot;

/*
 * port_host.accept of the slot @ctx; from event() or timer() of @listener only, as it may close
 * ports of guests that have left. -EUSERS: as many as `guests` allows are there.
 */
int guests_accept(void *ctx, struct port *listener, struct port *port);

/* The guest of @s has disconnected; guests_sweep() follows when no frame is under way. */
void guests_leave(struct slot *s);

/*
 * The port of @s, no guest's but a temporary one, has lost its interface: it is deleted likewise,
 * and wanted no more.
 */
void guests_end(struct slot *s);

/* To be called when ports->gone_fd is readable; @ports is a struct ports. */
void guests_sweep(void *ports, unsigned what);

/* Deletes the port of the guest that left first, of all. Returns whether there was one. */
bool guests_give_up(struct ports *ports);

#endif
