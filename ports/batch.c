/* SPDX-License-Identifier: MIT */
#include "ports/batch.h"

#include <string.h>

#include "ports/offload.h"

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

static enum drop take(struct frame *f, uint8_t *bytes, uint32_t len, const struct vnet_hdr *vnet)
{
	enum drop drop;

	memset(f, 0, sizeof(*f));
	f->data = bytes;
	f->len = f->total = len;
	if (vnet)
		f->vnet = *vnet;
	drop = frame_lift_tag(f);
	if (!drop && f->total > FRAME_MAX)
		drop = DROP_GIANT;
	return drop ? drop : offload_check(f);
}

/* What is wrong with a frame of @len bytes, whatever is in it. */
static enum drop check_len(uint32_t len)
{
	return len < FRAME_HDR_LEN               ? DROP_RUNT
	       : len > FRAME_MAX + FRAME_TAG_LEN ? DROP_GIANT
						 : DROP_NONE;
}

static enum drop done(struct batch *b, uint32_t len, enum drop drop)
{
	if (drop)
		batch_refuse(b, len, drop);
	else
		b->n++;
	return drop;
}

enum drop batch_add(struct batch *b, const uint8_t *bytes, uint32_t len,
		    const struct vnet_hdr *vnet)
{
	enum drop drop = check_len(len);

	if (!drop)
		drop = take(&b->frame[b->n], memcpy(batch_slot(b, b->n), bytes, len), len, vnet);
	return done(b, len, drop);
}

enum drop batch_take(struct batch *b, uint8_t *bytes, uint32_t len)
{
	enum drop drop = check_len(len);

	if (!drop)
		drop = take(&b->frame[b->n], bytes, len, NULL);
	return done(b, len, drop);
}

uint8_t *batch_slot(const struct batch *b, unsigned i)
{
	return b->arena + i * BATCH_SLOT;
}
