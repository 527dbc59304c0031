/* SPDX-License-Identifier: MIT */
/*
 * No frame of one tenant reaches a port of another, whatever tags it has: every outer VID with
 * every inner one.
 *
 * Ports are set up by the words that users have (access=, trunk=, qinq=); frames go the whole pure
 * way, from bytes on one wire to bytes on the others. What must happen is worked out here from the
 * rules of 802.1Q alone: nothing of vlan/ and switch/classify.c is called, and the tables of
 * stations are this file's own.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/kinds.h"
#include "switch/bridge.h"
#include "switch/command.h"
#include "tests/unit/suite.h"

#define PORTS 8u         /* number 0 is the host's */
#define MACS (PORTS + 1) /* a station behind each port, and one address that is behind several */
#define EVERYWHERE PORTS
#define FRAME_ROOM 64u

/* What a port is, said twice: in the user's words, and as what these words mean. */
struct wire_port {
	const char *spec;
	char tenant;          /* 'a', 'b'; 's' is shared by both; the host, 'h', is a third one */
	uint16_t first, last; /* VLANs carried tagged; 0 = none */
	uint16_t pvid;        /* carried untagged */
	enum { ANY, ONLY_TAGGED, ONLY_UNTAGGED } accept;
};

struct setup {
	const char *name;
	uint16_t tpid;
	uint16_t split; /* VLANs below belong to tenant a, from it on to tenant b */
	struct wire_port port[PORTS];
};

static const struct setup setups[] = {
	{ "access and trunk",
	  0x8100,
	  20,
	  { { "host", 'h', 0, 0, 1, ANY },
	    { "mem:,name=p1,access=10", 'a', 0, 0, 10, ANY },
	    { "mem:,name=p2,access=10", 'a', 0, 0, 10, ANY },
	    { "mem:,name=p3,trunk=10-19,native=11", 'a', 10, 19, 11, ANY },
	    { "mem:,name=p4,access=20", 'b', 0, 0, 20, ANY },
	    { "mem:,name=p5,trunk=20-29,native=20", 'b', 20, 29, 20, ANY },
	    { "mem:,name=p6,trunk=20-29", 'b', 20, 29, 0, ANY },
	    { "mem:,name=p7,trunk=10-29", 's', 10, 29, 0, ANY } } },
	{ "QinQ",
	  0x88a8,
	  200,
	  { { "host", 'h', 0, 0, 1, ANY },
	    { "mem:,name=p1,qinq=100", 'a', 0, 0, 100, ONLY_UNTAGGED },
	    { "mem:,name=p2,qinq=100", 'a', 0, 0, 100, ONLY_UNTAGGED },
	    { "mem:,name=p3,trunk=100-109", 'a', 100, 109, 0, ANY },
	    { "mem:,name=p4,qinq=200", 'b', 0, 0, 200, ONLY_UNTAGGED },
	    { "mem:,name=p5,qinq=200", 'b', 0, 0, 200, ONLY_UNTAGGED },
	    { "mem:,name=p6,access=201", 'b', 0, 0, 201, ANY },
	    { "mem:,name=p7,trunk=100-209", 's', 100, 209, 0, ANY } } },
	{ "all VLANs",
	  0x8100,
	  2048,
	  { { "host", 'h', 0, 0, 4094, ANY },
	    { "mem:,name=p1,access=2047", 'a', 0, 0, 2047, ANY },
	    { "mem:,name=p2,trunk=1-2047,accept=tagged", 'a', 1, 2047, 0, ONLY_TAGGED },
	    { "mem:,name=p3,trunk=2-2046,native=1", 'a', 2, 2046, 1, ANY },
	    { "mem:,name=p4,access=2048,accept=untagged", 'b', 0, 0, 2048, ONLY_UNTAGGED },
	    { "mem:,name=p5,trunk=2048-4093", 'b', 2048, 4093, 0, ANY },
	    { "mem:,name=p6,access=4093", 'b', 0, 0, 4093, ANY },
	    { "mem:,name=p7,trunk=1-4093", 's', 1, 4093, 0, ANY } } },
};
#define SETUPS ((int)(sizeof(setups) / sizeof(setups[0])))

static const struct setup *setup;
static struct bridge *br;
static struct outbox *out;
static struct batch batch;
static uint8_t buffer[BATCH_MAX][FRAME_ROOM];
static unsigned long sent, received;

/* ---- what must happen ---- */

/* A frame to send, and what is to become of it. */
struct trial {
	uint16_t tpid[2], tci[2]; /* outer, inner; TPID 0 = there is none */
	uint8_t src, dst_mac;     /* stations */
	uint64_t dst;
	uint16_t vid;              /* 0 = dropped on its way in */
	uint16_t to;               /* bit N: port N must get it */
	uint8_t bytes[FRAME_ROOM]; /* as sent */
	unsigned len;
	uint8_t tagged[FRAME_ROOM]; /* as it leaves with the VLAN's tag */
	unsigned tagged_len;
	uint8_t bare[FRAME_ROOM]; /* and without */
	unsigned bare_len;
};

static struct trial trial[BATCH_MAX];
/* The port behind which a station was last heard in a VLAN; 0 = unknown. */
static uint8_t behind[MACS][4096];

enum { TO_UNKNOWN = MACS, TO_MULTICAST, TO_BROADCAST, TO_KINDS };

static uint64_t station(unsigned n)
{
	return 0x020000000100 + n;
}

static uint64_t destination(unsigned kind)
{
	return kind == TO_UNKNOWN     ? 0x020000000999
	       : kind == TO_MULTICAST ? 0x01005e000001
	       : kind == TO_BROADCAST ? 0xffffffffffff
				      : station(kind);
}

static bool carries(const struct wire_port *p, unsigned vid)
{
	return vid && (vid == p->pvid || (vid >= p->first && vid <= p->last));
}

/* 802.1Q 6.9: the VLAN of a frame with these tags, 0 = it is dropped. */
static unsigned vlan_of(const struct wire_port *p, const struct trial *t)
{
	bool ours = t->tpid[0] == setup->tpid;
	unsigned named = ours ? t->tci[0] & 0xfff : 0, vid = named ? named : p->pvid;

	if ((p->accept == ONLY_TAGGED && !named) || (p->accept == ONLY_UNTAGGED && named))
		return 0;
	return carries(p, vid) ? vid : 0;
}

static unsigned put16(uint8_t *to, unsigned at, unsigned value)
{
	to[at] = (uint8_t)(value >> 8);
	to[at + 1] = (uint8_t)value;
	return at + 2;
}

static unsigned put_mac(uint8_t *to, unsigned at, uint64_t mac)
{
	at = put16(to, at, (unsigned)(mac >> 32));
	at = put16(to, at, (unsigned)(mac >> 16));
	return put16(to, at, (unsigned)mac);
}

/* Writes @t with VLAN tag @tpid/@tci (0 = none), its own tags from @from on, then a number. */
static unsigned write_frame(uint8_t *to, const struct trial *t, unsigned tpid, unsigned tci,
			    unsigned from)
{
	unsigned at = put_mac(to, put_mac(to, 0, t->dst), station(t->src));

	if (tpid)
		at = put16(to, put16(to, at, tpid), tci);
	for (unsigned i = from; i < 2; i++)
		if (t->tpid[i])
			at = put16(to, put16(to, at, t->tpid[i]), t->tci[i]);
	at = put16(to, at, 0x88b5);
	at = put16(to, at, (unsigned)(sent >> 16));
	at = put16(to, at, (unsigned)sent);
	return put16(to, at, 0xbeef);
}

/* Fills in what is to become of @t, received by port @in, and notes its source. */
static void expect(struct trial *t, unsigned in)
{
	bool ours = t->tpid[0] == setup->tpid;
	unsigned one;

	t->vid = (uint16_t)vlan_of(&setup->port[in], t);
	t->to = 0;
	t->len = write_frame(t->bytes, t, 0, 0, 0);
	t->bare_len = write_frame(t->bare, t, 0, 0, ours);
	t->tagged_len = write_frame(t->tagged, t, setup->tpid,
				    (ours ? t->tci[0] & 0xf000 : 0) | t->vid, ours);
	if (!t->vid)
		return;
	behind[t->src][t->vid] = (uint8_t)in;
	one = t->dst_mac < MACS ? behind[t->dst_mac][t->vid] : 0;
	for (unsigned n = 0; n < PORTS; n++) {
		/* the host gets no unknown unicast */
		bool asked = one ? n == one : n || t->dst_mac >= TO_MULTICAST;

		if (asked && n != in && carries(&setup->port[n], t->vid))
			t->to |= (uint16_t)(1u << n);
	}
}

/* ---- what did ---- */

static const char *describe(const struct trial *t, unsigned in)
{
	static char text[256];

	snprintf(text, sizeof(text),
		 "%s: from p%u, station %u to %012llx, tags %04x:%04x %04x:%04x; VLAN %u is for "
		 "ports %02x",
		 setup->name, in, t->src, (unsigned long long)t->dst, t->tpid[0], t->tci[0],
		 t->tpid[1], t->tci[1], t->vid, t->to);
	return text;
}

/* Whose VLAN the outer tag of @bytes names; 0 when it is none of the switch's. */
static char owner(const uint8_t *bytes)
{
	unsigned vid = (unsigned)(bytes[14] << 8 | bytes[15]) & 0xfff;

	if (bytes[12] != setup->tpid >> 8 || bytes[13] != (setup->tpid & 0xff) || !vid)
		return 0;
	return vid < setup->split ? 'a' : 'b';
}

/*
 * The rule that this test is for, with no word about how: what a tenant sent stays his. The shared
 * port has no native VLAN, as it must be: on one that has, a tenant's inner tag would stand where
 * the next switch looks for the outer one.
 */
static void check_tenant(const struct trial *t, unsigned in, unsigned n, const uint8_t *bytes)
{
	char from = setup->port[in].tenant, to = setup->port[n].tenant;

	if (from == 's')
		from = owner(t->bytes);
	if (to == 's')
		to = owner(bytes);
	if (from != to)
		ck_abort_msg("LEAK to p%u: %s", n, describe(t, in));
}

/* Compares one copy that port @n is given with what it must be. */
static void check_copy(const struct trial *t, unsigned in, unsigned n, const struct txq_entry *e)
{
	uint8_t bytes[2 * FRAME_ROOM];
	bool untagged = setup->port[n].pvid == t->vid;
	const uint8_t *want = untagged ? t->bare : t->tagged;
	unsigned len = 0;
	struct wire w;

	wire_build(&w, e->frame, e->tagged);
	for (unsigned i = 1; i < w.n_iov; i++) {
		memcpy(bytes + len, w.iov[i].iov_base, w.iov[i].iov_len);
		len += (unsigned)w.iov[i].iov_len;
	}
	check_tenant(t, in, n, bytes);
	if (len != (untagged ? t->bare_len : t->tagged_len) || memcmp(bytes, want, len) != 0)
		ck_abort_msg("other bytes on p%u: %s", n, describe(t, in));
	received++;
}

/* Gives the trials to the bridge and compares. */
static void run_batch(unsigned in)
{
	uint16_t to[BATCH_MAX] = { 0 };

	batch.stats = &out->txq[in]->stats;
	for (unsigned i = 0; i < batch.n; i++) {
		struct frame *f = &batch.frame[i];

		memcpy(buffer[i], trial[i].bytes, trial[i].len);
		*f = (struct frame){ .data = buffer[i],
				     .len = trial[i].len,
				     .total = trial[i].len,
				     .port = (uint16_t)in };
		if (frame_lift_tag(f)) /* ck_assert() writes a file each time */
			ck_abort_msg("refused: %s", describe(&trial[i], in));
	}
	if (bridge_input(br, &batch, 0, 1000, out) != batch.n)
		ck_abort_msg("the bridge stopped early");
	for (unsigned n = 0; n < PORTS; n++) {
		struct txq *q = out->txq[n];

		for (unsigned k = 0; k < q->n; k++) {
			unsigned i = (unsigned)(q->entry[k].frame - batch.frame);

			check_copy(&trial[i], in, n, &q->entry[k]);
			to[i] |= (uint16_t)(1u << n);
		}
		q->n = 0;
		portset_del(&out->busy, n);
	}
	for (unsigned i = 0; i < batch.n; i++)
		if (to[i] != trial[i].to)
			ck_abort_msg("went to ports %02x: %s", to[i], describe(&trial[i], in));
	out->n_events = 0;
	batch.n = 0;
}

static void send_frame(unsigned in, const uint16_t tpid[2], unsigned outer, unsigned inner,
		       unsigned src, unsigned dst)
{
	struct trial *t = &trial[batch.n++];

	sent++;
	*t = (struct trial){ .tpid = { tpid[0], tpid[1] },
			     .tci = { (uint16_t)outer, (uint16_t)inner },
			     .src = (uint8_t)src,
			     .dst_mac = (uint8_t)dst,
			     .dst = destination(dst) };
	expect(t, in);
	if (batch.n == BATCH_MAX)
		run_batch(in);
}

/* ---- the switch under test ---- */

static void line(struct model *m, const char *text)
{
	struct error err = { "" };

	ck_assert_msg(!command_config_line(m, text, &err), "%s: %s", text, err.text);
}

/* Makes port @n of the bridge what @p of the model says. */
static void add_port(uint16_t n, const struct model_port *p)
{
	const struct link link = { .present = true, .up = true, .carrier = true, .mtu = 1500 };

	ck_assert_int_eq(bridge_port_add(br, n, p->name, false, 1000, out), 0);
	ck_assert_int_eq(bridge_port_link(br, n, &link, 1000, out), 0);
	for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++) {
		bool untagged = p->vlans->untagged[vid / 64] >> (vid % 64) & 1;
		unsigned flags =
			(untagged ? VLAN_UNTAGGED : 0u) | (p->vlans->pvid == vid ? VLAN_PVID : 0u);

		if (model_vlan_has(p, vid))
			ck_assert_int_eq(
				bridge_vlan_add(br, n, vid, vid, (uint16_t)flags, 1000, out), 0);
		out->n_events = 0;
	}
	if (n)
		bridge_port_set(br, n, PORT_ACCEPT, p->attr[PORT_ACCEPT], 1000, out);
}

static void start(int number)
{
	static const uint64_t secret[2] = { 1, 2 };
	struct model m;
	char text[128];
	struct error err = { "" };

	setup = &setups[number];
	memset(behind, 0, sizeof(behind));
	model_init(&m, "br0");
	line(&m, setup->tpid == 0x8100 ? "set vlan_default_pvid 0"
				       : "set vlan_default_pvid 0 vlan_protocol 802.1ad");
	for (unsigned n = 0; n < PORTS; n++) {
		snprintf(text, sizeof(text), "link add %s", setup->port[n].spec);
		line(&m, text);
	}
	snprintf(text, sizeof(text), "vlan add vid %u dev br0 self pvid untagged",
		 setup->port[0].pvid);
	line(&m, text);
	ck_assert_msg(!model_check(&m, &err), "%s", err.text);

	br = bridge_new(1u << 17, secret);
	out = outbox_new();
	ck_assert(br && out);
	ck_assert_uint_eq(m.attr[BRIDGE_VLAN_FILTERING], 1);
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		if (i != BRIDGE_GROUP_ADDR)
			ck_assert_int_eq(bridge_set(br, (enum bridge_attr)i, m.attr[i], 1000, out),
					 0);
	ck_assert_uint_eq(m.n_ports, PORTS);
	for (unsigned n = 0; n < PORTS; n++)
		add_port((uint16_t)n, &m.port[n]);
	model_fini(&m);
}

static void stop(void)
{
	struct fdb_info info;

	bridge_fdb_info(br, &info);
	ck_assert_uint_eq(info.evicted + info.refused,
			  0); /* the table was large enough to know what we know */
	bridge_free(br);
	outbox_free(out);
}

/* ---- the trials ---- */

/* Every outer VID of either TPID on every port, with inner tags of every sort, to every sort of
 * destination. */
START_TEST(test_outer)
{
	uint16_t inner[][2] = { { 0, 0 },         { 0x8100, 0 },      { 0x8100, 10 },
				{ 0x8100, 20 },   { 0x88a8, 100 },    { 0x88a8, 200 },
				{ 0x8100, 2048 }, { 0x8100, 0xffff }, { 0x88a8, 0x2fff } };
	static const uint16_t outer[] = { 0x8100, 0x88a8 };

	start(_i);
	for (unsigned in = 1; in < PORTS; in++) {
		for (unsigned vid = 0; vid < 4096; vid++)
			for (unsigned i = 0; i < 2 * sizeof(inner) / sizeof(inner[0]); i++)
				for (unsigned dst = 0; dst < TO_KINDS; dst++) {
					uint16_t tpid[2] = { outer[i & 1], inner[i / 2][0] };
					unsigned pcp = (vid * 7 + i + dst) % 16;

					send_frame(in, tpid, pcp << 12 | vid, inner[i / 2][1],
						   (vid + dst) % 5 ? in : EVERYWHERE, dst);
				}
		run_batch(in);
	}
	stop();
	printf("%s: %lu frames, %lu copies\n", setup->name, sent, received);
	ck_assert_uint_gt(received, sent / 100);
}
END_TEST

/* Untagged frames from every port to every sort of destination. */
START_TEST(test_untagged)
{
	static const uint16_t none[2] = { 0, 0 };

	start(_i);
	for (unsigned round = 0; round < 4; round++)
		for (unsigned in = 1; in < PORTS; in++) {
			for (unsigned dst = 0; dst < TO_KINDS; dst++)
				send_frame(in, none, 0, 0, round & 1 ? in : EVERYWHERE, dst);
			run_batch(in);
		}
	stop();
}
END_TEST

/* All pairs of an outer and an inner VID; ports, destinations and TPIDs take turns that do not fall
 * into step. */
START_TEST(test_pairs)
{
	uint32_t turn = 1;

	start(_i);
	for (unsigned outer = 0; outer < 4096; outer++)
		for (unsigned half = 0; half < 4096; half += BATCH_MAX) {
			unsigned in;

			turn = turn * 1664525 + 1013904223;
			in = 1 + (turn >> 8) % (PORTS - 1);
			for (unsigned inner = half; inner < half + BATCH_MAX; inner++) {
				uint16_t tpid[2] = { setup->tpid, 0x8100 };

				turn = turn * 1664525 + 1013904223;
				if (turn >> 28 == 0)
					tpid[0] ^= 0x8100 ^ 0x88a8;
				if (turn >> 30 == 1)
					tpid[1] = 0x88a8;
				send_frame(in, tpid, (turn >> 12 & 0xf000) | outer,
					   (turn >> 8 & 0xf000) | inner,
					   turn & 64 ? in : EVERYWHERE, (turn >> 7) % TO_KINDS);
			}
		}
	stop();
	printf("%s: %lu frames, %lu copies\n", setup->name, sent, received);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("leak");
	TCase *tcase = tcase_create("tenants");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, test_untagged, 0, SETUPS);
	tcase_add_loop_test(tcase, test_outer, 0, SETUPS);
	tcase_add_loop_test(tcase, test_pairs, 0, SETUPS);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
