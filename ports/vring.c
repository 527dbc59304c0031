/* SPDX-License-Identifier: MIT */
#include "ports/vring_private.h"

#include <errno.h>

#define DESC_SIZE 16u

int vring_map(struct vring *r, const struct vhost_mem *mem)
{
	uint64_t driver_len = r->packed ? 4 : 6 + 2 * (uint64_t)r->num;
	uint64_t device_len = r->packed ? 4 : 6 + 8 * (uint64_t)r->num;
	uint64_t driver_align = r->packed ? 4 : 2;

	if (!r->num || r->num > VRING_NUM_MAX || (!r->packed && r->num & (r->num - 1)))
		return -EINVAL;
	r->desc = vhost_mem_uva(mem, r->desc_uva, (uint64_t)DESC_SIZE * r->num);
	r->driver = vhost_mem_uva(mem, r->driver_uva, driver_len);
	r->device = vhost_mem_uva(mem, r->device_uva, device_len);
	if (!r->desc || !r->driver || !r->device)
		return -EFAULT;
	if ((uintptr_t)r->desc % DESC_SIZE || (uintptr_t)r->driver % driver_align ||
	    (uintptr_t)r->device % 4)
		return -EINVAL;
	return 0;
}

int vring_broken(struct vring *r, const char *why)
{
	r->why = why;
	return -EPROTO;
}

int vring_add(struct vring *r, struct vhost_mem *mem, struct vpool *pool, struct vchain *c,
	      const struct vdesc *d)
{
	uint64_t addr = d->addr, room;
	uint32_t left = d->len;

	if (!left)
		return vring_broken(r, "an empty buffer");
	if (!(d->flags & VDESC_WRITE) == r->writable)
		return vring_broken(r, "a buffer of the wrong direction");
	if (__builtin_add_overflow(c->len, left, &c->len))
		return vring_broken(r, "a chain longer than 4 GiB");
	while (left) {
		uint8_t *p = vhost_mem_at(mem, addr, &room);
		uint32_t len = left < room ? left : (uint32_t)room;

		if (!p)
			return vring_broken(r, "a buffer outside of the guest's memory");
		if (c->n == VRING_SEGS)
			return vring_broken(r, "a chain of too many buffers");
		pool->seg[c->first + c->n++] = (struct iovec){ p, len };
		addr += len;
		left -= len;
	}
	return 0;
}

const uint8_t *vring_table(struct vring *r, struct vhost_mem *mem, const struct vdesc *d,
			   unsigned *n)
{
	const uint8_t *table;
	uint64_t room;

	if (!r->indirect || d->flags & VDESC_NEXT) {
		vring_broken(r, "an indirect descriptor where none may be");
		return NULL;
	}
	*n = d->len / DESC_SIZE;
	if (!*n || d->len % DESC_SIZE || *n > r->num) {
		vring_broken(r, "an indirect table of a wrong length");
		return NULL;
	}
	table = vhost_mem_at(mem, d->addr, &room);
	if (!table || room < d->len) {
		vring_broken(r, "an indirect table outside of the guest's memory");
		return NULL;
	}
	return table;
}

void vring_start(struct vring *r, uint32_t base)
{
	r->n_give = 0;
	if (!r->packed) {
		r->avail = (uint16_t)base;
		r->used = __atomic_load_n((uint16_t *)r->device + 1, __ATOMIC_RELAXED);
		return;
	}
	r->avail = base & 0x7fff;
	r->avail_wrap = base >> 15 & 1;
	if (r->avail >= r->num)
		r->avail = 0;
	r->used = r->avail;
	r->used_wrap = r->avail_wrap;
	vring_packed_resume(r);
}

uint32_t vring_base(const struct vring *r)
{
	if (!r->packed)
		return r->avail;
	return r->avail | (uint32_t)r->avail_wrap << 15 | (uint32_t)r->used << 16 |
	       (uint32_t)r->used_wrap << 31;
}
