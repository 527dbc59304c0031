/* SPDX-License-Identifier: MIT */
#include "switch/daemon/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/owner.h"

#define LOCK_PATH_MAX 128
#define BACKLOG 64

static void lock_path(const char *path, char text[LOCK_PATH_MAX])
{
	snprintf(text, LOCK_PATH_MAX, "%s.lock", path);
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	memcpy(un.sun_path, path, strlen(path) + 1);
	return un;
}

/* Returns whether someone serves the socket at @path, and in *@pid who, 0 = not known. */
static bool is_served(const char *path, pid_t *pid)
{
	struct sockaddr_un un = address(path);
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served = fd >= 0 &&
		      (!connect(fd, (const struct sockaddr *)&un, sizeof(un)) || errno == EAGAIN);

	*pid = served && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ? peer.pid : 0;
	if (fd >= 0)
		close(fd);
	return served;
}

static int in_use(const char *path, pid_t pid, struct error *err)
{
	if (pid > 0)
		return error_set(err, -EADDRINUSE,
				 "control socket %s is in use by a live switch, process %d", path,
				 pid);
	return error_set(err, -EADDRINUSE, "control socket %s is in use by a live switch", path);
}

int control_socket_check(const char *path, struct error *err)
{
	pid_t pid;

	return is_served(path, &pid) ? in_use(path, pid, err) : 0;
}

static int cannot(const char *path, struct error *err)
{
	int code = errno;

	return error_set(err, -code, "control socket %s: %s%s", path, strerror(code),
			 code == EACCES || code == EPERM || code == EROFS
				 ? " (choose another place with -S)"
				 : "");
}

/*
 * Opens and locks the lock file @lock of @path. Returns 0; 1: it vanished under us as its owner
 * ended, another one counts; or -errno with a sentence.
 */
static int try_lock(struct control_socket *s, const char *lock, const char *path, struct error *err)
{
	struct stat st;
	pid_t pid;
	int ret;

	s->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock < 0)
		return cannot(lock, err);
	if (!flock(s->lock, LOCK_EX | LOCK_NB)) {
		if (!fstat(s->lock, &st) && st.st_nlink)
			return 0;
		ret = 1;
	} else if (errno == EWOULDBLOCK) {
		is_served(path, &pid);
		ret = in_use(path, pid, err);
	} else {
		ret = cannot(lock, err);
	}
	close(s->lock);
	s->lock = -1;
	return ret;
}

static int take_lock(struct control_socket *s, const char *path, struct error *err)
{
	char lock[LOCK_PATH_MAX];
	int ret;

	lock_path(path, lock);
	do
		ret = try_lock(s, lock, path, err);
	while (ret > 0);
	if (!ret)
		memcpy(s->path, path, strlen(path) + 1);
	return ret;
}

/* Removes the socket of a switch that is gone; anything else stays. */
static int clear_path(const char *path, struct error *err)
{
	struct stat st;
	pid_t pid;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : cannot(path, err);
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST,
				 "control socket %s: there is a file which is no socket", path);
	if (is_served(path, &pid))
		return in_use(path, pid, err);
	return unlink(path) ? cannot(path, err) : 0;
}

static int bind_path(struct control_socket *s, const char *path, struct error *err)
{
	struct sockaddr_un un = address(path);
	mode_t mask = umask(0177);
	int ret = bind(s->fd, (const struct sockaddr *)&un, sizeof(un));

	umask(mask);
	if (ret)
		return cannot(path, err);
	s->bound = true;
	return 0;
}

int control_socket_open(struct control_socket *s, const char *path, const char *group,
			struct error *err)
{
	gid_t gid = 0;
	int ret;

	*s = (struct control_socket){ .fd = -1, .lock = -1 };
	if (strlen(path) >= sizeof(s->path))
		return error_set(err, -ENAMETOOLONG,
				 "control socket %.40s...: longer than %zu bytes", path,
				 sizeof(s->path) - 1);
	if (group && owner_group(group, &gid))
		return error_set(err, -EINVAL, "-G %.64s: there is no such group", group);
	ret = take_lock(s, path, err);
	if (!ret)
		ret = clear_path(path, err);
	if (ret)
		return ret;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return cannot(path, err);
	ret = bind_path(s, path, err);
	if (!ret && group && (chown(path, (uid_t)-1, gid) || chmod(path, 0660)))
		ret = error_set(err, -errno, "-G %.64s: cannot give %s to the group: %s", group,
				path, strerror(errno));
	if (!ret && listen(s->fd, BACKLOG))
		ret = cannot(path, err);
	return ret;
}

void control_socket_close(struct control_socket *s)
{
	char lock[LOCK_PATH_MAX];

	if (s->fd >= 0)
		close(s->fd);
	if (s->bound)
		unlink(s->path);
	if (s->lock >= 0) {
		lock_path(s->path, lock);
		unlink(lock);
		close(s->lock);
	}
	*s = (struct control_socket){ .fd = -1, .lock = -1 };
}
