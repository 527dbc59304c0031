/* SPDX-License-Identifier: MIT */
#include "fdb/mac.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

START_TEST(parse_accepts)
{
	static const struct {
		const char *text;
		uint64_t mac;
	} good[] = {
		{ "00:00:00:00:00:00", 0 },
		{ "02:00:00:00:00:01", UINT64_C(0x020000000001) },
		{ "ff:FF:ff:Ff:fF:ff", MAC_BROADCAST },
		{ "1:2:3:a:B:c", UINT64_C(0x0102030a0b0c) },
		{ "12:3:45:6:78:9", UINT64_C(0x120345067809) },
	};

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t mac = 7;

		ck_assert_msg(mac_parse(good[i].text, &mac) == 0, "%s", good[i].text);
		ck_assert_uint_eq(mac, good[i].mac);
	}
}
END_TEST

START_TEST(parse_refuses)
{
	static const char *const bad[] = {
		"",
		":",
		"0",
		"02:00:00:00:00",
		"02:00:00:00:00:",
		"02:00:00:00:00:01:",
		"02:00:00:00:00:01:02",
		"02:00:00:00:00:01 ",
		" 02:00:00:00:00:01",
		"02:00:00:00:00:001",
		"002:00:00:00:00:01",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:/1",
		"02::00:00:00:01",
		"02-00-00-00-00-01",
		"0200.0000.0001",
		"020000000001",
		"+2:00:00:00:00:01",
		"0x2:0:0:0:0:1",
		"@0:00:00:00:00:01",
		"`0:00:00:00:00:01",
		"\x12:00:00:00:00:01",
		"02:00:00:00:00:\xe1",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t mac = 7;

		ck_assert_msg(mac_parse(bad[i], &mac) == -EINVAL, "\"%s\"", bad[i]);
		ck_assert_uint_eq(mac, 7);
	}
}
END_TEST

START_TEST(print_round_trip)
{
	char text[MAC_STRLEN];
	uint64_t mac = 1, back;

	ck_assert_str_eq(mac_print(0, text), "00:00:00:00:00:00");
	ck_assert_str_eq(mac_print(UINT64_C(0x0a1b2c3d4e5f), text), "0a:1b:2c:3d:4e:5f");
	ck_assert_str_eq(mac_print(MAC_BROADCAST, text), "ff:ff:ff:ff:ff:ff");
	for (unsigned i = 0; i < 1000; i++) {
		mac = (mac * 6364136223846793005u + 1442695040888963407u) & MAC_BROADCAST;
		ck_assert_int_eq(mac_parse(mac_print(mac, text), &back), 0);
		ck_assert_uint_eq(mac, back);
	}
}
END_TEST

START_TEST(load_and_store)
{
	uint8_t bytes[9] = { 0xee, 0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e, 0xee, 0xee };

	ck_assert_uint_eq(mac_load(bytes + 1), UINT64_C(0x0180c200000e));
	mac_store(bytes + 2, UINT64_C(0x123456789abc));
	ck_assert_uint_eq(mac_load(bytes + 2), UINT64_C(0x123456789abc));
	ck_assert_uint_eq(bytes[1], 0x01);
	ck_assert_uint_eq(bytes[2], 0x12);
	ck_assert_uint_eq(bytes[7], 0xbc);
	ck_assert_uint_eq(bytes[8], 0xee);
}
END_TEST

START_TEST(kinds)
{
	ck_assert(mac_is_group(MAC_BROADCAST));
	ck_assert(mac_is_group(UINT64_C(0x01005e000001)));
	ck_assert(!mac_is_group(UINT64_C(0x02ffffffffff)));
	ck_assert(!mac_is_group(0));
	for (unsigned i = 0; i < 16; i++)
		ck_assert(mac_is_reserved(MAC_RESERVED + i));
	ck_assert(!mac_is_reserved(MAC_RESERVED + 16));
	ck_assert(!mac_is_reserved(MAC_RESERVED - 1));
	ck_assert(!mac_is_reserved(UINT64_C(0x0380c2000000)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mac");
	TCase *tc = tcase_create("mac");

	tcase_add_test(tc, parse_accepts);
	tcase_add_test(tc, parse_refuses);
	tcase_add_test(tc, print_round_trip);
	tcase_add_test(tc, load_and_store);
	tcase_add_test(tc, kinds);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
