/* SPDX-License-Identifier: MIT */
/*
 * Sending. What is not a super-frame is written to slots of a ring and goes out with one system
 * call for a whole queue; the kernel copies each into one piece (virtio hdr_len says how much, and
 * we say all). A frame then costs a fifth less than by sendmmsg(). Besides, the ring has no MTU
 * check, and the kernel's bridge lets frames of up to four bytes over the MTU pass. Super-frames,
 * and whatever the ring did not take, go by sendmmsg().
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/packet.h"

#define SLOT_OFFSET (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll)) /* of the data in a slot */
#define SLOTS_WANTED 124u
#define BLOCKS_MAX 16u

void packet_tx_init(struct packet *p)
{
	for (unsigned i = 0; i < BATCH_MAX; i++)
		p->out_msg[i].msg_hdr.msg_iov = p->wire[i].iov;
}

void packet_tx_reset(struct packet *p)
{
	if (p->ring_fd < 0)
		return;
	munmap(p->tx_ring, (size_t)p->tx_blocks * p->tx_block);
	port_discard(&p->port, p->ring_fd);
	p->ring_fd = -1;
}

/* Chooses slots for all that may go to an interface with our MTU. */
static void plan(struct packet *p)
{
	uint32_t need = (uint32_t)(SLOT_OFFSET + sizeof(struct vnet_hdr)) + p->port.link.mtu +
			FRAME_HDR_LEN + 2 * FRAME_TAG_LEN;
	uint32_t per_block;

	p->tx_slot = need <= PACKET_SLOT ? PACKET_SLOT : (need + 63) / 64 * 64;
	p->tx_block = (p->tx_slot + PACKET_BLOCK - 1) / PACKET_BLOCK * PACKET_BLOCK;
	per_block = p->tx_block / p->tx_slot;
	p->tx_blocks = (SLOTS_WANTED + per_block - 1) / per_block;
	if (p->tx_blocks > BLOCKS_MAX)
		p->tx_blocks = BLOCKS_MAX;
	p->tx_slots = p->tx_blocks * per_block;
	p->tx_next = 0;
}

void packet_tx_open(struct packet *p)
{
	int version = TPACKET_V2, direct = p->direct, fd;
	struct tpacket_req req;

	packet_tx_reset(p);
	fd = packet_tx_socket(p);
	if (fd < 0)
		return;
	plan(p);
	req = (struct tpacket_req){ p->tx_block, p->tx_blocks, p->tx_slot, p->tx_slots };
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &direct, sizeof(direct));
	if (!setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) &&
	    !setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, sizeof(req))) {
		p->tx_ring = mmap(NULL, (size_t)p->tx_blocks * p->tx_block, PROT_READ | PROT_WRITE,
				  MAP_SHARED, fd, 0);
		if (p->tx_ring != MAP_FAILED) {
			p->ring_fd = fd;
			return;
		}
	}
	log_info("%s: no send ring (%s), sending without", p->port.name, strerror(errno));
	close(fd);
}

static struct tpacket2_hdr *slot(const struct packet *p, uint32_t i)
{
	uint32_t per_block = p->tx_block / p->tx_slot;

	return (void *)(p->tx_ring + (size_t)(i / per_block) * p->tx_block +
			i % per_block * p->tx_slot);
}

static uint32_t status_of(const struct tpacket2_hdr *h)
{
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
}

static bool ringable(const struct packet *p, const struct wire *w)
{
	return !w->vnet.gso_type && SLOT_OFFSET + sizeof(w->vnet) + w->len <= p->tx_slot;
}

/* Writes @w to the slot @h. */
static void put(struct tpacket2_hdr *h, const struct wire *w)
{
	uint8_t *at = (uint8_t *)h + SLOT_OFFSET;
	struct vnet_hdr vnet = w->vnet;

	vnet.hdr_len = (uint16_t)w->len;
	memcpy(at, &vnet, sizeof(vnet));
	at += sizeof(vnet);
	for (unsigned i = 1; i < w->n_iov; i++) {
		memcpy(at, w->iov[i].iov_base, w->iov[i].iov_len);
		at += w->iov[i].iov_len;
	}
	h->tp_len = (uint32_t)sizeof(vnet) + w->len;
	__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
}

/*
 * Sends wires @from.. as far as they are for the ring, before @n. Returns how many went; *@ok
 * becomes false when the ring is full or the kernel did not take one of them: sendmmsg() will know
 * the reason.
 */
static unsigned send_ring(struct packet *p, unsigned from, unsigned n, bool *ok)
{
	uint32_t first = p->tx_next, next = first;
	unsigned sent = 0;

	while (from + sent < n && sent < p->tx_slots && ringable(p, &p->wire[from + sent])) {
		struct tpacket2_hdr *h = slot(p, next);

		if (status_of(h) != TP_STATUS_AVAILABLE) {
			*ok = false;
			break;
		}
		put(h, &p->wire[from + sent++]);
		next = next + 1 == p->tx_slots ? 0 : next + 1;
	}
	if (!sent)
		return 0;
	send(p->ring_fd, NULL, 0, MSG_DONTWAIT);
	for (; sent; sent--) { /* what was not taken is at the end */
		struct tpacket2_hdr *h = slot(p, (first + sent - 1) % p->tx_slots);

		if (!(status_of(h) & (TP_STATUS_SEND_REQUEST | TP_STATUS_WRONG_FORMAT)))
			break;
		__atomic_store_n(&h->tp_status, TP_STATUS_AVAILABLE, __ATOMIC_RELEASE);
		*ok = false;
	}
	p->tx_next = (first + sent) % p->tx_slots;
	return sent;
}

/*
 * Past the queueing discipline nobody cuts a super-frame for an interface that cannot do so itself;
 * it is dropped as if the queue was full. Sends message @m the usual way and, if that helps, stays
 * with it. Returns 0 or -errno.
 */
static int send_queued(struct packet *p, const struct msghdr *m)
{
	int on = 1, off = 0, ret;

	if (setsockopt(p->tx_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &off, sizeof(off)))
		return -errno;
	ret = sendmsg(p->tx_fd, m, MSG_DONTWAIT) < 0 ? -errno : 0;
	if (ret) {
		setsockopt(p->tx_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
		return ret;
	}
	if (p->ring_fd >= 0)
		setsockopt(p->ring_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &off, sizeof(off));
	p->direct = false;
	log_info("%s: the interface %s does not segment by itself; using its queueing discipline",
		 p->port.name, p->ifname);
	return 0;
}

/* Sends wire @i, which is longer than sendmsg() allows, through the ring. Returns 0 or -errno. */
static int send_long(struct packet *p, unsigned i)
{
	bool ok = true;

	if (p->ring_fd < 0)
		packet_tx_open(p);
	if (p->ring_fd < 0 || !ringable(p, &p->wire[i]))
		return -EMSGSIZE;
	return send_ring(p, i, i + 1, &ok) ? 0 : -ENOBUFS;
}

/* What became of wire @i, which sendmsg() refused with @code, a negative errno. */
static enum drop refused(struct packet *p, unsigned i, int code)
{
	if (code == -ENOBUFS && p->wire[i].vnet.gso_type && p->direct && p->port.link.carrier)
		code = send_queued(p, &p->out_msg[i].msg_hdr);
	else if (code == -EMSGSIZE)
		code = send_long(p, i);
	switch (-code) {
	case 0:
		return DROP_NONE;
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_FULL;
	case EMSGSIZE:
		return DROP_MTU;
	case ENETDOWN:
		return DROP_DOWN;
	case ENXIO:
	case ENODEV:
		packet_vanish(p);
		return DROP_DOWN;
	}
	return DROP_ERROR;
}

/* Sends wires @from..@from+@n by sendmmsg(). */
static void send_plain(struct packet *p, unsigned from, unsigned n, struct port_stats *stats)
{
	for (unsigned end = from + n; from < end;) {
		enum drop reason = p->ifindex ? DROP_NONE : DROP_DOWN;
		int ret = 1;

		if (!reason)
			ret = sendmmsg(p->tx_fd, p->out_msg + from, end - from, MSG_DONTWAIT);
		if (ret <= 0) {
			reason = refused(p, from, -errno);
			ret = 1;
		}
		for (; ret; ret--, from++) {
			stats->tx_segments += !reason;
			txq_count(stats, p->out[from], reason);
		}
	}
}

/* Sends wires 0..@n, in their order. */
static void flush(struct packet *p, unsigned n, struct port_stats *stats)
{
	bool ok = true; /* the ring takes frames */

	for (unsigned i = 0, run; i < n; i += run) {
		ok = ok && p->ring_fd >= 0;
		run = ok ? send_ring(p, i, n, &ok) : 0;
		for (unsigned k = 0; k < run; k++)
			txq_count(stats, p->out[i + k], DROP_NONE);
		stats->tx_segments += run;
		if (run)
			continue;
		for (run = 1; i + run < n && !(ok && ringable(p, &p->wire[i + run]));)
			run++;
		send_plain(p, i, run, stats);
	}
}

/* Describes the frame of wire @i, which is filled in, to sendmsg(). */
static void prepare(struct packet *p, unsigned i)
{
	struct wire *w = &p->wire[i];

	w->iov[0].iov_base = &w->vnet;
	w->iov[0].iov_len = sizeof(w->vnet);
	p->out_msg[i].msg_hdr.msg_iovlen = w->n_iov;
}

/* Cuts and completes the frame of @e for an interface that cannot be given it as it is. */
static void send_cut(struct packet *p, const struct txq_entry *e, struct port_stats *stats)
{
	struct offload o;
	enum drop reason = offload_begin(&o, e->frame, e->tagged, p->port.caps);

	while (!reason && offload_next(&o, &p->wire[0])) {
		prepare(p, 0);
		if (!p->ifindex)
			reason = DROP_DOWN;
		else if (sendmsg(p->tx_fd, &p->out_msg[0].msg_hdr, MSG_DONTWAIT) < 0)
			reason = refused(p, 0, -errno);
		stats->tx_segments += !reason;
	}
	txq_count(stats, e, reason);
}

void packet_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct packet *p = (struct packet *)port;
	unsigned n = 0;

	(void)queue;
	for (unsigned i = 0; i < q->n; i++) {
		const struct txq_entry *e = &q->entry[i];

		if (!offload_fits(e->frame, port->caps)) {
			flush(p, n, &q->stats);
			n = 0;
			send_cut(p, e, &q->stats);
			continue;
		}
		wire_build(&p->wire[n], e->frame, e->tagged);
		prepare(p, n);
		p->out[n++] = e;
	}
	flush(p, n, &q->stats);
	q->n = 0;
}
