/* SPDX-License-Identifier: MIT */
/*
 * ctl: the parts of uswitchctl.
 *
 * It knows no commands: words go to the switch as they are, and the answer says how to lay out its
 * result. The surprising rule: text is made here from the same JSON that -j prints, so both always
 * say the same. One object, on main()'s stack.
 */
#ifndef TOOLS_USWITCHCTL_CTL_H
#define TOOLS_USWITCHCTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#define STATUS_REFUSED 255 /* as bridge(8) */
#define STATUS_NO_SWITCH 1

struct ctl {
	const char *name;   /* -n */
	const char *socket; /* -S */
	const char *batch;  /* -b */
	bool json, pretty, stats, details, oneline, timestamp, compress, force;
	bool color, dark; /* dark: the terminal's background */
	bool labels;      /* monitor all */
	FILE *in;         /* the connection */
	int fd;
};

/*
 * connect.c: connects to the switch that -S, -n or nothing means. Returns 0 or STATUS_NO_SWITCH,
 * having said why.
 */
int ctl_connect(struct ctl *ctl);

/*
 * answer.c: sends @line, a command without its newline, and prints the answer; of `monitor` until
 * the switch ends. A refusal is said with @where in front. Returns 0 or the exit status.
 */
int ctl_command(struct ctl *ctl, const char *line, const char *where);

/* json.c: prints @value as iproute2's -j or -j -p does, @depth levels inside other values. */
void ctl_json(const struct ctl *ctl, json_t *value, unsigned depth);

/* An array printed while it arrives. */
void ctl_json_open(const struct ctl *ctl);
void ctl_json_element(const struct ctl *ctl, json_t *value, bool first);
void ctl_json_close(const struct ctl *ctl, bool empty);

/*
 * text.c: what stands above the elements of an answer laid out as @show, and the elements or the
 * whole result.
 */
void ctl_text_head(const struct ctl *ctl, const char *show);
void ctl_text(const struct ctl *ctl, const char *show, const json_t *value);
/* One event of `monitor`. */
void ctl_text_event(const struct ctl *ctl, const json_t *event);

/* stats.c: the layouts of `stats` and `show`. */
void ctl_stats(const struct ctl *ctl, const json_t *result);
void ctl_switch(const struct ctl *ctl, const json_t *result);

/* The time now, as iproute2 prints it. */
const char *ctl_time(char *text, size_t size);

/* Prints @text in iproute2's colour for interfaces (`I`) or addresses (`M`), padded to @width. */
void ctl_color(const struct ctl *ctl, char what, const char *text, int width);

#endif
