/* SPDX-License-Identifier: MIT */
/*
 * mem: a port that exists in memory only.
 *
 * For users a sink (`mem:`): what is sent to it is gone. For tests both ends: mem_push() is the
 * station behind the port sending, mem_pop() is it receiving. The surprising rule: like a capture,
 * the port keeps the last MEM_RING frames it was given and forgets the oldest, so it is never full.
 * Frames are as on a TAP: tags in the bytes and a virtio header beside them; port->caps,
 * OFFLOAD_ALL at first, may be changed at any time.
 */
#ifndef PORTS_MEM_H
#define PORTS_MEM_H

#include "ports/port.h"

#define MEM_RING 128u

struct mem_frame {
	struct vnet_hdr vnet;
	uint32_t len;
	uint8_t data[FRAME_MAX + 2 * FRAME_TAG_LEN];
};

/*
 * Queues the @len bytes at @bytes as a frame for the switch to receive, with @vnet (NULL = no
 * requests). Returns 0, -EMSGSIZE when it is too long to be held, or -ENOBUFS when MEM_RING frames
 * are waiting.
 */
int mem_push(struct port *port, const uint8_t *bytes, uint32_t len, const struct vnet_hdr *vnet);

/*
 * Takes the oldest frame that the switch sent; the result is valid until the next pop or tx. NULL:
 * none.
 */
const struct mem_frame *mem_pop(struct port *port);

#endif
