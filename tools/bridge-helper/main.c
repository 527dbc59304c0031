/* SPDX-License-Identifier: MIT */
/*
 * uswitch-bridge-helper(8): gives QEMU a TAP whose other side is a port of a switch.
 *
 * It is called as qemu-bridge-helper is and may be installed setuid root as that is, so that users
 * whom the access file allows it can plug guests in. It therefore stands alone: no library but C's,
 * nothing of the rest of the project. It acts as the user who called it, and as root only while it
 * makes the TAP and asks the switch.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCESS_FILE "/etc/uswitch/bridge.conf"
#define RUN_DIR "/run/uswitch"
#define LINE_ROOM 4096
#define INCLUDES_MAX 8 /* files inside files */
#define ANSWER_S 10

struct args {
	bool vnet;
	const char *br;
	int fd;
};

/* What the access file says of a switch; to be denied once is enough. */
struct verdict {
	bool allowed, denied;
};

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "uswitch-bridge-helper: %s: %s\n", what, why);
	return -1;
}

/* A switch's name becomes part of a path that is used with root's rights. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= IFNAMSIZ || name[0] == '.')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

static int read_args(char **argv, struct args *a)
{
	char *end = "";
	long fd = -1;

	*a = (struct args){ .fd = -1 };
	for (argv++; *argv; argv++) {
		if (!strcmp(*argv, "--use-vnet"))
			a->vnet = true;
		else if (!strncmp(*argv, "--br=", 5))
			a->br = *argv + 5;
		else if (!strncmp(*argv, "--fd=", 5) && isdigit((unsigned char)(*argv)[5]))
			fd = strtol(*argv + 5, &end, 10);
		else
			return fail(*argv, "unknown argument");
	}
	if (!a->br || fd < 0 || fd > INT_MAX || *end) {
		fputs("usage: uswitch-bridge-helper [--use-vnet] --br=SWITCH --fd=SOCKET\n",
		      stderr);
		return -1;
	}
	a->fd = (int)fd;
	return is_name(a->br) ? 0 : fail(a->br, "not a switch's name");
}

/* Cuts @line into its two words. Returns false for a line without meaning: empty, a comment. */
static bool split(char *line, char **word, char **rest)
{
	char *end = line + strlen(line);

	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*line))
		line++;
	*word = line;
	while (*line && !isspace((unsigned char)*line))
		line++;
	if (*line)
		*line++ = '\0';
	while (isspace((unsigned char)*line))
		line++;
	*rest = line;
	return **word && **word != '#';
}

static int read_access(const char *file, const char *br, unsigned depth, struct verdict *v);

/* Does one line. Returns 0, or -1 for one that is wrong. */
static int read_rule(char *line, const char *br, unsigned depth, struct verdict *v)
{
	char *word, *rest;
	bool mine;

	if (!split(line, &word, &rest))
		return 0;
	mine = !strcmp(rest, "all") || !strcmp(rest, br);
	if (!*rest)
		return -1;
	if (!strcmp(word, "allow"))
		v->allowed |= mine;
	else if (!strcmp(word, "deny"))
		v->denied |= mine;
	else if (strcmp(word, "include") != 0)
		return -1;
	else if (*rest != '/') /* it would be one of the user's, where he calls us */
		return fail(rest, "a file to include needs its absolute path");
	else if (depth == INCLUDES_MAX)
		return fail(rest, "too many files inside files");
	else if (read_access(rest, br, depth + 1, v))
		v->denied = true; /* it may have said so */
	return 0;
}

/*
 * Reads the access file @file, as the user: a file that he may not read says nothing to him. No
 * more than the number of a bad line is told.
 */
static int read_access(const char *file, const char *br, unsigned depth, struct verdict *v)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), ret = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[LINE_ROOM], where[LINE_ROOM + 32];
	struct stat st;

	if (!f || fstat(fd, &st)) {
		/* One inside another may be for some users only. */
		ret = depth && (errno == ENOENT || errno == EACCES) ? 0
								    : fail(file, strerror(errno));
		if (f)
			fclose(f);
		else if (fd >= 0)
			close(fd);
		return ret;
	}
	if (!S_ISREG(st.st_mode))
		ret = fail(file, "not a file");
	for (unsigned n = 1; !ret && fgets(line, sizeof(line), f); n++) {
		snprintf(where, sizeof(where), "%s:%u", file, n);
		if (!strchr(line, '\n') && !feof(f))
			ret = fail(where, "the line is too long");
		else if (read_rule(line, br, depth, v))
			ret = fail(where, "neither allow, deny nor include with a name");
	}
	if (!ret && ferror(f))
		ret = fail(file, "cannot be read");
	fclose(f);
	return ret;
}

/* The host is to say nothing on the interface: it is the guest's. Where there is no IPv6, fine. */
static void silence(const char *ifname)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifname);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) < 0)
		fail(path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int bring_up(struct ifreq *ifr)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = -1;

	if (sock >= 0 && !ioctl(sock, SIOCGIFFLAGS, ifr)) {
		ifr->ifr_flags |= IFF_UP;
		ret = ioctl(sock, SIOCSIFFLAGS, ifr);
	}
	if (sock >= 0)
		close(sock);
	return ret;
}

/* Makes a TAP, named @name then. Returns its descriptor or -1. */
static int make_tap(bool vnet, char name[IFNAMSIZ])
{
	struct ifreq ifr = { .ifr_name = "tap%d", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail("/dev/net/tun", strerror(errno));
	if (vnet)
		ifr.ifr_flags |= IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		return fail("cannot make a TAP", strerror(errno));
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	silence(name);
	if (!bring_up(&ifr))
		return fd;
	fail(name, strerror(errno));
	close(fd);
	return -1;
}

/* Connects to the control socket NAME.sock in @folder. Returns -1 with errno. */
static int connect_in(const char *folder, const char *name)
{
	const struct timeval patience = { .tv_sec = ANSWER_S };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int len = snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s.sock", folder, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), code;

	if (fd < 0)
		return -1;
	if (len < (int)sizeof(un.sun_path) &&
	    !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) &&
	    !connect(fd, (const struct sockaddr *)&un, sizeof(un)))
		return fd;
	code = len < (int)sizeof(un.sun_path) ? errno : ENAMETOOLONG;
	close(fd);
	errno = code;
	return -1;
}

/* Connects to the switch @name, a user's own if we have no more rights than the user. */
static int connect_to(const char *name)
{
	const char *xdg = secure_getenv("XDG_RUNTIME_DIR");
	int fd = connect_in(RUN_DIR, name);
	char folder[108];

	if (fd >= 0 || errno != ENOENT || !xdg || strlen(xdg) > sizeof(folder) - 9)
		return fd;
	snprintf(folder, sizeof(folder), "%s/uswitch", xdg);
	return connect_in(folder, name);
}

/*
 * Is the switch on @fd in our network namespace? It finds the interface by its name, which may be
 * another one's elsewhere. Returns 0 if so.
 */
static int check_home(const char *br, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat ours, theirs;
	char path[64];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return fail(br, strerror(errno));
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)peer.pid);
	if (stat("/proc/self/ns/net", &ours))
		return fail("/proc/self/ns/net", strerror(errno));
	if (stat(path, &theirs))
		return fail("cannot tell the switch's network namespace", strerror(errno));
	if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
		return fail(br, "the switch is in another network namespace than we are");
	return 0;
}

/* Ends @text, the inside of a JSON string, at its quote; returns it without backslashes. */
static const char *unquote(char *text)
{
	char *to = text;

	for (const char *from = text; *from && *from != '"'; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*to = '\0';
	return text;
}

/* Has the switch @br make a port of the interface @ifname, which is to go with it. */
static int ask(const char *br, const char *ifname)
{
	char text[LINE_ROOM] = "", *why;
	int fd = connect_to(br), len;
	ssize_t got = 1;
	size_t at = 0;

	if (fd < 0)
		return fail(br, errno == ENOENT || errno == ECONNREFUSED
					? "no such switch is running"
					: strerror(errno));
	if (check_home(br, fd)) {
		close(fd);
		return -1;
	}
	len = snprintf(text, sizeof(text), "link add packet:%s,host=drop,temporary\n", ifname);
	if (send(fd, text, (size_t)len, MSG_NOSIGNAL) != len)
		got = -1;
	text[0] = '\0';
	while (got > 0 && at < sizeof(text) - 1 && !strchr(text, '\n')) {
		got = recv(fd, text + at, sizeof(text) - 1 - at, 0);
		at += got > 0 ? (size_t)got : 0;
		text[at] = '\0';
	}
	close(fd);
	if (!strncmp(text, "{\"ok\":true", 10))
		return 0;
	why = strstr(text, "\"error\":\"");
	if (!why)
		return fail(br, "the switch does not answer");
	return fail(br, unquote(why + 9));
}

/* Hands @fd over on the socket @to, with a byte of 0 as QEMU wants it. */
static int hand_over(int to, int fd)
{
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = "" };
	struct iovec iov = { "", 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	control.h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	return sendmsg(to, &msg, MSG_NOSIGNAL) == 1 ? 0 : fail("--fd", strerror(errno));
}

/* The part that needs root's rights. Returns the TAP's descriptor or -1. */
static int plug_in(const struct args *a)
{
	char ifname[IFNAMSIZ];
	int tap = make_tap(a->vnet, ifname);

	if (tap >= 0 && ask(a->br, ifname)) {
		close(tap); /* and the interface is gone */
		return -1;
	}
	return tap;
}

int main(int argc, char **argv)
{
	uid_t user = getuid(), root = geteuid();
	struct verdict verdict = { false, false };
	struct args args;
	int tap;

	if (argc < 1 || setegid(getgid()) || seteuid(user)) {
		fail("cannot become the user", strerror(errno));
		return EXIT_FAILURE;
	}
	if (read_args(argv, &args) || read_access(ACCESS_FILE, args.br, 0, &verdict))
		return EXIT_FAILURE;
	if (!verdict.allowed || verdict.denied) {
		fail(args.br, "access denied by " ACCESS_FILE);
		return EXIT_FAILURE;
	}
	if (seteuid(root)) {
		fail("cannot become root", strerror(errno));
		return EXIT_FAILURE;
	}
	tap = plug_in(&args);
	if (setresuid(user, user, user)) {
		fail("cannot become the user", strerror(errno));
		return EXIT_FAILURE;
	}
	return tap >= 0 && !hand_over(args.fd, tap) ? EXIT_SUCCESS : EXIT_FAILURE;
}
