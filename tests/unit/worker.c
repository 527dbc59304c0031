/* SPDX-License-Identifier: MIT */
/* worker: turns, fairness, timers and the moment at which a driver's news reach the bridge. */
#include "switch/daemon/worker.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fdb/mac.h"
#include "switch/daemon/daemon.h"
#include "tests/unit/suite.h"

#define N_FAKES 3
#define FAKES_MAX 63

/* A port whose frames are made up: `waiting` of them, all broadcast. */
struct fake {
	struct port port;
	struct worker_port wp;
	unsigned waiting;
	unsigned later;   /* a frame arrives at this many rx() calls from now, 0 = none */
	bool always;      /* a frame arrives at every rx() call */
	unsigned batches; /* rx() calls */
	unsigned sent;
	unsigned timers;
	bool lose_link; /* at the next tx() */
	uint8_t frame[60];
};

static struct daemon d;
static struct worker w;
static struct bridge *br;
static struct fake fake[FAKES_MAX];
static char order[64]; /* ports in the order of their batches */

static void fake_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct fake *f = (struct fake *)port;

	(void)queue;
	f->batches++;
	if (strlen(order) < sizeof(order) - 1)
		order[strlen(order)] = (char)('a' + (f - fake));
	if (f->always || (f->later && !--f->later))
		f->waiting++;
	for (; f->waiting && b->n < BATCH_MAX; f->waiting--)
		b->frame[b->n++] = (struct frame){ .data = f->frame,
						   .len = sizeof(f->frame),
						   .total = sizeof(f->frame),
						   .port = port->number };
	b->more = f->waiting > 0;
}

static void fake_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct fake *f = (struct fake *)port;

	(void)queue;
	f->sent += q->n;
	q->stats.tx += q->n;
	q->n = 0;
	if (f->lose_link) {
		f->lose_link = false;
		w.unsettled = true;
		worker_settle(&w);
	}
}

static void fake_timer(struct port *port, uint64_t now)
{
	struct fake *f = (struct fake *)port;

	f->timers++;
	worker_deadline(&w, &f->wp, now + 100);
}

static const struct port_ops fake_ops = {
	.kind = "fake", .rx = fake_rx, .tx = fake_tx, .timer = fake_timer
};

static unsigned settled;

static void settle(void *arg)
{
	const struct link down = { .present = true };

	(void)arg;
	settled++;
	ck_assert(!w.running);
	ck_assert_int_eq(bridge_port_link(br, 2, &down, 0, w.out), 0);
	worker_flush(&w, 0);
}

/* Adds ports @from..@to - 1. */
static void add_fakes(uint16_t from, uint16_t to)
{
	const struct link up = { .present = true, .up = true, .carrier = true, .mtu = 1500 };

	for (uint16_t i = from; i < to; i++) {
		struct fake *f = &fake[i];

		*f = (struct fake){ .port = { .ops = &fake_ops, .number = (uint16_t)(i + 1) } };
		f->wp = (struct worker_port){ .port = &f->port, .deadline = UINT64_MAX };
		mac_store(f->frame, MAC_BROADCAST);
		mac_store(f->frame + MAC_LEN, 0x020000000000u + i);
		snprintf(f->port.name, sizeof(f->port.name), "fake%u", i);
		ck_assert_int_eq(bridge_port_add(br, f->port.number, f->port.name, false, 0, w.out),
				 0);
		worker_add(&w, f->port.number, &f->wp);
		ck_assert_int_eq(bridge_port_link(br, f->port.number, &up, 0, w.out), 0);
	}
	worker_flush(&w, 0);
}

static void setup(void)
{
	static const uint64_t secret[2] = { 1, 2 };

	br = bridge_new(FDB_SIZE_MIN, secret);
	ck_assert_ptr_nonnull(br);
	ck_assert_int_eq(worker_init(&w, &d, br, 0, false), 0);
	w.settle = settle;
	settled = 0;
	memset(order, 0, sizeof(order));
	add_fakes(0, N_FAKES);
}

static void teardown(void)
{
	worker_fini(&w);
	bridge_free(br);
}

START_TEST(idle_never_wakes)
{
	ck_assert_uint_eq(worker_turn(&w, 5), UINT64_MAX);
	ck_assert_str_eq(order, "");
}
END_TEST

/* Three ports with several batches each take turns, and a port without more leaves the list. */
START_TEST(round_robin)
{
	fake[0].waiting = 4 * BATCH_MAX;
	fake[1].waiting = 2 * BATCH_MAX;
	fake[2].waiting = 1;
	for (unsigned i = 0; i < N_FAKES; i++)
		worker_ready(&w, &fake[i].wp);
	worker_ready(&w, &fake[0].wp); /* once is enough */
	ck_assert_uint_ne(worker_turn(&w, 5), 5);
	ck_assert_str_eq(order, "abcabaa");
	ck_assert_uint_eq(fake[2].sent, 6 * BATCH_MAX);
	ck_assert_uint_eq(fake[0].sent, 2 * BATCH_MAX + 1);
	ck_assert_uint_eq(w.out->txq[1]->stats.rx, 4 * BATCH_MAX);
	ck_assert_uint_eq(w.out->txq[1]->stats.forwarded, 4 * BATCH_MAX);
}
END_TEST

/* After 16 batches other events get a look, however much waits. */
START_TEST(turn_is_bounded)
{
	fake[0].waiting = 40 * BATCH_MAX;
	worker_ready(&w, &fake[0].wp);
	ck_assert_uint_eq(worker_turn(&w, 5), 5);
	ck_assert_uint_eq(fake[0].batches, 16);
	ck_assert_uint_eq(worker_turn(&w, 6), 6);
	ck_assert_uint_gt(worker_turn(&w, 7), 7);
	ck_assert_uint_eq(fake[0].batches, 40);
}
END_TEST

/* Batches that are flooded to many ports are more work: fewer of them make a turn. */
START_TEST(floods_end_a_turn)
{
	add_fakes(N_FAKES, FAKES_MAX);
	fake[0].waiting = 4 * BATCH_MAX;
	worker_ready(&w, &fake[0].wp);
	ck_assert_uint_eq(worker_turn(&w, 5), 5);
	ck_assert_uint_eq(fake[0].batches, 2);
	ck_assert_uint_eq(w.sends, 2 * BATCH_MAX * (FAKES_MAX - 1));
}
END_TEST

START_TEST(timers)
{
	worker_deadline(&w, &fake[1].wp, 500);
	worker_deadline(&w, &fake[2].wp, 200);
	ck_assert_uint_eq(worker_turn(&w, 100), 200);
	ck_assert_uint_eq(worker_turn(&w, 200), 300);
	ck_assert_uint_eq(fake[2].timers, 1);
	worker_deadline(&w, &fake[2].wp, UINT64_MAX);
	worker_turn(&w, 300);
	ck_assert_uint_eq(fake[2].timers, 1);
	ck_assert_uint_eq(worker_turn(&w, 499), 500);
	ck_assert_uint_eq(worker_turn(&w, 500), 600);
	ck_assert_uint_eq(fake[1].timers, 1);
}
END_TEST

/*
 * A driver that finds its link lost while it sends: the bridge hears of it when the batch is over,
 * not amid.
 */
START_TEST(news_wait_for_the_batch)
{
	fake[0].waiting = 2;
	fake[1].lose_link = true;
	worker_ready(&w, &fake[0].wp);
	worker_turn(&w, 5);
	ck_assert_uint_eq(settled, 1);
	ck_assert_uint_eq(fake[1].sent, 2);
	fake[0].waiting = 1;
	worker_ready(&w, &fake[0].wp);
	worker_turn(&w, 6);
	ck_assert_uint_eq(fake[1].sent, 2); /* down now */
	ck_assert_uint_eq(fake[2].sent, 3);
}
END_TEST

START_TEST(polls_before_sleeping)
{
	w.poll_ns = 5000000;
	w.hits = 32;
	fake[0].waiting = 1;
	fake[0].later = 4;
	worker_ready(&w, &fake[0].wp);
	ck_assert_uint_gt(worker_turn(&w, 5), 5);
	ck_assert_uint_eq(fake[2].sent, 2);
	ck_assert_uint_ge(fake[0].batches, 4);
	ck_assert_uint_eq(fake[1].batches, 0); /* had no frames */
	/* asleep: nobody is looked at */
	fake[0].later = 1;
	fake[0].batches = 0;
	worker_turn(&w, 6);
	ck_assert_uint_eq(fake[0].batches, 0);
}
END_TEST

/* Frames that come rarely end the polling, frames close to each other begin it. */
START_TEST(polls_while_it_pays)
{
	static const struct timespec longer = { .tv_nsec = 300000 };

	w.poll_ns = 100000;
	w.hits = 32;
	for (unsigned i = 0; i < 20; i++) {
		fake[0].waiting = 1;
		worker_ready(&w, &fake[0].wp);
		worker_turn(&w, 5);
		nanosleep(&longer, NULL);
	}
	ck_assert_uint_eq(w.hits, 0);
	fake[0].batches = 0;
	w.poll_ns = 1000000000; /* never slept so long */
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(fake[0].batches, i);
		fake[0].waiting = 1;
		worker_ready(&w, &fake[0].wp);
		if (i == 7)
			w.poll_ns = 1000000;
		worker_turn(&w, 5);
	}
	ck_assert_uint_gt(fake[0].batches, 8);
}
END_TEST

/* A question, its answer at once, and then nothing for long: polling would find one of two. */
START_TEST(no_polling_for_answers)
{
	static const struct timespec longer = { .tv_nsec = 300000 };

	w.poll_ns = 100000;
	for (unsigned i = 0; i < 40; i++) {
		fake[i % 2].waiting = 1;
		worker_ready(&w, &fake[i % 2].wp);
		worker_turn(&w, 5);
		if (i % 2)
			nanosleep(&longer, NULL);
	}
	ck_assert_uint_le(fake[0].batches + fake[1].batches, 40);
}
END_TEST

/* Polling looks at other events after some bursts. */
START_TEST(polling_is_bounded)
{
	w.poll_ns = 5000000;
	w.hits = 32;
	fake[0].always = true;
	worker_ready(&w, &fake[0].wp);
	ck_assert_uint_eq(worker_turn(&w, 5), 5);
	ck_assert_uint_le(fake[0].batches, 17);
	ck_assert_uint_ge(fake[0].batches, 2);
}
END_TEST

START_TEST(removed_while_polled)
{
	w.poll_ns = 5000000;
	w.hits = 32;
	fake[0].waiting = fake[1].waiting = 1;
	fake[0].lose_link = true;
	worker_ready(&w, &fake[0].wp);
	worker_ready(&w, &fake[1].wp);
	worker_turn(&w, 5);
	worker_del(&w, 1);
	worker_turn(&w, 6);
	ck_assert(portset_empty(&w.recent, w.words));
}
END_TEST

START_TEST(removed_while_ready)
{
	fake[0].waiting = 1;
	worker_ready(&w, &fake[0].wp);
	ck_assert_int_eq(bridge_port_del(br, 1, 0, w.out), 0);
	worker_flush(&w, 0);
	worker_del(&w, 1);
	worker_turn(&w, 5);
	ck_assert_uint_eq(fake[0].batches, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("worker");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, idle_never_wakes);
	tcase_add_test(all, round_robin);
	tcase_add_test(all, turn_is_bounded);
	tcase_add_test(all, floods_end_a_turn);
	tcase_add_test(all, timers);
	tcase_add_test(all, news_wait_for_the_batch);
	tcase_add_test(all, polls_before_sleeping);
	tcase_add_test(all, polls_while_it_pays);
	tcase_add_test(all, no_polling_for_answers);
	tcase_add_test(all, polling_is_bounded);
	tcase_add_test(all, removed_while_polled);
	tcase_add_test(all, removed_while_ready);
	suite_add_tcase(s, all);
	return suite_run(s);
}
