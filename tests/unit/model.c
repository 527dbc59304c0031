/* SPDX-License-Identifier: MIT */
/*
 * model: random configurations. Printing and loading one gives the same; the difference of any two,
 * applied as commands to the one, makes the other in at most three rounds, as a model has the side
 * effects of a backend.
 */
#include "switch/model.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/command.h"
#include "switch/print.h"
#include "tests/unit/suite.h"

#define ROUNDS_MAX 3

static struct error err;

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

static const char *pick_vid(char text[16])
{
	unsigned first = 1 + pick(6), last = first + pick(4);

	if (pick(10) == 0)
		first = last = 4094;
	snprintf(text, 16, last > first ? "%u-%u" : "%u", first, last);
	return text;
}

/* What random lines are made of. */
static const char *const settings[] = { "ageing_time 10s",
					"ageing_time 0",
					"vlan_filtering 1",
					"vlan_filtering 0",
					"vlan_protocol 802.1ad",
					"vlan_protocol 802.1Q",
					"vlan_default_pvid 0",
					"vlan_default_pvid 2",
					"vlan_default_pvid 5",
					"group_fwd_mask 0x8",
					"group_address 01:80:c2:00:00:0e",
					"fdb_max_learned 7" };
static const char *const port_settings[] = {
	"hairpin on",    "hairpin off",       "isolated on",    "learning off",
	"locked on",     "locked on mab on",  "mab off",        "locked off mab off",
	"cost 7",        "accept tagged",     "backup_port p1", "backup_port p2",
	"nobackup_port", "group_fwd_mask 0x1"
};
static const char *const specs[] = { "p", "tap:p", "packet:p" };
static const char *const options[] = {
	"", "", ",mtu=9000", ",access=3", ",trunk=2-4+6", ",trunk=2-4,native=5"
};
static const char *const kinds[] = { "static", "static sticky", "local", "extern_learn" };
static const char *const states[] = { "blocking", "forwarding", "learning", "disabled" };

static void random_line(char *text, size_t size)
{
	unsigned p = pick(4);
	char vid[16];

	switch (pick(14)) {
	case 0:
		snprintf(text, size, "set %s", settings[pick(12)]);
		break;
	case 1:
	case 2:
		snprintf(text, size, "link add %s%u%s", specs[pick(3)], p, options[pick(3)]);
		break;
	case 3:
		if (pick(3))
			snprintf(text, size, "link del dev p%u", p);
		else
			snprintf(text, size, "link add host:h%s", options[pick(6)]);
		break;
	case 4:
		snprintf(text, size, "link set dev p%u %s", p, port_settings[pick(14)]);
		break;
	case 5:
		snprintf(text, size, "vlan add vid %s dev p%u%s", pick_vid(vid), p,
			 pick(2) ? " untagged" : "");
		break;
	case 6:
		snprintf(text, size, "vlan add vid %u dev p%u pvid%s", 1 + pick(6), p,
			 pick(2) ? " untagged" : "");
		break;
	case 7:
		snprintf(text, size, "vlan del vid %s dev %s%u", pick_vid(vid), "p", p);
		break;
	case 8:
		snprintf(text, size, "vlan set vid %u dev p%u state %s", 1 + pick(6), p,
			 states[pick(4)]);
		break;
	default:
		snprintf(text, size, "fdb replace 02:00:00:00:00:0%u dev p%u %s", pick(3), p,
			 kinds[pick(4)]);
		if (pick(2))
			snprintf(text + strlen(text), size - strlen(text), " vlan %u", pick(6));
		break;
	}
}

/* Makes @m from @n random lines of which those that make no sense are left out. */
static void random_model(struct model *m, unsigned n)
{
	char text[128];

	model_init(m, "br0");
	for (unsigned i = 0; i < n; i++) {
		struct model before;

		random_line(text, sizeof(text));
		model_init(&before, "br0");
		ck_assert_int_eq(model_copy(&before, m), 0);
		if (command_config_line(m, text, &err) || model_check(m, &err))
			ck_assert_int_eq(model_copy(m, &before), 0);
		model_fini(&before);
	}
}

static void print(const struct model *m, char *all, size_t size)
{
	struct verbs lines;
	size_t at = 0;
	char text[512];

	ck_assert_int_eq(model_print(m, &lines), 0);
	all[0] = '\0';
	for (unsigned i = 0; i < lines.n && at < size; i++)
		at += (size_t)snprintf(all + at, size - at, "%s\n",
				       verb_print(&lines.verb[i], text, sizeof(text)));
	ck_assert_uint_lt(at, size);
	verbs_fini(&lines);
}

/*
 * Compares without the help of what is tested. The order of ports does not matter, their
 * description may be resolved.
 */
static void assert_equal(const struct model *a, const struct model *b)
{
	ck_assert_str_eq(a->name, b->name);
	ck_assert_mem_eq(a->attr, b->attr, sizeof(a->attr));
	ck_assert_uint_eq(a->n_ports, b->n_ports);
	for (unsigned i = 0; i < a->n_ports; i++) {
		const struct model_port *p = &a->port[i], *q = model_port(b, p->name);

		ck_assert_msg(q, "%s", p->name);
		ck_assert_mem_eq(p->attr, q->attr, sizeof(p->attr));
		ck_assert_str_eq(p->backup_port, q->backup_port);
		ck_assert_str_eq(p->spec.address, q->spec.address);
		ck_assert_uint_eq(p->spec.n_options, q->spec.n_options);
		ck_assert_mem_eq(p->vlans, q->vlans, sizeof(*p->vlans));
		ck_assert_int_eq(p->host, q->host);
	}
	ck_assert_uint_eq(a->n_fdb, b->n_fdb);
	for (unsigned i = 0; i < a->n_fdb; i++) {
		ck_assert_uint_eq(a->fdb[i].mac, b->fdb[i].mac);
		ck_assert_uint_eq(a->fdb[i].vid, b->fdb[i].vid);
		ck_assert_uint_eq(a->fdb[i].flags, b->fdb[i].flags);
		ck_assert_str_eq(a->fdb[i].dev, b->fdb[i].dev);
	}
}

/* Does what @v says to @m, as a backend would: an entry that is there already is replaced. */
static void apply(struct model *m, const struct verb *v)
{
	char text[512] = "fdb replace", line[512];

	verb_print(v, line, sizeof(line));
	if (v->op == VERB_FDB_ADD)
		snprintf(text + 11, sizeof(text) - 11, "%.490s", line + 7);
	else
		memcpy(text, line, sizeof(text));
	ck_assert_msg(!command_config_line(m, text, &err), "%s: %s", text, err.text);
}

START_TEST(converges)
{
	struct model actual, wanted;
	struct verbs verbs;
	unsigned rounds;

	srand(1000 + (unsigned)_i);
	for (unsigned n = 0; n < 40; n++) {
		random_model(&actual, pick(120));
		random_model(&wanted, pick(120));
		for (rounds = 0;; rounds++) {
			ck_assert_int_eq(model_diff(&actual, &wanted, &verbs), 0);
			for (unsigned i = 1; i < verbs.n; i++)
				ck_assert_int_le(verbs.verb[i - 1].op, verbs.verb[i].op);
			if (!verbs.n)
				break;
			for (unsigned i = 0; i < verbs.n; i++)
				apply(&actual, &verbs.verb[i]);
			verbs_fini(&verbs);
			ck_assert_uint_lt(rounds, ROUNDS_MAX);
		}
		verbs_fini(&verbs);
		assert_equal(&actual, &wanted);
		model_fini(&actual);
		model_fini(&wanted);
	}
}
END_TEST

START_TEST(round_trip)
{
	static char all[65536], copy[65536];
	struct model m, again, copied;

	srand(2000 + (unsigned)_i);
	for (unsigned n = 0; n < 40; n++) {
		random_model(&m, pick(80));
		print(&m, all, sizeof(all));
		strcpy(copy, all);
		model_init(&again, "br0");
		for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
			ck_assert_msg(!command_config_line(&again, line, &err), "%s: %s", line,
				      err.text);
		assert_equal(&m, &again);
		model_init(&copied, "");
		ck_assert_int_eq(model_copy(&copied, &m), 0);
		assert_equal(&m, &copied);
		model_fini(&copied);
		model_fini(&again);
		model_fini(&m);
	}
}
END_TEST

static void lines(struct model *m, const char *const *text)
{
	model_init(m, "br0");
	for (; *text; text++)
		ck_assert_msg(!command_config_line(m, *text, &err), "%s: %s", *text, err.text);
}

/* A bare name and what it became are one port; another kind or option is another. */
START_TEST(bare_is_resolved)
{
	struct model bare, tap, packet;
	struct verbs verbs;
	char text[128];

	lines(&bare, (const char *const[]){ "link add x,mtu=9000", NULL });
	lines(&tap, (const char *const[]){ "link add tap:x,mtu=9000", NULL });
	lines(&packet, (const char *const[]){ "link add packet:x", NULL });
	ck_assert_int_eq(model_diff(&tap, &bare, &verbs), 0);
	ck_assert_uint_eq(verbs.n, 0);
	ck_assert_int_eq(model_diff(&bare, &tap, &verbs), 0);
	ck_assert_uint_eq(verbs.n, 0);
	ck_assert_int_eq(model_diff(&packet, &bare, &verbs), 0);
	ck_assert_uint_eq(verbs.n, 2);
	ck_assert_str_eq(verb_print(&verbs.verb[0], text, sizeof(text)), "link del dev x");
	ck_assert_str_eq(verb_print(&verbs.verb[1], text, sizeof(text)), "link add x,mtu=9000");
	verbs_fini(&verbs);
	model_fini(&bare);
	model_fini(&tap);
	model_fini(&packet);
}
END_TEST

/* Static entries roam, lose their mark or are flushed without a command: wanted follows. */
START_TEST(follows)
{
	static const char *const start[] = { "link add a",
					     "link add b",
					     "fdb add 2:0:0:0:0:1 dev a vlan 1 static",
					     "fdb add 2:0:0:0:0:2 dev a vlan 1 static",
					     "fdb add 2:0:0:0:0:3 dev a vlan 1 extern_learn",
					     NULL };
	static const char *const later[] = { "link add a", "link add b",
					     "fdb add 2:0:0:0:0:1 dev b vlan 1 static", NULL };
	struct model wanted, actual;
	struct verbs verbs;

	lines(&wanted, start);
	lines(&actual, later);
	model_follow(&wanted, &actual);
	ck_assert_int_eq(model_diff(&actual, &wanted, &verbs), 0);
	ck_assert_uint_eq(verbs.n, 0);
	ck_assert_str_eq(model_fdb(&wanted, 0x020000000001, 1)->dev, "b");
	ck_assert_ptr_null(model_fdb(&wanted, 0x020000000002, 1));
	/* the entries of a port that the backend has lost are still wanted */
	model_fini(&wanted);
	lines(&wanted, start);
	ck_assert_int_eq(model_port_del(&actual, "a"), 0);
	model_follow(&wanted, &actual);
	ck_assert_ptr_nonnull(model_fdb(&wanted, 0x020000000002, 1));
	model_fini(&wanted);
	model_fini(&actual);
}
END_TEST

/* The kernel keeps static entries in a VLAN that the port has left; they are nobody's business. */
START_TEST(dangling)
{
	static const char *const with[] = { "link add a", "vlan add vid 5 dev a",
					    "fdb add 2:0:0:0:0:1 dev a vlan 5 static",
					    "fdb add 2:0:0:0:0:1 dev a vlan 1 static", NULL };
	static const char *const without[] = { "link add a", NULL };
	struct model actual, wanted;
	struct verbs verbs;

	lines(&actual, with);
	actual.port[0].vlans->member[0] &= ~(UINT64_C(1) << 5);
	lines(&wanted, without);
	ck_assert_int_eq(model_diff(&actual, &wanted, &verbs), 0);
	ck_assert_uint_eq(verbs.n, 1);
	ck_assert_int_eq(verbs.verb[0].op, VERB_FDB_DEL);
	ck_assert_uint_eq(verbs.verb[0].vid_first, 1);
	verbs_fini(&verbs);
	model_fini(&actual);
	model_fini(&wanted);
}
END_TEST

START_TEST(group_address)
{
	struct model m;

	lines(&m, (const char *const[]){ "set vlan_protocol 802.1ad", NULL });
	ck_assert_uint_eq(m.attr[BRIDGE_GROUP_ADDR], 0x0180c2000000);
	model_set(&m, BRIDGE_VLAN_FILTERING, 1);
	ck_assert_uint_eq(m.attr[BRIDGE_GROUP_ADDR], 0x0180c2000008);
	model_set(&m, BRIDGE_VLAN_PROTOCOL, TPID_8021Q);
	ck_assert_uint_eq(m.attr[BRIDGE_GROUP_ADDR], 0x0180c2000000);
	model_set(&m, BRIDGE_GROUP_ADDR, 0x0180c200000e);
	model_set(&m, BRIDGE_VLAN_PROTOCOL, TPID_8021AD);
	ck_assert_uint_eq(m.attr[BRIDGE_GROUP_ADDR], 0x0180c200000e);
	model_fini(&m);
}
END_TEST

START_TEST(full)
{
	struct model m;
	char text[64];

	model_init(&m, "br0");
	ck_assert_int_eq(command_config_line(&m, "link add host", &err), 0);
	for (unsigned i = 1; i < PORT_MAX; i++) {
		snprintf(text, sizeof(text), "link add mem:,name=m%u", i);
		ck_assert_int_eq(command_config_line(&m, text, &err), 0);
	}
	ck_assert_msg(!model_check(&m, &err), "%s", err.text);
	ck_assert_int_eq(command_config_line(&m, "link add mem:,name=one-more", &err), 0);
	ck_assert_int_eq(model_check(&m, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, "more than 1023 ports"), "%s", err.text);
	for (uint64_t mac = 1; mac < 5000; mac++)
		ck_assert_int_eq(model_fdb_put(&m, 0x020000000000 + mac * 2654435761u % 65536,
					       (uint16_t)(mac % 3), "m1", FDB_STATIC),
				 0);
	for (unsigned i = 1; i < m.n_fdb; i++)
		ck_assert(m.fdb[i - 1].mac < m.fdb[i].mac ||
			  (m.fdb[i - 1].mac == m.fdb[i].mac && m.fdb[i - 1].vid < m.fdb[i].vid));
	ck_assert_int_eq(model_fdb_del(&m, 1, 1), -ENOENT);
	model_fini(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("model");
	TCase *t = tcase_create("model");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, converges, 0, 20);
	tcase_add_loop_test(t, round_trip, 0, 5);
	tcase_add_test(t, bare_is_resolved);
	tcase_add_test(t, follows);
	tcase_add_test(t, dangling);
	tcase_add_test(t, group_address);
	tcase_add_test(t, full);
	return suite_run(s);
}
