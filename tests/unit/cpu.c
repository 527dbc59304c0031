/* SPDX-License-Identifier: MIT */
/* cpu: held, let go, and what somebody else decided. */
#include "switch/daemon/cpu.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>

static struct cpu c;
static cpu_set_t before, now;

static int count(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(now), &now), 0);
	return CPU_COUNT(&now);
}

static void setup(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
}

static void teardown(void)
{
	cpu_fini(&c);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(before), &before), 0);
}

START_TEST(held_and_let_go)
{
	cpu_init(&c, true);
	ck_assert_int_eq(count(), CPU_COUNT(&before)); /* nothing happens before frames do */
	cpu_turn(&c, 10000);
	ck_assert_int_eq(count(), 1);
	cpu_turn(&c, 10500);
	ck_assert_int_eq(count(), 1);
	if (CPU_COUNT(&before) > 1) {
		cpu_turn(&c, 11000);
		ck_assert(CPU_EQUAL(&before, (count(), &now)));
		cpu_turn(&c, 11001);
		ck_assert_int_eq(count(), 1);
	}
}
END_TEST

/* The processor is busy with others: the scheduler is given time to find another. */
START_TEST(waited_too_long)
{
	cpu_init(&c, true);
	ck_assert(c.has_stat);
	cpu_turn(&c, 10000);
	c.waited_ns -= 26000000;
	cpu_turn(&c, 10099);
	ck_assert_int_eq(count(), 1);
	cpu_turn(&c, 10100);
	ck_assert(CPU_EQUAL(&before, (count(), &now)));
	cpu_turn(&c, 10109);
	ck_assert(CPU_EQUAL(&before, (count(), &now)));
	cpu_turn(&c, 10110);
	ck_assert_int_eq(count(), 1);
}
END_TEST

START_TEST(left_alone)
{
	cpu_init(&c, false);
	cpu_turn(&c, 10000);
	ck_assert(CPU_EQUAL(&before, (count(), &now)));
}
END_TEST

/* Somebody moves us to another processor: we stay there and ask for no other. */
START_TEST(overruled)
{
	cpu_set_t other;
	unsigned cpu = 0;

	cpu_init(&c, true);
	cpu_turn(&c, 10000);
	ck_assert_int_eq(count(), 1);
	while (!CPU_ISSET(cpu, &before) || CPU_ISSET(cpu, &now))
		cpu++;
	CPU_ZERO(&other);
	CPU_SET(cpu, &other);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(other), &other), 0);
	for (uint64_t ms = 11000; ms < 20000; ms += 500) {
		cpu_turn(&c, ms);
		ck_assert_int_eq(count(), 1);
		ck_assert(CPU_EQUAL(&other, &now));
	}
	/* and when it is taken back, we may choose again */
	ck_assert_int_eq(sched_setaffinity(0, sizeof(before), &before), 0);
	cpu_turn(&c, 30000);
	ck_assert_int_eq(count(), 1);
	cpu_turn(&c, 31100);
	ck_assert(CPU_EQUAL(&before, (count(), &now)));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cpu");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	if (sched_getaffinity(0, sizeof(before), &before))
		return EXIT_FAILURE;
	tcase_add_test(all, held_and_let_go);
	if (CPU_COUNT(&before) > 1) { /* with one there is nowhere to go */
		tcase_add_test(all, waited_too_long);
		tcase_add_test(all, overruled);
	}
	tcase_add_test(all, left_alone);
	suite_add_tcase(s, all);
	return suite_run(s);
}
