/* SPDX-License-Identifier: MIT */
/* words: splitting, quoting, and that quoting undoes splitting. */
#include "switch/words.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char line[70000];
static struct words words;
static struct error err;

static int split(const char *text)
{
	err.text[0] = '\0';
	strcpy(line, text);
	return words_split(line, strlen(line), &words, &err);
}

START_TEST(plain)
{
	ck_assert_int_eq(split("  fdb\tshow   dev tap0 "), 0);
	ck_assert_uint_eq(words.n, 4);
	ck_assert_str_eq(words.word[0], "fdb");
	ck_assert_str_eq(words.word[1], "show");
	ck_assert_str_eq(words.word[3], "tap0");
	ck_assert_int_eq(split("a\r"), 0);
	ck_assert_uint_eq(words.n, 1);
	ck_assert_str_eq(words.word[0], "a");
}
END_TEST

START_TEST(empty)
{
	static const char *const lines[] = { "", " ", "\t \r", "# all of it", "   # too" };

	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(split(lines[i]), 0);
		ck_assert_uint_eq(words.n, 0);
	}
}
END_TEST

START_TEST(quotes)
{
	ck_assert_int_eq(split("a 'b c'd \"e \\\" f\" g\\ h '' \\# i#j 'k\\l' # m"), 0);
	ck_assert_uint_eq(words.n, 8);
	ck_assert_str_eq(words.word[1], "b cd");
	ck_assert_str_eq(words.word[2], "e \" f");
	ck_assert_str_eq(words.word[3], "g h");
	ck_assert_str_eq(words.word[4], "");
	ck_assert_str_eq(words.word[5], "#");
	ck_assert_str_eq(words.word[6], "i#j");
	ck_assert_str_eq(words.word[7], "k\\l");
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *text, *why;
	} lines[] = {
		{ "a 'b", "' quote" },
		{ "a \"b", "\" quote" },
		{ "a \\", "\\ at the end" },
		{ "a\x01", "byte 2" },
		{ "a\x7f", "byte 2" },
		{ "\xff", "UTF-8" },
		{ "\xc0\xaf", "UTF-8" },
		{ "\xed\xa0\x80", "UTF-8" },
		{ "\xf4\x90\x80\x80", "UTF-8" },
		{ "\xe2\x82", "UTF-8" },
		{ "a\nb", "byte 2" },
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		ck_assert_int_eq(split(lines[i].text), -EINVAL);
		ck_assert_msg(strstr(err.text, lines[i].why), "%s: %s", lines[i].text, err.text);
	}
	ck_assert_int_eq(split("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), 0);
	ck_assert_uint_eq(words.n, 3);
	memcpy(line, "a\0b", 4);
	ck_assert_int_eq(words_split(line, 3, &words, &err), -EINVAL);
}
END_TEST

START_TEST(many)
{
	for (unsigned i = 0; i < WORDS_MAX; i++)
		memcpy(line + 2 * i, "x ", 2);
	ck_assert_int_eq(words_split(line, 2 * WORDS_MAX, &words, &err), 0);
	ck_assert_uint_eq(words.n, WORDS_MAX);
	for (unsigned i = 0; i <= WORDS_MAX; i++)
		memcpy(line + 2 * i, "x ", 2);
	ck_assert_int_eq(words_split(line, 2 * WORDS_MAX + 1, &words, &err), -EINVAL);
	memset(line, 'x', 65536);
	ck_assert_int_eq(words_split(line, 65536, &words, &err), 0);
	ck_assert_uint_eq(words.n, 1);
	ck_assert_uint_eq(strlen(words.word[0]), 65536);
}
END_TEST

/* Whatever a word is, quoted it is read back as it was. */
START_TEST(round_trip)
{
	static const char letters[] = "ab '\"\\#\t\r\xc3\xa9";
	char word[3][16], text[256];

	srand((unsigned)_i);
	for (unsigned n = 0; n < 2000; n++) {
		size_t at = 0;

		for (unsigned w = 0; w < 3; w++) {
			unsigned len = (unsigned)rand() % 8;

			for (unsigned i = 0; i < len; i++)
				word[w][i] = letters[rand() % 9];
			word[w][len] = '\0';
			at += words_quote(word[w], text + at, sizeof(text) - at);
			text[at++] = ' ';
		}
		text[at] = '\0';
		ck_assert_msg(!split(text), "%s: %s", text, err.text);
		ck_assert_uint_eq(words.n, 3);
		for (unsigned w = 0; w < 3; w++)
			ck_assert_str_eq(words.word[w], word[w]);
	}
}
END_TEST

START_TEST(short_room)
{
	char text[4];

	ck_assert_uint_eq(words_quote("abcdef", text, sizeof(text)), 6);
	ck_assert_str_eq(text, "abc");
	ck_assert_uint_eq(words_quote("a b", text, sizeof(text)), 5);
	ck_assert_str_eq(text, "\"a ");
	ck_assert_uint_eq(words_quote("", NULL, 0), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("words");
	TCase *t = tcase_create("words");

	suite_add_tcase(s, t);
	tcase_add_test(t, plain);
	tcase_add_test(t, empty);
	tcase_add_test(t, quotes);
	tcase_add_test(t, refused);
	tcase_add_test(t, many);
	tcase_add_loop_test(t, round_trip, 0, 4);
	tcase_add_test(t, short_room);
	return suite_run(s);
}
