/* SPDX-License-Identifier: MIT */
/* bridge_trace(): the sentences must be those of what bridge_input() does, step by step. */
#include <check.h>
#include <string.h>

#include "switch/bridge.h"
#include "tests/unit/suite.h"

#define H1 UINT64_C(0x020000000001)
#define H2 UINT64_C(0x020000000002)
#define H3 UINT64_C(0x020000000003)
#define NOBODY UINT64_C(0x020000000009)
#define BROADCAST UINT64_C(0xffffffffffff)
#define NOW 1000

static struct bridge *br;
static struct outbox *out;

static void add_port(uint16_t n, const char *name)
{
	const struct link link = { .present = true, .up = true, .carrier = true, .mtu = 1500 };

	ck_assert_int_eq(bridge_port_add(br, n, name, false, NOW, out), 0);
	ck_assert_int_eq(bridge_port_link(br, n, &link, NOW, out), 0);
}

/* Hosts H1, H2 and H3 behind ports p1, p2 and p3. */
static void setup(void)
{
	const uint64_t secret[2] = { 1, 2 };

	br = bridge_new(FDB_SIZE_MIN, secret);
	out = outbox_new();
	ck_assert(br && out);
	add_port(1, "p1");
	add_port(2, "p2");
	add_port(3, "p3");
	for (uint16_t n = 1; n <= 3; n++) {
		struct fdb_entry e = { .mac = H1 + n - 1u, .port = n, .flags = FDB_STATIC };

		ck_assert_int_eq(bridge_fdb_add(br, &e, false, FDB_MODE_ADD, NOW, out), 0);
	}
}

static void teardown(void)
{
	bridge_free(br);
	outbox_free(out);
}

static void set(uint16_t n, enum port_attr attr, uint64_t value)
{
	ck_assert_int_eq(bridge_port_set(br, n, attr, value, NOW, out), 0);
}

/* What becomes of an untagged frame of @len bytes into p1, after the line that describes it. */
static const char *trace(uint64_t src, uint64_t dst, uint32_t len)
{
	static char text[2048];
	const struct vtag none = { 0, 0 };

	ck_assert_int_eq(bridge_trace(br, 1, src, dst, none, len, NOW, text, sizeof(text)), 0);
	return strchr(text, '\n') + 1;
}

#define OFF "VLAN filtering is off: one table for all VLANs.\n"
#define KNOWN "02:00:00:00:00:01 is known on p1.\n"
#define TO_H2 "02:00:00:00:00:02 is behind p2.\n"

START_TEST(one_port)
{
	ck_assert_str_eq(trace(H1, H2, 60), OFF KNOWN TO_H2 "Out of p2.\n");
	ck_assert_str_eq(trace(H1, H2, 1519),
			 OFF KNOWN TO_H2 "p2: dropped (mtu): 1519 bytes, at most 1518 fit.\n");
	ck_assert_ptr_nonnull(strstr(trace(H1, H1, 60), "Dropped (same_port)"));
}
END_TEST

START_TEST(many_ports)
{
	ck_assert_ptr_nonnull(strstr(trace(H1, NOBODY, 60), "Out of p2.\nOut of p3.\n"));
	ck_assert_ptr_nonnull(strstr(trace(H1, BROADCAST, 60), "Out of p2.\nOut of p3.\n"));
	set(1, PORT_ISOLATED, 1);
	set(2, PORT_ISOLATED, 1);
	ck_assert_str_eq(trace(H1, BROADCAST, 60),
			 OFF KNOWN "ff:ff:ff:ff:ff:ff: broadcast, flooded.\nOut of p3.\n");
	ck_assert_ptr_nonnull(strstr(trace(H1, H2, 60), TO_H2 "Dropped (isolated)"));
}
END_TEST

START_TEST(locked_port)
{
	set(1, PORT_LOCKED, 1);
	ck_assert_ptr_nonnull(strstr(trace(H1, H2, 60), "Out of p2.\n"));
	ck_assert_ptr_nonnull(strstr(trace(NOBODY, H2, 60), OFF "Dropped (locked)"));
	ck_assert_ptr_nonnull(strstr(trace(H3, H2, 60), OFF "Dropped (locked)"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace");
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_port);
	tcase_add_test(tc, many_ports);
	tcase_add_test(tc, locked_port);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
