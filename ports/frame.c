/* SPDX-License-Identifier: MIT */
#include "ports/frame.h"

#include <string.h>

#define ADDRS_LEN 12u /* the two addresses, in front of any tag */

/* Offsets that a hostile sender put inside the tag become 0, which offload_check() refuses. */
static uint16_t less_tag(uint16_t offset)
{
	return offset > FRAME_TAG_LEN ? (uint16_t)(offset - FRAME_TAG_LEN) : 0;
}

enum drop frame_lift_tag(struct frame *f)
{
	uint8_t *p = f->data;
	uint16_t tpid;

	if (f->len < FRAME_HDR_LEN)
		return DROP_NONE;
	tpid = (uint16_t)(p[12] << 8 | p[13]);
	if (tpid != TPID_8021Q && tpid != TPID_8021AD)
		return DROP_NONE;
	if (f->len < FRAME_TAGGED_MIN)
		return DROP_MALFORMED;
	f->kept.tpid = tpid;
	f->kept.tci = (uint16_t)(p[14] << 8 | p[15]);
	memmove(p + FRAME_TAG_LEN, p, ADDRS_LEN);
	f->data += FRAME_TAG_LEN;
	f->len -= FRAME_TAG_LEN;
	f->total -= FRAME_TAG_LEN;
	f->vnet.csum_start = less_tag(f->vnet.csum_start);
	f->vnet.hdr_len = less_tag(f->vnet.hdr_len);
	return DROP_NONE;
}

unsigned frame_write_tags(const struct frame *f, bool tagged, uint8_t *out)
{
	const struct vtag *tag[2] = { tagged ? &f->tag : NULL, f->kept.tpid ? &f->kept : NULL };
	unsigned n = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!tag[i])
			continue;
		out[n++] = (uint8_t)(tag[i]->tpid >> 8);
		out[n++] = (uint8_t)tag[i]->tpid;
		out[n++] = (uint8_t)(tag[i]->tci >> 8);
		out[n++] = (uint8_t)tag[i]->tci;
	}
	return n;
}

unsigned frame_slice(const struct frame *f, uint32_t from, uint32_t len, struct iovec *iov)
{
	unsigned n = 0;
	uint32_t room;

	if (len && from < f->len) {
		room = f->len - from;
		iov[n].iov_base = f->data + from;
		iov[n].iov_len = len < room ? len : room;
		len -= (uint32_t)iov[n++].iov_len;
		from = f->len;
	}
	from -= f->len;
	for (unsigned i = 0; i < f->n_tail && len; i++) {
		room = (uint32_t)f->tail[i].iov_len;
		if (from >= room) {
			from -= room;
			continue;
		}
		room -= from;
		iov[n].iov_base = (uint8_t *)f->tail[i].iov_base + from;
		iov[n].iov_len = len < room ? len : room;
		len -= (uint32_t)iov[n++].iov_len;
		from = 0;
	}
	return n;
}

void frame_copy(const struct frame *f, uint32_t from, uint32_t len, uint8_t *dst)
{
	struct iovec iov[1 + FRAME_TAIL_MAX];
	unsigned n = frame_slice(f, from, len, iov);

	for (unsigned i = 0; i < n; i++) {
		memcpy(dst, iov[i].iov_base, iov[i].iov_len);
		dst += iov[i].iov_len;
	}
}

void wire_build(struct wire *w, const struct frame *f, bool tagged)
{
	struct iovec *iov = w->iov;
	unsigned n_tags = 0;

	*iov++ = (struct iovec){ NULL, 0 };
	w->vnet = f->vnet;
	w->len = f->total;
	if (!tagged && !f->kept.tpid) {
		*iov++ = (struct iovec){ f->data, f->len };
	} else {
		n_tags = frame_write_tags(f, tagged, w->tags);
		w->len += n_tags;
		if (w->vnet.flags & VNET_NEEDS_CSUM)
			w->vnet.csum_start = (uint16_t)(w->vnet.csum_start + n_tags);
		if (w->vnet.hdr_len)
			w->vnet.hdr_len = (uint16_t)(w->vnet.hdr_len + n_tags);
		*iov++ = (struct iovec){ f->data, ADDRS_LEN };
		*iov++ = (struct iovec){ w->tags, n_tags };
		*iov++ = (struct iovec){ f->data + ADDRS_LEN, f->len - ADDRS_LEN };
	}
	for (unsigned i = 0; i < f->n_tail; i++)
		*iov++ = f->tail[i];
	w->n_iov = (unsigned)(iov - w->iov);
}
