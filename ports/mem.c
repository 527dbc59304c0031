/* SPDX-License-Identifier: MIT */
#include "ports/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ports/batch.h"
#include "ports/kinds.h"

/* The last MEM_RING frames that went one way; memory that no frame has touched is not resident. */
struct ring {
	uint64_t head, tail; /* frames ever added and taken */
	struct mem_frame *slot;
};

struct mem {
	struct port port;
	struct ring in, out;
};

static struct mem *mem_of(struct port *port)
{
	return (struct mem *)port;
}

static struct mem_frame *ring_slot(const struct ring *r, uint64_t i)
{
	return &r->slot[i % MEM_RING];
}

static void mem_close(struct port *port)
{
	struct mem *m = mem_of(port);

	port->host->watch(port->host->ctx, port, port->rx_fd, 0);
	close(port->rx_fd);
	free(m->in.slot);
	free(m->out.slot);
	free(m);
}

static int mem_open(const struct port_spec *spec, const struct link *link,
		    const struct port_host *host, struct port **portp, struct error *err)
{
	struct mem *m = calloc(1, sizeof(*m));
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)link;
	if (m) {
		m->in.slot = calloc(MEM_RING, sizeof(*m->in.slot));
		m->out.slot = calloc(MEM_RING, sizeof(*m->out.slot));
	}
	if (fd < 0 || !m || !m->in.slot || !m->out.slot) {
		int ret = fd < 0 ? -errno : -ENOMEM;

		if (fd >= 0)
			close(fd);
		if (m) {
			free(m->in.slot);
			free(m->out.slot);
		}
		free(m);
		return error_set(err, ret, "mem: %s", strerror(-ret));
	}
	m->port.ops = &mem_ops;
	m->port.host = host;
	m->port.caps = OFFLOAD_ALL;
	m->port.rx_fd = fd;
	m->port.link = (struct link){ .present = true, .up = true, .carrier = true };
	memcpy(m->port.name, spec->name, sizeof(m->port.name));
	*portp = &m->port;
	host->watch(host->ctx, &m->port, fd, PORT_IN);
	return 0;
}

/* A test tells what the link is now. */
static void mem_link(struct port *port, const struct link *link)
{
	port->host->link_changed(port->host->ctx, port, link);
}

static void mem_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct ring *r = &mem_of(port)->in;
	eventfd_t wakeups;

	(void)queue;
	b->n = 0;
	while (r->tail != r->head && batch_room(b)) {
		const struct mem_frame *f = ring_slot(r, r->tail++);

		if (!batch_add(b, f->data, f->len, &f->vnet))
			b->frame[b->n - 1].port = port->number;
	}
	b->more = r->tail != r->head;
	if (!b->more)
		eventfd_read(port->rx_fd, &wakeups);
}

/* Stores the frame that @w describes, in place of the oldest if need be. */
static void ring_store(struct ring *r, const struct wire *w)
{
	struct mem_frame *f = ring_slot(r, r->head);
	uint32_t at = 0;

	if (r->head - r->tail == MEM_RING)
		r->tail++;
	r->head++;
	f->vnet = w->vnet;
	f->len = w->len;
	for (unsigned i = 1; i < w->n_iov; i++) {
		memcpy(f->data + at, w->iov[i].iov_base, w->iov[i].iov_len);
		at += (uint32_t)w->iov[i].iov_len;
	}
}

static void mem_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct mem *m = mem_of(port);
	struct offload o;
	struct wire w;
	unsigned n;

	(void)queue;
	for (unsigned i = 0; i < q->n; i++) {
		const struct txq_entry *e = &q->entry[i];
		enum drop drop = offload_begin(&o, e->frame, e->tagged, port->caps);

		for (n = 0; !drop && offload_next(&o, &w); n++)
			ring_store(&m->out, &w);
		q->stats.tx_segments += n;
		txq_count(&q->stats, e, drop);
	}
	q->n = 0;
}

int mem_push(struct port *port, const uint8_t *bytes, uint32_t len, const struct vnet_hdr *vnet)
{
	struct ring *r = &mem_of(port)->in;
	struct mem_frame *f = ring_slot(r, r->head);

	if (len > sizeof(f->data))
		return -EMSGSIZE;
	if (r->head - r->tail == MEM_RING)
		return -ENOBUFS;
	r->head++;
	f->vnet = vnet ? *vnet : (struct vnet_hdr){ 0 };
	f->len = len;
	memcpy(f->data, bytes, len);
	return eventfd_write(port->rx_fd, 1) < 0 ? -errno : 0;
}

const struct mem_frame *mem_pop(struct port *port)
{
	struct ring *r = &mem_of(port)->out;

	return r->tail == r->head ? NULL : ring_slot(r, r->tail++);
}

static const struct port_option mem_options[] = { { .name = NULL } };

const struct port_ops mem_ops = {
	.kind = "mem",
	.help = "in memory: what is sent to it is discarded",
	.options = mem_options,
	.open = mem_open,
	.close = mem_close,
	.link = mem_link,
	.rx = mem_rx,
	.tx = mem_tx,
};
