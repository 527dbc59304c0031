/* SPDX-License-Identifier: MIT */
/*
 * daemon: the process: what its parts share.
 *
 * One object, made in main.c and passed by pointer. `base` is command line + configuration file;
 * `wanted` is that plus what was changed at run time; the backend is brought to `wanted` by
 * daemon_apply(). Times are milliseconds of CLOCK_MONOTONIC, read once a wakeup (loop_now).
 * Everything here runs on the main thread.
 */
#ifndef SWITCH_DAEMON_DAEMON_H
#define SWITCH_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/error.h"
#include "switch/daemon/backend.h"
#include "switch/model.h"
#include "switch/outbox.h"

struct loop;
struct control;
struct json_t;
struct leaver;

struct options {
	char name[PORT_NAME_MAX]; /* -n */
	const char
		*host; /* -l: the host port's interface, "" = named like the switch, NULL = none */
	const char *file;    /* -c, NULL = none */
	const char *backend; /* -b: user, kernel, auto */
	bool adopt;          /* -b kernel,adopt: take over a bridge of that name */
	bool enforce;        /* -b kernel,enforce: undo what others change */
	bool keep;           /* -b kernel,keep: leave it when we end */
	char socket[108];    /* -S or derived */
	bool socket_given;
	const char *group; /* -G */
	uint32_t fdb_size; /* --fdb-size */
	uint32_t poll_us;  /* --poll */
	bool keep_cpu;     /* --cpu */
	bool fastpath;     /* --fastpath */
	bool detach;       /* -D */
	int verbose;       /* number of -v */
	unsigned n_lines;  /* -p and -l, as commands, the host port last ("link add tap0,mtu=9000",
			      "link add host:br0") */
	char **line;
};

struct daemon {
	struct options options;
	struct model base;
	struct model wanted;
	struct backend backend;
	struct backend *serving; /* the backend that forwards while another is worked on, or NULL */
	struct leaver *leaver;   /* takes a bridge apart, or NULL */
	int leaving; /* ifindex of a bridge that is about to let go of its ports, 0 = none */
	struct loop *loop;
	struct control *control;
	struct json_t *drift; /* the commands that monitors were last told of, NULL = none */
	bool started;         /* every port is open and the control socket is there */
};

/*
 * Implemented in apply.c. Reads back, diffs and applies until actual equals `next` (at most three
 * rounds), then makes it `wanted`. A verb that fails after validation: back to the state before.
 * Returns 0 or -errno with a sentence.
 */
int daemon_apply(struct daemon *d, const struct model *next, struct error *err);

/*
 * Reads options.line into @m, an initialised model, and checks it. Returns 0 or -errno with a
 * sentence.
 */
int daemon_read_options(const struct daemon *d, struct model *m, struct error *err);

/*
 * Reads options.line and @file (NULL = none) into @m. Returns 0, or -errno with a sentence that
 * names file and line.
 */
int daemon_read_file(const struct daemon *d, const char *file, struct model *m, struct error *err);

/*
 * Reads options.line and options.file into @m. Returns 0, or -errno with a sentence that names file
 * and line.
 */
int daemon_read_config(struct daemon *d, struct model *m, struct error *err);

/*
 * HUP and `reload`: the configuration becomes command line + file again; what that undoes is
 * logged.
 */
int daemon_reload(struct daemon *d, struct error *err);

/* Ends the loop; the process exits with 0. */
void daemon_stop(struct daemon *d);

/*
 * News for monitors; called for each event of the outbox after a turn of the loop. Implemented in
 * control's monitor.c
 */
void daemon_event(struct daemon *d, const struct event *event, uint64_t now);

#endif
