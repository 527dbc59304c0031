/* SPDX-License-Identifier: MIT */
#include "ports/drop.h"

static const char *const words[] = {
	"none",
#define X(name, word, text) word,
	DROP_REASONS(X)
#undef X
};

static const char *const texts[] = {
	"not dropped",
#define X(name, word, text) text,
	DROP_REASONS(X)
#undef X
};

const char *drop_word(enum drop reason)
{
	return (unsigned)reason < DROP_MAX ? words[reason] : "unknown";
}

const char *drop_text(enum drop reason)
{
	return (unsigned)reason < DROP_MAX ? texts[reason] : "unknown reason";
}
