/* SPDX-License-Identifier: MIT */
/*
 * Receiving. A frame that fits its slot of the ring is used where it lies, without a system call or
 * a copy. Of a longer one (a super-frame, a jumbo frame) the slot has the length, and the frame
 * waits in the socket's queue (PACKET_COPY_THRESH); one recvmmsg() a batch brings those into the
 * arena. Order is that of the slots.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "ports/batch.h"
#include "ports/log.h"
#include "ports/packet.h"

#define HDR_LEN sizeof(struct vnet_hdr)
#define ARENA_SLOT (BATCH_ARENA / BATCH_MAX)
#define ARENA_ALIGN 64u
#define ARENA_PAD 6u /* in front of the header, so that the frame behind it is aligned to 16 */
#define VLEN_MIN 8u

static struct tpacket2_hdr *slot(const struct packet *p, unsigned i)
{
	return (void *)(p->rx_ring + (size_t)i / PACKET_BLOCK_SLOTS * PACKET_BLOCK +
			i % PACKET_BLOCK_SLOTS * PACKET_SLOT);
}

static uint32_t status_of(const struct tpacket2_hdr *h)
{
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
}

void packet_rx_plain(struct packet *p)
{
	struct tpacket_req none = { 0 };
	int one = 1;

	packet_rx_fini(p);
	setsockopt(p->port.rx_fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof(none));
	setsockopt(p->port.rx_fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
	p->vlen = BATCH_MAX;
}

void packet_rx_init(struct packet *p)
{
	struct tpacket_req req = { .tp_block_size = PACKET_BLOCK,
				   .tp_block_nr = PACKET_BLOCKS,
				   .tp_frame_size = PACKET_SLOT,
				   .tp_frame_nr = PACKET_SLOTS };
	int fd = p->port.rx_fd, version = TPACKET_V2, one = 1;

	p->rx_next = p->rx_held = 0;
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		p->in_msg[i].msg_hdr.msg_iov = &p->in_iov[i];
		p->in_msg[i].msg_hdr.msg_iovlen = 1;
	}
	if (!setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) &&
	    !setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &one, sizeof(one)) &&
	    !setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req))) {
		p->rx_ring = mmap(NULL, PACKET_BLOCKS * PACKET_BLOCK, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);
		if (p->rx_ring != MAP_FAILED)
			return;
		p->rx_ring = NULL;
	}
	log_info("%s: no receive ring (%s), receiving without", p->port.name, strerror(errno));
	packet_rx_plain(p);
}

void packet_rx_fini(struct packet *p)
{
	if (p->rx_ring)
		munmap(p->rx_ring, PACKET_BLOCKS * PACKET_BLOCK);
	p->rx_ring = NULL;
	p->rx_held = 0;
}

/* Gives the slots of the last batch back to the kernel. */
static void release(struct packet *p)
{
	unsigned i = (p->rx_next + PACKET_SLOTS - p->rx_held) % PACKET_SLOTS;

	for (; p->rx_held; p->rx_held--) {
		__atomic_store_n(&slot(p, i)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		i = i + 1 == PACKET_SLOTS ? 0 : i + 1;
	}
}

void packet_done(struct port *port, unsigned queue, struct batch *b)
{
	(void)queue;
	(void)b;
	release((struct packet *)port);
}

bool packet_waiting(const struct port *port)
{
	const struct packet *p = (const struct packet *)port;

	return p->rx_ring && status_of(slot(p, p->rx_next)) & TP_STATUS_USER;
}

void packet_rx_flush(struct packet *p)
{
	char byte;

	release(p);
	while (p->rx_ring && status_of(slot(p, p->rx_next)) & TP_STATUS_USER) {
		p->rx_next = (p->rx_next + 1) % PACKET_SLOTS;
		p->rx_held = 1;
		release(p);
	}
	while (recv(p->port.rx_fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno == ENETDOWN)
		;
}

/* How many frames the kernel dropped since it was last asked. */
static unsigned drops(struct packet *p)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(p->port.rx_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len))
		return 0;
	p->missed += stats.tp_drops;
	return stats.tp_drops;
}

void packet_refresh(struct port *port, struct port_stats *stats)
{
	struct packet *p = (struct packet *)port;

	drops(p);
	stats->rx_missed = p->missed;
}

/*
 * Woken with nothing to read: the interface went away or down; or the ring is stuck. A frame whose
 * segmentation type the virtio header cannot express (SCTP) makes the kernel leave the next slot
 * marked as being written for ever, and drop all that follows (tpacket_rcv, rx_owner_map). Then we
 * go on without the ring.
 */
static void idle(struct packet *p)
{
	int err;
	socklen_t len = sizeof(err);

	/* Once told it is no event any more. */
	getsockopt(p->port.rx_fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (!packet_bound(p)) {
		packet_vanish(p);
		return;
	}
	if (!p->rx_ring || !drops(p))
		return;
	if (p->suspect) {
		log_notice("%s: frames of an unknown segmentation type; from now on without a ring",
			   p->port.name);
		packet_rx_plain(p);
	}
	p->suspect = true;
}

/* Drops from @b what is no frame or asks for something odd; the virtio header is before the data.
 */
static void check(struct batch *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++) {
		struct frame *f = &b->frame[i];
		enum drop reason = DROP_NONE;

		if (!f->len)
			reason = DROP_MALFORMED;
		else if (f->len < FRAME_HDR_LEN)
			reason = DROP_RUNT;
		else if (f->len > FRAME_MAX)
			reason = DROP_GIANT;
		else
			memcpy(&f->vnet, f->data - HDR_LEN, HDR_LEN);
		if (!reason)
			reason = offload_check(f);
		if (reason)
			batch_refuse(b, f->total, reason);
		else if (n++ != i)
			b->frame[n - 1] = *f;
	}
	b->n = n;
}

/* Appends a frame of @len bytes at @data, with the tag that the kernel took off. */
static struct frame *append(const struct packet *p, struct batch *b, uint8_t *data, uint32_t len)
{
	struct frame *f = &b->frame[b->n++];

	*f = (struct frame){
		.data = data, .len = len, .total = len, .port = p->port.number, .room = HDR_LEN
	};
	return f;
}

static void set_tag(struct frame *f, uint32_t status, uint16_t tpid, uint16_t tci)
{
	if (status & TP_STATUS_VLAN_VALID)
		f->kept = (struct vtag){ status & TP_STATUS_VLAN_TPID_VALID ? tpid : TPID_8021Q,
					 tci };
}

/* Receives the @n frames that were too long for their slots; they wait in the same order. */
static void receive_long(struct packet *p, struct frame *const *f, unsigned n)
{
	unsigned done = 0, errors = 0;

	while (done < n && errors < 2) { /* ENETDOWN is told once, then come the frames */
		int ret = recvmmsg(p->port.rx_fd, p->in_msg + done, n - done, MSG_DONTWAIT, NULL);

		if (ret > 0)
			done += (unsigned)ret;
		else
			errors++;
	}
	for (unsigned i = 0; i < n; i++)
		if (i >= done || p->in_msg[i].msg_len != p->in_iov[i].iov_len)
			f[i]->len = 0;
}

static void ring_rx(struct packet *p, struct batch *b)
{
	struct frame *long_frame[BATCH_MAX];
	uint8_t *at = b->arena;
	size_t bytes = 0;
	unsigned n_long = 0;

	while (p->rx_held < BATCH_MAX && bytes < BATCH_BYTES) {
		struct tpacket2_hdr *h = slot(p, p->rx_next);
		uint32_t status = status_of(h), len = h->tp_len;
		struct frame *f;

		if (!(status & TP_STATUS_USER)) {
			b->more = false;
			break;
		}
		p->rx_next = p->rx_next + 1 == PACKET_SLOTS ? 0 : p->rx_next + 1;
		p->rx_held++;
		__builtin_prefetch((uint8_t *)h + 64); /* a small frame is here, */
		__builtin_prefetch((uint8_t *)h + 128);
		__builtin_prefetch(slot(p, p->rx_next)); /* the next one there */
		bytes += len;
		if (status & TP_STATUS_COPY) {
			uint32_t take = len < FRAME_MAX ? len : FRAME_MAX;

			f = append(p, b, at + ARENA_PAD + HDR_LEN, len);
			p->in_iov[n_long].iov_base = at + ARENA_PAD;
			p->in_iov[n_long].iov_len = HDR_LEN + take;
			long_frame[n_long++] = f;
			at += (ARENA_PAD + HDR_LEN + take + ARENA_ALIGN - 1) &
			      ~(size_t)(ARENA_ALIGN - 1);
		} else if (h->tp_snaplen < len) { /* the socket's queue was full */
			p->missed++;
			continue;
		} else {
			f = append(p, b, (uint8_t *)h + h->tp_mac, len);
		}
		set_tag(f, status, h->tp_vlan_tpid, h->tp_vlan_tci);
	}
	if (n_long)
		receive_long(p, long_frame, n_long);
}

/* Reads the tag from the control message of message @i. */
static void set_tag_aux(struct packet *p, unsigned i, struct frame *f)
{
	struct msghdr *m = &p->in_msg[i].msg_hdr;
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		set_tag(f, aux.tp_status, aux.tp_vlan_tpid, aux.tp_vlan_tci);
	}
}

static void plain_rx(struct packet *p, struct batch *b)
{
	size_t bytes = 0;
	int n;

	for (unsigned i = 0; i < p->vlen; i++) {
		p->in_iov[i].iov_base = b->arena + i * ARENA_SLOT + ARENA_PAD;
		p->in_iov[i].iov_len = HDR_LEN + FRAME_MAX;
		p->in_msg[i].msg_hdr.msg_control = p->in_aux[i];
		p->in_msg[i].msg_hdr.msg_controllen = sizeof(p->in_aux[i]);
	}
	n = recvmmsg(p->port.rx_fd, p->in_msg, p->vlen, MSG_DONTWAIT, NULL);
	if (n < 0 && errno == EINVAL) { /* a segmentation type that the header cannot express */
		batch_refuse(b, 0, DROP_VNET);
		b->more = true;
		return;
	}
	b->more = n == (int)p->vlen;
	for (unsigned i = 0; n > 0 && i < (unsigned)n; i++) {
		const struct mmsghdr *m = &p->in_msg[i];
		uint32_t len = m->msg_len > HDR_LEN ? (uint32_t)(m->msg_len - HDR_LEN) : 0;

		if (m->msg_hdr.msg_flags & MSG_TRUNC)
			len = FRAME_MAX + 1;
		set_tag_aux(p, i, append(p, b, (uint8_t *)p->in_iov[i].iov_base + HDR_LEN, len));
		bytes += len;
	}
	if (bytes) { /* as many of this size as make a batch */
		size_t fit = BATCH_BYTES * (size_t)n / bytes;

		p->vlen = fit < VLEN_MIN ? VLEN_MIN : fit < BATCH_MAX ? (unsigned)fit : BATCH_MAX;
	}
}

void packet_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct packet *p = (struct packet *)port;

	(void)queue;
	release(p);
	b->n = 0;
	b->more = false;
	if (!p->ifindex)
		return;
	if (p->rx_ring) {
		b->more = true;
		ring_rx(p, b);
	} else {
		plain_rx(p, b);
	}
	if (b->n) {
		p->suspect = false;
	} else if (!b->more && p->woken) {
		p->woken = false;
		idle(p);
	}
	check(b);
}
