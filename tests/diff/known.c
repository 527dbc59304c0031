// SPDX-License-Identifier: MIT
#include "tests/diff/known.h"

/* An untagged frame of @len bytes passes a port of MTU @mtu (is_skb_forwardable()). */
static bool fits(size_t len, uint16_t mtu)
{
	return len <= mtu + 18u;
}

/* Whether a frame may fit or not, depending on whose tag is where and on who counts it. */
static bool borders(const struct program *p, const struct frame *f, uint16_t mtu)
{
	size_t len = frame_len(f);

	return fits(f->n_tags ? len - 4 : len, mtu) != fits(p->vlans ? len + 4 : len, mtu);
}

bool known_frame(const struct program *p, const struct frame *f, const uint16_t mtu[PORTS + 1],
		 const uint16_t far_mtu[PORTS + 1])
{
	size_t len = frame_len(f);

	if (p->vlans && f->payload < 2) /* TAGGED_RUNT */
		return true;
	for (unsigned i = 1; i <= p->n_ports; i++) {
		if (p->vlans && borders(p, f, far_mtu[i])) /* TAGGED_GIANT */
			return true;
		if (f->port && f->n_tags && fits(len - 4, mtu[i]) && !fits(len, far_mtu[i]))
			return true;
		if (!f->port && f->n_tags && borders(p, f, mtu[i])) /* HOST_TAG */
			return true;
	}
	return false;
}
