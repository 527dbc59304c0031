/* SPDX-License-Identifier: MIT */
/* front_ring: the rings of a front-end for tests, split or packed, and how it starts them. See front.h. */
#ifndef TESTS_UNIT_FRONT_RING_H
#define TESTS_UNIT_FRONT_RING_H

#include "tests/unit/front.h"

struct front_buffer {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags; /* 2 = the device writes, 4 = an indirect table */
};

struct front_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t a, b; /* split: flags, next; packed: id, flags */
};

static inline bool front_packed(const struct front *f)
{
	return f->features & F(34);
}

static inline struct front_desc *front_desc(struct front *f, unsigned q)
{
	return (void *)(f->mem + FRONT_RING_AT(q));
}

static inline uint16_t *front_driver(struct front *f, unsigned q)
{
	return (void *)(f->mem + FRONT_RING_AT(q) + 32768);
}

static inline uint16_t *front_device(struct front *f, unsigned q)
{
	return (void *)(f->mem + FRONT_RING_AT(q) + 49152);
}

static inline void front_address(struct front *f, unsigned q)
{
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} a = { q, 0, FRONT_UVA + FRONT_RING_AT(q), FRONT_UVA + FRONT_RING_AT(q) + 49152,
		FRONT_UVA + FRONT_RING_AT(q) + 32768, 0 };

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
	front_state(f, SET_VRING_BASE, 0, q, front_packed(f) ? 0x80008000u : 0);
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

/* Offers a chain; it will be known as the slot it begins in. Does not kick. */
static inline uint16_t front_offer(struct front *f, unsigned q, const struct front_buffer *b, unsigned n)
{
	struct front_desc *d = front_desc(f, q);
	uint16_t first = f->slot[q], at = first, first_flags = 0;

	for (unsigned i = 0; i < n; i++) {
		uint16_t flags = (uint16_t)(b[i].flags | (i + 1 < n ? 1 : 0));

		d[at].addr = b[i].gpa;
		d[at].len = b[i].len;
		if (front_packed(f)) {
			flags |= f->wrap[q] ? 0x80 : 0x8000;
			d[at].a = first;
			if (i)
				d[at].b = flags;
			else
				first_flags = flags;
		} else {
			d[at].a = flags;
			d[at].b = (uint16_t)((at + 1) % f->num);
		}
		at = (uint16_t)((at + 1) % f->num);
		f->wrap[q] ^= !at;
	}
	f->slot[q] = at;
	if (front_packed(f)) {
		__atomic_store_n(&d[first].b, first_flags, __ATOMIC_RELEASE);
		return first;
	}
	front_driver(f, q)[2 + f->avail[q] % f->num] = first;
	__atomic_store_n(&front_driver(f, q)[1], ++f->avail[q], __ATOMIC_RELEASE);
	return first;
}

/* Takes the next used chain, which had @slots descriptors. Returns false when there is none. */
static inline bool front_used(struct front *f, unsigned q, unsigned slots, uint16_t *id, uint32_t *len)
{
	if (front_packed(f)) {
		struct front_desc *d = &front_desc(f, q)[f->used[q]];
		uint16_t flags = __atomic_load_n(&d->b, __ATOMIC_ACQUIRE);

		if (!(flags & 0x80) == f->used_wrap[q] || !(flags & 0x8000) == f->used_wrap[q])
			return false;
		*id = d->a;
		*len = d->len;
		f->used_wrap[q] ^= f->used[q] + slots >= f->num;
		f->used[q] = (uint16_t)((f->used[q] + slots) % f->num);
		return true;
	}
	if (__atomic_load_n(&front_device(f, q)[1], __ATOMIC_ACQUIRE) == f->used[q])
		return false;
	memcpy(id, &front_device(f, q)[2 + 4 * (f->used[q] % f->num)], sizeof(*id));
	memcpy(len, &front_device(f, q)[4 + 4 * (f->used[q] % f->num)], sizeof(*len));
	f->used[q]++;
	return true;
}

static inline void front_kick(struct front *f, unsigned q)
{
	eventfd_write(f->kick[q], 1);
}

#endif
