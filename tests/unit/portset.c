/* SPDX-License-Identifier: MIT */
#include "vlan/portset.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

static const unsigned edges[] = { 0, 1, 62, 63, 64, 65, 127, 128, 511, 960, 1022, 1023 };
#define N_EDGES (sizeof(edges) / sizeof(edges[0]))

START_TEST(add_has_del)
{
	struct portset s = { 0 };

	for (unsigned i = 0; i < N_EDGES; i++) {
		ck_assert(!portset_has(&s, edges[i]));
		portset_add(&s, edges[i]);
		portset_add(&s, edges[i]);
		ck_assert(portset_has(&s, edges[i]));
		ck_assert_uint_eq(portset_count(&s, PORTSET_WORDS), i + 1);
	}
	for (unsigned i = 0; i < N_EDGES; i++) {
		portset_del(&s, edges[i]);
		portset_del(&s, edges[i]);
		ck_assert(!portset_has(&s, edges[i]));
	}
	ck_assert(portset_empty(&s, PORTSET_WORDS));
	portset_put(&s, 63, true);
	ck_assert(portset_has(&s, 63));
	ck_assert(!portset_has(&s, 62) && !portset_has(&s, 64));
	portset_put(&s, 63, false);
	ck_assert(!portset_has(&s, 63));
}
END_TEST

START_TEST(only_words_in_use)
{
	struct portset a = { 0 }, b = { 0 }, dst;

	portset_add(&a, 3);
	portset_add(&a, 64);
	portset_add(&b, 3);
	portset_add(&b, 64);
	ck_assert_uint_eq(portset_count(&a, 1), 1);
	ck_assert_uint_eq(portset_next(&a, 4, 1), PORT_MAX);
	ck_assert_uint_eq(portset_next(&a, 4, 2), 64);
	ck_assert_uint_eq(portset_next(&a, 64, 1), PORT_MAX);

	memset(&dst, 0xff, sizeof(dst));
	portset_and(&dst, &a, &b, 1);
	ck_assert_uint_eq(dst.w[0], 8);
	ck_assert_uint_eq(dst.w[1], UINT64_MAX);
	portset_sub(&dst, &b, 1);
	ck_assert_uint_eq(dst.w[0], 0);
	ck_assert_uint_eq(dst.w[1], UINT64_MAX);
	portset_or(&dst, &a, 1);
	ck_assert_uint_eq(dst.w[0], 8);
	ck_assert(!portset_empty(&a, 1));
	portset_del(&a, 3);
	ck_assert(portset_empty(&a, 1));
	ck_assert(!portset_empty(&a, 2));
}
END_TEST

START_TEST(walks_in_order)
{
	struct portset s = { 0 };
	unsigned n = 0;

	PORTSET_FOREACH(port, &s, PORTSET_WORDS)
		ck_abort_msg("port %u in an empty set", port);
	for (unsigned i = 0; i < N_EDGES; i++)
		portset_add(&s, edges[i]);
	PORTSET_FOREACH(port, &s, PORTSET_WORDS) {
		ck_assert_uint_lt(n, N_EDGES);
		ck_assert_uint_eq(port, edges[n++]);
	}
	ck_assert_uint_eq(n, N_EDGES);
	ck_assert_uint_eq(portset_next(&s, PORT_MAX, PORTSET_WORDS), PORT_MAX);
	ck_assert_uint_eq(portset_next(&s, 1023, PORTSET_WORDS), 1023);
}
END_TEST

/* Against one bool a port, with random sets. */
START_TEST(algebra)
{
	uint32_t x = 1;

	for (unsigned round = 0; round < 200; round++) {
		struct portset a = { 0 }, b = { 0 }, both, minus, either;
		unsigned n = 0;

		for (unsigned port = 0; port < PORT_MAX; port++) {
			x = x * 1664525 + 1013904223;
			portset_put(&a, port, x >> 30 & 1);
			portset_put(&b, port, x >> 31);
		}
		portset_and(&both, &a, &b, PORTSET_WORDS);
		minus = a;
		portset_sub(&minus, &b, PORTSET_WORDS);
		either = a;
		portset_or(&either, &b, PORTSET_WORDS);
		for (unsigned port = 0; port < PORT_MAX; port++) {
			bool in_a = portset_has(&a, port), in_b = portset_has(&b, port);

			ck_assert(portset_has(&both, port) == (in_a && in_b));
			ck_assert(portset_has(&minus, port) == (in_a && !in_b));
			ck_assert(portset_has(&either, port) == (in_a || in_b));
			n += in_a;
		}
		ck_assert_uint_eq(portset_count(&a, PORTSET_WORDS), n);
		PORTSET_FOREACH(port, &a, PORTSET_WORDS) {
			ck_assert(portset_has(&a, port));
			n--;
		}
		ck_assert_uint_eq(n, 0);
		portset_and(&a, &a, &b, PORTSET_WORDS);
		ck_assert(memcmp(&a, &both, sizeof(a)) == 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("portset");
	TCase *tc = tcase_create("portset");

	tcase_add_test(tc, add_has_del);
	tcase_add_test(tc, only_words_in_use);
	tcase_add_test(tc, walks_in_order);
	tcase_add_test(tc, algebra);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
