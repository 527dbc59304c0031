/* SPDX-License-Identifier: MIT */
/*
 * vhost_mem: the memory of a guest, as a vhost-user front-end shares it.
 *
 * A sorted table of regions, each a mapped piece of a file. Guests address it by guest-physical
 * addresses ("gpa"), front-ends by their own ("uva"). The surprising rule: the front-end keeps the
 * file and may take its pages away at any moment; a read or write there raises SIGBUS. While a
 * table is guarded, our handler then puts anonymous memory in place of the region, so that whoever
 * was copying goes on, and sets `lost`; the owner must drop the peer soon. The list of guarded
 * tables is the one thing here that is global, because a signal handler has no argument.
 *
 * Owned by one port, used by the thread that runs it.
 */
#ifndef PORTS_VHOST_MEM_H
#define PORTS_VHOST_MEM_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#define VHOST_MEM_SLOTS 64u

struct vhost_region {
	uint64_t gpa, uva, size; /* none of the ends overflows */
	uint8_t *host;           /* where byte 0 of the region is */
	void *map;               /* the mapping it is part of */
	size_t map_len;
};

struct vhost_mem {
	unsigned n;
	unsigned last; /* where the last address was found */
	volatile sig_atomic_t lost;
	struct vhost_mem *next; /* guarded tables */
	struct vhost_region region[VHOST_MEM_SLOTS];
};

/*
 * Starts or ends guarding @mem, whose address must stay the same in between. vhost_mem_clear()
 * unmaps all of it.
 */
void vhost_mem_guard(struct vhost_mem *mem);
void vhost_mem_unguard(struct vhost_mem *mem);
void vhost_mem_clear(struct vhost_mem *mem);

/*
 * Maps @size bytes of @fd from @offset on as the guest's @gpa and the front-end's @uva. The caller
 * keeps @fd. Returns 0; -ENOSPC: no free slot; -EINVAL: empty, an end overflows, overlaps another,
 * is larger than the file; -EPERM: not a file whose pages are always at hand (memfd, tmpfs,
 * hugetlbfs, a local file system: a page of any other may keep us waiting for its server); or what
 * fstat() and mmap() return.
 */
int vhost_mem_add(struct vhost_mem *mem, uint64_t gpa, uint64_t uva, uint64_t size, uint64_t offset,
		  int fd);

/* Unmaps the region with exactly these numbers. Returns 0 or -ENOENT. */
int vhost_mem_del(struct vhost_mem *mem, uint64_t gpa, uint64_t uva, uint64_t size);

/* As vhost_mem_at() for an address that is not in the region found last. */
uint8_t *vhost_mem_search(struct vhost_mem *mem, uint64_t gpa, uint64_t *room);

/*
 * Returns where @gpa is and in @room how many bytes from there on are contiguous, at least 1; NULL
 * = nowhere.
 */
static inline uint8_t *vhost_mem_at(struct vhost_mem *mem, uint64_t gpa, uint64_t *room)
{
	const struct vhost_region *r = &mem->region[mem->last];
	uint64_t at = gpa - r->gpa;

	if (at >= r->size)
		return vhost_mem_search(mem, gpa, room);
	*room = r->size - at;
	return r->host + at;
}

/*
 * Returns where @len bytes (not 0) at the front-end's address @uva are, all in one region; NULL =
 * nowhere.
 */
void *vhost_mem_uva(const struct vhost_mem *mem, uint64_t uva, uint64_t len);

#endif
