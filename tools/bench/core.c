/* SPDX-License-Identifier: MIT */
/*
 * core: what one frame costs in the forwarding core, without any I/O.
 *
 *	core -s 1000000 -t 2
 *
 * Stations are spread evenly over the ports and all learned first. Then batches of 64 frames, each
 * from a random port, between random stations of different ports, go through bridge_input(). As
 * behind a driver, every frame lies in a buffer of its own and its addresses have just been
 * written; that writing is not timed, emptying the queues is. Every frame must leave at exactly
 * one port, else the run fails. The result is one JSON object on standard output. With -v the
 * bridge filters VLANs: odd ports carry VLAN 10 tagged, even ones untagged.
 */
#include <getopt.h>
#include <stdbool.h>

#include "fdb/mac.h"
#include "switch/bridge.h"
#include "tools/bench/bench.h"

#define STRIDE (2048 + 64) /* between frame buffers: not a multiple of the page */
#define FRAME_LEN 60
#define VID 10u
#define SLICES 20 /* of the run; the median slice is the result */

struct bench {
	struct bridge *br;
	struct outbox *out;
	struct batch in;
	uint8_t *buffers;
	uint32_t n_stations, n_ports;
	uint64_t random, start_ns;
	bool vlans;
};

/* Milliseconds since the start, plus some, so that the clock never reads 0. */
static uint64_t now_ms(const struct bench *b)
{
	return 1000 + (clock_ns() - b->start_ns) / 1000000;
}

/* A random number below n. */
static uint32_t below(struct bench *b, uint32_t n)
{
	return (uint32_t)(((mix(b->random++) >> 32) * n) >> 32);
}

static uint64_t station_mac(uint32_t station)
{
	return UINT64_C(0x02a000000000) | station;
}

/* Stations are numbered so that station s is behind port 1 + s % n_ports. */
static uint32_t station_at(struct bench *b, uint32_t port)
{
	uint32_t each = b->n_stations / b->n_ports;

	return below(b, each) * b->n_ports + (port - 1);
}

static void open_bench(struct bench *b, uint32_t fdb_size)
{
	const uint64_t secret[2] = { mix(clock_ns()), mix((uint64_t)getpid()) };
	struct link link = { .present = true, .up = true, .carrier = true, .mtu = 1500 };
	char name[PORT_NAME_MAX];

	b->start_ns = clock_ns();
	b->br = bridge_new(fdb_size, secret);
	b->out = outbox_new();
	b->buffers = aligned_alloc(64, (size_t)BATCH_MAX * STRIDE);
	if (!b->br || !b->out || !b->buffers)
		die("memory");
	if (bridge_set(b->br, BRIDGE_VLAN_FILTERING, b->vlans, now_ms(b), b->out))
		die("vlan_filtering");
	for (uint16_t port = 1; port <= b->n_ports; port++) {
		snprintf(name, sizeof(name), "p%u", port);
		link.mac = UINT64_C(0x02f000000000) | port;
		if (outbox_port_add(b->out, port) ||
		    bridge_port_add(b->br, port, name, false, now_ms(b), b->out) ||
		    bridge_port_link(b->br, port, &link, now_ms(b), b->out))
			die("bridge_port_add");
		if (b->vlans &&
		    bridge_vlan_add(b->br, port, VID, VID, port & 1 ? 0 : VLAN_PVID | VLAN_UNTAGGED,
				    now_ms(b), b->out))
			die("bridge_vlan_add");
		b->out->n_events = 0;
	}
}

static void close_bench(struct bench *b)
{
	for (uint16_t port = 1; port <= b->n_ports; port++) {
		bridge_port_del(b->br, port, now_ms(b), b->out);
		outbox_port_del(b->out, port);
		b->out->n_events = 0;
	}
	bridge_free(b->br);
	outbox_free(b->out);
	free(b->buffers);
}

static void put_frame(struct bench *b, unsigned i, uint32_t port, uint64_t dst, uint64_t src)
{
	struct frame *f = &b->in.frame[i];

	*f = (struct frame){ .data = b->buffers + (size_t)i * STRIDE,
			     .len = FRAME_LEN,
			     .total = FRAME_LEN,
			     .port = (uint16_t)port };
	if (b->vlans && port & 1)
		f->kept = (struct vtag){ TPID_8021Q, VID };
	mac_store(f->data, dst);
	mac_store(f->data + MAC_LEN, src);
	f->data[12] = 0x08;
	f->data[13] = 0x00;
}

/* Empties the queues as drivers would; returns how many frames were in them. */
static unsigned flush(struct bench *b)
{
	unsigned sent = 0;

	PORTSET_FOREACH(port, &b->out->busy, PORTSET_WORDS) {
		struct txq *q = b->out->txq[port];

		sent += q->n;
		q->stats.tx += q->n;
		q->n = 0;
		portset_del(&b->out->busy, port);
	}
	b->out->n_events = 0;
	return sent;
}

/* Puts the batch through the bridge; returns how many frames came out. */
static unsigned forward(struct bench *b, uint32_t port, uint64_t now)
{
	unsigned done = 0, sent = 0;

	b->in.stats = &b->out->txq[port]->stats;
	b->in.stats->rx += b->in.n;
	while (done < b->in.n) {
		done += bridge_input(b->br, &b->in, done, now, b->out);
		sent += flush(b);
	}
	if (bridge_next(b->br, now) <= now) {
		bridge_tick(b->br, now, b->out);
		sent += flush(b);
	}
	return sent;
}

/* Every station sends one frame to a station that is not there. */
static void learn_all(struct bench *b)
{
	for (uint32_t port = 1; port <= b->n_ports; port++) {
		for (uint32_t s = port - 1; s < b->n_stations; s += b->n_ports * BATCH_MAX) {
			b->in.n = 0;
			for (uint32_t t = s; t < b->n_stations && b->in.n < BATCH_MAX;
			     t += b->n_ports)
				put_frame(b, b->in.n++, port, station_mac(UINT32_MAX),
					  station_mac(t));
			forward(b, port, now_ms(b));
		}
	}
}

/* Runs batches for `seconds`; returns nanoseconds a frame and adds to the totals. */
static double run_slice(struct bench *b, double seconds, uint64_t *frames, uint64_t *sent)
{
	uint64_t end = clock_ns() + (uint64_t)(seconds * 1e9), busy = 0, n = 0;

	while (clock_ns() < end) {
		uint32_t port = 1 + below(b, b->n_ports), to;
		uint64_t before;

		for (b->in.n = 0; b->in.n < BATCH_MAX; b->in.n++) {
			to = 1 + (port + below(b, b->n_ports - 1)) % b->n_ports;
			put_frame(b, b->in.n, port, station_mac(station_at(b, to)),
				  station_mac(station_at(b, port)));
		}
		before = clock_ns();
		*sent += forward(b, port, 1000 + (before - b->start_ns) / 1000000);
		busy += clock_ns() - before;
		n += BATCH_MAX;
	}
	*frames += n;
	return (double)busy / (double)n;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static struct bench b = { .n_stations = 1000, .n_ports = 8 };
	double seconds = 1, slice[SLICES];
	uint64_t frames = 0, sent = 0;
	uint32_t fdb_size = FDB_SIZE_DEFAULT;
	bool ok = true;
	int c;

	while (ok && (c = getopt(argc, argv, "s:p:t:v")) != -1) {
		if (c == 's')
			b.n_stations = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'p')
			b.n_ports = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 't')
			seconds = atof(optarg);
		else if (c == 'v')
			b.vlans = true;
		else
			ok = false;
	}
	if (!ok || optind != argc || b.n_ports < 2 || b.n_ports >= PORT_MAX ||
	    b.n_stations < b.n_ports || b.n_stations > FDB_SIZE_MAX / 2 || seconds <= 0) {
		fputs("usage: core [-s STATIONS] [-p PORTS] [-t SECONDS] [-v]\n", stderr);
		return 2;
	}
	while (fdb_size < 2 * b.n_stations)
		fdb_size *= 2;
	open_bench(&b, fdb_size);
	learn_all(&b);
	for (unsigned i = 0; i < SLICES; i++)
		slice[i] = run_slice(&b, seconds / SLICES, &frames, &sent);
	qsort(slice, SLICES, sizeof(slice[0]), compare);
	printf("{\"stations\":%u,\"ports\":%u,\"fdb_size\":%u,\"frames\":%llu,\"sent\":%llu,"
	       "\"ns_per_frame\":%.2f,\"best\":%.2f,\"worst\":%.2f}\n",
	       b.n_stations, b.n_ports, fdb_size, (unsigned long long)frames,
	       (unsigned long long)sent, slice[SLICES / 2], slice[0], slice[SLICES - 1]);
	close_bench(&b);
	if (sent != frames) {
		fputs("core: not every frame left at exactly one port\n", stderr);
		return 1;
	}
	return 0;
}
