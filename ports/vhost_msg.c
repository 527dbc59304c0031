/* SPDX-License-Identifier: MIT */
/*
 * The messages of a vhost-user front-end. Every request is a line of a table: how long it may be,
 * how many descriptors it may bring, who obeys it. A handler that wants a descriptor takes it out
 * of the message; whatever is left there is closed before anything is answered. A request that is
 * refused changes nothing. vhost_wire.c reads and answers them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/vhost.h"
#include "ports/vhost_call.h"

#define FLAG_NEED_REPLY 8u
#define NO_FD 0x100u   /* in the number of a queue: no descriptor comes with this message */
#define ERRORS_MAX 64u /* refused messages that a connection survives */
#define MTU_MIN 68u

enum {
	PROTOCOL_MQ = 0,
	PROTOCOL_RARP = 2,
	PROTOCOL_REPLY_ACK = 3,
	PROTOCOL_MTU = 4,
	PROTOCOL_MEM_SLOTS = 15,
	PROTOCOL_STATUS = 16
};

#define BIT(n) (UINT64_C(1) << (n))

static const uint64_t features =
	BIT(VHOST_F_CSUM) | BIT(VHOST_F_GUEST_CSUM) | BIT(VHOST_F_MTU) | BIT(VHOST_F_GUEST_TSO4) |
	BIT(VHOST_F_GUEST_TSO6) | BIT(VHOST_F_GUEST_ECN) | BIT(VHOST_F_HOST_TSO4) |
	BIT(VHOST_F_HOST_TSO6) | BIT(VHOST_F_HOST_ECN) | BIT(VHOST_F_MRG_RXBUF) |
	BIT(VHOST_F_STATUS) | BIT(VHOST_F_MQ) | BIT(VHOST_F_ANY_LAYOUT) |
	BIT(VHOST_F_INDIRECT_DESC) | BIT(VHOST_F_EVENT_IDX) | BIT(VHOST_F_PROTOCOL) |
	BIT(VHOST_F_VERSION_1) | BIT(VHOST_F_RING_PACKED) | BIT(VHOST_F_GUEST_USO4) |
	BIT(VHOST_F_GUEST_USO6) | BIT(VHOST_F_HOST_USO);

static const uint64_t protocol_features = BIT(PROTOCOL_MQ) | BIT(PROTOCOL_RARP) |
					  BIT(PROTOCOL_REPLY_ACK) | BIT(PROTOCOL_MTU) |
					  BIT(PROTOCOL_MEM_SLOTS) | BIT(PROTOCOL_STATUS);

struct state {
	uint32_t index, num;
};

struct address {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct region {
	uint64_t gpa, size, uva, offset;
};

struct table {
	uint32_t n, padding;
	struct region region[VHOST_FDS];
};

struct slot {
	uint64_t padding;
	struct region region;
};

static uint64_t get_u64(const struct vhost_message *m)
{
	uint64_t v;

	memcpy(&v, m->payload, sizeof(v));
	return v;
}

static int answer(struct vhost_message *m, const void *payload, uint32_t size)
{
	memcpy(m->payload, payload, size);
	m->head.size = size;
	m->reply = true;
	return 0;
}

static int answer_u64(struct vhost_message *m, uint64_t v)
{
	return answer(m, &v, sizeof(v));
}

/* Takes descriptor @i out of the message. */
static int take_fd(struct vhost_message *m, unsigned i)
{
	int fd = m->fd[i];

	m->fd[i] = -1;
	return fd;
}

static bool any_started(const struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		if (v->queue[i].started)
			return true;
	return false;
}

static int ignore(struct vhost *v, struct vhost_message *m)
{
	(void)v;
	(void)m;
	return 0;
}

static int get_features(struct vhost *v, struct vhost_message *m)
{
	(void)v;
	return answer_u64(m, features);
}

static int set_features(struct vhost *v, struct vhost_message *m)
{
	uint64_t f = get_u64(m);

	if (f & ~features)
		return -EINVAL;
	if (f != v->features && any_started(v))
		return -EBUSY;
	v->features = f;
	if (!(f & BIT(VHOST_F_PROTOCOL))) /* then there is no SET_VRING_ENABLE */
		for (unsigned i = 0; i < VHOST_QUEUES; i++)
			v->queue[i].enabled = true;
	return 0;
}

static int get_protocol(struct vhost *v, struct vhost_message *m)
{
	(void)v;
	return answer_u64(m, protocol_features);
}

static int set_protocol(struct vhost *v, struct vhost_message *m)
{
	if (get_u64(m) & ~protocol_features)
		return -EINVAL;
	v->protocol = get_u64(m);
	return 0;
}

static int get_queue_num(struct vhost *v, struct vhost_message *m)
{
	(void)v;
	return answer_u64(m, VHOST_PAIRS);
}

static int get_mem_slots(struct vhost *v, struct vhost_message *m)
{
	(void)v;
	return answer_u64(m, VHOST_MEM_SLOTS);
}

static int reset_owner(struct vhost *v, struct vhost_message *m)
{
	(void)m;
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		vhost_stop(v, &v->queue[i]);
		v->queue[i].enabled = false;
	}
	return 0;
}

/* Finds the rings in memory that was mapped anew; one that is not there any more may not go on. */
static void map_again(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		if (v->queue[i].started && vring_map(&v->queue[i].ring, &v->mem))
			vhost_fail(v, "a running ring lost its memory");
}

static int set_mem_table(struct vhost *v, struct vhost_message *m)
{
	struct vhost_mem fresh = { .n = 0 };
	struct table t;
	int ret = 0;

	memset(&t, 0, sizeof(t));
	memcpy(&t, m->payload, m->head.size < sizeof(t) ? m->head.size : sizeof(t));
	if (t.n > VHOST_FDS || m->n_fd != t.n ||
	    m->head.size < offsetof(struct table, region) + t.n * sizeof(t.region[0]))
		return -EINVAL;
	for (unsigned i = 0; !ret && i < t.n; i++) {
		const struct region *r = &t.region[i];

		ret = vhost_mem_add(&fresh, r->gpa, r->uva, r->size, r->offset, m->fd[i]);
	}
	if (ret) {
		vhost_mem_clear(&fresh);
		return ret;
	}
	vhost_mem_clear(&v->mem);
	memcpy(v->mem.region, fresh.region, sizeof(fresh.region));
	v->mem.n = fresh.n;
	map_again(v);
	return 0;
}

static int add_mem(struct vhost *v, struct vhost_message *m)
{
	struct slot s;

	memcpy(&s, m->payload, sizeof(s));
	if (m->n_fd != 1)
		return -EINVAL;
	return vhost_mem_add(&v->mem, s.region.gpa, s.region.uva, s.region.size, s.region.offset,
			     m->fd[0]);
}

static int del_mem(struct vhost *v, struct vhost_message *m)
{
	struct slot s;
	int ret;

	memcpy(&s, m->payload, sizeof(s));
	ret = vhost_mem_del(&v->mem, s.region.gpa, s.region.uva, s.region.size);
	map_again(v);
	return ret;
}

/*
 * The queue that a message is about, whose number is looked at in full width; NULL if there is
 * none.
 */
static struct vhost_queue *queue_of(struct vhost *v, uint64_t index)
{
	return index < VHOST_QUEUES ? &v->queue[index] : NULL;
}

static int get_state(struct vhost *v, const struct vhost_message *m, struct vhost_queue **q,
		     struct state *s)
{
	memcpy(s, m->payload, sizeof(*s));
	*q = queue_of(v, s->index);
	return *q ? 0 : -EINVAL;
}

static int set_vring_num(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	struct state s;

	if (get_state(v, m, &q, &s) || !s.num || s.num > VRING_NUM_MAX)
		return -EINVAL;
	if (q->started)
		return -EBUSY;
	q->ring.num = (uint16_t)s.num;
	return 0;
}

static int set_vring_addr(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	struct address a;

	memcpy(&a, m->payload, sizeof(a));
	q = queue_of(v, a.index);
	if (!q)
		return -EINVAL;
	if (q->started)
		return -EBUSY;
	q->ring.desc_uva = a.desc;
	q->ring.driver_uva = a.avail;
	q->ring.device_uva = a.used;
	q->addressed = true;
	return 0;
}

static int set_vring_base(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	struct state s;

	if (get_state(v, m, &q, &s))
		return -EINVAL;
	if (q->started)
		return -EBUSY;
	q->base = s.num;
	return 0;
}

static int get_vring_base(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	struct state s;

	if (get_state(v, m, &q, &s))
		return -EINVAL;
	if (q->started)
		q->base = vring_base(&q->ring);
	s.num = q->base;
	vhost_stop(v, q);
	return answer(m, &s, sizeof(s));
}

static int set_vring_enable(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	struct state s;

	if (get_state(v, m, &q, &s) || s.num > 1)
		return -EINVAL;
	q->enabled = s.num;
	return 0;
}

/* An eventfd and nothing else: anything may come here, and we watch it or signal it. */
static bool is_eventfd(int fd)
{
	char path[64], target[64] = "";
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, target, sizeof(target) - 1) > 0)
		return !strcmp(target, "anon_inode:[eventfd]");
	return !fstat(fd, &st) &&
	       !(st.st_mode & S_IFMT); /* no /proc: at least no file, pipe, socket or device */
}

/* Takes the descriptor @fd for queue @q from the message; -1 when there is to be none. */
static int take_eventfd(struct vhost *v, struct vhost_message *m, struct vhost_queue **q, int *fd)
{
	uint64_t u = get_u64(m);
	unsigned want = u & NO_FD ? 0 : 1;

	*q = queue_of(v, u & ~(uint64_t)NO_FD);
	*fd = -1;
	if (!*q || m->n_fd != want || (want && !is_eventfd(m->fd[0])))
		return -EINVAL;
	if (want)
		*fd = take_fd(m, 0);
	return 0;
}

static void replace(int *old, int fd)
{
	if (*old >= 0)
		close(*old);
	*old = fd;
}

/* Starts @q, or, if it runs, gives it another descriptor for kicks. */
static int start(struct vhost *v, struct vhost_queue *q)
{
	struct vring *r = &q->ring;
	int ret;

	if (!q->addressed)
		return -EINVAL;
	r->packed = v->features & BIT(VHOST_F_RING_PACKED);
	r->event_idx = v->features & BIT(VHOST_F_EVENT_IDX);
	r->indirect = v->features & BIT(VHOST_F_INDIRECT_DESC);
	r->writable = (q - v->queue) % 2 == 0;
	ret = vring_map(r, &v->mem);
	if (!ret)
		vring_start(r, q->base);
	return ret;
}

static int set_vring_kick(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	int fd, ret = take_eventfd(v, m, &q, &fd);

	if (ret)
		return ret;
	if (fd < 0) /* polling for ever is not for us to offer */
		return -EOPNOTSUPP;
	ret = q->started ? 0 : start(v, q);
	if (ret) {
		close(fd);
		return ret;
	}
	if (q->kick >= 0)
		v->port.host->watch(v->port.host->ctx, &v->port, q->kick, 0);
	replace(&q->kick, fd);
	if (!q->started && q->call >= 0)
		vhost_call(q->call); /* a back-end before us may not have come to that */
	q->started = true;
	if (!q->ring.writable)
		v->port.host->watch(v->port.host->ctx, &v->port, fd, PORT_IN);
	return 0;
}

static int set_vring_call(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	int fd, ret = take_eventfd(v, m, &q, &fd);

	if (ret)
		return ret;
	replace(&q->call, fd);
	return fd >= 0 && q->started ? vhost_call(fd) : 0;
}

static int set_vring_error(struct vhost *v, struct vhost_message *m)
{
	struct vhost_queue *q;
	int fd, ret = take_eventfd(v, m, &q, &fd);

	if (!ret)
		replace(&q->error, fd);
	return ret;
}

static int send_rarp(struct vhost *v, struct vhost_message *m)
{
	const uint8_t *mac = m->payload;

	v->rarp_mac = 0;
	for (unsigned i = 0; i < 6; i++)
		v->rarp_mac = v->rarp_mac << 8 | mac[i];
	v->rarp = true;
	return 0;
}

static int set_mtu(struct vhost *v, struct vhost_message *m)
{
	uint64_t mtu = get_u64(m);

	if (mtu < MTU_MIN || mtu > UINT16_MAX)
		return -EINVAL;
	v->mtu = (uint32_t)mtu;
	return 0;
}

static int set_status(struct vhost *v, struct vhost_message *m)
{
	if (get_u64(m) > UINT8_MAX)
		return -EINVAL;
	v->status = (uint8_t)get_u64(m);
	return v->status ? 0 : reset_owner(v, m);
}

static int get_status(struct vhost *v, struct vhost_message *m)
{
	return answer_u64(m, v->status);
}

struct request {
	const char *name;
	uint16_t min, max; /* bytes of payload */
	uint8_t fds;       /* at most */
	int protocol;      /* the protocol feature it belongs to, -1 = none */
	int (*fn)(struct vhost *v, struct vhost_message *m);
};

static const struct request requests[] = {
	[1] = { "GET_FEATURES", 0, 0, 0, -1, get_features },
	[2] = { "SET_FEATURES", 8, 8, 0, -1, set_features },
	[3] = { "SET_OWNER", 0, 0, 0, -1, ignore },
	[4] = { "RESET_OWNER", 0, 0, 0, -1, reset_owner },
	[5] = { "SET_MEM_TABLE", 8, sizeof(struct table), VHOST_FDS, -1, set_mem_table },
	[8] = { "SET_VRING_NUM", 8, 8, 0, -1, set_vring_num },
	[9] = { "SET_VRING_ADDR", 40, 40, 0, -1, set_vring_addr },
	[10] = { "SET_VRING_BASE", 8, 8, 0, -1, set_vring_base },
	[11] = { "GET_VRING_BASE", 8, 8, 0, -1, get_vring_base },
	[12] = { "SET_VRING_KICK", 8, 8, 1, -1, set_vring_kick },
	[13] = { "SET_VRING_CALL", 8, 8, 1, -1, set_vring_call },
	[14] = { "SET_VRING_ERR", 8, 8, 1, -1, set_vring_error },
	[15] = { "GET_PROTOCOL_FEATURES", 0, 0, 0, -1, get_protocol },
	[16] = { "SET_PROTOCOL_FEATURES", 8, 8, 0, -1, set_protocol },
	[17] = { "GET_QUEUE_NUM", 0, 0, 0, PROTOCOL_MQ, get_queue_num },
	[18] = { "SET_VRING_ENABLE", 8, 8, 0, -1, set_vring_enable },
	[19] = { "SEND_RARP", 8, 8, 0, PROTOCOL_RARP, send_rarp },
	[20] = { "NET_SET_MTU", 8, 8, 0, PROTOCOL_MTU, set_mtu },
	[36] = { "GET_MAX_MEM_SLOTS", 0, 0, 0, PROTOCOL_MEM_SLOTS, get_mem_slots },
	[37] = { "ADD_MEM_REG", 40, 40, 1, PROTOCOL_MEM_SLOTS, add_mem },
	[38] = { "REM_MEM_REG", 40, 40, 1, PROTOCOL_MEM_SLOTS, del_mem },
	[39] = { "SET_STATUS", 8, 8, 0, PROTOCOL_STATUS, set_status },
	[40] = { "GET_STATUS", 0, 0, 0, PROTOCOL_STATUS, get_status },
};

static const struct request *find(const struct vhost *v, uint32_t number)
{
	const struct request *r =
		number < sizeof(requests) / sizeof(requests[0]) ? &requests[number] : NULL;

	if (!r || !r->fn || (r->protocol >= 0 && !(v->protocol & BIT(r->protocol))))
		return NULL;
	return r;
}

int vhost_obey(struct vhost *v)
{
	struct vhost_message *m = &v->msg;
	const struct request *r = find(v, m->head.request);
	bool ack = v->protocol & BIT(PROTOCOL_REPLY_ACK) && m->head.flags & FLAG_NEED_REPLY;
	int ret = -EOPNOTSUPP;

	if (r)
		ret = m->head.size < r->min || m->head.size > r->max || m->n_fd > r->fds
			      ? -EINVAL
			      : r->fn(v, m);
	for (unsigned i = 0; i < m->n_fd; i++)
		replace(&m->fd[i], -1);
	m->n_fd = 0;
	if (ret) {
		log_rated(&v->rate, v->now, LOG_LEVEL_INFO,
			  "%s: %s (%u) of its front-end is refused: %s", v->port.name,
			  r ? r->name : "request", m->head.request, strerror(-ret));
		m->reply = false;
	}
	if (ret && (!ack || ++v->errors > ERRORS_MAX))
		vhost_fail(v, "a message that is not allowed");
	else if (ack && !m->reply)
		answer_u64(m, ret != 0);
	return v->live ? 0 : -EPROTO;
}
