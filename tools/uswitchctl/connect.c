/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/uswitchctl/ctl.h"

#define SWITCHES_MAX 64
#define PATH_ROOM 512

/* The folders in which switches have their sockets. */
struct folders {
	unsigned n;
	char path[2][PATH_ROOM];
};

static struct folders find_folders(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	struct folders f = { .n = 1, .path = { "/run/uswitch" } };

	if (xdg && xdg[0] == '/' && snprintf(f.path[1], PATH_ROOM, "%s/uswitch", xdg) < PATH_ROOM)
		f.n = 2;
	return f;
}

/* Returns a connection to the socket at @path, or -errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, ret;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)&un, sizeof(un)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* The switches that answer: their names for a message, and a connection to the last. */
struct found {
	unsigned n;
	int fd;     /* -1 = none */
	int denied; /* -EACCES if some socket may not be used */
	char names[1024];
};

static void look_into(const char *folder, struct found *found)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_ROOM + 258];

	while (dir && found->n < SWITCHES_MAX && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), at = strlen(found->names);
		int fd;

		if (len <= 5 || strcmp(entry->d_name + len - 5, ".sock") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		fd = connect_to(path);
		if (fd == -EACCES || fd == -EPERM)
			found->denied = fd;
		if (fd < 0)
			continue;
		if (found->fd >= 0)
			close(found->fd);
		found->fd = fd;
		found->n++;
		snprintf(found->names + at, sizeof(found->names) - at, "%s%.*s", at ? ", " : "",
			 (int)len - 5, entry->d_name);
	}
	if (dir)
		closedir(dir);
}

static struct found find_switches(void)
{
	struct folders folders = find_folders();
	struct found found = { .fd = -1 };

	for (unsigned i = 0; i < folders.n; i++)
		look_into(folders.path[i], &found);
	return found;
}

static const char *hint(int error)
{
	return error == -EACCES || error == -EPERM
		       ? "; run as root, or start the switch with -G GROUP"
		       : "";
}

/* Without -n and -S: the only live switch. */
static int connect_only(void)
{
	struct found found = find_switches();

	if (found.n == 1)
		return found.fd;
	if (found.fd >= 0)
		close(found.fd);
	if (found.n)
		fprintf(stderr,
			"uswitchctl: several switches are running: %s; choose one with -n\n",
			found.names);
	else if (found.denied)
		fprintf(stderr, "uswitchctl: no switch that may be used: %s%s\n",
			strerror(-found.denied), hint(found.denied));
	else
		fprintf(stderr, "uswitchctl: no switch is running\n");
	return -1;
}

static int connect_name(const char *name)
{
	struct folders folders = find_folders();
	struct found found;
	char path[PATH_ROOM + 258];
	int fd = -ENOENT, ret;

	for (unsigned i = 0; i < folders.n && !strchr(name, '/'); i++) {
		snprintf(path, sizeof(path), "%s/%.200s.sock", folders.path[i], name);
		ret = connect_to(path);
		if (ret >= 0)
			return ret;
		if (ret != -ENOENT)
			fd = ret;
	}
	found = find_switches();
	if (found.fd >= 0)
		close(found.fd);
	fprintf(stderr, "uswitchctl: no switch \"%s\": %s%s%s%s\n", name,
		fd == -ENOENT || fd == -ECONNREFUSED ? "it is not running" : strerror(-fd),
		hint(fd), found.n ? "; running: " : "", found.names);
	return -1;
}

int ctl_connect(struct ctl *ctl)
{
	int fd;

	if (ctl->socket) {
		fd = connect_to(ctl->socket);
		if (fd < 0)
			fprintf(stderr, "uswitchctl: no switch at %s: %s%s\n", ctl->socket,
				strerror(-fd), hint(fd));
	} else {
		fd = ctl->name ? connect_name(ctl->name) : connect_only();
	}
	if (fd < 0)
		return STATUS_NO_SWITCH;
	ctl->fd = fd;
	ctl->in = fdopen(fd, "r");
	return ctl->in ? 0 : STATUS_NO_SWITCH;
}
