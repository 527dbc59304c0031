/* SPDX-License-Identifier: MIT */
/* packet: the life of the interface behind a port: down, deleted, renamed, moved; and who may have
 * it. */
#include <sys/stat.h>

#include "tests/unit/lab_veth.h"
#include "tests/unit/suite.h"

START_TEST(down)
{
	struct port *p = open_pair("packet:v0");
	struct frame f = frame_of(bytes, 60);

	sh("ip link set v1 down");
	lab_news(p, true);
	ck_assert(h.link.up && !h.link.carrier);
	sh("ip link set v0 down");
	lab_news(p, true);
	ck_assert(h.link.present && !h.link.up && !h.link.carrier);
	ck_assert_uint_eq(lab_rx(p, 0), 0);
	ck_assert(p->link.present);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_DOWN);
	sh("ip link set v0 up && ip link set v1 up");
	lab_news(p, true);
	ck_assert(h.link.carrier);
	ck_assert_uint_eq(h.changes, 3);
	lab_news(p, true);
	ck_assert_uint_eq(h.changes, 3);
	close(raw); /* it has an error to tell */
	raw = raw_open("v1");
	works(p);
	close_pair(p);
}
END_TEST

static void gone(struct port *p)
{
	struct frame f = frame_of(bytes, 60);

	ck_assert(!p->link.present && !h.link.present);
	ck_assert_uint_eq(h.changes, 1);
	ck_assert_int_eq(h.fd, -1);
	ck_assert_uint_eq(lab_rx(p, 0), 0);
	ck_assert(!lab_batch.more);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_DOWN);
	lab_news(p, false);
	ck_assert_uint_eq(h.changes, 1);
}

/* Receiving, sending and news each notice that it was deleted, once. What was left in the ring is
 * not delivered. */
START_TEST(deleted)
{
	struct port *p = open_pair("packet:v0");
	struct frame f = frame_of(bytes, 60);

	for (unsigned i = 0; i < 6; i++) {
		if (i == 3)
			packet_rx_plain((struct packet *)p);
		if (i & 1)
			ring(p);
		if (i % 3)
			raw_send(raw, bytes, 90, NULL);
		h.changes = 0;
		close(raw);
		sh("ip link del v0");
		if (i % 3 == 0)
			ck_assert_uint_eq(lab_rx(p, 0), 0);
		else if (i % 3 == 1)
			ck_assert_int_eq(lab_tx(p, &f, false), DROP_DOWN);
		else
			lab_news(p, false);
		gone(p);
		pair();
		lab_news(p, true);
		ck_assert(p->link.present && p->link.carrier && h.link.present);
		ck_assert_int_eq(h.fd, p->rx_fd);
		works(p);
	}
	close_pair(p);
}
END_TEST

START_TEST(deleted_often)
{
	struct port *p = open_pair("packet:v0,host=drop");
	unsigned fds = count_fds();

	for (unsigned i = 0; i < 100; i++) {
		sh("ip link del v0");
		if (i & 1)
			lab_rx(p, 0);
		sh("ip link add v0 type veth peer name v1");
		lab_news(p, true);
		ck_assert(p->link.present);
	}
	ck_assert_uint_eq(count_fds(), fds);
	sh("ip link set v0 up && ip link set v1 up");
	close(raw);
	raw = raw_open("v1");
	works(p);
	close_pair(p);
}
END_TEST

/* A port follows its interface, not the name; only when that is gone it takes another one of the
 * name. */
START_TEST(renamed)
{
	struct port *p = open_pair("packet:v0,host=drop");
	int ifindex = p->link.ifindex;

	sh("ip link set v0 down && ip link set v0 name w0 && ip link set w0 up");
	lab_news(p, false);
	ck_assert(p->link.present);
	works(p);
	sh("ip link add v0 type veth peer name w1");
	lab_news(p, true);
	ck_assert_int_eq(p->link.ifindex, ifindex);
	works(p);
	sh("ip link del w0");
	lab_news(p, true);
	ck_assert(p->link.present);
	ck_assert_int_eq(p->link.ifindex, (int)if_nametoindex("v0"));
	close_pair(p);
}
END_TEST

START_TEST(missing_at_first)
{
	struct port *p = lab_open("packet:v0", &h);

	ck_assert(!p->link.present);
	ck_assert_int_eq(h.fd, -1);
	ck_assert_uint_eq(lab_rx(p, 0), 0);
	pair();
	lab_news(p, true);
	ck_assert(p->link.present);
	works(p);
	close_pair(p);
}
END_TEST

START_TEST(refusals)
{
	struct port *p;

	lab_refused("packet:lo", -EINVAL, "loopback");
	sh("ip tuntap add u0 mode tun");
	lab_refused("packet:u0", -EINVAL, "not an Ethernet");
	sh("ip link del u0");
	pair();
	sh("ip link add kb type bridge && ip link set v0 master kb");
	lab_refused("packet:v0", -EBUSY, "belongs to kb");
	lab_refused("packet:v1,host=maybe", -EINVAL, "host");
	lab_refused("packet:v1,netns=no-such-namespace", -ENOENT, "no-such-namespace");
	close(raw);
	sh("ip link del v0");
	p = lab_open("packet:v0", &h);
	pair();
	sh("ip link set v0 master kb"); /* no better when it comes later */
	lab_news(p, true);
	ck_assert(!p->link.present);
	sh("ip link set v0 nomaster");
	lab_news(p, true);
	ck_assert(p->link.present);
	works(p);
	close_pair(p);
	sh("ip link del kb");
}
END_TEST

static void try_unprivileged(void)
{
	lab_refused("packet:v0", -EPERM, "CAP_NET_RAW");
}

START_TEST(no_permission)
{
	lab_unprivileged(try_unprivileged);
}
END_TEST

/* Whether the host's own stack answers to what comes in on v0. */
static bool stack_answers(void)
{
	static const uint8_t arp[42] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0,  7, 8, 6,
					 0,   1,   8,   0,   6,   4,   0, 1, 2, 0, 0,  0, 0, 7,
					 10,  9,   8,   2,   0,   0,   0, 0, 0, 0, 10, 9, 8, 1 };

	raw_send(raw, arp, sizeof(arp), NULL);
	return raw_recv(raw, got, sizeof(got), &vnet, &tag, 150) >= 42 && got[21] == 2;
}

START_TEST(host_stack)
{
	struct port *p = open_pair("packet:v0");
	pid_t pid;

	sh("ip addr add 10.9.8.1/24 dev v0");
	ck_assert(stack_answers());
	p->ops->close(p);
	p = lab_open("packet:v0,host=drop", &h);
	ck_assert(!stack_answers());
	ck_assert_uint_eq(lab_rx(p, 100), 1); /* we get it */
	p->ops->close(p);
	ck_assert(stack_answers());
	pid = fork();
	if (!pid) {
		p = lab_open("packet:v0,host=drop", &h);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	ck_assert(stack_answers()); /* nothing is left behind */
	p = lab_open("packet:v0,host=drop", &h);
	sh("ip link set v0 down && ip link set v0 name w0 && ip link set w0 up");
	lab_news(p, true);
	ck_assert(!stack_answers());
	sh("ip link set w0 name v0");
	close_pair(p);
}
END_TEST

/* A pair whose end v0 is in the namespace of @pid. v1 comes up last, so that it has a queueing
 * discipline at once. */
static void pair_with(pid_t pid)
{
	sh("ip link add v0 type veth peer name v1 && ip link set v0 netns %d", (int)pid);
	sh("nsenter -t %d -n ip link set v0 up && ip link set v1 up", (int)pid);
	raw = raw_open("v1");
}

START_TEST(other_namespace)
{
	pid_t pid = lab_neighbour();
	struct stat theirs, ours;
	char text[64];
	struct port *p;
	int ns;

	pair_with(pid);
	snprintf(text, sizeof(text), "packet:v0,host=drop,netns=/proc/%d/ns/net", (int)pid);
	p = lab_open(text, &h);
	works(p);
	ns = packet_netns(p);
	snprintf(text, sizeof(text), "/proc/%d/ns/net", (int)pid);
	ck_assert_int_eq(stat(text, &theirs), 0);
	ck_assert_int_eq(fstat(ns, &ours), 0);
	ck_assert_uint_eq(ours.st_ino, theirs.st_ino);
	close(ns);
	sh("nsenter -t %d -n ip link del v0", (int)pid);
	close(raw);
	lab_news(p, false);
	ck_assert(!p->link.present);
	pair_with(pid);
	lab_news(p, true);
	works(p);
	sh("nsenter -t %d -n ip link set v0 netns %d", (int)pid,
	   (int)getpid()); /* moved away: not ours any more */
	lab_rx(p, 0);
	ck_assert(!p->link.present);
	close_pair(p);
	lab_kill(pid);
}
END_TEST

/*
 * A namespace that loses its name is let go, so that it can end; the port comes back with a new one
 * of that name.
 */
START_TEST(namespace_deleted)
{
	char dir[] = "/tmp/uswitch-XXXXXX", text[128], name[64];
	struct port *p = NULL;
	unsigned fds = 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/ns", dir);
	for (unsigned i = 0; i < 3; i++) {
		pid_t pid = lab_neighbour();

		pair_with(pid);
		sh("ln -s /proc/%d/ns/net %s", (int)pid, name);
		snprintf(text, sizeof(text), "packet:v0,netns=%s", name);
		if (!p)
			p = lab_open(text, &h);
		else
			lab_news(p, true);
		ck_assert(p->link.present);
		works(p);
		if (!fds)
			fds = count_fds();
		ck_assert_uint_eq(count_fds(), fds);
		close(raw);
		sh("touch %s/other && rm %s/other", dir, dir);
		p->ops->event(p, h.other_fd, PORT_IN, 0);
		ck_assert(p->link.present);
		sh("rm %s", name);
		h.changes = 0;
		p->ops->event(p, h.other_fd, PORT_IN, 0);
		gone(p);
		ck_assert_int_eq(p->rx_fd, -1);
		lab_kill(pid);
		for (unsigned k = 0; k < 300 && if_nametoindex("v1"); k++)
			usleep(10000);
		ck_assert_uint_eq(if_nametoindex("v1"), 0); /* its other end ended with it */
	}
	p->ops->close(p);
	sh("rmdir %s", dir);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packet_link");
	TCase *c = tcase_create("packet_link");

	if (!lab_enter("packet_link"))
		return EXIT_SUCCESS;
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, lab_fresh, NULL);
	tcase_add_test(c, down);
	tcase_add_test(c, deleted);
	tcase_add_test(c, deleted_often);
	tcase_add_test(c, renamed);
	tcase_add_test(c, missing_at_first);
	tcase_add_test(c, refusals);
	tcase_add_test(c, no_permission);
	tcase_add_test(c, host_stack);
	tcase_add_test(c, other_namespace);
	tcase_add_test(c, namespace_deleted);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
