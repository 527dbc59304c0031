/* SPDX-License-Identifier: MIT */
#include "ports/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

const char *error_name(int code)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {
		{ EPERM, "EPERM" },         { ENOENT, "ENOENT" },      { EIO, "EIO" },
		{ ENXIO, "ENXIO" },         { E2BIG, "E2BIG" },        { EBADF, "EBADF" },
		{ EAGAIN, "EAGAIN" },       { ENOMEM, "ENOMEM" },      { EACCES, "EACCES" },
		{ EBUSY, "EBUSY" },         { EEXIST, "EEXIST" },      { ENODEV, "ENODEV" },
		{ ENOTDIR, "ENOTDIR" },     { EINVAL, "EINVAL" },      { EMFILE, "EMFILE" },
		{ ENOSPC, "ENOSPC" },       { ERANGE, "ERANGE" },      { ENETDOWN, "ENETDOWN" },
		{ ENOTCONN, "ENOTCONN" },   { ENOTSUP, "EOPNOTSUPP" }, { EADDRINUSE, "EADDRINUSE" },
		{ ETIMEDOUT, "ETIMEDOUT" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code)
			return names[i].name;
	return "EIO";
}
