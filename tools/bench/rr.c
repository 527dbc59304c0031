/* SPDX-License-Identifier: MIT */
/*
 * rr: round-trip time of ICMP echo, as ping measures it, with percentiles.
 *
 *	rr h1:10.77.0.2 -n 2000 -w 1000
 *
 * The other host's kernel answers, and the time of arrival is the kernel's: apart from the path
 * between the hosts only our own send call is in the figure. Requests are spaced so that the
 * path falls idle in between. The result is one JSON object on standard output.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <sys/time.h>

#include "tools/bench/bench.h"

#define PAYLOAD 56 /* as ping(8) */
#define WAIT_S 1   /* an answer later than this is lost */

struct echo {
	struct icmphdr icmp;
	uint8_t payload[PAYLOAD];
};

static int open_icmp(const char *where)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct timeval wait = { .tv_sec = WAIT_S };
	const char *address;
	int fd = socket_in(where, AF_INET, SOCK_RAW, IPPROTO_ICMP, &address), one = 1;

	if (inet_pton(AF_INET, address, &sin.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)))
		die(address);
	return fd;
}

static uint16_t checksum(const struct echo *e)
{
	const uint8_t *p = (const uint8_t *)e;
	uint32_t sum = 0;

	for (unsigned i = 0; i < sizeof(*e); i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~(sum + (sum >> 16)));
}

static uint64_t arrival(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct timespec ts;

	if (!c || c->cmsg_type != SCM_TIMESTAMPNS)
		return clock_ns();
	memcpy(&ts, CMSG_DATA(c), sizeof(ts));
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Waits for the answer to request `seq`; 0 if there is none. */
static uint64_t wait_reply(int fd, uint16_t seq)
{
	for (;;) {
		struct {
			uint8_t ip[20];
			struct echo echo;
		} reply;
		uint8_t control[CMSG_SPACE(sizeof(struct timespec))];
		struct iovec iov = { &reply, sizeof(reply) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };

		if (recvmsg(fd, &msg, 0) < 0)
			return 0;
		if (reply.echo.icmp.type == ICMP_ECHOREPLY &&
		    reply.echo.icmp.un.echo.sequence == htons(seq))
			return arrival(&msg);
	}
}

/* One round trip; false if the answer did not come. */
static bool ping(int fd, uint16_t seq, struct hist *h)
{
	struct echo e = { .icmp.type = ICMP_ECHO };
	uint64_t sent, received;

	e.icmp.un.echo.id = htons((uint16_t)getpid());
	e.icmp.un.echo.sequence = htons(seq);
	e.icmp.checksum = checksum(&e);
	sent = clock_ns();
	if (send(fd, &e, sizeof(e), 0) < 0)
		die("send");
	received = wait_reply(fd, seq);
	if (received)
		hist_add(h, received > sent ? received - sent : 0);
	return received;
}

int main(int argc, char **argv)
{
	static struct hist h, unused;
	unsigned n = 1000, gap_us = 1000, lost = 0;
	bool ok = true;
	int c, fd;

	while (ok && (c = getopt(argc, argv, "n:w:")) != -1) {
		if (c == 'n')
			n = (unsigned)atoi(optarg);
		else if (c == 'w')
			gap_us = (unsigned)atoi(optarg);
		else
			ok = false;
	}
	if (!ok || optind != argc - 1) {
		fputs("usage: rr [NETNS:]IPV4-ADDRESS [-n COUNT] [-w MICROSECONDS between]\n",
		      stderr);
		return 2;
	}
	fd = open_icmp(argv[optind]);
	for (unsigned i = 0; i < 10; i++) /* ARP, learning, caches */
		ping(fd, (uint16_t)~i, &unused);
	for (unsigned i = 0; i < n; i++) {
		usleep(gap_us);
		lost += !ping(fd, (uint16_t)i, &h);
	}
	printf("{\"requests\":%u,\"lost\":%u,\"rtt_us\":", n, lost);
	hist_print(&h);
	printf("}\n");
	return 0;
}
