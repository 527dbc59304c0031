/* SPDX-License-Identifier: MIT */
/* vhost-user: a front-end connects, its frames come and go, over both kinds of ring. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ports/kinds.h"
#include "tests/unit/front_start.h"
#include "tests/unit/suite.h"

#define PATH_MAX_TEST 64
#define HDR 12u

static struct {
	int fd[64];
	unsigned n;
	uint64_t at, now;
	struct link link;
	unsigned n_link;
} host;

static struct port *port;
static struct front front;
static struct batch batch;
static struct port_stats in;
static struct txq *txq;
static char path[PATH_MAX_TEST];

static void host_watch(void *ctx, struct port *p, int fd, unsigned what)
{
	(void)ctx;
	(void)p;
	for (unsigned i = 0; i < host.n; i++)
		if (host.fd[i] == fd)
			host.fd[i--] = host.fd[--host.n];
	if (what)
		host.fd[host.n++] = fd;
}

static void host_deadline(void *ctx, struct port *p, uint64_t at_ms)
{
	(void)ctx;
	(void)p;
	host.at = at_ms;
}

static void host_link(void *ctx, struct port *p, const struct link *link)
{
	(void)ctx;
	p->link = host.link = *link;
	host.n_link++;
}

static const struct port_host asks = { .watch = host_watch,
				       .deadline = host_deadline,
				       .link_changed = host_link };

/* Runs events and timers until nothing is left to do. */
static void pump(void)
{
	for (unsigned turn = 0; turn < 4; turn++) {
		for (unsigned i = 0; i < host.n; i++) {
			struct pollfd p = { .fd = host.fd[i], .events = POLLIN };

			if (poll(&p, 1, 0) == 1)
				port->ops->event(port, p.fd, PORT_IN, host.now);
		}
		if (host.at <= host.now) {
			host.at = UINT64_MAX;
			port->ops->timer(port, host.now);
		}
	}
}

static void open_port(const char *options)
{
	static struct port_spec spec;
	struct error err;
	char text[128];

	snprintf(path, sizeof(path), "/tmp/vhost-%d.sock", (int)getpid());
	snprintf(text, sizeof(text), "vhost-user:%s,name=v%s", path, options);
	memset(&host, 0, sizeof(host));
	host.at = UINT64_MAX;
	host.now = 1000;
	ck_assert_int_eq(port_spec_parse(text, &spec, &err), 0);
	ck_assert_msg(!spec.ops->open(&spec, NULL, &asks, &port, &err), "%s", err.text);
	port->number = 7;
}

static void setup(void)
{
	open_port(",poll=0");
	memset(&front, 0, sizeof(front));
	front_memory(&front);
	ck_assert(front_connect(&front, path));
	pump();
	ck_assert_int_eq(batch_init(&batch), 0);
	memset(&in, 0, sizeof(in));
	batch.stats = &in;
	txq = calloc(1, sizeof(*txq));
}

static void teardown(void)
{
	port->ops->close(port);
	ck_assert_uint_eq(host.n, 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	front_close(&front);
	batch_fini(&batch);
	free(txq);
}

/* Whether the front-end was disconnected and nothing of it is left. */
static bool thrown_out(void)
{
	struct pollfd p = { .fd = front.fd, .events = POLLIN };
	uint8_t byte;

	pump();
	while (poll(&p, 1, 0) == 1)
		if (recv(front.fd, &byte, 1, 0) <= 0)
			return !port->link.carrier && host.n == 1 && host.at == host.now + 1000;
	return false;
}

static void receive(void)
{
	port->ops->rx(port, 0, &batch);
	port->ops->done(port, 0, &batch);
}

static uint8_t *at_gpa(uint64_t gpa)
{
	return front.mem + (gpa - FRONT_GPA);
}

/* A frame of @len bytes of guest @g at @bytes. */
static void fill(uint8_t *bytes, uint32_t len, unsigned seed)
{
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + seed);
	bytes[0] = 2;
	bytes[12] = 0x88;
	bytes[13] = 0xb5;
}

/* The frame's bytes, wherever they are. */
static const uint8_t *bytes_of(const struct frame *f)
{
	static uint8_t bytes[FRAME_MAX];

	frame_copy(f, 0, f->total, bytes);
	return bytes;
}

static const uint64_t layouts[] = { FRONT_FEATURES, FRONT_FEATURES | F(34), FRONT_FEATURES | F(29),
				    FRONT_FEATURES | F(34) | F(29) };

/*
 * Offers a frame of @len bytes in pieces of @piece bytes, the header in the first. Returns how
 * many.
 */
static unsigned offer_frame(uint32_t len, uint32_t piece, unsigned seed, uint64_t gpa)
{
	struct front_buffer b[64];
	unsigned n = 0;

	memset(at_gpa(gpa), 0, HDR);
	fill(at_gpa(gpa) + HDR, len, seed);
	for (uint32_t at = 0; at < len + HDR; at += piece)
		b[n++] =
			(struct front_buffer){ gpa + at,
					       len + HDR - at < piece ? len + HDR - at : piece, 0 };
	front_offer(&front, 1, b, n);
	return n;
}

START_TEST(frames_in)
{
	static const uint32_t sizes[] = { 14, 60, 256, 257, 1514, 9000, 65000 };
	uint8_t want[65536];
	uint16_t id;
	uint32_t len;

	front_setup(&front, layouts[_i], 1, 64);
	pump();
	ck_assert(port->link.carrier);
	for (unsigned round = 0; round < 100; round++) {
		uint32_t size = sizes[round % 7];
		unsigned n = offer_frame(size, round % 2 ? 70000 : 2048, round,
					 FRONT_GPA + FRONT_BUFFER_AT);

		port->ops->rx(port, 0, &batch);
		ck_assert_uint_eq(batch.n, 1);
		ck_assert_uint_eq(batch.frame[0].total, size);
		ck_assert_uint_eq(batch.frame[0].len, size < 256              ? size
						      : batch.frame[0].n_tail ? 256
									      : size);
		ck_assert_uint_eq(batch.frame[0].port, 7);
		fill(want, size, round);
		ck_assert_mem_eq(bytes_of(&batch.frame[0]), want, size);
		ck_assert(!front_used(&front, 1, n, &id, &len)); /* not before done() */
		port->ops->done(port, 0, &batch);
		ck_assert(front_used(&front, 1, n, &id, &len));
		ck_assert(!front_used(&front, 1, n, &id, &len));
		receive();
		ck_assert(!batch.n && !batch.more);
	}
}
END_TEST

START_TEST(frames_out)
{
	static uint8_t bytes[65000];
	struct frame f = { .data = bytes };
	uint16_t id;
	uint32_t len;

	front_setup(&front, layouts[_i], 1, 64);
	pump();
	for (unsigned round = 0; round < 100; round++) {
		uint32_t size = round % 3 ? 60 + round : 40000, at = 0;
		uint64_t gpa = FRONT_GPA + FRONT_BUFFER_AT;
		unsigned chains = (size + HDR + 2047) / 2048;

		fill(bytes, size, round);
		f.len = f.total = size;
		for (unsigned i = 0; i < chains; i++) {
			struct front_buffer b[] = { { gpa + 4096 * i, 100, 2 },
						    { gpa + 4096 * i + 100, 1948, 2 } };

			front_offer(&front, 0, b, 2);
		}
		txq->entry[0] = (struct txq_entry){ .frame = &f };
		txq->n = 1;
		port->ops->tx(port, 0, txq);
		ck_assert_uint_eq(txq->n, 0);
		for (unsigned i = 0; i < chains; i++) {
			ck_assert(front_used(&front, 0, 2, &id, &len));
			ck_assert_uint_eq(len, i + 1 < chains ? 2048 : size + HDR - at);
			if (!i)
				ck_assert_uint_eq(at_gpa(gpa)[10], chains);
			ck_assert_mem_eq(at_gpa(gpa + 4096 * i) + (i ? 0 : HDR),
					 bytes + at - (i ? HDR : 0), len - (i ? 0 : HDR));
			at += len;
		}
		ck_assert_uint_eq(txq->stats.tx, round + 1);
	}
	txq->entry[0] = (struct txq_entry){ .frame = &f };
	txq->n = 1;
	port->ops->tx(port, 0, txq);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_FULL], 1);
}
END_TEST

START_TEST(indirect)
{
	uint64_t gpa = FRONT_GPA + FRONT_BUFFER_AT;
	struct front_desc table[2] = { { gpa, 100, 0, 0 }, { gpa + 100, 2000 + HDR - 100, 0, 0 } };
	struct front_buffer b = { gpa + 8192, sizeof(table), 4 };
	uint8_t want[2000];

	front_setup(&front, layouts[_i] | F(28), 1, 64);
	pump();
	if (!front_packed(&front)) {
		table[0].a = 1;
		table[0].b = 1;
	}
	memcpy(at_gpa(gpa + 8192), table, sizeof(table));
	memset(at_gpa(gpa), 0, HDR);
	fill(at_gpa(gpa) + HDR, 2000, 3);
	front_offer(&front, 1, &b, 1);
	port->ops->rx(port, 0, &batch);
	ck_assert_uint_eq(batch.n, 1);
	fill(want, 2000, 3);
	ck_assert_mem_eq(bytes_of(&batch.frame[0]), want, 2000);
	port->ops->done(port, 0, &batch);
}
END_TEST

/*
 * Calls come once a batch and only when wanted; kicks are asked for only when there is nothing to
 * do.
 */
START_TEST(notifications)
{
	eventfd_t n;

	front_setup(&front, FRONT_FEATURES, 1, 64);
	pump();
	receive();
	ck_assert(!batch.more);
	ck_assert_uint_eq(front_device(&front, 1)[0], 0);     /* kick me */
	ck_assert_int_eq(eventfd_read(front.call[1], &n), 0); /* a new ring is called at once */
	ck_assert_uint_eq(n, 1);
	for (unsigned i = 0; i < 3; i++)
		offer_frame(60, 4096, i, FRONT_GPA + FRONT_BUFFER_AT + i * 4096);
	port->ops->rx(port, 0, &batch);
	ck_assert_uint_eq(batch.n, 3);
	ck_assert_uint_eq(front_device(&front, 1)[0], 1);
	port->ops->done(port, 0, &batch);
	ck_assert_int_eq(eventfd_read(front.call[1], &n), 0);
	ck_assert_uint_eq(n, 1);
	front_driver(&front, 1)[0] = 1; /* do not call me */
	offer_frame(60, 4096, 9, FRONT_GPA + FRONT_BUFFER_AT);
	receive();
	ck_assert_int_eq(eventfd_read(front.call[1], &n), -1);
}
END_TEST

START_TEST(messages)
{
	uint64_t v;

	front_u64(&front, SET_PROTOCOL_FEATURES, 0, FRONT_PROTOCOL);
	front_send(&front, GET_FEATURES, 0, NULL, 0, NULL, 0);
	pump();
	ck_assert(front_answer(&front, &v));
	ck_assert_uint_eq(v & layouts[3], layouts[3]);
	front_send(&front, GET_QUEUE_NUM, 0, NULL, 0, NULL, 0);
	pump();
	ck_assert(front_answer(&front, &v) && v == 16);
	front_setup(&front, FRONT_FEATURES, 1, 64);
	front_u64(&front, NET_SET_MTU, NEED_REPLY, 9000);
	pump();
	ck_assert(front_answer(&front, &v) && v == 0);
	ck_assert_uint_eq(port->link.mtu, 9000);
	ck_assert(port->link.carrier);
	front_u64(&front, NET_SET_MTU, NEED_REPLY, 10);
	front_send(&front, 99, NEED_REPLY, NULL, 0, NULL, 0);
	pump();
	ck_assert(front_answer(&front, &v) && v == 1);
	ck_assert(front_answer(&front, &v) && v == 1);
	front_u64(&front, SEND_RARP, 0, 0x060504030202);
	pump();
	receive();
	ck_assert_uint_eq(batch.n, 1);
	ck_assert_mem_eq(batch.frame[0].data,
			 "\xff\xff\xff\xff\xff\xff\x02\x02\x03\x04\x05\x06\x80\x35", 14);
	front_send(&front, GET_VRING_BASE, 0, &(uint64_t){ 0 }, 8, NULL, 0);
	pump();
	ck_assert(front_answer(&front, &v) && v == 0);
	ck_assert(!port->link.carrier);
	front_start(&front, 0);
	pump();
	ck_assert(port->link.carrier);
}
END_TEST

/* Memory comes and goes while rings run; a ring whose own memory goes has broken a rule. */
START_TEST(regions)
{
	struct {
		uint64_t padding;
		struct front_region r;
	} more = { 0, { FRONT_GPA + FRONT_SIZE, FRONT_SIZE, FRONT_UVA + 2 * FRONT_SIZE, 0 } },
	  bad[] = { { 0, { FRONT_GPA + 1, 4096, 0, 0 } },   /* overlaps */
		    { 0, { 0, 0, 0, 0 } },                  /* empty */
		    { 0, { UINT64_MAX - 10, 4096, 0, 0 } }, /* its end overflows */
		    { 0, { 0, 4096, UINT64_MAX - 10, 0 } },
		    { 0, { 0, 4096, 0, UINT64_MAX - 10 } },
		    { 0, { 0, FRONT_SIZE + 1, 0, 0 } }, /* larger than the file */
		    { 0, { 0, 4096, 0, FRONT_SIZE - 4095 } } };
	uint64_t v, gpa = FRONT_GPA + FRONT_SIZE - 20;
	struct front_buffer across = { gpa, 200, 0 };
	int null = open("/dev/zero", O_RDWR);

	front_setup(&front, FRONT_FEATURES, 1, 64);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		front_send(&front, ADD_MEM_REG, NEED_REPLY, &bad[i], sizeof(bad[i]), &front.mem_fd,
			   1);
		pump();
		ck_assert(front_answer(&front, &v) && v == 1);
	}
	front_send(&front, ADD_MEM_REG, NEED_REPLY, &more, sizeof(more), &null, 1);
	front_send(&front, ADD_MEM_REG, NEED_REPLY, &more, sizeof(more), &front.mem_fd, 1);
	pump();
	ck_assert(front_answer(&front, &v) && v == 1);
	ck_assert(front_answer(&front, &v) && v == 0);
	memset(front.mem + FRONT_SIZE - 20, 0,
	       20); /* a buffer across both, contiguous for the guest only */
	front_offer(&front, 1, &across, 1);
	receive();
	ck_assert_uint_eq(batch.n, 1);
	ck_assert_uint_eq(batch.frame[0].total, 188);
	front_send(&front, REM_MEM_REG, NEED_REPLY, &more, sizeof(more), NULL, 0);
	pump();
	ck_assert(front_answer(&front, &v) && v == 0);
	ck_assert(port->link.carrier);
	front_offer(&front, 1, &across, 1);
	receive();
	ck_assert_uint_eq(batch.n, 0);
	ck_assert(thrown_out());
	close(null);
}
END_TEST

START_TEST(queues)
{
	uint8_t bytes[100];
	struct frame f = { .data = bytes, .len = 100, .total = 100 };
	struct front_buffer b = { FRONT_GPA + FRONT_BUFFER_AT, 2048, 2 };
	unsigned got[2] = { 0, 0 };
	uint16_t id;
	uint32_t len;

	front_setup(&front, FRONT_FEATURES | F(22), 2, 64);
	pump();
	for (unsigned i = 0; i < 40; i++) {
		front_offer(&front, 0, &b, 1);
		front_offer(&front, 2, &b, 1);
	}
	for (unsigned i = 0; i < 32; i++) {
		fill(bytes, 100, i);
		txq->entry[0].frame = &f;
		txq->n = 1;
		port->ops->tx(port, 0, txq);
	}
	while (front_used(&front, 0, 1, &id, &len))
		got[0]++;
	while (front_used(&front, 2, 1, &id, &len))
		got[1]++;
	ck_assert_uint_eq(got[0] + got[1], 32);
	ck_assert(got[0] > 4 && got[1] > 4);
}
END_TEST

/* Chains that are held but not used are the guest's again when its ring stops. */
START_TEST(stopped)
{
	uint8_t bytes[100];
	struct frame f = { .data = bytes, .len = 100, .total = 100 };
	struct front_buffer b = { FRONT_GPA + FRONT_BUFFER_AT, 2048, 2 };
	uint64_t v;

	front_setup(&front, layouts[_i], 1, 64);
	pump();
	fill(bytes, 100, 1);
	for (unsigned i = 0; i < 10; i++)
		front_offer(&front, 0, &b, 1);
	txq->entry[0].frame = &f;
	txq->n = 1;
	port->ops->tx(port, 0, txq);
	offer_frame(60, 4096, 0, FRONT_GPA + FRONT_BUFFER_AT + 4096);
	port->ops->rx(port, 0, &batch);
	offer_frame(60, 4096, 1, FRONT_GPA + FRONT_BUFFER_AT + 8192);
	port->ops->done(port, 0, &batch);
	for (uint64_t q = 0; q < 2; q++) {
		front_send(&front, GET_VRING_BASE, 0, &q, 8, NULL, 0);
		pump();
		ck_assert(front_answer(&front, &v));
		ck_assert_uint_eq(v >> 32 & 0x7fff, 1);
	}
}
END_TEST

START_TEST(leaves_and_returns)
{
	front_setup(&front, FRONT_FEATURES, 1, 64);
	pump();
	ck_assert(port->link.carrier);
	shutdown(front.fd, SHUT_RDWR);
	pump();
	ck_assert(!port->link.carrier);
	close(front.fd);
	host.now += 10;
	ck_assert(front_connect(&front, path));
	pump();
	front_setup(&front, FRONT_FEATURES, 1, 64);
	pump();
	ck_assert(port->link.carrier);
}
END_TEST

/* Whether the port answers @f; else it must have hung up. */
static bool answers(struct front *f)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	uint64_t v;
	char byte;

	front_send(f, GET_FEATURES, 0, NULL, 0, NULL, 0);
	pump();
	if (poll(&p, 1, 0) == 1 && recv(f->fd, &byte, 1, MSG_PEEK) == 1)
		return front_answer(f, &v);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	close(f->fd);
	return false;
}

/* Connections that come too early: the last one waits, the others are in nobody's way. */
START_TEST(too_early)
{
	struct front others[20];

	for (unsigned round = 0; round < 2; round++) {
		if (round) { /* in quarantine */
			front_u64(&front, 77, 0, 0);
			ck_assert(thrown_out());
		}
		for (unsigned i = 0; i < 20; i++) {
			ck_assert(front_connect(&others[i], path));
			pump();
		}
		for (unsigned i = 0; i < 19; i++)
			ck_assert(!answers(&others[i]));
		close(front.fd);
		front.fd = others[19].fd;
		pump();
		host.now += round ? 1000 : 10;
		ck_assert(answers(&front));
	}
}
END_TEST

START_TEST(client)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	open_port(",client,poll=0");
	host.at = 0;
	pump();
	ck_assert_uint_eq(host.n, 0);
	ck_assert_uint_eq(host.at, host.now + 100);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	host.now += 100;
	pump();
	memset(&front, 0, sizeof(front));
	front_memory(&front);
	front.fd = accept(fd, NULL, NULL);
	front_setup(&front, FRONT_FEATURES, 1, 64);
	pump();
	ck_assert(port->link.carrier);
	port->ops->close(port);
	front_close(&front);
	close(fd);
	unlink(path);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("vhost");
	TCase *t = tcase_create("connected");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, frames_in, 0, 4);
	tcase_add_loop_test(t, frames_out, 0, 4);
	tcase_add_loop_test(t, indirect, 0, 4);
	tcase_add_test(t, notifications);
	tcase_add_test(t, messages);
	tcase_add_test(t, regions);
	tcase_add_test(t, queues);
	tcase_add_loop_test(t, stopped, 0, 4);
	tcase_add_test(t, leaves_and_returns);
	tcase_add_test(t, too_early);
	suite_add_tcase(s, t);
	t = tcase_create("alone");
	tcase_add_test(t, client);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return suite_run(suite());
}
