/* SPDX-License-Identifier: MIT */
#include "ports/drop.h"

#define WORD(name, word, text) word,
#define TEXT(name, word, text) text,

static const char *const words[DROP_MAX] = { "none", DROP_REASONS(WORD) };
static const char *const texts[DROP_MAX] = { "not dropped", DROP_REASONS(TEXT) };

const char *drop_word(enum drop reason)
{
	return (unsigned)reason < DROP_MAX ? words[reason] : "unknown";
}

const char *drop_text(enum drop reason)
{
	return (unsigned)reason < DROP_MAX ? texts[reason] : "unknown reason";
}
