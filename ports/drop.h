/* SPDX-License-Identifier: MIT */
/*
 * drop: why a frame went no further.
 *
 * The frame path returns one of these; 0 means the frame goes on. Each has a counter in `struct
 * port_stats`, on the ingress or the egress side, a word that users see in `uswitchctl stats` and a
 * sentence for `trace`.
 */
#ifndef PORTS_DROP_H
#define PORTS_DROP_H

/* X(constant, word, sentence) */
#define DROP_REASONS(X)                                                                           \
	X(RUNT, "runt", "shorter than an Ethernet header")                                        \
	X(GIANT, "giant", "longer than any frame the port may carry")                             \
	X(MALFORMED, "malformed", "cut short, or its headers contradict its length")              \
	X(VNET, "vnet", "bad virtio-net header (checksum or segmentation request)")               \
	X(BAD_SOURCE, "bad_source", "source address is zero or a group address")                  \
	X(RESERVED, "reserved", "reserved link-local group address, not forwarded by bridges")    \
	X(STATE, "state", "port is not forwarding")                                               \
	X(VLAN, "vlan", "its VLAN is not allowed on the port")                                    \
	X(LOCKED, "locked", "ingress port is locked and the source is not authorised")            \
	X(LIMIT, "limit", "over a configured rate or number")                                     \
	X(GUARD, "guard", "refused by a guard of the ingress port")                               \
	X(LOCAL, "local", "for the switch itself, which has no host port")                        \
	X(SAME_PORT, "same_port", "destination is behind the port the frame came from")           \
	X(NO_PORT, "no_port", "no port to send it to")                                            \
	X(ISOLATED, "isolated", "both ports are isolated")                                        \
	X(MTU, "mtu", "longer than the egress port's MTU allows")                                 \
	X(FULL, "full", "the egress port's queue is full")                                        \
	X(DOWN, "down", "the egress port is down")                                                \
	X(OFFLOAD, "offload", "segmentation or checksum request the egress port cannot be given") \
	X(ERROR, "error", "the egress interface refused it")

enum drop {
	DROP_NONE,
#define X(name, word, text) DROP_##name,
	DROP_REASONS(X)
#undef X
		DROP_MAX
};

/* Returns the word that users see for @reason ("mtu"); "none" for DROP_NONE. */
const char *drop_word(enum drop reason);

/* Returns the sentence that explains @reason. */
const char *drop_text(enum drop reason);

#endif
