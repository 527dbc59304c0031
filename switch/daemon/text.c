/* SPDX-License-Identifier: MIT */
#include "switch/daemon/text.h"

#include <stdlib.h>
#include <string.h>

#include "switch/words.h"

void text_add(struct text *t, const char *data, size_t len)
{
	if (t->len + len > t->room) {
		size_t room = t->room ? 2 * t->room : 1024;
		char *grown;

		while (room < t->len + len)
			room *= 2;
		grown = realloc(t->data, room);
		if (!grown) {
			t->failed = true;
			return;
		}
		t->data = grown;
		t->room = room;
	}
	if (len)
		memcpy(t->data + t->len, data, len);
	t->len += len;
}

void text_str(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static int add_piece(const char *buffer, size_t size, void *data)
{
	text_add(data, buffer, size);
	return 0;
}

void text_json(struct text *t, json_t *json)
{
	if (!json || json_dump_callback(json, add_piece, t, JSON_COMPACT | JSON_ENCODE_ANY))
		t->failed = true;
	json_decref(json);
}

void text_fini(struct text *t)
{
	free(t->data);
	*t = (struct text){ 0 };
}

json_t *text_string(const char *s)
{
	size_t len = strlen(s);
	json_t *json;
	char *copy;

	if (words_utf8(s, len))
		return json_stringn_nocheck(s, len);
	copy = malloc(len + 1);
	if (!copy)
		return NULL;
	for (size_t i = 0; i <= len; i++)
		copy[i] = s[i] & (char)0x80 ? '?' : s[i];
	json = json_stringn_nocheck(copy, len);
	free(copy);
	return json;
}
