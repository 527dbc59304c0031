/* SPDX-License-Identifier: MIT */
/*
 * text: a string that grows, for JSON answers.
 *
 * Adding never fails visibly: when memory is short the text is marked and stays as it was, and
 * whoever sends it drops it. Owns its bytes; zeroed is empty. Used by the control socket's parts.
 */
#ifndef SWITCH_DAEMON_TEXT_H
#define SWITCH_DAEMON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data; /* not terminated */
	size_t len, room;
	bool failed; /* something is missing */
};

/* Appends the @len bytes at @data. */
void text_add(struct text *t, const char *data, size_t len);
/* Appends the string @s. */
void text_str(struct text *t, const char *s);
/* Appends @json, compact, and releases it; NULL marks @t as failed. */
void text_json(struct text *t, json_t *json);
/* Releases the bytes and makes @t empty. */
void text_fini(struct text *t);

/* Returns @s as a JSON string; bytes that are not UTF-8 become '?'. */
json_t *text_string(const char *s);

#endif
