/* SPDX-License-Identifier: MIT */
/* vde: requests good and bad, whose socket it may be, guests that come and go, the directory. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/port.h"
#include "tests/unit/listener.h"
#include "tests/unit/rights.h"
#include "tests/unit/suite.h"

struct request {
	uint32_t magic, version, type;
	struct sockaddr_un sock;
	char description[200];
};

#define PLAIN offsetof(struct request, description)

static char base[] = "/tmp/uswitch-vde-XXXXXX";
static char dir[64], theirs[80], text[256];
static uint8_t bytes[70000];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/sw", base);
	snprintf(theirs, sizeof(theirs), "%s/theirs", base);
	listener_setup();
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
}

static void teardown(void)
{
	listener_teardown();
	ck_assert_int_eq(access(dir, F_OK), -1); /* with all that was in it */
	unlink(theirs);
	ck_assert_int_eq(rmdir(base), 0);
}

static int open_port(const char *options)
{
	snprintf(text, sizeof(text), "vde:%s,name=vm%s", dir, options);
	return listener_open(text);
}

static void events(struct port *p)
{
	listener_events(p, POLLIN);
}

static int bound(const char *path, int type)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

/* Connects to `ctl`. */
static int call(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/ctl", dir);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	events(port);
	return fd;
}

static struct request request(const char *path)
{
	struct request r = { .magic = 0xfeedface, .version = 3, .description = "a test" };

	r.sock.sun_family = AF_UNIX;
	snprintf(r.sock.sun_path, sizeof(r.sock.sun_path), "%s", path);
	return r;
}

/* Asks for a port on @ctl. */
static void ask(int ctl, const struct request *r, size_t len)
{
	ck_assert_int_eq(send(ctl, r, len, 0), (ssize_t)len);
	events(port);
}

static int ctl = -1, data = -1;

/* A port with a guest, whose ends are ctl and data. */
static void join(const char *options)
{
	struct request r = request(theirs);
	struct sockaddr_un ours;

	ck_assert_msg(!open_port(options), "%s", err.text);
	ck_assert(port->link.present && !port->link.carrier);
	data = bound(theirs, SOCK_DGRAM);
	ctl = call();
	ck_assert_ptr_null(guest);
	ask(ctl, &r, PLAIN + 6);
	ck_assert_ptr_nonnull(guest);
	ck_assert(guest->link.present && guest->link.up && guest->link.carrier);
	ck_assert_int_eq(recv(ctl, &ours, sizeof(ours), MSG_DONTWAIT), sizeof(ours));
	ck_assert_int_eq(strncmp(ours.sun_path, dir, strlen(dir)), 0);
	ck_assert_int_eq(connect(data, (struct sockaddr *)&ours, sizeof(ours)), 0);
	unlink(theirs); /* as libvdeplug does */
}

static void leave(void)
{
	close(ctl);
	close(data);
}

static void tx(unsigned n, uint32_t len)
{
	static struct frame f[BATCH_MAX];

	for (unsigned i = 0; i < n; i++) {
		f[i] = (struct frame){ .data = bytes, .len = len, .total = len };
		txq->entry[txq->n++] = (struct txq_entry){ .frame = &f[i] };
	}
	guest->ops->tx(guest, 0, txq);
	ck_assert_uint_eq(txq->n, 0);
}

START_TEST(both_ways)
{
	static uint8_t got[70000];

	join("");
	ck_assert_int_eq(send(data, bytes, 60, 0), 60);
	ck_assert_int_eq(send(data, bytes, 13, 0), 13);
	ck_assert_int_eq(send(data, bytes, 65555, 0), 65555);
	ck_assert_int_eq(send(data, bytes, 65550, 0), 65550);
	guest->ops->rx(guest, 0, batch);
	ck_assert_uint_eq(batch->n, 2);
	ck_assert_uint_eq(batch->frame[0].port, 7);
	ck_assert_mem_eq(batch->frame[0].data, bytes, 60);
	ck_assert_uint_eq(batch->frame[1].total, 65550);
	ck_assert_uint_eq(in.drop_in[DROP_RUNT], 1);
	ck_assert_uint_eq(in.drop_in[DROP_GIANT], 1);
	tx(1, 60);
	tx(1, 9234);
	tx(1, 9235); /* no reader has so much room */
	ck_assert_int_eq(recv(data, got, sizeof(got), MSG_DONTWAIT), 60);
	ck_assert_mem_eq(got, bytes, 60);
	ck_assert_int_eq(recv(data, got, sizeof(got), MSG_DONTWAIT), 9234);
	ck_assert_uint_eq(txq->stats.tx, 2);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_GIANT], 1);
	leave();
}
END_TEST

/* A frame from somebody who is not the guest to its port's socket @un. Returns as sendto(). */
static ssize_t intrude(const struct sockaddr_un *un)
{
	int other = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t len = sendto(other, bytes, 60, 0, (const struct sockaddr *)un, sizeof(*un));

	close(other);
	return len;
}

/* A reader that stops, and one whose socket is gone though its connection is not. */
START_TEST(stops)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(un);
	unsigned n = 0;

	join("");
	getpeername(data, (struct sockaddr *)&un, &len);
	for (unsigned i = 0; i < 40; i++)
		tx(64, 1500);
	while (recv(data, bytes, sizeof(bytes), MSG_DONTWAIT) == 1500)
		n++;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(txq->stats.tx, n);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_FULL], 40 * 64 - n);
	ck_assert_uint_eq(at, UINT64_MAX);
	close(data);
	ck_assert_int_lt(intrude(&un), 0);
	tx(2, 1500);
	intrude(&un); /* the kernel would let him now */
	tx(2, 1500);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 4);
	guest->ops->rx(guest, 0, batch);
	ck_assert_uint_eq(batch->n, 0);
	ck_assert_uint_eq(at, 0);
	ck_assert(guest->link.present); /* it does not leave amid the frames */
	guest->ops->timer(guest, 1000);
	ck_assert(!guest->link.present && !guest->link.carrier);
	ck_assert_int_lt(intrude(&un), 0);
	tx(1, 60);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 5);
	close(ctl);
}
END_TEST

/* Nobody but the guest can send to its port. */
START_TEST(strangers)
{
	struct sockaddr_un un;
	socklen_t len = sizeof(un);

	join(",mode=666");
	rights_refused(data); /* and it can send frames only */
	rights_refused(ctl);
	getpeername(data, (struct sockaddr *)&un, &len);
	ck_assert_int_lt(intrude(&un), 0);
	ck_assert_int_eq(errno, EPERM);
	leave();
}
END_TEST

START_TEST(goes)
{
	join("");
	if (_i == 0)
		close(ctl);
	else
		ck_assert_int_eq(send(ctl, "x", 1, 0), 1);
	events(guest);
	ck_assert(!guest->link.present && !guest->link.carrier);
	ck_assert_int_eq(guest->rx_fd, -1);
	tx(1, 60);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 1);
	guest->ops->rx(guest, 0, batch);
	ck_assert_uint_eq(batch->n, 0);
	close(data);
	if (_i)
		close(ctl);
}
END_TEST

/* Whether the switch has closed @fd without an answer. */
static bool hung_up(int fd)
{
	return recv(fd, bytes, 1, MSG_DONTWAIT) == 0;
}

START_TEST(bad_requests)
{
	static const char *const paths[] = { "", "theirs", "/nonexistent/socket" };
	struct request r = request(theirs);
	size_t len = PLAIN + 6;
	int fd;

	ck_assert_int_eq(open_port(""), 0);
	data = bound(theirs, SOCK_DGRAM);
	switch (_i) {
	case 0:
		r.magic = 0xcefaedfe;
		break;
	case 1:
		r.version = 2;
		break;
	case 2:
		r.type = 2;
		break;
	case 3:
		r.sock.sun_family = AF_INET;
		break;
	case 4:
		len = PLAIN - 1;
		break;
	case 5:
		len = 4;
		break;
	case 6:
		memset(r.sock.sun_path, '/', sizeof(r.sock.sun_path)); /* has no end */
		break;
	default:
		r = request(paths[_i - 7]);
	}
	fd = call();
	ask(fd, &r, len);
	ck_assert_ptr_null(guest);
	ck_assert(hung_up(fd));
	close(fd);
	close(data);
	fd = call();
	r = request(theirs);
	unlink(theirs);
	data = bound(theirs, SOCK_DGRAM);
	r.type = 5 << 8; /* another port than is wanted is as good */
	ask(fd, &r, PLAIN);
	ck_assert_ptr_nonnull(guest);
	close(fd);
	close(data);
}
END_TEST

/* What the guest names must be a datagram socket, and its own. */
START_TEST(not_its_own)
{
	struct request r = request(theirs);
	char target[80];
	int fd, stream = -1;

	ck_assert_int_eq(open_port(""), 0);
	snprintf(target, sizeof(target), "%s/target", base);
	data = bound(target, SOCK_DGRAM);
	switch (_i) {
	case 0:
		close(open(theirs, O_CREAT | O_WRONLY, 0666));
		break;
	case 1:
		ck_assert_int_eq(symlink(target, theirs), 0);
		break;
	case 2:
		stream = bound(theirs, SOCK_STREAM);
		break;
	default:
		if (geteuid()) /* only root can try */
			goto out;
		r = request(target);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		ck_assert_int_eq(chmod(base, 0777) | chmod(dir, 0777), 0);
		snprintf(text, sizeof(text), "%s/ctl", dir);
		ck_assert_int_eq(chmod(text, 0666), 0);
		if (seteuid(65534)) /* not even root, in a namespace of its own */
			goto out;
		close(fd);
		fd = call();
		ck_assert_int_eq(seteuid(0), 0);
		goto say;
	}
	fd = call();
say:
	ask(fd, &r, PLAIN);
	ck_assert_ptr_null(guest);
	ck_assert(hung_up(fd));
	close(fd);
out:
	if (stream >= 0)
		close(stream);
	close(data);
	unlink(target);
}
END_TEST

/* Connections that say nothing make room for others, and end. */
START_TEST(silent)
{
	struct request r = request(theirs);
	int fd[80];

	ck_assert_int_eq(open_port(""), 0);
	data = bound(theirs, SOCK_DGRAM);
	for (unsigned i = 0; i < 80; i++)
		fd[i] = call();
	ck_assert(hung_up(fd[0]) && hung_up(fd[15]) && !hung_up(fd[16]));
	ck_assert_uint_eq(at, 2000);
	ask(fd[40], &r, PLAIN);
	ck_assert_ptr_nonnull(guest);
	port->ops->timer(port, 1999);
	ck_assert(!hung_up(fd[16]));
	port->ops->timer(port, 2000);
	ck_assert(hung_up(fd[16]) && hung_up(fd[79]));
	ck_assert_uint_eq(at, UINT64_MAX);
	for (unsigned i = 0; i < 80; i++)
		close(fd[i]);
	close(data);
}
END_TEST

START_TEST(turned_away)
{
	struct request r = request(theirs);
	int fd;

	refuse = -ENOSPC;
	ck_assert_int_eq(open_port(""), 0);
	data = bound(theirs, SOCK_DGRAM);
	fd = call();
	ask(fd, &r, PLAIN);
	ck_assert(hung_up(fd));
	close(fd);
	close(data);
}
END_TEST

/* Who may write in the directory takes no name that the next guest would get. */
START_TEST(names_taken)
{
	char path[128];

	ck_assert_int_eq(mkdir(dir, 0700), 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "%s/000.%u", dir, i);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	join("");
	leave();
	listener_events(guest, POLLIN);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "%s/000.%u", dir, i);
		ck_assert_int_eq(rmdir(path), 0);
	}
	port->ops->close(port);
	port = NULL;
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static unsigned mode_of(const char *name)
{
	struct stat st;

	snprintf(text, sizeof(text), "%s/%s", dir, name);
	ck_assert_int_eq(lstat(text, &st), 0);
	return st.st_mode & 07777;
}

START_TEST(permissions)
{
	static const struct {
		const char *options;
		unsigned dir, ctl;
	} rows[] = {
		{ "", 03700, 0600 },           { ",mode=660", 03770, 0660 },
		{ ",mode=0777", 03777, 0666 }, { ",mode=604", 03705, 0604 },
		{ ",group=0", 03770, 0660 },   { ",group=0,mode=620", 03730, 0620 },
	};

	ck_assert_int_eq(getgid() && _i >= 4 ? 0 : open_port(rows[_i].options), 0);
	if (!port)
		return;
	ck_assert_uint_eq(mode_of("."), rows[_i].dir);
	ck_assert_uint_eq(mode_of("ctl"), rows[_i].ctl);
}
END_TEST

START_TEST(bad_options)
{
	static const char *const rows[][2] = {
		{ ",mode=8", "octal" },
		{ ",mode=1777", "octal" },
		{ ",mode=-1", "octal" },
		{ ",mode=rw", "octal" },
		{ ",group=nobody-is-in-this-one", "no such group" },
	};
	char longest[120];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_int_eq(open_port(rows[i][0]), -EINVAL);
		ck_assert_msg(strstr(err.text, rows[i][1]), "%s", err.text);
	}
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	snprintf(dir, sizeof(dir), "%s/%.38s", base, longest);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	snprintf(dir + strlen(dir), sizeof(dir) - strlen(dir), "/sw");
	ck_assert_int_eq(open_port(""), 0); /* this is not too long */
	port->ops->close(port);
	port = NULL;
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
	snprintf(dir, sizeof(dir), "/nonexistent/sw");
	ck_assert_int_eq(open_port(""), -ENOENT);
}
END_TEST

/*
 * What a killed switch left is taken over, what a live one has is not, and nothing else is touched.
 */
START_TEST(leftovers)
{
	char file[80], socket_path[80], guest_path[80];
	int other;

	ck_assert_int_eq(mkdir(dir, 0750), 0);
	snprintf(socket_path, sizeof(socket_path), "%s/ctl", dir);
	snprintf(guest_path, sizeof(guest_path), "%s/003.17", dir);
	snprintf(file, sizeof(file), "%s/004.17", dir);
	close(bound(socket_path, SOCK_STREAM));
	close(bound(guest_path, SOCK_DGRAM));
	close(open(file, O_CREAT | O_WRONLY, 0600));
	ck_assert_msg(!open_port(""), "%s", err.text);
	ck_assert_uint_eq(mode_of("."), 0750);
	ck_assert_int_eq(access(guest_path, F_OK), -1);
	ck_assert_int_eq(access(file, F_OK), 0);
	port->ops->close(port);
	port = NULL;
	ck_assert_int_eq(access(socket_path, F_OK), -1);
	ck_assert_int_eq(access(dir, F_OK), 0); /* it was there before */
	other = bound(socket_path, SOCK_STREAM);
	ck_assert_int_eq(listen(other, 1), 0);
	ck_assert_int_eq(open_port(""), -EADDRINUSE);
	ck_assert_int_eq(access(socket_path, F_OK), 0);
	close(other);
	unlink(socket_path);
	unlink(file);
	rmdir(dir);
	ck_assert_int_eq(symlink(base, dir), 0);
	ck_assert_int_lt(open_port(""), 0);
	unlink(dir);
	close(open(dir, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(open_port(""), -ENOTDIR);
	unlink(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vde");
	TCase *t = tcase_create("vde");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, both_ways);
	tcase_add_test(t, stops);
	tcase_add_test(t, strangers);
	tcase_add_loop_test(t, goes, 0, 2);
	tcase_add_loop_test(t, bad_requests, 0, 10);
	tcase_add_loop_test(t, not_its_own, 0, 4);
	tcase_add_test(t, silent);
	tcase_add_test(t, turned_away);
	tcase_add_test(t, names_taken);
	tcase_add_loop_test(t, permissions, 0, 6);
	tcase_add_test(t, bad_options);
	tcase_add_test(t, leftovers);
	return suite_run(s);
}
