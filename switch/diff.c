/* SPDX-License-Identifier: MIT */
#include "switch/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_TEXT 4608

/* What a difference is collected in; `failed`: memory ran short. */
struct diff {
	struct verbs *verbs;
	bool failed;
};

static void emit(struct diff *d, const char *dev, struct verb verb)
{
	struct verbs *v = d->verbs;

	if (v->n == v->room && !d->failed) {
		unsigned room = v->room ? 2 * v->room : 16;
		struct verb *grown = realloc(v->verb, room * sizeof(*grown));

		d->failed = !grown;
		if (grown) {
			v->verb = grown;
			v->room = room;
		}
	}
	if (d->failed)
		return;
	memcpy(verb.dev, dev, strlen(dev) + 1);
	v->verb[v->n++] = verb;
}

/*
 * Whether @a and @b describe the same port, where one may still be the bare form that became the
 * other.
 */
static bool same_spec(const struct port_spec *a, const struct port_spec *b)
{
	struct port_spec resolved;
	char text_a[SPEC_TEXT], text_b[SPEC_TEXT];

	if (!memcmp(a, b, sizeof(*a)))
		return true;
	if (!a->ops && b->ops)
		return same_spec(b, a);
	port_spec_print(a, text_a, sizeof(text_a));
	resolved = *b;
	if (a->ops && !b->ops && port_spec_resolve(&resolved, a->ops, NULL))
		return false;
	port_spec_print(&resolved, text_b, sizeof(text_b));
	return !strcmp(text_a, text_b);
}

/*
 * Returns the port of @actual that is wanted port @w already, or NULL when @w is still to be added.
 */
static const struct model_port *present(const struct model *actual, const struct model_port *w)
{
	const struct model_port *a = model_port(actual, w->name);

	return a && a->host == w->host && same_spec(&a->spec, &w->spec) ? a : NULL;
}

/*
 * Whether entry @a of a backend cannot become @w by being put again: extern_learn and the other
 * kinds mix then, in the kernel (br_fdb_external_learn_add) and in the bridge.
 */
static bool must_go(const struct model_fdb *a, const struct model_fdb *w)
{
	return !w || (a->flags != w->flags && (a->flags | w->flags) & FDB_EXT_LEARN);
}

/*
 * The entries that go: those of other ports go with them, those in a VLAN that their port has left
 * may stay.
 */
static void diff_fdb_del(struct diff *d, const struct model *actual, const struct model *wanted)
{
	for (unsigned i = 0; i < actual->n_fdb; i++) {
		const struct model_fdb *e = &actual->fdb[i],
				       *next = model_fdb(wanted, e->mac, e->vid);
		const struct model_port *w = model_port(wanted, e->dev);

		if (must_go(e, next) && w && present(actual, w) &&
		    (next || !e->vid || model_vlan_has(w, e->vid)))
			emit(d, e->dev,
			     (struct verb){
				     .op = VERB_FDB_DEL, .mac = e->mac, .vid_first = e->vid });
	}
}

static void diff_fdb_add(struct diff *d, const struct model *actual, const struct model *wanted)
{
	for (unsigned i = 0; i < wanted->n_fdb; i++) {
		const struct model_fdb *e = &wanted->fdb[i], *a = model_fdb(actual, e->mac, e->vid);
		const struct model_port *w = model_port(wanted, e->dev);

		if (!a || !w || strcmp(a->dev, e->dev) != 0 || a->flags != e->flags ||
		    !present(actual, w))
			emit(d, e->dev,
			     (struct verb){ .op = VERB_FDB_ADD,
					    .mac = e->mac,
					    .vid_first = e->vid,
					    .flags = e->flags });
	}
}

static bool bit(const uint64_t *set, unsigned vid)
{
	return set[vid / 64] >> (vid % 64) & 1;
}

static unsigned vlan_flags(const struct model_vlans *v, unsigned vid)
{
	return (bit(v->untagged, vid) ? VLAN_UNTAGGED : 0u) | (v->pvid == vid ? VLAN_PVID : 0u);
}

/*
 * What has to be done to VLAN @vid of a port for @op, as a number: 0 = nothing, else neighbours
 * with the same number make a range.
 */
static unsigned vlan_step(enum verb_op op, const struct model_vlans *a, const struct model_vlans *w,
			  unsigned vid)
{
	bool is = bit(a->member, vid), shall = bit(w->member, vid);

	if (op == VERB_VLAN_DEL)
		return is && !shall;
	if (!shall)
		return 0;
	if (op == VERB_VLAN_ADD && is && vid == a->pvid && w->pvid && w->pvid != vid &&
	    bit(a->untagged, vid) == bit(w->untagged, vid))
		return 0; /* the new PVID takes its mark away */
	if (op == VERB_VLAN_ADD)
		return is && vlan_flags(a, vid) == vlan_flags(w, vid) ? 0 : 1 + vlan_flags(w, vid);
	return w->state[vid] == a->state[vid] ? 0 : 1u + w->state[vid];
}

/*
 * The VLANs 64 * @i and following that vlan_step() may have something to say of, as bits. A
 * port has 4094 of them, and most are as they should be.
 */
static uint64_t vlan_steps(enum verb_op op, const struct model_vlans *a,
			   const struct model_vlans *w, unsigned i)
{
	uint64_t pvids = 0;

	if (op == VERB_VLAN_DEL)
		return a->member[i] & ~w->member[i];
	if (op == VERB_VLAN_SET)
		return memcmp(&a->state[64 * i], &w->state[64 * i], 64) ? w->member[i] : 0;
	if (a->pvid != w->pvid && a->pvid / 64 == i)
		pvids |= UINT64_C(1) << (a->pvid % 64);
	if (a->pvid != w->pvid && w->pvid / 64 == i)
		pvids |= UINT64_C(1) << (w->pvid % 64);
	return w->member[i] & (~a->member[i] | (a->untagged[i] ^ w->untagged[i]) | pvids);
}

/* Emits VLANs @first and following that have the step of the first; returns the last of them. */
static unsigned diff_range(struct diff *d, enum verb_op op, const char *dev,
			   const struct model_vlans *a, const struct model_vlans *w, unsigned first)
{
	unsigned step = vlan_step(op, a, w, first), last = first;
	struct verb verb = { .op = op, .vid_first = (uint16_t)first };

	if (!step)
		return first;
	while (last < VLAN_VID_MAX && vlan_step(op, a, w, last + 1) == step)
		last++;
	verb.vid_last = (uint16_t)last;
	if (op == VERB_VLAN_ADD)
		verb.flags = (uint16_t)(step - 1);
	if (op == VERB_VLAN_SET)
		verb.state = (enum port_state)(step - 1);
	emit(d, dev, verb);
	return last;
}

static void diff_vlans(struct diff *d, enum verb_op op, const char *dev,
		       const struct model_vlans *a, const struct model_vlans *w)
{
	for (unsigned vid = 1; vid <= VLAN_VID_MAX; vid++) {
		uint64_t steps = vlan_steps(op, a, w, vid / 64) >> (vid % 64);

		if (steps)
			vid = diff_range(d, op, dev, a, w, vid + (unsigned)__builtin_ctzll(steps));
		else
			vid |= 63;
	}
}

/*
 * Does diff_vlans() for every wanted port; one that is still to be added will find itself in
 * vlan_default_pvid.
 */
static void diff_port_vlans(struct diff *d, enum verb_op op, const struct model *actual,
			    const struct model *wanted)
{
	uint16_t pvid = (uint16_t)wanted->attr[BRIDGE_VLAN_DEFAULT_PVID];

	for (unsigned i = 0; i < wanted->n_ports; i++) {
		const struct model_port *w = &wanted->port[i], *a = present(actual, w);
		struct model_vlans fresh = { .pvid = pvid };
		struct model_port joined = { .vlans = &fresh };

		if (!a && op == VERB_VLAN_DEL)
			continue;
		if (!a && pvid)
			model_vlan_add(&joined, pvid, pvid, VLAN_PVID | VLAN_UNTAGGED);
		if (!a)
			memset(fresh.state, STATE_FORWARDING, sizeof(fresh.state));
		diff_vlans(d, op, w->name, a ? a->vlans : &fresh, w->vlans);
	}
}

static void diff_bridge(struct diff *d, const struct model *actual, const struct model *wanted)
{
	bool moves = actual->attr[BRIDGE_VLAN_FILTERING] != wanted->attr[BRIDGE_VLAN_FILTERING] ||
		     actual->attr[BRIDGE_VLAN_PROTOCOL] != wanted->attr[BRIDGE_VLAN_PROTOCOL];

	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++) {
		bool differs = actual->attr[i] != wanted->attr[i];

		/*
		 * the group address follows by itself what the lines above change, unless the user
		 * has set it
		 */
		if (i == BRIDGE_GROUP_ADDR && moves)
			differs = wanted->group_addr_set;
		if (!differs)
			continue;
		emit(d, "",
		     (struct verb){ .op = VERB_BRIDGE_SET, .attr = i, .value = wanted->attr[i] });
	}
}

static void diff_attr(struct diff *d, const struct model_port *a, const struct model_port *w,
		      unsigned attr)
{
	uint64_t is = a ? a->attr[attr] : port_attrs[attr].fallback;

	if (attr == PORT_STATE || attr == PORT_BACKUP_PORT || is == w->attr[attr])
		return;
	emit(d, w->name,
	     (struct verb){ .op = VERB_PORT_SET, .attr = attr, .value = w->attr[attr] });
}

/*
 * What is switched off goes first and backwards: a setting that needs another (mab: locked) is
 * never alone.
 */
static void diff_port_set(struct diff *d, const struct model_port *a, const struct model_port *w)
{
	struct verb backup = { .op = VERB_PORT_SET, .attr = PORT_BACKUP_PORT };

	for (unsigned i = PORT_ATTR_MAX; i-- > 0;)
		if (!w->attr[i])
			diff_attr(d, a, w, i);
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		if (w->attr[i])
			diff_attr(d, a, w, i);
	if (strcmp(a ? a->backup_port : "", w->backup_port) != 0) {
		memcpy(backup.value_port, w->backup_port, sizeof(backup.value_port));
		emit(d, w->name, backup);
	}
}

/*
 * Makes @after what @actual is once the verbs so far are done: a new vlan_default_pvid takes ports
 * to another VLAN, and what is added later has to know where they are then. Returns 0 or -ENOMEM.
 */
static int foresee(const struct verbs *done, const struct model *actual, const struct model *wanted,
		   struct model *after)
{
	if (model_copy(after, actual))
		return -ENOMEM;
	for (unsigned i = 0; i < done->n; i++) {
		const struct verb *v = &done->verb[i];

		if (v->op == VERB_VLAN_DEL)
			model_vlan_del(after, model_port(after, v->dev), v->vid_first, v->vid_last);
	}
	model_set(after, BRIDGE_VLAN_DEFAULT_PVID, wanted->attr[BRIDGE_VLAN_DEFAULT_PVID]);
	return 0;
}

static void diff_del(struct diff *d, const struct model *actual, const struct model *wanted)
{
	diff_fdb_del(d, actual, wanted);
	diff_port_vlans(d, VERB_VLAN_DEL, actual, wanted);
	for (unsigned i = 0; i < actual->n_ports; i++) {
		const struct model_port *w = model_port(wanted, actual->port[i].name);

		if (!w || !present(actual, w))
			emit(d, actual->port[i].name, (struct verb){ .op = VERB_PORT_DEL });
	}
}

static void diff_add(struct diff *d, const struct model *actual, const struct model *wanted)
{
	for (unsigned i = 0; i < wanted->n_ports; i++) {
		const struct model_port *w = &wanted->port[i];

		if (!present(actual, w))
			emit(d, w->name,
			     (struct verb){
				     .op = VERB_PORT_ADD, .spec = &w->spec, .host = w->host });
	}
	for (unsigned i = 0; i < wanted->n_ports; i++)
		diff_port_set(d, present(actual, &wanted->port[i]), &wanted->port[i]);
	diff_port_vlans(d, VERB_VLAN_ADD, actual, wanted);
	diff_port_vlans(d, VERB_VLAN_SET, actual, wanted);
	diff_fdb_add(d, actual, wanted);
}

int model_diff(const struct model *actual, const struct model *wanted, struct verbs *verbs)
{
	struct diff d = { .verbs = verbs };
	struct model after;

	*verbs = (struct verbs){ 0 };
	model_init(&after, "");
	diff_del(&d, actual, wanted);
	diff_bridge(&d, actual, wanted);
	if (actual->attr[BRIDGE_VLAN_DEFAULT_PVID] == wanted->attr[BRIDGE_VLAN_DEFAULT_PVID])
		diff_add(&d, actual, wanted);
	else if (foresee(verbs, actual, wanted, &after))
		d.failed = true;
	else
		diff_add(&d, &after, wanted);
	model_fini(&after);
	if (d.failed)
		verbs_fini(verbs);
	return d.failed ? -ENOMEM : 0;
}

void verbs_fini(struct verbs *verbs)
{
	free(verbs->verb);
	*verbs = (struct verbs){ 0 };
}
