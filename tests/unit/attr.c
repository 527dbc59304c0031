/* SPDX-License-Identifier: MIT */
/* attr: every type reads what it prints, and refuses the rest with a reason. */
#include "switch/attr.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char why[300];

static const struct attr *find(const char *name)
{
	int i = attr_find(bridge_attrs, BRIDGE_ATTR_MAX, name);

	if (i >= 0)
		return &bridge_attrs[i];
	i = attr_find(port_attrs, PORT_ATTR_MAX, name);
	ck_assert_msg(i >= 0, "%s", name);
	return &port_attrs[i];
}

static const struct {
	const char *name, *text;
	uint64_t value;
} good[] = {
	{ "ageing_time", "300s", 300000 },
	{ "ageing_time", "30000cs", 300000 },
	{ "ageing_time", "20ms", 20 },
	{ "ageing_time", "0", 0 },
	{ "ageing_time", "0s", 0 },
	{ "ageing_time", "42949672s", 42949672000ull },
	{ "vlan_filtering", "on", 1 },
	{ "vlan_filtering", "0", 0 },
	{ "hairpin", "off", 0 },
	{ "vlan_protocol", "802.1ad", 0x88a8 },
	{ "vlan_protocol", "802.1q", 0x8100 },
	{ "vlan_default_pvid", "4094", 4094 },
	{ "vlan_default_pvid", "0", 0 },
	{ "group_fwd_mask", "0xfff8", 0xfff8 },
	{ "group_fwd_mask", "8", 8 },
	{ "group_address", "1:80:c2:0:0:e", 0x0180c200000eull },
	{ "fdb_max_learned", "4294967295", UINT32_MAX },
	{ "state", "blocking", STATE_BLOCKING },
	{ "state", "2", STATE_LEARNING },
	{ "priority", "63", 63 },
	{ "cost", "65535", 65535 },
	{ "accept", "untagged", ACCEPT_UNTAGGED },
};

START_TEST(accepted)
{
	const struct attr *attr = find(good[_i].name);
	uint64_t value = ~0ull, again = ~0ull;
	char text[24];

	ck_assert_msg(!attr_parse(attr, good[_i].text, &value, why, sizeof(why)), "%s", why);
	ck_assert_uint_eq(value, good[_i].value);
	ck_assert_int_eq(attr_parse(attr, attr_print(attr, value, text, sizeof(text)), &again, why,
				    sizeof(why)),
			 0);
	ck_assert_uint_eq(again, value);
}
END_TEST

static const struct {
	const char *name, *text, *why;
} bad[] = {
	{ "ageing_time", "30000", "needs a unit" },
	{ "ageing_time", "30000", "30000cs = 300.00s" },
	{ "ageing_time", "5m", "none of the units" },
	{ "ageing_time", "s", "not a time" },
	{ "ageing_time", "", "not a time" },
	{ "ageing_time", "-1s", "not a time" },
	{ "ageing_time", "15ms", "multiple of 10ms" },
	{ "ageing_time", "42949673s", "out of range" },
	{ "ageing_time", "99999999999999999999s", "not a time" },
	{ "ageing_time", "18446744073709551615s", "out of range" },
	{ "vlan_filtering", "2", "neither on" },
	{ "vlan_filtering", "yes", "neither on" },
	{ "vlan_protocol", "0x88a8", "neither 802.1Q" },
	{ "vlan_default_pvid", "4095", "0 to 4094" },
	{ "vlan_default_pvid", "1x", "not a number" },
	{ "vlan_default_pvid", " 1", "not a number" },
	{ "group_fwd_mask", "0x10000", "out of range" },
	{ "group_fwd_mask", "0x4", "bits 0, 1 and 2" },
	{ "group_fwd_mask", "0x", "not a number" },
	{ "group_address", "01:80:c2:00:00:01", "X not 1, 2, 3" },
	{ "group_address", "01:80:c2:00:00:10", "01:80:c2:00:00:0X" },
	{ "group_address", "x", "MAC address" },
	{ "state", "5", "none of disabled" },
	{ "state", "forward", "forwarding" },
	{ "priority", "64", "0 to 63" },
	{ "cost", "0", "1 to 65535" },
	{ "accept", "0", "all, tagged, untagged" },
	{ "backup_port", "tap0", "needs a port" },
};

START_TEST(refused)
{
	uint64_t value = 42;

	why[0] = '\0';
	ck_assert_int_lt(attr_parse(find(bad[_i].name), bad[_i].text, &value, why, sizeof(why)), 0);
	ck_assert_uint_eq(value, 42);
	ck_assert_msg(strstr(why, bad[_i].why) && strstr(why, bad[_i].name), "%s", why);
}
END_TEST

/* A port's mask may pass STP and LACP, not pause frames. */
START_TEST(port_mask)
{
	const struct attr *attr = &port_attrs[PORT_PORT_GROUP_FWD_MASK];
	uint64_t value;

	ck_assert_int_eq(attr_parse(attr, "0x5", &value, why, sizeof(why)), 0);
	ck_assert_int_eq(attr_parse(attr, "0x2", &value, why, sizeof(why)), -EINVAL);
}
END_TEST

START_TEST(defaults)
{
	char text[24];
	uint64_t value;

	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++) {
		const struct attr *a = &bridge_attrs[i];

		ck_assert_int_eq(attr_parse(a, attr_print(a, a->fallback, text, sizeof(text)),
					    &value, why, sizeof(why)),
				 0);
		ck_assert_uint_eq(value, a->fallback);
	}
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++) {
		const struct attr *a = &port_attrs[i];

		if (a->type == ATTR_PORT)
			continue;
		ck_assert_int_eq(attr_parse(a, attr_print(a, a->fallback, text, sizeof(text)),
					    &value, why, sizeof(why)),
				 0);
		ck_assert_uint_eq(value, a->fallback);
	}
}
END_TEST

/* The manual has a line for each setting. */
START_TEST(documented)
{
	static char manual[65536];
	FILE *file = fopen("tools/uswitchctl/uswitchctl.8", "re");

	ck_assert_ptr_nonnull(file);
	manual[fread(manual, 1, sizeof(manual) - 1, file)] = '\0';
	fclose(file);
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		ck_assert_msg(strstr(manual, bridge_attrs[i].name), "%s", bridge_attrs[i].name);
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		ck_assert_msg(strstr(manual, port_attrs[i].name), "%s", port_attrs[i].name);
}
END_TEST

START_TEST(printed)
{
	char text[24];

	ck_assert_str_eq(attr_print(find("ageing_time"), 300000, text, sizeof(text)), "300s");
	ck_assert_str_eq(attr_print(find("ageing_time"), 1010, text, sizeof(text)), "1010ms");
	ck_assert_str_eq(attr_print(find("ageing_time"), 0, text, sizeof(text)), "0");
	ck_assert_str_eq(attr_print(find("vlan_filtering"), 1, text, sizeof(text)), "1");
	ck_assert_str_eq(attr_print(find("hairpin"), 1, text, sizeof(text)), "on");
	ck_assert_str_eq(attr_print(find("group_fwd_mask"), 8, text, sizeof(text)), "0x8");
	ck_assert_str_eq(attr_print(find("group_fwd_mask"), 0, text, sizeof(text)), "0");
	ck_assert_int_eq(attr_find(bridge_attrs, BRIDGE_ATTR_MAX, "ageing"), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("attr");
	TCase *t = tcase_create("attr");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, accepted, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, port_mask);
	tcase_add_test(t, defaults);
	tcase_add_test(t, documented);
	tcase_add_test(t, printed);
	return suite_run(s);
}
