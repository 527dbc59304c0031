/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry: anything a control client or a configuration file can say. The input is a list of
 * lines, as they come, NUL and broken UTF-8 included. Words must survive quoting; a line must be
 * refused with a sentence and no effect, or do what it says; a configuration that passes its check
 * must survive being printed and loaded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/command.h"
#include "switch/print.h"
#include "switch/words.h"

#define LINES_MAX 64
#define LINE_ROOM 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The words of @line quoted and split again are the same words. */
static void check_words(const char *line, size_t len)
{
	static char copy[LINE_ROOM + 1], quoted[4 * LINE_ROOM];
	static struct words words, again;
	struct error err = { "" };
	size_t at = 0;

	memcpy(copy, line, len);
	if (words_split(copy, len, &words, &err)) {
		if (!err.text[0] || !words_utf8(err.text, strlen(err.text)))
			abort();
		return;
	}
	for (unsigned i = 0; i < words.n; i++) {
		at += words_quote(words.word[i], quoted + at, sizeof(quoted) - at - 1);
		quoted[at++] = ' ';
	}
	if (words_split(quoted, at, &again, &err) || again.n != words.n)
		abort();
	for (unsigned i = 0; i < words.n; i++)
		if (strcmp(words.word[i], again.word[i]) != 0)
			abort();
}

static void check_line(struct model *m, const char *line)
{
	struct model before;
	struct verbs verbs;
	struct error err = { "" };

	model_init(&before, m->name);
	if (model_copy(&before, m))
		abort();
	if (command_config_line(m, line, &err)) {
		if (!err.text[0] || strchr(err.text, '\n'))
			abort();
		if (model_diff(&before, m, &verbs) || verbs.n)
			abort();
	} else if (model_check(m, &err) && model_copy(m, &before)) {
		abort();
	}
	model_fini(&before);
}

static void check_printed(const struct model *m)
{
	struct model again;
	struct verbs lines, verbs;
	struct error err;
	char text[LINE_ROOM];

	model_init(&again, m->name);
	if (model_print(m, &lines))
		abort();
	for (unsigned i = 0; i < lines.n; i++)
		if (command_config_line(&again, verb_print(&lines.verb[i], text, sizeof(text)),
					&err)) {
			fprintf(stderr, "%s: %s\n", text, err.text);
			abort();
		}
	if (model_diff(&again, m, &verbs) || verbs.n)
		abort();
	verbs_fini(&lines);
	model_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char line[LINE_ROOM + 1];
	struct model m;

	model_init(&m, "br0");
	for (unsigned n = 0; n < LINES_MAX && size; n++) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size, used = end ? len + 1 : len;

		if (len > LINE_ROOM)
			len = LINE_ROOM;
		memcpy(line, data, len);
		line[len] = '\0';
		check_words(line, len);
		check_line(&m, line);
		data += used;
		size -= used;
	}
	check_printed(&m);
	model_fini(&m);
	return 0;
}
