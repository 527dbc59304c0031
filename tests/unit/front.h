/* SPDX-License-Identifier: MIT */
/*
 * front: a vhost-user front-end for tests: its messages, its memory and its rings (front_ring.h).
 *
 * Memory is one memfd, seen by the guest from FRONT_GPA on and by itself from FRONT_UVA on. The
 * surprising rule: it never checks anything, because most tests want it to do wrong. Included by
 * one test each; all of it is static.
 */
#ifndef TESTS_UNIT_FRONT_H
#define TESTS_UNIT_FRONT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FRONT_GPA UINT64_C(0x40000000)
#define FRONT_UVA UINT64_C(0x10000000000)
#define FRONT_SIZE (4u << 20)
#define FRONT_RING_AT(q) \
	((q)*65536u) /* descriptors; 32 KiB on the driver's area, 48 KiB on the device's */
#define FRONT_BUFFER_AT (1u << 20)
#define FRONT_QUEUES 4u

enum {
	GET_FEATURES = 1,
	SET_FEATURES,
	SET_OWNER,
	RESET_OWNER,
	SET_MEM_TABLE,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR,
	SET_VRING_BASE,
	GET_VRING_BASE,
	SET_VRING_KICK,
	SET_VRING_CALL,
	SET_VRING_ERR,
	GET_PROTOCOL_FEATURES,
	SET_PROTOCOL_FEATURES,
	GET_QUEUE_NUM,
	SET_VRING_ENABLE,
	SEND_RARP,
	NET_SET_MTU,
	GET_MAX_MEM_SLOTS = 36,
	ADD_MEM_REG,
	REM_MEM_REG,
	SET_STATUS,
	GET_STATUS
};
enum { NEED_REPLY = 8 };

#define F(n) (UINT64_C(1) << (n))
#define FRONT_FEATURES (F(32) | F(30) | F(15)) /* VERSION_1, protocol features, mergeable buffers */
#define FRONT_PROTOCOL (F(0) | F(2) | F(3) | F(4) | F(15) | F(16))

struct front {
	int fd, mem_fd;
	uint8_t *mem;
	uint64_t features;
	int kick[FRONT_QUEUES], call[FRONT_QUEUES];
	uint16_t num, avail[FRONT_QUEUES], used[FRONT_QUEUES],
		slot[FRONT_QUEUES]; /* front_ring.h */
	bool wrap[FRONT_QUEUES], used_wrap[FRONT_QUEUES];
};

struct front_region {
	uint64_t gpa, size, uva, offset;
};

/* Sends a request with @n_fd descriptors; @payload may be shorter than the @size it claims. */
static inline bool front_send_part(struct front *f, uint32_t request, uint32_t flags,
				   const void *payload, uint32_t claim, uint32_t size,
				   const int *fds, unsigned n_fd)
{
	struct {
		uint32_t request, flags, size;
	} head = { request, flags | 1, claim };
	struct iovec iov[] = { { &head, sizeof(head) }, { (void *)(uintptr_t)payload, size } };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(64 * sizeof(int))];
	} control = { .room = "" };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (n_fd) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fd * sizeof(int));
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(n_fd * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), fds, n_fd * sizeof(int));
	}
	return sendmsg(f->fd, &msg, MSG_NOSIGNAL) == (ssize_t)(sizeof(head) + size);
}

static inline bool front_send(struct front *f, uint32_t request, uint32_t flags,
			      const void *payload, uint32_t size, const int *fds, unsigned n_fd)
{
	return front_send_part(f, request, flags, payload, size, size, fds, n_fd);
}

static inline bool front_u64(struct front *f, uint32_t request, uint32_t flags, uint64_t v)
{
	return front_send(f, request, flags, &v, sizeof(v), NULL, 0);
}

/* A request about queue @q with a number. */
static inline bool front_state(struct front *f, uint32_t request, uint32_t flags, uint32_t q,
			       uint32_t num)
{
	return front_u64(f, request, flags, q | (uint64_t)num << 32);
}

/* Reads an answer of 8 bytes. Returns false when there is none within a second. */
static inline bool front_answer(struct front *f, uint64_t *v)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	uint8_t bytes[20];

	if (poll(&p, 1, 1000) != 1 ||
	    recv(f->fd, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
		return false;
	memcpy(v, bytes + 12, sizeof(*v));
	return true;
}

static inline bool front_connect(struct front *f, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return !connect(f->fd, (struct sockaddr *)&a, sizeof(a));
}

#endif
