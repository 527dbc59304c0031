/* SPDX-License-Identifier: MIT */
/*
 * walk: an answer that may be long, made in steps.
 *
 * Each step appends a bounded piece of one line of JSON; between two steps frames are forwarded and
 * the table may change, so entries that come or go meanwhile may be missed or seen. A walk owns
 * what it needs; started by request.c, stepped and ended by control.c.
 */
#ifndef SWITCH_DAEMON_WALK_H
#define SWITCH_DAEMON_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/daemon/show.h"
#include "switch/daemon/text.h"

struct walk {
	/*
	 * Appends a piece to @out; returns false when the answer is complete, its newline included.
	 * NULL: no walk.
	 */
	bool (*step)(struct walk *w, struct daemon *d, struct text *out);
	struct show how;
	uint64_t n;      /* elements so far */
	uint64_t cursor; /* of fdb_walk() */
	struct fdb_match match;
	uint16_t port, port_last; /* next port, and the last to look at */
	uint16_t vid, vid_first,
		vid_last;    /* next VLAN (0: the port is yet to be opened) and which to look at */
	bool hosts;          /* link show: the host port too */
	struct model *model; /* show config: a copy and its lines */
	struct verbs lines;
};

/*
 * Each starts an answer in @out: its beginning, nothing else. Their fields above say what to show.
 */
void walk_fdb(struct walk *w, struct text *out);
void walk_links(struct walk *w, struct text *out);
void walk_vlans(struct walk *w, struct text *out);
void walk_stats(struct walk *w, struct text *out);
/*
 * Takes over @model, which was made by malloc() and model_init(). Returns 0 or -ENOMEM; @model is
 * then released.
 */
int walk_config(struct walk *w, struct model *model, struct text *out);

/* Releases what the walk owns; harmless on a zeroed one. */
void walk_fini(struct walk *w);

#endif
