/* SPDX-License-Identifier: MIT */
/*
 * error: one line that tells a user what went wrong, where, why and what to do.
 *
 * Functions that can fail for reasons worth a sentence take a `struct error *` beside returning
 * -errno; they fill it only when they fail. Plain data on the caller's stack.
 */
#ifndef PORTS_ERROR_H
#define PORTS_ERROR_H

struct error {
	char text[480];
};

/* Stores the formatted sentence in @err (which may be NULL) and returns @code, a negative errno. */
int error_set(struct error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Returns the name of the errno @code, "EINVAL"; "EIO" for one that we never return. */
const char *error_name(int code);

#endif
