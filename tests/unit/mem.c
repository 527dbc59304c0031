/* SPDX-License-Identifier: MIT */
/* mem: what is pushed is received, what is sent is popped. */
#include "ports/mem.h"

#include <check.h>
#include <errno.h>

#include "tests/unit/hand.h"
#include "tests/unit/suite.h"

static struct port *port;
static struct batch *batch;
static struct port_stats in;
static struct txq *txq;

static void setup(void)
{
	struct error err;

	ck_assert_int_eq(hand_open("mem:,name=m", &port, &err), 0);
	batch = malloc(sizeof(*batch));
	ck_assert_int_eq(batch_init(batch), 0);
	batch->stats = &in;
	memset(&in, 0, sizeof(in));
	txq = calloc(1, sizeof(*txq));
}

static void teardown(void)
{
	port->ops->close(port);
	ck_assert_int_eq(hand.fd, -1);
	batch_fini(batch);
	free(batch);
	free(txq);
}

static void fill(uint8_t *bytes, uint32_t len, unsigned seed)
{
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 3 + seed);
	bytes[12] = 8;
	bytes[13] = 0;
}

START_TEST(opens)
{
	ck_assert_str_eq(port->name, "m");
	ck_assert_int_eq(hand.fd, port->rx_fd);
	ck_assert(port->link.present && port->link.up && port->link.carrier);
	ck_assert_uint_eq(port->caps, OFFLOAD_ALL);
	ck_assert(!hand_ready());
	port->ops->rx(port, 0, batch);
	ck_assert_uint_eq(batch->n, 0);
	ck_assert(!batch->more);
}
END_TEST

START_TEST(receive)
{
	uint8_t bytes[200];

	for (unsigned i = 0; i < MEM_RING; i++) {
		fill(bytes, 200, i);
		ck_assert_int_eq(mem_push(port, bytes, 60 + i, NULL), 0);
	}
	ck_assert_int_eq(mem_push(port, bytes, 60, NULL), -ENOBUFS);
	ck_assert(hand_ready());
	for (unsigned i = 0; i < MEM_RING; i++) {
		if (i % BATCH_MAX == 0) {
			port->ops->rx(port, 0, batch);
			ck_assert_uint_eq(batch->n, BATCH_MAX);
			ck_assert_int_eq(batch->more, i + BATCH_MAX < MEM_RING);
		}
		fill(bytes, 200, i);
		ck_assert_uint_eq(batch->frame[i % BATCH_MAX].total, 60 + i);
		ck_assert_mem_eq(batch->frame[i % BATCH_MAX].data, bytes, 60 + i);
	}
	ck_assert(!hand_ready());
	ck_assert_int_eq(mem_push(port, bytes, 60, NULL), 0);
	ck_assert(hand_ready());
}
END_TEST

/* A batch ends at 512 KiB. */
START_TEST(receive_large)
{
	static uint8_t bytes[FRAME_MAX + 4];
	unsigned n = 0;

	fill(bytes, sizeof(bytes), 0);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(mem_push(port, bytes, FRAME_MAX, NULL), 0);
	do {
		port->ops->rx(port, 0, batch);
		ck_assert_uint_le(batch->n, 9);
		n += batch->n;
	} while (batch->more);
	ck_assert_uint_eq(n, 20);
	memcpy(bytes + 12, "\x81\0", 2);
	ck_assert_int_eq(mem_push(port, bytes, FRAME_MAX + 4, NULL), 0);
	port->ops->rx(port, 0, batch);
	ck_assert_uint_eq(batch->n, 1);
	ck_assert_uint_eq(batch->frame[0].total, FRAME_MAX);
}
END_TEST

/* What is refused is counted, and the good one behind it arrives. */
START_TEST(refused)
{
	static uint8_t bytes[FRAME_MAX + 16];
	struct vnet_hdr bad = { .flags = VNET_NEEDS_CSUM };

	fill(bytes, sizeof(bytes), 0);
	ck_assert_int_eq(mem_push(port, bytes, 13, NULL), 0);
	ck_assert_int_eq(mem_push(port, bytes, FRAME_MAX + 1, NULL), 0);
	ck_assert_int_eq(mem_push(port, bytes, FRAME_MAX + 8, NULL), 0);
	ck_assert_int_eq(mem_push(port, bytes, 60, &bad), 0);
	ck_assert_int_eq(mem_push(port, bytes, FRAME_MAX + 16, NULL), -EMSGSIZE);
	bytes[12] = 0x81;
	ck_assert_int_eq(mem_push(port, bytes, 19, NULL), 0);
	ck_assert_int_eq(mem_push(port, bytes, 20, NULL), 0);
	port->ops->rx(port, 0, batch);
	ck_assert_uint_eq(batch->n, 1);
	ck_assert_uint_eq(batch->frame[0].kept.tpid, TPID_8021Q);
	ck_assert_uint_eq(in.rx, 5);
	ck_assert_uint_eq(in.drop_in[DROP_RUNT], 1);
	ck_assert_uint_eq(in.drop_in[DROP_GIANT], 2);
	ck_assert_uint_eq(in.drop_in[DROP_VNET], 1);
	ck_assert_uint_eq(in.drop_in[DROP_MALFORMED], 1);
}
END_TEST

static void queue(struct frame *f, bool tagged)
{
	txq->entry[txq->n++] = (struct txq_entry){ .frame = f, .tagged = tagged };
}

START_TEST(transmit)
{
	uint8_t bytes[100];
	struct iovec tail = { bytes + 60, 40 };
	struct frame f = { .data = bytes, .len = 60, .total = 100, .n_tail = 1, .tail = &tail };
	const struct mem_frame *got;

	fill(bytes, 100, 0);
	f.tag = (struct vtag){ TPID_8021Q, 5 };
	f.kept = (struct vtag){ TPID_8021AD, 6 };
	queue(&f, true);
	queue(&f, false);
	port->ops->tx(port, 0, txq);
	ck_assert_uint_eq(txq->n, 0);
	ck_assert_uint_eq(txq->stats.tx, 2);
	ck_assert_uint_eq(txq->stats.tx_bytes, 108 + 104);
	got = mem_pop(port);
	ck_assert_uint_eq(got->len, 108);
	ck_assert_mem_eq(got->data + 12, "\x81\0\0\5\x88\xa8\0\6\x08\0", 10);
	ck_assert_mem_eq(got->data + 20, bytes + 12, 88);
	got = mem_pop(port);
	ck_assert_uint_eq(got->len, 104);
	ck_assert_ptr_null(mem_pop(port));
}
END_TEST

/* The oldest frames go; the port is never full. */
START_TEST(transmit_many)
{
	uint8_t bytes[60];
	struct frame f = { .data = bytes, .len = 60, .total = 60 };

	fill(bytes, 60, 0);
	for (unsigned i = 0; i < MEM_RING + 7; i++) {
		bytes[20] = (uint8_t)i;
		queue(&f, false);
		port->ops->tx(port, 0, txq);
	}
	for (unsigned i = 7; i < MEM_RING + 7; i++)
		ck_assert_uint_eq(mem_pop(port)->data[20], (uint8_t)i);
	ck_assert_ptr_null(mem_pop(port));
	ck_assert_uint_eq(txq->stats.tx, MEM_RING + 7);
}
END_TEST

/* With and without the capability; a frame that cannot be finished is a drop. */
START_TEST(transmit_offload)
{
	uint8_t bytes[60];
	struct frame f = { .data = bytes, .len = 60, .total = 60 };
	const struct mem_frame *got;

	fill(bytes, 60, 0);
	f.vnet = (struct vnet_hdr){ .flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6 };
	queue(&f, false);
	port->ops->tx(port, 0, txq);
	got = mem_pop(port);
	ck_assert_uint_eq(got->vnet.flags, VNET_NEEDS_CSUM);
	ck_assert_mem_eq(got->data, bytes, 60);
	port->caps = 0;
	queue(&f, false);
	port->ops->tx(port, 0, txq);
	got = mem_pop(port);
	ck_assert_uint_eq(got->vnet.flags, 0);
	ck_assert_mem_ne(got->data + 40, bytes + 40, 2);
	f.vnet.csum_offset = 2000;
	queue(&f, false);
	port->ops->tx(port, 0, txq);
	ck_assert_ptr_null(mem_pop(port));
	ck_assert_uint_eq(txq->stats.tx, 2);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_OFFLOAD], 1);
}
END_TEST

START_TEST(link_news)
{
	struct link down = port->link;

	down.carrier = false;
	port->ops->link(port, &down);
	ck_assert_uint_eq(hand.n_link, 1);
	ck_assert(!hand.link.carrier && hand.link.present);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mem");
	TCase *t = tcase_create("mem");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, opens);
	tcase_add_test(t, receive);
	tcase_add_test(t, receive_large);
	tcase_add_test(t, refused);
	tcase_add_test(t, transmit);
	tcase_add_test(t, transmit_many);
	tcase_add_test(t, transmit_offload);
	tcase_add_test(t, link_news);
	return suite_run(s);
}
