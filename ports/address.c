/* SPDX-License-Identifier: MIT */
#include "ports/address.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* SO_PASSRIGHTS, Linux 6.16: newer than the headers of many. */
#define PASSRIGHTS 83

static int parse_unix(const char *path, struct address *a, struct error *err)
{
	size_t len = strlen(path);

	if (!len || len >= sizeof(a->un.sun_path))
		return error_set(err, -EINVAL, "unix:%.64s: a path of 1..%zu bytes is wanted", path,
				 sizeof(a->un.sun_path) - 1);
	a->un.sun_family = AF_UNIX;
	memcpy(a->un.sun_path, path, len + 1);
	a->len = sizeof(a->un);
	return 0;
}

/* Looks up @host, "" = any, and @service. */
static int resolve(const char *host, const char *service, int type, struct address *a,
		   struct error *err)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE,
		.ai_socktype = type,
	};
	struct addrinfo *found;
	int ret = getaddrinfo(host[0] ? host : NULL, service, &hints, &found);

	if (ret)
		return error_set(err, ret == EAI_SYSTEM ? -errno : -EINVAL, "%s:%s: %s", host,
				 service, gai_strerror(ret));
	memcpy(&a->any, found->ai_addr, found->ai_addrlen);
	a->len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

int address_parse(const char *text, int type, struct address *a, struct error *err)
{
	const char *colon = strrchr(text, ':');
	char host[256];
	size_t len;

	memset(a, 0, sizeof(*a));
	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, a, err);
	if (!colon || !colon[1] || colon - text >= (ptrdiff_t)sizeof(host))
		return error_set(err, -EINVAL, "%s: neither unix:PATH nor HOST:PORT", text);
	len = (size_t)(colon - text);
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	memcpy(host, text, len);
	host[len] = '\0';
	return resolve(host, colon + 1, type, a, err);
}

int address_socket(sa_family_t family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), off = 0;

	if (fd >= 0 && family == AF_UNIX)
		setsockopt(fd, SOL_SOCKET, PASSRIGHTS, &off, sizeof(off));
	return fd;
}

/* Removes the path of @a if it is a socket that nobody serves any more. */
static void remove_stale(const struct address *a, int type)
{
	struct stat st;
	int fd;

	if (lstat(a->un.sun_path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = address_socket(AF_UNIX, type);
	if (fd < 0)
		return;
	if (connect(fd, &a->any, a->len) && errno == ECONNREFUSED)
		unlink(a->un.sun_path);
	close(fd);
}

int address_bind(const struct address *a, int type, const char *text, struct error *err)
{
	int fd = address_socket(a->any.sa_family, type), on = 1, ret;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", text, strerror(errno));
	if (a->any.sa_family == AF_UNIX)
		remove_stale(a, type);
	else if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind(fd, &a->any, a->len))
		return fd;
	ret = error_set(err, -errno, "%s: %s", text,
			errno == EADDRINUSE ? "somebody else has this address" : strerror(errno));
	close(fd);
	return ret;
}

void address_unlink(const struct address *a)
{
	if (a->any.sa_family == AF_UNIX)
		unlink(a->un.sun_path);
}
