/* SPDX-License-Identifier: MIT */
#include "ports/batch.h"

#include <string.h>

#include "ports/offload.h"

#define SLOT (BATCH_ARENA / BATCH_MAX)

bool batch_room(const struct batch *b)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < b->n; i++)
		bytes += b->frame[i].total;
	return b->n < BATCH_MAX && bytes < BATCH_BYTES;
}

void batch_refuse(struct batch *b, uint32_t len, enum drop reason)
{
	b->stats->rx++;
	b->stats->rx_bytes += len;
	b->stats->drop_in[reason]++;
}

static enum drop take(struct frame *f, uint8_t *slot, const uint8_t *bytes, uint32_t len,
		      const struct vnet_hdr *vnet)
{
	enum drop drop;

	if (len < FRAME_HDR_LEN)
		return DROP_RUNT;
	if (len > FRAME_MAX + FRAME_TAG_LEN)
		return DROP_GIANT;
	memset(f, 0, sizeof(*f));
	f->data = memcpy(slot, bytes, len);
	f->len = f->total = len;
	if (vnet)
		f->vnet = *vnet;
	drop = frame_lift_tag(f);
	if (!drop && f->total > FRAME_MAX)
		drop = DROP_GIANT;
	return drop ? drop : offload_check(f);
}

enum drop batch_add(struct batch *b, const uint8_t *bytes, uint32_t len,
		    const struct vnet_hdr *vnet)
{
	enum drop drop = take(&b->frame[b->n], b->arena + b->n * SLOT, bytes, len, vnet);

	if (drop)
		batch_refuse(b, len, drop);
	else
		b->n++;
	return drop;
}
