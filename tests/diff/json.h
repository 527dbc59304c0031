/* SPDX-License-Identifier: MIT */
/*
 * json: finds its way in a line of JSON that a program of ours wrote, without building a tree.
 *
 * A value is a pointer to its first character in the line, which the caller keeps. The surprising
 * rule: NULL is a value too, a missing one, and every function takes it and passes it on, so chains
 * need one check at the end. Nothing is validated; a cut line yields NULL.
 */
#ifndef TESTS_DIFF_JSON_H
#define TESTS_DIFF_JSON_H

#include <stdbool.h>

/* The value of @key in @object, or NULL. */
const char *json_get(const char *object, const char *key);
/* The first element of @array, and the one after @element; NULL at the end. */
const char *json_first(const char *array);
const char *json_next(const char *element);
/* Whether @value is the string @text (without escapes). */
bool json_is(const char *value, const char *text);
/* Whether @array has the string @text. */
bool json_has(const char *array, const char *text);
/* @value as a number: true is 1, a string is read from its first digit (0x allowed); 0 for NULL. */
unsigned long long json_number(const char *value);

#endif
