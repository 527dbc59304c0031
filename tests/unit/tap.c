/* SPDX-License-Identifier: MIT */
/* tap: TAP devices that the switch holds, on the running kernel. */
#include "ports/tap.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "ports/iface.h"
#include "tests/unit/lab_port.h"
#include "tests/unit/lab_wire.h"
#include "tests/unit/suite.h"

#define ALL_KERNELS (OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6)
#define BIG 60000u

static uint8_t bytes[70000], got[70000];
static struct lab_host h;
static struct vnet_hdr vnet;
static struct vtag tag;

static bool exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

static void get(const char *name, struct iface *iface)
{
	int sock = iface_socket(-1);

	ck_assert_int_eq(iface_get(sock, name, 0, iface), 0);
	close(sock);
}

START_TEST(made_and_gone)
{
	struct port *p = lab_open("tap:t0", &h);

	ck_assert(exists("t0"));
	ck_assert(p->link.present && p->link.up && p->link.carrier);
	ck_assert_uint_eq(p->link.mtu, 1500);
	ck_assert_int_eq(p->link.ifindex, (int)if_nametoindex("t0"));
	ck_assert_uint_eq(p->caps & ALL_KERNELS, ALL_KERNELS);
	ck_assert(!p->ops->local_mac);
	ck_assert_int_eq(h.fd, p->rx_fd);
	p->ops->close(p);
	ck_assert_int_eq(h.fd, -1);
	ck_assert(!exists("t0"));
}
END_TEST

START_TEST(frames_both_ways)
{
	static const size_t size[] = { 14, 15, 60, 1514 };
	struct port *p = lab_open("tap:t0", &h);
	int raw = raw_open("t0");
	struct frame f;

	for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		fill(bytes, size[i]);
		raw_send(raw, bytes, size[i], NULL);
		ck_assert_uint_eq(lab_rx(p, 100), 1);
		ck_assert_uint_eq(lab_batch.frame[0].total, size[i]);
		ck_assert_uint_eq(lab_batch.frame[0].port, p->number);
		ck_assert_uint_eq(lab_batch.frame[0].kept.tpid, 0);
		ck_assert_mem_eq(lab_batch.frame[0].data, bytes, size[i]);
		f = frame_of(bytes, size[i]);
		ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
		ck_assert_uint_eq(raw_recv(raw, got, sizeof(got), &vnet, &tag, 100), size[i]);
		ck_assert_mem_eq(got, bytes, size[i]);
		ck_assert_uint_eq(tag.tpid, 0);
	}
	ck_assert_uint_eq(lab_rx(p, 20), 0);
	ck_assert(!lab_batch.more);
	close(raw);
	p->ops->close(p);
}
END_TEST

/* The tag is lifted out on the way in and put back on the way out; a second one stays what it is.
 */
START_TEST(tags)
{
	static const uint16_t tpid[] = { TPID_8021Q, TPID_8021AD };
	struct port *p = lab_open("tap:t0", &h);
	int raw = raw_open("t0");
	struct frame f;

	for (unsigned i = 0; i < 2; i++) {
		fill(bytes, 100);
		memcpy(bytes + 12,
		       (uint8_t[]){ tpid[i] >> 8, tpid[i] & 255, 0xb1, 0x23, 0x81, 0, 0, 5 }, 8);
		raw_send(raw, bytes, 100, NULL);
		ck_assert_uint_eq(lab_rx(p, 100), 1);
		f = lab_batch.frame[0];
		ck_assert_uint_eq(f.kept.tpid, tpid[i]);
		ck_assert_uint_eq(f.kept.tci, 0xb123);
		ck_assert_uint_eq(f.total, 96);
		ck_assert_mem_eq(f.data, bytes, 12);
		ck_assert_mem_eq(f.data + 12, bytes + 16, 84);
		ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
		ck_assert_uint_eq(raw_recv(raw, got, sizeof(got), &vnet, &tag, 100), 96);
		ck_assert_uint_eq(tag.tpid, tpid[i]);
		ck_assert_uint_eq(tag.tci, 0xb123);
		ck_assert_mem_eq(got + 12, bytes + 16, 84);
		f.tag = (struct vtag){ TPID_8021AD, 77 };
		ck_assert_int_eq(lab_tx(p, &f, true), DROP_NONE);
		ck_assert_uint_eq(raw_recv(raw, got, sizeof(got), &vnet, &tag, 100), 100);
		ck_assert_uint_eq(tag.tci, 77);
		ck_assert_mem_eq(got + 12, bytes + 12, 88);
	}
	close(raw);
	p->ops->close(p);
}
END_TEST

/* A super-frame, tagged or not, crosses in both directions as it is. */
START_TEST(super_frames)
{
	struct port *p = lab_open("tap:t0", &h);
	struct vnet_hdr want = fill_tcp(bytes, BIG, 1448);
	int raw = raw_open("t0");
	struct frame f;

	raw_send(raw, bytes, BIG, &want);
	ck_assert_uint_eq(lab_rx(p, 100), 1);
	f = lab_batch.frame[0];
	ck_assert_uint_eq(f.total, BIG);
	ck_assert_mem_eq(&f.vnet, &want, sizeof(want));
	ck_assert_mem_eq(f.data, bytes, BIG);
	for (unsigned tagged = 0; tagged < 2; tagged++) {
		f.tag = (struct vtag){ TPID_8021Q, 5 };
		ck_assert_int_eq(lab_tx(p, &f, tagged), DROP_NONE);
		ck_assert_uint_eq(lab_txq.stats.tx_segments, 1);
		ck_assert_uint_eq(raw_recv(raw, got, sizeof(got), &vnet, &tag, 100), BIG);
		ck_assert_uint_eq(tag.tpid, tagged ? TPID_8021Q : 0);
		ck_assert_uint_eq(vnet.gso_type, VNET_GSO_TCPV4);
		ck_assert_uint_eq(vnet.gso_size, 1448);
		ck_assert_uint_eq(vnet.flags & VNET_NEEDS_CSUM, VNET_NEEDS_CSUM);
		ck_assert_uint_eq(vnet.csum_start, 34);
		ck_assert_mem_eq(got, bytes, BIG);
	}
	memmove(bytes + 16, bytes + 12, BIG - 16);
	memcpy(bytes + 12, (uint8_t[]){ 0x81, 0, 0, 9 }, 4);
	want.csum_start += 4;
	want.hdr_len += 4;
	raw_send(raw, bytes, BIG, &want);
	ck_assert_uint_eq(lab_rx(p, 100), 1);
	ck_assert_uint_eq(lab_batch.frame[0].kept.tci, 9);
	ck_assert_uint_eq(lab_batch.frame[0].vnet.csum_start, 34);
	ck_assert_uint_eq(lab_batch.frame[0].vnet.hdr_len, 54);
	close(raw);
	p->ops->close(p);
}
END_TEST

/* Many frames make full batches, `more` says so, and nothing is lost between them. */
START_TEST(batches)
{
	struct port *p = lab_open("tap:t0", &h);
	struct vnet_hdr want = fill_tcp(bytes, BIG, 1448);
	int raw = raw_open("t0");
	unsigned n = 0;

	for (unsigned i = 0; i < 150; i++)
		raw_send(raw, bytes, 100, NULL);
	for (; lab_rx(p, 10); n += lab_batch.n) {
		ck_assert(lab_batch.more == (lab_batch.n == BATCH_MAX));
		for (unsigned i = 1; i < lab_batch.n; i++)
			ck_assert(lab_batch.frame[i].data >= lab_batch.frame[i - 1].data + 100);
	}
	ck_assert_uint_eq(n, 150);
	for (unsigned i = 0; i < 12; i++)
		raw_send(raw, bytes, BIG, &want);
	ck_assert_uint_eq(lab_rx(p, 10), 9); /* the one that crosses BATCH_BYTES is the last */
	ck_assert(lab_batch.more);
	ck_assert_uint_eq(lab_rx(p, 10), 3);
	ck_assert(!lab_batch.more);
	close(raw);
	p->ops->close(p);
}
END_TEST

/* For a peer that cannot do it the frame is cut here, every piece with its checksum. */
START_TEST(cut_in_software)
{
	struct port *p = lab_open("tap:t0", &h);
	struct vnet_hdr want = fill_tcp(bytes, 54 + 3000, 1448);
	int raw = raw_open("t0");
	struct frame f = frame_of(bytes, 54 + 3000);

	p->caps = 0;
	f.vnet = want;
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_uint_eq(lab_txq.stats.tx_segments, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(raw_recv(raw, got, sizeof(got), &vnet, &tag, 100),
				  i < 2 ? 1502 : 158);
		ck_assert_uint_eq(vnet.gso_type, 0);
		ck_assert_uint_eq(vnet.flags & VNET_NEEDS_CSUM, 0);
		ck_assert_mem_eq(got + 54, bytes + 54 + i * 1448, i < 2 ? 1448 : 104);
	}
	close(raw);
	p->ops->close(p);
}
END_TEST

START_TEST(options_last)
{
	struct port *p = lab_open("tap:t0,persist,mtu=9000,owner=0", &h);
	struct iface iface;

	ck_assert_uint_eq(p->link.mtu, 9000);
	p->ops->close(p);
	get("t0", &iface);
	ck_assert(iface.tap && iface.tap_persist);
	ck_assert_uint_eq(iface.tap_queues, 0);
	ck_assert_uint_eq(iface.link.mtu, 9000);
	sh("ip -d link show t0 | grep -q 'user root\\|user 0'");
	sh("ip link set t0 down");
	p = lab_open("tap:t0", &h); /* what is there is left as it is */
	ck_assert(p->link.present && !p->link.up && !p->link.carrier);
	p->ops->close(p);
	p = lab_open("tap:t0,persist=off", &h);
	p->ops->close(p);
	ck_assert(!exists("t0"));
	lab_refused("tap:t0,owner=no-such-user", -EINVAL, "no such user");
	lab_refused("tap:t0,group=no-such-group", -EINVAL, "no such group");
	ck_assert(!exists("t0"));
}
END_TEST

START_TEST(refusals)
{
	struct port *p = lab_open("tap:t0", &h);

	lab_refused("tap:t0", -EBUSY, "another process");
	sh("ip link add v0 type veth peer name v1");
	lab_refused("tap:v0", -EEXIST, "packet:v0");
	sh("ip link del v0");
	sh("ip tuntap add u0 mode tun");
	lab_refused("tap:u0", -EEXIST, "not a TAP");
	sh("ip link del u0");
	lab_refused("tap:sixteen-bytes-xx", -EINVAL, "15");
	lab_refused("tap:t1,netns=no-such-namespace", -ENOENT, "no-such-namespace");
	p->ops->close(p);
}
END_TEST

static void try_unprivileged(void)
{
	lab_refused("tap:t0", -EPERM, "CAP_NET_ADMIN");
	lab_refused("tap:t0", -EPERM, "unshare -Urn");
}

START_TEST(no_permission)
{
	lab_unprivileged(try_unprivileged);
}
END_TEST

/* One that somebody holds is refused even where the kernel would let us in beside him. */
START_TEST(multi_queue)
{
	struct ifreq ifr = { .ifr_name = "t0", .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
	struct port *p;

	sh("ip tuntap add t0 mode tap multi_queue");
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	lab_refused("tap:t0", -EBUSY, "another process");
	close(fd);
	p = lab_open("tap:t0", &h);
	p->ops->close(p);
	sh("ip link del t0");
}
END_TEST

START_TEST(down)
{
	struct port *p = lab_open("tap:t0", &h);
	struct frame f = frame_of(bytes, 60);

	fill(bytes, 60);
	sh("ip link set t0 down");
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_DOWN);
	lab_news(p, true);
	ck_assert(h.link.present && !h.link.up && !h.link.carrier);
	sh("ip link set t0 up");
	lab_news(p, true);
	ck_assert(h.link.present && h.link.up && h.link.carrier);
	ck_assert_uint_eq(h.changes, 2);
	lab_news(p, true);
	ck_assert_uint_eq(h.changes, 2);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	p->ops->close(p);
}
END_TEST

static void recover(struct port *p)
{
	struct frame f = frame_of(bytes, 60);
	int raw;

	lab_news(p, false);
	ck_assert(!exists("t0")); /* nobody but the user makes it again */
	sh("ip tuntap add t0 mode tap && ip link set t0 up");
	lab_news(p, true);
	ck_assert(p->link.present && p->link.carrier && h.link.present);
	ck_assert_int_eq(h.fd, p->rx_fd);
	raw = raw_open("t0");
	raw_send(raw, bytes, 60, NULL);
	ck_assert_uint_eq(lab_rx(p, 100), 1);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_uint_eq(raw_recv(raw, got, sizeof(got), &vnet, &tag, 100), 60);
	close(raw);
}

/* Receiving, sending and news each notice that it was deleted; once, and the descriptor is let go.
 */
START_TEST(deleted)
{
	struct port *p = lab_open("tap:t0", &h);
	struct frame f = frame_of(bytes, 60);

	fill(bytes, 60);
	for (unsigned i = 0; i < 3; i++) {
		h.changes = 0;
		sh("ip link del t0");
		if (i == 0)
			ck_assert_uint_eq(lab_rx(p, 0), 0);
		else if (i == 1)
			ck_assert_int_eq(lab_tx(p, &f, false), DROP_DOWN);
		else
			lab_news(p, false);
		ck_assert(!p->link.present && !h.link.present);
		ck_assert_uint_eq(h.changes, 1);
		ck_assert_int_eq(h.fd, -1);
		ck_assert_int_eq(p->rx_fd, -1);
		ck_assert_uint_eq(lab_rx(p, 0), 0);
		ck_assert(!lab_batch.more);
		ck_assert_int_eq(lab_tx(p, &f, false), DROP_DOWN);
		recover(p);
	}
	p->ops->close(p);
	sh("ip link del t0");
}
END_TEST

START_TEST(deleted_often)
{
	struct port *p = lab_open("tap:t0", &h);
	unsigned fds = count_fds();

	for (unsigned i = 0; i < 100; i++) {
		sh("ip link del t0");
		lab_rx(p, 0);
		sh("ip tuntap add t0 mode tap");
		lab_news(p, true);
		ck_assert(p->link.present);
	}
	ck_assert_uint_eq(count_fds(), fds);
	p->ops->close(p);
	sh("ip link del t0");
}
END_TEST

/* An interface that is no TAP, or one that somebody holds, does not bring the port back. */
START_TEST(deleted_and_replaced)
{
	struct port *p = lab_open("tap:t0", &h), *other;
	struct lab_host h2;

	sh("ip link del t0 && ip link add t0 type veth peer name v1");
	lab_news(p, true);
	ck_assert(!p->link.present);
	sh("ip link del t0");
	other = lab_open("tap:t0", &h2);
	lab_news(p, true);
	ck_assert(!p->link.present);
	other->ops->close(other);
	p->ops->close(p);
}
END_TEST

/* Moved into a container and renamed there it goes on working, and dies with the container. */
START_TEST(moved)
{
	struct port *p = lab_open("tap:t0", &h);
	pid_t pid = lab_neighbour();
	struct frame f = frame_of(bytes, 60);
	struct stat theirs, ours;
	char path[64];
	int ns;

	fill(bytes, 60);
	sh("ip link set t0 netns %d name eth0", (int)pid);
	lab_news(p, false);
	ck_assert(p->link.present && !p->link.up && !p->link.carrier);
	ns = tap_netns(p);
	ck_assert_int_ge(ns, 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	ck_assert_int_eq(stat(path, &theirs), 0);
	ck_assert_int_eq(fstat(ns, &ours), 0);
	ck_assert_uint_eq(ours.st_ino, theirs.st_ino);
	close(ns);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_DOWN);
	sh("nsenter -t %d -n ip link set eth0 up", (int)pid);
	lab_news(p, true);
	ck_assert(p->link.present && p->link.up && p->link.carrier);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_int_eq(lab_rx(p, 0), 0);
	ck_assert(p->link.present);
	lab_kill(pid);
	for (unsigned i = 0; i < 100 && p->link.present; i++)
		lab_rx(p, 20);
	ck_assert(!p->link.present && h.fd == -1);
	recover(p);
	p->ops->close(p);
	sh("ip link del t0");
}
END_TEST

START_TEST(other_namespace)
{
	pid_t pid = lab_neighbour();
	struct port *p;
	char text[64];

	snprintf(text, sizeof(text), "tap:t0,netns=/proc/%d/ns/net", (int)pid);
	p = lab_open(text, &h);
	ck_assert(p->link.present && p->link.up);
	ck_assert(!exists("t0"));
	sh("nsenter -t %d -n ip link del t0", (int)pid);
	lab_rx(p, 0);
	ck_assert(!p->link.present);
	sh("nsenter -t %d -n ip tuntap add t0 mode tap", (int)pid);
	lab_news(p, true);
	ck_assert(p->link.present);
	p->ops->close(p);
	lab_kill(pid);
}
END_TEST

/*
 * A namespace that loses its name is let go, unless the interface has been moved out of it before.
 */
START_TEST(namespace_deleted)
{
	char dir[] = "/tmp/uswitch-XXXXXX", text[128], name[64];
	struct port *p;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(name, sizeof(name), "%s/ns", dir);
	snprintf(text, sizeof(text), "tap:t0,netns=%s", name);
	for (unsigned away = 0; away < 2; away++) {
		pid_t pid = lab_neighbour();

		sh("ln -s /proc/%d/ns/net %s", (int)pid, name);
		p = lab_open(text, &h);
		if (away)
			sh("nsenter -t %d -n ip link set t0 netns %d", (int)pid, (int)getpid());
		sh("rm %s", name);
		p->ops->event(p, h.other_fd, PORT_IN, 0);
		ck_assert(p->link.present == away);
		ck_assert((p->rx_fd >= 0) == away);
		p->ops->close(p);
		ck_assert_int_eq(h.other_fd, -1);
		lab_kill(pid);
	}
	sh("rmdir %s", dir);
}
END_TEST

/* Opens the TAP @name as a guest does. */
static int guest_hold(const char *name)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ck_assert_int_eq(ioctl(fd, TUNSETIFF, &ifr), 0);
	return fd;
}

START_TEST(guest)
{
	struct port *p = lab_open("tap:g0,guest", &h);
	struct frame f = frame_of(bytes, 60);
	int fd;

	ck_assert_str_eq(p->ops->kind, "tap");
	ck_assert(p->ops->local_mac && p->link.mac && p->link.up && !p->link.carrier);
	fd = guest_hold("g0");
	lab_news(p, true);
	ck_assert(p->link.carrier);
	fill(bytes, 60);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 60);
	ck_assert_mem_eq(got, bytes, 60);
	ck_assert_int_eq(write(fd, bytes, 60), 60);
	ck_assert_uint_eq(lab_rx(p, 100), 1);
	ck_assert_mem_eq(lab_batch.frame[0].data, bytes, 60);
	p->ops->close(p);
	ck_assert(exists("g0")); /* the guest has it */
	p = lab_open("tap:g0,guest", &h);
	close(fd);
	p->ops->close(p);
	ck_assert(exists("g0")); /* this port did not make it */
	sh("ip link del g0");
	p = lab_open("tap:g0,guest", &h);
	p->ops->close(p);
	ck_assert(!exists("g0"));
	p = lab_open("tap:g0,guest,persist", &h);
	p->ops->close(p);
	ck_assert(exists("g0"));
	sh("ip link del g0");
}
END_TEST

/* A guest that does not read fills the queue of its TAP. */
START_TEST(guest_full)
{
	struct port *p = lab_open("tap:g0,guest", &h);
	struct frame f = frame_of(bytes, 60);
	int fd = guest_hold("g0");
	unsigned n = 0;

	lab_news(p, true);
	fill(bytes, 60);
	while (n < 5000 && lab_tx(p, &f, false) == DROP_NONE)
		n++;
	ck_assert_uint_ge(n, 400);
	ck_assert_uint_lt(n, 5000);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_FULL);
	close(fd);
	p->ops->close(p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tap");
	TCase *c = tcase_create("tap");

	if (!lab_enter("tap"))
		return EXIT_SUCCESS;
	if (access("/dev/net/tun", R_OK | W_OK)) {
		printf("SKIP tap: /dev/net/tun: %s\n", strerror(errno));
		return EXIT_SUCCESS;
	}
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, lab_fresh, NULL);
	tcase_add_test(c, made_and_gone);
	tcase_add_test(c, frames_both_ways);
	tcase_add_test(c, tags);
	tcase_add_test(c, super_frames);
	tcase_add_test(c, batches);
	tcase_add_test(c, cut_in_software);
	tcase_add_test(c, options_last);
	tcase_add_test(c, refusals);
	tcase_add_test(c, no_permission);
	tcase_add_test(c, multi_queue);
	tcase_add_test(c, down);
	tcase_add_test(c, deleted);
	tcase_add_test(c, deleted_often);
	tcase_add_test(c, deleted_and_replaced);
	tcase_add_test(c, moved);
	tcase_add_test(c, other_namespace);
	tcase_add_test(c, namespace_deleted);
	tcase_add_test(c, guest);
	tcase_add_test(c, guest_full);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
