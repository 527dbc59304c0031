/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "fdb/mac.h"
#include "ports/drop.h"
#include "switch/attr.h"
#include "tools/uswitchctl/ctl.h"

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Frames that were not passed on, by reason: what was counted, with -d also what was not. */
static void print_drops(const struct ctl *ctl, const json_t *drops)
{
	long long sum = 0;

	for (unsigned i = DROP_NONE + 1; i < DROP_MAX; i++)
		sum += number_of(drops, drop_word((enum drop)i));
	printf("       dropped    %14lld frames\n", sum);
	for (unsigned i = DROP_NONE + 1; i < DROP_MAX; i++) {
		const char *word = drop_word((enum drop)i);
		long long n = number_of(drops, word);

		if (n || ctl->details)
			printf("         %-11s %11lld   %s\n", word, n, drop_text((enum drop)i));
	}
}

static void print_port(const struct ctl *ctl, const json_t *p)
{
	long long slow = number_of(p, "rx_packets") - number_of(p, "rx_fast");

	ctl_color(ctl, 'I', text_of(p, "ifname"), 0);
	printf(": %s, %s, %lld address%s\n", text_of(p, "kind"), text_of(p, "state"),
	       number_of(p, "fdb_entries"), number_of(p, "fdb_entries") == 1 ? "" : "es");
	if (json_object_get(p, "note"))
		printf("       %s\n", text_of(p, "note"));
	printf("  in   received   %14lld frames %16lld bytes\n", number_of(p, "rx_packets"),
	       number_of(p, "rx_bytes"));
	printf("       missed     %14lld frames, by the interface\n", number_of(p, "rx_missed"));
	printf("       forwarded  %14lld frames\n", number_of(p, "forwarded"));
	if (number_of(p, "rx_fast"))
		printf("                  %14lld of them by the kernel, on the fast path\n",
		       number_of(p, "rx_fast"));
	printf("       consumed   %14lld frames, by the switch itself\n", number_of(p, "consumed"));
	print_drops(ctl, json_object_get(p, "drop_in"));
	if (number_of(p, "rx_cycles") && slow)
		printf("       took       %14lld cycles a frame\n",
		       number_of(p, "rx_cycles") / slow);
	printf("  out  queued     %14lld frames\n", number_of(p, "queued"));
	printf("       sent       %14lld frames %16lld bytes %14lld segments\n",
	       number_of(p, "tx_packets"), number_of(p, "tx_bytes"), number_of(p, "tx_segments"));
	print_drops(ctl, json_object_get(p, "drop_out"));
}

static void print_table(const json_t *fdb)
{
	if (!number_of(fdb, "fdb_size")) { /* the kernel's table has no size */
		printf("addresses: %lld, %lld learned\n", number_of(fdb, "fdb_used"),
		       number_of(fdb, "fdb_n_learned"));
		return;
	}
	printf("addresses: %lld of %lld places taken, %lld learned; %lld moved, %lld evicted, %lld refused\n",
	       number_of(fdb, "fdb_used"), number_of(fdb, "fdb_size"),
	       number_of(fdb, "fdb_n_learned"), number_of(fdb, "fdb_moved"),
	       number_of(fdb, "fdb_evicted"), number_of(fdb, "fdb_refused"));
}

void ctl_stats(const struct ctl *ctl, const json_t *result)
{
	const json_t *ports = json_object_get(result, "ports");

	for (size_t i = 0; i < json_array_size(ports); i++)
		print_port(ctl, json_array_get(ports, i));
	print_table(json_object_get(result, "fdb"));
}

/* A setting as it is typed: JSON has iproute2's units, text has them written out. */
static void print_setting(const struct attr *attr, const json_t *value)
{
	char text[64];

	if (json_is_string(value))
		printf("%s %s", attr->name, json_string_value(value));
	else if (attr->type == ATTR_TIME)
		printf("%s %s", attr->name,
		       attr_print(attr, (uint64_t)json_integer_value(value) * 10, text,
				  sizeof(text)));
	else
		printf("%s %lld", attr->name, (long long)json_integer_value(value));
}

/* What others changed, as the commands that undo it. */
static void print_drift(const json_t *verbs)
{
	for (size_t i = 0; i < json_array_size(verbs); i++)
		printf("drift: %s\n", json_string_value(json_array_get(verbs, i)));
}

void ctl_switch(const struct ctl *ctl, const json_t *result)
{
	bool event = json_object_get(result, "event");

	ctl_color(ctl, 'I', text_of(result, "ifname"), 0);
	printf(": backend %s, %lld port%s", text_of(result, "backend"), number_of(result, "ports"),
	       number_of(result, "ports") == 1 ? "" : "s");
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++) {
		fputs(event ? " " : ctl->oneline ? "\\    " : "\n    ", stdout);
		print_setting(&bridge_attrs[i], json_object_get(result, bridge_attrs[i].json));
	}
	if (event) {
		putchar('\n');
	} else {
		fputs(ctl->oneline ? "\\" : "\n", stdout);
		print_table(result);
		print_drift(json_object_get(result, "drift"));
	}
}
