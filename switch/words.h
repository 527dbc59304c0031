/* SPDX-License-Identifier: MIT */
/*
 * words: one line of text as the words of a command, and back.
 *
 * Blanks separate words; '...', "..." and \ quote as in a shell, # at the start of a word begins a
 * comment. The surprising rule: splitting happens in place, so the words point into the line and
 * live as long as it. Lines are UTF-8 without control characters: they are shown to users and
 * travel as JSON. Pure. Used by command.c, the control socket and uswitchctl.
 */
#ifndef SWITCH_WORDS_H
#define SWITCH_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "ports/error.h"

#define WORDS_MAX 256u

struct words {
	unsigned n;
	const char *word[WORDS_MAX];
};

/*
 * Splits the @len bytes at @line, which it changes and which must have room for one more byte, into
 * @words. Returns 0, or -EINVAL with a sentence: a control character, not UTF-8, an open quote,
 * more than WORDS_MAX words.
 */
int words_split(char *line, size_t len, struct words *words, struct error *err);

/*
 * Prints @word, quoted where words_split() would otherwise read something else, into @text (@size
 * bytes). Returns the length it has in full, as snprintf() does.
 */
size_t words_quote(const char *word, char *text, size_t size);

/* Returns whether the @len bytes at @text are valid UTF-8 (RFC 3629). */
bool words_utf8(const char *text, size_t len);

#endif
