/* SPDX-License-Identifier: MIT */
#include "ports/kinds.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX 256 /* characters of "tap, packet, ..." in a message */

const struct port_option port_common_options[] = {
	{ .name = "name",
	  .type = PORT_OPT_TEXT,
	  .help = "the port's name, 1..15 bytes (default: the interface's name, "
		  "else the type and a number)" },
	/* VLAN modes: switch/command.c takes these out of the spec again and expands them */
	{ .name = "access",
	  .type = PORT_OPT_NUMBER,
	  .min = 1,
	  .max = 4094,
	  .help = "only VLAN N, untagged; turns vlan_filtering on as trunk and qinq do" },
	{ .name = "trunk", .type = PORT_OPT_TEXT, .help = "VLANs carried tagged: 10-20+30" },
	{ .name = "native",
	  .type = PORT_OPT_NUMBER,
	  .min = 1,
	  .max = 4094,
	  .help = "with trunk: the VLAN of untagged frames (default: they are dropped)" },
	{ .name = "qinq",
	  .type = PORT_OPT_NUMBER,
	  .min = 1,
	  .max = 4094,
	  .help = "a customer's port: everything goes into service VLAN N; needs vlan_protocol "
		  "802.1ad" },
	{ .name = "accept",
	  .type = PORT_OPT_TEXT,
	  .words = "all|tagged|untagged",
	  .help = "frames let in while vlan_filtering is on" },
	{ .name = NULL },
};

int port_name_check(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (!len)
		return error_set(err, -EINVAL, "a name is missing");
	if (len >= PORT_NAME_MAX)
		return error_set(err, -EINVAL, "name \"%.64s\" is longer than %u bytes", name,
				 PORT_NAME_MAX - 1);
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(err, -EINVAL, "\"%s\" cannot be a name", name);
	for (const char *p = name; *p; p++)
		if (strchr("/:,%", *p) || isspace((unsigned char)*p) || iscntrl((unsigned char)*p))
			return error_set(err, -EINVAL, "name \"%s\" contains '%c'", name,
					 iscntrl((unsigned char)*p) ? '?' : *p);
	return 0;
}

/* Adds @word to the list "a, b, c" in @list. */
static void list_add(char list[LIST_MAX], const char *word)
{
	size_t len = strlen(list);

	snprintf(list + len, LIST_MAX - len, "%s%s", len ? ", " : "", word);
}

static void list_add_options(char list[LIST_MAX], const struct port_option *options)
{
	for (const struct port_option *o = options; o && o->name; o++)
		list_add(list, o->name);
}

static const struct port_option *find_option(const struct port_option *options, const char *key,
					     size_t len)
{
	for (const struct port_option *o = options; o && o->name; o++)
		if (strlen(o->name) == len && !strncmp(o->name, key, len))
			return o;
	return NULL;
}

static int unknown_option(const struct port_spec *spec, const struct port_ops *ops,
			  const char *word, struct error *err)
{
	char list[LIST_MAX] = "";

	list_add_options(list, ops->options);
	list_add_options(list, port_common_options);
	return error_set(err, -EINVAL,
			 "%s is a %s port, which has no option \"%.64s\" (its options: %s)",
			 spec->address[0] ? spec->address : "it", ops->kind, word, list);
}

static int parse_number(const struct port_option *option, const char *value, uint64_t *number,
			struct error *err)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 10);
	if (!isdigit((unsigned char)value[0]) || *end || errno || *number < option->min ||
	    *number > option->max)
		return error_set(err, -EINVAL, "%s=%.64s: must be a number from %llu to %llu",
				 option->name, value, (unsigned long long)option->min,
				 (unsigned long long)option->max);
	return 0;
}

/* Returns whether @value is one of @words, "a|b|c". */
static bool is_word(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (const char *w = words; len; w++) {
		if (strcspn(w, "|") == len && !strncmp(w, value, len))
			return true;
		w += strcspn(w, "|");
		if (!*w)
			break;
	}
	return false;
}

/* Sets the value of option @i of @spec from @word, `key` or `key=value`. */
static int parse_value(struct port_spec *spec, unsigned i, const struct port_option *option,
		       const char *word, struct error *err)
{
	const char *value = strchr(word, '=');
	char text[sizeof(spec->option[i].text)] = "";
	uint64_t number = 0;
	int ret = 0;

	switch (option->type) {
	case PORT_OPT_FLAG:
		number = !value || !strcmp(value, "=on");
		if (!number && strcmp(value, "=off"))
			ret = error_set(err, -EINVAL, "%.64s: must be on or off", word);
		break;
	case PORT_OPT_NUMBER:
		ret = parse_number(option, value ? value + 1 : "", &number, err);
		break;
	case PORT_OPT_TEXT:
		if (!value || !value[1])
			ret = error_set(err, -EINVAL, "%s= needs a value", option->name);
		else if (option->words && !is_word(option->words, value + 1))
			ret = error_set(err, -EINVAL, "%.64s: must be one of %s", word,
					option->words);
		else
			memcpy(text, value + 1,
			       strlen(value)); /* with the NUL; no longer than word */
		break;
	}
	if (ret)
		return ret;
	spec->option[i].option = option;
	spec->option[i].number = number;
	memcpy(spec->option[i].text, text, sizeof(text));
	return 0;
}

/* Returns whether some kind that a bare name may become has the option. */
static bool interface_option(const struct port_ops *const *kinds, const char *key, size_t len)
{
	for (unsigned i = 0; kinds[i]; i++)
		if (kinds[i]->interface && find_option(kinds[i]->options, key, len))
			return true;
	return false;
}

static bool have_option(const struct port_spec *spec, const char *key, size_t len)
{
	for (unsigned i = 0; i < spec->n_options; i++) {
		const struct port_option *o = spec->option[i].option;
		const char *name = o ? o->name : spec->option[i].text;

		if (strcspn(name, "=") == len && !strncmp(name, key, len))
			return true;
	}
	return len == 4 && !strncmp(key, "name", len) && spec->name[0];
}

/* Adds `key` or `key=value`. Without a kind yet, an option that depends on it is kept as it was
 * written. */
static int add_option(struct port_spec *spec, const struct port_ops *const *kinds, const char *word,
		      struct error *err)
{
	size_t key = strcspn(word, "=");
	const struct port_option *option = find_option(port_common_options, word, key);
	unsigned i = spec->n_options;
	int ret = 0;

	if (!key)
		return error_set(err, -EINVAL, "an option is empty (values cannot contain commas)");
	if (have_option(spec, word, key))
		return error_set(err, -EINVAL, "option \"%.*s\" is given twice", (int)key, word);
	if (option == &port_common_options[0]) {
		ret = port_name_check(word[key] ? word + key + 1 : "", err);
		if (!ret)
			snprintf(spec->name, sizeof(spec->name), "%s", word + key + 1);
		return ret;
	}
	if (i == PORT_OPTIONS_MAX)
		return error_set(err, -EINVAL, "more than %u options", PORT_OPTIONS_MAX);
	if (!option && spec->ops)
		option = find_option(spec->ops->options, word, key);
	if (option) {
		ret = parse_value(spec, i, option, word, err);
	} else if (spec->ops) {
		ret = unknown_option(spec, spec->ops, word, err);
	} else if (!interface_option(kinds, word, key)) {
		ret = error_set(err, -EINVAL, "unknown option \"%.64s\"", word);
	} else {
		spec->option[i].option = NULL;
		snprintf(spec->option[i].text, sizeof(spec->option[i].text), "%s", word);
	}
	if (!ret)
		spec->n_options++;
	return ret;
}

/* Finds the kind that the @len bytes before the colon name. */
static int parse_kind(const char *text, size_t len, const struct port_ops *const *kinds,
		      struct port_spec *spec, struct error *err)
{
	char list[LIST_MAX] = "";

	for (unsigned i = 0; kinds[i]; i++) {
		if (strlen(kinds[i]->kind) == len && !strncmp(kinds[i]->kind, text, len)) {
			spec->ops = kinds[i];
			return 0;
		}
		list_add(list, kinds[i]->kind);
	}
	return error_set(err, -EINVAL, "unknown port type \"%.*s\" (known: %s)",
			 len > 64 ? 64 : (int)len, text, list);
}

static int check_address(const struct port_spec *spec, struct error *err)
{
	const struct port_ops *ops = spec->ops;
	struct error why;

	if (!ops || ops->interface) {
		if (port_name_check(spec->address, &why))
			return error_set(err, -EINVAL, "interface %s", why.text);
	} else if (!ops->address && spec->address[0]) {
		return error_set(err, -EINVAL, "%s: takes nothing after the colon, not \"%.64s\"",
				 ops->kind, spec->address);
	} else if (ops->address && ops->address[0] != '[' && !spec->address[0]) {
		return error_set(err, -EINVAL, "%s:%s: %s is missing", ops->kind, ops->address,
				 ops->address);
	}
	return 0;
}

int port_spec_parse_kinds(const char *text, const struct port_ops *const *kinds,
			  struct port_spec *spec, struct error *err)
{
	size_t len = strcspn(text, ","), kind = strcspn(text, ":,");
	char word[sizeof(spec->option[0].text)];
	int ret;

	memset(spec, 0, sizeof(*spec));
	if (text[kind] == ':') {
		ret = parse_kind(text, kind, kinds, spec, err);
		if (ret)
			return ret;
		text += kind + 1;
		len -= kind + 1;
	}
	if (len >= sizeof(spec->address))
		return error_set(err, -EINVAL, "\"%.64s...\" is longer than %zu bytes", text,
				 sizeof(spec->address) - 1);
	if (spec->ops && !spec->ops->address && memchr(text, '=', len)) {
		text--; /* options may follow at once: the colon stands for the comma */
		len = 0;
	}
	memcpy(spec->address, text, len);
	ret = check_address(spec, err);
	while (!ret && (text[len] == ',' || (!len && text[len] == ':'))) {
		text += len + 1;
		len = strcspn(text, ",");
		if (len >= sizeof(word))
			return error_set(err, -EINVAL,
					 "option \"%.32s...\" is longer than %zu bytes", text,
					 sizeof(word) - 1);
		memcpy(word, text, len);
		word[len] = '\0';
		ret = add_option(spec, kinds, word, err);
	}
	if (!ret && !spec->name[0] && (!spec->ops || spec->ops->interface))
		memcpy(spec->name, spec->address, sizeof(spec->name));
	return ret;
}

int port_spec_resolve(struct port_spec *spec, const struct port_ops *ops, struct error *err)
{
	struct port_spec work = *spec;

	if (spec->ops == ops)
		return 0;
	if (spec->ops || !ops->interface)
		return error_set(err, -EINVAL, "%s cannot become a %s port", spec->address,
				 ops->kind);
	work.ops = ops;
	for (unsigned i = 0; i < work.n_options; i++) {
		const char *word = spec->option[i].text;
		const struct port_option *option;
		int ret;

		if (work.option[i].option)
			continue;
		option = find_option(ops->options, word, strcspn(word, "="));
		ret = option ? parse_value(&work, i, option, word, err)
			     : unknown_option(spec, ops, word, err);
		if (ret)
			return ret;
	}
	*spec = work;
	return 0;
}

__attribute__((format(printf, 4, 5))) static size_t print(char *text, size_t size, size_t at,
							  const char *fmt, ...)
{
	va_list ap;
	int len;

	if (at >= size)
		return at;
	va_start(ap, fmt);
	len = vsnprintf(text + at, size - at, fmt, ap);
	va_end(ap);
	return at + (len > 0 ? (size_t)len : 0);
}

/* Prints option @i of @spec with the comma before it. */
static size_t print_option(const struct port_spec *spec, unsigned i, char *text, size_t size,
			   size_t at)
{
	const struct port_option *o = spec->option[i].option;

	if (!o)
		return print(text, size, at, ",%s", spec->option[i].text);
	switch (o->type) {
	case PORT_OPT_FLAG:
		return print(text, size, at, ",%s%s", o->name,
			     spec->option[i].number ? "" : "=off");
	case PORT_OPT_NUMBER:
		return print(text, size, at, ",%s=%llu", o->name,
			     (unsigned long long)spec->option[i].number);
	case PORT_OPT_TEXT:
		break;
	}
	return print(text, size, at, ",%s=%s", o->name, spec->option[i].text);
}

void port_spec_print(const struct port_spec *spec, char *text, size_t size)
{
	const struct port_option *tables[] = { spec->ops ? spec->ops->options : NULL,
					       port_common_options };
	bool interface = !spec->ops || spec->ops->interface;
	size_t at = 0;

	if (size)
		text[0] = '\0';
	if (spec->ops)
		at = print(text, size, at, "%s:", spec->ops->kind);
	at = print(text, size, at, "%s", spec->address);
	if (spec->name[0] && !(interface && !strcmp(spec->name, spec->address)))
		at = print(text, size, at, ",name=%s", spec->name);
	for (unsigned i = 0; i < spec->n_options; i++)
		if (!spec->option[i].option)
			at = print_option(spec, i, text, size, at);
	for (unsigned t = 0; t < 2; t++)
		for (const struct port_option *o = tables[t]; o && o->name; o++)
			for (unsigned i = 0; i < spec->n_options; i++)
				if (spec->option[i].option == o)
					at = print_option(spec, i, text, size, at);
}

uint64_t port_spec_number(const struct port_spec *spec, const char *name, uint64_t fallback)
{
	for (unsigned i = 0; i < spec->n_options; i++)
		if (spec->option[i].option && !strcmp(spec->option[i].option->name, name))
			return spec->option[i].number;
	return fallback;
}

const char *port_spec_text(const struct port_spec *spec, const char *name)
{
	for (unsigned i = 0; i < spec->n_options; i++)
		if (spec->option[i].option && !strcmp(spec->option[i].option->name, name))
			return spec->option[i].text;
	return NULL;
}
