/* SPDX-License-Identifier: MIT */
/*
 * lab_wire: what a host at the other end of an interface sends and sees.
 *
 * Raw sockets with virtio headers, and frames to send through them. The surprising rule: the kernel
 * takes the outer tag off what is received, so raw_recv() gives it apart. Included by tests of
 * drivers.
 */
#ifndef TESTS_UNIT_LAB_WIRE_H
#define TESTS_UNIT_LAB_WIRE_H

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ports/frame.h"
#include "tests/unit/lab.h"

/* A raw socket with virtio headers on interface @name, as a host would have it. */
static UNUSED int raw_open(const char *name)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0003) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1,
	    size = 4 << 20;

	ck_assert_int_ge(fd, 0);
	a.sll_ifindex = (int)if_nametoindex(name);
	ck_assert_int_ne(a.sll_ifindex, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static UNUSED void raw_send(int fd, const void *bytes, size_t len, const struct vnet_hdr *vnet)
{
	struct vnet_hdr none = { 0 };
	struct iovec iov[2] = { { &none, sizeof(none) }, { NULL, len } };

	if (vnet)
		none = *vnet;
	memcpy(&iov[1].iov_base, &bytes, sizeof(bytes));
	ck_assert_int_eq(writev(fd, iov, 2), (ssize_t)(len + sizeof(none)));
}

/* Receives a frame within @ms. Returns its length, 0 when there is none; *@tag is the tag that was
 * in front. */
static UNUSED size_t raw_recv(int fd, void *bytes, size_t size, struct vnet_hdr *vnet,
			      struct vtag *tag, int ms)
{
	uint8_t control[CMSG_SPACE(sizeof(struct tpacket_auxdata))] __attribute__((aligned(8)));
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct iovec iov[2] = { { vnet, sizeof(*vnet) }, { bytes, size } };
	struct msghdr m = { .msg_iov = iov,
			    .msg_iovlen = 2,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct tpacket_auxdata aux;
	ssize_t len;

	if (poll(&pfd, 1, ms) <= 0)
		return 0;
	len = recvmsg(fd, &m, 0);
	if (len < 0)
		return 0;
	memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(aux));
	*tag = (struct vtag){ 0, 0 };
	if (aux.tp_status & TP_STATUS_VLAN_VALID)
		*tag = (struct vtag){ aux.tp_vlan_tpid, aux.tp_vlan_tci };
	return (size_t)len - sizeof(*vnet);
}

/* Fills @len bytes with a frame between two stations, of an EtherType nobody answers. */
static UNUSED void fill(uint8_t *bytes, size_t len)
{
	static const uint8_t head[14] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 7, 0x88, 0xb5 };

	for (size_t i = 0; i < len; i++)
		bytes[i] = i < sizeof(head) ? head[i] : (uint8_t)(i * 7 + len);
}

/* Fills @len bytes with a TCP segment over IPv4 whose checksum is left to do. Returns what asks for
 * that. */
static UNUSED struct vnet_hdr fill_tcp(uint8_t *bytes, size_t len, uint16_t gso_size)
{
	static const uint8_t head[54] = { 2,  0,    0, 0, 0,  9, 2, 0,    0,    0,  0,    7, 8,
					  0,  0x45, 0, 0, 0,  0, 1, 0x40, 0,    64, 6,    0, 0,
					  10, 0,    0, 7, 10, 0, 0, 9,    0x10, 0,  0x20, 0, 0,
					  0,  0,    1, 0, 0,  0, 1, 0x50, 0x10, 1,  0 };
	uint32_t sum = 0;

	fill(bytes, len);
	memcpy(bytes, head, sizeof(head));
	bytes[16] = (uint8_t)((len - 14) >> 8);
	bytes[17] = (uint8_t)(len - 14);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	sum = ~(sum + (sum >> 16));
	bytes[24] = (uint8_t)(sum >> 8);
	bytes[25] = (uint8_t)sum;
	for (sum = 6 + (uint32_t)len - 34; sum > 0xffff; sum = (sum & 0xffff) + (sum >> 16))
		;
	for (unsigned i = 26; i < 34; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	bytes[50] = (uint8_t)(sum >> 8);
	bytes[51] = (uint8_t)sum;
	return (struct vnet_hdr){
		VNET_NEEDS_CSUM, gso_size ? VNET_GSO_TCPV4 : VNET_GSO_NONE, 54, gso_size, 34, 16
	};
}

static UNUSED struct frame frame_of(uint8_t *bytes, size_t len)
{
	return (struct frame){ .data = bytes, .len = (uint32_t)len, .total = (uint32_t)len };
}

#endif
