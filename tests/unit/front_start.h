/* SPDX-License-Identifier: MIT */
/*
 * front_start: how a front-end for tests begins and ends.
 *
 * Its memory, its rings' addresses, the whole handshake. The surprising rule: no answer is waited
 * for, so that a test can run both sides in one thread. Included by one test each; all of it is
 * static.
 */
#ifndef TESTS_UNIT_FRONT_START_H
#define TESTS_UNIT_FRONT_START_H

#include "tests/unit/front_ring.h"

static inline void front_memory(struct front *f)
{
	f->mem_fd = memfd_create("front", MFD_CLOEXEC);
	if (ftruncate(f->mem_fd, FRONT_SIZE))
		return;
	f->mem = mmap(NULL, FRONT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->mem_fd, 0);
	for (unsigned q = 0; q < FRONT_QUEUES; q++) {
		f->kick[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		f->call[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
}

static inline void front_close(struct front *f)
{
	close(f->fd);
	close(f->mem_fd);
	munmap(f->mem, FRONT_SIZE);
	for (unsigned q = 0; q < FRONT_QUEUES; q++) {
		close(f->kick[q]);
		close(f->call[q]);
	}
}

static inline void front_address(struct front *f, unsigned q)
{
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} a = { q,
		0,
		FRONT_UVA + FRONT_RING_AT(q),
		FRONT_UVA + FRONT_RING_AT(q) + 49152,
		FRONT_UVA + FRONT_RING_AT(q) + 32768,
		0 };

	front_send(f, SET_VRING_ADDR, 0, &a, sizeof(a), NULL, 0);
}

static inline void front_start(struct front *f, unsigned q)
{
	uint64_t index = q;

	memset(f->mem + FRONT_RING_AT(q), 0, 65536);
	f->avail[q] = f->used[q] = f->slot[q] = 0;
	f->wrap[q] = f->used_wrap[q] = true;
	front_send(f, SET_VRING_CALL, 0, &index, sizeof(index), &f->call[q], 1);
	front_state(f, SET_VRING_NUM, 0, q, f->num);
	/* of a packed ring QEMU gives both halves, DPDK the driver's only */
	front_state(f, SET_VRING_BASE, 0, q, !front_packed(f) ? 0 : q ? 0x80008000u : 0x8000);
	front_address(f, q);
	front_send(f, SET_VRING_KICK, 0, &index, sizeof(index), &f->kick[q], 1);
	front_state(f, SET_VRING_ENABLE, 0, q, 1);
}

/* The whole start, up to carrier, of @pairs pairs of rings with @num slots. */
static inline void front_setup(struct front *f, uint64_t features, unsigned pairs, uint16_t num)
{
	struct {
		uint32_t n, padding;
		struct front_region r;
	} table = { 1, 0, { FRONT_GPA, FRONT_SIZE, FRONT_UVA, 0 } };

	f->features = features;
	f->num = num;
	front_u64(f, SET_PROTOCOL_FEATURES, 0, FRONT_PROTOCOL);
	front_u64(f, SET_FEATURES, 0, features);
	front_send(f, SET_MEM_TABLE, 0, &table, sizeof(table), &f->mem_fd, 1);
	for (unsigned q = 0; q < 2 * pairs; q++)
		front_start(f, q);
}

#endif
