/* SPDX-License-Identifier: MIT */
/*
 * hostile: messages that no front-end may send, for vhost_hostile.c.
 *
 * What takes more than one request of eight bytes, which is a line of the table there. The
 * surprising rule: none of them looks at what comes of it. All of it is static.
 */
#ifndef TESTS_UNIT_HOSTILE_H
#define TESTS_UNIT_HOSTILE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "tests/unit/front_start.h"

#define NUM 64u

static void too_soon(struct front *f)
{
	front_send(f, SET_VRING_KICK, 0, &(uint64_t){ 2 }, 8, &f->kick[2], 1);
}

static void kick_width(struct front *f)
{
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ F(32) | 1 }, 8, &f->kick[2], 1);
}

static void not_a_power(struct front *f)
{
	front_state(f, SET_VRING_NUM, 0, 2, 63);
	front_address(f, 2);
	too_soon(f);
}

static void skew_ring(struct front *f)
{
	uint64_t a[5] = { 2, FRONT_UVA + 8, FRONT_UVA, FRONT_UVA, 0 };

	front_state(f, SET_VRING_NUM, 0, 2, NUM);
	front_send(f, SET_VRING_ADDR, 0, a, sizeof(a), NULL, 0);
	too_soon(f);
}

static void ring_outside(struct front *f)
{
	uint64_t a[5] = { 2, FRONT_UVA + FRONT_SIZE - 16, FRONT_UVA, FRONT_UVA, 0 };

	front_state(f, SET_VRING_NUM, 0, 2, NUM);
	front_send(f, SET_VRING_ADDR, 0, a, sizeof(a), NULL, 0);
	too_soon(f);
}

static void fd_flood(struct front *f)
{
	int fds[64];

	for (unsigned i = 0; i < 64; i++)
		fds[i] = f->kick[0];
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, fds, 64);
}

static void half_a_head(struct front *f)
{
	ck_assert_int_eq(send(f->fd, "123456", 6, 0), 6);
}

static void call_a_file(struct front *f)
{
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &f->mem_fd, 1);
}

/* A pipe that is full, and would stop whoever writes to it. */
static void call_a_pipe(struct front *f)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &fds[1], 1);
	close(fds[0]);
	close(fds[1]);
}

static void map_a_pipe(struct front *f)
{
	struct front_region r[2] = { { 0, 0, 4096, 0 },
				     { 0, 0, 0, 0 } }; /* padding, gpa, size, uva, offset */
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	front_send(f, ADD_MEM_REG, 0, r, 40, &fds[0], 1);
	close(fds[0]);
	close(fds[1]);
}

/* Asks and never listens. */
static void reply_flood(struct front *f)
{
	fcntl(f->fd, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 200000; i++)
		if (!front_send(f, GET_FEATURES, 0, NULL, 0, NULL, 0) && errno != EAGAIN)
			break;
}

/* The same descriptors and regions again and again: each must replace the one before. */
static void repeat(struct front *f)
{
	struct {
		uint32_t n, padding;
		struct front_region r;
	} table = { 1, 0, { FRONT_GPA, FRONT_SIZE, FRONT_UVA, 0 } };

	for (unsigned i = 0; i < 2000; i++) {
		front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &f->call[1], 1);
		front_send(f, SET_VRING_ERR, 0, &(uint64_t){ 1 }, 8, &f->call[1], 1);
		front_send(f, SET_VRING_KICK, 0, &(uint64_t){ 1 }, 8, &f->kick[1], 1);
		front_send(f, SET_MEM_TABLE, 0, &table, sizeof(table), &f->mem_fd, 1);
	}
}

static void refused_flood(struct front *f)
{
	for (unsigned i = 0; i < 100; i++)
		front_send(f, 77, NEED_REPLY, NULL, 0, NULL, 0);
}

static void garbage(struct front *f)
{
	uint8_t bytes[4000];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random();
	send(f->fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

#endif
