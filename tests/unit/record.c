/* SPDX-License-Identifier: MIT */
/*
 * record: golden files of what a backend is asked to do for a configuration, in order; and that
 * what `show config` prints of it makes it again.
 *
 * golden/verbs.txt has cases: "== NAME", the lines of a configuration, and after "> " each the
 * verbs. Lines after "-- then" are a second configuration in place of the first.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/command.h"
#include "switch/daemon/daemon.h"
#include "switch/print.h"
#include "tests/unit/suite.h"

#define GOLDEN "tests/unit/golden/verbs.txt"

/*
 * The record backend: a model that does what the kernel's bridge does, and notes what it is asked.
 */
static struct model actual;
static char asked[65536];

static int record_read(void *ctx, struct model *m, struct error *err)
{
	(void)ctx;
	(void)err;
	return model_copy(m, &actual);
}

static void record_port(const struct verb *v)
{
	struct model_port *p = model_port(&actual, v->dev);
	uint16_t pvid = (uint16_t)actual.attr[BRIDGE_VLAN_DEFAULT_PVID];

	if (v->op == VERB_PORT_ADD) {
		p = model_port_add(&actual, v->dev, v->spec, v->host);
		if (pvid)
			model_vlan_add(p, pvid, pvid, VLAN_PVID | VLAN_UNTAGGED);
	} else if (v->op == VERB_PORT_DEL) {
		model_port_del(&actual, v->dev);
	} else if (v->attr == PORT_BACKUP_PORT) {
		memcpy(p->backup_port, v->value_port, sizeof(p->backup_port));
	} else {
		p->attr[v->attr] = v->value;
	}
}

static int record_apply(void *ctx, const struct verb *v, struct error *err)
{
	struct model_port *p = model_port(&actual, v->dev);
	char text[4096];
	size_t len = strlen(asked);

	(void)ctx;
	(void)err;
	snprintf(asked + len, sizeof(asked) - len, "%s\n", verb_print(v, text, sizeof(text)));
	switch (v->op) {
	case VERB_PORT_ADD:
	case VERB_PORT_DEL:
	case VERB_PORT_SET:
		record_port(v);
		break;
	case VERB_BRIDGE_SET:
		model_set(&actual, v->attr, v->value);
		break;
	case VERB_VLAN_ADD:
		model_vlan_add(p, v->vid_first, v->vid_last, v->flags);
		break;
	case VERB_VLAN_DEL:
		model_vlan_del(&actual, p, v->vid_first, v->vid_last);
		break;
	case VERB_VLAN_SET:
		memset(&p->vlans->state[v->vid_first], (int)v->state,
		       (size_t)(v->vid_last - v->vid_first) + 1);
		break;
	case VERB_FDB_ADD:
		return model_fdb_put(&actual, v->mac, v->vid_first, v->dev, v->flags);
	case VERB_FDB_DEL:
		model_fdb_del(&actual, v->mac, v->vid_first);
		break;
	}
	return 0;
}

static const struct backend_ops record_ops = { .name = "record",
					       .read = record_read,
					       .apply = record_apply };

static struct daemon d;

/* Loads what `show config` prints of @m and compares. */
static void round_trip(const char *name, const struct model *m)
{
	struct verbs lines, rest;
	struct model again;
	struct error err;
	char text[4096];

	model_init(&again, m->name);
	ck_assert_int_eq(model_print(m, &lines), 0);
	for (unsigned i = 0; i < lines.n; i++)
		ck_assert_msg(!command_config_line(
				      &again, verb_print(&lines.verb[i], text, sizeof(text)), &err),
			      "%s: %s: %s", name, text, err.text);
	ck_assert_int_eq(model_diff(m, &again, &rest), 0);
	ck_assert_msg(!rest.n, "%s: after a round trip: %s", name,
		      rest.n ? verb_print(&rest.verb[0], text, sizeof(text)) : "");
	verbs_fini(&rest);
	verbs_fini(&lines);
	model_fini(&again);
}

/* Applies @next and begins another configuration; @want is what that should ask for. */
static void finish(const char *name, struct model *next, char *want)
{
	struct error err = { "" };

	asked[0] = '\0';
	ck_assert_msg(!daemon_apply(&d, next, &err), "%s: %s", name, err.text);
	ck_assert_msg(!strcmp(asked, want), "%s: asked for\n%snot\n%s", name, asked, want);
	round_trip(name, next);
	model_fini(next);
	model_init(next, "br0");
	want[0] = '\0';
}

START_TEST(golden)
{
	char line[1024], name[64] = "", want[8192] = "";
	FILE *f = fopen(GOLDEN, "r");
	struct error err;
	struct model next;
	unsigned n = 0;

	ck_assert_msg(f != NULL, "%s: run from the project's folder", GOLDEN);
	model_init(&next, "br0");
	while (fgets(line, sizeof(line), f)) {
		bool other = !strncmp(line, "== ", 3);

		if (other || !strncmp(line, "-- then", 7)) {
			if (name[0])
				finish(name, &next, want);
			n++;
		}
		if (other) {
			sscanf(line, "== %63s", name);
			model_fini(&actual);
			model_init(&actual, "br0");
			model_copy(&d.wanted, &actual);
		} else if (line[0] == '>') {
			strncat(want, line + 2, sizeof(want) - strlen(want) - 1);
		} else if (line[0] != '-') {
			ck_assert_msg(!command_config_line(&next, line, &err), "%s: %s: %s", name,
				      line, err.text);
		}
	}
	finish(name, &next, want);
	fclose(f);
	model_fini(&next);
	ck_assert_uint_ge(n, 12);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("record");
	TCase *all = tcase_create("all");
	int status;

	d.backend = (struct backend){ &record_ops, NULL };
	model_init(&actual, "br0");
	model_init(&d.wanted, "br0");
	tcase_add_test(all, golden);
	suite_add_tcase(s, all);
	status = suite_run(s);
	model_fini(&actual);
	model_fini(&d.wanted);
	return status;
}
