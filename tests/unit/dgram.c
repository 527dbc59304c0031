/* SPDX-License-Identifier: MIT */
/* dgram: Unix and UDP, learned and fixed peers, cut and long datagrams, a peer that stops. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/offload.h"
#include "tests/unit/hand.h"
#include "tests/unit/rights.h"
#include "tests/unit/suite.h"

static char dir[] = "/tmp/uswitch-dgram-XXXXXX";
static char ours[64], theirs[64], text[300];
static struct port *port;
static struct batch *batch;
static struct port_stats in;
static struct txq *txq;
static struct error err;
static int peer = -1;
static uint8_t bytes[70000];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(ours, sizeof(ours), "%s/ours", dir);
	snprintf(theirs, sizeof(theirs), "%s/theirs", dir);
	batch = malloc(sizeof(*batch));
	ck_assert_int_eq(batch_init(batch), 0);
	batch->stats = &in;
	txq = calloc(1, sizeof(*txq));
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
}

static void teardown(void)
{
	if (port)
		port->ops->close(port);
	ck_assert_int_eq(hand.fd, -1);
	if (peer >= 0)
		close(peer);
	unlink(theirs);
	ck_assert_int_eq(rmdir(dir), 0); /* our path is gone */
	batch_fini(batch);
	free(batch);
	free(txq);
}

static struct sockaddr_un path_of(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	return un;
}

/* The peer's socket, bound to its path. */
static void peer_unix(void)
{
	struct sockaddr_un un = path_of(theirs);

	peer = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(peer, (struct sockaddr *)&un, sizeof(un)), 0);
}

/* Opens a Unix port, with @options. */
static void open_unix(const char *options)
{
	snprintf(text, sizeof(text), "dgram:local=unix:%s%s", ours, options);
	ck_assert_msg(!hand_open(text, &port, &err), "%s", err.text);
	port->number = 7;
	ck_assert(port->link.present && port->link.up && port->link.carrier);
}

/* A UDP socket on the loopback interface; @sin becomes its address. */
static int udp(struct sockaddr_in *sin)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t size = sizeof(*sin);

	*sin = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	ck_assert_int_eq(bind(fd, (struct sockaddr *)sin, size), 0);
	getsockname(fd, (struct sockaddr *)sin, &size);
	return fd;
}

/* Where the port's own UDP socket is. */
static struct sockaddr_in port_udp(void)
{
	struct sockaddr_in sin;
	socklen_t size = sizeof(sin);

	getsockname(port->rx_fd, (struct sockaddr *)&sin, &size);
	return sin;
}

static void say(size_t len)
{
	struct sockaddr_un un = path_of(ours);

	ck_assert_int_eq(sendto(peer, bytes, len, 0, (struct sockaddr *)&un, sizeof(un)),
			 (ssize_t)len);
}

static unsigned rx(void)
{
	port->ops->rx(port, 0, batch);
	return batch->n;
}

static void tx(unsigned n, uint32_t len)
{
	static struct frame f[BATCH_MAX];

	for (unsigned i = 0; i < n; i++) {
		f[i] = (struct frame){ .data = bytes, .len = len, .total = len };
		txq->entry[txq->n++] = (struct txq_entry){ .frame = &f[i] };
	}
	port->ops->tx(port, 0, txq);
	ck_assert_uint_eq(txq->n, 0);
}

/* How many frames of @len bytes the peer got. */
static unsigned heard(uint32_t len)
{
	static uint8_t got[70000];
	unsigned n = 0;
	ssize_t ret;

	for (; (ret = recv(peer, got, sizeof(got), MSG_DONTWAIT)) >= 0; n++) {
		ck_assert_int_eq(ret, (ssize_t)len);
		ck_assert_mem_eq(got, bytes, len);
	}
	return n;
}

START_TEST(learns)
{
	open_unix("");
	tx(3, 60);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 3);
	peer_unix();
	for (unsigned i = 0; i < 5; i++)
		say(60 + i);
	ck_assert(hand_ready());
	ck_assert_uint_eq(rx(), 5);
	ck_assert(!batch->more);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(batch->frame[i].total, 60 + i);
		ck_assert_uint_eq(batch->frame[i].port, 7);
		ck_assert_mem_eq(batch->frame[i].data, bytes, 60);
	}
	tx(2, 70);
	ck_assert_uint_eq(heard(70), 2);
	ck_assert_uint_eq(txq->stats.tx, 2);
	ck_assert_uint_eq(txq->stats.tx_bytes, 140);
	close(peer);
	tx(1, 60);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 4);
	unlink(theirs);
	tx(1, 60);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 5);
	peer_unix(); /* back, and not heard of yet */
	tx(1, 60);
	ck_assert_uint_eq(heard(60), 1);
}
END_TEST

START_TEST(descriptors)
{
	struct sockaddr_un un = path_of(ours);

	open_unix("");
	peer_unix();
	ck_assert_int_eq(connect(peer, (struct sockaddr *)&un, sizeof(un)), 0);
	rights_refused(peer);
}
END_TEST

START_TEST(fixed)
{
	char options[80];

	snprintf(options, sizeof(options), ",remote=unix:%s", theirs);
	open_unix(options);
	tx(1, 60);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 1);
	peer_unix();
	tx(1, 60);
	ck_assert_uint_eq(heard(60), 1);
	say(60);
	ck_assert_uint_eq(rx(), 1);
}
END_TEST

START_TEST(lengths)
{
	open_unix("");
	peer_unix();
	say(4); /* VFKT says so that we know where it is */
	say(13);
	say(14);
	ck_assert_uint_eq(rx(), 1);
	ck_assert_uint_eq(in.drop_in[DROP_RUNT], 2);
	say(65550);
	ck_assert_uint_eq(rx(), 1);
	ck_assert_uint_eq(batch->frame[0].total, 65550);
	ck_assert_mem_eq(batch->frame[0].data, bytes, 65550);
	say(65551);
	say(65555);
	say(70000);
	ck_assert_uint_eq(rx(), 0);
	ck_assert_uint_eq(in.drop_in[DROP_GIANT], 3);
	tx(1, 65550);
	ck_assert_uint_eq(heard(65550), 1);
	tx(1, 65551);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_GIANT], 1);
}
END_TEST

/* The peer reads nothing: what is beyond its queue is lost, and counted. */
START_TEST(stops)
{
	open_unix("");
	peer_unix();
	say(14);
	rx();
	for (unsigned i = 0; i < 100; i++)
		tx(64, 1500);
	ck_assert_uint_gt(txq->stats.tx, 0);
	ck_assert_uint_gt(txq->stats.drop_out[DROP_FULL], 0);
	ck_assert_uint_eq(txq->stats.tx + txq->stats.drop_out[DROP_FULL], 6400);
	ck_assert_uint_eq(heard(1500), txq->stats.tx);
	tx(1, 1500);
	ck_assert_uint_eq(heard(1500), 1);
}
END_TEST

START_TEST(udp_learns)
{
	struct sockaddr_in sin, to;

	ck_assert_int_eq(hand_open("dgram:,local=127.0.0.1:0", &port, &err), 0);
	peer = udp(&sin);
	to = port_udp();
	for (unsigned i = 0; i < 200; i++)
		sendto(peer, bytes, 60, 0, (struct sockaddr *)&to, sizeof(to));
	ck_assert_uint_eq(rx(), 64);
	ck_assert(batch->more);
	ck_assert_uint_eq(rx() + rx() + rx(), 200 - 64);
	ck_assert(!batch->more);
	tx(64, 100);
	ck_assert_uint_eq(heard(100), 64);
	tx(1, 65550); /* no datagram is that long */
	tx(1, 100);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_GIANT], 1);
	ck_assert_uint_eq(heard(100), 1);
}
END_TEST

/* Nobody else is listened to, and a peer that is away is no error for ever. */
START_TEST(udp_fixed)
{
	struct sockaddr_in sin, other_sin, to;
	int other = udp(&other_sin);

	peer = udp(&sin);
	snprintf(text, sizeof(text), "dgram:local=127.0.0.1:0,remote=127.0.0.1:%u",
		 ntohs(sin.sin_port));
	ck_assert_int_eq(hand_open(text, &port, &err), 0);
	to = port_udp();
	sendto(other, bytes, 60, 0, (struct sockaddr *)&to, sizeof(to));
	ck_assert_uint_eq(rx(), 0);
	sendto(peer, bytes, 60, 0, (struct sockaddr *)&to, sizeof(to));
	ck_assert_uint_eq(rx(), 1);
	tx(2, 60);
	ck_assert_uint_eq(heard(60), 2);
	close(peer);
	tx(1, 60); /* an ICMP message answers */
	peer = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(peer, (struct sockaddr *)&sin, sizeof(sin)), 0);
	tx(2, 60);
	ck_assert_uint_eq(heard(60), 2);
	ck_assert_uint_eq(txq->stats.tx, 5);
	close(other);
}
END_TEST

/* A UDP super-frame is cut. */
START_TEST(segments)
{
	static uint8_t data[42 + 3000];
	struct frame f = { .data = data, .len = sizeof(data), .total = sizeof(data) };
	uint8_t got[2000];

	open_unix("");
	peer_unix();
	say(14);
	rx();
	memcpy(data, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0", 14);
	memcpy(data + 14, "\x45\0\x0b\xd4\0\0\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2", 20);
	memcpy(data + 34, "\0\1\0\2\x0b\xc0\0\0", 8);
	f.vnet = (struct vnet_hdr){ .flags = VNET_NEEDS_CSUM,
				    .gso_type = VNET_GSO_UDP_L4,
				    .gso_size = 1000,
				    .csum_start = 34,
				    .csum_offset = 6 };
	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	txq->entry[txq->n++] = (struct txq_entry){ .frame = &f };
	port->ops->tx(port, 0, txq);
	ck_assert_uint_eq(txq->stats.tx, 1);
	ck_assert_uint_eq(txq->stats.tx_segments, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(recv(peer, got, sizeof(got), MSG_DONTWAIT), 1042);
}
END_TEST

START_TEST(addresses)
{
	static const char *const bad[][2] = {
		{ "dgram:", "local=" },
		{ "dgram:unix:/tmp/x", "takes nothing after the colon" },
		{ "dgram:local=", "needs a value" },
		{ "dgram:local=/tmp/x", "neither" },
		{ "dgram:local=unix:", "1..107 bytes" },
		{ "dgram:local=127.0.0.1:0,remote=unix:/tmp/x", "different kinds" },
		{ "dgram:locale=127.0.0.1:0", "no option" },
	};
	struct port *other;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_lt(hand_open(bad[i][0], &port, &err), 0);
		ck_assert_msg(strstr(err.text, bad[i][1]), "%s: %s", bad[i][0], err.text);
	}
	open_unix("");
	snprintf(text, sizeof(text), "dgram:local=unix:%s", ours);
	ck_assert_int_eq(hand_open(text, &other, &err), -EADDRINUSE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dgram");
	TCase *t = tcase_create("dgram");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, learns);
	tcase_add_test(t, descriptors);
	tcase_add_test(t, fixed);
	tcase_add_test(t, lengths);
	tcase_add_test(t, stops);
	tcase_add_test(t, udp_learns);
	tcase_add_test(t, udp_fixed);
	tcase_add_test(t, segments);
	tcase_add_test(t, addresses);
	return suite_run(s);
}
