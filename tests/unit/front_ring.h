/* SPDX-License-Identifier: MIT */
/*
 * front_ring: the rings of a front-end for tests, split or packed, and how it starts them.
 *
 * A chain is known by the slot it begins in. The surprising rule: as in front.h, nothing is
 * checked. Included by one test each; all of it is static.
 */
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

/* Offers a chain; it will be known as the slot it begins in. Does not kick. */
static inline uint16_t front_offer(struct front *f, unsigned q, const struct front_buffer *b,
				   unsigned n)
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
static inline bool front_used(struct front *f, unsigned q, unsigned slots, uint16_t *id,
			      uint32_t *len)
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
