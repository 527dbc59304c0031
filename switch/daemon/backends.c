/* SPDX-License-Identifier: MIT */
#include "switch/daemon/backends.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ports/log.h"
#include "switch/daemon/kernel.h"
#include "switch/daemon/leaver.h"
#include "switch/daemon/user.h"

void backends_close(struct daemon *d)
{
	if (d->backend.ops)
		d->backend.ops->close(d->backend.ctx);
	d->backend = (struct backend){ NULL, NULL };
	leaver_wait(d);
}

/* Keeps the first sentence. */
static void note(void *arg, const char *sentence)
{
	struct error *why = arg;

	if (!why->text[0])
		error_set(why, 0, "%s", sentence);
}

int backends_check(const struct backend *b, const struct model *m, struct error *err)
{
	struct error why = { "" };

	b->ops->lacks(b->ctx, m, note, &why);
	return why.text[0] ? error_set(err, -EOPNOTSUPP, "%s", why.text) : 0;
}

/* Opens one backend and brings it to the configuration. */
static int try(struct daemon *d,
	       int (*open)(struct daemon *d, struct backend *b, struct error *err),
	       struct error *err)
{
	int ret = open(d, &d->backend, err);

	if (ret)
		return ret;
	d->backend.ops->limit(d->backend.ctx, &d->base);
	ret = backends_check(&d->backend, &d->base, err);
	if (!ret)
		ret = daemon_apply(d, &d->base, err);
	if (!ret)
		ret = d->backend.ops->start(d->backend.ctx, false, err);
	if (ret)
		backends_close(d);
	return ret;
}

/* Whether an error of this process may be none of the kernel's bridge: it was not allowed to, or
 * there are no packet sockets. */
static bool may_be_ours(int code)
{
	static const int codes[] = { EPERM,           EACCES,          EAFNOSUPPORT,
				     EPROTONOSUPPORT, ESOCKTNOSUPPORT, EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (code == -codes[i])
			return true;
	return false;
}

int backends_open(struct daemon *d, struct error *err)
{
	struct error why;
	int ret, kernel;
	size_t len;

	if (!strcmp(d->options.backend, "kernel"))
		return try(d, kernel_open, err);
	ret = try(d, user_open, err);
	len = ret ? strlen(err->text) : 0;
	if (strcmp(d->options.backend, "auto") != 0)
		return ret;
	if (!ret) {
		log_info("-b auto: this process forwards");
		return 0;
	}
	if (!may_be_ours(ret))
		return ret;
	kernel = try(d, kernel_open, &why);
	if (kernel && kernel != ret)
		snprintf(err->text + len, sizeof(err->text) - len,
			 "; and with the kernel's bridge: %s", why.text);
	if (kernel)
		return ret;
	log_notice("-b auto: the kernel's bridge forwards, since this process cannot: %s",
		   err->text);
	return 0;
}
