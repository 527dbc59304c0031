/* SPDX-License-Identifier: MIT */
/*
 * vde: the switch's side of the VDE protocol, so that whatever plugs into vde_switch plugs in here:
 * QEMU's -netdev vde, vde_plug, libvdeplug's other users.
 *
 * The port is a directory with the socket `ctl` in it. Who connects there sends one request, which
 * names a datagram socket of its own; it is answered with the name of one of ours, and becomes a
 * port (vde_guest.c). This port itself moves no frames. No file of the directory is trusted: others
 * may have put it there.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/address.h"
#include "ports/datagrams.h"
#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/owner.h"
#include "ports/vde_guest.h"

#define MAGIC 0xfeedfaceu
#define VERSION 3u
#define TYPE_MAX 1u /* 0: any port, 1: a port for management, which is none here */
#define DESCRIPTION_MAX 128u

#define NAME_ROOM sizeof("/999.2147483647") /* of the longest name in the directory */
#define DIR_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - NAME_ROOM)
#define BACKLOG 128
#define NAMES_TRIED 8
#define ACCEPTS_MAX 64  /* guests at a time */
#define WAITING_MAX 64u /* connections without a request */
#define PATIENCE_MS 1000u
#define RETRY_MS 100u

/* What libvdeplug sends, in the machine's byte order; a description follows. */
struct request {
	uint32_t magic, version;
	uint32_t type; /* and from bit 8 on the number of the port that is asked for */
	struct sockaddr_un sock;
};

struct vde {
	struct port port;
	int listen_fd;
	struct address ctl;
	char dir[DIR_MAX + 1]; /* an absolute path: the guest's working directory is another */
	bool made;             /* by us */
	mode_t mode;
	gid_t gid; /* (gid_t)-1 = not given */
	unsigned n_waiting;
	struct {
		int fd;
		uint64_t until_ms;
	} waiting[WAITING_MAX]; /* the oldest first */
	uint64_t retry_ms;      /* when to accept again, UINT64_MAX = when somebody comes */
	struct log_rate rate;
};

static struct vde *vde_of(struct port *port)
{
	return (struct vde *)port;
}

static void vde_watch(struct vde *v, int fd, unsigned what)
{
	v->port.host->watch(v->port.host->ctx, &v->port, fd, what);
}

static void vde_schedule(struct vde *v)
{
	uint64_t at = v->retry_ms;

	if (v->n_waiting && v->waiting[0].until_ms < at)
		at = v->waiting[0].until_ms;
	v->port.host->deadline(v->port.host->ctx, &v->port, at);
}

/* Reads `mode` and `group`: who may plug in. A group without a mode may. */
static int vde_access(struct vde *v, const struct port_spec *spec, struct error *err)
{
	const char *mode = port_spec_text(spec, "mode"), *group = port_spec_text(spec, "group");
	unsigned long bits = group ? 0660 : 0600;
	char *end = "";

	if (mode)
		bits = strtoul(mode, &end, 8);
	if (*end || bits > 0777 || (mode && !isdigit((unsigned char)mode[0])))
		return error_set(err, -EINVAL, "mode=%s: must be an octal number up to 777", mode);
	v->mode = bits & 0666;
	v->gid = (gid_t)-1;
	if (group && owner_group(group, &v->gid))
		return error_set(err, -EINVAL, "group=%s: there is no such group", group);
	return 0;
}

/* Removes what a killed switch left: the sockets of its guests. */
static void vde_sweep(int dir_fd)
{
	DIR *dir = fdopendir(dir_fd);
	const struct dirent *entry;
	struct stat st;
	unsigned a, b;
	char end;

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    sscanf(entry->d_name, "%u.%u%c", &a, &b, &end) == 2 &&
		    !fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISSOCK(st.st_mode))
			unlinkat(dir_fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	else
		close(dir_fd);
}

/*
 * Gives the directory @fd its group, and its mode: whoever may use a socket in it may also make
 * one, but not replace those of others. What is made in it then has its group.
 */
static int vde_share(const struct vde *v, int fd)
{
	mode_t mode = v->mode | S_ISVTX | S_ISGID;

	for (unsigned shift = 0; shift <= 6; shift += 3)
		if (v->mode >> shift & 06)
			mode |= (mode_t)(01 << shift);
	if (v->gid != (gid_t)-1 && fchown(fd, (uid_t)-1, v->gid))
		return -errno;
	return fchmod(fd, mode) ? -errno : 0;
}

/* Makes the directory at @path unless it is there. Returns it opened, or -errno with a sentence. */
static int vde_mkdir(struct vde *v, const char *path, bool share, struct error *err)
{
	char *real = NULL;
	struct stat st;
	int fd = -1, ret = 0;

	v->made = !mkdir(path, 0700);
	if (v->made || errno == EEXIST)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		real = realpath(path, NULL);
	if (!real || fstat(fd, &st))
		ret = error_set(err, -errno, "vde:%s: %s", path, strerror(errno));
	else if (st.st_uid != geteuid() && st.st_uid)
		ret = error_set(err, -EPERM, "vde:%s: the directory belongs to another user", path);
	else if (strlen(real) > DIR_MAX)
		ret = error_set(err, -ENAMETOOLONG, "vde:%s: its path has more than %zu bytes",
				path, DIR_MAX);
	else if ((v->made || share) && (ret = vde_share(v, fd)))
		error_set(err, ret, "vde:%s: cannot share the directory: %s", path, strerror(-ret));
	else
		memcpy(v->dir, real, strlen(real) + 1);
	free(real);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	if (v->made)
		rmdir(path);
	v->made = false;
	return ret;
}

/* Listens on `ctl` in the directory @dir_fd, which is closed. */
static int vde_listen(struct vde *v, int dir_fd, struct error *err)
{
	char path[DIR_MAX + NAME_ROOM];
	mode_t mask = umask(~v->mode & 0777);
	int fd;

	snprintf(path, sizeof(path), "%s/ctl", v->dir);
	v->ctl.un.sun_family = AF_UNIX;
	memcpy(v->ctl.un.sun_path, path, strlen(path) + 1);
	v->ctl.len = sizeof(v->ctl.un);
	fd = address_bind(&v->ctl, SOCK_STREAM, path, err);
	umask(mask);
	if (fd < 0) {
		close(dir_fd);
		return fd;
	}
	vde_sweep(dir_fd);
	v->listen_fd = fd;
	return listen(fd, BACKLOG) ? error_set(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static void vde_free(struct vde *v)
{
	while (v->n_waiting)
		close(v->waiting[--v->n_waiting].fd);
	if (v->listen_fd >= 0) {
		close(v->listen_fd);
		address_unlink(&v->ctl);
	}
	if (v->made)
		rmdir(v->dir);
	free(v);
}

static int vde_open(const struct port_spec *spec, const struct link *link,
		    const struct port_host *host, struct port **portp, struct error *err)
{
	bool share = port_spec_text(spec, "mode") || port_spec_text(spec, "group");
	struct vde *v = calloc(1, sizeof(*v));
	int ret;

	(void)link;
	if (!v)
		return error_set(err, -ENOMEM, "vde:%s: out of memory", spec->address);
	v->port.ops = &vde_ops;
	v->port.host = host;
	v->port.link = (struct link){ .present = true, .up = true };
	v->port.rx_fd = v->listen_fd = -1;
	v->retry_ms = UINT64_MAX;
	memcpy(v->port.name, spec->name, sizeof(v->port.name));
	ret = vde_access(v, spec, err);
	if (!ret)
		ret = vde_mkdir(v, spec->address, share, err);
	if (ret >= 0)
		ret = vde_listen(v, ret, err);
	if (ret) {
		vde_free(v);
		return ret;
	}
	datagrams_warn(spec->name);
	vde_watch(v, v->listen_fd, PORT_IN);
	*portp = &v->port;
	return 0;
}

static void vde_close(struct port *port)
{
	struct vde *v = vde_of(port);

	for (unsigned i = 0; i < v->n_waiting; i++)
		vde_watch(v, v->waiting[i].fd, 0);
	vde_watch(v, v->listen_fd, 0);
	port->host->deadline(port->host->ctx, port, UINT64_MAX);
	vde_free(v);
}

/* Connection @i waits no longer; returns its descriptor. */
static int vde_take(struct vde *v, unsigned i)
{
	int fd = v->waiting[i].fd;

	vde_watch(v, fd, 0);
	v->n_waiting--;
	memmove(&v->waiting[i], &v->waiting[i + 1], (v->n_waiting - i) * sizeof(v->waiting[0]));
	return fd;
}

/* Reads the @len bytes at @bytes, a whole request, into @un, where the guest's socket is. */
static int vde_read(const uint8_t *bytes, size_t len, struct sockaddr_un *un)
{
	struct request r = { .magic = 0 };

	if (len < offsetof(struct request, sock) + sizeof(r.sock))
		return -EPROTO;
	memcpy(&r, bytes, offsetof(struct request, sock) + sizeof(r.sock));
	if (r.magic != MAGIC || r.version != VERSION || (r.type & 0xff) > TYPE_MAX ||
	    r.sock.sun_family != AF_UNIX || r.sock.sun_path[0] != '/' ||
	    !memchr(r.sock.sun_path, '\0', sizeof(r.sock.sun_path)))
		return -EPROTO;
	*un = r.sock;
	return 0;
}

/*
 * Returns a datagram socket connected to the one at @path, or -errno. It must be the user's who is
 * on the connection @ctl: we may be allowed to send where he is not. So it is looked at first, and
 * then reached through the descriptor, as what the path leads to can change.
 */
static int vde_reach(const char *path, int ctl)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;
	int fd, at = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), ret = 0;

	if (at < 0)
		return -errno;
	if (getsockopt(ctl, SOL_SOCKET, SO_PEERCRED, &peer, &len) || fstat(at, &st))
		ret = -errno;
	else if (!S_ISSOCK(st.st_mode))
		ret = -ENOTSOCK;
	else if (peer.uid && st.st_uid != peer.uid)
		ret = -EPERM;
	fd = ret ? -1 : address_socket(AF_UNIX, SOCK_DGRAM);
	snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d", at);
	if (!ret && (fd < 0 || connect(fd, (const struct sockaddr *)&un, sizeof(un))))
		ret = -errno;
	close(at);
	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

/*
 * Binds @data to a path of its own in our directory, @un. Nobody who may write there knows it
 * before, to put something of his in its place.
 */
static int vde_name(const struct vde *v, int data, struct sockaddr_un *un)
{
	uint32_t digits[2];
	mode_t mask;
	int ret = -EADDRINUSE;

	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* It takes frames of its peer only; so the peer, whoever that is, may be let in. */
	mask = umask(0);
	for (unsigned i = 0; i < NAMES_TRIED && ret == -EADDRINUSE; i++) {
		if (getrandom(digits, sizeof(digits), 0) != sizeof(digits)) {
			ret = -EIO;
			break;
		}
		snprintf(un->sun_path, sizeof(un->sun_path), "%s/%03u.%u", v->dir, digits[0] % 1000,
			 digits[1] & INT_MAX);
		ret = fchmod(data, 0666) || bind(data, (const struct sockaddr *)un, sizeof(*un))
			      ? -errno
			      : 0;
	}
	umask(mask);
	if (ret)
		un->sun_path[0] = '\0';
	return ret;
}

/* Makes a port for who sent the @len bytes at @bytes on @ctl, which it closes else. 0 or -errno. */
static int vde_welcome(struct vde *v, int ctl, const uint8_t *bytes, size_t len)
{
	const struct port_host *host = v->port.host;
	struct sockaddr_un theirs, ours;
	struct port *guest = NULL;
	int data = -1, ret = vde_read(bytes, len, &theirs);

	if (!ret)
		ret = data = vde_reach(theirs.sun_path, ctl);
	if (data >= 0) {
		ret = vde_name(v, data, &ours);
		guest = ret ? NULL : vde_guest_new(host, ctl, data, &ours);
	}
	if (guest) {
		ret = host->accept(host->ctx, &v->port, guest);
		if (ret)
			vde_guest_free(guest);
		else
			vde_guest_answer(guest);
		return ret;
	}
	if (data >= 0) {
		close(data);
		unlink(ours.sun_path);
	}
	close(ctl);
	return ret ? ret : -ENOMEM;
}

/* Something came on waiting connection @i: one message is the request. */
static void vde_request(struct vde *v, unsigned i, uint64_t now)
{
	uint8_t bytes[sizeof(struct request) + DESCRIPTION_MAX];
	int fd = v->waiting[i].fd, ret;
	ssize_t len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (len < 0 && errno == EAGAIN)
		return;
	vde_take(v, i);
	if (len <= 0) {
		close(fd);
		return;
	}
	ret = vde_welcome(v, fd, bytes, (size_t)len);
	if (ret)
		log_rated(&v->rate, now, LOG_LEVEL_WARNING, "%s: a guest was turned away: %s",
			  v->port.name, strerror(-ret));
}

static void vde_accept(struct vde *v, uint64_t now)
{
	v->retry_ms = UINT64_MAX;
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(v->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && errno == ECONNABORTED)
			continue;
		if (fd < 0) { /* out of descriptors or memory */
			log_rated(&v->rate, now, LOG_LEVEL_WARNING, "%s: %s: %s", v->port.name,
				  v->ctl.un.sun_path, strerror(errno));
			v->retry_ms = now + RETRY_MS;
			return;
		}
		if (v->n_waiting == WAITING_MAX)
			vde_request(v, 0, now);
		if (v->n_waiting == WAITING_MAX)
			close(vde_take(v, 0));
		v->waiting[v->n_waiting].fd = fd;
		v->waiting[v->n_waiting].until_ms = now + PATIENCE_MS;
		v->n_waiting++;
		vde_watch(v, fd, PORT_IN);
	}
	v->retry_ms = now;
}

static void vde_timer(struct port *port, uint64_t now)
{
	struct vde *v = vde_of(port);

	while (v->n_waiting && v->waiting[0].until_ms <= now)
		close(vde_take(v, 0));
	if (v->retry_ms <= now)
		vde_accept(v, now);
	vde_schedule(v);
}

static void vde_event(struct port *port, int fd, unsigned what, uint64_t now)
{
	struct vde *v = vde_of(port);
	unsigned i = 0;

	(void)what;
	while (i < v->n_waiting && v->waiting[i].fd != fd)
		i++;
	if (fd == v->listen_fd)
		vde_accept(v, now);
	else if (i < v->n_waiting)
		vde_request(v, i, now);
	vde_schedule(v);
}

static void vde_rx(struct port *port, unsigned queue, struct batch *b)
{
	(void)port;
	(void)queue;
	b->n = 0;
	b->more = false;
}

static void vde_tx(struct port *port, unsigned queue, struct txq *q)
{
	(void)port;
	(void)queue;
	q->stats.drop_out[DROP_DOWN] += q->n;
	q->n = 0;
}

static const struct port_option vde_options[] = {
	{ .name = "mode",
	  .type = PORT_OPT_TEXT,
	  .help = "permissions of the socket that guests connect to, octal; those of the directory "
		  "follow (default 600, with a group 660)" },
	{ .name = "group",
	  .type = PORT_OPT_TEXT,
	  .help = "group of the directory and its sockets, a name or a number" },
	PORT_GUEST_OPTIONS,
	{ .name = NULL },
};

const struct port_ops vde_ops = {
	.kind = "vde",
	.address = "DIR",
	.help = "a directory as vde_switch's, for QEMU (-netdev vde,sock=DIR), vde_plug, ...: each "
		"that plugs in gets a port of its own, as with stream's listen",
	.options = vde_options,
	.open = vde_open,
	.close = vde_close,
	.event = vde_event,
	.timer = vde_timer,
	.rx = vde_rx,
	.tx = vde_tx,
};
