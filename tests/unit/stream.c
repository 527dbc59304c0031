/* SPDX-License-Identifier: MIT */
/* stream: framing in every cut, bad lengths, a reader that stops, connecting again, listening. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/offload.h"
#include "ports/port.h"
#include "tests/unit/listener.h"
#include "tests/unit/rights.h"
#include "tests/unit/suite.h"

static char dir[] = "/tmp/uswitch-stream-XXXXXX";
static char path[64], text[256];

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	listener_setup();
}

static void teardown(void)
{
	listener_teardown();
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void events(struct port *p)
{
	listener_events(p, POLLIN | POLLOUT);
}

static int unix_socket(bool listening)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), ret;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	ret = listening ? bind(fd, (struct sockaddr *)&un, sizeof(un))
			: connect(fd, (struct sockaddr *)&un, sizeof(un));
	ck_assert_int_eq(ret, 0);
	if (listening)
		ck_assert_int_eq(listen(fd, 4), 0);
	return fd;
}

/* A listening port with one guest; returns the guest's end. */
static int join(void)
{
	int peer;

	snprintf(text, sizeof(text), "stream:unix:%s,name=vm,listen", path);
	ck_assert_int_eq(listener_open(text), 0);
	ck_assert(port->link.present && !port->link.carrier);
	peer = unix_socket(false);
	events(port);
	ck_assert_ptr_nonnull(guest);
	ck_assert(guest->link.present && guest->link.up && guest->link.carrier);
	ck_assert_uint_eq(guest->caps, 0);
	return peer;
}

/* Writes a frame of @len bytes with its length to @to; byte 14 is @mark. Returns how many bytes. */
static size_t pack(uint8_t *to, uint32_t len, uint8_t mark)
{
	uint32_t be = htonl(len);

	memcpy(to, &be, 4);
	memset(to + 4, 0, len);
	memcpy(to + 4, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0", len < 14 ? len : 14);
	if (len > 14)
		to[4 + 14] = mark;
	return 4 + len;
}

/* Receives all there is; returns the marks of the frames. */
static const char *rx(void)
{
	static char marks[8192];
	unsigned n = 0;

	do {
		guest->ops->rx(guest, 0, batch);
		for (unsigned i = 0; i < batch->n; i++) {
			ck_assert_uint_eq(batch->frame[i].port, 7);
			marks[n++] = (char)batch->frame[i].data[14];
		}
	} while (batch->more);
	marks[n] = '\0';
	return marks;
}

/* Before and after the switch has accepted the connection. */
START_TEST(descriptors)
{
	int first = join(), second = unix_socket(false);

	rights_refused(first);
	rights_refused(second);
	close(first);
	close(second);
}
END_TEST

START_TEST(every_cut)
{
	uint8_t bytes[400];
	size_t len = pack(bytes, 60, 'a');
	int peer = join();

	len += pack(bytes + len, 20, 'b');
	len += pack(bytes + len, 100, 'c');
	for (size_t cut = 0; cut <= len; cut++) {
		char got[8];

		ck_assert_int_eq(send(peer, bytes, cut, 0), (ssize_t)cut);
		snprintf(got, sizeof(got), "%s", rx());
		ck_assert_int_eq(send(peer, bytes + cut, len - cut, 0), (ssize_t)(len - cut));
		strcat(got, rx());
		ck_assert_str_eq(got, "abc");
	}
	for (size_t i = 0; i < len; i++) {
		ck_assert_int_eq(send(peer, bytes + i, 1, 0), 1);
		ck_assert_str_eq(rx(), i == 63 ? "a" : i == 87 ? "b" : i == 191 ? "c" : "");
	}
	ck_assert_uint_eq(in.rx, 0);
	close(peer);
}
END_TEST

/* More than a batch in one read; the outer tag is lifted out; a frame cut in its tag is refused. */
START_TEST(many)
{
	static uint8_t bytes[200 * 64];
	int peer = join();
	size_t len = 0;

	for (unsigned i = 0; i < 200; i++)
		len += pack(bytes + len, 60, 'x');
	ck_assert_int_eq(send(peer, bytes, len, 0), (ssize_t)len);
	ck_assert_uint_eq(strlen(rx()), 200);
	len = pack(bytes, 60, 0);
	memcpy(bytes + 4 + 12, "\x81\0\0\5\x08\0", 6);
	len += pack(bytes + len, 17, 0);
	memcpy(bytes + 64 + 4 + 12, "\x81\0\0\5\x08", 5);
	ck_assert_int_eq(send(peer, bytes, len, 0), (ssize_t)len);
	guest->ops->rx(guest, 0, batch);
	ck_assert_uint_eq(batch->n, 1);
	ck_assert_uint_eq(batch->frame[0].total, 56);
	ck_assert_uint_eq(batch->frame[0].kept.tci, 5);
	ck_assert_uint_eq(in.drop_in[DROP_MALFORMED], 1);
	close(peer);
}
END_TEST

START_TEST(longest)
{
	static uint8_t bytes[4 * 65554];
	int peer = join();
	size_t len = 0, at_byte = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++)
		len += pack(bytes + len, 65550, 'x');
	while (at_byte < len) {
		ssize_t sent = send(peer, bytes + at_byte, len - at_byte, MSG_DONTWAIT);

		if (sent > 0)
			at_byte += (size_t)sent;
		n += (unsigned)strlen(rx());
	}
	ck_assert_uint_eq(n + strlen(rx()), 4);
	close(peer);
}
END_TEST

/* What was whole before the bad length is received; then the guest is gone. */
START_TEST(bad_length)
{
	static const uint32_t bad[] = { 0, 1, 13, 65551, 0x80000000, UINT32_MAX };
	uint32_t be = htonl(bad[_i]);
	uint8_t bytes[80];
	size_t len = pack(bytes, 60, 'a');
	int peer = join();

	memcpy(bytes + len, &be, 4);
	ck_assert_int_eq(send(peer, bytes, len + 4, 0), (ssize_t)len + 4);
	ck_assert_str_eq(rx(), "a");
	ck_assert(!guest->link.present && !guest->link.carrier);
	ck_assert_int_eq(guest->rx_fd, -1);
	ck_assert_uint_eq(in.drop_in[DROP_MALFORMED], 1);
	ck_assert_int_eq(recv(peer, bytes, 1, MSG_DONTWAIT), 0);
	ck_assert_str_eq(rx(), "");
	close(peer);
}
END_TEST

START_TEST(leaves)
{
	uint8_t bytes[80];
	size_t len = pack(bytes, 60, 'a');
	int peer = join();

	ck_assert_int_eq(send(peer, bytes, len, 0), (ssize_t)len);
	close(peer);
	ck_assert_str_eq(rx(), "a");
	ck_assert(!guest->link.present);
	ck_assert_uint_eq(n_link, 1);
	ck_assert(port->link.present); /* the listener stays */
}
END_TEST

static uint8_t sent_bytes[65600];

static void tx(unsigned n, uint32_t len, bool tagged)
{
	static struct frame f[BATCH_MAX];

	for (unsigned i = 0; i < n; i++) {
		f[i] = (struct frame){ .data = sent_bytes, .len = len, .total = len };
		f[i].tag = (struct vtag){ TPID_8021Q, 9 };
		txq->entry[txq->n++] = (struct txq_entry){ .frame = &f[i], .tagged = tagged };
	}
	guest->ops->tx(guest, 0, txq);
	ck_assert_uint_eq(txq->n, 0);
}

/* Reads what is there, at most @max bytes; returns how many frames of @len bytes are now whole. */
static unsigned drain(int peer, size_t max, uint32_t len)
{
	static uint8_t bytes[1 << 20];
	static size_t have;
	unsigned n = 0;
	ssize_t got;

	while (max && (got = recv(peer, bytes + have, max < 4096 ? max : 4096, MSG_DONTWAIT)) > 0) {
		have += (size_t)got;
		max -= (size_t)got;
		while (have >= 4 + len) {
			uint32_t be = htonl(len);

			ck_assert_mem_eq(bytes, &be, 4);
			ck_assert_mem_eq(bytes + 4, sent_bytes, len);
			have -= 4 + len;
			memmove(bytes, bytes + 4 + len, have);
			n++;
		}
	}
	return n;
}

START_TEST(sends)
{
	uint8_t bytes[256];
	int peer = join();

	for (unsigned i = 0; i < 100; i++)
		sent_bytes[i] = (uint8_t)i;
	tx(1, 60, false);
	tx(1, 60, true);
	ck_assert_int_eq(recv(peer, bytes, sizeof(bytes), 0), 64 + 68);
	ck_assert_mem_eq(bytes, "\0\0\0\x3c", 4);
	ck_assert_mem_eq(bytes + 4, sent_bytes, 60);
	ck_assert_mem_eq(bytes + 64, "\0\0\0\x40", 4);
	ck_assert_mem_eq(bytes + 68 + 12, "\x81\0\0\x09\x0c\x0d", 6);
	ck_assert_uint_eq(txq->stats.tx, 2);
	ck_assert_uint_eq(txq->stats.tx_bytes, 124);
	tx(1, 65550, true);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_GIANT], 1);
	tx(64, 65550, false); /* more than fits anywhere */
	ck_assert_uint_eq(txq->stats.tx + txq->stats.drop_out[DROP_FULL], 66);
	ck_assert_uint_gt(txq->stats.drop_out[DROP_FULL], 0);
	close(peer);
}
END_TEST

/* A reader that stops and reads in odd pieces: it loses whole frames, and each is counted. */
START_TEST(stops)
{
	int peer = join();
	unsigned n = 0, queued = 0;

	for (unsigned i = 0; i < sizeof(sent_bytes); i++)
		sent_bytes[i] = (uint8_t)(i * 7);
	for (unsigned i = 0; i < 400; i++, queued += 64) {
		tx(64, 1500, false);
		if (i % 3 == 0)
			n += drain(peer, i * 97 % 30000, 1500);
		events(guest);
	}
	ck_assert_uint_gt(txq->stats.drop_out[DROP_FULL], 1000);
	for (unsigned i = 0; i < 4; i++) {
		n += drain(peer, SIZE_MAX, 1500);
		events(guest);
	}
	ck_assert_uint_eq(txq->stats.tx, n);
	ck_assert_uint_eq(txq->stats.tx + txq->stats.drop_out[DROP_FULL], queued);
	tx(1, 1500, false);
	ck_assert_uint_eq(drain(peer, SIZE_MAX, 1500), 1);
	close(peer);
	tx(2, 1500, false);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 2);
	ck_assert(!guest->link.present);
}
END_TEST

/* A TCP super-frame goes as segments with whole checksums. */
START_TEST(segments)
{
	static uint8_t bytes[8192], data[54 + 4000];
	struct frame f = { .data = data, .len = sizeof(data), .total = sizeof(data) };
	int peer = join();

	memcpy(data, "\2\0\0\0\0\1\2\0\0\0\0\2\x08\0", 14);
	memcpy(data + 14, "\x45\0\x0f\xc8\0\0\0\0\x40\x06\0\0\x0a\0\0\1\x0a\0\0\2", 20);
	data[14 + 20 + 12] = 0x50;
	f.vnet = (struct vnet_hdr){ .flags = VNET_NEEDS_CSUM,
				    .gso_type = VNET_GSO_TCPV4,
				    .gso_size = 1000,
				    .csum_start = 34,
				    .csum_offset = 16 };
	ck_assert_int_eq(offload_check(&f), DROP_NONE);
	txq->entry[txq->n++] = (struct txq_entry){ .frame = &f };
	guest->ops->tx(guest, 0, txq);
	ck_assert_uint_eq(txq->stats.tx, 1);
	ck_assert_uint_eq(txq->stats.tx_segments, 4);
	ck_assert_int_eq(recv(peer, bytes, sizeof(bytes), 0), 4 * (4 + 1054));
	for (unsigned i = 0; i < 4; i++)
		ck_assert_mem_eq(bytes + i * 1058, "\0\0\x04\x1e", 4);
	close(peer);
}
END_TEST

START_TEST(turned_away)
{
	uint8_t byte;
	int peer;

	refuse = -ENOSPC;
	snprintf(text, sizeof(text), "stream:unix:%s,name=vm,listen", path);
	ck_assert_int_eq(listener_open(text), 0);
	peer = unix_socket(false);
	events(port);
	ck_assert_int_eq(recv(peer, &byte, 1, 0), 0);
	close(peer);
}
END_TEST

START_TEST(connects)
{
	uint8_t bytes[80];
	int listener, peer;
	uint64_t last;

	snprintf(text, sizeof(text), "stream:unix:%s,name=up", path);
	ck_assert_int_eq(listener_open(text), 0);
	guest = port;
	port = NULL;
	guest->number = 7;
	ck_assert_uint_eq(at, 0);
	guest->ops->timer(guest, 1000);
	ck_assert_uint_eq(at, 1100);
	guest->ops->timer(guest, 1100);
	ck_assert_uint_eq(at, 1300);
	ck_assert(guest->link.present && !guest->link.carrier);
	for (last = 0; at - last < 5000;) {
		last = at;
		guest->ops->timer(guest, at);
		ck_assert_uint_le(at - last, 5000);
	}
	tx(1, 60, false);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_DOWN], 1);
	listener = unix_socket(true);
	guest->ops->timer(guest, at);
	events(guest);
	ck_assert(guest->link.carrier);
	peer = accept(listener, NULL, NULL);
	rights_refused(peer);
	ck_assert_int_eq(send(peer, bytes, pack(bytes, 60, 'a'), 0), 64);
	ck_assert_str_eq(rx(), "a");
	close(peer);
	ck_assert_str_eq(rx(), "");
	ck_assert(guest->link.present && !guest->link.carrier);
	ck_assert_uint_eq(at, 0);
	guest->ops->timer(guest, 5000);
	ck_assert_uint_eq(at, 5100); /* a frame came: quickly again */
	guest->ops->timer(guest, 5100);
	events(guest);
	ck_assert(guest->link.carrier);
	close(listener);
	unlink(path);
}
END_TEST

START_TEST(tcp)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM, 0), peer;
	socklen_t size = sizeof(sin);
	uint8_t bytes[80];
	bool got = false;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&sin, &size);
	snprintf(text, sizeof(text), "stream:127.0.0.1:%u,name=up", ntohs(sin.sin_port));
	ck_assert_int_eq(listener_open(text), 0);
	guest = port;
	port = NULL;
	guest->number = 7;
	guest->ops->timer(guest, 1);
	peer = accept(listener, NULL, NULL);
	events(guest);
	ck_assert(guest->link.carrier);
	ck_assert_int_eq(send(peer, bytes, pack(bytes, 60, 'a'), 0), 64);
	for (unsigned i = 0; i < 1000 && !got; i++) {
		usleep(1000);
		got = *rx() == 'a';
	}
	ck_assert(got);
	tx(1, 60, false);
	ck_assert_int_eq(recv(peer, bytes, 80, 0), 64);
	close(peer);
	close(listener);
}
END_TEST

START_TEST(addresses)
{
	static const char *const bad[][2] = {
		{ "stream:", "missing" },
		{ "stream:unix:", "1..107 bytes" },
		{ "stream:/run/sock", "neither" },
		{ "stream:127.0.0.1:", "neither" },
		{ "stream:unix:/nonexistent/sock,listen", "No such file" },
	};
	struct stat st;
	int other;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_lt(listener_open(bad[i][0]), 0);
		ck_assert_msg(strstr(err.text, bad[i][1]), "%s", err.text);
	}
	close(unix_socket(true)); /* nobody serves this path any more */
	snprintf(text, sizeof(text), "stream:unix:%s,listen", path);
	ck_assert_int_eq(listener_open(text), 0);
	port->ops->close(port);
	port = NULL;
	other = unix_socket(true);
	ck_assert_int_eq(listener_open(text), -EADDRINUSE);
	ck_assert_int_eq(lstat(path, &st), 0);
	close(other);
	unlink(path);
	close(open(path, O_CREAT | O_WRONLY, 0600)); /* not a socket: not ours to remove */
	ck_assert_int_eq(listener_open(text), -EADDRINUSE);
	ck_assert_int_eq(lstat(path, &st), 0);
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stream");
	TCase *t = tcase_create("stream");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, descriptors);
	tcase_add_test(t, every_cut);
	tcase_add_test(t, many);
	tcase_add_test(t, longest);
	tcase_add_loop_test(t, bad_length, 0, 6);
	tcase_add_test(t, leaves);
	tcase_add_test(t, sends);
	tcase_add_test(t, stops);
	tcase_add_test(t, segments);
	tcase_add_test(t, turned_away);
	tcase_add_test(t, connects);
	tcase_add_test(t, tcp);
	tcase_add_test(t, addresses);
	return suite_run(s);
}
