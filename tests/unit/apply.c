/* SPDX-License-Identifier: MIT */
/*
 * apply: configuration files whole and half wrong; models reached, refused and undone, on a backend
 * of the test's own.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/daemon/daemon.h"
#include "tests/unit/suite.h"

/* The backend: a model that verbs edit. */
static struct model actual;
static char verbs[2048]; /* what was asked of it, a verb a line */
static unsigned fail_at; /* this verb fails, counted from 1; 0 = none */
static unsigned n_verbs;
static bool stay_broken; /* and all verbs after it */

static struct daemon d;
static struct error err;

static int fake_read(void *ctx, struct model *m, struct error *why)
{
	(void)ctx;
	(void)why;
	return model_copy(m, &actual);
}

static int fake_apply(void *ctx, const struct verb *v, struct error *why)
{
	struct model_port *p = model_port(&actual, v->dev);
	char text[256];

	(void)ctx;
	n_verbs++;
	snprintf(verbs + strlen(verbs), sizeof(verbs) - strlen(verbs), "%s\n",
		 verb_print(v, text, sizeof(text)));
	if (n_verbs == fail_at || (stay_broken && fail_at && n_verbs > fail_at))
		return error_set(why, -EIO, "%s: the backend is on fire", text);
	if (v->op == VERB_PORT_ADD) {
		p = model_port_add(&actual, v->dev, v->spec, v->host);
		ck_assert_ptr_nonnull(p);
		if (actual.attr[BRIDGE_VLAN_DEFAULT_PVID]) /* a side effect, as the bridge's */
			model_vlan_add(p, 1, 1, VLAN_PVID | VLAN_UNTAGGED);
	} else if (v->op == VERB_PORT_DEL) {
		model_port_del(&actual, v->dev);
	} else if (v->op == VERB_BRIDGE_SET) {
		model_set(&actual, v->attr, v->value);
	} else if (v->op == VERB_PORT_SET) {
		p->attr[v->attr] = v->value;
	} else if (v->op == VERB_FDB_ADD) {
		model_fdb_put(&actual, v->mac, v->vid_first, v->dev, v->flags);
	} else if (v->op == VERB_FDB_DEL) {
		model_fdb_del(&actual, v->mac, v->vid_first);
	}
	return 0;
}

static void fake_limit(void *ctx, struct model *m)
{
	(void)ctx;
	(void)m;
}

static const struct backend_ops fake_ops = {
	.name = "fake", .limit = fake_limit, .read = fake_read, .apply = fake_apply
};

static char file[] = "/tmp/uswitch-test-XXXXXX";

static void setup(void)
{
	int fd = mkstemp(file);

	ck_assert_int_ge(fd, 0);
	close(fd);
	d = (struct daemon){ .options = { .name = "lab", .file = file },
			     .backend = { &fake_ops, NULL } };
	model_init(&d.base, "lab");
	model_init(&d.wanted, "lab");
	model_init(&actual, "lab");
}

static void teardown(void)
{
	unlink(file);
	model_fini(&d.base);
	model_fini(&d.wanted);
	model_fini(&actual);
}

static void write_file(const char *text, size_t len)
{
	FILE *f = fopen(file, "w");

	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	fclose(f);
}

/* Makes the file say @text and reloads. */
static int reload(const char *text)
{
	verbs[0] = '\0';
	n_verbs = 0;
	write_file(text, strlen(text));
	return daemon_reload(&d, &err);
}

START_TEST(file_is_applied)
{
	ck_assert_int_eq(
		reload("# a comment\n\n  link add mem:,name=a # another\nlink add mem:,name=b\n"
		       "set ageing_time 10s\nfdb add 02:00:00:00:00:01 dev a static"),
		0);
	ck_assert_uint_eq(actual.n_ports, 2);
	ck_assert_uint_eq(actual.attr[BRIDGE_AGEING_TIME], 10000);
	ck_assert_ptr_nonnull(model_port(&d.wanted, "b"));
	ck_assert_ptr_nonnull(model_port(&d.base, "b"));
	ck_assert_msg(strstr(verbs, "fdb add 02:00:00:00:00:01 dev a"), "%s", verbs);
	/* again: nothing to do */
	ck_assert_int_eq(daemon_reload(&d, &err), 0);
	n_verbs = 0;
	ck_assert_int_eq(daemon_apply(&d, &d.wanted, &err), 0);
	ck_assert_uint_eq(n_verbs, 0);
	/* less: it goes */
	ck_assert_int_eq(reload("link add mem:,name=a\n"), 0);
	ck_assert_uint_eq(actual.n_ports, 1);
	ck_assert_uint_eq(actual.attr[BRIDGE_AGEING_TIME], 300000);
}
END_TEST

static const struct {
	const char *text;
	const char *message; /* after the file's name */
} bad_files[] = {
	{ "link add mem:,name=a\nlink add foo:bar\n", ":2: " },
	{ "\n\nbogus\n", ":3: " },
	{ "link add mem:,name=a\nlink add mem:,name=a\n", ":2: " },
	{ "link add mem:,name=a\nlink set dev b hairpin on\n", ":2: " },
	{ "set ageing_time 30000\n", ":1: " },
	{ "monitor\n", ":1: " },
	{ "link add mem:,name=a\nlink add 'mem:,name=b\n", ":2: " },
	{ "link add mem:,name=\x01\n", ":1: " },
	/* what only the whole shows */
	{ "link add host:h\nset ageing_time 1s\nlink add host:i\nset ageing_time 2s\n", ":3: " },
};

/* Nothing of a file with an error is applied, and its line is named. */
START_TEST(file_is_refused)
{
	char expect[64];

	ck_assert_int_eq(reload("link add mem:,name=old\n"), 0);
	ck_assert_int_lt(reload(bad_files[_i].text), 0);
	snprintf(expect, sizeof(expect), "%s%s", file, bad_files[_i].message);
	ck_assert_msg(!strncmp(err.text, expect, strlen(expect)), "%s", err.text);
	ck_assert_ptr_null(strchr(err.text, '\n'));
	ck_assert_uint_eq(n_verbs, 0);
	ck_assert_ptr_nonnull(model_port(&d.wanted, "old"));
}
END_TEST

START_TEST(file_is_garbage)
{
	static char text[70000];

	memset(text, 'x', sizeof(text));
	write_file(text, sizeof(text));
	ck_assert_int_lt(daemon_reload(&d, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "65536"));
	write_file("show\0me\n", 8);
	ck_assert_int_lt(daemon_reload(&d, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, ":1: a NUL byte"));
	d.options.file = "/nonexistent";
	ck_assert_int_eq(daemon_reload(&d, &err), -ENOENT);
	d.options.file = "/tmp";
	ck_assert_int_eq(daemon_reload(&d, &err), -EISDIR);
}
END_TEST

/* A verb fails amid: what was done before it is undone. */
START_TEST(failure_is_undone)
{
	ck_assert_int_eq(reload("link add mem:,name=a\nset ageing_time 10s\n"), 0);
	fail_at = 3;
	ck_assert_int_eq(
		reload("set ageing_time 20s\nlink add mem:,name=b\nlink add mem:,name=c\n"), -EIO);
	ck_assert_str_eq(err.text, "link add mem:,name=b: the backend is on fire");
	ck_assert_uint_eq(actual.n_ports, 1);
	ck_assert_ptr_nonnull(model_port(&actual, "a"));
	ck_assert_uint_eq(actual.attr[BRIDGE_AGEING_TIME], 10000);
	ck_assert_uint_eq(d.wanted.attr[BRIDGE_AGEING_TIME], 10000);
	ck_assert_ptr_nonnull(model_port(&d.base, "a"));
	fail_at = 3;
	stay_broken = true;
	ck_assert_int_eq(
		reload("set ageing_time 20s\nlink add mem:,name=b\nlink add mem:,name=c\n"), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "; and back to the state before: "));
}
END_TEST

/* What only the whole model shows is refused before the first verb. */
START_TEST(model_is_checked)
{
	struct model next;

	model_init(&next, "lab");
	for (unsigned i = 0; i < 2; i++) {
		struct port_spec spec;
		struct model_port *p;

		ck_assert_int_eq(port_spec_parse("packet:eth0", &spec, &err), 0);
		p = model_port_add(&next, i ? "x" : "y", &spec, false);
		ck_assert_ptr_nonnull(p);
	}
	n_verbs = 0;
	ck_assert_int_lt(daemon_apply(&d, &next, &err), 0);
	ck_assert_uint_eq(n_verbs, 0);
	model_fini(&next);
}
END_TEST

START_TEST(options_come_first)
{
	char first[] = "link add mem:,name=cli", *lines[] = { first };

	d.options.line = lines;
	d.options.n_lines = 1;
	ck_assert_int_eq(reload("link set dev cli hairpin on\n"), 0);
	ck_assert_uint_eq(model_port(&actual, "cli")->attr[PORT_HAIRPIN], 1);
	ck_assert_int_eq(daemon_read_options(&d, &actual, &err), -EEXIST);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("apply");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, file_is_applied);
	tcase_add_loop_test(all, file_is_refused, 0, sizeof(bad_files) / sizeof(bad_files[0]));
	tcase_add_test(all, file_is_garbage);
	tcase_add_test(all, failure_is_undone);
	tcase_add_test(all, model_is_checked);
	tcase_add_test(all, options_come_first);
	suite_add_tcase(s, all);
	return suite_run(s);
}
