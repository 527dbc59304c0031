// SPDX-License-Identifier: MIT
/*
 * vhost PATH FEATURES: a guest on the vhost-user port at PATH, whose driver has accepted these
 * virtio features (a number, besides what every one does). Each frame on standard input, behind its
 * length (32 bits, our byte order) and a virtio header of 12 bytes, is sent; each that arrives is
 * written to standard output in the same way. Says so on standard error when it is connected; ends
 * with its input.
 */
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/front_start.h"

#define SLOTS 256u
#define BUFFER 4096u
#define HEADER 12u
#define RECEIVE_AT FRONT_BUFFER_AT
#define SEND_AT (RECEIVE_AT + SLOTS * BUFFER)
#define LONGEST (128u * 1024u)

_Static_assert(SEND_AT + LONGEST <= FRONT_SIZE, "all buffers are in the guest's memory");

static struct front front;

static int die(const char *what)
{
	fprintf(stderr, "vhost: %s: %s\n", what, errno ? strerror(errno) : "wrong");
	exit(1);
}

static void offer(uint32_t at)
{
	struct front_buffer b = { FRONT_GPA + at, BUFFER, 2 };

	front_offer(&front, 0, &b, 1);
}

static void read_all(void *to, uint32_t len)
{
	if (fread(to, 1, len, stdin) != len)
		exit(!feof(stdin));
}

/* Sends the next frame of standard input and waits until it was taken. */
static void send_one(void)
{
	struct front_buffer b = { FRONT_GPA + SEND_AT, 0, 0 };
	struct pollfd called = { .fd = front.call[1], .events = POLLIN };
	uint64_t count;
	uint16_t id;
	uint32_t len;

	read_all(&len, sizeof(len));
	if (len < HEADER || len > LONGEST)
		die("length");
	read_all(front.mem + SEND_AT, len);
	b.len = len;
	front_offer(&front, 1, &b, 1);
	front_kick(&front, 1);
	while (!front_used(&front, 1, 1, &id, &len)) {
		if (poll(&called, 1, 5000) != 1)
			die("the switch takes no frame");
		eventfd_read(front.call[1], &count);
	}
}

/* Writes all frames that have arrived to standard output. */
static void receive(void)
{
	static uint8_t frame[LONGEST];
	uint32_t at = 0, len, left = 0;
	uint16_t id, n;

	while (front_used(&front, 0, 1, &id, &len)) {
		uint32_t from = (uint32_t)(front_desc(&front, 0)[id].addr - FRONT_GPA);

		if (at + len > sizeof(frame))
			die("a frame too long");
		memcpy(frame + at, front.mem + from, len);
		if (!left) {
			memcpy(&n, frame + 10, sizeof(n)); /* num_buffers */
			left = n;
		}
		at += len;
		offer(from);
		if (--left)
			continue;
		fwrite(&at, 1, sizeof(at), stdout);
		fwrite(frame, 1, at, stdout);
		at = 0;
	}
	fflush(stdout);
	front_kick(&front, 0);
}

int main(int argc, char **argv)
{
	uint64_t count;

	if (argc != 3) {
		fputs("usage: vhost PATH FEATURES\n", stderr);
		return 2;
	}
	front_memory(&front);
	if (!front.mem || !front_connect(&front, argv[1]))
		die(argv[1]);
	front_setup(&front, FRONT_FEATURES | strtoull(argv[2], NULL, 0), 1, SLOTS);
	for (uint32_t i = 0; i < SLOTS - 1; i++)
		offer(RECEIVE_AT + i * BUFFER);
	front_kick(&front, 0);
	fputs("connected\n", stderr);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (;;) {
		struct pollfd p[] = { { .fd = 0, .events = POLLIN },
				      { .fd = front.call[0], .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			die("poll");
		if (p[1].revents) {
			eventfd_read(front.call[0], &count);
			receive();
		}
		if (p[0].revents)
			send_one();
	}
}
