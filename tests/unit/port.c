/* SPDX-License-Identifier: MIT */
/* port: descriptions of ports, taken apart and printed; the help. */
#include "ports/port.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ports/kinds.h"
#include "tests/unit/suite.h"

static const struct port_option wire_options[] = {
	{ .name = "mtu", .type = PORT_OPT_NUMBER, .min = 68, .max = 65521, .help = "" },
	{ .name = "persist", .type = PORT_OPT_FLAG, .help = "" },
	{ .name = "owner", .type = PORT_OPT_TEXT, .help = "" },
	{ .name = NULL },
};
static const struct port_option plug_options[] = {
	{ .name = "host", .type = PORT_OPT_TEXT, .words = "share|drop", .help = "" },
	{ .name = "persist", .type = PORT_OPT_FLAG, .help = "" },
	{ .name = NULL },
};
static const struct port_option tape_options[] = {
	{ .name = "out", .type = PORT_OPT_TEXT, .help = "" },
	{ .name = NULL },
};
static const struct port_ops wire = {
	.kind = "wire", .address = "NAME", .interface = true, .options = wire_options
};
static const struct port_ops plug = {
	.kind = "plug", .address = "NAME", .interface = true, .options = plug_options
};
static const struct port_ops tape = { .kind = "tape",
				      .address = "[FILE]",
				      .options = tape_options };
static const struct port_ops pipe_ops = { .kind = "pipe", .address = "PATH" };
static const struct port_ops null_ops = { .kind = "null" };
static const struct port_ops *const kinds[] = { &wire, &plug, &tape, &pipe_ops, &null_ops, NULL };

static struct port_spec spec;
static struct error err;

static int parse(const char *text)
{
	err.text[0] = '\0';
	return port_spec_parse_kinds(text, kinds, &spec, &err);
}

/* What each text becomes when it is printed. */
static const struct {
	const char *text, *printed, *name, *address;
	const struct port_ops *ops;
} good[] = {
	{ "tap0", "tap0", "tap0", "tap0", NULL },
	{ "tap0,persist,mtu=9000", "tap0,persist,mtu=9000", "tap0", "tap0", NULL },
	{ "tap0,host=share", "tap0,host=share", "tap0", "tap0", NULL },
	{ "tap0,name=left", "tap0,name=left", "left", "tap0", NULL },
	{ "wire:tap0", "wire:tap0", "tap0", "tap0", &wire },
	{ "wire:tap0,persist,mtu=9000", "wire:tap0,mtu=9000,persist", "tap0", "tap0", &wire },
	{ "wire:tap0,persist=on,mtu=0068", "wire:tap0,mtu=68,persist", "tap0", "tap0", &wire },
	{ "wire:tap0,persist=off,mtu=65521", "wire:tap0,mtu=65521,persist=off", "tap0", "tap0",
	  &wire },
	{ "wire:tap0,owner=a=b:c", "wire:tap0,owner=a=b:c", "tap0", "tap0", &wire },
	{ "wire:tap0,name=tap0", "wire:tap0", "tap0", "tap0", &wire },
	{ "plug:eth0,host=drop", "plug:eth0,host=drop", "eth0", "eth0", &plug },
	{ "wire:exactly15bytes.", "wire:exactly15bytes.", "exactly15bytes.", "exactly15bytes.",
	  &wire },
	{ "tape:/tmp/a:b.pcap", "tape:/tmp/a:b.pcap", "", "/tmp/a:b.pcap", &tape },
	{ "tape:,out=x", "tape:,out=x", "", "", &tape },
	{ "tape:in,name=t,out=x", "tape:in,name=t,out=x", "t", "in", &tape },
	{ "pipe:[::1]:4789", "pipe:[::1]:4789", "", "[::1]:4789", &pipe_ops },
	{ "null:", "null:", "", "", &null_ops },
};

START_TEST(good_specs)
{
	static struct port_spec again;
	char text[512];

	ck_assert_msg(parse(good[_i].text) == 0, "%s: %s", good[_i].text, err.text);
	ck_assert_ptr_eq(spec.ops, good[_i].ops);
	ck_assert_str_eq(spec.name, good[_i].name);
	ck_assert_str_eq(spec.address, good[_i].address);
	port_spec_print(&spec, text, sizeof(text));
	ck_assert_str_eq(text, good[_i].printed);
	ck_assert_int_eq(port_spec_parse_kinds(text, kinds, &again, &err), 0);
	port_spec_print(&again, text, sizeof(text));
	ck_assert_str_eq(text, good[_i].printed);
}
END_TEST

/* What each mistake must be told, at least. */
static const struct {
	const char *text, *said;
} bad[] = {
	{ "", "interface a name is missing" },
	{ ",mtu=9000", "missing" },
	{ "averyveryverylongname", "\"averyveryverylongname\" is longer than 15 bytes" },
	{ "wire:sixteen.bytes.ab", "longer than 15 bytes" },
	{ "eth0/1", "contains '/'" },
	{ "eth 0", "contains ' '" },
	{ "eth\t0", "contains '?'" },
	{ "eth%d", "contains '%'" },
	{ ".", "cannot be a name" },
	{ "..", "cannot be a name" },
	{ "vhost:eth0", "unknown port type \"vhost\" (known: wire, plug, tape, pipe, null)" },
	{ "Wire:eth0", "unknown port type \"Wire\"" },
	{ "wir:eth0", "unknown port type \"wir\"" },
	{ ":eth0", "unknown port type \"\"" },
	{ "wire:", "missing" },
	{ "pipe:", "PATH is missing" },
	{ "null:x", "null: takes nothing after the colon, not \"x\"" },
	{ "wire:tap0,", "an option is empty" },
	{ "wire:tap0,,persist", "an option is empty" },
	{ "wire:tap0,=5", "an option is empty" },
	{ "wire:tap0,color=red", "tap0 is a wire port, which has no option \"color=red\" (its "
				 "options: mtu, persist, owner, name" },
	{ "wire:tap0,host=share", "no option \"host=share\"" },
	{ "wire:tap0,mt=1", "no option" },
	{ "wire:tap0,mtuu=1", "no option" },
	{ "tap0,color=red", "unknown option \"color=red\"" },
	{ "tap0,out=x", "unknown option" },
	{ "wire:tap0,mtu", "mtu=: must be a number from 68 to 65521" },
	{ "wire:tap0,mtu=", "must be a number" },
	{ "wire:tap0,mtu=67", "mtu=67: must be a number from 68 to 65521" },
	{ "wire:tap0,mtu=65522", "must be a number from 68" },
	{ "wire:tap0,mtu=-1", "must be a number" },
	{ "wire:tap0,mtu=+100", "must be a number" },
	{ "wire:tap0,mtu= 100", "must be a number" },
	{ "wire:tap0,mtu=100k", "must be a number" },
	{ "wire:tap0,mtu=0x64", "must be a number" },
	{ "wire:tap0,mtu=18446744073709551716", "must be a number" },
	{ "wire:tap0,persist=1", "persist=1: must be on or off" },
	{ "wire:tap0,persist=", "must be on or off" },
	{ "wire:tap0,owner", "owner= needs a value" },
	{ "wire:tap0,owner=", "owner= needs a value" },
	{ "plug:eth0,host=shared", "host=shared: must be one of share|drop" },
	{ "plug:eth0,host=shar", "must be one of" },
	{ "plug:eth0,host=share|drop", "must be one of" },
	{ "wire:tap0,mtu=100,mtu=100", "option \"mtu\" is given twice" },
	{ "tap0,persist,persist=off", "option \"persist\" is given twice" },
	{ "tap0,name=a,name=b", "option \"name\" is given twice" },
	{ "tap0,name=", "a name is missing" },
	{ "tap0,name", "a name is missing" },
	{ "tap0,name=sixteen.bytes.ab", "longer than 15 bytes" },
	{ "tap0,name=a/b", "contains '/'" },
};

START_TEST(bad_specs)
{
	ck_assert_int_eq(parse(bad[_i].text), -EINVAL);
	ck_assert_msg(strstr(err.text, bad[_i].said), "%s: said \"%s\"", bad[_i].text, err.text);
	ck_assert_int_eq(port_spec_parse_kinds(bad[_i].text, kinds, &spec, NULL), -EINVAL);
}
END_TEST

START_TEST(too_long)
{
	static char text[5000];

	memset(text, 'a', sizeof(text) - 1);
	ck_assert_int_eq(parse(text), -EINVAL);
	memcpy(text, "tape:", 5);
	ck_assert_int_eq(parse(text), -EINVAL);
	text[5 + 255] = '\0';
	ck_assert_int_eq(parse(text), 0);
	text[5 + 255] = 'a';
	text[5 + 256] = '\0';
	ck_assert_int_eq(parse(text), -EINVAL);
	text[5 + 256] = 'a';
	memcpy(text, "tape:in,out=", 12);
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "longer than 255 bytes"));
}
END_TEST

START_TEST(resolve)
{
	char text[100];

	ck_assert_int_eq(parse("tap0,persist,mtu=9000,name=x"), 0);
	ck_assert_uint_eq(port_spec_number(&spec, "mtu", 7), 7);
	ck_assert_int_eq(port_spec_resolve(&spec, &wire, &err), 0);
	ck_assert_ptr_eq(spec.ops, &wire);
	ck_assert_uint_eq(port_spec_number(&spec, "mtu", 7), 9000);
	ck_assert_uint_eq(port_spec_number(&spec, "persist", 0), 1);
	ck_assert_int_eq(port_spec_resolve(&spec, &wire, &err), 0);
	port_spec_print(&spec, text, sizeof(text));
	ck_assert_str_eq(text, "wire:tap0,name=x,mtu=9000,persist");
	ck_assert_int_eq(port_spec_resolve(&spec, &plug, &err), -EINVAL);
}
END_TEST

START_TEST(resolve_refuses)
{
	static struct port_spec before;

	ck_assert_int_eq(parse("tap0,persist,mtu=9000"), 0);
	before = spec;
	ck_assert_int_eq(port_spec_resolve(&spec, &plug, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text,
				     "tap0 is a plug port, which has no option \"mtu=9000\" "
				     "(its options: host, persist, name"));
	ck_assert_mem_eq(&before, &spec, sizeof(spec));
	ck_assert_int_eq(port_spec_resolve(&spec, &tape, &err), -EINVAL);
	ck_assert_int_eq(parse("tap0,mtu=1"), 0);
	ck_assert_int_eq(port_spec_resolve(&spec, &wire, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "from 68"));
}
END_TEST

START_TEST(values)
{
	ck_assert_int_eq(parse("wire:tap0,persist=off,owner=joe"), 0);
	ck_assert_uint_eq(port_spec_number(&spec, "persist", 1), 0);
	ck_assert_uint_eq(port_spec_number(&spec, "mtu", 1500), 1500);
	ck_assert_str_eq(port_spec_text(&spec, "owner"), "joe");
	ck_assert_ptr_null(port_spec_text(&spec, "group"));
}
END_TEST

/* Output that does not fit is cut and still a string. */
START_TEST(print_cut)
{
	char text[64], whole[64];

	ck_assert_int_eq(parse("wire:tap0,persist=off,owner=joe,name=x"), 0);
	port_spec_print(&spec, whole, sizeof(whole));
	for (size_t size = 1; size < sizeof(text); size++) {
		memset(text, 'X', sizeof(text));
		port_spec_print(&spec, text, size);
		ck_assert_uint_lt(strlen(text), size);
		ck_assert_int_eq(strncmp(text, whole, strlen(text)), 0);
		ck_assert(size > strlen(whole) || strlen(text) == size - 1);
	}
	port_spec_print(&spec, NULL, 0);
}
END_TEST

START_TEST(real_kinds)
{
	ck_assert_ptr_eq(port_kind("mem"), &mem_ops);
	ck_assert_ptr_eq(port_kind("tap"), &tap_ops);
	ck_assert_ptr_null(port_kind("me"));
	ck_assert_int_eq(port_spec_parse("pcap:x,speed=full,repeat=0", &spec, &err), 0);
	ck_assert_int_eq(port_spec_parse("pcap:x,speed=half", &spec, &err), -EINVAL);
	ck_assert_int_eq(port_spec_parse("mem:", &spec, &err), 0);
	ck_assert_int_eq(port_spec_parse("mem:x", &spec, &err), -EINVAL);
}
END_TEST

/* Every kind and option is in the help, no line is too long. */
START_TEST(help)
{
	static char text[16384], word[80];
	FILE *out = fmemopen(text, sizeof(text), "w");

	port_help_print(out);
	fclose(out);
	for (unsigned i = 0; port_kinds[i]; i++) {
		snprintf(word, sizeof(word), "\n  %s:", port_kinds[i]->kind);
		ck_assert_msg(strstr(text, word), "%s", word);
		for (const struct port_option *o = port_kinds[i]->options; o->name; o++) {
			snprintf(word, sizeof(word), "\n      %s", o->name);
			ck_assert_msg(strstr(text, word), "%s", word);
		}
	}
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		ck_assert_msg(strlen(line) <= 100, "%s", line);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("port");
	TCase *t = tcase_create("port");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, good_specs, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(t, bad_specs, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(t, too_long);
	tcase_add_test(t, resolve);
	tcase_add_test(t, resolve_refuses);
	tcase_add_test(t, values);
	tcase_add_test(t, print_cut);
	tcase_add_test(t, real_kinds);
	tcase_add_test(t, help);
	return suite_run(s);
}
