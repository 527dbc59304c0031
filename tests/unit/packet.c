/* SPDX-License-Identifier: MIT */
/* packet: frames through ports on existing interfaces, on the running kernel. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "tests/unit/lab_veth.h"
#include "tests/unit/suite.h"

#define BIG 60000u
#define STSO 0x1fu /* ETHTOOL_STSO; its header has a PORT_NONE of its own */

START_TEST(frames_both_ways)
{
	static const size_t size[] = { 14, 15, 60, 1514, 1971, 1972, 1973, 9014 };
	struct port *p;
	struct frame f;

	for (unsigned rings = 0; rings < 2; rings++) {
		p = open_pair("packet:v0");
		sh("ip link set v0 mtu 9000 && ip link set v1 mtu 9000");
		lab_news(p, true);
		if (rings)
			ring(p);
		else
			plain(p);
		ck_assert(!((struct packet *)p)->rx_ring == !rings);
		ck_assert(p->link.present && p->link.up && p->link.carrier && p->link.mac);
		ck_assert(p->ops->local_mac);
		ck_assert_int_eq(h.fd, p->rx_fd);
		for (unsigned i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
			fill(bytes, size[i]);
			raw_send(raw, bytes, size[i], NULL);
			ck_assert_uint_eq(lab_rx(p, 100), 1);
			ck_assert_uint_eq(lab_batch.frame[0].total, size[i]);
			ck_assert_uint_eq(lab_batch.frame[0].port, p->number);
			ck_assert_uint_eq(lab_batch.frame[0].kept.tpid, 0);
			ck_assert_mem_eq(lab_batch.frame[0].data, bytes, size[i]);
			f = frame_of(bytes, size[i]);
			ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
			ck_assert_uint_eq(receive(), size[i]);
			ck_assert_mem_eq(got, bytes, size[i]);
			ck_assert_uint_eq(tag.tpid, 0);
		}
		ck_assert_uint_eq(lab_rx(p, 20), 0); /* own transmissions are not seen */
		ck_assert(!lab_batch.more);
		close_pair(p);
	}
}
END_TEST

/* Tags come out of band with their own TPID; an inner one stays what it is. Also without the ring.
 */
START_TEST(tags)
{
	static const uint16_t tpid[] = { TPID_8021Q, TPID_8021AD };
	static const unsigned size[] = { 100, 1514 + 4, 3000 };
	struct port *p = open_pair("packet:v0");
	struct frame f;

	sh("ip link set v0 mtu 9000 && ip link set v1 mtu 9000");
	lab_news(p, true);
	ring(p);
	for (unsigned i = 0; i < 12; i++) {
		unsigned len = size[i % 3], type = tpid[i / 3 % 2];

		if (i == 6)
			plain(p);
		fill(bytes, len);
		memcpy(bytes + 12,
		       (uint8_t[]){ (uint8_t)(type >> 8), (uint8_t)type, 0xb1, 0x23, 0x81, 0, 0,
				    5 },
		       8);
		raw_send(raw, bytes, len, NULL);
		ck_assert_uint_eq(lab_rx(p, 100), 1);
		f = lab_batch.frame[0];
		ck_assert_uint_eq(f.kept.tpid, type);
		ck_assert_uint_eq(f.kept.tci, 0xb123);
		ck_assert_uint_eq(f.total, len - 4);
		ck_assert_mem_eq(f.data, bytes, 12);
		ck_assert_mem_eq(f.data + 12, bytes + 16, len - 16);
		ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
		ck_assert_uint_eq(receive(), len - 4);
		ck_assert_uint_eq(tag.tpid, type);
		ck_assert_uint_eq(tag.tci, 0xb123);
		ck_assert_mem_eq(got + 12, bytes + 16, len - 16);
		f.tag = (struct vtag){ TPID_8021AD, 77 };
		ck_assert_int_eq(lab_tx(p, &f, true), DROP_NONE);
		ck_assert_uint_eq(receive(), len);
		ck_assert_uint_eq(tag.tci, 77);
		ck_assert_mem_eq(got + 12, bytes + 12, len - 12);
	}
	close_pair(p);
}
END_TEST

START_TEST(super_frames)
{
	struct port *p = open_pair("packet:v0");
	struct vnet_hdr want = fill_tcp(bytes, BIG, 1448);
	struct frame f;

	ring(p);
	for (unsigned i = 0; i < 4; i++) {
		bool tagged = i & 1;

		if (i == 2)
			plain(p);
		raw_send(raw, bytes, BIG, &want);
		ck_assert_uint_eq(lab_rx(p, 100), 1);
		f = lab_batch.frame[0];
		ck_assert_uint_eq(f.total, BIG);
		ck_assert_mem_eq(&f.vnet, &want, sizeof(want));
		ck_assert_mem_eq(f.data, bytes, BIG);
		f.tag = (struct vtag){ TPID_8021Q, 5 };
		ck_assert_int_eq(lab_tx(p, &f, tagged), DROP_NONE);
		ck_assert_uint_eq(lab_txq.stats.tx_segments, 1);
		ck_assert_uint_eq(receive(), BIG);
		ck_assert_uint_eq(tag.tpid, tagged ? TPID_8021Q : 0);
		ck_assert_uint_eq(vnet.gso_type, VNET_GSO_TCPV4);
		ck_assert_uint_eq(vnet.gso_size, 1448);
		ck_assert_uint_eq(vnet.csum_start, 34);
		ck_assert_mem_eq(got, bytes, BIG);
	}
	close_pair(p);
}
END_TEST

/* Frames that fit a slot and frames that do not: nothing is lost and the order stays; so over
 * several rounds of the ring. */
START_TEST(order)
{
	struct port *p = open_pair("packet:v0");
	struct vnet_hdr big = fill_tcp(bytes, BIG, 1448);
	unsigned sent = 0, seen = 0;

	for (unsigned round = 0; round < 60; round++) {
		if (round == 40)
			plain(p);
		for (unsigned i = 0; i < 50; i++) {
			bool is_big = sent % 7 == 3;
			size_t len = is_big ? BIG : 60 + sent % 1400;

			memcpy(bytes + 54, &sent, sizeof(sent));
			if (!is_big)
				bytes[12] = 0x88; /* no IP */
			raw_send(raw, bytes, len, is_big ? &big : NULL);
			bytes[12] = 8;
			sent++;
		}
		while (lab_rx(p, 5)) {
			size_t sum = 0;

			for (unsigned i = 0; i < lab_batch.n; i++, seen++) {
				const struct frame *f = &lab_batch.frame[i];

				ck_assert_mem_eq(f->data + 54, &seen, sizeof(seen));
				ck_assert_uint_eq(f->total, seen % 7 == 3 ? BIG : 60 + seen % 1400);
				sum += f->total;
			}
			ck_assert_uint_lt(sum, BATCH_BYTES + 65536);
		}
		ck_assert_uint_eq(seen, sent);
	}
	close_pair(p);
}
END_TEST

/* A full ring loses frames, counts them, and goes on. */
START_TEST(overrun)
{
	struct port *p = open_pair("packet:v0");
	struct port_stats stats = { .rx_missed = 0 };
	unsigned n = 0;

	fill(bytes, 60);
	for (unsigned i = 0; i < 3000; i++)
		raw_send(raw, bytes, 60, NULL);
	while (lab_rx(p, 1))
		n += lab_batch.n;
	p->ops->refresh(p, &stats);
	ck_assert_uint_ge(n, 500);
	ck_assert_uint_eq(n + stats.rx_missed, 3000);
	ck_assert_ptr_nonnull(((struct packet *)p)->rx_ring);
	works(p);
	close_pair(p);
}
END_TEST

/* Super-frames for which the socket has no room are lost and counted, and the order of the rest
 * stays. */
START_TEST(overrun_by_size)
{
	struct port *p = open_pair("packet:v0");
	struct vnet_hdr big = fill_tcp(bytes, BIG, 1448);
	struct port_stats stats = { .rx_missed = 0 };
	unsigned n = 0, room = 300000;
	int last = -1, i;

	ck_assert_int_eq(setsockopt(p->rx_fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)), 0);
	for (i = 0; i < 40; i++) {
		memcpy(bytes + 54, &i, sizeof(i));
		raw_send(raw, bytes, i % 4 ? BIG : 100, i % 4 ? &big : NULL);
	}
	while (lab_rx(p, 1)) {
		for (unsigned k = 0; k < lab_batch.n; k++, n++) {
			memcpy(&i, lab_batch.frame[k].data + 54, sizeof(i));
			ck_assert_int_gt(i, last);
			ck_assert_uint_eq(lab_batch.frame[k].total, i % 4 ? BIG : 100);
			last = i;
		}
	}
	p->ops->refresh(p, &stats);
	ck_assert_uint_lt(n, 40);
	ck_assert_uint_gt(n, 10);
	ck_assert_uint_eq(n + stats.rx_missed, 40);
	works(p);
	close_pair(p);
}
END_TEST

START_TEST(cut_in_software)
{
	struct port *p = open_pair("packet:v0");
	struct frame f = frame_of(bytes, 54 + 3000);

	f.vnet = fill_tcp(bytes, 54 + 3000, 1448);
	p->caps = 0;
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_uint_eq(lab_txq.stats.tx_segments, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(receive(), i < 2 ? 1502 : 158);
		ck_assert_uint_eq(vnet.gso_type, 0);
		ck_assert_uint_eq(vnet.flags & VNET_NEEDS_CSUM, 0);
		ck_assert_mem_eq(got + 54, bytes + 54 + i * 1448, i < 2 ? 1448 : 104);
	}
	close_pair(p);
}
END_TEST

/* Past the queueing discipline the kernel would drop what the interface cannot cut: the port
 * notices. */
START_TEST(no_segmentation)
{
	struct port *p = open_pair("packet:v0");
	uint32_t off[2] = { STSO, 0 };
	struct ifreq ifr = { .ifr_name = "v0" };
	struct frame f = frame_of(bytes, BIG);
	size_t len, sum = 0;

	ifr.ifr_data = (void *)off;
	ck_assert_int_eq(ioctl(raw, SIOCETHTOOL, &ifr), 0);
	f.vnet = fill_tcp(bytes, BIG, 1448);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
		for (sum = 0; sum < BIG - 54; sum += len - 54) {
			len = receive();
			ck_assert_uint_gt(len, 54);
		}
		ck_assert(!((struct packet *)p)->direct);
	}
	works(p);
	close_pair(p);
}
END_TEST

/* Whether somebody who listens on v0 itself, as tcpdump does, sees what the port sends. */
static bool observed(const char *text, bool rings)
{
	struct port *p = open_pair(text);
	struct frame f = frame_of(bytes, 60);
	int tap = raw_open("v0"), zero = 0;
	bool seen;

	if (rings)
		ring(p);
	setsockopt(tap, SOL_PACKET, PACKET_IGNORE_OUTGOING, &zero, sizeof(zero));
	fill(bytes, 60);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_uint_eq(receive(), 60);
	seen = raw_recv(tap, got, sizeof(got), &vnet, &tag, 50) == 60;
	close(tap);
	close_pair(p);
	return seen;
}

START_TEST(bypass)
{
	for (unsigned rings = 0; rings < 2; rings++) {
		ck_assert(!observed("packet:v0", rings));
		ck_assert(observed("packet:v0,bypass=off", rings));
	}
}
END_TEST

/* The kernel's bridge lets frames of up to four bytes over the MTU pass, and so do we, with one tag
 * more. */
START_TEST(over_mtu)
{
	struct port *p = open_pair("packet:v0");
	struct frame f;

	ring(p);
	for (unsigned round = 0; round < 20; round++) {
		if (round == 10) /* without the ring, it is made in time */
			packet_tx_reset((struct packet *)p);
		for (unsigned len = 1514; len <= 1518; len++) {
			fill(bytes, len);
			f = frame_of(bytes, len);
			ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
			ck_assert_uint_eq(receive(), len);
			ck_assert_mem_eq(got, bytes, len);
		}
	}
	fill(bytes, 1600);
	f = frame_of(bytes, 1514);
	f.kept = (struct vtag){ TPID_8021AD, 5 };
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_uint_eq(receive(), 1514);
	ck_assert_uint_eq(tag.tpid, TPID_8021AD);
	ck_assert_mem_eq(got, bytes, 1514);
	f = frame_of(bytes, 1600 + 4096);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_MTU);
	sh("ip link set v0 mtu 3000 && ip link set v1 mtu 3000");
	lab_news(p, true);
	ck_assert_uint_eq(h.link.mtu, 3000);
	f = frame_of(bytes, 3018);
	ring(p);
	ck_assert_int_eq(lab_tx(p, &f, false), DROP_NONE);
	ck_assert_uint_eq(receive(), 3018);
	close_pair(p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packet");
	TCase *c = tcase_create("packet");

	if (!lab_enter("packet"))
		return EXIT_SUCCESS;
	tcase_set_timeout(c, 30);
	tcase_add_checked_fixture(c, lab_fresh, NULL);
	tcase_add_test(c, frames_both_ways);
	tcase_add_test(c, tags);
	tcase_add_test(c, super_frames);
	tcase_add_test(c, order);
	tcase_add_test(c, overrun);
	tcase_add_test(c, overrun_by_size);
	tcase_add_test(c, cut_in_software);
	tcase_add_test(c, no_segmentation);
	tcase_add_test(c, bypass);
	tcase_add_test(c, over_mtu);
	suite_add_tcase(suite, c);
	return suite_run(suite);
}
