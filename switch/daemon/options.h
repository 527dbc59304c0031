/* SPDX-License-Identifier: MIT */
/*
 * options: the command line of uswitch.
 *
 * One table makes parsing, `--help` and the messages. The surprising rule: ports are not made here;
 * each -p and -l becomes the line that a configuration file would have (`link add tap0,mtu=9000`),
 * so there is one way to say it. Strings point into argv or are freed by options_fini(). Called by
 * main.c and tests.
 */
#ifndef SWITCH_DAEMON_OPTIONS_H
#define SWITCH_DAEMON_OPTIONS_H

#include <stdio.h>

#include "ports/error.h"
#include "switch/daemon/daemon.h"

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

/*
 * Reads the command line into @o, with defaults for what is not given; options_fini() releases it
 * in any case. Every -p is checked against the table of its kind. Returns an enum options_action,
 * or -EINVAL with a sentence.
 */
int options_parse(struct options *o, int argc, char **argv, struct error *err);
void options_fini(struct options *o);

/*
 * Derives the control socket's path unless -S gave one: @run/NAME.sock, where @run ("/run/uswitch")
 * is made if need be, else $XDG_RUNTIME_DIR/uswitch/NAME.sock. The folder must be root's or our
 * own, and not writable by others. Returns 0 or -errno with a sentence that names -S.
 */
int options_socket(struct options *o, const char *run, struct error *err);

/* Prints the text of --help. */
void options_help(FILE *out);

#endif
