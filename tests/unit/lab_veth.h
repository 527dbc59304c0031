/* SPDX-License-Identifier: MIT */
/*
 * lab_veth: a packet port on one end of a veth pair, a host at the other.
 *
 * The port is on v0, the raw socket `raw` on v1. The surprising rule: v1 comes up last, because an
 * interface that comes up without carrier gets its queueing discipline, without which it sends
 * nothing, only some time after the carrier. Included by tests of the packet driver.
 */
#ifndef TESTS_UNIT_LAB_VETH_H
#define TESTS_UNIT_LAB_VETH_H

#include "ports/packet.h"
#include "tests/unit/lab_port.h"
#include "tests/unit/lab_wire.h"

static uint8_t bytes[70000], got[70000];
static struct lab_host h;
static struct vnet_hdr vnet;
static struct vtag tag;
static int raw = -1; /* the host at the other end */

static UNUSED void pair(void)
{
	sh("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	raw = raw_open("v1");
}

static UNUSED struct port *open_pair(const char *text)
{
	pair();
	return lab_open(text, &h);
}

static UNUSED void close_pair(struct port *p)
{
	p->ops->close(p);
	close(raw);
	sh("ip link del v0");
}

static UNUSED size_t receive(void)
{
	return raw_recv(raw, got, sizeof(got), &vnet, &tag, 100);
}

/* Lets the port make its send ring, which it wants to have. */
static UNUSED void ring(struct port *p)
{
	ck_assert_uint_eq(h.deadline, 0);
	h.deadline = UINT64_MAX;
	p->ops->timer(p, 0);
	ck_assert_int_ge(((struct packet *)p)->ring_fd, 0);
}

/* Gives up both rings. */
static UNUSED void plain(struct port *p)
{
	packet_rx_plain((struct packet *)p);
	packet_tx_reset((struct packet *)p);
}

/* Frames cross in both directions, so the port works. */
static UNUSED void works(struct port *p)
{
	struct frame f = frame_of(bytes, 60);

	fill(bytes, 60);
	raw_send(raw, bytes, 60, NULL);
	ck_assert_uint_eq(lab_rx(p, 100), 1);
	ck_assert_mem_eq(lab_batch.frame[0].data, bytes, 60);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_uint_eq(receive(), 60);
	ck_assert_mem_eq(got, bytes, 60);
}

#endif
