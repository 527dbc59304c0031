/* SPDX-License-Identifier: MIT */
/*
 * live: what the files of the live scenario runner share: the state of one scenario that runs on a
 * switch process, and the words of one line. A function returns 0, or negative after live_fail()
 * said why. The surprising rule: a frame is sent only when the line after its `out` lines comes, so
 * that it is known how long to wait. One static object in live.c, cleared for every file.
 */
#ifndef TESTS_LIVE_LIVE_H
#define TESTS_LIVE_LIVE_H

#include "tests/diff/side.h"

#define WORDS_MAX 64
#define WANT_MAX 16

/* What a port is to get: the frame that went in, with these tags. */
struct want {
	uint8_t port;
	uint8_t n_tags;
	struct vtag tag[3];
};

struct live {
	struct side side;
	struct program program;
	unsigned line;
	char *word[WORDS_MAX];
	unsigned n;
	bool filtering;     /* vlan_filtering is on: an `out` without words means untagged */
	bool frame_pending; /* not sent yet */
	struct frame frame;
	unsigned n_want;
	struct want want[WANT_MAX];
	unsigned unchecked; /* lines that a process has no answer to */
	char problem[512];
	const char *lacks; /* why this kernel cannot run it */
};

/* Notes why the line failed (@what, and @word if it says more) and returns -EBADMSG. */
int live_fail(struct live *l, const char *what, const char *word);

/* Returns the word after @key, or NULL; and whether @key is among the words. */
const char *live_after(const struct live *l, const char *key);
bool live_has(const struct live *l, const char *key);

/* Returns the port called @name, br0 is 0; -1 after live_fail(). */
int live_port(struct live *l, const char *name);

/* Returns the address that @text names; live_fail() when it names none. */
uint64_t live_mac(struct live *l, const char *text);

/* The commands that configure the switch, in configure.c. */
int live_link(struct live *l);
int live_say(struct live *l); /* set, fdb, vlan: as they stand, to the switch */

/* Why the scenario @file (without folder) cannot run on a side of @kind; NULL = it can. */
const char *left_out_why(const char *file, enum side_kind kind);

/*
 * What @text needs that not every kernel's bridge has, so that its "not supported" leaves the
 * scenario out, as the reason to print; NULL = nothing.
 */
const char *left_out_setting(const char *text, enum side_kind kind);

#endif
