/* SPDX-License-Identifier: MIT */
/*
 * Bits a second through two vhost-user ports, as guests' kernels send them: one native front-end
 * fills its transmit ring with TCP super-frames, cut or not, the other counts what comes into its
 * mergeable receive buffers. One thread plays both. Prints JSON.
 */
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#include "tests/unit/front_start.h"
#include "tools/bench/bench.h"

#define NUM 256u
#define HDR 12u
#define PIECE 4096u /* bytes of a buffer: a page */
#define TX_AT FRONT_BUFFER_AT
#define RX_AT (FRONT_BUFFER_AT + (1u << 20))
#define MSS 1448u
#define WARM_NS 300000000u

enum { TO_GUEST, FROM_GUEST };

static unsigned length = 65000;
static double seconds = 3;

/* Writes a frame, its virtio header first. */
static void make(uint8_t *at)
{
	static const uint8_t eth[14] = { 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0 };
	struct iphdr ip = { .version = 4,
			    .ihl = 5,
			    .ttl = 64,
			    .protocol = IPPROTO_TCP,
			    .tot_len = htons((uint16_t)(length - 14)),
			    .saddr = htonl(0x0a000001),
			    .daddr = htonl(0x0a000002) };
	struct tcphdr tcp = { .source = htons(1), .dest = htons(2), .doff = 5, .ack = 1 };
	uint16_t vnet[6] = { 1, 54, MSS, 34, 16, 0 };

	if (length > 1514)
		vnet[0] |= 1 << 8; /* VIRTIO_NET_HDR_GSO_TCPV4 */
	else
		vnet[2] = 0;
	memcpy(at, vnet, HDR);
	memcpy(at + HDR, eth, sizeof(eth));
	memcpy(at + HDR + 14, &ip, sizeof(ip));
	memcpy(at + HDR + 34, &tcp, sizeof(tcp));
}

/* Neither ring is to call us; we kick when the switch sleeps. */
static void be_quiet(struct front *f, unsigned q)
{
	front_driver(f, q)[front_packed(f) ? 1 : 0] = 1;
}

static void kick(struct front *f, unsigned q)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&front_device(f, q)[front_packed(f) ? 1 : 0], __ATOMIC_RELAXED) & 1))
		front_kick(f, q);
}

static void offer_room(struct front *f, unsigned slot)
{
	const struct front_buffer b = { FRONT_GPA + RX_AT + slot * PIECE, PIECE, 2 };

	front_offer(f, TO_GUEST, &b, 1);
}

static void start(struct front *f, const char *path, uint64_t features)
{
	front_memory(f);
	if (!front_connect(f, path))
		die(path);
	front_setup(f, features | FRONT_FEATURES | F(0) | F(1) | F(7) | F(11), 1, NUM);
	be_quiet(f, TO_GUEST);
	be_quiet(f, FROM_GUEST);
}

/* Keeps the transmit ring full of the frames that there is memory for. Returns how many left. */
static unsigned send_some(struct front *f, unsigned slots, unsigned frames)
{
	static unsigned under_way, next;
	struct front_buffer b[32];
	unsigned n = 0, offered = 0;
	uint16_t id;
	uint32_t len;

	for (; front_used(f, FROM_GUEST, slots, &id, &len); n++)
		under_way--;
	for (; under_way < frames; under_way++, offered++) {
		uint32_t left = HDR + length;

		for (unsigned i = 0; i < slots; i++, left -= PIECE)
			b[i] = (struct front_buffer){ FRONT_GPA + TX_AT +
							      (next * slots + i) * PIECE,
						      left < PIECE ? left : PIECE, 0 };
		front_offer(f, FROM_GUEST, b, slots);
		next = (next + 1) % frames;
	}
	if (offered)
		kick(f, FROM_GUEST);
	return n;
}

/* Takes what came; the memory is offered again at once. Returns its bytes. */
static uint64_t take_some(struct front *f)
{
	static unsigned rest; /* buffers of a frame whose first came */
	uint64_t bytes = 0;
	uint16_t id, n;
	uint32_t len;

	while (front_used(f, TO_GUEST, 1, &id, &len)) {
		bytes += len;
		if (rest) {
			rest--;
		} else {
			memcpy(&n, f->mem + RX_AT + id * PIECE + 10, sizeof(n));
			rest = n - 1u;
			bytes -= HDR;
		}
		offer_room(f, id);
	}
	return bytes;
}

static void measure(struct front *a, struct front *b)
{
	unsigned slots = (HDR + length + PIECE - 1) / PIECE, frames = NUM / slots;
	uint64_t begin, now, bytes = 0, sent = 0;
	bool warm = true;

	for (unsigned i = 0; i < frames; i++)
		make(a->mem + TX_AT + i * slots * PIECE);
	begin = clock_ns() + WARM_NS;
	do {
		sent += send_some(a, slots, frames);
		bytes += take_some(b);
		now = clock_ns();
		if (warm && now >= begin) {
			warm = false;
			begin = now;
			bytes = sent = 0;
		}
	} while (warm || now < begin + (uint64_t)(seconds * 1e9));
	seconds = (double)(now - begin) / 1e9;
	printf("{\"gbit_s\":%.3f,\"sent_s\":%.0f,\"arrived_s\":%.0f}\n",
	       (double)bytes * 8 / seconds / 1e9, (double)sent / seconds,
	       (double)bytes / length / seconds);
}

int main(int argc, char **argv)
{
	static struct front a, b;
	uint64_t features = 0;
	int c;

	while ((c = getopt(argc, argv, "t:l:P")) != -1) {
		if (c == 't')
			seconds = atof(optarg);
		else if (c == 'l')
			length = (unsigned)atoi(optarg);
		else if (c == 'P')
			features = F(34);
		else
			return 2;
	}
	if (optind != argc - 2 || length < 64 || length > 65535) {
		fputs("usage: rings [-t SECONDS] [-l LENGTH] [-P: packed] PATH PATH\n", stderr);
		return 2;
	}
	start(&a, argv[optind], features);
	start(&b, argv[optind + 1], features);
	for (unsigned i = 0; i < NUM; i++)
		offer_room(&b, i);
	usleep(300000);
	alarm((unsigned)seconds + 10);
	measure(&a, &b);
	return 0;
}
