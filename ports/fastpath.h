/* SPDX-License-Identifier: MIT */
/*
 * fastpath: known unicast between interfaces, forwarded by the kernel itself.
 *
 * A table of flows in memory that we share with two small programs in the kernel: a filter on a
 * port's packet socket, which looks a frame up, and, next on the frame's way, a program at the
 * interface's ingress, which sends on what the filter found and keeps all else as it was. So a
 * frame of a flow never reaches the process, and every other frame comes as it always did. The
 * surprising rule: the table decides nothing. A flow is written here after the bridge said where
 * such a frame goes, is in force only in the generation it was written in, and fastpath_renew()
 * ends all of them with one store. Needs Linux 6.6 and CAP_BPF. Filled by switch/daemon/flows.c;
 * packet ports attach.
 */
#ifndef PORTS_FASTPATH_H
#define PORTS_FASTPATH_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/error.h"
#include "ports/frame.h"

#define FASTPATH_WAYS 2u /* places for a flow, side by side */
#define FASTPATH_SETS 8192u
#define FASTPATH_FLOWS (FASTPATH_SETS * FASTPATH_WAYS)

/* What frames of a flow have in common. */
struct fastpath_key {
	uint64_t addresses; /* the first 8 bytes, as they lie in memory */
	uint64_t rest;      /* the next 4; above them the tag, TPID in network order and TCI */
	uint32_t in;        /* number of the port */
};

enum fastpath_flag {
	FASTPATH_POP = 1,  /* takes the tag off */
	FASTPATH_PUSH = 2, /* puts one on */
	FASTPATH_PEER = 4, /* past the interface, to a veth's other end whose own address this is */
};

/* A place in the table: one cache line, written by us and, the counters, by the kernel. */
struct fastpath_flow {
	struct fastpath_key key;
	uint64_t generation; /* in force while it is the table's, 0 = never */
	uint32_t out;        /* ifindex */
	uint32_t max_len;    /* longer frames, super-frames excepted, are left to the bridge */
	uint32_t flags;      /* enum fastpath_flag */
	uint32_t tag;        /* FASTPATH_PUSH: TPID in network order << 16 | TCI */
	uint64_t packets;    /* forwarded so far, */
	uint64_t bytes;      /* and their length without a lifted tag; both only go up */
};

struct fastpath;

/*
 * Returns an empty table, or NULL with a sentence: no permission, or a kernel without what it
 * needs. Free with fastpath_free() after everything was detached; it accepts NULL.
 */
struct fastpath *fastpath_new(struct error *err);
void fastpath_free(struct fastpath *fp);

/*
 * Attaches to @ifindex in namespace @ns (-1 = here), the interface of port @number, whose packet
 * socket is @sock. Returns a descriptor for fastpath_detach(), or -errno; flows with in = @number
 * may be written from then on.
 */
int fastpath_attach(const struct fastpath *fp, int ns, int sock, int ifindex, uint16_t number);
/*
 * Ends it, for flows that are not in force any more. The descriptor is left for the caller to
 * close.
 */
void fastpath_detach(int sock);

/*
 * Returns the key of frames from port @in that begin with the addresses at @addresses, @tag
 * lifted.
 */
struct fastpath_key fastpath_key(const uint8_t *addresses, struct vtag tag, uint16_t in);

/* Returns the FASTPATH_WAYS places where a flow with @key can be. */
struct fastpath_flow *fastpath_set(const struct fastpath *fp, const struct fastpath_key *key);
/* Returns which place @flow is, 0..FASTPATH_FLOWS-1, and the other way. */
unsigned fastpath_index(const struct fastpath *fp, const struct fastpath_flow *flow);
struct fastpath_flow *fastpath_at(const struct fastpath *fp, unsigned index);

/* Returns whether the kernel forwards frames of @flow now. */
bool fastpath_in_force(const struct fastpath *fp, const struct fastpath_flow *flow);

/*
 * Writes @how (key, out, max_len, flags, tag) to @flow, whose counters stay, and puts it into
 * force. A place that had another key must have been out of force for a while, see fastpath_end().
 */
void fastpath_begin(const struct fastpath *fp, struct fastpath_flow *flow,
		    const struct fastpath_flow *how);
/* Ends @flow: the kernel may be with a last frame of it now. */
void fastpath_end(struct fastpath_flow *flow);

/* Ends all flows. */
void fastpath_renew(const struct fastpath *fp);

#endif
