/* SPDX-License-Identifier: MIT */
/* vlan: ranges of VIDs, membership, and what joining and leaving VLANs does to a bridge. */
#include "vlan/vlan.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ports/kinds.h"
#include "switch/bridge.h"
#include "switch/command.h"
#include "tests/unit/suite.h"

#define N_PORTS 3

static struct bridge *br;
static struct outbox *out;
static struct error err;

/* ---- ranges ---- */

static const struct {
	const char *text;
	uint16_t first, last; /* 0 = refused */
} ranges[] = {
	{ "1", 1, 1 },          { "4094", 4094, 4094 },
	{ "10-20", 10, 20 },    { "1-4094", 1, 4094 },
	{ "007", 7, 7 },        { "4093-4094", 4093, 4094 },
	{ "", 0, 0 },           { "0", 0, 0 },
	{ "4095", 0, 0 },       { "4096", 0, 0 },
	{ "5000", 0, 0 },       { "10-5", 0, 0 },
	{ "10-10", 0, 0 },      { "10-", 0, 0 },
	{ "-10", 0, 0 },        { "-", 0, 0 },
	{ "0-10", 0, 0 },       { "10-4095", 0, 0 },
	{ "10-20-30", 0, 0 },   { "10 ", 0, 0 },
	{ " 10", 0, 0 },        { "+10", 0, 0 },
	{ "10,20", 0, 0 },      { "0x10", 0, 0 },
	{ "1.5", 0, 0 },        { "x", 0, 0 },
	{ "4294967297", 0, 0 }, { "18446744073709551617", 0, 0 },
};

START_TEST(test_range)
{
	uint16_t first = 7777, last = 7777;
	int ret = vlan_parse_range(ranges[_i].text, &first, &last);

	ck_assert_msg(ret == (ranges[_i].first ? 0 : -EINVAL), "\"%s\"", ranges[_i].text);
	ck_assert_uint_eq(first, ranges[_i].first ? ranges[_i].first : 7777);
	ck_assert_uint_eq(last, ranges[_i].first ? ranges[_i].last : 7777);
}
END_TEST

/* ---- membership ---- */

START_TEST(test_member)
{
	static struct vlan v;
	const uint16_t port = PORT_MAX - 1;

	ck_assert(!vlan_del(&v, port));
	ck_assert(vlan_add(&v, port, false));
	ck_assert(!vlan_add(&v, port, false));
	ck_assert(portset_has(&v.member, port) && !portset_has(&v.untagged, port));
	ck_assert(portset_has(&v.forwarding, port) && portset_has(&v.learning, port));
	ck_assert(vlan_add(&v, port, true));
	ck_assert(portset_has(&v.untagged, port));
	portset_del(&v.forwarding, port);
	ck_assert(!vlan_add(&v, port, true)); /* its state is kept */
	ck_assert(!portset_has(&v.forwarding, port));
	ck_assert(vlan_del(&v, port));
	ck_assert(!portset_has(&v.member, port) && !portset_has(&v.untagged, port));
	ck_assert(!portset_has(&v.forwarding, port) && !portset_has(&v.learning, port));
}
END_TEST

/* ---- a bridge ---- */

static void setup(void)
{
	static const uint64_t secret[2] = { 3, 4 };
	char name[8];

	br = bridge_new(FDB_SIZE_MIN, secret);
	out = outbox_new();
	ck_assert(br && out);
	for (uint16_t n = 1; n <= N_PORTS; n++) {
		const struct link link = {
			.present = true, .up = true, .carrier = true, .mac = 0x020000000000 + n
		};

		snprintf(name, sizeof(name), "p%u", n);
		ck_assert_int_eq(bridge_port_add(br, n, name, true, 0, out), 0);
		ck_assert_int_eq(bridge_port_link(br, n, &link, 0, out), 0);
	}
	out->n_events = 0;
}

static void teardown(void)
{
	bridge_free(br);
	outbox_free(out);
}

/* The VLAN events in the outbox, which is emptied: "p1+10-12U p1-3 ". */
static const char *news(void)
{
	static char text[1024];
	size_t at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < out->n_events; i++) {
		const struct event *e = &out->event[i];

		if (e->kind != EVENT_VLAN_ADDED && e->kind != EVENT_VLAN_DELETED)
			continue;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "p%u%c%u", e->port,
				       e->kind == EVENT_VLAN_ADDED ? '+' : '-', e->vid);
		if (e->vid_last != e->vid)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "-%u", e->vid_last);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s ",
				       e->vlan_flags & VLAN_PVID ? "P" : "",
				       e->vlan_flags & VLAN_UNTAGGED ? "U" : "");
	}
	out->n_events = 0;
	return text;
}

/* The VLANs of port @n below 100: "1PU 10 ". */
static const char *vlans(uint16_t n)
{
	static char text[1024];
	enum port_state state;
	uint16_t flags;
	size_t at = 0;

	text[0] = '\0';
	for (uint16_t vid = 1; vid < 100; vid++)
		if (bridge_vlan_get(br, n, vid, &flags, &state))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%u%s%s ", vid,
					       flags & VLAN_PVID ? "P" : "",
					       flags & VLAN_UNTAGGED ? "U" : "");
	return text;
}

static int add(uint16_t n, uint16_t first, uint16_t last, uint16_t flags)
{
	return bridge_vlan_add(br, n, first, last, flags, 0, out);
}

static int del(uint16_t n, uint16_t first, uint16_t last)
{
	return bridge_vlan_del(br, n, first, last, 0, out);
}

START_TEST(test_arguments)
{
	ck_assert_int_eq(add(9, 10, 10, 0), -ENODEV);
	ck_assert_int_eq(add(1, 0, 10, 0), -EINVAL);
	ck_assert_int_eq(add(1, 10, 4095, 0), -EINVAL);
	ck_assert_int_eq(add(1, 20, 10, 0), -EINVAL);
	ck_assert_int_eq(add(1, 10, 12, VLAN_PVID), -EINVAL);
	ck_assert_int_eq(del(9, 10, 10), -ENODEV);
	ck_assert_int_eq(del(1, 0, 10), -EINVAL);
	ck_assert_int_eq(del(1, 10, 4095), -EINVAL);
	ck_assert_int_eq(del(1, 10, 20), 0);
	ck_assert_int_eq(bridge_vlan_set_state(br, 1, 1, 1, STATE_BLOCKING + 1, 0, out), -EINVAL);
	ck_assert_int_eq(bridge_vlan_set_state(br, 1, 1, 2, STATE_BLOCKING, 0, out), -ENOENT);
	ck_assert_str_eq(news(), "");
	ck_assert_str_eq(vlans(1), "1PU ");
}
END_TEST

/* What changes together is one event, what did not change none (br_vlan_notify). */
START_TEST(test_events)
{
	ck_assert_int_eq(add(1, 10, 200, 0), 0);
	ck_assert_str_eq(news(), "p1+10-200 ");
	ck_assert_int_eq(add(1, 10, 200, 0), 0);
	ck_assert_str_eq(news(), "");
	ck_assert_int_eq(add(1, 20, 22, VLAN_UNTAGGED), 0);
	ck_assert_int_eq(add(1, 10, 30, VLAN_UNTAGGED), 0);
	ck_assert_str_eq(news(), "p1+20-22U p1+10-19U p1+23-30U ");
	ck_assert_int_eq(add(1, 10, 10, VLAN_PVID), 0); /* 1 loses the mark without a word */
	ck_assert_str_eq(news(), "p1+10P ");
	ck_assert_int_eq(bridge_vlan_set_state(br, 1, 9 + 1, 32, STATE_BLOCKING, 0, out), 0);
	ck_assert_str_eq(news(), "p1+10P p1+11-30U p1+31-32 ");
	ck_assert_int_eq(del(1, 15, 16), 0);
	ck_assert_int_eq(del(1, 1, 4094), 0);
	ck_assert_str_eq(news(), "p1-15-16 p1-1 p1-10-14 p1-17-200 ");
	ck_assert_str_eq(vlans(1), "");
	ck_assert_int_eq(add(2, 11, 12, 0), 0);
	news();
	ck_assert_int_eq(bridge_port_del(br, 2, 0, out), 0);
	ck_assert_str_eq(news(), "p2-1 p2-11-12 ");
}
END_TEST

/* Addresses in many VLANs may be too much news for one call, but not at the port's cost. */
START_TEST(test_room)
{
	ck_assert_int_eq(add(1, 2, 700, 0), 0);
	ck_assert_uint_gt(out->lost, 0);
	ck_assert_str_eq(news(), "p1+2-700 ");
	ck_assert_int_eq(bridge_port_del(br, 1, 0, out), 0);
	ck_assert_int_eq(out->event[out->n_events - 1].kind, EVENT_PORT_DELETED);
	ck_assert_str_eq(news(), "p1-1-700 ");
}
END_TEST

/* The examples of a kernel's bridge: see __br_vlan_set_default_pvid(). */
START_TEST(test_default_pvid)
{
	static const struct {
		uint16_t pvid;
		const char *p1, *p2, *p3;
	} steps[] = {
		{ 20, "20PU ", "1U 10PU ", "1P " },
		{ 0, "", "1U 10PU ", "1P " },
		{ 30, "30PU ", "1U 10U 30PU ", "1 30PU " },
		{ 30, "30PU ", "1U 10U 30PU ", "1 30PU " },
		{ 1, "1PU ", "1U 10U 30PU ", "1 30PU " },
	};

	ck_assert_int_eq(add(2, 10, 10, VLAN_PVID | VLAN_UNTAGGED), 0);
	ck_assert_int_eq(add(3, 1, 1, VLAN_PVID), 0);
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		ck_assert_int_eq(bridge_set(br, BRIDGE_VLAN_DEFAULT_PVID, steps[i].pvid, 0, out),
				 0);
		ck_assert_str_eq(vlans(1), steps[i].p1);
		ck_assert_str_eq(vlans(2), steps[i].p2);
		ck_assert_str_eq(vlans(3), steps[i].p3);
	}
}
END_TEST

static void put(uint64_t mac, uint16_t vid, uint16_t flags)
{
	const struct fdb_entry e = { .mac = mac, .vid = vid, .port = 1, .flags = flags };

	ck_assert_int_eq(bridge_fdb_add(br, &e, false, FDB_MODE_REPLACE, 0, out), 0);
}

/* Leaving VLANs forgets what is dynamic in them on that port, and its address (nbp_vlan_delete). */
START_TEST(test_forgets)
{
	static const uint64_t dynamic = 0x02000000aa01, stays = 0x02000000aa02,
			      local = 0x020000000001;
	struct fdb_entry e;

	ck_assert_int_eq(add(1, 10, 12, 0), 0);
	for (uint16_t vid = 9; vid <= 13; vid++) {
		if (vid >= 10 && vid <= 12) {
			put(dynamic, vid, 0);
			put(stays, vid, FDB_STATIC);
		}
		ck_assert(bridge_fdb_get(br, local, vid, 0, &e) == (vid >= 10 && vid <= 12));
	}
	ck_assert_int_eq(del(1, 11, 4094), 0);
	for (uint16_t vid = 10; vid <= 12; vid++) {
		ck_assert(bridge_fdb_get(br, dynamic, vid, 0, &e) == (vid == 10));
		ck_assert(bridge_fdb_get(br, local, vid, 0, &e) == (vid == 10));
		ck_assert(bridge_fdb_get(br, stays, vid, 0, &e));
	}
	ck_assert(bridge_fdb_get(br, local, 1, 0, &e) && bridge_fdb_get(br, local, 0, 0, &e));
}
END_TEST

/* ---- the configuration ---- */

static void line(struct model *m, const char *text)
{
	ck_assert_msg(!command_config_line(m, text, &err), "%s: %s", text, err.text);
}

/* A static entry outlives its VLAN on a port, and is configured again when either is back. */
START_TEST(test_adopt)
{
	struct model wanted, actual;

	model_init(&wanted, "br0");
	model_init(&actual, "br0");
	line(&wanted, "link add mem:,name=a");
	line(&wanted, "link add mem:,name=b");
	line(&wanted, "vlan add vid 10 dev b");
	ck_assert_int_eq(model_copy(&actual, &wanted), 0);
	ck_assert_int_eq(model_fdb_put(&actual, 0x020000000001, 10, "a", FDB_STATIC), 0);
	ck_assert_int_eq(model_adopt(&wanted, &actual, false), 0);
	ck_assert_uint_eq(wanted.n_fdb, 0); /* a is not in VLAN 10 */

	line(&wanted, "vlan add vid 10 dev a");
	ck_assert_int_eq(model_adopt(&wanted, &actual, true), 0);
	ck_assert_uint_eq(wanted.n_fdb, 1);
	ck_assert_str_eq(wanted.fdb[0].dev, "a");

	line(&wanted, "vlan del vid 10 dev a");
	ck_assert_int_eq(model_fdb_put(&actual, 0x020000000001, 10, "b", FDB_STATIC), 0);
	ck_assert_int_eq(model_adopt(&wanted, &actual, true), 0);
	ck_assert_uint_eq(wanted.n_fdb, 0); /* b was in it before: `fdb del` may have meant it */
	ck_assert_int_eq(model_adopt(&wanted, &actual, false), 0);
	ck_assert_str_eq(wanted.fdb[0].dev, "b");
	model_fini(&wanted);
	model_fini(&actual);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vlan");
	TCase *words = tcase_create("words"), *bridge = tcase_create("bridge");

	tcase_add_loop_test(words, test_range, 0, (int)(sizeof(ranges) / sizeof(ranges[0])));
	tcase_add_test(words, test_member);
	tcase_add_test(words, test_adopt);
	suite_add_tcase(suite, words);
	tcase_add_checked_fixture(bridge, setup, teardown);
	tcase_add_test(bridge, test_arguments);
	tcase_add_test(bridge, test_events);
	tcase_add_test(bridge, test_room);
	tcase_add_test(bridge, test_default_pvid);
	tcase_add_test(bridge, test_forgets);
	suite_add_tcase(suite, bridge);
	return suite_run(suite);
}
