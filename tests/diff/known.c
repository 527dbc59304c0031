// SPDX-License-Identifier: MIT
#include "tests/diff/known.h"

/* An untagged frame of @len bytes passes a port of MTU @mtu (is_skb_forwardable()). */
static bool fits(size_t len, uint16_t mtu)
{
	return len <= mtu + 18u;
}

bool known_frame(const struct frame *f, const uint16_t mtu[PORTS + 1], const uint16_t far_mtu[PORTS + 1],
		 unsigned n_ports)
{
	size_t len = frame_len(f);

	if (!f->n_tags)
		return false;
	for (unsigned i = 1; i <= n_ports; i++) {
		if (f->port && fits(len - 4, mtu[i]) && !fits(len, far_mtu[i])) /* TAGGED_GIANT */
			return true;
		if (!f->port && fits(len - 4, mtu[i]) && !fits(len, mtu[i])) /* HOST_TAG */
			return true;
	}
	return false;
}
