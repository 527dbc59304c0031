// SPDX-License-Identifier: MIT
/* Sending and receiving in a side's namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/diff/side.h"

#define RX_VECTOR 32u
#define MARK_TYPE 0xb7ff
#define MARK_MS 2000
#define LATE_MS 300 /* how long a frame that another side delivered is waited for */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int bind_to(int fd, int index, uint16_t protocol)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_ifindex = index,
				  .sll_protocol = htons(protocol) };

	return bind(fd, (struct sockaddr *)&ll, sizeof(ll)) ? -errno : 0;
}

/* A socket that counts what arrives at interface @index, and keeps nothing. */
static int open_arrival(int index)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, 1) };
	struct sock_fprog prog = { .len = 1, .filter = code };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, room = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    bind_to(fd, index, ETH_P_ALL)) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static unsigned arrivals(int fd)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);

	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	return stats.tp_packets;
}

int wire_open(struct side *s)
{
	int one = 1, room = 64 << 20;

	memset(s->arrival, -1, sizeof(s->arrival));
	s->bytes = malloc(GOT_BYTES);
	s->tx = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	s->rx = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!s->bytes)
		return -ENOMEM;
	if (s->tx < 0 || s->rx < 0)
		return -errno;
	/* Root of a user namespace may not go beyond net.core.rmem_max. */
	s->small = setsockopt(s->rx, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (s->small)
		setsockopt(s->rx, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (setsockopt(s->rx, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
	    setsockopt(s->rx, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		return -errno;
	return 0;
}

void wire_close(struct side *s)
{
	wire_unbind(s);
	if (s->tx >= 0)
		close(s->tx);
	if (s->rx >= 0)
		close(s->rx);
	free(s->bytes);
}

/* Lets the receiver see the hosts' interfaces, br0 and the marks, and nothing else. */
static int set_filter(struct side *s)
{
	struct sock_filter code[PORTS + 5];
	struct sock_fprog prog = { .filter = code };
	unsigned n = 0, n_index = PORTS + 2;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 (unsigned)(SKF_AD_OFF + SKF_AD_IFINDEX));
	for (unsigned i = 0; i < n_index; i++) {
		int index = i <= PORTS ? s->index_h[i] : s->index_mark[1];

		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)index,
							 (uint8_t)(n_index - i), 0);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, FRAME_ROOM);
	prog.len = (uint16_t)n;
	return setsockopt(s->rx, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) ? -errno : 0;
}

int wire_bind(struct side *s)
{
	int error = set_filter(s);

	if (!error)
		error = bind_to(s->rx, 0, ETH_P_ALL);
	for (unsigned i = 1; i <= s->program->n_ports && s->kind == SIDE_PACKET && !error; i++) {
		s->arrival[i] = open_arrival(s->index_p[i]);
		error = s->arrival[i] < 0 ? s->arrival[i] : 0;
	}
	s->n_got = 0;
	s->used = 0;
	return error;
}

void wire_unbind(struct side *s)
{
	for (unsigned i = 1; i <= PORTS; i++) {
		if (s->arrival[i] >= 0)
			close(s->arrival[i]);
		s->arrival[i] = -1;
	}
}

static int port_of(const struct side *s, int index)
{
	for (unsigned i = 0; i <= PORTS; i++)
		if (index && s->index_h[i] == index)
			return (int)i;
	return -1;
}

/* Puts the tag that the kernel lifted out back into @p, which has four bytes of room in front. */
static uint8_t *restore_tag(struct msghdr *msg, uint8_t *p, uint32_t *len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			continue;
		memmove(p - 4, p, 12);
		p -= 4;
		*len += 4;
		p[12] = (uint8_t)(aux.tp_vlan_tpid >> 8);
		p[13] = (uint8_t)aux.tp_vlan_tpid;
		p[14] = (uint8_t)(aux.tp_vlan_tci >> 8);
		p[15] = (uint8_t)aux.tp_vlan_tci;
	}
	return p;
}

static void keep(struct side *s, int port, const uint8_t *p, uint32_t len)
{
	struct got *g = &s->got[s->n_got];

	if (s->n_got == GOT_MAX || s->used + len > GOT_BYTES)
		return;
	*g = (struct got){ .port = (uint8_t)port, .len = len, .at = s->used };
	memcpy(s->bytes + s->used, p, len);
	s->used += len;
	s->n_got++;
}

/*
 * Reads what is there. Returns how many messages, and in @marked whether the current mark was one.
 */
static int drain(struct side *s, bool *marked)
{
	static uint8_t room[RX_VECTOR][FRAME_ROOM + 4];
	char control[RX_VECTOR][CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct sockaddr_ll from[RX_VECTOR];
	struct iovec iov[RX_VECTOR];
	struct mmsghdr msg[RX_VECTOR] = { 0 };
	int n;

	for (unsigned i = 0; i < RX_VECTOR; i++) {
		iov[i] = (struct iovec){ room[i] + 4, FRAME_ROOM };
		msg[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						  .msg_namelen = sizeof(from[i]),
						  .msg_iov = &iov[i],
						  .msg_iovlen = 1,
						  .msg_control = control[i],
						  .msg_controllen = sizeof(control[i]) };
	}
	n = recvmmsg(s->rx, msg, RX_VECTOR, 0, NULL);
	for (int i = 0; i < n; i++) {
		uint8_t *p = room[i] + 4;
		uint32_t mark;

		if (from[i].sll_ifindex == s->index_mark[1]) {
			memcpy(&mark, p + 14, sizeof(mark));
			*marked |= mark == s->mark;
			continue;
		}
		p = restore_tag(&msg[i].msg_hdr, p, &msg[i].msg_len);
		keep(s, port_of(s, from[i].sll_ifindex), p, msg[i].msg_len);
	}
	return n;
}

static int send_bytes(struct side *s, int index, uint8_t *bytes, size_t len)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = index, .sll_halen = 6 };

	return sendto(s->tx, bytes, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/*
 * Sends a mark through a pair of its own and waits for it. All frames that this CPU sent before
 * have then left their first interface, since a CPU's backlog is one queue.
 */
static int pass_mark(struct side *s)
{
	uint8_t bytes[60] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, MARK_TYPE >> 8, MARK_TYPE & 0xff
	};
	struct pollfd pfd = { .fd = s->rx, .events = POLLIN };
	uint64_t end = now_ms() + MARK_MS;
	bool marked = false;
	int error;

	s->mark++;
	memcpy(bytes + 14, &s->mark, sizeof(s->mark));
	error = send_bytes(s, s->index_mark[0], bytes, sizeof(bytes));
	while (!error && !marked) {
		if (drain(s, &marked) > 0)
			continue;
		if (now_ms() > end)
			return -ETIMEDOUT;
		poll(&pfd, 1, 10);
	}
	return error;
}

int wire_send(struct side *s, const struct frame *const *frames, unsigned n,
	      uint64_t arrived[PORTS + 1])
{
	static uint8_t bytes[FRAME_ROOM];
	int error = 0;

	s->n_got = 0;
	s->used = 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned port = frames[i]->port;
		size_t len = frame_bytes(frames[i], bytes);

		if (!send_bytes(s, s->index_h[port], bytes, len) && (s->kind == SIDE_TAP || !port))
			arrived[port]++;
	}
	/* Two marks: what the first interface forwards is queued behind the first. */
	for (unsigned i = 0; i < 2 && !error; i++)
		error = pass_mark(s);
	for (unsigned i = 1; i <= PORTS; i++)
		if (s->arrival[i] >= 0)
			arrived[i] += arrivals(s->arrival[i]);
	return error;
}

static bool enough(const struct side *s, const unsigned *want)
{
	unsigned have[PORTS + 1] = { 0 };

	for (unsigned i = 0; i < s->n_got; i++)
		have[s->got[i].port]++;
	for (unsigned i = 0; i <= PORTS; i++)
		if (have[i] < want[i])
			return false;
	return true;
}

int wire_collect(struct side *s, const unsigned *want)
{
	struct pollfd pfd = { .fd = s->rx, .events = POLLIN };
	uint64_t end = now_ms() + LATE_MS;
	int error = pass_mark(s);

	while (!error && want && !enough(s, want) && now_ms() < end) {
		bool marked = false;

		poll(&pfd, 1, 10);
		drain(s, &marked);
	}
	return error;
}
