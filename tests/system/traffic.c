// SPDX-License-Identifier: MIT
/*
 * traffic: small peers for the system tests: TCP and UDP whose payload is verified byte by byte,
 * raw frames, a TAP that nobody reads. Exit status 0 is success; what went wrong is one line on
 * standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM (1 << 16)

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static int die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, errno ? strerror(errno) : "wrong data");
	exit(1);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Byte @at of the stream: two bytes in different places differ somewhere near. */
static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 2654435761u >> 11 ^ at >> 16);
}

static void fill(uint8_t *p, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		p[i] = pattern(at + i);
}

static bool intact(const uint8_t *p, size_t n, uint64_t at)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != pattern(at + i))
			return false;
	return true;
}

/* A socket on @port of all our addresses, IPv4 and, where there is IPv6, IPv6. */
static int listener(int type, const char *port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = in6.sin6_port };
	int fd = socket(AF_INET6, type, 0), one = 1, zero = 0, room = 4 << 20;
	bool six = fd >= 0;

	if (!six)
		fd = socket(AF_INET, type, 0);
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(fd, six ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
		 six ? sizeof(in6) : sizeof(in)) ||
	    (type == SOCK_STREAM && listen(fd, 4)))
		die("listen");
	return fd;
}

static int caller(int type, const char *address, const char *port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = type };
	struct addrinfo *to;
	int fd;

	if (getaddrinfo(address, port, &hints, &to))
		die(address);
	fd = socket(to->ai_family, type, 0);
	if (connect(fd, to->ai_addr, to->ai_addrlen))
		die("connect");
	freeaddrinfo(to);
	return fd;
}

/* tcp-server PORT BYTES: takes one connection and expects so many intact bytes; prints Mbit/s. */
static int tcp_server(char **arg)
{
	static uint8_t bytes[ROOM];
	uint64_t want = strtoull(arg[1], NULL, 0), at = 0;
	int fd = accept(listener(SOCK_STREAM, arg[0]), NULL, NULL);
	double start = now_s();
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		errno = 0;
		if (!intact(bytes, (size_t)n, at))
			die("tcp-server");
		at += (uint64_t)n;
	}
	if (n < 0 || at != want)
		die("tcp-server: the end");
	printf("%.0f\n", (double)at * 8 / 1e6 / (now_s() - start));
	return send(fd, "", 1, MSG_NOSIGNAL) != 1;
}

/* tcp-client ADDRESS PORT BYTES: waits until the server has all of it. */
static int tcp_client(char **arg)
{
	static uint8_t bytes[ROOM];
	uint64_t want = strtoull(arg[2], NULL, 0);
	int fd = caller(SOCK_STREAM, arg[0], arg[1]);
	uint8_t done;

	for (uint64_t at = 0; at < want;) {
		size_t n = want - at < sizeof(bytes) ? want - at : sizeof(bytes);
		ssize_t sent;

		fill(bytes, n, at);
		sent = send(fd, bytes, n, MSG_NOSIGNAL);
		if (sent <= 0)
			die("tcp-client");
		at += (uint64_t)sent;
	}
	shutdown(fd, SHUT_WR);
	if (recv(fd, &done, 1, 0) != 1)
		die("tcp-client: no answer");
	return 0;
}

/*
 * udp-server PORT COUNT SECONDS: expects so many intact datagrams in that time; prints how many
 * came.
 */
static int udp_server(char **arg)
{
	static uint8_t bytes[ROOM];
	int fd = listener(SOCK_DGRAM, arg[0]);
	unsigned want = (unsigned)atoi(arg[1]), have = 0;
	double end = now_s() + atof(arg[2]);

	while (have < want && now_s() < end) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&pfd, 1, 50) <= 0)
			continue;
		n = recv(fd, bytes, sizeof(bytes), 0);
		errno = 0;
		if (n < 0 || !intact(bytes, (size_t)n, 0))
			die("udp-server");
		have++;
	}
	printf("%u\n", have);
	return have < want;
}

/*
 * udp-client ADDRESS PORT COUNT SIZE [SEGMENTS]: with SEGMENTS the kernel is given so many
 * datagrams at a time.
 */
static int udp_client(char **arg)
{
	static uint8_t bytes[ROOM];
	int fd = caller(SOCK_DGRAM, arg[0], arg[1]), size = atoi(arg[3]),
	    n = arg[4] ? atoi(arg[4]) : 1;

	if (size * n > 65000)
		die("udp-client: too much at a time");
	if (n > 1 && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)))
		die("UDP_SEGMENT");
	for (int i = 0; i < n; i++)
		fill(bytes + i * size, (size_t)size, 0);
	for (int left = atoi(arg[2]); left > 0; left -= n) {
		if (send(fd, bytes, (size_t)(size * n), 0) < 0)
			die("udp-client");
		usleep(500);
	}
	return 0;
}

static int packet_socket(const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	ll.sll_ifindex = (int)if_nametoindex(name);
	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		die(name);
	return fd;
}

/* Reads up to @room bytes as hexadecimal digits; returns how many. */
static size_t hex(const char *text, uint8_t *bytes, size_t room)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n && i < room; i++)
		sscanf(text + 2 * i, "%2hhx", &bytes[i]);
	return n < room ? n : room;
}

/* frame IFNAME HEX [LENGTH]: sends one frame, padded with zeros to LENGTH (60) bytes. */
static int send_frame(char **arg)
{
	uint8_t bytes[2048] = { 0 };
	size_t n = hex(arg[1], bytes, sizeof(bytes)), len = arg[2] ? strtoul(arg[2], NULL, 10) : 60;

	if (len > sizeof(bytes))
		die("frame: too long");
	return send(packet_socket(arg[0]), bytes, n < len ? len : n, 0) < 0;
}

/*
 * macs IFNAME COUNT DESTINATION: sends so many frames as fast as it can, each from another random
 * address 06:...
 */
static int send_macs(char **arg)
{
	enum { VECTOR = 64 };
	static uint8_t bytes[VECTOR][60];
	struct mmsghdr msg[VECTOR] = { 0 };
	struct iovec iov[VECTOR];
	uint64_t random = 88172645463325252u;
	uint8_t to[6];
	int fd = packet_socket(arg[0]), one = 1;

	hex(arg[2], to, sizeof(to));
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	for (long left = atol(arg[1]); left > 0;) {
		int n = left < VECTOR ? (int)left : VECTOR;

		for (int i = 0; i < n; i++) {
			random ^= random << 13; /* xorshift64 */
			random ^= random >> 7;
			random ^= random << 17;
			memcpy(bytes[i], to, sizeof(to));
			memcpy(bytes[i] + 7, &random, 5);
			bytes[i][6] = 6;
			bytes[i][12] = 0x88;
			bytes[i][13] = 0xb5;
			iov[i] = (struct iovec){ bytes[i], sizeof(bytes[i]) };
			msg[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
		}
		n = sendmmsg(fd, msg, (unsigned)n, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
			die("macs");
		left -= n > 0 ? n : 0;
	}
	return 0;
}

/*
 * sniff IFNAME SECONDS: prints the first bytes of each frame, its tag put back, as hexadecimal
 * digits.
 */
static int sniff(char **arg)
{
	int fd = packet_socket(arg[0]);
	double end = now_s() + atof(arg[1]);

	while (now_s() < end) {
		uint8_t bytes[2048], control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct iovec iov = { bytes, sizeof(bytes) };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		struct tpacket_auxdata aux;
		ssize_t n;

		if (poll(&pfd, 1, 50) <= 0 || (n = recvmsg(fd, &msg, 0)) < 14)
			continue;
		memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(aux));
		for (ssize_t i = 0; i < n && i < 30; i++) {
			if (i == 12 && aux.tp_status & TP_STATUS_VLAN_VALID)
				printf("%04x%04x", aux.tp_vlan_tpid, aux.tp_vlan_tci);
			printf("%02x", bytes[i]);
		}
		printf("\n");
		fflush(stdout);
	}
	return 0;
}

/*
 * long IFNAME BYTES COUNT SECONDS: waits for so many frames longer than BYTES; prints how many
 * came.
 */
static int wait_long(char **arg)
{
	int fd = packet_socket(arg[0]), want = atoi(arg[2]), have = 0;
	double end = now_s() + atof(arg[3]);
	uint8_t byte;

	fprintf(stderr, "listening\n");
	while (have < want && now_s() < end) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		if (poll(&pfd, 1, 50) > 0 && recv(fd, &byte, 1, MSG_TRUNC) > atoi(arg[1]))
			have++;
	}
	printf("%d\n", have);
	return have < want;
}

/* hold TAP: is the guest behind a TAP, and never reads. */
static int hold(char **arg)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", arg[0]);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr))
		die(arg[0]);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int least, most;
		int (*run)(char **arg);
	} commands[] = {
		{ "tcp-server", 2, 2, tcp_server }, { "tcp-client", 3, 3, tcp_client },
		{ "udp-server", 3, 3, udp_server }, { "udp-client", 4, 5, udp_client },
		{ "frame", 2, 3, send_frame },      { "macs", 3, 3, send_macs },
		{ "sniff", 2, 2, sniff },           { "hold", 1, 1, hold },
		{ "long", 4, 4, wait_long },
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]) && argc > 1; i++)
		if (!strcmp(commands[i].name, argv[1]) && argc - 2 >= commands[i].least &&
		    argc - 2 <= commands[i].most)
			return commands[i].run(argv + 2);
	fprintf(stderr,
		"usage: traffic tcp-server|tcp-client|udp-server|udp-client|frame|macs|sniff|long|hold ...\n");
	return 2;
}
