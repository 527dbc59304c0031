/* SPDX-License-Identifier: MIT */
#include "switch/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fdb/mac.h"

void model_init(struct model *m, const char *name)
{
	memset(m, 0, sizeof(*m));
	snprintf(m->name, sizeof(m->name), "%s", name);
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		m->attr[i] = bridge_attrs[i].fallback;
}

void model_fini(struct model *m)
{
	for (unsigned i = 0; i < m->n_ports; i++)
		free(m->port[i].vlans);
	free(m->port);
	free(m->fdb);
	memset(m, 0, sizeof(*m));
}

/*
 * Makes @dst, zeroed, a copy of the @n ports at @src. Returns 0 or -ENOMEM; what was copied is
 * counted either way.
 */
static int copy_ports(struct model *dst, const struct model_port *src, unsigned n)
{
	dst->port = n ? malloc(n * sizeof(*src)) : NULL;
	if (n && !dst->port)
		return -ENOMEM;
	for (; dst->n_ports < n; dst->n_ports++) {
		struct model_port *p = &dst->port[dst->n_ports];

		*p = src[dst->n_ports];
		p->vlans = malloc(sizeof(*p->vlans));
		if (!p->vlans)
			return -ENOMEM;
		*p->vlans = *src[dst->n_ports].vlans;
	}
	return 0;
}

int model_copy(struct model *dst, const struct model *src)
{
	struct model copy = *src;
	int ret;

	copy.port = NULL;
	copy.n_ports = 0;
	copy.n_fdb = 0;
	copy.fdb = src->n_fdb ? malloc(src->n_fdb * sizeof(*src->fdb)) : NULL;
	ret = src->n_fdb && !copy.fdb ? -ENOMEM : copy_ports(&copy, src->port, src->n_ports);
	if (ret) {
		model_fini(&copy);
		return ret;
	}
	if (src->n_fdb)
		memcpy(copy.fdb, src->fdb, src->n_fdb * sizeof(*src->fdb));
	copy.n_fdb = src->n_fdb;
	copy.fdb_room = src->n_fdb;
	model_fini(dst);
	*dst = copy;
	return 0;
}

struct model_port *model_port(const struct model *m, const char *name)
{
	for (unsigned i = 0; i < m->n_ports; i++)
		if (!strcmp(m->port[i].name, name))
			return &m->port[i];
	return NULL;
}

struct model_port *model_host(const struct model *m)
{
	for (unsigned i = 0; i < m->n_ports; i++)
		if (m->port[i].host)
			return &m->port[i];
	return NULL;
}

struct model_port *model_port_add(struct model *m, const char *name, const struct port_spec *spec,
				  bool host)
{
	struct model_vlans *vlans = calloc(1, sizeof(*vlans));
	struct model_port *ports = realloc(m->port, (m->n_ports + 1) * sizeof(*ports)), *p;

	if (ports)
		m->port = ports;
	if (!ports || !vlans) {
		free(vlans);
		return NULL;
	}
	memset(vlans->state, STATE_FORWARDING, sizeof(vlans->state));
	p = &ports[m->n_ports++];
	*p = (struct model_port){ .spec = *spec, .vlans = vlans, .host = host };
	snprintf(p->name, sizeof(p->name), "%s", name);
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		p->attr[i] = port_attrs[i].fallback;
	return p;
}

int model_port_del(struct model *m, const char *name)
{
	struct model_port *p = model_port(m, name);
	unsigned kept = 0;

	if (!p)
		return -ENODEV;
	for (unsigned i = 0; i < m->n_fdb; i++)
		if (strcmp(m->fdb[i].dev, name) != 0)
			m->fdb[kept++] = m->fdb[i];
	m->n_fdb = kept;
	for (unsigned i = 0; i < m->n_ports; i++)
		if (!strcmp(m->port[i].backup_port, name))
			m->port[i].backup_port[0] = '\0';
	free(p->vlans);
	m->n_ports--;
	memmove(p, p + 1, (size_t)(&m->port[m->n_ports] - p) * sizeof(*p));
	return 0;
}

bool model_vlan_has(const struct model_port *port, uint16_t vid)
{
	return port->vlans->member[vid / 64] >> (vid % 64) & 1;
}

static bool is_untagged(const struct model_port *port, uint16_t vid)
{
	return port->vlans->untagged[vid / 64] >> (vid % 64) & 1;
}

void model_vlan_add(struct model_port *port, uint16_t first, uint16_t last, uint16_t flags)
{
	struct model_vlans *v = port->vlans;

	for (uint16_t vid = first; vid <= last; vid++) {
		uint64_t bit = UINT64_C(1) << (vid % 64);

		v->member[vid / 64] |= bit;
		if (flags & VLAN_UNTAGGED)
			v->untagged[vid / 64] |= bit;
		else
			v->untagged[vid / 64] &= ~bit;
		if (flags & VLAN_PVID)
			v->pvid = vid;
		else if (v->pvid == vid)
			v->pvid = 0;
	}
}

/* Takes @port out of one VLAN that it is in. */
static void vlan_leave(struct model_port *port, uint16_t vid)
{
	struct model_vlans *v = port->vlans;
	uint64_t bit = UINT64_C(1) << (vid % 64);

	v->member[vid / 64] &= ~bit;
	v->untagged[vid / 64] &= ~bit;
	v->state[vid] = STATE_FORWARDING;
	if (v->pvid == vid)
		v->pvid = 0;
}

void model_vlan_del(struct model *m, struct model_port *port, uint16_t first, uint16_t last)
{
	unsigned kept = 0;

	for (uint16_t vid = first; vid <= last; vid++)
		vlan_leave(port, vid);
	for (unsigned i = 0; i < m->n_fdb; i++) {
		const struct model_fdb *e = &m->fdb[i];

		if (e->vid < first || e->vid > last || strcmp(e->dev, port->name) != 0)
			m->fdb[kept++] = *e;
	}
	m->n_fdb = kept;
}

/* A port follows vlan_default_pvid as long as it has it as PVID, untagged. */
static bool has_default_pvid(const struct model_port *port, uint16_t pvid)
{
	return pvid && port->vlans->pvid == pvid && is_untagged(port, pvid);
}

static void set_default_pvid(struct model *m, uint16_t pvid)
{
	uint16_t old = (uint16_t)m->attr[BRIDGE_VLAN_DEFAULT_PVID];

	for (unsigned i = 0; i < m->n_ports; i++) {
		struct model_port *p = &m->port[i];

		if ((old || !pvid) && !has_default_pvid(p, old))
			continue;
		if (pvid && model_vlan_has(p, pvid))
			continue;
		if (pvid)
			model_vlan_add(p, pvid, pvid, VLAN_PVID | VLAN_UNTAGGED);
		if (old)
			model_vlan_del(m, p, old, old);
	}
}

static void recalculate_group_addr(struct model *m)
{
	bool provider =
		m->attr[BRIDGE_VLAN_FILTERING] && m->attr[BRIDGE_VLAN_PROTOCOL] == TPID_8021AD;

	if (!m->group_addr_set)
		m->attr[BRIDGE_GROUP_ADDR] = MAC_RESERVED + (provider ? 8 : 0);
}

void model_set(struct model *m, enum bridge_attr attr, uint64_t value)
{
	if (attr == BRIDGE_VLAN_DEFAULT_PVID)
		set_default_pvid(m, (uint16_t)value);
	if (attr == BRIDGE_GROUP_ADDR)
		m->group_addr_set = true;
	m->attr[attr] = value;
	if (attr == BRIDGE_VLAN_FILTERING || attr == BRIDGE_VLAN_PROTOCOL)
		recalculate_group_addr(m);
}

/* Returns the index of the first entry that is not before (@mac, @vid). */
static unsigned fdb_at(const struct model *m, uint64_t mac, uint16_t vid)
{
	unsigned low = 0, high = m->n_fdb;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		const struct model_fdb *e = &m->fdb[mid];

		if (e->mac < mac || (e->mac == mac && e->vid < vid))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct model_fdb *model_fdb(const struct model *m, uint64_t mac, uint16_t vid)
{
	unsigned at = fdb_at(m, mac, vid);

	return at < m->n_fdb && m->fdb[at].mac == mac && m->fdb[at].vid == vid ? &m->fdb[at] : NULL;
}

int model_fdb_put(struct model *m, uint64_t mac, uint16_t vid, const char *dev, uint16_t flags)
{
	struct model_fdb *e = model_fdb(m, mac, vid);

	if (!e && m->n_fdb == m->fdb_room) {
		unsigned room = m->fdb_room ? 2 * m->fdb_room : 16;

		e = realloc(m->fdb, room * sizeof(*e));
		if (!e)
			return -ENOMEM;
		m->fdb = e;
		m->fdb_room = room;
		e = NULL;
	}
	if (!e) {
		e = &m->fdb[fdb_at(m, mac, vid)];
		memmove(e + 1, e, (size_t)(&m->fdb[m->n_fdb++] - e) * sizeof(*e));
	}
	*e = (struct model_fdb){ .mac = mac, .vid = vid, .flags = flags & FDB_MODEL_FLAGS };
	if (flags & FDB_LOCAL) /* which is static by itself */
		e->flags &= (uint16_t)~FDB_STATIC;
	snprintf(e->dev, sizeof(e->dev), "%s", dev);
	return 0;
}

int model_fdb_del(struct model *m, uint64_t mac, uint16_t vid)
{
	struct model_fdb *e = model_fdb(m, mac, vid);

	if (!e)
		return -ENOENT;
	m->n_fdb--;
	memmove(e, e + 1, (size_t)(&m->fdb[m->n_fdb] - e) * sizeof(*e));
	return 0;
}

void model_follow(struct model *wanted, const struct model *actual)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < wanted->n_fdb; i++) {
		struct model_fdb *e = &wanted->fdb[i];
		const struct model_fdb *now = model_fdb(actual, e->mac, e->vid);

		if (!now && model_port(actual, e->dev))
			continue;
		if (now && model_port(wanted, now->dev)) {
			memcpy(e->dev, now->dev, sizeof(e->dev));
			e->flags = now->flags;
		}
		wanted->fdb[kept++] = *e;
	}
	wanted->n_fdb = kept;
}

int model_adopt(struct model *wanted, const struct model *actual, bool rejoined)
{
	for (unsigned i = 0; i < actual->n_fdb; i++) {
		const struct model_fdb *e = &actual->fdb[i];
		const struct model_port *was = model_port(actual, e->dev);
		const struct model_port *p = model_port(wanted, e->dev);

		if (!e->vid || !was || !p || (rejoined && model_vlan_has(was, e->vid)) ||
		    !model_vlan_has(p, e->vid) || model_fdb(wanted, e->mac, e->vid))
			continue;
		if (model_fdb_put(wanted, e->mac, e->vid, e->dev, e->flags))
			return -ENOMEM;
	}
	return 0;
}

/*
 * Returns what @spec says for option @name, whether or not its kind is known yet; NULL = nothing.
 */
static const char *spec_text(const struct port_spec *spec, const char *name)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < spec->n_options; i++) {
		const char *text = spec->option[i].text;

		if (spec->option[i].option) {
			if (!strcmp(spec->option[i].option->name, name))
				return text;
		} else if (!strncmp(text, name, len) && text[len] == '=') {
			return text + len + 1;
		}
	}
	return NULL;
}

static bool is_interface(const struct port_spec *spec)
{
	return !spec->ops || spec->ops->interface;
}

/* Whether both stand for one interface: the same name in the same namespace. */
static bool same_interface(const struct port_spec *a, const struct port_spec *b)
{
	const char *ns_a = spec_text(a, "netns"), *ns_b = spec_text(b, "netns");

	return is_interface(a) && is_interface(b) && !strcmp(a->address, b->address) &&
	       !strcmp(ns_a ? ns_a : "", ns_b ? ns_b : "");
}

static int check_unique(const struct model *m, unsigned i, struct error *err)
{
	const struct model_port *p = &m->port[i];

	if (!p->host && !strcmp(p->name, m->name))
		return error_set(
			err, -EINVAL,
			"\"%s\" is the name of the switch: give the port another with name=, or the switch with -n",
			p->name);
	for (unsigned k = 0; k < i; k++) {
		const struct model_port *other = &m->port[k];

		if (!strcmp(p->name, other->name))
			return error_set(err, -EEXIST,
					 "File exists: there is a port \"%s\" already", p->name);
		if (p->host && other->host)
			return error_set(err, -EEXIST,
					 "File exists: there is a host port already, %s",
					 other->name);
		if (same_interface(&p->spec, &other->spec))
			return error_set(err, -EEXIST,
					 "File exists: interface %s is port \"%s\" already",
					 p->spec.address, other->name);
	}
	return 0;
}

static int check_port(const struct model *m, const struct model_port *p, struct error *err)
{
	const struct model_port *backup = model_port(m, p->backup_port);

	if (p->backup_port[0] && (!backup || backup == p || backup->host))
		return error_set(err, -EINVAL, "backup_port of %s: \"%s\" is not another port",
				 p->name, p->backup_port);
	if (p->attr[PORT_MAB] && !(p->attr[PORT_LOCKED] && p->attr[PORT_LEARNING]))
		return error_set(err, -EINVAL, "mab on %s needs locked on and learning on",
				 p->name);
	if (p->qinq && m->attr[BRIDGE_VLAN_PROTOCOL] != TPID_8021AD)
		return error_set(
			err, -EINVAL,
			"%s is a QinQ port (qinq=%u): it needs vlan_protocol 802.1ad, not 802.1Q",
			p->name, p->vlans->pvid);
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		if (i != PORT_BACKUP_PORT &&
		    (p->attr[i] < port_attrs[i].min || p->attr[i] > port_attrs[i].max))
			return error_set(err, -EINVAL, "%s of %s is out of range",
					 port_attrs[i].name, p->name);
	return 0;
}

static int check_fdb(const struct model *m, const struct model_fdb *e, struct error *err)
{
	const struct model_port *p = model_port(m, e->dev);
	char mac[MAC_STRLEN];

	mac_print(e->mac, mac);
	if (!p)
		return error_set(err, -ENODEV,
				 "Cannot find device \"%s\", which %s is to be behind", e->dev,
				 mac);
	if (e->vid && !model_vlan_has(p, e->vid))
		return error_set(err, -EINVAL,
				 "%s cannot be in VLAN %u of %s: the port is not in it", mac,
				 e->vid, e->dev);
	if (!e->mac || mac_is_group(e->mac))
		return error_set(err, -EINVAL, "%s is no address of a station", mac);
	if (p->host && !(e->flags & FDB_LOCAL))
		return error_set(err, -EINVAL, "%s: the host port %s can only have local entries",
				 mac, e->dev);
	return 0;
}

int model_check(const struct model *m, struct error *err)
{
	int ret = 0;

	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		if (m->attr[i] < bridge_attrs[i].min || m->attr[i] > bridge_attrs[i].max)
			return error_set(err, -EINVAL, "%s is out of range", bridge_attrs[i].name);
	if (m->n_ports - (model_host(m) ? 1 : 0) > PORT_MAX - 1)
		return error_set(err, -EINVAL, "more than %u ports", PORT_MAX - 1);
	for (unsigned i = 0; i < m->n_ports && !ret; i++) {
		ret = check_unique(m, i, err);
		if (!ret)
			ret = check_port(m, &m->port[i], err);
	}
	for (unsigned i = 0; i < m->n_fdb && !ret; i++)
		ret = check_fdb(m, &m->fdb[i], err);
	return ret;
}
