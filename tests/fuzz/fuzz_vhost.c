/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry: a hostile vhost-user front-end. The input is a list of records, each a byte that says
 * what and then its arguments: a message with any contents (some with descriptors), bytes written
 * anywhere into the guest's memory, a frame received or sent, memory taken away, time. Before the
 * first one the front-end is set up as a good one would, with features that the first bytes choose,
 * so that little input reaches the rings.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "ports/kinds.h"
#include "ports/offload.h"
#include "ports/vhost.h"
#include "tests/unit/front_start.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t deadline;
static volatile uint8_t sink;

static void on_watch(void *ctx, struct port *port, int fd, unsigned what)
{
	(void)ctx, (void)port, (void)fd, (void)what;
}

static void on_deadline(void *ctx, struct port *port, uint64_t at_ms)
{
	(void)ctx, (void)port;
	deadline = at_ms;
}

static void on_link(void *ctx, struct port *port, const struct link *link)
{
	(void)ctx;
	port->link = *link;
}

static const struct port_host host = { .watch = on_watch,
				       .deadline = on_deadline,
				       .link_changed = on_link };

struct input {
	const uint8_t *p;
	size_t left;
};

static uint32_t take(struct input *in, unsigned n)
{
	uint32_t v = 0;

	for (; n && in->left; n--, in->left--)
		v = v << 8 | *in->p++;
	return v;
}

/* Reads every byte of every frame, as an egress port would. */
static void read_frames(const struct batch *b)
{
	static uint8_t bytes[FRAME_MAX];

	for (unsigned i = 0; i < b->n; i++) {
		const struct frame *f = &b->frame[i];
		struct offload o;
		struct wire w;

		frame_copy(f, 0, f->total, bytes);
		for (unsigned cut = 0;
		     !offload_begin(&o, f, false, 0) && cut < 64 && offload_next(&o, &w); cut++)
			for (unsigned k = 1; k < w.n_iov; k++)
				sink = *(const uint8_t *)w.iov[k].iov_base;
	}
}

static void receive(struct port *port, struct batch *b)
{
	port->ops->rx(port, 0, b);
	read_frames(b);
	port->ops->done(port, 0, b);
}

static void transmit(struct port *port, struct txq *q, struct input *in)
{
	static uint8_t bytes[256];
	static struct iovec tail;
	static uint8_t more[65536];
	struct frame f = { .data = bytes, .len = 64, .total = 64 };

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)take(in, 1);
	if (bytes[0] & 1) {
		tail = (struct iovec){ more, 1 + bytes[1] * 200u };
		f.len = 256;
		f.total = 256 + (uint32_t)tail.iov_len;
		f.n_tail = 1;
		f.tail = &tail;
	}
	q->n = 1 + bytes[2] % BATCH_MAX;
	for (unsigned i = 0; i < q->n; i++)
		q->entry[i] = (struct txq_entry){ .frame = &f };
	port->ops->tx(port, 0, q);
}

static void message(struct front *f, struct input *in)
{
	uint8_t payload[272] = { 0 };
	uint32_t request = take(in, 1), flags = take(in, 1), size = take(in, 2) % sizeof(payload);
	int fds[4] = { f->mem_fd, f->kick[0], f->call[0], f->mem_fd };

	for (unsigned i = 0; i < size; i++)
		payload[i] = (uint8_t)take(in, 1);
	front_send_part(f, request, flags & 12, payload, flags & 16 ? size + 3 : size, size,
			fds + (flags & 1), flags >> 5 & 3);
}

static void scribble(struct front *f, struct input *in)
{
	uint32_t at = take(in, 3) % (FRONT_SIZE - 256), n = take(in, 1);

	if (f->mem)
		for (unsigned i = 0; i < n; i++)
			f->mem[at + i] = (uint8_t)take(in, 1);
}

static void offer(struct front *f, struct input *in)
{
	struct front_buffer b[4];
	unsigned n = 1 + take(in, 1) % 4, q = take(in, 1) % FRONT_QUEUES;

	for (unsigned i = 0; i < n; i++) {
		b[i].gpa = FRONT_GPA + take(in, 3);
		b[i].len = take(in, 2);
		b[i].flags = (uint16_t)((q % 2 ? 0 : 2) ^ (take(in, 1) & 6));
	}
	if (f->mem)
		front_offer(f, q, b, n);
}

/*
 * What goes wrong here is the front-end's fault only if the sanitizers say nothing: it is enough to
 * survive.
 */
static void play(struct port *port, struct front *f, struct batch *b, struct txq *q,
		 struct input *in)
{
	struct vhost *v = (struct vhost *)port;
	uint64_t now = 1000;

	while (in->left) {
		switch (take(in, 1) % 8) {
		case 0:
			message(f, in);
			break;
		case 1:
			scribble(f, in);
			break;
		case 2:
		case 3:
			offer(f, in);
			break;
		case 4:
			receive(port, b);
			break;
		case 5:
			transmit(port, q, in);
			break;
		case 6:
			now += take(in, 1) * 8;
			break;
		case 7:
			if (take(in, 1) == 7 && f->mem) {
				munmap(f->mem, FRONT_SIZE);
				f->mem = NULL;
				if (ftruncate(f->mem_fd, take(in, 3)))
					abort();
			}
			break;
		}
		if (v->fd >= 0)
			port->ops->event(port, v->fd, PORT_IN, now);
		else
			break;
		if (deadline <= now)
			port->ops->timer(port, now);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t choice[] = { F(34), F(29),        F(28),
					   F(22), F(0) | F(11), F(1) | F(7) | F(8) };
	static struct port_spec spec;
	static struct batch b;
	static struct txq q;
	struct input in = { data, size };
	struct front f = { .fd = -1 };
	struct port_stats stats = { .rx = 0 };
	uint64_t features = FRONT_FEATURES;
	uint32_t bits = take(&in, 1);
	struct port *port;
	struct error err;
	char text[96];

	deadline = UINT64_MAX;
	if (!b.arena && batch_init(&b))
		abort();
	b.stats = &stats;
	snprintf(text, sizeof(text), "vhost-user:/tmp/fuzz-vhost-%d.sock,name=v,poll=0",
		 (int)getpid());
	log_set_level(LOG_LEVEL_ERROR);
	if (port_spec_parse(text, &spec, &err) || spec.ops->open(&spec, NULL, &host, &port, &err))
		abort();
	front_memory(&f);
	if (!front_connect(&f, ((struct vhost *)port)->path))
		abort();
	fcntl(f.fd, F_SETFL, O_NONBLOCK);
	port->ops->event(port, ((struct vhost *)port)->listen_fd, PORT_IN, 1000);
	for (unsigned i = 0; i < sizeof(choice) / sizeof(choice[0]); i++)
		if (bits >> i & 1)
			features |= choice[i];
	front_setup(&f, features, bits & 64 ? 2 : 1, bits & 128 ? 4 : 64);
	port->ops->event(port, ((struct vhost *)port)->fd, PORT_IN, 1000);
	if (!port->link.carrier)
		abort();
	play(port, &f, &b, &q, &in);
	port->ops->close(port);
	if (!f.mem)
		f.mem = mmap(NULL, FRONT_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	front_close(&f);
	return 0;
}
