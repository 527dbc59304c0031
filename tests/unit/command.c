/* SPDX-License-Identifier: MIT */
/* command: the grammar, what is refused and how it is said, and what commands do to a model. */
#include "switch/command.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/print.h"
#include "switch/words.h"
#include "tests/unit/suite.h"

static struct model m;
static struct error err;

static void setup(void)
{
	model_init(&m, "br0");
}

static void teardown(void)
{
	model_fini(&m);
}

static int line(const char *text)
{
	err.text[0] = '\0';
	return command_config_line(&m, text, &err);
}

static void must(const char *text)
{
	ck_assert_msg(!line(text), "%s: %s", text, err.text);
}

/* The configuration as one string, a ';' after each line. */
static const char *config(void)
{
	static char all[16384];
	char text[1024];
	struct verbs lines;

	all[0] = '\0';
	ck_assert_int_eq(model_print(&m, &lines), 0);
	for (unsigned i = 0; i < lines.n; i++) {
		strcat(all, verb_print(&lines.verb[i], text, sizeof(text)));
		strcat(all, ";");
	}
	verbs_fini(&lines);
	return all;
}

/* Two TAPs and the host port. */
static void ports(void)
{
	must("link add tap0");
	must("link add tap:tap1,mtu=9000");
	must("link add host");
}

static int parse(const char *text, struct command *cmd)
{
	static char copy[512];
	static struct words words;

	strcpy(copy, text);
	ck_assert_int_eq(words_split(copy, strlen(copy), &words, &err), 0);
	return command_parse(words.n, words.word, cmd, &err);
}

static const struct {
	const char *text;
	enum command_op op;
} ops[] = {
	{ "", COMMAND_NONE },
	{ "# comment", COMMAND_NONE },
	{ "show", COMMAND_SHOW },
	{ "show config", COMMAND_SHOW_CONFIG },
	{ "set ageing_time 10s", COMMAND_SET },
	{ "link", COMMAND_LINK_SHOW },
	{ "l", COMMAND_LINK_SHOW },
	{ "link lst", COMMAND_LINK_SHOW },
	{ "l s dev a cost 1", COMMAND_LINK_SET },
	{ "link sh dev a", COMMAND_LINK_SHOW },
	{ "link add a", COMMAND_LINK_ADD },
	{ "link del dev a", COMMAND_LINK_DEL },
	{ "link delete dev a", COMMAND_LINK_DEL },
	{ "f", COMMAND_FDB_SHOW },
	{ "f s", COMMAND_FDB_SHOW },
	{ "bridge", COMMAND_NONE },
	{ "fdb a 2:0:0:0:0:1 dev a static", COMMAND_FDB_ADD },
	{ "fdb ap 2:0:0:0:0:1 dev a dynamic", COMMAND_FDB_APPEND },
	{ "fdb r 2:0:0:0:0:1 dev a local", COMMAND_FDB_REPLACE },
	{ "fdb d 2:0:0:0:0:1 dev a", COMMAND_FDB_DEL },
	{ "fdb g 2:0:0:0:0:1", COMMAND_FDB_GET },
	{ "fdb get to 2:0:0:0:0:1 br br0", COMMAND_FDB_GET },
	{ "fdb flush dev a", COMMAND_FDB_FLUSH },
	{ "v", COMMAND_VLAN_SHOW },
	{ "vlan a dev a vid 5", COMMAND_VLAN_ADD },
	{ "vlan d dev a vid 5-6", COMMAND_VLAN_DEL },
	{ "vlan set dev a vid 5 state learning", COMMAND_VLAN_SET },
	{ "m", COMMAND_MONITOR },
	{ "monitor fdb link", COMMAND_MONITOR },
	{ "stats dev a", COMMAND_STATS },
	{ "trace in a src 2:0:0:0:0:1 dst 2:0:0:0:0:2 vlan 4095", COMMAND_TRACE },
	{ "reload", COMMAND_RELOAD },
	{ "stop", COMMAND_STOP },
	{ "version", COMMAND_VERSION },
};

START_TEST(operations)
{
	struct command cmd;
	int ret = parse(ops[_i].text, &cmd);

	if (!strcmp(ops[_i].text, "bridge")) {
		ck_assert_int_eq(ret, -EINVAL);
		return;
	}
	ck_assert_msg(!ret, "%s: %s", ops[_i].text, err.text);
	ck_assert_int_eq(cmd.op, ops[_i].op);
}
END_TEST

/* Our own commands are never guessed: `st` is neither stop nor stats. */
START_TEST(no_guessing)
{
	static const char *const texts[] = { "s", "st", "sto", "rel", "r", "ver", "sh", "t" };
	struct command cmd;

	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(parse(texts[i], &cmd), -EINVAL);
}
END_TEST

START_TEST(any_order)
{
	struct command a, b;

	ck_assert_int_eq(parse("fdb add 2:0:0:0:0:1 dev a vlan 7 master static sticky", &a), 0);
	ck_assert_int_eq(parse("fdb add sticky vlan 7 static dev a 2:0:0:0:0:1", &b), 0);
	ck_assert_uint_eq(a.given & ~(unsigned)GIVEN_MASTER, b.given);
	ck_assert_uint_eq(a.mac, b.mac);
	ck_assert_uint_eq(a.vid_first, b.vid_first);
	ck_assert_str_eq(a.dev, b.dev);
	ck_assert_uint_eq(command_fdb_flags(&a), FDB_STATIC | FDB_STICKY);
}
END_TEST

/* With tap0, tap1 (tap) and br0 (host): what is refused, and words that the sentence has. */
static const struct {
	const char *text, *why;
} bad[] = {
	{ "foo", "Object \"foo\" is unknown" },
	{ "fdb foo", "command \"foo\" is unknown: it is none of add, append" },
	{ "show configuration", "\"configuration\"" },
	{ "fdb add 02:00:00:00:00:01 dev tap0", "static, dynamic or local?" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 static dynamic", "exclude each other" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 dynamic", "run time" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 local sticky", "sticky and local" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 static extern_learn", "extern_learn" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 sticky extern_learn", "sticky and extern_learn" },
	{ "fdb add 02:00:00:00:00:01 dev tap9 static", "Cannot find device \"tap9\"" },
	{ "fdb add 02:00:00:00:00:01 dev br0 static", "local" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 static self", "self means the host port" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 static vlan 10",
	  "VLAN 10 is not configured on tap0" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 static vlan 5000", "Invalid VLAN ID \"5000\"" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 static vlan x", "Invalid VLAN ID \"x\"" },
	{ "fdb add 02:00:00:00:00:01 static", "dev NAME is missing" },
	{ "fdb add dev tap0 static", "MAC address is missing" },
	{ "fdb add 02:00:00:00:00 dev tap0 static", "Invalid mac address 02:00:00:00:00" },
	{ "fdb add 02:00:00:00:00:01 02:00:00:00:00:02 dev tap0 static", "02:00:00:00:00:02" },
	{ "fdb add 01:00:00:00:00:01 dev tap0 static", "no address of a station" },
	{ "fdb add 00:00:00:00:00:00 dev tap0 static", "no address of a station" },
	{ "fdb add 02:00:00:00:00:01 dev", "dev needs a value" },
	{ "fdb add 02:00:00:00:00:01 dev tap0 dev tap1 static", "\"dev\" is given twice" },
	{ "fdb del 02:00:00:00:00:01 dev tap0", "No such file or directory" },
	{ "fdb show", "not a configuration command" },
	{ "stop", "not a configuration command" },
	{ "vlan add vid 0 dev tap0", "Invalid VLAN ID \"0\"" },
	{ "vlan add vid 4095 dev tap0", "Invalid VLAN ID \"4095\"" },
	{ "vlan add vid 5000 dev tap0", "Invalid VLAN ID \"5000\"" },
	{ "vlan add vid 10-5 dev tap0", "Invalid VLAN range \"10-5\"" },
	{ "vlan add vid 10-10 dev tap0", "Invalid VLAN range" },
	{ "vlan add vid 10-12 dev tap0 pvid", "pvid cannot be configured for a vlan range" },
	{ "vlan add vid 10 dev eth9", "Cannot find device \"eth9\"" },
	{ "vlan add vid 10", "dev NAME is missing" },
	{ "vlan add dev tap0", "vid VID is missing" },
	{ "vlan add vid 10 dev tap0 tagged", "unknown word \"tagged\"" },
	{ "vlan del vid 1 dev tap0 pvid", "vlan del" },
	{ "vlan set vid 10 dev tap0 state forwarding", "VLAN 10 is not configured on tap0" },
	{ "vlan set vid 1 dev tap0", "state STATE is missing" },
	{ "vlan set vid 1 dev tap0 state up", "state \"up\"" },
	{ "set", "KEY VALUE" },
	{ "set ageing_time", "ageing_time needs a value" },
	{ "set ageing_time 30000", "needs a unit" },
	{ "set ageing_time 1s ageing_time 2s", "given twice" },
	{ "set ageing 1s",
	  "unknown word \"ageing\" (it takes backend, ageing_time, vlan_filtering" },
	{ "set group_fwd_mask 0x4", "bits 0, 1 and 2" },
	{ "link set dev tap0", "KEY VALUE" },
	{ "link set hairpin on", "dev NAME is missing" },
	{ "link set dev tap0 hairpin", "hairpin needs a value" },
	{ "link set dev tap0 speed 10", "unknown word \"speed\"" },
	{ "link set dev tap0 state learning", "run time" },
	{ "link set dev br0 hairpin on", "host port" },
	{ "link add", "the port" },
	{ "link add tap0", "File exists" },
	{ "link add foo:bar", "unknown port type \"foo\"" },
	{ "link add tap2 tap3", "tap3" },
	{ "link add 0123456789abcdef", "longer than 15 bytes" },
	{ "link add tap:tap2,mtu=x", "mtu=x" },
	{ "link add tap2,access=0", "access=0" },
	{ "link add tap2,access=4095", "1 to 4094" },
	{ "link add tap2,access=10,trunk=20", "exclude each other" },
	{ "link add tap2,access=10,qinq=20", "exclude each other" },
	{ "link add tap2,native=1", "native=1 needs trunk" },
	{ "link add tap2,trunk=10-5", "Invalid VLAN range \"10-5\"" },
	{ "link add tap2,trunk=1+5000", "Invalid VLAN ID \"5000\"" },
	{ "link add tap2,trunk=10+", "Invalid VLAN ID \"\"" },
	{ "link add tap2,accept=some", "accept=some" },
	{ "link add host:br1,accept=tagged", "host port" },
	{ "link add tap2,qinq=5,accept=tagged", "qinq" },
	{ "link del dev tap9", "Cannot find device \"tap9\"" },
	{ "link del tap0", "unknown word \"tap0\"" },
	{ "fdb add 'x", "quote" },
};

START_TEST(refused)
{
	struct model before;
	struct verbs verbs;

	ports();
	model_init(&before, "br0");
	ck_assert_int_eq(model_copy(&before, &m), 0);
	ck_assert_msg(line(bad[_i].text) < 0, "%s is accepted", bad[_i].text);
	ck_assert_msg(strstr(err.text, bad[_i].why), "%s: %s", bad[_i].text, err.text);
	ck_assert_msg(err.text[0] && !strchr(err.text, '\n'), "%s", bad[_i].text);
	ck_assert_int_eq(model_diff(&before, &m, &verbs), 0);
	ck_assert_uint_eq(verbs.n, 0);
	verbs_fini(&verbs);
	model_fini(&before);
}
END_TEST

/* Lines, and what `show config` then says. */
static const struct {
	const char *lines[6];
	const char *config;
} made[] = {
	{ { "link add tap0" }, "link add tap0;" },
	{ { "link add host" }, "link add host:br0;" },
	{ { "link add host:lan0,mtu=9000" }, "link add host:lan0,mtu=9000;" },
	{ { "link add host:lan0", "vlan add vid 5 dev br0 self" },
	  "link add host:lan0;vlan add vid 5 dev lan0;" },
	{ { "link add mem:", "link add mem:" },
	  "link add mem:,name=mem0;link add mem:,name=mem1;" },
	{ { "link add 'pcap:a b.pcap'" }, "link add \"pcap:a b.pcap,name=pcap0\";" },
	{ { "set ageing_time 10s vlan_filtering on" },
	  "set ageing_time 10s;set vlan_filtering 1;" },
	{ { "set vlan_default_pvid 0", "link add tap0" },
	  "set vlan_default_pvid 0;link add tap0;" },
	{ { "link add tap0", "set vlan_default_pvid 7" },
	  "set vlan_default_pvid 7;link add tap0;" },
	/*
	 * a port with another PVID does not follow; without an old default every port gets the new
	 * one
	 */
	{ { "link add tap0", "vlan add vid 9 dev tap0 pvid untagged", "set vlan_default_pvid 7" },
	  "set vlan_default_pvid 7;link add tap0;vlan del vid 7 dev tap0;vlan add vid 1 dev tap0 untagged;"
	  "vlan add vid 9 dev tap0 pvid untagged;" },
	{ { "set vlan_default_pvid 0", "link add tap0", "vlan add vid 9 dev tap0 pvid",
	    "set vlan_default_pvid 7" },
	  "set vlan_default_pvid 7;link add tap0;vlan add vid 9 dev tap0;" },
	{ { "link add tap0", "vlan add vid 7 dev tap0", "set vlan_default_pvid 7" },
	  "set vlan_default_pvid 7;link add tap0;vlan add vid 1 dev tap0 pvid untagged;vlan add vid 7 dev tap0;" },
	{ { "link add tap0", "set vlan_default_pvid 0" },
	  "set vlan_default_pvid 0;link add tap0;" },
	{ { "link add tap0", "vlan add vid 1 dev tap0" },
	  "link add tap0;vlan add vid 1 dev tap0;" },
	{ { "link add tap0", "vlan del vid 1 dev tap0", "vlan del vid 99 dev tap0" },
	  "link add tap0;vlan del vid 1 dev tap0;" },
	{ { "link add tap0", "vlan add vid 20-24 dev tap0",
	    "vlan set vid 21-22 dev tap0 state blocking" },
	  "link add tap0;vlan add vid 20-24 dev tap0;vlan set vid 21-22 dev tap0 state blocking;" },
	{ { "link add tap0,access=10" },
	  "set vlan_filtering 1;link add tap0;vlan del vid 1 dev tap0;vlan add vid 10 dev tap0 pvid untagged;" },
	{ { "link add tap0,trunk=10-20+30,native=1" },
	  "set vlan_filtering 1;link add tap0;vlan add vid 10-20 dev tap0;vlan add vid 30 dev tap0;" },
	{ { "link add tap0,trunk=10-20,mtu=9000" },
	  "set vlan_filtering 1;link add tap0,mtu=9000;vlan del vid 1 dev tap0;vlan add vid 10-20 dev tap0;" },
	{ { "set vlan_protocol 802.1ad", "link add tap0,qinq=100" },
	  "set vlan_filtering 1;set vlan_protocol 802.1ad;link add tap0;vlan del vid 1 dev tap0;"
	  "link set dev tap0 accept untagged;vlan add vid 100 dev tap0 pvid untagged;" },
	{ { "link add tap0,accept=tagged" }, "link add tap0;link set dev tap0 accept tagged;" },
	{ { "link add tap0", "link add tap1", "link set dev tap0 backup_port tap1 isolated on" },
	  "link add tap0;link add tap1;link set dev tap0 isolated on;link set dev tap0 backup_port tap1;" },
	{ { "link add tap0", "link add tap1", "link set dev tap0 backup_port tap1",
	    "link set dev tap0 nobackup_port" },
	  "link add tap0;link add tap1;" },
	{ { "link add tap0", "link add tap1", "link set dev tap0 backup_port tap1",
	    "link del dev tap1" },
	  "link add tap0;" },
	{ { "link add tap0", "fdb add 2:0:0:0:0:1 dev tap0 static" },
	  "link add tap0;fdb add 02:00:00:00:00:01 dev tap0 static;" },
	{ { "link add tap0", "fdb add 2:0:0:0:0:1 dev tap0 vlan 1 static sticky" },
	  "link add tap0;fdb add 02:00:00:00:00:01 dev tap0 vlan 1 static sticky;" },
	{ { "link add tap0", "fdb add 2:0:0:0:0:1 dev tap0 static",
	    "fdb del 2:0:0:0:0:1 dev tap0 vlan 1" },
	  "link add tap0;fdb add 02:00:00:00:00:01 dev tap0 vlan 0 static;" },
	{ { "link add tap0", "fdb add 2:0:0:0:0:1 dev tap0 static", "vlan del vid 1 dev tap0" },
	  "link add tap0;vlan del vid 1 dev tap0;fdb add 02:00:00:00:00:01 dev tap0 static;" },
	{ { "link add tap0", "link add tap1", "fdb add 2:0:0:0:0:1 dev tap0 extern_learn",
	    "fdb replace 2:0:0:0:0:1 dev tap1 local" },
	  "link add tap0;link add tap1;fdb add 02:00:00:00:00:01 dev tap1 local;" },
	{ { "link add tap0", "fdb add 2:0:0:0:0:1 dev tap0 static", "link del dev tap0" }, "" },
	{ { "set group_address 01:80:c2:00:00:0e", "set vlan_filtering 1 vlan_protocol 802.1ad" },
	  "set vlan_filtering 1;set vlan_protocol 802.1ad;set group_address 01:80:c2:00:00:0e;" },
	{ { "set vlan_filtering 1 vlan_protocol 802.1ad", "set group_address 01:80:c2:00:00:00" },
	  "set vlan_filtering 1;set vlan_protocol 802.1ad;set group_address 01:80:c2:00:00:00;" },
};

START_TEST(edits)
{
	char first[16384], copy[16384];

	for (unsigned i = 0; i < 6 && made[_i].lines[i]; i++)
		must(made[_i].lines[i]);
	ck_assert_str_eq(config(), made[_i].config);
	ck_assert_msg(!model_check(&m, &err), "%s", err.text);
	/* loading what was printed makes the same */
	strcpy(first, config());
	strcpy(copy, first);
	model_fini(&m);
	model_init(&m, "br0");
	for (char *text = strtok(copy, ";"); text; text = strtok(NULL, ";"))
		must(text);
	ck_assert_str_eq(config(), first);
}
END_TEST

/* What only shows in the whole configuration. */
static const struct {
	const char *lines[5];
	const char *why;
} checks[] = {
	{ { "link add tap0,qinq=100" }, "needs vlan_protocol 802.1ad" },
	{ { "set vlan_protocol 802.1ad", "link add tap0,qinq=100", "set vlan_protocol 802.1Q" },
	  "vlan_protocol 802.1ad" },
	{ { "link add tap0", "link set dev tap0 mab on" }, "needs locked" },
	{ { "link add tap0", "link set dev tap0 backup_port tap0" }, "not another port" },
	{ { "link add tap0", "link set dev tap0 backup_port tap9" }, "\"tap9\"" },
	{ { "link add tap0", "link add host", "link set dev tap0 backup_port br0" },
	  "not another port" },
	{ { "link add tap0", "link add packet:tap0,name=x" }, "interface tap0 is port \"tap0\"" },
	{ { "link add host:a", "link add host:b" }, "host port already" },
	{ { "link add br0" }, "name of the switch" },
};

START_TEST(checked)
{
	for (unsigned i = 0; i < 5 && checks[_i].lines[i]; i++)
		must(checks[_i].lines[i]);
	ck_assert_int_lt(model_check(&m, &err), 0);
	ck_assert_msg(strstr(err.text, checks[_i].why), "%s", err.text);
}
END_TEST

START_TEST(same_name_elsewhere)
{
	must("link add tap:tap0");
	must("link add tap:tap0,name=other,netns=/run/netns/x");
	ck_assert_msg(!model_check(&m, &err), "%s", err.text);
}
END_TEST

START_TEST(bound)
{
	struct model_port *port;
	struct command cmd;

	must("link add tap0");
	ck_assert_int_eq(parse("fdb flush dev br0", &cmd), 0);
	ck_assert_int_eq(command_bind(&cmd, &m, &port, &err), 0);
	ck_assert_ptr_null(port);
	ck_assert_int_eq(parse("vlan add vid 2 dev br0 self", &cmd), 0);
	ck_assert_int_eq(command_bind(&cmd, &m, &port, &err), -ENODEV);
	ck_assert_msg(strstr(err.text, "no host port"), "%s", err.text);
	ck_assert_int_eq(parse("fdb show br br1", &cmd), 0);
	ck_assert_int_eq(command_bind(&cmd, &m, &port, &err), -ENODEV);
	ck_assert_msg(strstr(err.text, "Cannot find bridge device \"br1\""), "%s", err.text);
	ck_assert_int_eq(parse("fdb show br br0 brport tap0", &cmd), 0);
	ck_assert_int_eq(command_bind(&cmd, &m, &port, &err), 0);
	ck_assert_str_eq(port->name, "tap0");
}
END_TEST

START_TEST(long_line)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(line(text), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("command");
	TCase *t = tcase_create("command");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, operations, 0, sizeof(ops) / sizeof(ops[0]));
	tcase_add_test(t, no_guessing);
	tcase_add_test(t, any_order);
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_loop_test(t, edits, 0, sizeof(made) / sizeof(made[0]));
	tcase_add_loop_test(t, checked, 0, sizeof(checks) / sizeof(checks[0]));
	tcase_add_test(t, same_name_elsewhere);
	tcase_add_test(t, bound);
	tcase_add_test(t, long_line);
	return suite_run(s);
}
