/* SPDX-License-Identifier: MIT */
/*
 * run: runs one program on all sides and compares after every step.
 *
 * side[0] is the reference; the others are compared with it: who received which bytes in which
 * order, the answers to commands, the FDB, the state of the ports. The surprising rule: it stops at
 * the first difference, since later ones are only its echo, and leaves a report for people in
 * `report`. Used by diff.c for every program and each shrunken one.
 */
#ifndef TESTS_DIFF_RUN_H
#define TESTS_DIFF_RUN_H

#include "tests/diff/side.h"

#define SIDES_MAX 3u
#define ENTRIES_MAX 4096u
#define VLANS_MAX 4096u

enum result {
	RUN_SAME,
	RUN_DIFFERENT,
	RUN_SLOW,   /* the machine was too slow for the ageing times: run it with patience */
	RUN_BROKEN, /* a side could not be started or did not answer */
};

struct run {
	struct side *side[SIDES_MAX];
	unsigned n_sides;
	bool careful;      /* frame by frame, with time to settle */
	unsigned patience; /* how much longer ageing episodes take, 1 or more: for slow machines */
	unsigned frames;   /* sent, all programs together */
	int n_vlans;
	struct vlan_entry vlan[VLANS_MAX]; /* of side 0 when tables were last compared */
	char report[16384];
	size_t report_len;
};

/* Runs the units of @p for which @skip (NULL = none) is false. */
enum result run_program(struct run *r, const struct program *p, const bool *skip);

/* Appends to the report. */
void run_say(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* compare.c: false, and a report, when side @b differs from side 0. */
bool compare_frames(struct run *r, const struct side *b, const struct frame *const *frames,
		    unsigned n);
bool compare_tables(struct run *r, struct side *b, bool report);

#endif
