/* SPDX-License-Identifier: MIT */
#include "tools/uswitchctl/ctl.h"

/* iproute2 puts only the members of objects on lines of their own. */
static void new_line(const struct ctl *ctl, unsigned depth)
{
	if (ctl->pretty)
		printf("\n%*s", (int)depth * 4, "");
}

static void print_plain(const json_t *value)
{
	json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void print_object(const struct ctl *ctl, json_t *object, unsigned depth)
{
	const char *key;
	json_t *value, *name;
	bool first = true;

	putchar('{');
	json_object_foreach(object, key, value)
	{
		if (!first)
			putchar(',');
		first = false;
		new_line(ctl, depth + 1);
		name = json_string(key);
		print_plain(name);
		json_decref(name);
		fputs(ctl->pretty ? ": " : ":", stdout);
		ctl_json(ctl, value, depth + 1);
	}
	if (!first)
		new_line(ctl, depth);
	putchar('}');
}

void ctl_json_open(const struct ctl *ctl)
{
	fputs(ctl->pretty ? "[ " : "[", stdout);
}

void ctl_json_element(const struct ctl *ctl, json_t *value, bool first)
{
	if (!first)
		putchar(',');
	ctl_json(ctl, value, 1);
}

void ctl_json_close(const struct ctl *ctl, bool empty)
{
	fputs(ctl->pretty && !empty ? " ]" : "]", stdout);
}

void ctl_json(const struct ctl *ctl, json_t *value, unsigned depth)
{
	if (json_is_object(value)) {
		print_object(ctl, value, depth);
	} else if (json_is_array(value)) {
		ctl_json_open(ctl);
		for (size_t i = 0; i < json_array_size(value); i++) {
			if (i)
				putchar(',');
			ctl_json(ctl, json_array_get(value, i), depth + 1);
		}
		ctl_json_close(ctl, !json_array_size(value));
	} else {
		print_plain(value);
	}
}
