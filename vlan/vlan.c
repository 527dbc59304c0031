/* SPDX-License-Identifier: MIT */
#include "vlan/vlan.h"

#include <errno.h>
#include <stdlib.h>

/*
 * Reads one VID at @text into @vid and returns what follows it, or NULL when there is none in
 * range.
 */
static const char *parse_vid(const char *text, uint16_t *vid)
{
	unsigned value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && value <= VLAN_VID_MAX; p++)
		value = value * 10 + (unsigned)(*p - '0');
	if (p == text || value < 1 || value > VLAN_VID_MAX)
		return NULL;
	*vid = (uint16_t)value;
	return p;
}

int vlan_parse_range(const char *text, uint16_t *first, uint16_t *last)
{
	uint16_t from, to;
	const char *p = parse_vid(text, &from);

	if (!p)
		return -EINVAL;
	to = from;
	if (*p == '-') {
		p = parse_vid(p + 1, &to);
		if (!p || to <= from)
			return -EINVAL;
	}
	if (*p)
		return -EINVAL;
	*first = from;
	*last = to;
	return 0;
}

bool vlan_add(struct vlan *v, uint16_t port, bool untagged)
{
	bool member = portset_has(&v->member, port);

	if (member && portset_has(&v->untagged, port) == untagged)
		return false;
	if (!member) {
		portset_add(&v->member, port);
		portset_add(&v->forwarding, port);
		portset_add(&v->learning, port);
	}
	portset_put(&v->untagged, port, untagged);
	return true;
}

bool vlan_del(struct vlan *v, uint16_t port)
{
	if (!portset_has(&v->member, port))
		return false;
	portset_del(&v->member, port);
	portset_del(&v->untagged, port);
	portset_del(&v->forwarding, port);
	portset_del(&v->learning, port);
	return true;
}
