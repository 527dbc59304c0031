/* SPDX-License-Identifier: MIT */
/*
 * known: the one list of differences between uswitch and a kernel bridge that are meant to be.
 *
 * Programs avoid what would only show one of them, or the comparison leaves it out. Whatever is not
 * here and differs fails the test. Constant data and pure functions; used by the generator and by
 * the comparison.
 */
#ifndef TESTS_DIFF_KNOWN_H
#define TESTS_DIFF_KNOWN_H

#include "tests/diff/program.h"

/* X(constant, what is different, why) */
/* clang-format off */
#define KNOWN(X) \
	X(NO_HOST_PORT, \
	  "without -l there is no br0: its address is no local entry, and nobody gets its frames", \
	  "a switch without a host port has no address of its own") \
	X(TAP_ADDRESS, "the address of a TAP that uswitch holds is no local entry", \
	  "the interface is the station behind the port") \
	X(TAGGED_GIANT, \
	  "a tagged frame that is longer than MTU + 18 with its tag, and not without, is lost", \
	  "AF_PACKET writes the tag into the frame, and the far end of the veth pair counts it") \
	X(TAGGED_RUNT, "a tagged frame of less than 20 bytes is lost", \
	  "the tag is in the frame, and the kernel refuses such ones where it receives them itself") \
	X(HOST_TAG, "the tag of a frame that the host sends does not count towards the MTU", \
	  "the kernel counts a tag that br0's sender wrote into the frame, not one that it left to br0") \
	X(EXT_LEARN_OVER, \
	  "extern_learn put over an entry of another kind replaces it, and `fdb add` refuses to", \
	  "the kernel mixes both kinds, and ignores add, append and replace") \
	X(VLAN_LOCAL, "local addresses have no entry in VLANs while VLAN filtering is off", \
	  "the kernel notes every local address in every VLAN of its port, filtering or not") \
	X(STATIC_OWN, \
	  "an address that is configured static elsewhere stays so when a port that has it joins", \
	  "the configuration goes before what the kernel derives from the interface") \
	X(FDB_DEL_VLAN, "a static entry in a VLAN that its port has left can be deleted", \
	  "the kernel refuses until the port is in the VLAN again; there is no reason to") \
	X(FDB_ADD_PARTS, \
	  "`fdb add` without a VLAN adds an entry in every VLAN of the port, or in none", \
	  "the kernel stops at the first VLAN that has one, and keeps what it has done") \
	X(VLAN_SET_PARTS, "`vlan set` on a range of which some VLANs are absent changes none", \
	  "the kernel stops at the first absent one, and keeps what it has done") \
	X(REASON, "a command that two rules refuse is refused with the errno of either", \
	  "the order of checks is nobody's interface") \
	X(BRIDGE_DOWN, "br0 taken down stops all forwarding", \
	  "the host port is a port like any other: taking it down affects only itself")
/* clang-format on */

enum known {
#define X(name, ...) KNOWN_##name,
	KNOWN(X)
#undef X
		KNOWN_MAX
};

/*
 * Returns whether @f, sent while the ports of @p have these MTUs, would only show a known
 * difference.
 */
bool known_frame(const struct program *p, const struct frame *f, const uint16_t mtu[PORTS + 1],
		 const uint16_t far_mtu[PORTS + 1]);

#endif
