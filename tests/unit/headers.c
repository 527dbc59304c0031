/* SPDX-License-Identifier: MIT */
/* headers: what is found in each frame, and what is said of each shorter one. */
#include "ports/headers.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MACS "\2\0\0\0\0\1\2\0\0\0\0\2"
#define IP4(first, frag, proto) first "\0\0\x28\0\1" frag "\x40" proto "\0\0\x0a\0\0\1\x0a\0\0\2"
#define IP6(next)                      \
	"\x60\0\0\0\0\x14" next "\x40" \
	"0123456789abcdef0123456789abcdef"
#define OPT(next, words, rest) next words "\0\0\0\0\0\0" rest

static const struct {
	const char *name;
	const char *bytes;
	uint32_t len;
	enum headers_found found;
	struct headers h;
} frames[] = {
#define FRAME(name, bytes, ...)                             \
	{                                                   \
		name, bytes, sizeof(bytes) - 1, __VA_ARGS__ \
	}
	FRAME("ipv4", MACS "\x08\0" IP4("\x45", "\x40\0", "\6"), HEADERS_OK,
	      { 14, 34, 4, 6, false }),
	FRAME("ipv4 with options", MACS "\x08\0" IP4("\x46", "\0\0", "\x11") "\1\1\1\1", HEADERS_OK,
	      { 14, 38, 4, 17, false }),
	FRAME("first fragment", MACS "\x08\0" IP4("\x45", "\x20\0", "\x11"), HEADERS_OK,
	      { 14, 34, 4, 17, true }),
	FRAME("later fragment", MACS "\x08\0" IP4("\x45", "\0\1", "\x11"), HEADERS_OTHER, { 0 }),
	FRAME("ihl 4", MACS "\x08\0" IP4("\x44", "\0\0", "\6"), HEADERS_BAD, { 0 }),
	FRAME("version 5", MACS "\x08\0" IP4("\x55", "\0\0", "\6"), HEADERS_BAD, { 0 }),
	FRAME("tagged", MACS "\x81\0\0\5\x08\0" IP4("\x45", "\0\0", "\6"), HEADERS_OK,
	      { 18, 38, 4, 6, false }),
	FRAME("qinq", MACS "\x88\xa8\0\5\x81\0\0\6\x86\xdd" IP6("\6"), HEADERS_OK,
	      { 22, 62, 6, 6, false }),
	FRAME("ipv6", MACS "\x86\xdd" IP6("\x84"), HEADERS_OK, { 14, 54, 6, 132, false }),
	FRAME("version 4 in ipv6",
	      MACS "\x86\xdd"
		   "\x45"
		   "0123456789abcdef0123456789abcdef0123456",
	      HEADERS_BAD, { 0 }),
	FRAME("hop-by-hop, routing, destination",
	      MACS "\x86\xdd" IP6("\0") OPT("\x2b", "\0", "") OPT("\x3c", "\1", "12345678")
		      OPT("\6", "\0", ""),
	      HEADERS_OK, { 14, 54 + 8 + 16 + 8, 6, 6, false }),
	FRAME("authentication", MACS "\x86\xdd" IP6("\x33") OPT("\x11", "\2", "12345678"),
	      HEADERS_OK, { 14, 54 + 16, 6, 17, false }),
	FRAME("first fragment 6", MACS "\x86\xdd" IP6("\x2c") "\x11\0\0\1\0\0\0\7", HEADERS_OK,
	      { 14, 62, 6, 17, true }),
	FRAME("later fragment 6", MACS "\x86\xdd" IP6("\x2c") "\x11\0\0\x08\0\0\0\7", HEADERS_OTHER,
	      { 0 }),
	FRAME("arp", MACS "\x08\6", HEADERS_OTHER, { 0 }),
	FRAME("mpls",
	      MACS "\x88\x47"
		   "\x45\x45\x45",
	      HEADERS_OTHER, { 0 }),
	FRAME("llc",
	      MACS "\0\x10"
		   "\xaa\xaa\3",
	      HEADERS_OTHER, { 0 }),
};

START_TEST(found)
{
	struct headers h;

	ck_assert_msg(headers_parse((const uint8_t *)frames[_i].bytes, frames[_i].len, &h) ==
			      frames[_i].found,
		      "%s", frames[_i].name);
	if (frames[_i].found != HEADERS_OK)
		return;
	ck_assert_uint_eq(h.net, frames[_i].h.net);
	ck_assert_uint_eq(h.transport, frames[_i].h.transport);
	ck_assert_uint_eq(h.version, frames[_i].h.version);
	ck_assert_uint_eq(h.proto, frames[_i].h.proto);
	ck_assert_int_eq(h.fragment, frames[_i].h.fragment);
}
END_TEST

/* Cut anywhere: partial, and (ASan) nothing behind the cut is read. What is found was in the bytes.
 */
START_TEST(cut)
{
	for (uint32_t len = 0; len < frames[_i].len; len++) {
		uint8_t *heap = malloc(len);
		enum headers_found got;
		struct headers h;

		memcpy(heap, frames[_i].bytes, len);
		got = headers_parse(heap, len, &h);
		if (frames[_i].found == HEADERS_OK)
			ck_assert_msg(got == HEADERS_PARTIAL, "%s cut to %u", frames[_i].name, len);
		else
			ck_assert(got == HEADERS_PARTIAL || got == frames[_i].found);
		free(heap);
	}
}
END_TEST

/* Endless chains end. */
START_TEST(chains)
{
	static uint8_t bytes[4096];
	struct headers h;

	for (unsigned i = 12; i < sizeof(bytes); i += 4)
		memcpy(bytes + i, "\x81\0\0\1", 4);
	ck_assert_int_eq(headers_parse(bytes, sizeof(bytes), &h), HEADERS_PARTIAL);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes + 12, "\x86\xdd\x60", 3);
	ck_assert_int_eq(headers_parse(bytes, sizeof(bytes), &h), HEADERS_PARTIAL);
	memset(bytes + 54, 0xff, sizeof(bytes) - 54); /* a header of 2048 bytes */
	ck_assert_int_eq(headers_parse(bytes, 2000, &h), HEADERS_PARTIAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("headers");
	TCase *t = tcase_create("headers");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, found, 0, sizeof(frames) / sizeof(frames[0]));
	tcase_add_loop_test(t, cut, 0, sizeof(frames) / sizeof(frames[0]));
	tcase_add_test(t, chains);
	return suite_run(s);
}
