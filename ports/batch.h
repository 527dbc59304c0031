/* SPDX-License-Identifier: MIT */
/*
 * batch: frames that a driver copies in.
 *
 * For drivers whose source hands them bytes that do not stay (a capture file, memory): each frame
 * gets a slot of the batch's arena. The surprising rule: what is refused is already counted, so the
 * driver just goes on. Called from rx() only; the frames live until the next rx() with the same
 * batch.
 */
#ifndef PORTS_BATCH_H
#define PORTS_BATCH_H

#include "ports/queue.h"

/*
 * Returns whether another frame of full size still belongs into @b: BATCH_MAX frames, BATCH_BYTES
 * bytes.
 */
bool batch_room(const struct batch *b);

/*
 * Appends a copy of the @len bytes at @bytes, a whole frame with its tags, with @vnet (NULL = no
 * requests) to @b, which has room. The outer tag is lifted, the virtio header checked. A frame that
 * is refused is counted in @b->stats. Returns DROP_NONE, or why: DROP_RUNT, DROP_GIANT,
 * DROP_MALFORMED, DROP_VNET.
 */
enum drop batch_add(struct batch *b, const uint8_t *bytes, uint32_t len,
		    const struct vnet_hdr *vnet);

/*
 * Appends the frame of @len bytes at @bytes, with its tags and without a virtio header, where it
 * is: the bytes are changed (the tag) and must stay until the batch is done with. Else as
 * batch_add().
 */
enum drop batch_take(struct batch *b, uint8_t *bytes, uint32_t len);

/* Where a driver may put the bytes of frame @i for batch_take(): BATCH_SLOT bytes of the arena. */
#define BATCH_SLOT (BATCH_ARENA / BATCH_MAX)
uint8_t *batch_slot(const struct batch *b, unsigned i);

/* Counts a frame of @len bytes that was refused for @reason before it got here. */
void batch_refuse(struct batch *b, uint32_t len, enum drop reason);

#endif
