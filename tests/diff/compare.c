// SPDX-License-Identifier: MIT
/* Comparing what two sides did, and saying what is different. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/run.h"

struct view {
	const struct got *got;
	const uint8_t *bytes;
};

/* Bytes of a frame that has them: addresses, and the outer tag if there is one. */
static uint32_t conversation(const struct view *v)
{
	bool tagged = v->got->len >= 18 && ((v->bytes[12] == 0x81 && !v->bytes[13]) ||
					    (v->bytes[12] == 0x88 && v->bytes[13] == 0xa8));

	return tagged ? 16 : 12;
}

/*
 * Frames by port, those of a port by conversation, those of a conversation in the order of their
 * arrival: a bridge keeps the order of frames with the same addresses, VLAN and priority (802.1Q
 * 6.5.3), and of no others; those that the kernel forwards on its own may overtake a flood.
 */
static int by_port(const void *left, const void *right)
{
	const struct view *a = left, *b = right;
	uint32_t len_a = conversation(a), len_b = conversation(b);
	int order;

	if (a->got->port != b->got->port)
		return a->got->port < b->got->port ? -1 : 1;
	order = memcmp(a->bytes, b->bytes, len_a < len_b ? len_a : len_b);
	if (order || len_a != len_b)
		return order ? order : len_a < len_b ? -1 : 1;
	return (a->got->at > b->got->at) - (a->got->at < b->got->at);
}

static int by_bytes(const void *left, const void *right)
{
	const struct view *a = left, *b = right;
	uint32_t len = a->got->len < b->got->len ? a->got->len : b->got->len;
	int order;

	if (a->got->port != b->got->port)
		return a->got->port < b->got->port ? -1 : 1;
	order = memcmp(a->bytes, b->bytes, len);
	if (order)
		return order;
	return (a->got->len > b->got->len) - (a->got->len < b->got->len);
}

static unsigned view(const struct side *s, bool host, struct view *views)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_got; i++)
		if (s->got[i].port || host)
			views[n++] = (struct view){ &s->got[i], s->bytes + s->got[i].at };
	return n;
}

/* Frames that came in through several ports have no order among each other. */
static bool one_ingress(const struct frame *const *frames, unsigned n)
{
	for (unsigned i = 1; i < n; i++)
		if (frames[i]->port != frames[0]->port)
			return false;
	return true;
}

static bool same_frame(const struct view *a, const struct view *b)
{
	return a->got->port == b->got->port && a->got->len == b->got->len &&
	       !memcmp(a->bytes, b->bytes, a->got->len);
}

static const char *port_name(unsigned port, char text[8])
{
	snprintf(text, 8, port ? "h%u" : "br0", port);
	return text;
}

static void say_bytes(struct run *r, const uint8_t *bytes, uint32_t len)
{
	for (uint32_t i = 0; i < len && i < 34; i++)
		run_say(r, "%s%02x", i == 6 || i == 12 || (i > 12 && i % 4 == 2) ? " " : "",
			bytes[i]);
	run_say(r, "%s (%u bytes)\n", len > 34 ? "..." : "", len);
}

static void say_receivers(struct run *r, const struct side *s, const struct frame *f)
{
	char name[8];

	run_say(r, "    %-8s", s->name);
	for (unsigned i = 0; i < s->n_got; i++) {
		const struct got *g = &s->got[i];
		int64_t serial = frame_serial(s->bytes + g->at, g->len);

		if (serial == f->serial ||
		    (serial < 4096 && serial == (f->serial & 0xfff) && f->payload < 6))
			run_say(r, " %s(%u)", port_name(g->port, name), g->len);
	}
	run_say(r, "\n");
}

static void say_got(struct run *r, const char *what, const struct view *v)
{
	char name[8];

	run_say(r, "  %s: %s got frame %lld: ", what, port_name(v->got->port, name),
		(long long)frame_serial(v->bytes, v->got->len));
	say_bytes(r, v->bytes, v->got->len);
}

static void report_frames(struct run *r, const struct side *b, const struct frame *const *frames,
			  unsigned n, const struct view *mine, const struct view *other)
{
	char text[256];

	run_say(r, "%s differs from %s in what the hosts received\n", b->name, r->side[0]->name);
	if (mine)
		say_got(r, r->side[0]->name, mine);
	if (other)
		say_got(r, b->name, other);
	for (unsigned i = 0; i < n; i++) {
		run_say(r, "  %s\n", frame_print(frames[i], text, sizeof(text)));
		say_receivers(r, r->side[0], frames[i]);
		say_receivers(r, b, frames[i]);
	}
}

bool compare_frames(struct run *r, const struct side *b, const struct frame *const *frames,
		    unsigned n)
{
	static struct view mine[GOT_MAX], other[GOT_MAX];
	bool host = b->program->host;
	unsigned n_mine = view(r->side[0], host, mine), n_other = view(b, host, other);
	int (*order)(const void *, const void *) = one_ingress(frames, n) ? by_port : by_bytes;

	qsort(mine, n_mine, sizeof(*mine), order);
	qsort(other, n_other, sizeof(*other), order);
	for (unsigned i = 0; i < n_mine || i < n_other; i++) {
		if (i < n_mine && i < n_other && same_frame(&mine[i], &other[i]))
			continue;
		report_frames(r, b, frames, n, i < n_mine ? &mine[i] : NULL,
			      i < n_other ? &other[i] : NULL);
		return false;
	}
	return true;
}

/* ---- tables ---- */

static void say_entry(struct run *r, const struct side *s, const struct entry *e)
{
	static const char *const kinds[] = { "dynamic", "static", "local" };
	uint8_t mac[6];

	mac_bytes(e->mac, mac);
	run_say(r, "  only %s has %02x:%02x:%02x:%02x:%02x:%02x", s->name, mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	if (e->vid)
		run_say(r, " vlan %u", e->vid);
	run_say(r, e->port ? " dev p%u" : " dev br0", e->port);
	run_say(r, " %s%s%s%s\n", kinds[e->flags & 3], e->flags & WITH_STICKY ? " sticky" : "",
		e->flags & WITH_EXT_LEARN ? " extern_learn" : "",
		e->flags & WITH_LOCKED ? " locked" : "");
}

static bool same_entry(const struct entry *a, const struct entry *b)
{
	return a->mac == b->mac && a->vid == b->vid && a->port == b->port && a->flags == b->flags;
}

/* Walks two sorted tables. */
static bool compare_fdb(struct run *r, struct side *b, bool report)
{
	static struct entry mine[ENTRIES_MAX], other[ENTRIES_MAX];
	int n_mine = side_fdb(r->side[0], mine, ENTRIES_MAX),
	    n_other = side_fdb(b, other, ENTRIES_MAX);
	int i = 0, j = 0;
	bool same = n_mine >= 0 && n_other >= 0;

	if (report && !same)
		run_say(r, "a table cannot be read: %d, %d\n", n_mine, n_other);
	while (i < n_mine || j < n_other) {
		bool both = i < n_mine && j < n_other;
		bool first = both ? mine[i].mac < other[j].mac || (mine[i].mac == other[j].mac &&
								   mine[i].vid <= other[j].vid)
				  : i < n_mine;

		if (both && same_entry(&mine[i], &other[j])) {
			i++;
			j++;
			continue;
		}
		same = false;
		if (report)
			say_entry(r, first ? r->side[0] : b, first ? &mine[i] : &other[j]);
		if (first)
			i++;
		else
			j++;
	}
	return same;
}

static void say_vlan(struct run *r, const struct side *s, const struct vlan_entry *e)
{
	char name[8];

	run_say(r, "  only %s has %s in VLAN %u%s%s, state %u\n", s->name,
		e->port ? port_name(e->port, name) : "br0", e->vid,
		e->flags & VLAN_PVID ? " PVID" : "", e->flags & VLAN_UNTAGGED ? " untagged" : "",
		e->state);
}

/* Walks two sorted lists. */
static bool compare_vlans(struct run *r, struct side *b, bool report)
{
	static struct vlan_entry other[VLANS_MAX];
	struct vlan_entry *mine = r->vlan;
	int n_other = side_vlans(b, other, VLANS_MAX), i = 0, j = 0;
	bool same;

	r->n_vlans = side_vlans(r->side[0], mine, VLANS_MAX);
	same = r->n_vlans >= 0 && n_other >= 0;
	if (report && !same)
		run_say(r, "VLANs cannot be read: %d, %d\n", r->n_vlans, n_other);
	while (i < r->n_vlans || j < n_other) {
		const struct vlan_entry *x = i < r->n_vlans ? &mine[i] : NULL,
					*y = j < n_other ? &other[j] : NULL;
		int order = !x                   ? 1
			    : !y                 ? -1
			    : x->port != y->port ? x->port - y->port
						 : x->vid - y->vid;

		i += order <= 0;
		j += order >= 0;
		if (!order && x->flags == y->flags && x->state == y->state)
			continue;
		same = false;
		if (report && order <= 0)
			say_vlan(r, r->side[0], x);
		if (report && order >= 0)
			say_vlan(r, b, y);
	}
	return same;
}

/* What @b says differently of port @n; rows that the reference does not have are left out. */
static bool compare_settings(struct run *r, const struct side *b, unsigned n,
			     const struct port_state *mine, const struct port_state *other,
			     bool report)
{
	bool same = true;

	for (unsigned row = 0; row < n_settings; row++) {
		if (mine->setting[row] == SETTING_NONE || mine->setting[row] == other->setting[row])
			continue;
		same = false;
		if (report)
			run_say(r, "  p%u: %s has %s %llu, %s has %llu\n", n, r->side[0]->name,
				settings[row].name, (unsigned long long)mine->setting[row], b->name,
				(unsigned long long)other->setting[row]);
	}
	return same;
}

static bool compare_port(struct run *r, const struct side *b, unsigned n,
			 const struct port_state *mine, const struct port_state *other, bool report)
{
	if (!mine->attached && !other->attached)
		return true;
	if (mine->attached == other->attached && mine->state == other->state &&
	    mine->mtu == other->mtu)
		return compare_settings(r, b, n, mine, other, report);
	if (report)
		run_say(r, "  p%u: %s has %s, state %d, MTU %u; %s has %s, state %d, MTU %u\n", n,
			r->side[0]->name, mine->attached ? "it" : "no such port", mine->state,
			mine->mtu, b->name, other->attached ? "it" : "no such port", other->state,
			other->mtu);
	return false;
}

static bool compare_ports(struct run *r, struct side *b, bool report)
{
	struct port_state mine[PORTS + 1], other[PORTS + 1];
	int error = side_ports(r->side[0], mine), error2 = side_ports(b, other);
	bool same = !error && !error2;

	if (report && !same)
		run_say(r, "the ports cannot be read: %d, %d\n", error, error2);
	for (unsigned i = 1; i <= b->program->n_ports && !error && !error2; i++)
		if (!compare_port(r, b, i, &mine[i], &other[i], report))
			same = false;
	return same;
}

bool compare_tables(struct run *r, struct side *b, bool report)
{
	bool same;

	if (report)
		run_say(r, "%s differs from %s in its tables\n", b->name, r->side[0]->name);
	same = compare_fdb(r, b, report);
	if (b->program->vlans)
		same = compare_vlans(r, b, report) && same;
	return compare_ports(r, b, report) && same;
}
