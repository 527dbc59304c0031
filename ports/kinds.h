/* SPDX-License-Identifier: MIT */
/*
 * kinds: the kinds of port this build has, and the parser of port descriptions that works on any
 * such table.
 *
 * A new driver adds its line here and one in port.c. The surprising rule: ports/spec.c is part of
 * the pure core and knows no driver; whoever calls it hands in the table. Used by port.c, the
 * drivers and tests.
 */
#ifndef PORTS_KINDS_H
#define PORTS_KINDS_H

#include <stdio.h>

#include "ports/port.h"
#include "vlan/portset.h"

extern const struct port_ops tap_ops;
extern const struct port_ops fd_ops;
extern const struct port_ops packet_ops;
extern const struct port_ops stream_ops;
extern const struct port_ops dgram_ops;
extern const struct port_ops vde_ops;
extern const struct port_ops pcap_ops;
extern const struct port_ops mem_ops;
extern const struct port_ops vhost_user_ops;

/* Options that every kind of port has: the switch's own, not a driver's. Ends with name = NULL. */
extern const struct port_option port_common_options[];

/*
 * Options of every kind that listens for guests (port_host.accept): the switch's own, too, but in
 * the kind's table, as few kinds listen.
 */
#define PORT_GUESTS 256u
#define PORT_KEEP_S 300u
#define PORT_GUEST_OPTIONS                                                                   \
	{ .name = "guests",                                                                  \
	  .type = PORT_OPT_NUMBER,                                                           \
	  .min = 1,                                                                          \
	  .max = PORT_MAX - 1,                                                               \
	  .help = "of a listening port: at most N guests at a time (default 256)" },         \
	{                                                                                    \
		.name = "keep", .type = PORT_OPT_NUMBER, .max = 86400,                       \
		.help = "of a listening port: keep the port of a guest that has left for N " \
			"seconds, with its name and counters, for when it is back (default " \
			"300; 0 = not)"                                                      \
	}

/* As port_spec_parse() with the kinds of @kinds, NULL-terminated. */
int port_spec_parse_kinds(const char *text, const struct port_ops *const *kinds,
			  struct port_spec *spec, struct error *err);

/*
 * Closes @fd, a TAP or packet socket of @port: the kernel waits for its readers, so the host does
 * it beside the frames.
 */
void port_discard(const struct port *port, int fd);

/* Prints every kind with its options to @out, for --help. */
void port_help_print(FILE *out);

#endif
