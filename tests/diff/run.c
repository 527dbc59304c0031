// SPDX-License-Identifier: MIT
#include "tests/diff/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SETTLE_MS \
	1500 /* until tables must be equal: what comes through netlink or by time comes later */
#define START_MS 3000
#define SLACK_MS (AGEING_MS / 8) /* how late an ageing episode may be */
#define SMALL_BATCH 4

struct progress {
	const struct program *p;
	bool attached[PORTS + 1];
	uint64_t episode_ms; /* when the short ageing time was set; 0 = not now */
	uint64_t waited_ms;  /* planned waits since */
};

void run_say(struct run *r, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(r->report + r->report_len, sizeof(r->report) - r->report_len, format, args);
	va_end(args);
	r->report_len += (size_t)(n > 0 ? n : 0);
	if (r->report_len >= sizeof(r->report))
		r->report_len = sizeof(r->report) - 1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void sleep_ms(uint64_t ms)
{
	struct timespec ts = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* Tables must be equal, at once or within @ms. */
static enum result settle(struct run *r, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	for (unsigned i = 1; i < r->n_sides; i++) {
		while (!compare_tables(r, r->side[i], false)) {
			if (now_ms() > end) {
				compare_tables(r, r->side[i], true);
				return RUN_DIFFERENT;
			}
			sleep_ms(2);
		}
	}
	return RUN_SAME;
}

/* ---- frames ---- */

static enum result send_frames(struct run *r, const struct frame *const *frames, unsigned n)
{
	unsigned want[PORTS + 1] = { 0 };
	int error = side_send(r->side[0], frames, n, NULL);

	for (unsigned i = 0; i < r->side[0]->n_got; i++)
		want[r->side[0]->got[i].port]++;
	if (!r->side[0]->program->host)
		want[0] = 0;
	r->frames += n;
	for (unsigned i = 1; i < r->n_sides && !error; i++) {
		error = side_send(r->side[i], frames, n, want);
		if (!error && r->careful) {
			sleep_ms(5);
			error = wire_collect(r->side[i], NULL);
		}
		if (!error && !compare_frames(r, r->side[i], frames, n))
			return RUN_DIFFERENT;
	}
	if (error) {
		run_say(r, "frames were not dealt with: %s\n", strerror(-error));
		return RUN_BROKEN;
	}
	return settle(r, SETTLE_MS);
}

/* Sends the batch that begins with unit *@at; *@at becomes the unit after it. */
static enum result run_batch(struct run *r, const struct program *p, const bool *skip, unsigned *at)
{
	const struct frame *frames[BATCH];
	unsigned batch = p->unit[*at].batch, n = 0,
		 most = r->careful          ? 1
			: r->side[0]->small ? SMALL_BATCH
					    : BATCH;

	while (*at < p->n_units && p->unit[*at].is_frame && p->unit[*at].batch == batch &&
	       n < most) {
		if (!skip || !skip[*at])
			frames[n++] = &p->unit[*at].frame;
		++*at;
	}
	return n ? send_frames(r, frames, n) : RUN_SAME;
}

/* ---- commands ---- */

/* Whether @port is in VLAN @vid. */
static bool in_vlan(const struct run *r, uint8_t port, uint16_t vid)
{
	for (int i = 0; i < r->n_vlans; i++)
		if (r->vlan[i].port == port && r->vlan[i].vid == vid)
			return true;
	return false;
}

/*
 * Commands on a port that is not there are left out: in shrunken programs they would be all that
 * differs.
 */
static bool makes_sense(const struct run *r, struct progress *g, const struct command *c)
{
	switch (c->op) {
	case OP_PORT_ADD:
	case OP_PORT_DEL:
		if (g->attached[c->port] == (c->op == OP_PORT_ADD))
			return false;
		g->attached[c->port] = c->op == OP_PORT_ADD;
		return true;
	case OP_PORT_SET:
		if (!strcmp(settings[c->attr].name, "backup_port") && c->value &&
		    !g->attached[c->value])
			return false;
		return g->attached[c->port];
	case OP_FDB_DEL:
		if (c->vid && !in_vlan(r, c->port, c->vid)) /* KNOWN_FDB_DEL_VLAN */
			return false;
		return !c->port || g->attached[c->port];
	case OP_FDB_ADD:
	case OP_FDB_FLUSH:
	case OP_VLAN_ADD:
	case OP_VLAN_DEL:
	case OP_VLAN_SET:
		return !c->port || g->attached[c->port];
	case OP_BRIDGE_SET:
	case OP_CARRIER:
	case OP_ADMIN:
	case OP_MAC:
	case OP_MTU:
	case OP_PROMISC:
	case OP_WAIT:
		break;
	}
	return true;
}

static bool is_ageing(const struct command *c)
{
	return c->op == OP_BRIDGE_SET && !strcmp(settings[c->attr].name, "ageing_time");
}

/*
 * Whether ageing still goes by the plan of the program: then every age is far from the ageing time.
 */
static bool too_slow(const struct run *r, struct progress *g, const struct command *c)
{
	bool ageing = is_ageing(c);
	bool slow =
		g->episode_ms && now_ms() - g->episode_ms > g->waited_ms + SLACK_MS * r->patience;

	if (c->op == OP_WAIT)
		g->waited_ms += c->value;
	if (ageing) {
		g->episode_ms = c->value == AGEING_MS / 10 * r->patience ? now_ms() : 0;
		g->waited_ms = 0;
	}
	return slow;
}

/* @c, with the times of an ageing episode as long as this run has patience for. */
static struct command in_time(const struct run *r, const struct command *c)
{
	struct command scaled = *c;

	if (c->op == OP_WAIT || (is_ageing(c) && c->value == AGEING_MS / 10))
		scaled.value *= r->patience;
	return scaled;
}

static enum result run_command(struct run *r, struct progress *g, const struct command *command)
{
	const struct command scaled = in_time(r, command), *c = &scaled;
	char text[128];
	int answer, other;

	if (!makes_sense(r, g, c))
		return RUN_SAME;
	if (too_slow(r, g, c))
		return RUN_SLOW;
	answer = side_command(r->side[0], c);
	for (unsigned i = 1; i < r->n_sides; i++) {
		other = side_command(r->side[i], c);
		if (other == answer || (other < 0 && answer < 0)) /* KNOWN_REASON */
			continue;
		run_say(r, "%s differs from %s in its answer to: %s\n", r->side[i]->name,
			r->side[0]->name, command_print(c, text, sizeof(text)));
		run_say(r, "  %s says %s, %s says %s\n", r->side[0]->name,
			answer ? strerror(-answer) : "yes", r->side[i]->name,
			other ? strerror(-other) : "yes");
		return RUN_DIFFERENT;
	}
	if (c->op == OP_WAIT)
		sleep_ms(c->value);
	/* What is to be gone after a wait must be gone before it would be for another reason. */
	return settle(r, g->episode_ms ? SLACK_MS * r->patience : SETTLE_MS);
}

/* ---- the program ---- */

static enum result run_units(struct run *r, struct progress *g, const bool *skip)
{
	const struct program *p = g->p;
	enum result result = RUN_SAME;
	char text[128];
	unsigned at = 0, unit = 0;

	while (at < p->n_units && result == RUN_SAME) {
		unit = at;
		if (p->unit[at].is_frame) {
			result = run_batch(r, p, skip, &at);
			continue;
		}
		if (!skip || !skip[at])
			result = run_command(r, g, &p->unit[at].command);
		at++;
	}
	if (result == RUN_DIFFERENT)
		run_say(r, "  at unit %u%s%s\n", unit, p->unit[unit].is_frame ? "" : ": ",
			p->unit[unit].is_frame
				? ""
				: command_print(&p->unit[unit].command, text, sizeof(text)));
	return result;
}

enum result run_program(struct run *r, const struct program *p, const bool *skip)
{
	struct progress g = { .p = p };
	enum result result = RUN_SAME;
	unsigned started = 0;

	r->report_len = 0;
	r->report[0] = 0;
	for (unsigned i = 1; i <= p->n_ports; i++)
		g.attached[i] = true;
	while (started < r->n_sides && result == RUN_SAME)
		if (side_start(r->side[started++], p))
			result = RUN_BROKEN;
	if (result == RUN_SAME)
		result = settle(r, START_MS);
	if (result == RUN_DIFFERENT)
		run_say(r, "  before the first unit\n");
	if (result == RUN_SAME)
		result = run_units(r, &g, skip);
	while (started)
		side_stop(r->side[--started]);
	return result;
}
