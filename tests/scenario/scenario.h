/* SPDX-License-Identifier: MIT */
/*
 * scenario: what the two files of the scenario runner share: the state of one scenario, and the
 * words of one line. A command returns 0, or negative after fail() said why. One scenario object a
 * file, freed by main().
 */
#ifndef TESTS_SCENARIO_SCENARIO_H
#define TESTS_SCENARIO_SCENARIO_H

#include "switch/bridge.h"

#define WORDS_MAX 64

struct output {
	uint16_t port;
	unsigned n_tags;
	struct vtag tag[4];
};

struct scenario {
	const char *file;
	unsigned line;
	struct bridge *br;
	struct outbox *out;
	struct batch batch;
	uint64_t now;
	char *word[WORDS_MAX];
	unsigned n;
	bool frame_pending; /* a frame went in, its outputs are not all checked */
	unsigned n_got, n_want;
	struct output got[PORT_MAX], want[PORT_MAX];
	uint64_t drops[PORT_MAX][2][DROP_MAX]; /* counters before the last frame */
	char problem[512];
};

/* Notes why the line failed (@what, and @word if it says more) and returns a negative errno. */
int fail(struct scenario *s, const char *what, const char *word);

/* Returns the word after @key, or NULL. */
const char *after(const struct scenario *s, const char *key);

/* Returns whether @key is among the words. */
bool has(const struct scenario *s, const char *key);

/* Returns the number of the port called @name; PORT_NONE after fail(). */
uint16_t port_of(struct scenario *s, const char *name);

/* Returns the address that @text names; fail() when it names none. */
uint64_t mac_of(struct scenario *s, const char *text);

/* The commands that configure the switch, in configure.c: ports, host, set, link, fdb, vlan. */
int do_ports(struct scenario *s);
int do_set(struct scenario *s);
int do_link(struct scenario *s);
int do_fdb(struct scenario *s);
int do_vlan(struct scenario *s);

#endif
