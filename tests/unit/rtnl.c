/* SPDX-License-Identifier: MIT */
/* rtnl, resolve: netlink messages taken apart, whole and cut short; what a bare name becomes. */
#include "switch/daemon/rtnl.h"

#include <check.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "ports/kinds.h"
#include "switch/daemon/resolve.h"
#include "tests/unit/suite.h"

#define LOWER_UP (1u << 16) /* IFF_LOWER_UP, which <net/if.h> lacks */

/* A message under construction. */
static union {
	struct nlmsghdr head;
	char bytes[1024];
} msg;

static void begin(uint16_t type, uint8_t family, int ifindex, unsigned flags)
{
	struct ifinfomsg ifi = { .ifi_family = family,
				 .ifi_type = ARPHRD_ETHER,
				 .ifi_index = ifindex,
				 .ifi_flags = flags };

	memset(&msg, 0, sizeof(msg));
	msg.head.nlmsg_type = type;
	memcpy(NLMSG_DATA(&msg.head), &ifi, sizeof(ifi));
	msg.head.nlmsg_len = NLMSG_LENGTH(sizeof(ifi));
}

/* Appends an attribute and returns it; a nest is opened with no data and closed with end(). */
static struct rtattr *put(unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(msg.bytes + NLMSG_ALIGN(msg.head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	msg.head.nlmsg_len = NLMSG_ALIGN(msg.head.nlmsg_len) + RTA_ALIGN(a->rta_len);
	return a;
}

static void end(struct rtattr *nest)
{
	nest->rta_len = (unsigned short)(msg.bytes + msg.head.nlmsg_len - (char *)nest);
}

static void put_u32(unsigned short type, uint32_t value)
{
	put(type, &value, sizeof(value));
}

static void put_u8(unsigned short type, uint8_t value)
{
	put(type, &value, sizeof(value));
}

static void put_text(unsigned short type, const char *text)
{
	put(type, text, strlen(text) + 1);
}

static int parse(struct rtnl_link *l)
{
	return rtnl_parse_link(&msg, msg.head.nlmsg_len, l);
}

/* A TAP with carrier, @persist, and @queues of them (NULL: not said). */
static void make_tap(uint16_t type, bool carrier, bool persist, const uint32_t *queues)
{
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 7 };
	struct rtattr *info, *data;

	begin(type, AF_UNSPEC, 12, IFF_UP | LOWER_UP);
	put_text(IFLA_IFNAME, "tap0");
	put(IFLA_ADDRESS, mac, sizeof(mac));
	put_u32(IFLA_MTU, 9000);
	put_u8(IFLA_CARRIER, carrier);
	put_u32(IFLA_PROMISCUITY, 1);
	info = put(IFLA_LINKINFO, NULL, 0);
	put_text(IFLA_INFO_KIND, "tun");
	data = put(IFLA_INFO_DATA, NULL, 0);
	put_u8(IFLA_TUN_TYPE, IFF_TAP);
	put_u8(IFLA_TUN_PERSIST, persist);
	if (queues) {
		put_u32(IFLA_TUN_NUM_QUEUES, queues[0]);
		put_u32(IFLA_TUN_NUM_DISABLED_QUEUES, queues[1]);
	}
	end(data);
	end(info);
}

START_TEST(whole)
{
	struct rtnl_link l;

	make_tap(RTM_NEWLINK, true, true, NULL);
	ck_assert_int_eq(parse(&l), RTM_NEWLINK);
	ck_assert_str_eq(l.name, "tap0");
	ck_assert_str_eq(l.kind, "tun");
	ck_assert_int_eq(l.link.ifindex, 12);
	ck_assert_uint_eq(l.link.mtu, 9000);
	ck_assert_uint_eq(l.link.mac, 0x020000000007);
	ck_assert(l.link.present && l.link.up && l.link.carrier && l.link.promisc && l.tap &&
		  l.held);
	make_tap(RTM_DELLINK, true, true, NULL);
	ck_assert_int_eq(parse(&l), RTM_DELLINK);
	ck_assert(!l.link.present);
	ck_assert_int_eq(l.link.ifindex, 12);
}
END_TEST

START_TEST(held_taps)
{
	static const uint32_t none[2] = { 0, 0 }, one[2] = { 1, 0 }, disabled[2] = { 0, 2 };
	struct rtnl_link l;

	make_tap(RTM_NEWLINK, false, true, NULL);
	parse(&l);
	ck_assert(!l.held);
	make_tap(RTM_NEWLINK, false, false, NULL);
	parse(&l);
	ck_assert(l.held);
	make_tap(RTM_NEWLINK, false, true, none);
	parse(&l);
	ck_assert(!l.held);
	make_tap(RTM_NEWLINK, false, true, one);
	parse(&l);
	ck_assert(l.held);
	make_tap(RTM_NEWLINK, false, true, disabled);
	parse(&l);
	ck_assert(l.held);
}
END_TEST

/*
 * A bridge says RTM_DELLINK of family AF_BRIDGE when a port leaves it: the interface is still
 * there.
 */
START_TEST(other_messages)
{
	struct rtnl_link l;

	begin(RTM_DELLINK, AF_BRIDGE, 12, 0);
	put_text(IFLA_IFNAME, "tap0");
	ck_assert_int_eq(parse(&l), 0);
	begin(RTM_NEWADDR, AF_UNSPEC, 12, 0);
	ck_assert_int_eq(parse(&l), 0);
}
END_TEST

/* Every length of a message, and every attribute cut short, is read within its bounds. */
START_TEST(cut_short)
{
	struct rtnl_link l;
	size_t whole_len;

	make_tap(RTM_NEWLINK, true, true, NULL);
	whole_len = msg.head.nlmsg_len;
	for (size_t len = 0; len < whole_len; len++) {
		char *copy = malloc(len ? len : 1); /* so that a sanitizer sees a read beyond it */
		uint32_t claimed = (uint32_t)len;

		memcpy(copy, &msg, len);
		ck_assert_int_eq(rtnl_parse_link(copy, len, &l), -EBADMSG);
		if (len >= sizeof(struct nlmsghdr)) {
			memcpy(copy, &claimed, sizeof(claimed));
			ck_assert_int_ge(rtnl_parse_link(copy, len, &l), -EBADMSG);
		}
		free(copy);
	}
	begin(RTM_NEWLINK, AF_UNSPEC, 1, 0);
	put(IFLA_IFNAME, "abcdefghijklmnopqrst", 20); /* too long, and without its NUL */
	put(IFLA_MTU, "\1\2\3", 3);
	put(IFLA_ADDRESS, "\1\2", 2);
	ck_assert_int_eq(parse(&l), RTM_NEWLINK);
	ck_assert_str_eq(l.name, "");
	ck_assert_uint_eq(l.link.mtu, 0);
	ck_assert_uint_eq(l.link.mac, 0);
}
END_TEST

static const struct port_ops *kind_of(const char *text, const struct rtnl_link *l)
{
	struct port_spec spec;
	struct error err;

	ck_assert_int_eq(port_spec_parse(text, &spec, &err), 0);
	return resolve_kind(&spec, l);
}

START_TEST(bare_names)
{
	struct rtnl_link none = { .name = "x" };
	struct rtnl_link veth = { .link.present = true, .kind = "veth" };
	struct rtnl_link nic = { .link.present = true };
	struct rtnl_link idle = { .link.present = true, .kind = "tun", .tap = true };
	struct rtnl_link held = { .link.present = true, .kind = "tun", .tap = true, .held = true };

	ck_assert_ptr_eq(kind_of("x", &none), &tap_ops);
	ck_assert_ptr_eq(kind_of("x", &idle), &tap_ops);
	ck_assert_ptr_eq(kind_of("x", &held), &packet_ops);
	ck_assert_ptr_eq(kind_of("x", &veth), &packet_ops);
	ck_assert_ptr_eq(kind_of("x", &nic), &packet_ops);
	ck_assert_ptr_eq(kind_of("x,guest", &held), &tap_ops);
	ck_assert_ptr_eq(kind_of("x,group=guest", &held), &packet_ops);
}
END_TEST

START_TEST(bridges_are_no_ports)
{
	struct rtnl_link bridge = { .link.present = true, .name = "br9", .kind = "bridge" };
	struct port_spec spec;
	struct error err;

	ck_assert_int_eq(port_spec_parse("packet:br9", &spec, &err), 0);
	ck_assert_int_eq(resolve_check(&spec, &bridge, &err), -ELOOP);
	ck_assert_ptr_nonnull(strstr(err.text, "br9"));
	ck_assert_int_eq(port_spec_parse("packet:br9,netns=blue", &spec, &err), 0);
	ck_assert_str_eq(resolve_option(&spec, "netns"), "blue");
	ck_assert_int_eq(port_spec_parse("br9,netns=blue", &spec, &err), 0);
	ck_assert_str_eq(resolve_option(&spec, "netns"), "blue");
	ck_assert_ptr_null(resolve_option(&spec, "net"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rtnl");
	TCase *all = tcase_create("all");

	tcase_add_test(all, whole);
	tcase_add_test(all, held_taps);
	tcase_add_test(all, other_messages);
	tcase_add_test(all, cut_short);
	tcase_add_test(all, bare_names);
	tcase_add_test(all, bridges_are_no_ports);
	suite_add_tcase(s, all);
	return suite_run(s);
}
