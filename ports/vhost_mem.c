/* SPDX-License-Identifier: MIT */
#include "ports/vhost_mem.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define XFS_MAGIC 0x58465342u /* not in the kernel's header */

static struct vhost_mem *guarded; /* read by the signal handler */

/* Puts fresh memory in place of the region that holds @at. Returns whether there is one. */
static bool replace(struct vhost_mem *mem, const uint8_t *at)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vhost_region *r = &mem->region[i];

		if ((uintptr_t)at - (uintptr_t)r->map >= r->map_len)
			continue;
		mem->lost = 1;
		return mmap(r->map, r->map_len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			    0) != MAP_FAILED;
	}
	return false;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	bool done = false;

	(void)context;
	for (struct vhost_mem *mem = guarded; mem && !done; mem = mem->next)
		done = replace(mem, info->si_addr);
	if (!done)
		signal(sig, SIG_DFL); /* a bug of ours: it is raised again, and ends us */
	errno = saved;
}

void vhost_mem_guard(struct vhost_mem *mem)
{
	struct sigaction act = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	if (!guarded)
		sigaction(SIGBUS, &act, NULL);
	mem->next = guarded;
	guarded = mem;
}

void vhost_mem_unguard(struct vhost_mem *mem)
{
	struct vhost_mem **link = &guarded;

	while (*link && *link != mem)
		link = &(*link)->next;
	if (*link)
		*link = mem->next;
}

void vhost_mem_clear(struct vhost_mem *mem)
{
	for (unsigned i = 0; i < mem->n; i++)
		munmap(mem->region[i].map, mem->region[i].map_len);
	mem->n = 0;
	mem->last = 0;
	mem->lost = 0;
	memset(mem->region, 0, sizeof(mem->region));
}

/* Whether a page of @fd can be had without asking anybody who may not answer. */
static bool prompt(int fd)
{
	static const uint32_t good[] = { TMPFS_MAGIC, HUGETLBFS_MAGIC,   EXT4_SUPER_MAGIC,
					 XFS_MAGIC,   BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return false;
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if ((uint32_t)fs.f_type == good[i])
			return true;
	return false;
}

static bool overlaps(const struct vhost_mem *mem, const struct vhost_region *r)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vhost_region *o = &mem->region[i];

		if (r->gpa < o->gpa ? o->gpa - r->gpa < r->size : r->gpa - o->gpa < o->size)
			return true;
	}
	return false;
}

/* Maps @r, whose first byte is byte @offset of @fd, in whole pages of that file. */
static int map(struct vhost_region *r, uint64_t offset, int fd)
{
	uint64_t end, page, from;
	struct stat st;

	if (__builtin_add_overflow(offset, r->size, &end))
		return -EINVAL;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !prompt(fd))
		return -EPERM;
	if (st.st_size < 0 || end > (uint64_t)st.st_size)
		return -EINVAL;
	page = st.st_blksize > 4096 && !(st.st_blksize & (st.st_blksize - 1))
		       ? (uint64_t)st.st_blksize
		       : 4096;
	from = offset & ~(page - 1);
	if (__builtin_add_overflow(end - from, page - 1, &r->map_len))
		return -EINVAL;
	r->map_len &= ~(page - 1);
	r->map = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		      (off_t)from);
	if (r->map == MAP_FAILED)
		return -errno;
	madvise(r->map, r->map_len, MADV_DONTDUMP);
	r->host = (uint8_t *)r->map + (offset - from);
	return 0;
}

int vhost_mem_add(struct vhost_mem *mem, uint64_t gpa, uint64_t uva, uint64_t size, uint64_t offset,
		  int fd)
{
	struct vhost_region r = { .gpa = gpa, .uva = uva, .size = size };
	uint64_t end;
	unsigned at = 0;
	int ret;

	if (mem->n == VHOST_MEM_SLOTS)
		return -ENOSPC;
	if (!size || __builtin_add_overflow(gpa, size, &end) ||
	    __builtin_add_overflow(uva, size, &end) || overlaps(mem, &r))
		return -EINVAL;
	ret = map(&r, offset, fd);
	if (ret)
		return ret;
	while (at < mem->n && mem->region[at].gpa < gpa)
		at++;
	memmove(&mem->region[at + 1], &mem->region[at], (mem->n - at) * sizeof(r));
	mem->region[at] = r;
	mem->n++;
	return 0;
}

int vhost_mem_del(struct vhost_mem *mem, uint64_t gpa, uint64_t uva, uint64_t size)
{
	for (unsigned i = 0; i < mem->n; i++) {
		struct vhost_region *r = &mem->region[i];

		if (r->gpa != gpa || r->uva != uva || r->size != size)
			continue;
		munmap(r->map, r->map_len);
		mem->n--;
		memmove(r, r + 1, (mem->n - i) * sizeof(*r));
		memset(&mem->region[mem->n], 0, sizeof(*r));
		mem->last = 0;
		return 0;
	}
	return -ENOENT;
}

uint8_t *vhost_mem_search(struct vhost_mem *mem, uint64_t gpa, uint64_t *room)
{
	unsigned from = 0, to = mem->n;

	while (from < to) {
		unsigned mid = (from + to) / 2;
		const struct vhost_region *r = &mem->region[mid];

		if (gpa < r->gpa) {
			to = mid;
		} else if (gpa - r->gpa < r->size) {
			mem->last = mid;
			*room = r->size - (gpa - r->gpa);
			return r->host + (gpa - r->gpa);
		} else {
			from = mid + 1;
		}
	}
	return NULL;
}

void *vhost_mem_uva(const struct vhost_mem *mem, uint64_t uva, uint64_t len)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vhost_region *r = &mem->region[i];

		if (uva - r->uva < r->size && len <= r->size - (uva - r->uva))
			return r->host + (uva - r->uva);
	}
	return NULL;
}
