/* SPDX-License-Identifier: MIT */
/*
 * tagger: three classifiers for tc that make a host without VLAN devices tag its frames: `push_tag`
 * puts 802.1Q VLAN 10 on every frame, `pop_tag` takes a tag off, `leave_tag` does neither and is
 * what the others are measured against. Compiled with clang for the BPF machine by vlan.sh:
 *
 *	tc filter add dev eth0 egress bpf direct-action object-file tagger.o section push_tag
 */
#include <linux/bpf.h>

#define SECTION(name) __attribute__((section(name), used))

static long (*const vlan_push)(struct __sk_buff *skb, __u16 proto,
			       __u16 tci) = (void *)BPF_FUNC_skb_vlan_push;
static long (*const vlan_pop)(struct __sk_buff *skb) = (void *)BPF_FUNC_skb_vlan_pop;

SECTION("push_tag") int tagger_push(struct __sk_buff *skb)
{
	vlan_push(skb, 0x0081, 10); /* the protocol in network byte order */
	return 0;
}

SECTION("pop_tag") int tagger_pop(struct __sk_buff *skb)
{
	vlan_pop(skb);
	return 0;
}

SECTION("leave_tag") int tagger_leave(struct __sk_buff *skb)
{
	(void)skb;
	return 0;
}

char tagger_license[] SECTION("license") = "MIT";
