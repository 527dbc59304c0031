/* SPDX-License-Identifier: MIT */
/* The commands of a scenario that configure the switch. */
#include <errno.h>
#include <stdlib.h>

#include "tests/scenario/scenario.h"

int do_ports(struct scenario *s)
{
	for (unsigned i = 1; i < s->n; i++) {
		bool host = strcmp(s->word[0], "host") == 0;
		uint16_t n = PORT_HOST;
		struct link link = { .present = true, .up = true, .carrier = true, .mtu = 1500 };
		int ret;

		if (!host)
			for (n = 1; bridge_port_exists(s->br, n); n++)
				;
		link.mac = UINT64_C(0x060000000000) + n;
		ret = bridge_port_add(s->br, n, s->word[i], true, s->now, s->out);
		if (!ret)
			ret = bridge_port_link(s->br, n, &link, s->now, s->out);
		if (ret)
			return fail(s, strerror(-ret), s->word[i]);
	}
	return 0;
}

static int attr_value(struct scenario *s, const struct attr *attr, const char *text,
		      uint64_t *value)
{
	char why[200];

	if (attr->type != ATTR_PORT) {
		int ret = attr_parse(attr, text, value, why, sizeof(why));

		return ret ? fail(s, why, NULL) : 0;
	}
	*value = strcmp(text, "none") == 0 ? PORT_NONE : port_of(s, text);
	return 0;
}

int do_set(struct scenario *s)
{
	for (unsigned i = 1; i + 1 < s->n; i += 2) {
		int attr = attr_find(bridge_attrs, BRIDGE_ATTR_MAX, s->word[i]);
		uint64_t value;
		int ret;

		if (attr < 0)
			return fail(s, "no such setting", s->word[i]);
		if (attr_value(s, &bridge_attrs[attr], s->word[i + 1], &value))
			return -EINVAL;
		ret = bridge_set(s->br, (enum bridge_attr)attr, value, s->now, s->out);
		if (ret)
			return fail(s, strerror(-ret), s->word[i]);
	}
	return 0;
}

/*
 * Words of `link set` that are news of the interface, not settings. Returns how many words were
 * one, or 0.
 */
static unsigned link_word(struct scenario *s, struct link *link, unsigned i)
{
	const char *key = s->word[i], *value = i + 1 < s->n ? s->word[i + 1] : "";
	bool on = strcmp(value, "on") == 0;

	if (strcmp(key, "up") == 0 || strcmp(key, "down") == 0) {
		link->up = link->carrier = key[0] == 'u';
		return 1;
	}
	if (strcmp(key, "carrier") == 0)
		link->carrier = on;
	else if (strcmp(key, "mtu") == 0)
		link->mtu = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(key, "address") == 0)
		link->mac = mac_of(s, value);
	else if (strcmp(key, "promisc") == 0)
		link->promisc = on;
	else
		return 0;
	return 2;
}

static int do_link_set(struct scenario *s)
{
	uint16_t n = port_of(s, after(s, "dev"));
	struct link link;

	if (n == PORT_NONE)
		return -ENODEV;
	link = *bridge_port_link_get(s->br, n);
	for (unsigned i = 2; i < s->n;) {
		unsigned words = strcmp(s->word[i], "dev") == 0 ? 2 : link_word(s, &link, i);
		uint64_t value;
		int attr, ret;

		if (words) {
			i += words;
			continue;
		}
		attr = attr_find(port_attrs, PORT_ATTR_MAX, s->word[i]);
		if (attr < 0 || i + 1 >= s->n)
			return fail(s, "no such setting", s->word[i]);
		if (attr_value(s, &port_attrs[attr], s->word[i + 1], &value))
			return -EINVAL;
		ret = bridge_port_set(s->br, n, (enum port_attr)attr, value, s->now, s->out);
		if (ret)
			return fail(s, strerror(-ret), s->word[i]);
		i += 2;
	}
	return bridge_port_link(s->br, n, &link, s->now, s->out);
}

int do_link(struct scenario *s)
{
	const char *verb = s->n > 2 ? s->word[1] : "";
	uint16_t n;

	if (strcmp(verb, "set") == 0)
		return do_link_set(s);
	if (strcmp(verb, "add") == 0) {
		memmove(&s->word[1], &s->word[2], (s->n - 2) * sizeof(s->word[0]));
		s->n--;
		return do_ports(s);
	}
	n = port_of(s, s->word[2]);
	return n == PORT_NONE ? -ENODEV : bridge_port_del(s->br, n, s->now, s->out);
}

int do_fdb(struct scenario *s)
{
	const char *verb = s->n > 1 ? s->word[1] : "", *dev = after(s, "dev"),
		   *vlan = after(s, "vlan");
	enum fdb_mode mode = strcmp(verb, "replace") == 0  ? FDB_MODE_REPLACE
			     : strcmp(verb, "append") == 0 ? FDB_MODE_APPEND
							   : FDB_MODE_ADD;
	struct fdb_match all = { .port = PORT_NONE, .vid = FDB_ANY_VID };
	struct fdb_entry e = { 0 };
	int ret;

	if (strcmp(verb, "flush") == 0) {
		if (dev)
			all.port = port_of(s, dev);
		if (vlan)
			all.vid = (uint16_t)strtoul(vlan, NULL, 10);
		return bridge_fdb_flush(s->br, &all, s->now, s->out);
	}
	e.port = port_of(s, dev);
	if (e.port == PORT_NONE || s->n < 3)
		return -ENODEV;
	e.mac = mac_of(s, s->word[2]);
	e.vid = vlan ? (uint16_t)strtoul(vlan, NULL, 10) : 0;
	e.flags =
		(uint16_t)((has(s, "local") ? FDB_LOCAL : 0) | (has(s, "static") ? FDB_STATIC : 0) |
			   (has(s, "sticky") ? FDB_STICKY : 0) |
			   (has(s, "extern_learn") ? FDB_EXT_LEARN : 0));
	ret = strcmp(verb, "del") == 0
		      ? bridge_fdb_del(s->br, e.mac, e.vid, e.port, !vlan, s->now, s->out)
		      : bridge_fdb_add(s->br, &e, !vlan, mode, s->now, s->out);
	return ret ? fail(s, strerror(-ret), "fdb") : 0;
}

int do_vlan(struct scenario *s)
{
	const char *verb = s->n > 1 ? s->word[1] : "", *vid = after(s, "vid"),
		   *state = after(s, "state");
	uint16_t n = port_of(s, after(s, "dev")), first, last;
	uint16_t flags = (uint16_t)((has(s, "pvid") ? VLAN_PVID : 0) |
				    (has(s, "untagged") ? VLAN_UNTAGGED : 0));
	uint64_t value;
	int ret;

	if (n == PORT_NONE || !vid || vlan_parse_range(vid, &first, &last))
		return fail(s, "bad VLAN command", vid);
	if (strcmp(verb, "add") == 0) {
		ret = bridge_vlan_add(s->br, n, first, last, flags, s->now, s->out);
	} else if (strcmp(verb, "del") == 0) {
		ret = bridge_vlan_del(s->br, n, first, last, s->now, s->out);
	} else {
		if (!state || attr_value(s, &port_attrs[PORT_STATE], state, &value))
			return fail(s, "state missing", NULL);
		ret = bridge_vlan_set_state(s->br, n, first, last, (enum port_state)value, s->now,
					    s->out);
	}
	return ret ? fail(s, strerror(-ret), "vlan") : 0;
}
