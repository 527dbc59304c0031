/* SPDX-License-Identifier: MIT */
/*
 * The split layout: a table of descriptors, the driver's ring of heads and the device's ring of
 * used chains.
 */
#include <endian.h>
#include <string.h>

#include "ports/vring_private.h"

#define NO_INTERRUPT 1u /* VRING_AVAIL_F_NO_INTERRUPT */
#define NO_NOTIFY 1u    /* VRING_USED_F_NO_NOTIFY */

/* Both rings begin with flags and index; after their entries there is an event index. */
enum { FLAGS, INDEX, RING };

static uint16_t *avail_of(const struct vring *r)
{
	return r->driver;
}

static uint16_t *used_of(const struct vring *r)
{
	return r->device;
}

static uint16_t *used_event(const struct vring *r)
{
	return avail_of(r) + RING + r->num;
}

static uint16_t *avail_event(const struct vring *r)
{
	return used_of(r) + RING + 4u * r->num;
}

static uint16_t get(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_RELAXED));
}

static void put(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, htole16(v), __ATOMIC_RELAXED);
}

/* Two reads of 8 bytes; what the driver does between them is its own confusion. */
static struct vdesc read_desc(const uint64_t *p)
{
	uint64_t rest = le64toh(__atomic_load_n(p + 1, __ATOMIC_RELAXED));

	return (struct vdesc){
		.addr = le64toh(__atomic_load_n(p, __ATOMIC_RELAXED)),
		.len = (uint32_t)rest,
		.flags = (uint16_t)(rest >> 32),
		.id = (uint16_t)(rest >> 48),
	};
}

/* Reads the chain that begins in slot c->id into @pool. */
static int walk(struct vring *r, struct vhost_mem *mem, struct vpool *pool, struct vchain *c)
{
	const uint64_t *table = r->desc;
	unsigned n = r->num, at = c->id, left = r->num;
	struct vdesc d = read_desc(table + 2 * at);
	int ret;

	c->first = (uint16_t)pool->n_seg;
	c->n = 0;
	c->len = 0;
	for (;;) {
		if (d.flags & VDESC_INDIRECT) {
			if (table != r->desc)
				return vring_broken(r,
						    "an indirect descriptor in an indirect table");
			table = (const void *)vring_table(r, mem, &d, &n);
			if (!table)
				return vring_broken(r, r->why);
			if ((uintptr_t)table % sizeof(*table))
				return vring_broken(r, "an indirect table that is not aligned");
			d = read_desc(table);
			left = n;
			continue;
		}
		ret = vring_add(r, mem, pool, c, &d);
		if (ret)
			return ret;
		if (!(d.flags & VDESC_NEXT))
			break;
		if (d.id >= n)
			return vring_broken(r, "a chain that leaves its table");
		if (!--left)
			return vring_broken(r, "an endless chain");
		d = read_desc(table + 2 * d.id);
	}
	pool->n_seg += c->n;
	return 0;
}

static int split_take(struct vring *r, struct vhost_mem *mem, struct vpool *pool, unsigned want)
{
	uint16_t n = (uint16_t)(le16toh(__atomic_load_n(avail_of(r) + INDEX, __ATOMIC_ACQUIRE)) -
				r->avail);
	struct vchain *chain = pool->chain + pool->n_chain;
	const uint64_t *desc = r->desc;
	unsigned i;

	if (n > r->num)
		return vring_broken(r, "an index that is ahead of the ring");
	if (want > VRING_CHAINS - pool->n_chain)
		want = VRING_CHAINS - pool->n_chain;
	if (want > n)
		want = n;
	for (i = 0; i < want; i++) {
		uint16_t head = get(avail_of(r) + RING + ((r->avail + i) & (r->num - 1u)));

		if (head >= r->num)
			return vring_broken(r, "a head outside of the table");
		chain[i].id = head;
		chain[i].slots = 1;
		__builtin_prefetch(desc + 2 * head);
	}
	for (i = 0; i < want && pool->n_seg + VRING_SEGS <= VRING_POOL_SEGS; i++) {
		int ret = walk(r, mem, pool, &chain[i]);

		if (ret)
			return ret;
		vring_prefetch(r, &pool->seg[chain[i].first]);
	}
	r->avail = (uint16_t)(r->avail + i);
	pool->n_chain += i;
	return (int)i;
}

static void split_untake(struct vring *r, struct vpool *pool, unsigned keep)
{
	r->avail = (uint16_t)(r->avail - (pool->n_chain - keep));
	pool->n_chain = keep;
}

static bool split_flush(struct vring *r)
{
	uint64_t *ring = (uint64_t *)(void *)(used_of(r) + RING);
	uint16_t old = r->used, n = r->n_give;

	for (unsigned i = 0; i < n; i++) {
		uint64_t entry = r->give[i].id | (uint64_t)r->give[i].len << 32;

		entry = htole64(entry);
		memcpy(ring + ((old + i) & (r->num - 1u)), &entry, sizeof(entry));
	}
	r->used = (uint16_t)(old + n);
	r->n_give = 0;
	__atomic_store_n(used_of(r) + INDEX, htole16(r->used), __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (r->event_idx) /* is the event among what was just published? */
		return (uint16_t)(r->used - get(used_event(r)) - 1) < n;
	return !(get(avail_of(r) + FLAGS) & NO_INTERRUPT);
}

static bool split_listen(struct vring *r)
{
	if (r->event_idx)
		put(avail_event(r), r->avail);
	else
		put(used_of(r) + FLAGS, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return get(avail_of(r) + INDEX) != r->avail;
}

static void split_quiet(struct vring *r)
{
	if (r->event_idx) /* as far behind as can be: one kick in 32768 chains */
		put(avail_event(r), (uint16_t)(r->avail - 0x8000));
	else
		put(used_of(r) + FLAGS, NO_NOTIFY);
}

const struct vring_ops vring_split = { split_take, split_untake, split_flush, split_listen,
				       split_quiet };
