/* SPDX-License-Identifier: MIT */
#include "switch/daemon/show.h"

#include <stdio.h>
#include <string.h>

#include "fdb/mac.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/drift.h"
#include "switch/daemon/text.h"

void names_read(struct names *names, const struct backend *backend)
{
	struct port_info info;

	for (uint32_t n = 0;
	     n < PORT_MAX && !backend->ops->port_next(backend->ctx, (uint16_t)n, &info);
	     n = info.number + 1u)
		memcpy(names->name[info.number], info.name, PORT_NAME_MAX);
}

const char *names_get(struct names *names, const struct backend *backend, uint16_t number)
{
	struct port_info info;

	if (number >= PORT_MAX)
		return "?";
	if (!names->name[number][0] && !backend->ops->port_next(backend->ctx, number, &info) &&
	    info.number == number)
		memcpy(names->name[number], info.name, PORT_NAME_MAX);
	return names->name[number][0] ? names->name[number] : "?";
}

uint16_t names_find(struct names *names, const struct backend *backend, const char *name)
{
	struct port_info info;

	for (uint32_t n = 0;
	     n < PORT_MAX && !backend->ops->port_next(backend->ctx, (uint16_t)n, &info);
	     n = info.number + 1u) {
		memcpy(names->name[info.number], info.name, PORT_NAME_MAX);
		if (!strcmp(info.name, name))
			return info.number;
	}
	return PORT_NONE;
}

/*
 * The pieces of objects: jansson's calls that check nothing, for names and words that are known to
 * be UTF-8.
 */
static void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new_nocheck(object, key, value);
}

static void put_text(json_t *object, const char *key, const char *value)
{
	put(object, key, text_string(value));
}

static void put_number(json_t *object, const char *key, uint64_t value)
{
	put(object, key, json_integer((json_int_t)value));
}

/* Returns @object when it got all @n members, else releases it: memory was short. */
static json_t *complete(json_t *object, size_t n)
{
	if (json_object_size(object) >= n)
		return object;
	json_decref(object);
	return NULL;
}

json_t *show_attr(const struct attr *attr, uint64_t value)
{
	bool of_port = attr >= port_attrs && attr < port_attrs + PORT_ATTR_MAX;
	char text[64];

	switch (attr->type) {
	case ATTR_BOOL:
		return of_port ? json_boolean(value) : json_integer((json_int_t)value);
	case ATTR_NUMBER:
	case ATTR_PORT:
		return json_integer((json_int_t)value);
	case ATTR_TIME:
		return json_integer((json_int_t)(value / 10));
	case ATTR_MASK:
	case ATTR_MAC:
	case ATTR_PROTO:
	case ATTR_STATE:
	case ATTR_ACCEPT:
		break;
	}
	return json_string_nocheck(attr_print(attr, value, text, sizeof(text)));
}

json_t *show_fdb_info(const struct fdb_info *info)
{
	json_t *o = json_object();

	put_number(o, "fdb_size", info->size);
	put_number(o, "fdb_used", info->used);
	put_number(o, "fdb_n_learned", info->learned);
	put_number(o, "fdb_evicted", info->evicted);
	put_number(o, "fdb_refused", info->refused);
	put_number(o, "fdb_moved", info->moved);
	return complete(o, 6);
}

json_t *show_settings(const struct daemon *d, const struct model *actual)
{
	struct fdb_info info = { 0 };
	json_t *o = json_object(), *table, *drift;

	put_text(o, "ifname", actual->name);
	put_text(o, "backend", d->backend.ops->name);
	put_number(o, "ports", actual->n_ports);
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		put(o, bridge_attrs[i].json, show_attr(&bridge_attrs[i], actual->attr[i]));
	d->backend.ops->fdb_info(d->backend.ctx, &info);
	table = show_fdb_info(&info);
	json_object_update(o, table);
	json_decref(table);
	if (d->backend.ops->shared) {
		drift = drift_show(d, NULL);
		if (json_array_size(drift))
			put(o, "drift", json_incref(drift));
		json_decref(drift);
	}
	return complete(o, 3 + BRIDGE_ATTR_MAX + 6);
}

/* The words of `ip link`, in its order. */
static json_t *link_flags(const struct link *link)
{
	const struct {
		const char *word;
		bool on;
	} words[] = {
		{ "NO-CARRIER", link->up && !link->carrier },
		{ "BROADCAST", true },
		{ "MULTICAST", true },
		{ "PROMISC", link->promisc },
		{ "UP", link->up },
		{ "LOWER_UP", link->carrier },
	};
	json_t *flags = json_array();

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].on)
			json_array_append_new(flags, json_string_nocheck(words[i].word));
	return flags;
}

/* What -d adds: the flags in bridge(8)'s order, then what only this switch has. */
static void put_link_details(json_t *o, const struct port_info *info)
{
	static const enum port_attr order[] = { PORT_HAIRPIN,     PORT_LEARNING,
						PORT_FLOOD,       PORT_MCAST_FLOOD,
						PORT_BCAST_FLOOD, PORT_BACKUP_PORT,
						PORT_ISOLATED,    PORT_LOCKED,
						PORT_MAB,         PORT_PORT_GROUP_FWD_MASK,
						PORT_ACCEPT };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && info->number != PORT_HOST; i++) {
		const struct attr *attr = &port_attrs[order[i]];

		if (order[i] != PORT_BACKUP_PORT)
			put(o, attr->json, show_attr(attr, info->attr[order[i]]));
		else if (info->backup_port[0])
			put_text(o, attr->json, info->backup_port);
	}
	put_text(o, "kind", info->kind);
	put_number(o, "port", info->number);
	put_number(o, "fdb_entries", info->fdb_entries);
	if (info->note[0])
		put_text(o, "note", info->note);
}

json_t *show_link(const struct port_info *info, const char *master, bool details)
{
	json_t *o = json_object();

	put_number(o, "ifindex", (uint64_t)info->link.ifindex);
	put_text(o, "ifname", info->name);
	put(o, "flags", link_flags(&info->link));
	if (info->link.mtu)
		put_number(o, "mtu", info->link.mtu);
	if (info->number != PORT_HOST) {
		put_text(o, "master", master);
		put_text(o, "state", port_state_word(info->state));
		put_number(o, "priority", info->attr[PORT_PRIORITY]);
		put_number(o, "cost", info->attr[PORT_COST]);
	}
	if (details)
		put_link_details(o, info);
	return complete(o, 3);
}

json_t *show_fdb(const struct fdb_entry *e, const char *dev, const char *master, bool stats,
		 uint64_t now)
{
	json_t *o = json_object(), *flags = json_array();
	char mac[MAC_STRLEN];

	put(o, "mac", json_stringn_nocheck(mac_print(e->mac, mac), MAC_STRLEN - 1));
	if (dev)
		put_text(o, "ifname", dev);
	if (e->vid)
		put_number(o, "vlan", e->vid);
	if (stats) {
		put_number(o, "used", now > e->used_ms ? (now - e->used_ms) / 1000 : 0);
		put_number(o, "updated", now > e->updated_ms ? (now - e->updated_ms) / 1000 : 0);
	}
	if (e->flags & FDB_EXT_LEARN)
		json_array_append_new(flags, json_string_nocheck("extern_learn"));
	if (e->flags & FDB_STICKY)
		json_array_append_new(flags, json_string_nocheck("sticky"));
	if (e->flags & FDB_LOCKED)
		json_array_append_new(flags, json_string_nocheck("locked"));
	put(o, "flags", flags);
	put_text(o, "master", master);
	put(o, "state",
	    json_string_nocheck(e->flags & FDB_LOCAL    ? "permanent"
				: e->flags & FDB_STATIC ? "static"
							: ""));
	return complete(o, 4);
}

static json_t *vlan_flags(uint16_t flags)
{
	json_t *words = json_array();

	if (flags & VLAN_PVID)
		json_array_append_new(words, json_string_nocheck("PVID"));
	if (flags & VLAN_UNTAGGED)
		json_array_append_new(words, json_string_nocheck("Egress Untagged"));
	return words;
}

json_t *show_vlan(const struct show_vlan *v, const struct show *how)
{
	json_t *o = json_object();
	bool by_stats = how->stats && !how->details;
	bool range = v->last > v->first;

	put_number(o, by_stats ? "vid" : "vlan", v->first);
	if (range)
		put_number(o, "vlanEnd", v->last);
	/* an empty list stands where bridge(8) has one: its own VLANs with -s, ranges without -d */
	if (v->flags || (by_stats && v->host) || (range && !how->details))
		put(o, "flags", vlan_flags(v->flags));
	if (how->details)
		put_text(o, "state", port_state_word(v->state));
	if (v->stats) {
		put_number(o, "rx_bytes", v->stats->rx_bytes);
		put_number(o, "rx_packets", v->stats->rx_packets);
		put_number(o, "tx_bytes", v->stats->tx_bytes);
		put_number(o, "tx_packets", v->stats->tx_packets);
	}
	return complete(o, 1);
}

static json_t *show_drops(const uint64_t drops[DROP_MAX])
{
	json_t *o = json_object();

	for (unsigned i = DROP_NONE + 1; i < DROP_MAX; i++)
		put_number(o, drop_word((enum drop)i), drops[i]);
	return o;
}

json_t *show_stats(const struct port_info *info)
{
	const struct port_stats *s = &info->stats;
	json_t *o = json_object();

	put_text(o, "ifname", info->name);
	put_text(o, "kind", info->kind);
	put_text(o, "state", info->link.present ? port_state_word(info->state) : "missing");
	if (info->note[0])
		put_text(o, "note", info->note);
	put_number(o, "fdb_entries", info->fdb_entries);
	put_number(o, "rx_packets", s->rx);
	put_number(o, "rx_bytes", s->rx_bytes);
	put_number(o, "rx_fast", s->rx_fast);
	put_number(o, "rx_missed", s->rx_missed);
	put_number(o, "rx_cycles", s->rx_cycles);
	put_number(o, "forwarded", s->forwarded);
	put_number(o, "consumed", s->consumed);
	put(o, "drop_in", show_drops(s->drop_in));
	put_number(o, "queued", s->queued);
	put_number(o, "tx_packets", s->tx);
	put_number(o, "tx_bytes", s->tx_bytes);
	put_number(o, "tx_segments", s->tx_segments);
	put(o, "drop_out", show_drops(s->drop_out));
	return complete(o, 17);
}
