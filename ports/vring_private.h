/* SPDX-License-Identifier: MIT */
/*
 * vring_private: what the two layouts of rings have in common.
 *
 * Reading buffers and tables that a descriptor refers to. The surprising rule: a descriptor is read
 * once, by the layout's own file; none of these looks at the ring again. Only for vring*.c.
 */
#ifndef PORTS_VRING_PRIVATE_H
#define PORTS_VRING_PRIVATE_H

#include "ports/vring.h"

/*
 * A descriptor, read once. For packed rings `id` is the buffer's id, for split rings the next slot.
 */
struct vdesc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, id;
};

enum { VDESC_NEXT = 1, VDESC_WRITE = 2, VDESC_INDIRECT = 4 };

/*
 * Has the processor fetch what will be used of a chain's first buffer: the header, and a frame
 * behind it.
 */
static inline void vring_prefetch(const struct vring *r, const struct iovec *seg)
{
	const uint8_t *p = seg->iov_base;

	if (r->writable) {
		__builtin_prefetch(p, 1);
		if (seg->iov_len > 64)
			__builtin_prefetch(p + 64, 1);
	} else {
		__builtin_prefetch(p);
		if (seg->iov_len > 64)
			__builtin_prefetch(p + 64);
	}
}

/* Sets @r->why and returns -EPROTO. */
int vring_broken(struct vring *r, const char *why);

/* Adds the buffer of @d to @c, the chain that is being read into @pool. Returns 0 or -EPROTO. */
int vring_add(struct vring *r, struct vhost_mem *mem, struct vpool *pool, struct vchain *c,
	      const struct vdesc *d);

/*
 * Finds the table that the indirect descriptor @d refers to and in @n its entries, at most the
 * ring's size. Returns NULL with r->why set when it breaks a rule.
 */
const uint8_t *vring_table(struct vring *r, struct vhost_mem *mem, const struct vdesc *d,
			   unsigned *n);

/*
 * Finds where the device was in a packed ring, if it was us: after our sudden end the front-end
 * cannot know. Chains are given back in order, and the head of each is marked in its address, which
 * means nothing any more then. What a driver makes of that is its own confusion.
 */
void vring_packed_resume(struct vring *r);

#endif
