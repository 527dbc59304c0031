/* SPDX-License-Identifier: MIT */
/*
 * The packed layout: one ring of descriptors that both sides write, each in turn, and two words
 * that say when a side wants to be notified. Whether a descriptor is available or used follows from
 * two flags and a wrap counter.
 */
#include <endian.h>

#include "ports/vring_private.h"

#define AVAIL 0x0080u
#define USED 0x8000u
#define MARK UINT64_C(0x7573777400000000) /* in an address, and how many slots to the chain's end */
#define HEAD UINT64_C(0x10000)            /* it is the chain's first */

enum { EVENT_ENABLE, EVENT_DISABLE, EVENT_DESC }; /* flags of an event word */

static uint64_t *slot(const struct vring *r, unsigned at)
{
	return (uint64_t *)r->desc + 2 * at;
}

/* Whether the descriptor with @flags is the driver's news when it is @wrap's turn. */
static bool is_avail(uint16_t flags, bool wrap)
{
	return !(flags & AVAIL) != wrap && !(flags & USED) == wrap;
}

/* Reads the second half, in which the flags are, and behind it the address. */
static struct vdesc read_desc(const uint64_t *p)
{
	uint64_t rest = le64toh(__atomic_load_n(p + 1, __ATOMIC_ACQUIRE));

	return (struct vdesc){
		.addr = le64toh(__atomic_load_n(p, __ATOMIC_RELAXED)),
		.len = (uint32_t)rest,
		.id = (uint16_t)(rest >> 32),
		.flags = (uint16_t)(rest >> 48),
	};
}

static void step(const struct vring *r, uint16_t *at, bool *wrap, unsigned n)
{
	unsigned to = *at + n;

	if (to >= r->num) {
		to -= r->num;
		*wrap = !*wrap;
	}
	*at = (uint16_t)to;
}

/*
 * Reads the @n entries of an indirect table; they are in order and their flags but WRITE mean
 * nothing.
 */
static int walk_table(struct vring *r, struct vhost_mem *mem, struct vpool *pool, struct vchain *c,
		      const uint64_t *table, unsigned n)
{
	if ((uintptr_t)table % sizeof(*table))
		return vring_broken(r, "an indirect table that is not aligned");
	for (unsigned i = 0; i < n; i++) {
		struct vdesc d = read_desc(table + 2 * i);
		int ret = d.flags & VDESC_INDIRECT
				  ? vring_broken(r, "an indirect descriptor in an indirect table")
				  : vring_add(r, mem, pool, c, &d);

		if (ret)
			return ret;
	}
	return 0;
}

/* Reads the next chain. Returns 1, 0: there is none, or -EPROTO. */
static int walk(struct vring *r, struct vhost_mem *mem, struct vpool *pool, struct vchain *c)
{
	struct vdesc d = read_desc(slot(r, r->avail));
	uint16_t at = r->avail;
	bool wrap = r->avail_wrap;
	const void *table;
	unsigned n;
	int ret;

	if (!is_avail(d.flags, wrap))
		return 0;
	*c = (struct vchain){ .first = (uint16_t)pool->n_seg, .slots = 1 };
	if (d.flags & VDESC_INDIRECT) {
		table = vring_table(r, mem, &d, &n);
		ret = table ? walk_table(r, mem, pool, c, table, n) : vring_broken(r, r->why);
		if (ret)
			return ret;
	} else {
		for (;;) {
			ret = vring_add(r, mem, pool, c, &d);
			if (ret)
				return ret;
			if (!(d.flags & VDESC_NEXT))
				break;
			if (c->slots == r->num)
				return vring_broken(r, "an endless chain");
			step(r, &at, &wrap, 1);
			d = read_desc(slot(r, at));
			c->slots++;
			if (d.flags & VDESC_INDIRECT)
				return vring_broken(r, "an indirect descriptor in a chain");
			if (!is_avail(d.flags, wrap))
				return vring_broken(r, "a chain that is not complete");
		}
	}
	c->id = d.id;
	pool->n_seg += c->n;
	step(r, &r->avail, &r->avail_wrap, c->slots);
	return 1;
}

static int packed_take(struct vring *r, struct vhost_mem *mem, struct vpool *pool, unsigned want)
{
	unsigned n = 0;

	if (want > VRING_CHAINS - pool->n_chain)
		want = VRING_CHAINS - pool->n_chain;
	while (n < want && pool->n_seg + VRING_SEGS <= VRING_POOL_SEGS) {
		struct vchain *c = &pool->chain[pool->n_chain];
		int ret = walk(r, mem, pool, c);

		if (ret < 0)
			return ret;
		if (!ret)
			break;
		vring_prefetch(r, &pool->seg[c->first]);
		pool->n_chain++;
		n++;
	}
	return (int)n;
}

static void packed_untake(struct vring *r, struct vpool *pool, unsigned keep)
{
	while (pool->n_chain > keep) {
		unsigned slots = pool->chain[--pool->n_chain].slots;

		if (r->avail < slots) {
			r->avail = (uint16_t)(r->avail + r->num);
			r->avail_wrap = !r->avail_wrap;
		}
		r->avail = (uint16_t)(r->avail - slots);
	}
}

/*
 * Whether the driver's event word asks to be told of the last @n slots before where `used` is now.
 */
static bool wanted(const struct vring *r, unsigned n)
{
	uint32_t event = le32toh(__atomic_load_n((const uint32_t *)r->driver, __ATOMIC_RELAXED));
	uint16_t off = event & 0x7fff;
	bool wrap = event >> 15 & 1;

	switch (event >> 16 & 3) {
	case EVENT_ENABLE:
		return true;
	case EVENT_DISABLE:
		return false;
	}
	if (!r->event_idx)
		return true;
	if (wrap != r->used_wrap)
		off = (uint16_t)(off - r->num);
	return (uint16_t)(r->used - off - 1) < n;
}

/*
 * Where we are must be found again after our sudden end, so each slot that is given is marked: its
 * address means nothing any more, to nobody.
 */
static void mark(const struct vring *r)
{
	unsigned at = r->used;

	for (unsigned i = 0; i < r->n_give; i++) {
		uint64_t word = MARK | HEAD | r->give[i].slots;

		for (unsigned left = r->give[i].slots; left; left--) {
			__atomic_store_n(slot(r, at), htole64(word), __ATOMIC_RELAXED);
			at = at + 1 < r->num ? at + 1 : 0;
			word = (word & ~HEAD) - 1;
		}
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static bool packed_flush(struct vring *r)
{
	uint64_t *first = slot(r, r->used), first_word = 0;
	unsigned n = r->n_give, slots = 0;

	mark(r);
	for (unsigned i = 0; i < n; i++) {
		uint64_t flags =
			(r->used_wrap ? AVAIL | USED : 0) | (r->writable ? VDESC_WRITE : 0);
		uint64_t word =
			htole64(r->give[i].len | (uint64_t)r->give[i].id << 32 | flags << 48);

		if (i)
			__atomic_store_n(slot(r, r->used) + 1, word, __ATOMIC_RELAXED);
		else
			first_word = word;
		slots += r->give[i].slots;
		step(r, &r->used, &r->used_wrap, r->give[i].slots);
	}
	r->n_give = 0;
	__atomic_store_n(first + 1, first_word,
			 __ATOMIC_RELEASE); /* the driver looks at this one first */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return wanted(r, slots);
}

/*
 * The mark of @d: how many slots there are to the end of the chain that was given, HEAD in the
 * first; 0 = none.
 */
static unsigned mark_of(const struct vring *r, const struct vdesc *d)
{
	uint64_t n = d->addr - MARK;

	return n <= (HEAD | r->num) && (n & ~HEAD) <= r->num ? (unsigned)n : 0;
}

static bool is_used(const struct vdesc *d)
{
	return !(d->flags & AVAIL) == !(d->flags & USED);
}

/* Returns where the driver goes on, at the first slot of its last lap; in @wrap its counter. */
static unsigned find_driver(const struct vring *r, bool *wrap)
{
	unsigned at = 1;

	*wrap = read_desc(slot(r, 0)).flags & AVAIL;
	while (at < r->num && !(read_desc(slot(r, at)).flags & AVAIL) == !*wrap)
		at++;
	if (at < r->num)
		return at;
	*wrap = !*wrap;
	return 0;
}

/*
 * The chain of @n slots from @at on was marked, but not given any more: the driver gets it back
 * empty.
 */
static void complete(const struct vring *r, unsigned at, unsigned n)
{
	uint64_t flags = read_desc(slot(r, at)).flags & AVAIL ? AVAIL | USED : 0;
	uint64_t id = read_desc(slot(r, (at + n - 1) % r->num)).id;

	flags |= r->writable ? VDESC_WRITE : 0;
	__atomic_store_n(slot(r, at) + 1, htole64(id << 32 | flags << 48), __ATOMIC_RELEASE);
}

void vring_packed_resume(struct vring *r)
{
	bool wrap, used = false, initial = !r->avail && r->avail_wrap;
	unsigned from = find_driver(r, &wrap), last = r->num, n;
	struct vdesc d;

	/* from the oldest slot to the newest; used: others gave some back after our last */
	for (unsigned i = 0; i < r->num; i++) {
		unsigned at = (from + i) % r->num;

		d = read_desc(slot(r, at));
		if (mark_of(r, &d)) {
			last = at;
			used = false;
		} else if (is_used(&d)) {
			used = true;
		}
	}
	if (used || (last == r->num && !initial))
		return;
	for (unsigned at = 0; at < r->num; at++) {
		d = read_desc(slot(r, at));
		n = mark_of(r, &d);
		if (n & HEAD && !is_used(&d))
			complete(r, at, n & ~HEAD);
	}
	r->avail = (uint16_t)from; /* without marks all slots are the driver's */
	r->avail_wrap = !wrap;
	if (last < r->num) {
		d = read_desc(slot(r, last));
		n = mark_of(r, &d) & ~HEAD;
		r->avail = (uint16_t)last;
		r->avail_wrap = d.flags & AVAIL;
		step(r, &r->avail, &r->avail_wrap, n ? n : 1);
	}
	r->used = r->avail;
	r->used_wrap = r->avail_wrap;
}

static void set_event(struct vring *r, uint32_t word)
{
	__atomic_store_n((uint32_t *)r->device, htole32(word), __ATOMIC_RELAXED);
}

static bool packed_listen(struct vring *r)
{
	set_event(r, EVENT_ENABLE << 16);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return is_avail(read_desc(slot(r, r->avail)).flags, r->avail_wrap);
}

static void packed_quiet(struct vring *r)
{
	set_event(r, EVENT_DISABLE << 16);
}

const struct vring_ops vring_packed = { packed_take, packed_untake, packed_flush, packed_listen,
					packed_quiet };
