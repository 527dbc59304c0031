/* SPDX-License-Identifier: MIT */
/*
 * vring: one virtqueue, split (VIRTIO 1.2, 2.7) or packed (2.8), seen from the device's side.
 *
 * A driver offers chains of buffers; vring_take() reads some of them into a pool, translated and
 * checked, and vring_give() hands them back used. The surprising rule: everything the driver wrote
 * is hostile and may change while we look, so each index and each descriptor is read exactly once
 * into private memory, and all decisions are made there. A ring that breaks a rule is broken as a
 * whole: -EPROTO with the reason in `why`, and nothing of it may be used any more.
 *
 * Part of vhost-user ports and of their tests; a ring knows nothing of messages.
 */
#ifndef PORTS_VRING_H
#define PORTS_VRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "ports/queue.h"
#include "ports/vhost_mem.h"

#define VRING_NUM_MAX 32768u
#define VRING_SEGS 256u         /* buffers that one chain may have */
#define VRING_FRAME_CHAINS 128u /* chains that one frame may be spread over */
#define VRING_CHAINS (BATCH_MAX + VRING_FRAME_CHAINS)
#define VRING_POOL_SEGS (BATCH_MAX * 20 + VRING_SEGS)

/* A chain that was taken. */
struct vchain {
	uint16_t id;    /* what the driver knows it by */
	uint16_t slots; /* ring slots it took; for packed rings */
	uint16_t first; /* its buffers in the pool */
	uint16_t n;     /* how many, at least 1 */
	uint32_t len;   /* bytes in all */
};

/* Chains taken from one ring, oldest first. */
struct vpool {
	unsigned n_chain, n_seg;
	struct vchain chain[VRING_CHAINS];
	struct iovec seg[VRING_POOL_SEGS];
};

struct vring {
	/* set up by the front-end */
	uint16_t num; /* slots; for split rings a power of two */
	bool packed;
	bool event_idx; /* VIRTIO_F_RING_EVENT_IDX */
	bool indirect;  /* VIRTIO_F_INDIRECT_DESC */
	bool writable;  /* its buffers are for the device to write: the guest's receive queue */
	uint64_t desc_uva, driver_uva, device_uva;
	void *desc, *driver, *device; /* mapped */
	/* the device's own */
	uint16_t avail, used;       /* split: free-running; packed: slot numbers */
	bool avail_wrap, used_wrap; /* packed: the wrap counters */
	uint16_t n_give;
	const char *why; /* after -EPROTO */
	struct {
		uint16_t id, slots;
		uint32_t len;
	} give[VRING_CHAINS];
};

/* What the two layouts implement. */
struct vring_ops {
	int (*take)(struct vring *r, struct vhost_mem *mem, struct vpool *pool, unsigned want);
	void (*untake)(struct vring *r, struct vpool *pool, unsigned keep);
	bool (*flush)(struct vring *r);
	bool (*listen)(struct vring *r);
	void (*quiet)(struct vring *r);
};
extern const struct vring_ops vring_split, vring_packed;

/*
 * Maps the ring's three areas. Returns 0; -EINVAL: number of slots or alignment; -EFAULT: not in
 * one region of @mem.
 */
int vring_map(struct vring *r, const struct vhost_mem *mem);

/*
 * Begins at @base, as SET_VRING_BASE gives it; vring_map() was done. Of a packed ring only the
 * driver's half counts: nothing is in flight then, and DPDK leaves the other half 0. But where the
 * ring itself says how far we were, that is right: QEMU keeps an old base when its back-end was
 * killed. (A split ring has the used index, which QEMU gives us then.) vring_base() returns where
 * it is now, both halves.
 */
void vring_start(struct vring *r, uint32_t base);
uint32_t vring_base(const struct vring *r);

/*
 * Appends up to @want of the driver's chains to @pool, as many as fit (at least one, if there are
 * any, into an empty pool). Returns how many, or -EPROTO.
 */
static inline int vring_take(struct vring *r, struct vhost_mem *mem, struct vpool *pool,
			     unsigned want)
{
	return (r->packed ? vring_packed : vring_split).take(r, mem, pool, want);
}

/*
 * Returns the chains of @pool from number @keep on to the driver's end of the ring, as if never
 * taken.
 */
static inline void vring_untake(struct vring *r, struct vpool *pool, unsigned keep)
{
	if (keep < pool->n_chain)
		(r->packed ? vring_packed : vring_split).untake(r, pool, keep);
}

/*
 * Notes @c as used, with @len bytes written to it; at most VRING_CHAINS before the next
 * vring_flush().
 */
static inline void vring_give(struct vring *r, const struct vchain *c, uint32_t len)
{
	r->give[r->n_give].id = c->id;
	r->give[r->n_give].slots = c->slots;
	r->give[r->n_give++].len = len;
}

/* Publishes what was noted. Returns whether the driver wants to be called. */
static inline bool vring_flush(struct vring *r)
{
	return r->n_give && (r->packed ? vring_packed : vring_split).flush(r);
}

/* Asks the driver to kick us when it offers chains. Returns whether there are some already. */
static inline bool vring_listen(struct vring *r)
{
	return (r->packed ? vring_packed : vring_split).listen(r);
}

/* Tells the driver that kicks are not needed. */
static inline void vring_quiet(struct vring *r)
{
	(r->packed ? vring_packed : vring_split).quiet(r);
}

#endif
