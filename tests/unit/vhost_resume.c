/* SPDX-License-Identifier: MIT */
/*
 * A packed ring goes on where it was after the switch was killed, at any moment, although the
 * front-end says that it is to begin at the base of long ago. And a switch calls a guest without
 * waiting, whatever the guest did with the descriptor.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ports/vhost_call.h"
#include "ports/vring.h"
#include "tests/unit/front_start.h"
#include "tests/unit/suite.h"

#define NUM 16u
#define QUEUE 1u
#define STEPS 300000u
#define BASE 0x80008000u /* what QEMU gives at first, and again after its back-end was killed */

static struct front front;
static struct vhost_mem mem;
static struct vring ring;
static struct vpool pool;
static struct {
	uint16_t id;
	unsigned slots;
} open_chain[NUM]; /* offered and not back yet, oldest first */
static unsigned n_open, n_slots;
static unsigned n_back, n_empty, n_killed;

static void start_ring(uint32_t base)
{
	ring = (struct vring){ .num = NUM,
			       .packed = true,
			       .desc_uva = FRONT_UVA + FRONT_RING_AT(QUEUE),
			       .driver_uva = FRONT_UVA + FRONT_RING_AT(QUEUE) + 32768,
			       .device_uva = FRONT_UVA + FRONT_RING_AT(QUEUE) + 49152 };
	ck_assert_int_eq(vring_map(&ring, &mem), 0);
	vring_start(&ring, base);
}

static void setup(void)
{
	memset(&front, 0, sizeof(front));
	memset(&mem, 0, sizeof(mem));
	front_memory(&front);
	front.features = F(34);
	front.num = NUM;
	front.wrap[QUEUE] = front.used_wrap[QUEUE] = true;
	ck_assert_int_eq(vhost_mem_add(&mem, FRONT_GPA, FRONT_UVA, FRONT_SIZE, 0, front.mem_fd), 0);
	n_open = n_slots = n_back = n_empty = n_killed = 0;
	srandom(1);
}

static void teardown(void)
{
	vhost_mem_clear(&mem);
	front.fd = -1;
	front_close(&front);
}

/* The driver offers a chain of up to @most slots, if there is room. */
static void offer(unsigned most)
{
	struct front_buffer b[4];
	unsigned n = 1 + (unsigned)random() % most;

	if (n_slots + n > NUM)
		return;
	for (unsigned i = 0; i < n; i++)
		b[i] = (struct front_buffer){ FRONT_GPA + FRONT_BUFFER_AT, 100, 0 };
	open_chain[n_open].slots = n;
	open_chain[n_open++].id = front_offer(&front, QUEUE, b, n);
	n_slots += n;
}

/* The driver takes back what it can, which must come in order. */
static void reap(void)
{
	uint16_t id;
	uint32_t len;

	while (n_open && front_used(&front, QUEUE, open_chain[0].slots, &id, &len)) {
		ck_assert_uint_eq(id, open_chain[0].id);
		ck_assert_uint_le(len, 1);
		n_empty += !len;
		n_back++;
		n_slots -= open_chain[0].slots;
		memmove(open_chain, open_chain + 1, --n_open * sizeof(open_chain[0]));
	}
}

/* A chain that was taken must be one that was offered, not what is left of an old one. */
static void check(const struct vchain *c)
{
	unsigned i = 0;

	while (i < n_open && open_chain[i].id != c->id)
		i++;
	ck_assert_uint_lt(i, n_open);
	ck_assert_uint_eq(c->slots, open_chain[i].slots);
}

/*
 * The device takes chains and gives some back, with length 1. With @die it is killed before the
 * last write, or before all of them.
 */
static void serve(bool die)
{
	struct front_desc *d = front_desc(&front, QUEUE), before[NUM];
	unsigned give, at = ring.used, first = at;
	bool all = random() % 2;
	int n;

	pool.n_chain = pool.n_seg = 0;
	n = vring_take(&ring, &mem, &pool, 1 + (unsigned)random() % NUM);
	ck_assert_msg(n >= 0, "%s", ring.why);
	for (int i = 0; i < n; i++)
		check(&pool.chain[i]);
	give = random() % 2 ? n != 0 : (unsigned)random() % ((unsigned)n + 1);
	vring_untake(&ring, &pool, give);
	memcpy(before, d, sizeof(before));
	for (unsigned i = 0; i < give; i++)
		vring_give(&ring, &pool.chain[i], 1);
	vring_flush(&ring);
	for (unsigned i = 0; die && i < give; i++) {
		if (all || at == first) {
			d[at].len = before[at].len;
			d[at].a = before[at].a;
			d[at].b = before[at].b;
		}
		at = (at + pool.chain[i].slots) % NUM;
	}
}

/* Chains of up to 1, 2 and 4 slots. */
START_TEST(killed)
{
	unsigned most = 1u << _i;
	bool kill;

	start_ring(BASE);
	for (unsigned i = 0; i < STEPS; i++) {
		switch (random() % 5) {
		case 0:
			offer(most);
			break;
		case 1:
			reap();
			break;
		case 2:
			for (unsigned n = 0; n < 20; n++)
				offer(most);
			break;
		case 3:
			kill = !(random() % 4);
			serve(kill);
			if (!kill)
				break;
			n_killed++;
			start_ring(BASE);
			break;
		case 4:
			offer(1);
			start_ring(BASE);
			break;
		}
	}
	ck_assert_uint_gt(n_killed, STEPS / 100);
	ck_assert_uint_gt(n_back, STEPS / 10);
	ck_assert_uint_lt(n_empty, n_back / 2);
	for (unsigned i = 0; i < 1000; i++) { /* and nothing is stuck */
		serve(false);
		reap();
	}
	ck_assert_uint_eq(n_open, 0);
}
END_TEST

/* A base that was read from a ring that stopped as it should stays right, whoever went on then. */
START_TEST(not_killed)
{
	start_ring(BASE);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t base;

		offer(3);
		serve(false);
		reap();
		base = vring_base(&ring);
		start_ring(base);
		ck_assert_uint_eq(vring_base(&ring), base);
		if (!n_open) { /* another back-end, which leaves no marks */
			offer(1);
			front_desc(&front, QUEUE)[ring.used].b = ring.used_wrap ? 0x8080 : 0;
			front_desc(&front, QUEUE)[ring.used].len = 1;
			base = (ring.used + 1u) % NUM;
			base |= (uint32_t)(ring.used_wrap ^ !base) << 15;
			start_ring(base | base << 16);
			ck_assert_uint_eq(vring_base(&ring), base | base << 16);
		}
	}
	ck_assert_uint_gt(n_back, STEPS / 2);
}
END_TEST

/* What a driver may write into its ring leads nowhere. */
START_TEST(nonsense)
{
	uint8_t *bytes = (void *)front_desc(&front, QUEUE);

	for (unsigned i = 0; i < STEPS / 10; i++) {
		for (unsigned at = 0; at < NUM * 16; at++)
			bytes[at] = (uint8_t)random();
		for (unsigned at = 0; at < NUM; at++)
			if (random() % 2)
				front_desc(&front, QUEUE)[at].addr =
					UINT64_C(0x7573777400000000) + (uint64_t)random() % 0x10020;
		start_ring((uint32_t)random());
		ck_assert_uint_lt(ring.avail, NUM);
		ck_assert_uint_lt(ring.used, NUM);
	}
}
END_TEST

/* An eventfd that is full, and lets whoever writes to it wait. */
START_TEST(call)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	eventfd_t n;

	alarm(10);
	ck_assert_int_eq(vhost_call_init(NULL), 0);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(vhost_call(fd), 0);
	ck_assert_int_eq(eventfd_read(fd, &n), 0);
	ck_assert_uint_eq(n, 1000);
	ck_assert_int_eq(eventfd_write(fd, UINT64_MAX - 1), 0);
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(vhost_call(fd), 0);
	ck_assert_int_eq(eventfd_read(fd, &n), 0);
	ck_assert_uint_eq(n, UINT64_MAX);
	ck_assert_int_eq(vhost_call(front.mem_fd), -EINVAL);
	ck_assert_int_eq(vhost_call(-1), -EBADF);
	vhost_call_fini();
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhost_resume");
	TCase *t = tcase_create("resume");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, killed, 0, 3);
	tcase_add_test(t, not_killed);
	tcase_add_test(t, nonsense);
	tcase_add_test(t, call);
	suite_add_tcase(s, t);
	return suite_run(s);
}
