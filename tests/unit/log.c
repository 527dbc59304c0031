/* SPDX-License-Identifier: MIT */
/* log: lines on standard error, which here is a pipe. Each test is a process of its own. */
#include "ports/log.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int reader;
static char text[1 << 20];

static void setup(void)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	reader = fds[0];
	fcntl(reader, F_SETFL, O_NONBLOCK);
	unsetenv("JOURNAL_STREAM");
}

/* Everything written since the last call. */
static const char *written(void)
{
	ssize_t len = 0, got;

	while ((got = read(reader, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
		len += got;
	text[len] = '\0';
	return text;
}

START_TEST(levels)
{
	log_error("a %d", 1);
	log_warning("b");
	log_notice("c");
	log_info("d");
	log_debug("e");
	ck_assert_str_eq(written(), "uswitch: error: a 1\nuswitch: warning: b\nuswitch: c\n");
	log_set_level(LOG_LEVEL_DEBUG);
	log_info("d");
	log_debug("e");
	ck_assert_str_eq(written(), "uswitch: d\nuswitch: debug: e\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("f");
	ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(errno_stays)
{
	setenv("JOURNAL_STREAM", "1:2", 1);
	close(STDERR_FILENO);
	errno = EXDEV;
	log_error("x");
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(journal)
{
	char stream[64];
	struct stat st;

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + (_i ? 1 : 0));
	setenv("JOURNAL_STREAM", stream, 1);
	log_warning("x");
	ck_assert_str_eq(written(), _i ? "uswitch: warning: x\n" : "<4>x\n");
}
END_TEST

START_TEST(rated)
{
	struct log_rate rate = { 0 };

	for (unsigned i = 0; i < 10; i++)
		log_rated(&rate, 5000 + i, LOG_LEVEL_WARNING, "bad %u", i);
	ck_assert_str_eq(written(), "uswitch: warning: bad 0\n");
	log_rated(&rate, 5999, LOG_LEVEL_WARNING, "bad");
	log_rated(&rate, 6000, LOG_LEVEL_WARNING, "bad");
	log_rated(&rate, 7000, LOG_LEVEL_WARNING, "bad");
	log_rated(&rate, 9000, LOG_LEVEL_DEBUG, "hidden");
	ck_assert_str_eq(written(), "uswitch: warning: bad (10 similar)\nuswitch: warning: bad\n");
}
END_TEST

START_TEST(long_line)
{
	static char many[5000];

	memset(many, 'x', sizeof(many) - 1);
	log_error("%s", many);
	ck_assert_uint_gt(strlen(written()), 1000);
	ck_assert_uint_lt(strlen(text), 1100);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

/* A reader that stands still costs lines, not time; how many is said when it reads again. */
START_TEST(nobody_reads)
{
	unsigned lines = 0;
	char lost[80];

	for (unsigned i = 0; i < 20000; i++)
		log_error("line %u of very many that nobody reads", i);
	for (const char *p = written(); *p; p++)
		lines += *p == '\n';
	ck_assert_uint_lt(lines, 20000);
	log_error("back");
	snprintf(lost, sizeof(lost),
		 "uswitch: warning: %u lines of this log were lost\nuswitch: error: back\n",
		 20000 - lines);
	ck_assert_str_eq(written(), lost);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *t = tcase_create("log");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, levels);
	tcase_add_test(t, errno_stays);
	tcase_add_loop_test(t, journal, 0, 2);
	tcase_add_test(t, rated);
	tcase_add_test(t, long_line);
	tcase_add_test(t, nobody_reads);
	return suite_run(s);
}
