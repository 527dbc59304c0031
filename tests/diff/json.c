// SPDX-License-Identifier: MIT
#include "tests/diff/json.h"

#include <stdlib.h>
#include <string.h>

static const char *blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* The character after the string that begins at @p. */
static const char *after_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* The character after the value that begins at @p. */
static const char *after(const char *p)
{
	unsigned depth = 0;

	do {
		if (*p == '"') {
			p = after_string(p);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		if ((*p == '}' || *p == ']') && !depth--)
			return p;
		if (!depth && *p == ',')
			return p;
		p++;
	} while (*p && (depth || !strchr(",}]", *p)));
	return p;
}

const char *json_get(const char *object, const char *key)
{
	const char *p = object && *object == '{' ? blanks(object + 1) : NULL;
	size_t len = strlen(key);

	while (p && *p == '"') {
		const char *value = blanks(after_string(p));

		if (*value != ':')
			return NULL;
		value = blanks(value + 1);
		if (!strncmp(p + 1, key, len) && p[len + 1] == '"')
			return value;
		p = blanks(after(value));
		if (*p == ',')
			p = blanks(p + 1);
	}
	return NULL;
}

const char *json_first(const char *array)
{
	const char *p = array && *array == '[' ? blanks(array + 1) : NULL;

	return p && *p && *p != ']' ? p : NULL;
}

const char *json_next(const char *element)
{
	const char *p = element ? blanks(after(element)) : NULL;

	return p && *p == ',' ? blanks(p + 1) : NULL;
}

bool json_is(const char *value, const char *text)
{
	size_t len = strlen(text);

	return value && *value == '"' && !strncmp(value + 1, text, len) && value[len + 1] == '"';
}

bool json_has(const char *array, const char *text)
{
	const char *p = json_first(array);

	while (p && !json_is(p, text))
		p = json_next(p);
	return p;
}

unsigned long long json_number(const char *value)
{
	if (!value)
		return 0;
	if (!strncmp(value, "true", 4))
		return 1;
	return strtoull(*value == '"' ? value + 1 : value, NULL, 0);
}
