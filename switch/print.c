/* SPDX-License-Identifier: MIT */
#include "switch/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Appends to @to the verbs of @from with one of the operations @ops (bits); -ENOMEM when memory is
 * short.
 */
static int append(struct verbs *to, const struct verbs *from, unsigned ops)
{
	struct verb *grown = realloc(to->verb, ((size_t)to->n + from->n + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	to->verb = grown;
	to->room = to->n + from->n + 1;
	for (unsigned i = 0; i < from->n; i++)
		if (ops >> from->verb[i].op & 1)
			to->verb[to->n++] = from->verb[i];
	return 0;
}

/*
 * Makes @base what @m is after its `set` and `link add` lines: each port in vlan_default_pvid, all
 * else default.
 */
static int make_base(struct model *base, const struct model *m)
{
	uint16_t pvid = (uint16_t)m->attr[BRIDGE_VLAN_DEFAULT_PVID];

	model_init(base, m->name);
	memcpy(base->attr, m->attr, sizeof(base->attr));
	for (unsigned i = 0; i < m->n_ports; i++) {
		struct model_port *p =
			model_port_add(base, m->port[i].name, &m->port[i].spec, m->port[i].host);

		if (!p)
			return -ENOMEM;
		if (pvid)
			model_vlan_add(p, pvid, pvid, VLAN_PVID | VLAN_UNTAGGED);
	}
	return 0;
}

/*
 * Entries that `fdb add` without `vlan` makes (VLAN 0 and each of the port's) are one line again.
 * The entries of @m are sorted, so those of one MAC are neighbours.
 */
static void join_entries(const struct model *m, struct verbs *lines)
{
	unsigned kept = 0, n;

	for (unsigned i = 0; i < lines->n; i += n) {
		struct verb *v = &lines->verb[i];
		const struct model_port *p = model_port(m, v->dev);
		unsigned all = 1;

		for (n = 1; i + n < lines->n && v->op == VERB_FDB_ADD && !v->vid_first; n++)
			if (v[n].op != v->op || v[n].mac != v->mac || v[n].flags != v->flags ||
			    strcmp(v[n].dev, v->dev) != 0)
				break;
		for (unsigned w = 0; v->op == VERB_FDB_ADD && p && w < VLAN_N / 64; w++)
			all += (unsigned)__builtin_popcountll(p->vlans->member[w]);
		if (v->op == VERB_FDB_ADD && !v->vid_first && n == all)
			v->vid_first = FDB_ANY_VID;
		else
			n = 1;
		lines->verb[kept++] = *v;
	}
	lines->n = kept;
}

int model_print(const struct model *m, struct verbs *lines)
{
	const unsigned first = 1u << VERB_BRIDGE_SET | 1u << VERB_PORT_ADD;
	struct verbs made = { 0 }, rest = { 0 };
	struct model empty, base;
	int ret;

	*lines = (struct verbs){ 0 };
	model_init(&empty, m->name);
	ret = make_base(&base, m);
	if (!ret)
		ret = model_diff(&empty, m, &made);
	if (!ret)
		ret = model_diff(&base, m, &rest);
	if (!ret)
		ret = append(lines, &made, first);
	if (!ret)
		ret = append(lines, &rest, ~first);
	if (!ret)
		join_entries(m, lines);
	if (ret)
		verbs_fini(lines);
	verbs_fini(&made);
	verbs_fini(&rest);
	model_fini(&base);
	return ret;
}
