/* SPDX-License-Identifier: MIT */
#include "ports/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/log.h"

#define PATH_SIZE 300

static void path_of(const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);
}

int netns_open(const char *name, struct error *err)
{
	char path[PATH_SIZE];
	int fd;

	path_of(name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return error_set(err, -ENOENT,
				 "there is no network namespace \"%s\" (looked for %s)", name,
				 path);
	return error_set(err, -errno, "network namespace \"%s\": cannot open %s: %s", name, path,
			 strerror(errno));
}

/* Returns whether descriptors @a and @b are of the same namespace. */
static bool same(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int netns_watch(const char *name)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), ret;
	char path[PATH_SIZE];

	if (fd < 0)
		return -errno;
	path_of(name, path);
	*(strrchr(path, '/') + 1) = '\0';
	if (inotify_add_watch(fd, path, IN_DELETE | IN_MOVED_FROM) >= 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

bool netns_named(int watch, const char *name, int ns)
{
	char events[4096];
	int fd = netns_open(name, NULL);
	bool named = fd >= 0 && same(fd, ns);

	while (read(watch, events, sizeof(events)) > 0)
		;
	if (fd >= 0)
		close(fd);
	return named;
}

int netns_enter(int ns, int *back)
{
	int ret = 0;

	*back = -1;
	if (ns < 0)
		return 0;
	*back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (*back < 0)
		return -errno;
	if (!same(*back, ns)) { /* no privilege is needed to stay */
		if (!setns(ns, CLONE_NEWNET))
			return 0;
		ret = -errno;
	}
	close(*back);
	*back = -1;
	return ret;
}

void netns_leave(int back)
{
	if (back < 0)
		return;
	/* Who could enter can return; staying here would put every later port in the wrong place.
	 */
	if (setns(back, CLONE_NEWNET)) {
		log_error("cannot return to the own network namespace: %s", strerror(errno));
		abort();
	}
	close(back);
}

int netns_socket(int ns, int domain, int type, int protocol)
{
	int back, fd, ret = netns_enter(ns, &back);

	if (ret)
		return ret;
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		fd = -errno;
	netns_leave(back);
	return fd;
}
