/* SPDX-License-Identifier: MIT */
/*
 * flow: what bridge_flow() says of a frame is what bridge_input() does to it, and counting it
 * afterwards is as if the bridge had seen it.
 */
#include "switch/flow.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "fdb/mac.h"
#include "tests/unit/suite.h"

#define N_PORTS 5
#define N_STATIONS 8
#define MTU 1500

static struct bridge *br;
static struct outbox *out;
static struct batch in;
static uint8_t bytes[2048];
static uint64_t now;
static uint64_t dice = 1;

static unsigned roll(unsigned sides)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(dice >> 33) % sides;
}

static uint64_t station(unsigned n)
{
	return 0x020000000100 + n;
}

static void setup(void)
{
	static const uint64_t secret[2] = { 3, 4 };
	char name[8];

	br = bridge_new(FDB_SIZE_MIN, secret);
	out = outbox_new();
	ck_assert(br && out);
	for (uint16_t n = 1; n <= N_PORTS; n++) {
		const struct link link = { .present = true,
					   .up = true,
					   .carrier = true,
					   .mtu = MTU,
					   .mac = 0x020000000000 + n };

		ck_assert_int_eq(outbox_port_add(out, n), 0);
		snprintf(name, sizeof(name), "p%u", n);
		ck_assert_int_eq(bridge_port_add(br, n, name, true, 0, out), 0);
		ck_assert_int_eq(bridge_port_link(br, n, &link, 0, out), 0);
	}
	out->n_events = 0;
	now = 1000;
}

static void teardown(void)
{
	bridge_free(br);
	outbox_free(out);
}

static void empty(void)
{
	for (uint16_t n = 1; n <= N_PORTS; n++)
		out->txq[n]->n = 0;
	out->busy = (struct portset){ 0 };
	out->n_events = 0;
}

/* Sends a frame through the bridge; what is queued stays in the outbox. */
static void input(uint16_t port, uint64_t src, uint64_t dst, struct vtag tag, uint32_t len)
{
	mac_store(bytes, dst);
	mac_store(bytes + MAC_LEN, src);
	in.n = 1;
	in.stats = &out->txq[port]->stats;
	in.frame[0] = (struct frame){
		.data = bytes, .len = len, .total = len, .port = port, .kept = tag
	};
	empty();
	ck_assert_uint_eq(bridge_input(br, &in, 0, now, out), 1);
}

static void hello(uint16_t port, uint64_t mac, struct vtag tag)
{
	input(port, mac, MAC_BROADCAST, tag, 60);
	empty();
}

static bool flow_of(uint16_t port, uint64_t src, uint64_t dst, struct vtag tag,
		    struct bridge_flow *flow)
{
	return bridge_flow(br, port, src, dst, tag, now, flow);
}

static const struct vtag none = { 0, 0 };

/* ---- one case after the other ---- */

START_TEST(test_known_unicast)
{
	struct bridge_flow f;

	ck_assert(!flow_of(1, station(1), station(2), none, &f)); /* nobody is known */
	hello(2, station(2), none);
	ck_assert(!flow_of(1, station(1), station(2), none, &f)); /* the source is not */
	hello(1, station(1), none);
	ck_assert(flow_of(1, station(1), station(2), none, &f));
	ck_assert(f.in == 1 && f.out == 2 && !f.vid && !f.pop && !f.push.tpid && f.learn);
	ck_assert_uint_eq(f.max_len, MTU + 18);
	ck_assert(!flow_of(3, station(1), station(2), none, &f)); /* it would move */
	ck_assert(!flow_of(2, station(2), station(2), none, &f)); /* it would stay */
	ck_assert(!flow_of(1, station(1), MAC_BROADCAST, none, &f));
	ck_assert(!flow_of(1, MAC_BROADCAST, station(2), none, &f));
	ck_assert(!flow_of(1, station(1), 0x020000000002, none, &f)); /* the port's own address */
	ck_assert(!flow_of(1, station(1), 0x0180c2000000, none, &f));
	ck_assert(!flow_of(9, station(1), station(2), none, &f));
}
END_TEST

START_TEST(test_settings)
{
	static const struct {
		enum port_attr attr;
		uint16_t port;
		uint64_t value;
		bool flow;
	} rows[] = {
		{ PORT_STATE, 1, STATE_LEARNING, false }, { PORT_STATE, 2, STATE_DISABLED, false },
		{ PORT_FLOOD, 2, false, true }, /* it is known */
		{ PORT_LEARNING, 1, false, true },        { PORT_ISOLATED, 1, true, true },
		{ PORT_LOCKED, 1, true, true }, /* the source is known there */
		{ PORT_HAIRPIN, 1, true, true },
	};
	struct bridge_flow f;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown();
		setup();
		hello(1, station(1), none);
		hello(2, station(2), none);
		ck_assert_int_eq(
			bridge_port_set(br, rows[i].port, rows[i].attr, rows[i].value, now, out),
			0);
		ck_assert_msg(flow_of(1, station(1), station(2), none, &f) == rows[i].flow,
			      "row %u", i);
	}
	ck_assert_int_eq(bridge_port_set(br, 1, PORT_ISOLATED, 1, now, out), 0);
	ck_assert_int_eq(bridge_port_set(br, 2, PORT_ISOLATED, 1, now, out), 0);
	ck_assert(!flow_of(1, station(1), station(2), none, &f));
}
END_TEST

START_TEST(test_ages)
{
	struct bridge_flow f;
	struct fdb_entry e;

	hello(1, station(1), none);
	hello(2, station(2), none);
	ck_assert(flow_of(1, station(1), station(2), none, &f));
	now += 200000;
	bridge_flow_count(br, &f, 10, 600, now, out);
	now += 150000; /* 350 s after the hellos: only who sent since is known */
	ck_assert(bridge_fdb_get(br, station(1), 0, now, &e));
	ck_assert_uint_eq(e.port, 1);
	ck_assert(!bridge_fdb_get(br, station(2), 0, now, &e));
	ck_assert(!flow_of(1, station(1), station(2), none, &f));
}
END_TEST

/* A station that has moved since is not taken back. */
START_TEST(test_late_count)
{
	struct bridge_flow f;
	struct fdb_entry e;

	hello(1, station(1), none);
	hello(2, station(2), none);
	ck_assert(flow_of(1, station(1), station(2), none, &f));
	hello(3, station(1), none);
	bridge_flow_count(br, &f, 10, 600, now, out);
	ck_assert(bridge_fdb_get(br, station(1), 0, now, &e));
	ck_assert_uint_eq(e.port, 3);
	ck_assert_int_eq(bridge_port_del(br, 2, now, out), 0);
	bridge_flow_count(br, &f, 10, 600, now, out);
	ck_assert_int_eq(bridge_port_del(br, 1, now, out), 0);
	bridge_flow_count(br, &f, 10, 600, now, out);
}
END_TEST

/* ---- whatever the bridge is like ---- */

static void random_bridge(void)
{
	bool filtering = roll(3);

	bridge_set(br, BRIDGE_VLAN_FILTERING, filtering, now, out);
	bridge_set(br, BRIDGE_VLAN_PROTOCOL, roll(4) ? TPID_8021Q : TPID_8021AD, now, out);
	bridge_set(br, BRIDGE_VLAN_STATS_ENABLED, roll(2), now, out);
	for (uint16_t n = 1; n <= N_PORTS; n++) {
		for (uint16_t vid = 1; vid <= 3; vid++) {
			uint16_t flags = (uint16_t)((roll(2) ? VLAN_UNTAGGED : 0) |
						    (roll(3) ? 0 : VLAN_PVID));

			if (roll(4))
				bridge_vlan_add(br, n, vid, vid, flags, now, out);
			else
				bridge_vlan_del(br, n, vid, vid, now, out);
			if (!roll(12))
				bridge_vlan_set_state(br, n, vid, vid, STATE_LEARNING, now, out);
			out->n_events = 0;
		}
		bridge_port_set(br, n, PORT_ISOLATED, !roll(4), now, out);
		bridge_port_set(br, n, PORT_LOCKED, !roll(8), now, out);
		bridge_port_set(br, n, PORT_LEARNING, !!roll(8), now, out);
		bridge_port_set(br, n, PORT_HAIRPIN, !roll(4), now, out);
		bridge_port_set(br, n, PORT_STATE, roll(12) ? STATE_FORWARDING : STATE_LEARNING,
				now, out);
		out->n_events = 0;
	}
}

static struct vtag random_tag(void)
{
	static const uint16_t tpids[] = { 0, 0, TPID_8021Q, TPID_8021Q, TPID_8021AD };
	struct vtag tag = { tpids[roll(5)], 0 };

	if (tag.tpid)
		tag.tci = (uint16_t)(roll(2) << 13 | roll(5));
	return tag;
}

struct counts {
	struct port_stats port[N_PORTS + 1];
	struct vlan_stats vlan[4];
};

static void count(struct counts *c)
{
	for (uint16_t n = 1; n <= N_PORTS; n++) {
		c->port[n] = out->txq[n]->stats;
		c->port[n].rx_fast = 0;
	}
	for (uint16_t vid = 0; vid < 4; vid++)
		bridge_vlan_stats(br, 1, vid, &c->vlan[vid]);
}

/* @to - @from, as so many numbers. */
static void grown(const struct counts *from, const struct counts *to, struct counts *by)
{
	const uint64_t *a = (const uint64_t *)from, *b = (const uint64_t *)to;
	uint64_t *d = (uint64_t *)by;

	for (unsigned i = 0; i < sizeof(*by) / sizeof(*d); i++)
		d[i] = b[i] - a[i];
}

/* The tag in front of the rest of the frame as it leaves: what the kernel would have to send. */
static struct vtag outer(const struct txq_entry *e)
{
	return e->tagged ? e->frame->tag : e->frame->kept;
}

static void check_frame(const struct bridge_flow *f, struct vtag tag, uint32_t len)
{
	struct vtag want = f->pop ? none : f->push.tpid ? f->push : tag;
	struct counts before, between, after, real, brought;
	const struct txq_entry *e;
	uint64_t mtu_drops = out->txq[f->out]->stats.drop_out[DROP_MTU];

	count(&before);
	input(f->in, f->src, f->dst, tag, len);
	for (uint16_t n = 1; n <= N_PORTS; n++)
		ck_assert_uint_eq(out->txq[n]->n, n == f->out && len <= f->max_len);
	if (len > f->max_len) {
		ck_assert_uint_eq(out->txq[f->out]->stats.drop_out[DROP_MTU], mtu_drops + 1);
		return;
	}
	e = &out->txq[f->out]->entry[0];
	ck_assert(outer(e).tpid == want.tpid && outer(e).tci == want.tci);
	ck_assert(!(e->tagged && e->frame->kept.tpid)); /* that would be two */
	ck_assert_uint_eq(out->n_events, 0);
	txq_count(&out->txq[f->out]->stats, e, DROP_NONE);
	out->txq[f->out]->stats.tx_segments++;
	count(&between);
	bridge_flow_count(br, f, 3, 3 * (uint64_t)len, now, out);
	count(&after);
	grown(&before, &between, &real);
	grown(&between, &after, &brought);
	for (unsigned i = 0; i < sizeof(real) / sizeof(uint64_t); i++)
		ck_assert_uint_eq(3 * ((uint64_t *)&real)[i], ((uint64_t *)&brought)[i]);
	ck_assert_uint_eq(out->n_events, 0);
}

START_TEST(test_as_the_bridge)
{
	unsigned flows = 0, pushed = 0, popped = 0;

	dice = (uint64_t)_i;
	for (unsigned i = 0; i < 200; i++) {
		random_bridge();
		for (unsigned k = 0; k < 40; k++)
			hello((uint16_t)(1 + roll(N_PORTS)), station(roll(N_STATIONS)),
			      random_tag());
		for (unsigned k = 0; k < 200; k++) {
			uint16_t port = (uint16_t)(1 + roll(N_PORTS));
			uint64_t src = station(roll(N_STATIONS)), dst = station(roll(N_STATIONS));
			struct vtag tag = random_tag();
			struct bridge_flow f;

			if (!flow_of(port, src, dst, tag, &f))
				continue;
			check_frame(&f, tag, roll(2) ? 60 : MTU + 10 + roll(12));
			flows++;
			popped += f.pop;
			pushed += !!f.push.tpid;
		}
	}
	ck_assert_msg(flows > 500 && popped > 50 && pushed > 50, "%u flows, %u popped, %u pushed",
		      flows, popped, pushed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("flow");
	TCase *t = tcase_create("flow");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_known_unicast);
	tcase_add_test(t, test_settings);
	tcase_add_test(t, test_ages);
	tcase_add_test(t, test_late_count);
	tcase_add_loop_test(t, test_as_the_bridge, 0, 10);
	suite_add_tcase(suite, t);
	return suite_run(suite);
}
