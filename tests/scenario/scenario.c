/* SPDX-License-Identifier: MIT */
/*
 * Runs scenario files on the pure core: commands, frames in, frames out, the clock. No privilege,
 * no I/O, no waiting.
 *
 *	ports p1 p2 p3		ports with link, MTU 1500; pN has the MAC 06:00:00:00:00:0N
 *	host br0		the host port, MAC 06:00:00:00:00:00
 *	set KEY VALUE...	as uswitchctl; so are: link set dev P KEY VALUE..., link add|del P,
 *				fdb add|append|replace|del ..., fdb flush [dev P],
 *				vlan add|del|set vid V dev P ...
 *	link set dev P up|down|carrier on|off|mtu N|address MAC|promisc on|off
 *				what happens to the interface
 *	refused COMMAND...	the command must fail
 *	at 3s, at +500ms	moves the clock; ageing runs as it would
 *	in P SRC > DST [tag TPID:VID[:PCP[:DEI]]]... [len N] [type HEX] [gso]
 *	out P... [untagged | tag ...]
 *				exactly these ports got it, so tagged; several lines add up
 *	nothing			nobody got it (the same as no `out` line, said aloud)
 *	drop WORD [at P]	dropped for this reason, on ingress or at egress port P
 *	entry MAC dev P [vlan V] [flags]
 *				the table has it, with just these flags
 *	no entry MAC [vlan V]	it has not
 *	events WORD...		what was told since `events clear`: added changed deleted
 *				flushed port vlan bridge
 *
 * Addresses: hN = 02:00:00:00:00:0N, P's name = its MAC, broadcast, multicast, zero, or a literal.
 * `#` starts a comment. Prints "PASS file" or "FAIL file:line: why"; after every file the counters
 * of every port must balance.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "fdb/mac.h"
#include "tests/scenario/scenario.h"

int fail(struct scenario *s, const char *what, const char *word)
{
	if (!*s->problem)
		snprintf(s->problem, sizeof(s->problem), "%s%s%s", what, word ? ": " : "",
			 word ? word : "");
	return -EBADMSG;
}

const char *after(const struct scenario *s, const char *key)
{
	for (unsigned i = 1; i + 1 < s->n; i++)
		if (strcmp(s->word[i], key) == 0)
			return s->word[i + 1];
	return NULL;
}

bool has(const struct scenario *s, const char *key)
{
	for (unsigned i = 1; i < s->n; i++)
		if (strcmp(s->word[i], key) == 0)
			return true;
	return false;
}

uint16_t port_of(struct scenario *s, const char *name)
{
	uint16_t n = name ? bridge_port_find(s->br, name) : PORT_NONE;

	if (n == PORT_NONE)
		fail(s, "no such port", name ? name : "(dev missing)");
	return n;
}

uint64_t mac_of(struct scenario *s, const char *text)
{
	uint64_t mac;
	uint16_t n;

	if (text[0] == 'h' && text[1] >= '0' && text[1] <= '9')
		return UINT64_C(0x020000000000) + strtoul(text + 1, NULL, 10);
	if (strcmp(text, "broadcast") == 0)
		return MAC_BROADCAST;
	if (strcmp(text, "multicast") == 0)
		return UINT64_C(0x01005e010203);
	if (strcmp(text, "zero") == 0)
		return 0;
	n = bridge_port_find(s->br, text);
	if (n != PORT_NONE)
		return bridge_port_link_get(s->br, n)->mac;
	if (mac_parse(text, &mac) != 0)
		fail(s, "no such address", text);
	return mac;
}

/* Collects what is queued in got[], news stay in the outbox until they are checked. */
static void flush(struct scenario *s)
{
	PORTSET_FOREACH(n, &s->out->busy, PORTSET_WORDS) {
		struct txq *q = s->out->txq[n];

		for (unsigned i = 0; i < q->n; i++) {
			struct output *o = &s->got[s->n_got++];
			const struct frame *f = q->entry[i].frame;

			*o = (struct output){ .port = (uint16_t)n };
			if (q->entry[i].tagged)
				o->tag[o->n_tags++] = f->tag;
			if (f->kept.tpid)
				o->tag[o->n_tags++] = f->kept;
			q->stats.tx++;
		}
		q->n = 0;
	}
	memset(&s->out->busy, 0, sizeof(s->out->busy));
}

static bool same_output(const struct output *a, const struct output *b)
{
	return a->port == b->port && a->n_tags == b->n_tags &&
	       memcmp(a->tag, b->tag, a->n_tags * sizeof(a->tag[0])) == 0;
}

/* Every output of the last frame was announced, and the other way round. */
static int check_outputs(struct scenario *s)
{
	if (!s->frame_pending)
		return 0;
	s->frame_pending = false;
	for (unsigned i = 0; i < s->n_want; i++) {
		unsigned j = 0;

		while (j < s->n_got && !same_output(&s->want[i], &s->got[j]))
			j++;
		if (j == s->n_got)
			return fail(s, "expected but not sent so",
				    bridge_port_name(s->br, s->want[i].port));
		s->got[j] = s->got[--s->n_got];
	}
	return s->n_got ? fail(s, "sent but not expected so",
			       bridge_port_name(s->br, s->got[0].port))
			: 0;
}

static int parse_tag(struct scenario *s, const char *text, struct vtag *tag)
{
	unsigned tpid, vid, pcp = 0, dei = 0;

	if (sscanf(text, "%x:%u:%u:%u", &tpid, &vid, &pcp, &dei) < 2 || vid > 4095 || pcp > 7 ||
	    dei > 1)
		return fail(s, "bad tag", text);
	*tag = (struct vtag){ (uint16_t)tpid, (uint16_t)(pcp << 13 | dei << 12 | vid) };
	return 0;
}

/* in P SRC > DST ... */
static int do_in(struct scenario *s)
{
	struct frame *f = &s->batch.frame[0];
	const char *len = after(s, "len"), *type = after(s, "type");
	unsigned value = type ? (unsigned)strtoul(type, NULL, 16) : 0x88b5;
	uint16_t port = port_of(s, s->n > 4 ? s->word[1] : NULL);
	struct vtag inner = { 0, 0 };

	if (port == PORT_NONE || strcmp(s->word[3], ">") != 0)
		return fail(s, "in P SRC > DST", NULL);
	memset(s->batch.arena, 0, 2048);
	*f = (struct frame){ .data = s->batch.arena, .port = port };
	mac_store(f->data, mac_of(s, s->word[4]));
	mac_store(f->data + MAC_LEN, mac_of(s, s->word[2]));
	for (unsigned i = 5; i + 1 < s->n; i++) {
		if (strcmp(s->word[i], "tag") == 0 &&
		    parse_tag(s, s->word[i + 1], f->kept.tpid ? &inner : &f->kept))
			return -EBADMSG;
	}
	if (inner.tpid)
		value = inner.tpid;
	f->data[12] = (uint8_t)(value >> 8);
	f->data[13] = (uint8_t)value;
	f->data[14] = (uint8_t)(inner.tci >> 8);
	f->data[15] = (uint8_t)inner.tci;
	f->total = len ? (uint32_t)strtoul(len, NULL, 10)
		       : 60; /* as on the wire, less the outer tag */
	f->len = f->total < 2048 ? f->total : 2048;
	f->vnet.gso_type = has(s, "gso") ? VNET_GSO_TCPV4 : 0;
	s->batch.n = 1;
	s->batch.stats = &s->out->txq[port]->stats;
	for (unsigned i = 0; i < PORT_MAX; i++) {
		if (!s->out->txq[i])
			continue;
		memcpy(s->drops[i][0], s->out->txq[i]->stats.drop_in, sizeof(s->drops[i][0]));
		memcpy(s->drops[i][1], s->out->txq[i]->stats.drop_out, sizeof(s->drops[i][1]));
	}
	s->n_got = s->n_want = 0;
	if (bridge_input(s->br, &s->batch, 0, s->now, s->out) != 1)
		return fail(s, "the frame was not consumed", NULL);
	flush(s);
	s->frame_pending = true;
	return 0;
}

/* out P... [untagged | tag ...] */
static int do_out(struct scenario *s)
{
	struct output o = { 0 };
	unsigned ports = 1;

	while (ports < s->n && strcmp(s->word[ports], "untagged") != 0 &&
	       strcmp(s->word[ports], "tag") != 0)
		ports++;
	for (unsigned i = ports; i + 1 < s->n; i += 2)
		if (strcmp(s->word[i], "tag") != 0 ||
		    parse_tag(s, s->word[i + 1], &o.tag[o.n_tags++]))
			return fail(s, "bad output", s->word[i]);
	if (ports == s->n && s->batch.frame[0].kept.tpid && !s->batch.frame[0].vid)
		o.tag[o.n_tags++] = s->batch.frame[0].kept; /* filtering off: the tag is payload */
	for (unsigned i = 1; i < ports; i++) {
		o.port = port_of(s, s->word[i]);
		s->want[s->n_want++] = o;
	}
	return s->frame_pending ? 0 : fail(s, "no frame went in", NULL);
}

/* drop WORD [at P] */
static int do_drop(struct scenario *s)
{
	const char *at = after(s, "at");
	uint16_t port = at ? port_of(s, at) : s->batch.frame[0].port;
	const struct port_stats *stats;

	if (port == PORT_NONE)
		return -ENODEV;
	stats = &s->out->txq[port]->stats;
	for (unsigned i = 1; i < DROP_MAX; i++) {
		uint64_t now = at ? stats->drop_out[i] : stats->drop_in[i];

		if (now != s->drops[port][at ? 1 : 0][i])
			return strcmp(drop_word((enum drop)i), s->word[1])
				       ? fail(s, "dropped as", drop_word((enum drop)i))
				       : 0;
	}
	return fail(s, "not dropped", NULL);
}

/* at 3s | at +500ms */
static int do_at(struct scenario *s)
{
	const char *text = s->n > 1 ? s->word[1] : "";
	bool relative = *text == '+';
	char *unit;
	uint64_t value = strtoul(text + relative, &unit, 10), until;

	if (strcmp(unit, "s") == 0)
		value *= 1000;
	else if (strcmp(unit, "ms") != 0)
		return fail(s, "time needs s or ms", text);
	until = relative ? s->now + value : value + 1000000;
	if (until < s->now)
		return fail(s, "time runs forwards", text);
	while (bridge_next(s->br, s->now) <= until) {
		uint64_t next = bridge_next(s->br, s->now);

		s->now = next > s->now ? next : s->now;
		s->out->n_events = 0;
		bridge_tick(s->br, s->now, s->out);
	}
	s->now = until;
	return 0;
}

/* entry MAC dev P [vlan V] [flags]; no entry MAC [vlan V] */
static int do_entry(struct scenario *s)
{
	static const struct {
		uint16_t flag;
		const char *word;
	} flags[] = { { FDB_STATIC, "static" },
		      { FDB_LOCAL, "local" },
		      { FDB_STICKY, "sticky" },
		      { FDB_EXT_LEARN, "extern_learn" },
		      { FDB_LOCKED, "locked" } };
	bool no = strcmp(s->word[0], "no") == 0;
	const char *vlan = after(s, "vlan");
	const char *mac = s->n > 1u + no ? s->word[1 + no] : "";
	struct fdb_entry e;
	bool found = bridge_fdb_get(s->br, mac_of(s, mac),
				    vlan ? (uint16_t)strtoul(vlan, NULL, 10) : 0, s->now, &e);

	if (found == no)
		return fail(s, no ? "there is one" : "there is none", mac);
	if (no)
		return 0;
	if (e.port != port_of(s, after(s, "dev")))
		return fail(s, "it is behind", bridge_port_name(s->br, e.port));
	if (e.flags & FDB_LOCAL)
		e.flags &= (uint16_t)~FDB_STATIC;
	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!(e.flags & flags[i].flag) == has(s, flags[i].word))
			return fail(s, "flag differs", flags[i].word);
	return 0;
}

static int do_events(struct scenario *s)
{
	static const char *const word[] = {
		[EVENT_FDB_ADDED] = "added",     [EVENT_FDB_CHANGED] = "changed",
		[EVENT_FDB_DELETED] = "deleted", [EVENT_FDB_FLUSHED] = "flushed",
		[EVENT_PORT] = "port",           [EVENT_PORT_DELETED] = "port",
		[EVENT_VLAN_ADDED] = "vlan",     [EVENT_VLAN_DELETED] = "vlan",
		[EVENT_BRIDGE] = "bridge",
	};

	for (unsigned i = 0; !has(s, "clear") && (i < s->out->n_events || i + 1 < s->n); i++) {
		const char *want = i + 1 < s->n ? s->word[i + 1] : "(none)";
		const char *got = i < s->out->n_events ? word[s->out->event[i].kind] : "(none)";

		if (strcmp(want, got) != 0)
			return fail(s, "event differs", got);
	}
	s->out->n_events = 0;
	return 0;
}

static const struct {
	const char *word;
	int (*run)(struct scenario *s);
	bool check; /* the outputs of a frame end here */
} commands[] = {
	{ "ports", do_ports, true }, { "host", do_ports, true },    { "set", do_set, true },
	{ "link", do_link, true },   { "fdb", do_fdb, true },       { "vlan", do_vlan, true },
	{ "at", do_at, true },       { "in", do_in, true },         { "out", do_out, false },
	{ "drop", do_drop, false },  { "nothing", do_out, false },  { "entry", do_entry, true },
	{ "no", do_entry, true },    { "events", do_events, true },
};

static int do_command(struct scenario *s)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int ret;

		if (strcmp(commands[i].word, s->word[0]) != 0)
			continue;
		if (commands[i].check && check_outputs(s))
			return -EBADMSG;
		if (s->out->n_events > OUTBOX_EVENTS / 2 && strcmp(s->word[0], "events") != 0)
			s->out->n_events = 0;
		ret = commands[i].run(s);
		return ret && !*s->problem ? fail(s, strerror(-ret), s->word[0]) : ret;
	}
	return fail(s, "no such command", s->word[0]);
}

static int do_line(struct scenario *s, char *line)
{
	char *save, *comment = strchr(line, '#');
	int ret;

	if (comment)
		*comment = '\0';
	s->n = 0;
	for (char *w = strtok_r(line, " \t\n", &save); w && s->n < WORDS_MAX;
	     w = strtok_r(NULL, " \t\n", &save))
		s->word[s->n++] = w;
	if (!s->n)
		return 0;
	if (strcmp(s->word[0], "refused") != 0 || s->n < 2)
		return do_command(s);
	if (check_outputs(s)) /* else a wrong output would pass for the refusal */
		return -EBADMSG;
	memmove(&s->word[0], &s->word[1], --s->n * sizeof(s->word[0]));
	ret = do_command(s);
	if (!ret)
		return fail(s, "it was not refused", s->word[0]);
	*s->problem = '\0';
	return 0;
}

/* rx = forwarded + consumed + drops; queued = tx + drops, for every port. */
static int check_balance(struct scenario *s)
{
	for (uint16_t n = bridge_port_next(s->br, 0); n != PORT_NONE;
	     n = bridge_port_next(s->br, (uint16_t)(n + 1))) {
		const struct port_stats *stats = &s->out->txq[n]->stats;
		uint64_t in = stats->forwarded + stats->consumed, out = stats->tx;

		for (unsigned i = 0; i < DROP_MAX; i++) {
			in += stats->drop_in[i];
			out += stats->drop_out[i];
		}
		if (in != stats->rx || out != stats->queued)
			return fail(s, "counters do not balance", bridge_port_name(s->br, n));
	}
	return 0;
}

static int run_file(struct scenario *s)
{
	FILE *file = fopen(s->file, "r");
	char line[1024];
	int ret = 0;

	if (!file)
		return fail(s, strerror(errno), s->file);
	while (!ret && fgets(line, sizeof(line), file)) {
		s->line++;
		ret = do_line(s, line);
	}
	fclose(file);
	if (!ret)
		ret = check_outputs(s);
	return ret ? ret : check_balance(s);
}

int main(int argc, char **argv)
{
	static const uint64_t secret[2] = { 0x9e3779b97f4a7c15, 0xd1b54a32d192ed03 };
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct scenario *s = calloc(1, sizeof(*s));

		if (!s || batch_init(&s->batch))
			return 1;
		s->file = argv[i];
		s->now = 1000000;
		s->br = bridge_new(FDB_SIZE_MIN, secret);
		s->out = outbox_new();
		if (!s->br || !s->out)
			return 1;
		if (run_file(s)) {
			printf("FAIL %s:%u: %s\n", s->file, s->line, s->problem);
			failed = 1;
		} else {
			printf("PASS %s\n", s->file);
		}
		batch_fini(&s->batch);
		outbox_free(s->out);
		bridge_free(s->br);
		free(s);
	}
	return failed;
}
