/* SPDX-License-Identifier: MIT */
/*
 * Addresses that the user adds and removes (net/bridge/br_fdb.c: br_fdb_add, br_fdb_delete,
 * br_fdb_flush).
 */
#include <errno.h>

#include "switch/bridge_private.h"

/*
 * What an existing entry @old becomes when the user puts @e over it (fdb_add_entry,
 * br_fdb_external_learn_add).
 */
static uint16_t merged_flags(const struct fdb_entry *old, const struct fdb_entry *e)
{
	if (e->flags & FDB_EXT_LEARN)
		return (uint16_t)((old->flags & ~(FDB_LEARNED | FDB_LOCKED)) | FDB_EXT_LEARN |
				  FDB_USER);
	return (uint16_t)((old->flags & FDB_EXT_LEARN) | e->flags | FDB_USER);
}

static int add_one(struct bridge *br, const struct fdb_entry *e, uint16_t vid, enum fdb_mode mode,
		   uint64_t now, struct outbox *out)
{
	struct fdb_changes changes = { 0 };
	struct fdb_entry put = *e, old;
	int ret;

	put.vid = vid;
	put.flags |= FDB_USER;
	if (put.flags & FDB_LOCAL)
		put.flags |= FDB_STATIC;
	if (put.flags & FDB_EXT_LEARN)
		put.flags &= (uint16_t) ~(FDB_STATIC | FDB_STICKY);
	if (fdb_lookup(br->fdb, e->mac, vid, now, &old)) {
		if (mode == FDB_MODE_ADD && !(e->flags & FDB_EXT_LEARN))
			return -EEXIST;
		put.flags = merged_flags(&old, &put);
		if (put.flags == old.flags && put.port == old.port)
			return 0;
	}
	ret = fdb_put(br->fdb, &put, now, &changes);
	outbox_fdb_changes(out, &changes);
	return ret;
}

static int check_add(const struct bridge *br, const struct fdb_entry *e, bool all_vlans)
{
	bool dynamic = !(e->flags & (FDB_LOCAL | FDB_STATIC | FDB_EXT_LEARN));

	if (!bridge_port_exists(br, e->port))
		return -ENODEV;
	if (!e->mac || e->mac > MAC_BROADCAST || mac_is_group(e->mac))
		return -EINVAL;
	if (e->port == PORT_HOST && !(e->flags & FDB_LOCAL))
		return -EINVAL;
	if (e->flags & FDB_STICKY && e->flags & FDB_LOCAL)
		return -EINVAL;
	if (dynamic && !portset_has(&br->learning, e->port))
		return -EPERM;
	if (!all_vlans && e->vid &&
	    (e->vid > VLAN_VID_MAX || !portset_has(&br->vlan[e->vid].member, e->port)))
		return -EINVAL;
	return 0;
}

int bridge_fdb_add(struct bridge *br, const struct fdb_entry *e, bool all_vlans, enum fdb_mode mode,
		   uint64_t now_ms, struct outbox *out)
{
	int ret = check_add(br, e, all_vlans);

	if (ret)
		return ret;
	if (!all_vlans)
		return add_one(br, e, e->vid, mode, now_ms, out);
	for (unsigned vid = 0; vid <= VLAN_VID_MAX && !ret; vid++)
		if (portset_has(&br->vlan[vid].member, e->port))
			ret = add_one(br, e, (uint16_t)vid, mode, now_ms, out);
	return ret;
}

static int del_one(struct bridge *br, uint64_t mac, uint16_t vid, uint16_t port, uint64_t now,
		   struct outbox *out)
{
	struct fdb_changes changes = { 0 };
	struct fdb_entry e;

	if (!fdb_lookup(br->fdb, mac, vid, now, &e) || e.port != port)
		return -ENOENT;
	fdb_del(br->fdb, mac, vid, now, &changes);
	outbox_fdb_changes(out, &changes);
	return 0;
}

int bridge_fdb_del(struct bridge *br, uint64_t mac, uint16_t vid, uint16_t port, bool all_vlans,
		   uint64_t now_ms, struct outbox *out)
{
	int ret = -ENOENT;

	if (!bridge_port_exists(br, port))
		return -ENODEV;
	if (!all_vlans)
		return vid > VLAN_VID_MAX ? -EINVAL : del_one(br, mac, vid, port, now_ms, out);
	for (unsigned i = 0; i <= VLAN_VID_MAX; i++)
		if (portset_has(&br->vlan[i].member, port) &&
		    del_one(br, mac, (uint16_t)i, port, now_ms, out) == 0)
			ret = 0;
	return ret;
}

int bridge_fdb_flush(struct bridge *br, const struct fdb_match *match, uint64_t now_ms,
		     struct outbox *out)
{
	struct event event = { .kind = EVENT_FDB_FLUSHED, .port = match->port, .vid = match->vid };
	struct fdb_entry gone[64];
	uint64_t cursor = 0;
	unsigned n;

	if (match->port != PORT_NONE && !bridge_port_exists(br, match->port))
		return -ENODEV;
	if (!match->flags_mask) {
		fdb_flush(br->fdb, match->port, match->vid, false, now_ms);
		event.fdb = (struct fdb_entry){ .port = match->port, .vid = match->vid };
		outbox_event(out, &event);
		return 0;
	}
	do {
		n = fdb_remove(br->fdb, match, now_ms, &cursor, gone, 64);
		for (unsigned i = 0; i < n; i++) {
			event = (struct event){ .kind = EVENT_FDB_DELETED,
						.port = gone[i].port,
						.vid = gone[i].vid,
						.fdb = gone[i] };
			outbox_event(out, &event);
		}
	} while (cursor != UINT64_MAX);
	return 0;
}

bool bridge_fdb_get(const struct bridge *br, uint64_t mac, uint16_t vid, uint64_t now_ms,
		    struct fdb_entry *e)
{
	return fdb_lookup(br->fdb, mac, vid, now_ms, e);
}

unsigned bridge_fdb_walk(const struct bridge *br, const struct fdb_match *match, uint64_t now_ms,
			 uint64_t *cursor, struct fdb_entry *entries, unsigned max)
{
	return fdb_walk(br->fdb, match, now_ms, cursor, entries, max);
}

void bridge_fdb_info(const struct bridge *br, struct fdb_info *info)
{
	fdb_get_info(br->fdb, info);
}

uint32_t bridge_fdb_port_used(const struct bridge *br, uint16_t n)
{
	return fdb_port_used(br->fdb, n);
}
