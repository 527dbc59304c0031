/* SPDX-License-Identifier: MIT */
#include "switch/words.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Returns the length of the UTF-8 sequence at @p (at most @len bytes), or 0 when it is none. */
static size_t utf8_len(const uint8_t *p, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc2 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf5 ? 4
				 : 0;
	uint32_t code;

	if (n <= 1)
		return n;
	if (n > len)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

bool words_utf8(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;

	while (len) {
		size_t n = utf8_len(p, len);

		if (!n)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static int check_bytes(const char *line, size_t len, struct error *err)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < ' ' && !is_blank(line[i])) || line[i] == 0x7f)
			return error_set(err, -EINVAL,
					 "byte %zu of the line is a control character", i + 1);
	if (!words_utf8(line, len))
		return error_set(err, -EINVAL, "the line is not valid UTF-8");
	return 0;
}

/*
 * Moves the word that starts at *@from to *@to without its quotes and ends it. Both are advanced;
 * *@from stops on what ended the word. Returns 0 or -EINVAL: a quote is left open.
 */
static int take_word(char **from, char **to, struct error *err)
{
	char *p = *from, *out = *to, quote = '\0';

	for (; *p && (quote || !is_blank(*p)); p++) {
		if (quote ? *p == quote : *p == '\'' || *p == '"') {
			quote = quote ? '\0' : *p;
			continue;
		}
		if (*p == '\\' && quote != '\'') {
			if (!*++p)
				return error_set(err, -EINVAL,
						 "nothing follows the \\ at the end of the line");
		}
		*out++ = *p;
	}
	if (quote)
		return error_set(err, -EINVAL, "a %c quote is not closed", quote);
	*from = p;
	*to = out;
	return 0;
}

int words_split(char *line, size_t len, struct words *words, struct error *err)
{
	char *from = line;
	int ret = check_bytes(line, len, err);

	words->n = 0;
	line[len] = '\0';
	while (!ret) {
		char *to;

		while (is_blank(*from))
			from++;
		if (!*from || *from == '#')
			return 0;
		if (words->n == WORDS_MAX)
			return error_set(err, -EINVAL, "more than %u words", WORDS_MAX);
		to = from;
		words->word[words->n++] = to;
		ret = take_word(&from, &to, err);
		if (!ret && *from)
			from++;
		if (!ret)
			*to = '\0';
	}
	return ret;
}

/* Whether @word is read back as it is without quotes. */
static bool is_plain(const char *word)
{
	return *word && *word != '#' && !word[strcspn(word, " \t\r\"'\\")];
}

static size_t put(char *text, size_t size, size_t at, char c)
{
	if (at + 1 < size)
		text[at] = c;
	return at + 1;
}

size_t words_quote(const char *word, char *text, size_t size)
{
	bool plain = is_plain(word);
	size_t at = 0;

	if (!plain)
		at = put(text, size, at, '"');
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			at = put(text, size, at, '\\');
		at = put(text, size, at, *word);
	}
	if (!plain)
		at = put(text, size, at, '"');
	if (size)
		text[at < size ? at : size - 1] = '\0';
	return at;
}
