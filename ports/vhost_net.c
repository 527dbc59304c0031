/* SPDX-License-Identifier: MIT */
/* Frames between a guest's rings and the switch: one copy from guest to guest, heads apart. */
#include <endian.h>
#include <string.h>
#include <time.h>

#include "ports/batch.h"
#include "ports/headers.h"
#include "ports/offload.h"
#include "ports/vhost.h"
#include "ports/vhost_call.h"

#define HEAD_MAX 256u /* a frame of up to this length is copied whole, of a longer one this much */
#define GROUP_MAX 2048u /* the same for group destinations */
#define ALIGN 64u       /* heads in the arena */
#define PAD 6u          /* in front of a head: its IP header is aligned */
#define RARP_LEN 60u

#define HEADER_MAX 12u /* struct virtio_net_hdr_v1 */

static struct vhost *vhost_of(struct port *port)
{
	return (struct vhost *)port;
}

static uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * The header in the guest's memory is little endian: 10 bytes, which is struct vnet_hdr, and the
 * number of buffers. It is put together and taken apart in registers: reading back from memory what
 * was just written there in other pieces would wait for every store before it, and those go to
 * memory that another processor has.
 */
static inline struct vnet_hdr decode(const uint8_t *p)
{
	uint64_t word;
	uint16_t last;

	memcpy(&word, p, sizeof(word));
	memcpy(&last, p + sizeof(word), sizeof(last));
	word = le64toh(word);
	return (struct vnet_hdr){ (uint8_t)word,          (uint8_t)(word >> 8),
				  (uint16_t)(word >> 16), (uint16_t)(word >> 32),
				  (uint16_t)(word >> 48), le16toh(last) };
}

static inline void encode(uint8_t *p, const struct vnet_hdr *h, uint8_t flags, unsigned n,
			  bool buffers)
{
	uint64_t word = flags | (uint64_t)h->gso_type << 8 | (uint64_t)h->hdr_len << 16 |
			(uint64_t)h->gso_size << 32 | (uint64_t)h->csum_start << 48;
	uint32_t last = htole32(h->csum_offset | n << 16);

	word = htole64(word);
	memcpy(p, &word, sizeof(word));
	if (buffers)
		memcpy(p + sizeof(word), &last, sizeof(last));
	else
		memcpy(p + sizeof(word), &last, sizeof(uint16_t));
}

/* Calls the guest. */
static void call(struct vhost *v, const struct vhost_queue *q)
{
	if (q->call >= 0 && vhost_call(q->call))
		vhost_fail(v, "it cannot be called");
}

/*
 * Copies @len bytes, which there are, from @seg on to @dst; leaves @seg and what is left of it at
 * the byte behind.
 */
static void gather(struct iovec **seg, uint8_t *dst, uint32_t len)
{
	struct iovec *s = *seg;

	while (len) {
		uint32_t n = s->iov_len < len ? (uint32_t)s->iov_len : len;

		memcpy(dst, s->iov_base, n);
		s->iov_base = (uint8_t *)s->iov_base + n;
		s->iov_len -= n;
		dst += n;
		len -= n;
		if (!s->iov_len)
			s++;
	}
	*seg = s;
}

/*
 * Makes a frame of @c: what will be parsed goes to @at, the rest stays in the guest's memory.
 * Returns why not, and in @len its length. In guest-shared memory nothing is read twice: all that
 * is decided by is in @f.
 */
static enum drop take_frame(struct vhost *v, const struct vchain *c, struct frame *f, uint8_t *at,
			    uint32_t *len)
{
	struct iovec *seg = &v->in_pool.seg[c->first], *end = seg + c->n;
	uint32_t total = c->len - v->header_len, head = total;
	uint8_t apart[HEADER_MAX];
	enum drop drop;

	if (seg->iov_len >= v->header_len) {
		f->vnet = decode(seg->iov_base);
		seg->iov_base = (uint8_t *)seg->iov_base + v->header_len;
		seg->iov_len -= v->header_len;
		seg += !seg->iov_len;
	} else {
		gather(&seg, apart, v->header_len);
		f->vnet = decode(apart);
	}
	*len = total;
	if (total < FRAME_HDR_LEN)
		return DROP_RUNT;
	if (total > FRAME_MAX + FRAME_TAG_LEN)
		return DROP_GIANT;
	if (head > HEAD_MAX)
		head = HEAD_MAX;
	gather(&seg, at, head);
	if (total > head &&
	    ((at[0] & 1 && total <= GROUP_MAX) || end - seg > (ptrdiff_t)FRAME_TAIL_MAX)) {
		gather(&seg, at + head, total - head);
		head = total;
	}
	f->data = at;
	f->len = head;
	f->total = total;
	f->port = v->port.number;
	f->vid = 0;
	f->tag = (struct vtag){ 0, 0 };
	f->kept = (struct vtag){ 0, 0 };
	f->n_tail = (uint16_t)(end - seg);
	f->tail = seg;
	f->remote = 0;
	if (!offload_fits(f, v->allowed))
		return DROP_VNET;
	drop = frame_lift_tag(f);
	if (!drop && f->total > FRAME_MAX)
		drop = DROP_GIANT;
	return drop ? drop : offload_check(f);
}

/* Makes frames of the chains in in_pool. */
static void fill(struct vhost *v, struct batch *b)
{
	struct vpool *pool = &v->in_pool;
	uint8_t *at = b->arena + PAD;
	uint32_t bytes = 0, len;

	for (unsigned i = 0; i < pool->n_chain; i++) {
		struct frame *f = &b->frame[b->n];
		enum drop drop;

		if (bytes >= BATCH_BYTES) {
			vring_untake(&v->from->ring, pool, i);
			return;
		}
		if (pool->chain[i].len < v->header_len) {
			vring_untake(&v->from->ring, pool, i);
			vhost_fail(v, "a chain without room for a header");
			return;
		}
		drop = take_frame(v, &pool->chain[i], f, at, &len);
		bytes += len;
		if (drop) {
			batch_refuse(b, len, drop);
		} else {
			b->n++;
			at += (f->len + PAD + FRAME_TAG_LEN + ALIGN - 1) & ~(ALIGN - 1);
		}
	}
}

/*
 * What a guest that moved here would say itself: a reverse ARP request from its address to
 * everybody.
 */
static void announce(struct vhost *v, struct batch *b)
{
	static const uint8_t rarp[] = { 0x80, 0x35, 0, 1, 8, 0, 6, 4, 0, 3 };
	uint8_t bytes[RARP_LEN] = { 0 }, mac[6];

	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)(v->rarp_mac >> 8 * (5 - i));
	memset(bytes, 0xff, 6);
	memcpy(bytes + 6, mac, 6);
	memcpy(bytes + 12, rarp, sizeof(rarp));
	memcpy(bytes + 22, mac, 6);
	memcpy(bytes + 32, mac, 6);
	v->rarp = false;
	if (!batch_add(b, bytes, sizeof(bytes), NULL))
		b->frame[b->n - 1].port = v->port.number;
}

/*
 * No queue has frames: poll on while that pays, then ask for kicks. Returns whether to be run
 * again.
 */
static bool idle(struct vhost *v)
{
	bool more = false;
	uint64_t now;

	if (v->listening)
		return false;
	if (v->window_ns || !v->idle_ns) {
		now = clock_ns();
		if (!v->idle_ns)
			v->idle_ns = now;
		if (now - v->idle_ns < v->window_ns)
			return true;
	}
	for (unsigned i = 0; i < v->n_in; i++)
		more |= vring_listen(&v->queue[v->in[i]].ring);
	v->listening = true;
	return more;
}

void vhost_woken(struct vhost *v)
{
	if (!v->listening || !v->idle_ns)
		return;
	/* would polling have seen this kick's frames? then it pays, else it is tried less long */
	if (clock_ns() - v->idle_ns <= v->poll_ns)
		v->window_ns = v->poll_ns;
	else
		v->window_ns = v->window_ns / 2 < 1000 ? 0 : v->window_ns / 2;
}

static void stop_listening(struct vhost *v)
{
	v->idle_ns = 0;
	if (!v->listening)
		return;
	v->listening = false;
	for (unsigned i = 0; i < v->n_in; i++)
		vring_quiet(&v->queue[v->in[i]].ring);
}

/* Takes chains of the next queue that has some. Returns how many, or -EPROTO. */
static int take_next(struct vhost *v)
{
	int n = 0;

	v->in_pool.n_chain = v->in_pool.n_seg = 0;
	for (unsigned i = 0; !n && i < v->n_in; i++) {
		v->turn = (uint8_t)(v->turn + 1 < v->n_in ? v->turn + 1 : 0);
		v->from = &v->queue[v->in[v->turn]];
		n = vring_take(&v->from->ring, &v->mem, &v->in_pool, BATCH_MAX);
	}
	return n;
}

/*
 * What was taken ahead, and what has come to the same queue since; or, without that, from the next.
 */
static int take_batch(struct vhost *v)
{
	unsigned n = v->in_pool.n_chain;
	int more = 0;

	if (!v->ahead)
		return take_next(v);
	v->from = v->ahead;
	v->ahead = NULL;
	if (n < BATCH_MAX)
		more = vring_take(&v->from->ring, &v->mem, &v->in_pool, BATCH_MAX - n);
	return more < 0 ? more : (int)n + more;
}

/*
 * The next batch is taken now, long before it is looked at: what another processor wrote takes as
 * long to get here as a hundred frames' worth of instructions, and meanwhile the other ports have
 * their turn.
 */
static void take_ahead(struct vhost *v)
{
	int n = take_next(v);

	if (n < 0)
		vhost_fail(v, v->from->ring.why);
	if (n > 0)
		v->ahead = v->from;
	v->from = NULL;
}

void vhost_release(struct vhost *v)
{
	if (v->ahead)
		vring_untake(&v->ahead->ring, &v->in_pool, 0);
	if (v->filling)
		vring_untake(&v->filling->ring, &v->out_pool, v->next);
	v->ahead = v->filling = NULL;
}

void vhost_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct vhost *v = vhost_of(port);
	int n;

	(void)queue;
	b->n = 0;
	b->more = false;
	v->from = NULL;
	if (!v->live || !v->n_in)
		return;
	if (v->rarp) {
		announce(v, b);
		b->more = true;
		return;
	}
	n = take_batch(v);
	if (n < 0) {
		vhost_fail(v, v->from->ring.why);
		v->from = NULL;
	} else if (!n) {
		v->from = NULL;
		b->more = idle(v);
	} else {
		stop_listening(v);
		fill(v, b);
		b->more = v->live;
	}
}

void vhost_done(struct port *port, unsigned queue, struct batch *b)
{
	struct vhost *v = vhost_of(port);

	(void)queue;
	(void)b;
	if (v->mem.lost)
		vhost_fail(v, "its memory was taken away");
	if (!v->from || !v->live)
		return;
	for (unsigned i = 0; i < v->in_pool.n_chain; i++)
		vring_give(&v->from->ring, &v->in_pool.chain[i], 0);
	if (vring_flush(&v->from->ring))
		call(v, v->from);
	v->from = NULL;
	if (v->live)
		take_ahead(v);
}

/* Finds chains for @need bytes from v->next on. Returns how many, or 0 and why not in @drop. */
static unsigned reserve(struct vhost *v, struct vring *r, uint32_t need, enum drop *drop)
{
	struct vpool *pool = &v->out_pool;

	for (unsigned try = 0; try < 2; try++) {
		uint64_t room = 0;

		for (unsigned n = 1; v->next + n <= pool->n_chain && n <= VRING_FRAME_CHAINS; n++) {
			room += pool->chain[v->next + n - 1].len;
			if (room >= need)
				return n;
			*drop = DROP_MTU;
			if (!v->mergeable)
				return 0;
		}
		if (try)
			break;
		vring_untake(r, pool, v->next);
		pool->n_chain = pool->n_seg = 0;
		v->next = 0;
		if (vring_take(r, &v->mem, pool, VRING_FRAME_CHAINS) < 0) {
			vhost_fail(v, r->why);
			break;
		}
	}
	*drop = v->live ? DROP_FULL : DROP_DOWN;
	return 0;
}

/* Copies the vectors of @w one after another into the chains from v->next on. */
static void scatter(struct vhost *v, const struct wire *w)
{
	struct iovec *to = &v->out_pool.seg[v->out_pool.chain[v->next].first];
	size_t at = 0;

	for (unsigned i = 0; i < w->n_iov; i++) {
		const uint8_t *src = w->iov[i].iov_base;
		size_t left = w->iov[i].iov_len;

		while (left) {
			size_t n = to->iov_len - at < left ? to->iov_len - at : left;

			memcpy((uint8_t *)to->iov_base + at, src, n);
			src += n;
			left -= n;
			at += n;
			if (at == to->iov_len) {
				to++;
				at = 0;
			}
		}
	}
}

/* DATA_VALID is for those who know of checksums. */
static uint8_t flags_for(const struct vhost *v, uint8_t flags)
{
	return v->port.caps & OFFLOAD_CSUM ? flags : 0;
}

/*
 * What most frames are: a head without tags that fits into one buffer. Returns false, and did
 * nothing, for any other.
 */
static bool put_plain(struct vhost *v, struct vhost_queue *q, const struct frame *f)
{
	const struct vchain *c = &v->out_pool.chain[v->next];
	const struct iovec *to = &v->out_pool.seg[c->first];
	uint32_t len = v->header_len + f->len;

	if (v->next >= v->out_pool.n_chain || to->iov_len < len || q->ring.n_give >= VRING_CHAINS)
		return false;
	encode(to->iov_base, &f->vnet, flags_for(v, f->vnet.flags), 1, v->header_len == HEADER_MAX);
	memcpy((uint8_t *)to->iov_base + v->header_len, f->data, f->len);
	vring_give(&q->ring, c, len);
	v->next++;
	return true;
}

/* Writes one frame to the guest. */
static enum drop put(struct vhost *v, struct vhost_queue *q, struct wire *w)
{
	uint32_t left = v->header_len + w->len;
	uint8_t header[HEADER_MAX];
	enum drop drop = DROP_NONE;
	unsigned n = reserve(v, &q->ring, left, &drop);
	struct vpool *pool = &v->out_pool;

	if (!n)
		return drop;
	encode(header, &w->vnet, flags_for(v, w->vnet.flags), n, true);
	w->iov[0] = (struct iovec){ header, v->header_len };
	scatter(v, w);
	if (q->ring.n_give > VRING_CHAINS - VRING_FRAME_CHAINS && vring_flush(&q->ring))
		call(v, q);
	for (; n; n--) {
		const struct vchain *c = &pool->chain[v->next++];
		uint32_t len = c->len < left ? c->len : left;

		vring_give(&q->ring, c, len);
		left -= len;
	}
	return DROP_NONE;
}

static enum drop send_entry(struct vhost *v, struct vhost_queue *q, const struct txq_entry *e,
			    struct port_stats *stats)
{
	struct offload o;
	struct wire w;
	enum drop drop;

	if (!v->live)
		return DROP_DOWN;
	if (offload_fits(e->frame, v->port.caps)) {
		if (!e->tagged && !e->frame->kept.tpid && !e->frame->n_tail &&
		    put_plain(v, q, e->frame)) {
			stats->tx_segments++;
			return DROP_NONE;
		}
		wire_build(&w, e->frame, e->tagged);
		drop = put(v, q, &w);
		stats->tx_segments += !drop;
		return drop;
	}
	drop = offload_begin(&o, e->frame, e->tagged, v->port.caps);
	while (!drop && offload_next(&o, &w)) {
		drop = put(v, q, &w);
		stats->tx_segments += !drop;
	}
	return drop;
}

static uint32_t mix(uint32_t hash, const uint8_t *p, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 16777619u;
	return hash;
}

/* Which of the guest's queues gets @f: always the same one for frames of one flow. */
static unsigned steer(const struct vhost *v, const struct frame *f)
{
	uint32_t hash = mix(2166136261u, f->data, 12);
	struct headers h;

	if (headers_parse(f->data, f->len, &h) == HEADERS_OK && !h.fragment) {
		hash = h.version == 4 ? mix(hash, f->data + h.net + 12, 8)
				      : mix(hash, f->data + h.net + 8, 32);
		if (h.transport + 4 <= f->len)
			hash = mix(hash, f->data + h.transport, 4);
	}
	return (hash ^ hash >> 16) % v->n_out;
}

/* Has at least @want chains of @q in out_pool, if there are as many. */
static void prepare(struct vhost *v, struct vhost_queue *q, unsigned want)
{
	struct vpool *pool = &v->out_pool;

	if (v->filling == q && pool->n_chain - v->next >= want)
		return;
	if (v->filling)
		vring_untake(&v->filling->ring, pool, v->next);
	v->next = pool->n_chain = pool->n_seg = 0;
	v->filling = q;
	if (vring_take(&q->ring, &v->mem, pool, BATCH_MAX) < 0)
		vhost_fail(v, q->ring.why);
}

/* Sends those entries of @txq whose @which is @mine; all of them without @which. */
static void send_queue(struct vhost *v, struct vhost_queue *q, struct txq *txq,
		       const uint8_t *which, unsigned mine)
{
	if (v->live)
		prepare(v, q, txq->n);
	for (unsigned i = 0; i < txq->n; i++) {
		const struct txq_entry *e = &txq->entry[i];
		enum drop drop;

		if (which && which[i] != mine)
			continue;
		drop = send_entry(v, q, e, &txq->stats);
		txq_count(&txq->stats, e, drop);
	}
	if (!v->live)
		return;
	if (vring_flush(&q->ring))
		call(v, q);
	if (v->live)
		prepare(v, q, BATCH_MAX / 2); /* for the next time, as take_ahead() */
}

void vhost_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct vhost *v = vhost_of(port);
	uint8_t which[BATCH_MAX];

	(void)queue;
	if (!v->live || !v->n_out) {
		for (unsigned i = 0; i < q->n; i++)
			txq_count(&q->stats, &q->entry[i], DROP_DOWN);
	} else if (v->n_out == 1) {
		send_queue(v, &v->queue[v->out[0]], q, NULL, 0);
	} else {
		for (unsigned i = 0; i < q->n; i++)
			which[i] = (uint8_t)steer(v, q->entry[i].frame);
		for (unsigned i = 0; i < v->n_out; i++)
			if (memchr(which, (int)i, q->n))
				send_queue(v, &v->queue[v->out[i]], q, which, i);
	}
	q->n = 0;
	if (v->mem.lost)
		vhost_fail(v, "its memory was taken away");
}
