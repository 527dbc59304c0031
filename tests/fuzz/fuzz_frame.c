/* SPDX-License-Identifier: MIT */
/*
 * Fuzz entry: anything a port can hand in. The input is a list of records: one byte of port and
 * kind, two of length, ten of virtio header, then the frame. Each goes the whole way: tag lifted,
 * header checked, bridged, and every copy is built for ports with different capabilities; a kind
 * bit changes a setting instead. Counters must balance.
 */
#include <stdlib.h>

#include "fdb/mac.h"
#include "ports/offload.h"
#include "switch/bridge.h"

#define PORTS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

/*
 * Reads every byte that would be written, so that the sanitizer sees a vector that points astray.
 */
static void write_out(const struct wire *w)
{
	uint32_t len = 0;

	for (unsigned i = 1; i < w->n_iov; i++) {
		const uint8_t *p = w->iov[i].iov_base;

		for (size_t j = 0; j < w->iov[i].iov_len; j++)
			sink = p[j];
		len += (uint32_t)w->iov[i].iov_len;
	}
	if (len != w->len)
		abort();
}

static void send_entry(struct txq *q, const struct txq_entry *e, uint32_t caps)
{
	struct wire w;

	if (offload_fits(e->frame, caps)) {
		wire_build(&w, e->frame, e->tagged);
		write_out(&w);
		q->stats.tx++;
	} else {
		struct offload o;

		if (offload_begin(&o, e->frame, e->tagged, caps)) {
			q->stats.drop_out[DROP_OFFLOAD]++;
			return;
		}
		while (offload_next(&o, &w))
			write_out(&w);
		q->stats.tx++;
	}
}

static void flush(struct outbox *out)
{
	static const uint32_t caps[PORTS] = { 0, OFFLOAD_ALL, OFFLOAD_CSUM,
					      OFFLOAD_CSUM | OFFLOAD_TSO4 };

	PORTSET_FOREACH(n, &out->busy, PORTSET_WORDS) {
		struct txq *q = out->txq[n];

		for (unsigned i = 0; i < q->n; i++)
			send_entry(q, &q->entry[i], caps[n % PORTS]);
		q->n = 0;
	}
	memset(&out->busy, 0, sizeof(out->busy));
	out->n_events = 0;
}

static void balance(const struct bridge *br, const struct outbox *out)
{
	for (uint16_t n = bridge_port_next(br, 0); n != PORT_NONE;
	     n = bridge_port_next(br, (uint16_t)(n + 1))) {
		const struct port_stats *s = &out->txq[n]->stats;
		uint64_t in = s->forwarded + s->consumed, tx = s->tx;

		for (unsigned i = 0; i < DROP_MAX; i++) {
			in += s->drop_in[i];
			tx += s->drop_out[i];
		}
		if (in != s->rx || tx != s->queued)
			abort();
	}
}

static void input(struct bridge *br, struct batch *b, uint16_t port, const uint8_t *vnet,
		  const uint8_t *bytes, size_t len, uint64_t now, struct outbox *out)
{
	struct frame *f = &b->frame[0];
	enum drop drop;

	memcpy(b->arena + 64, bytes, len);
	*f = (struct frame){
		.data = b->arena + 64, .len = (uint32_t)len, .total = (uint32_t)len, .port = port
	};
	memcpy(&f->vnet, vnet, sizeof(f->vnet));
	b->stats = &out->txq[port]->stats;
	drop = len < FRAME_HDR_LEN ? DROP_RUNT : frame_lift_tag(f);
	if (!drop)
		drop = offload_check(f);
	if (drop) {
		b->stats->rx++;
		b->stats->drop_in[drop]++;
		return;
	}
	b->n = 1;
	bridge_input(br, b, 0, now, out);
	flush(out);
}

static void setting(struct bridge *br, const uint8_t *v, uint64_t now, struct outbox *out)
{
	uint16_t port = v[1] % PORTS;

	switch (v[0] % 6) {
	case 0:
		bridge_set(br, (enum bridge_attr)(v[1] % BRIDGE_ATTR_MAX),
			   v[2] | (uint64_t)v[3] << 8, now, out);
		break;
	case 1:
		bridge_port_set(br, port, (enum port_attr)(v[2] % PORT_ATTR_MAX), v[3], now, out);
		break;
	case 2:
		bridge_vlan_add(br, port, v[2] | (v[3] & 15u) << 8, v[2] | (v[3] & 15u) << 8,
				v[3] >> 4 & 3, now, out);
		break;
	case 3:
		bridge_vlan_del(br, port, v[2], v[2] | (v[3] & 15u) << 8, now, out);
		break;
	case 4:
		bridge_fdb_add(br,
			       &(struct fdb_entry){ .mac = UINT64_C(0x020000000000) + v[2],
						    .port = port,
						    .flags = v[3] & 7 },
			       true, FDB_MODE_REPLACE, now, out);
		break;
	case 5:
		bridge_tick(br, now, out);
		break;
	}
	out->n_events = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t secret[2] = { 1, 2 };
	static struct batch batch;
	struct bridge *br = bridge_new(FDB_SIZE_MIN, secret);
	struct outbox *out = outbox_new();
	uint64_t now = 1000;

	if (!br || !out || (!batch.arena && batch_init(&batch)))
		abort();
	for (uint16_t n = 0; n < PORTS; n++) {
		struct link link = { .present = true,
				     .up = true,
				     .carrier = true,
				     .mtu = 1500,
				     .mac = UINT64_C(0x060000000000) + n };
		char name[] = { 'p', (char)('0' + n), '\0' };

		bridge_port_add(br, n, name, true, now, out);
		bridge_port_link(br, n, &link, now, out);
	}
	while (size >= 13) {
		size_t len = data[1] | (size_t)data[2] << 8, left = size - 13;

		now += data[0] >> 3;
		if (len > left)
			len = left;
		if (data[0] & 4)
			setting(br, data + 3, now, out);
		else
			input(br, &batch, data[0] % PORTS, data + 3, data + 13, len, now, out);
		data += 13 + len;
		size = left - len;
	}
	balance(br, out);
	outbox_free(out);
	bridge_free(br);
	return 0;
}
