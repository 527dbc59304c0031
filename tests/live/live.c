// SPDX-License-Identifier: MIT
/*
 * Runs scenario files (tests/scenario/scenario.c says what is in them) on a switch process between
 * veth pairs in a network namespace of its own.
 *
 *	live [--uswitch PATH] user|kernel FILE...
 *
 * user: `uswitch -b user`; kernel: `uswitch -b kernel`. The commands go to the control socket, the
 * frames to the far ends of the pairs, the clock is the machine's. Not checked here, since a
 * process does not say so or the kernel does not count it: `drop` and `events`. Literal addresses
 * 06:00:00:00:00:NN are those of the interfaces here. Prints "PASS ..." or "FAIL ..." a scenario,
 * and NOTE lines with the scenarios that left_out.c leaves out, and why.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/live/live.h"

#define TABLE_MS 1500
#define TABLE_MAX 256u
#define REASONS_MAX 16u

static struct live live;

static void pause_ms(unsigned long ms)
{
	struct timespec ts = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

int live_fail(struct live *l, const char *what, const char *word)
{
	if (!*l->problem)
		snprintf(l->problem, sizeof(l->problem), "%s%s%s", what, word ? ": " : "",
			 word ? word : "");
	return -EBADMSG;
}

const char *live_after(const struct live *l, const char *key)
{
	for (unsigned i = 1; i + 1 < l->n; i++)
		if (strcmp(l->word[i], key) == 0)
			return l->word[i + 1];
	return NULL;
}

bool live_has(const struct live *l, const char *key)
{
	for (unsigned i = 1; i < l->n; i++)
		if (strcmp(l->word[i], key) == 0)
			return true;
	return false;
}

static int port_number(const char *name)
{
	if (strcmp(name, "br0") == 0)
		return 0;
	return name[0] == 'p' && name[1] > '0' && name[1] <= '0' + (int)PORTS && !name[2]
		       ? name[1] - '0'
		       : -1;
}

int live_port(struct live *l, const char *name)
{
	int port = name ? port_number(name) : -1;

	if (port < 0)
		live_fail(l, "no such port", name ? name : "(dev missing)");
	return port;
}

uint64_t live_mac(struct live *l, const char *text)
{
	int port = port_number(text);
	unsigned b[6];
	uint64_t mac = 0;

	if (port >= 0)
		return port ? PORT_MAC + (unsigned)port : HOST_MAC;
	if (text[0] == 'h' && text[1] >= '0' && text[1] <= '9')
		return 0x020000000000ull + strtoul(text + 1, NULL, 10);
	if (strcmp(text, "broadcast") == 0)
		return 0xffffffffffffull;
	if (strcmp(text, "multicast") == 0)
		return 0x01005e010203ull;
	if (strcmp(text, "zero") == 0)
		return 0;
	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5]) != 6) {
		live_fail(l, "no such address", text);
		return 0;
	}
	for (unsigned i = 0; i < 6; i++)
		mac = mac << 8 | b[i];
	return mac >> 8 == 0x0600000000ull ? PORT_MAC + (mac & 0xff) : mac;
}

/* ---- frames ---- */

static int parse_tag(struct live *l, const char *text, struct vtag *tag)
{
	unsigned tpid, vid, pcp = 0, dei = 0;

	if (sscanf(text, "%x:%u:%u:%u", &tpid, &vid, &pcp, &dei) < 2)
		return live_fail(l, "bad tag", text);
	*tag = (struct vtag){ (uint16_t)tpid, (uint16_t)(pcp << 13 | dei << 12 | vid) };
	return 0;
}

/* in P SRC > DST [tag ...]... [len N] [type HEX] */
static int do_in(struct live *l)
{
	const char *len = live_after(l, "len"), *type = live_after(l, "type");
	int port = live_port(l, l->n > 4 ? l->word[1] : NULL);
	struct frame *f = &l->frame;
	uint32_t serial = f->serial + 1;
	unsigned total = len ? (unsigned)strtoul(len, NULL, 10) : 60; /* less the outer tag */

	if (port < 0)
		return -EBADMSG;
	*f = (struct frame){ .port = (uint8_t)port,
			     .src = live_mac(l, l->word[2]),
			     .dst = live_mac(l, l->word[4]),
			     .type = type ? (uint16_t)strtoul(type, NULL, 16) : 0x88b5,
			     .serial = serial };
	for (unsigned i = 5; i + 1 < l->n && f->n_tags < 3; i++)
		if (strcmp(l->word[i], "tag") == 0 &&
		    parse_tag(l, l->word[i + 1], &f->tag[f->n_tags++]))
			return -EBADMSG;
	f->payload = (uint16_t)(total - 14 - (f->n_tags > 1 ? 4u * (f->n_tags - 1u) : 0));
	l->n_want = 0;
	l->frame_pending = true;
	return 0;
}

/* out P... [untagged | tag ...]; nothing */
static int do_out(struct live *l)
{
	struct want w = { 0 };
	unsigned ports = 1;

	while (ports < l->n && strcmp(l->word[ports], "untagged") != 0 &&
	       strcmp(l->word[ports], "tag") != 0)
		ports++;
	for (unsigned i = ports; i + 1 < l->n && w.n_tags < 3; i += 2)
		if (parse_tag(l, l->word[i + 1], &w.tag[w.n_tags++]))
			return -EBADMSG;
	if (ports == l->n && !l->filtering) { /* the tags are payload */
		w.n_tags = l->frame.n_tags;
		memcpy(w.tag, l->frame.tag, sizeof(w.tag));
	}
	for (unsigned i = 1; i < ports && l->n_want < WANT_MAX; i++) {
		int port = live_port(l, l->word[i]);

		if (port < 0)
			return -EBADMSG;
		w.port = (uint8_t)port;
		l->want[l->n_want++] = w;
	}
	return l->frame_pending ? 0 : live_fail(l, "no frame went in", NULL);
}

/* Whether @g is the frame of @l with the tags of @w. */
static bool same_output(const struct live *l, const struct want *w, const struct got *g)
{
	static uint8_t bytes[FRAME_ROOM];
	struct frame f = l->frame;

	f.n_tags = w->n_tags;
	memcpy(f.tag, w->tag, sizeof(f.tag));
	return g->port == w->port && frame_bytes(&f, bytes) == g->len &&
	       memcmp(bytes, l->side.bytes + g->at, g->len) == 0;
}

static int not_so(struct live *l, const char *what, unsigned port)
{
	char name[8] = "br0";

	if (port)
		snprintf(name, sizeof(name), "p%u", port);
	return live_fail(l, what, name);
}

/* Sends the frame that waits. Every output was announced, and the other way round. */
static int check_outputs(struct live *l)
{
	const struct frame *f = &l->frame;
	unsigned want[PORTS + 1] = { 0 };
	bool seen[GOT_MAX] = { false };
	int error;

	if (!l->frame_pending)
		return 0;
	l->frame_pending = false;
	for (unsigned i = 0; i < l->n_want; i++)
		want[l->want[i].port]++;
	error = side_send(&l->side, &f, 1, want);
	if (error)
		return live_fail(l, "cannot send", strerror(-error));
	for (unsigned i = 0; i < l->n_want; i++) {
		unsigned j = 0;

		while (j < l->side.n_got &&
		       (seen[j] || !same_output(l, &l->want[i], &l->side.got[j])))
			j++;
		if (j == l->side.n_got)
			return not_so(l, "expected but not sent so", l->want[i].port);
		seen[j] = true;
	}
	for (unsigned j = 0; j < l->side.n_got; j++) /* KNOWN_NO_HOST_PORT */
		if (!seen[j] && (l->side.got[j].port || l->program.host))
			return not_so(l, "sent but not expected so", l->side.got[j].port);
	return 0;
}

/* ---- the table, and the clock ---- */

static bool in_table(const struct entry *table, int n, const struct entry *e, bool any)
{
	for (int i = 0; i < n; i++)
		if (table[i].mac == e->mac && table[i].vid == e->vid &&
		    (any || (table[i].port == e->port && table[i].flags == e->flags)))
			return true;
	return false;
}

/* entry MAC dev P [vlan V] [flags]; no entry MAC [vlan V] */
static int do_entry(struct live *l)
{
	static struct entry table[TABLE_MAX];
	bool no = strcmp(l->word[0], "no") == 0;
	const char *vlan = live_after(l, "vlan"), *mac = l->n > 1u + no ? l->word[1 + no] : "";
	int port = no ? 0 : live_port(l, live_after(l, "dev"));
	struct entry e = { .mac = live_mac(l, mac), .port = (uint8_t)port };

	e.vid = vlan ? (uint16_t)strtoul(vlan, NULL, 10) : 0;
	e.flags = live_has(l, "local")    ? KIND_LOCAL
		  : live_has(l, "static") ? KIND_STATIC
					  : KIND_DYNAMIC;
	e.flags |= live_has(l, "sticky") ? WITH_STICKY : 0;
	e.flags |= live_has(l, "extern_learn") ? WITH_EXT_LEARN : 0;
	e.flags |= live_has(l, "locked") ? WITH_LOCKED : 0;
	if (*l->problem)
		return -EBADMSG;
	for (unsigned ms = 0; ms < TABLE_MS; ms += 5) { /* what others changed takes a moment */
		int n = side_fdb(&l->side, table, TABLE_MAX);

		if (n < 0)
			return n;
		if (in_table(table, n, &e, no) != no)
			return 0;
		pause_ms(5);
	}
	return live_fail(l, no ? "there is one" : "there is none, or another", mac);
}

/* at +500ms: really */
static int do_at(struct live *l)
{
	const char *text = l->n > 1 ? l->word[1] : "";
	char *unit = NULL;
	unsigned long value = *text == '+' ? strtoul(text + 1, &unit, 10) : 0;

	if (unit && strcmp(unit, "s") == 0)
		value *= 1000;
	if (!value || value > 5000)
		return live_fail(l, "too long to wait, and not in left_out.c", text);
	pause_ms(value);
	return 0;
}

static int do_unchecked(struct live *l)
{
	l->unchecked++;
	return 0;
}

/* Done before the first line: the process is started with its ports. */
static int do_nothing(struct live *l)
{
	(void)l;
	return 0;
}

/* ---- lines and files ---- */

static const struct {
	const char *word;
	int (*run)(struct live *l);
	bool check; /* the outputs of a frame end here */
} commands[] = {
	{ "ports", do_nothing, true }, { "host", do_nothing, true },
	{ "set", live_say, true },     { "fdb", live_say, true },
	{ "vlan", live_say, true },    { "link", live_link, true },
	{ "at", do_at, true },         { "in", do_in, true },
	{ "out", do_out, false },      { "drop", do_unchecked, false },
	{ "nothing", do_out, false },  { "entry", do_entry, true },
	{ "no", do_entry, true },      { "events", do_unchecked, true },
};

static int do_command(struct live *l)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int error;

		if (strcmp(commands[i].word, l->word[0]) != 0)
			continue;
		if (commands[i].check && check_outputs(l))
			return -EBADMSG;
		error = commands[i].run(l);
		return error && !*l->problem ? live_fail(l, strerror(-error), l->word[0]) : error;
	}
	return live_fail(l, "no such command", l->word[0]);
}

static void split(struct live *l, char *line)
{
	char *save, *comment = strchr(line, '#');

	if (comment)
		*comment = '\0';
	l->n = 0;
	for (char *w = strtok_r(line, " \t\n", &save); w && l->n < WORDS_MAX;
	     w = strtok_r(NULL, " \t\n", &save))
		l->word[l->n++] = w;
}

static int do_line(struct live *l, char *line)
{
	split(l, line);
	if (!l->n)
		return 0;
	if (strcmp(l->word[0], "refused") != 0 || l->n < 2)
		return do_command(l);
	if (check_outputs(l))
		return -EBADMSG;
	memmove(&l->word[0], &l->word[1], --l->n * sizeof(l->word[0]));
	if (!do_command(l))
		return live_fail(l, "it was not refused", l->word[0]);
	*l->problem = '\0';
	l->lacks = NULL;
	return 0;
}

/* What the process has to be started with: its ports, host and VLANs. @later: added only then. */
static void look_ahead(struct live *l, FILE *file, bool later[PORTS + 1])
{
	char line[1024];

	l->program = (struct program){ 0 };
	for (unsigned i = 0; i <= PORTS; i++) {
		l->program.mtu[i] = 1500;
		l->program.far_mtu[i] = 9000;
	}
	while (fgets(line, sizeof(line), file)) {
		bool add;

		split(l, line);
		add = l->n > 2 && strcmp(l->word[0], "link") == 0 && strcmp(l->word[1], "add") == 0;
		if (!l->n)
			continue;
		l->program.host |= strcmp(l->word[0], "host") == 0;
		l->program.vlans |= strcmp(l->word[0], "vlan") == 0;
		for (unsigned i = 0; i < l->n; i++) {
			int port = port_number(l->word[i]);

			l->program.vlans |= strncmp(l->word[i], "vlan_", 5) == 0;
			if (port <= 0 || (!add && strcmp(l->word[0], "ports") != 0))
				continue;
			later[port] = add;
			if ((unsigned)port > l->program.n_ports)
				l->program.n_ports = (unsigned)port;
		}
	}
	rewind(file);
}

/* Runs the lines of @file on the process that is there. */
static int run_lines(struct live *l, FILE *file, const bool later[PORTS + 1])
{
	char line[1024];
	int error = 0;

	for (unsigned i = 1; i <= PORTS && !error; i++)
		if (later[i])
			error = side_command(&l->side, &(struct command){ .op = OP_PORT_DEL,
									  .port = (uint8_t)i });
	if (error)
		return live_fail(l, "cannot remove a port that comes later", NULL);
	while (!error && fgets(line, sizeof(line), file)) {
		l->line++;
		error = do_line(l, line);
	}
	return error ? error : check_outputs(l);
}

/* Returns 0; negative after live_fail(); 1 when the kernel lacks what is noted in @l. */
static int run_file(struct live *l, const char *path)
{
	FILE *file = fopen(path, "r");
	bool later[PORTS + 1] = { false };
	int error;

	l->line = 0;
	l->lacks = NULL;
	l->filtering = l->frame_pending = false;
	*l->problem = '\0';
	if (!file)
		return live_fail(l, strerror(errno), path);
	look_ahead(l, file, later);
	error = side_start(&l->side, &l->program);
	if (error)
		live_fail(l, "the switch does not start", strerror(-error));
	else
		error = run_lines(l, file, later);
	side_stop(&l->side);
	fclose(file);
	return l->lacks ? 1 : error;
}

/* The receiver's marks prove something only while all is sent on one CPU; see tests/diff. */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* The scenarios that are left out, by the reason. */
struct left {
	unsigned n;
	struct {
		const char *why;
		char names[1024];
	} reason[REASONS_MAX];
};

static void leave_out(struct left *left, const char *why, const char *name)
{
	unsigned i = 0;
	size_t at;

	while (i + 1 < REASONS_MAX && left->reason[i].why && strcmp(left->reason[i].why, why) != 0)
		i++;
	at = strlen(left->reason[i].names);
	left->reason[i].why = why;
	snprintf(left->reason[i].names + at, sizeof(left->reason[i].names) - at, " %.*s",
		 (int)strcspn(name, "."), name);
	left->n++;
}

static int run_files(struct live *l, const char *way, char **file)
{
	static struct left left;
	unsigned ran = 0, failed = 0;

	for (; *file; file++) {
		const char *name = strrchr(*file, '/') ? strrchr(*file, '/') + 1 : *file;
		const char *why = left_out_why(name, l->side.kind);
		int result = why ? 0 : run_file(l, *file);

		if (why || result > 0) {
			leave_out(&left, why ? why : l->lacks, name);
		} else if (result) {
			printf("FAIL live %s %s:%u: %s\n", way, *file, l->line, l->problem);
			failed++;
		} else {
			printf("PASS live %s %s\n", way, *file);
			ran++;
		}
	}
	for (unsigned i = 0; i < REASONS_MAX && left.reason[i].why; i++)
		printf("NOTE live %s leaves out, %s:%s\n", way, left.reason[i].why,
		       left.reason[i].names);
	printf("NOTE live %s: %u scenarios passed, %u failed, %u left out; %u lines `drop` and "
	       "`events` not checked\n",
	       way, ran, failed, left.n, l->unchecked);
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	const char *uswitch = "build/uswitch";
	int error, status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	argv++;
	if (argc > 2 && strcmp(*argv, "--uswitch") == 0) {
		uswitch = argv[1];
		argv += 2;
	}
	if (!*argv || (strcmp(*argv, "user") != 0 && strcmp(*argv, "kernel") != 0)) {
		fputs("usage: live [--uswitch PATH] user|kernel FILE...\n", stderr);
		return 2;
	}
	error = side_open(&live.side, strcmp(*argv, "user") ? SIDE_BACKEND : SIDE_PACKET, uswitch);
	if (error == -EPERM) {
		printf("SKIP live needs root, or unshare -Urn\n");
		return 77;
	}
	if (error)
		return 1;
	stay_on_this_cpu();
	status = run_files(&live, *argv, argv + 1);
	side_close(&live.side);
	return status;
}
