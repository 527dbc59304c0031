/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "tools/uswitchctl/ctl.h"

#define NAME_WIDTH 16 /* IFNAMSIZ */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static bool has(const json_t *object, const char *key)
{
	return json_object_get(object, key);
}

void ctl_color(const struct ctl *ctl, char what, const char *text, int width)
{
	const char *code = what == 'I' ? ctl->dark ? "\033[1;36m" : "\033[36m"
			   : ctl->dark ? "\033[1;33m"
				       : "\033[33m";

	printf("%s%-*s%s", ctl->color ? code : "", width, text, ctl->color ? "\033[0m" : "");
}

const char *ctl_time(char *text, size_t size)
{
	struct timeval now;
	struct tm tm;
	size_t len;

	gettimeofday(&now, NULL);
	localtime_r(&now.tv_sec, &tm);
	len = strftime(text, size, "%a %b %e %H:%M:%S %Y", &tm);
	snprintf(text + len, size - len, " %ld usec", (long)now.tv_usec);
	return text;
}

/* The end of a line of several; -o writes a backslash instead of it. */
static const char *line_end(const struct ctl *ctl)
{
	return ctl->oneline ? "\\" : "\n";
}

static void print_fdb(const struct ctl *ctl, const json_t *e)
{
	const json_t *flags = json_object_get(e, "flags");
	char word[32];

	snprintf(word, sizeof(word), "%s ", text_of(e, "mac"));
	ctl_color(ctl, 'M', word, 0);
	if (has(e, "ifname")) {
		snprintf(word, sizeof(word), "%s ", text_of(e, "ifname"));
		fputs("dev ", stdout);
		ctl_color(ctl, 'I', word, 0);
	}
	if (has(e, "vlan"))
		printf("vlan %lld ", number_of(e, "vlan"));
	if (has(e, "used"))
		printf("used %lld/%lld ", number_of(e, "used"), number_of(e, "updated"));
	for (size_t i = 0; i < json_array_size(flags); i++)
		printf("%s ", json_string_value(json_array_get(flags, i)));
	printf("master %s %s\n", text_of(e, "master"), text_of(e, "state"));
}

/* "key value " for each of @keys that @object has; booleans are on and off. */
static void print_pairs(const json_t *object, const char *const *keys)
{
	for (; *keys; keys++) {
		const json_t *value = json_object_get(object, *keys);

		if (json_is_boolean(value))
			printf("%s %s ", *keys, json_is_true(value) ? "on" : "off");
		else if (json_is_integer(value))
			printf("%s %lld ", *keys, (long long)json_integer_value(value));
		else if (json_is_string(value))
			printf("%s %s ", *keys, json_string_value(value));
	}
}

static void print_link(const struct ctl *ctl, const json_t *link)
{
	static const char *const state[] = { "mtu", "master", "state", "priority", "cost", NULL };
	static const char *const flags[] = { "hairpin",     "learning",    "flood",
					     "mcast_flood", "bcast_flood", "backup_port",
					     "isolated",    "locked",      "mab",
					     NULL };
	static const char *const own[] = { "kind",   "port",        "group_fwd_mask",
					   "accept", "fdb_entries", "note",
					   NULL };
	const json_t *words = json_object_get(link, "flags");
	char name[32];

	snprintf(name, sizeof(name), "%s: ", text_of(link, "ifname"));
	printf("%lld: ", number_of(link, "ifindex"));
	ctl_color(ctl, 'I', name, 0);
	putchar('<');
	for (size_t i = 0; i < json_array_size(words); i++)
		printf("%s%s", i ? "," : "", json_string_value(json_array_get(words, i)));
	fputs("> ", stdout);
	print_pairs(link, state);
	if (has(link, "hairpin")) {
		printf("%s    ", line_end(ctl));
		print_pairs(link, flags);
	}
	if (has(link, "kind")) {
		printf("%s    ", line_end(ctl));
		print_pairs(link, own);
	}
	putchar('\n');
}

/* One VLAN of a port; the name stands only before the first. */
static void print_vlan(const struct ctl *ctl, const json_t *v)
{
	const json_t *flags = json_object_get(v, "flags");

	printf("%lld", number_of(v, has(v, "vid") ? "vid" : "vlan"));
	if (has(v, "vlanEnd"))
		printf("-%lld", number_of(v, "vlanEnd"));
	for (size_t i = 0; i < json_array_size(flags); i++)
		printf(" %s", json_string_value(json_array_get(flags, i)));
	if (has(v, "state"))
		printf("%s%-*s    state %s ", line_end(ctl), NAME_WIDTH, "", text_of(v, "state"));
	if (has(v, "rx_bytes")) {
		printf("%s%-*s    RX: %lld bytes %lld packets", line_end(ctl), NAME_WIDTH, "",
		       number_of(v, "rx_bytes"), number_of(v, "rx_packets"));
		printf("%s%-*s    TX: %lld bytes %lld packets", line_end(ctl), NAME_WIDTH, "",
		       number_of(v, "tx_bytes"), number_of(v, "tx_packets"));
	}
}

static void print_vlans(const struct ctl *ctl, const json_t *port)
{
	const json_t *vlans = json_object_get(port, "vlans");
	char name[32];

	snprintf(name, sizeof(name), "%-*s  ", NAME_WIDTH, text_of(port, "ifname"));
	ctl_color(ctl, 'I', name, 0);
	for (size_t i = 0; i < json_array_size(vlans); i++) {
		if (i)
			printf("%s%-*s  ", line_end(ctl), NAME_WIDTH, "");
		print_vlan(ctl, json_array_get(vlans, i));
	}
	putchar('\n');
}

static void print_string(const struct ctl *ctl, const json_t *line)
{
	(void)ctl;
	puts(json_string_value(line));
}

/*
 * Commands as they would be typed; what cannot be had as comments, so that the whole can be loaded.
 */
static void print_plan(const struct ctl *ctl, const json_t *plan)
{
	const json_t *verbs = json_object_get(plan, "verbs");
	const json_t *lost = json_object_get(plan, "lost");

	(void)ctl;
	for (size_t i = 0; i < json_array_size(verbs); i++)
		puts(json_string_value(json_array_get(verbs, i)));
	for (size_t i = 0; i < json_array_size(lost); i++)
		printf("# lost: %s\n", json_string_value(json_array_get(lost, i)));
}

static void print_drift(const struct ctl *ctl, const json_t *event)
{
	const json_t *verbs = json_object_get(event, "verbs");

	(void)ctl;
	if (!json_array_size(verbs))
		puts("Drift: none");
	for (size_t i = 0; i < json_array_size(verbs); i++)
		printf("Drift: %s\n", json_string_value(json_array_get(verbs, i)));
}

static void print_version(const struct ctl *ctl, const json_t *version)
{
	(void)ctl;
	printf("%s: uswitch %s\n", text_of(version, "ifname"), text_of(version, "version"));
}

static const struct {
	const char *show;
	void (*print)(const struct ctl *ctl, const json_t *value);
} layouts[] = {
	{ "fdb", print_fdb },       { "link", print_link },    { "vlan", print_vlans },
	{ "config", print_string }, { "trace", print_string }, { "version", print_version },
	{ "stats", ctl_stats },     { "switch", ctl_switch },  { "plan", print_plan },
};

void ctl_text_head(const struct ctl *ctl, const char *show)
{
	if (!strcmp(show, "vlan"))
		printf("%-*s  %s\n", NAME_WIDTH, "port",
		       ctl->stats && !ctl->details ? "vlan-id" : "vlan-id  ");
}

void ctl_text(const struct ctl *ctl, const char *show, const json_t *value)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
		if (!strcmp(layouts[i].show, show)) {
			layouts[i].print(ctl, value);
			return;
		}
}

static void print_flush(const struct ctl *ctl, const json_t *event)
{
	fputs("Flushed ", stdout);
	if (has(event, "ifname")) {
		fputs("dev ", stdout);
		ctl_color(ctl, 'I', text_of(event, "ifname"), 0);
		putchar(' ');
	}
	if (has(event, "vlan"))
		printf("vlan %lld ", number_of(event, "vlan"));
	printf("master %s\n", text_of(event, "master"));
}

static void print_lost(const struct ctl *ctl, const json_t *event)
{
	(void)ctl;
	printf("Lost %lld events\n", number_of(event, "count"));
}

void ctl_text_event(const struct ctl *ctl, const json_t *event)
{
	static const struct {
		const char *event, *label;
		void (*print)(const struct ctl *ctl, const json_t *event);
	} events[] = {
		{ "fdb", "[NEIGH]", print_fdb },    { "flush", "[NEIGH]", print_flush },
		{ "link", "[LINK]", print_link },   { "vlan", "[VLAN]", print_vlans },
		{ "bridge", "[LINK]", ctl_switch }, { "lost", "", print_lost },
		{ "drift", "[LINK]", print_drift },
	};
	char time[64];

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (strcmp(events[i].event, text_of(event, "event")) != 0)
			continue;
		if (ctl->timestamp)
			printf("Timestamp: %s\n", ctl_time(time, sizeof(time)));
		if (ctl->labels)
			fputs(events[i].label, stdout);
		if (json_is_true(json_object_get(event, "deleted")))
			fputs("Deleted ", stdout);
		events[i].print(ctl, event);
	}
}
