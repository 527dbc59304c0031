// SPDX-License-Identifier: MIT
/* The generator: which commands and frames, in which proportion. */
#include "tests/diff/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/diff/known.h"

#define STATIONS 14u
#define EXT_STATIONS 4u /* the first of them: who may have entries of extern_learn */
#define STATION 0x02aa00000000ull
#define STRANGER 0x02aa00010000ull /* stations that no command names */
#define BROADCAST 0xffffffffffffull
#define RESERVED 0x0180c2000000ull

/* The state that the generator keeps to make programs worth running; no side's answer enters it. */
struct maker {
	struct program *p;
	const struct limits *limits;
	uint64_t random;
	unsigned room, batch;
	uint32_t serial;
	bool attached[PORTS + 1], carrier[PORTS + 1], admin[PORTS + 1];
	bool promisc,
		limited; /* fdb_max_learned is on: what is learned depends on the order of frames */
	uint16_t mtu[PORTS + 1], far_mtu[PORTS + 1];
	uint64_t mac[PORTS + 1];
	unsigned batch_from; /* first unit of the current batch */
};

/* splitmix64 */
static uint64_t next(struct maker *m)
{
	uint64_t z = m->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static unsigned below(struct maker *m, unsigned n)
{
	return (unsigned)((next(m) >> 32) * n >> 32);
}

static bool percent(struct maker *m, unsigned n)
{
	return below(m, 100) < n;
}

static struct unit *append(struct maker *m)
{
	struct program *p = m->p;
	struct unit *u;

	if (p->n_units == m->room) {
		unsigned room = m->room ? 2 * m->room : 512;

		u = realloc(p->unit, room * sizeof(*u));
		if (!u)
			return NULL;
		p->unit = u;
		m->room = room;
	}
	u = &p->unit[p->n_units++];
	memset(u, 0, sizeof(*u));
	u->batch = m->batch;
	return u;
}

static int command(struct maker *m, const struct command *c)
{
	struct unit *u = append(m);

	if (!u)
		return -ENOMEM;
	u->command = *c;
	return 0;
}

/* ---- frames ---- */

static uint64_t own_address(struct maker *m)
{
	unsigned port = below(m, m->p->n_ports + 1);

	if ((!port && !m->p->host) || (port && !m->attached[port])) /* KNOWN_STATIC_OWN */
		return STATION + 1;
	return m->limits->taps ? STATION + 1 : m->mac[port];
}

static uint64_t station(struct maker *m, unsigned port)
{
	unsigned n = below(m, STATIONS);

	if (percent(m, 75)) /* at home behind port n % n_ports + 1 */
		n = n - n % m->p->n_ports + (port ? port - 1 : 0);
	return STATION + n + 1;
}

static uint64_t source(struct maker *m, unsigned port)
{
	unsigned kind = below(m, 100);

	if (kind < 3)
		return 0;
	if (kind < 6)
		return 0x010000000000ull | next(m) >> 16;
	if (kind < 7)
		return BROADCAST;
	if (kind < 12)
		return own_address(m);
	if (kind < 14)
		return STRANGER + below(m, below(m, 2) ? 8 : 4000);
	return station(m, port);
}

static uint64_t destination(struct maker *m, uint64_t src)
{
	static const uint8_t reserved[] = {
		0, 1, 2, 3, 4, 8, 0xb, 0xc, 0xd, 0xe, 0xf, 16, 32, 33, 0
	};
	unsigned kind = below(m, 100);

	if (kind < 12)
		return BROADCAST;
	if (kind < 20)
		return (below(m, 2) ? 0x01005e000000ull : 0x333300000000ull) | below(m, 6);
	if (kind < 32)
		return RESERVED | reserved[below(m, sizeof(reserved))];
	if (kind < 37)
		return own_address(m);
	if (kind < 39)
		return 0;
	if (kind < 42)
		return src;
	if (kind < 47)
		return STATION + 0x20000 + below(m, 4000);
	return STATION + 1 + below(m, STATIONS);
}

/* A VLAN that ports may well be in. */
static uint16_t vlan(struct maker *m)
{
	static const uint16_t vids[] = { 1, 1, 2, 10, 10, 11, 20, 4094 };

	return vids[below(m, sizeof(vids) / sizeof(vids[0]))];
}

static void tags(struct maker *m, struct frame *f)
{
	static const uint16_t vids[] = { 0, 1, 2, 10, 100, 4094, 4095 };
	unsigned kind = below(m, 100) + (m->limits->vlans ? 35 - below(m, 10) : 0);

	f->n_tags = kind < 65 ? 0 : kind < 90 ? 1 : kind < 98 ? 2 : 3;
	for (unsigned i = 0; i < f->n_tags; i++) {
		f->tag[i].tpid = below(m, 3) ? 0x8100 : 0x88a8;
		f->tag[i].tci = (uint16_t)(below(m, 16) << 12 | vids[below(m, 7)]);
		if (m->limits->vlans && percent(m, 60))
			f->tag[i].tci = (uint16_t)((f->tag[i].tci & 0xf000) | vlan(m));
	}
}

static uint16_t ethertype(struct maker *m)
{
	static const uint16_t types[] = { 0x0800, 0x0806, 0x86dd, 0x8808, 0x9100,
					  0x88cc, 0x888e, 0x0026, 0x0600 };

	return percent(m, 60) ? 0x88b5 : types[below(m, sizeof(types) / sizeof(types[0]))];
}

static uint16_t payload(struct maker *m, const struct frame *f)
{
	unsigned port = 1 + below(m, m->p->n_ports), kind = below(m, 100);

	if (kind < 8)
		return 0;
	if (kind < 16)
		return (uint16_t)below(m, 12);
	if (kind < 60)
		return (uint16_t)(6 + below(m, 240));
	if (kind < 70)
		return (uint16_t)(200 + below(m, 2300));
	/* Around the limit of some port, with and without the tags. */
	return (uint16_t)(m->mtu[port] - 3 + below(m, 16) - (below(m, 2) ? 4u * f->n_tags : 0));
}

/*
 * Whether @f may share a batch with frames of other ports: no order between them changes anything.
 */
static bool independent(const struct maker *m, const struct frame *f)
{
	for (unsigned i = m->batch_from; i < m->p->n_units; i++) {
		const struct frame *g = &m->p->unit[i].frame;

		if (g->port != f->port &&
		    (m->limited || g->src == f->src || g->src == f->dst || g->dst == f->src))
			return false;
	}
	return true;
}

static int frame(struct maker *m, unsigned port)
{
	struct frame f = { .port = (uint8_t)port, .serial = m->serial };
	struct unit *u;

	f.src = source(m, port);
	f.dst = destination(m, f.src);
	tags(m, &f);
	f.type = ethertype(m);
	f.payload = payload(m, &f);
	if (!independent(m, &f) || known_frame(m->p, &f, m->mtu, m->far_mtu))
		return 0;
	u = append(m);
	if (!u)
		return -ENOMEM;
	u->is_frame = true;
	u->frame = f;
	m->serial++;
	m->p->n_frames++;
	return 0;
}

static unsigned ingress(struct maker *m)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		unsigned port = 1 + below(m, m->p->n_ports);

		if (m->p->host && percent(m, 8))
			return 0;
		if ((m->carrier[port] && m->admin[port] && m->attached[port]) || percent(m, 3))
			return port;
	}
	return 1;
}

static int batch(struct maker *m)
{
	unsigned n = 1 + below(m, below(m, BATCH) + 1), port = ingress(m);
	bool mixed = percent(m, 30);
	int error = 0;

	m->batch++;
	m->batch_from = m->p->n_units;
	for (unsigned i = 0; i < n && !error; i++) {
		error = frame(m, port);
		if (mixed)
			port = ingress(m);
	}
	m->batch++;
	return error;
}

/* ---- commands ---- */

static int bridge_or_port_set(struct maker *m)
{
	unsigned row = percent(m, 60) ? setting_find("state", 0) + below(m, 11)
				      : below(m, n_settings - n_vlan_settings);
	const struct setting *s = &settings[row];
	struct command c = { .op = s->bridge ? OP_BRIDGE_SET : OP_PORT_SET, .attr = row };

	if (s->kernel > m->limits->kernel)
		return 0;
	c.value = s->value[below(m, s->n_values)];
	if (!s->bridge)
		c.port = (uint8_t)(1 + below(m, m->p->n_ports));
	if (!strcmp(s->name, "backup_port") && c.value > m->p->n_ports)
		c.value = 0;
	if (!strcmp(s->name, "fdb_max_learned"))
		m->limited = c.value;
	return command(m, &c);
}

/* Entries of extern_learn have addresses of their own: KNOWN_EXT_LEARN_OVER. */
static uint64_t apart(uint64_t mac, unsigned flags)
{
	bool outside = mac > STATION && mac <= STATION + EXT_STATIONS;

	if (flags & WITH_EXT_LEARN)
		return outside || !mac ? mac : STATION + 1 + mac % EXT_STATIONS;
	return outside ? mac + EXT_STATIONS : mac;
}

static int fdb_change(struct maker *m)
{
	struct command c = { .op = OP_FDB_ADD, .port = (uint8_t)(1 + below(m, m->p->n_ports)) };
	unsigned kind = below(m, 100);

	c.mac = percent(m, 90) ? station(m, c.port) : percent(m, 60) ? own_address(m) : 0;
	c.vid = m->limits->vlans && percent(m, 70) ? vlan(m) : 0;
	if (kind < 25) {
		c.op = OP_FDB_DEL;
		return command(m, &c);
	}
	if (kind < 35) {
		c.op = OP_FDB_FLUSH;
		if (percent(m, 30))
			c.port = c.vid = 0;
		return command(m, &c);
	}
	c.mode = m->limits->vlans && !c.vid ? MODE_REPLACE : below(m, 3); /* KNOWN_FDB_ADD_PARTS */
	c.flags = percent(m, 45) ? KIND_STATIC : percent(m, 60) ? KIND_DYNAMIC : KIND_LOCAL;
	if (c.mac && c.mac < STATION && c.flags == KIND_STATIC) /* KNOWN_STATIC_OWN */
		c.flags = KIND_LOCAL;
	if (percent(m, 25))
		c.flags |= WITH_STICKY;
	if (percent(m, 15)) {
		c.flags = KIND_DYNAMIC | WITH_EXT_LEARN;
		c.mode = MODE_REPLACE;
		c.mac = c.mac && c.mac < STATION ? STATION + 1 : c.mac;
	}
	if (m->p->host && percent(m, 5)) {
		c.port = 0;
		c.flags = KIND_LOCAL;
	}
	c.mac = apart(c.mac, c.flags);
	return command(m, &c);
}

static int vlan_setting(struct maker *m, const char *name)
{
	struct command c = { .op = OP_BRIDGE_SET, .attr = setting_find(name, 1) };

	c.value = settings[c.attr].value[below(m, settings[c.attr].n_values)];
	return command(m, &c);
}

static int vlan_change(struct maker *m)
{
	struct command c = { .op = OP_VLAN_ADD, .port = (uint8_t)(1 + below(m, m->p->n_ports)) };
	static const uint8_t states[] = { 0, 1, 2, 2, 3, 3, 3, 4 };
	unsigned kind = below(m, 100);

	if (kind < 4)
		return vlan_setting(m, "vlan_filtering");
	if (kind < 8)
		return vlan_setting(m, "vlan_protocol");
	if (kind < 14)
		return vlan_setting(m, "vlan_default_pvid");
	if (m->p->host && percent(m, 15))
		c.port = 0;
	c.vid = c.vid_last = vlan(m);
	if (kind < 35) { /* one VLAN: KNOWN_VLAN_SET_PARTS */
		c.op = OP_VLAN_SET;
		c.vid = c.vid_last = percent(m, 50) ? 1 : c.vid;
		c.value = states[below(m, 8)];
		return command(m, &c);
	}
	if (percent(m, 20) && c.vid <= 4090)
		c.vid_last = (uint16_t)(c.vid + below(m, 4));
	if (kind < 52)
		c.op = OP_VLAN_DEL;
	else
		c.flags = (percent(m, 40) ? VLAN_UNTAGGED : 0) |
			  (c.vid_last == c.vid && percent(m, 40) ? VLAN_PVID : 0);
	return command(m, &c);
}

/* VLAN filtering is on at first, with some VLANs. */
static int first_vlans(struct maker *m)
{
	struct command on = { .op = OP_BRIDGE_SET,
			      .attr = setting_find("vlan_filtering", 1),
			      .value = 1 };
	int error = command(m, &on);

	if (percent(m, 40))
		error |= vlan_setting(m, "vlan_protocol");
	for (uint8_t port = 1; port <= m->p->n_ports; port++)
		for (unsigned i = 0; i < 2; i++) {
			struct command c = { .op = OP_VLAN_ADD, .port = port, .vid = vlan(m) };

			c.vid_last = c.vid;
			c.flags = (percent(m, 40) ? VLAN_UNTAGGED : 0) |
				  (percent(m, 40) ? VLAN_PVID : 0);
			error |= command(m, &c);
		}
	return error ? -ENOMEM : 0;
}

static int membership(struct maker *m, uint8_t port)
{
	struct command c = { .op = m->attached[port] ? OP_PORT_DEL : OP_PORT_ADD, .port = port };

	if (m->limits->taps)
		return 0;
	m->attached[port] = !m->attached[port];
	return command(m, &c);
}

static int address(struct maker *m, uint8_t port)
{
	struct command c = { .op = OP_MAC, .port = port };

	if (m->limits->taps)
		return 0;
	if (m->p->host && percent(m, 20))
		c.port = 0;
	c.mac = m->mac[c.port] ^ (uint64_t)(1 + below(m, 3)) << 16;
	if (percent(m, 10))
		c.mac = STRANGER + below(m, 4);
	m->mac[c.port] = c.mac;
	return command(m, &c);
}

static int interface_change(struct maker *m)
{
	static const uint16_t mtus[] = { 600, 1400, 1500, 1500, 1500, 2200, 4000 };
	uint8_t port = (uint8_t)(1 + below(m, m->p->n_ports));
	struct command c = { .port = port };
	unsigned kind = below(m, 100);

	if (!m->limits->taps &&
	    (kind < 30 || (kind < 60 && !m->carrier[port]))) { /* a TAP is its own far end */
		c.op = OP_CARRIER;
		c.value = m->carrier[port] = !m->carrier[port];
	} else if (kind < 45 || !m->admin[port]) {
		c.op = OP_ADMIN;
		c.value = m->admin[port] = !m->admin[port];
	} else if (kind < 60 || !m->attached[port]) {
		return membership(m, port);
	} else if (kind < 75) {
		return address(m, port);
	} else if (kind < 90) {
		c.op = OP_MTU;
		c.value = m->mtu[port] = mtus[below(m, 7)];
		if (m->limits->taps)
			m->far_mtu[port] = m->mtu[port];
	} else if (m->p->host) {
		c.op = OP_PROMISC;
		c.port = 0;
		c.value = m->promisc = !m->promisc;
	} else {
		return 0;
	}
	return command(m, &c);
}

/*
 * Known stations, half of them heard again at half the ageing time, and what is left at 1.25 times.
 */
static int ageing_episode(struct maker *m)
{
	struct command flush = { .op = OP_FDB_FLUSH };
	struct command age = { .op = OP_BRIDGE_SET,
			       .attr = setting_find("ageing_time", 1),
			       .value = AGEING_MS / 10 };
	struct command half = { .op = OP_WAIT, .value = AGEING_MS / 2 };
	struct command rest = { .op = OP_WAIT, .value = AGEING_MS * 3 / 4 };
	struct command normal = { .op = OP_BRIDGE_SET, .attr = age.attr, .value = 30000 };
	int error = command(m, &flush) | command(m, &age) | batch(m) | batch(m) | batch(m);

	error |= command(m, &half) | batch(m) | command(m, &rest);
	error |= command(m, &flush) | command(m, &normal);
	return error ? -ENOMEM : 0;
}

/* ---- the whole ---- */

static void draw_shape(struct maker *m)
{
	static const uint16_t mtus[] = { 1500, 1500, 1500, 1400, 600, 2200, 4000 };
	static const uint16_t more[] = { 0, 0, 4, 500, 4000 };
	struct program *p = m->p;

	p->taps = m->limits->taps;
	p->vlans = m->limits->vlans;
	p->n_ports = 2 + below(m, PORTS - 1);
	p->host = m->limits->host_port && percent(m, 60);
	for (unsigned i = 1; i <= PORTS; i++) {
		p->mtu[i] = percent(m, 50) ? 1500 : mtus[below(m, 7)];
		p->far_mtu[i] = (uint16_t)(p->mtu[i] + (m->limits->taps ? 0 : more[below(m, 5)]));
		m->attached[i] = m->carrier[i] = m->admin[i] = true;
		m->mac[i] = PORT_MAC + i;
	}
	p->mtu[0] = p->far_mtu[0] = 9000;
	memcpy(m->mtu, p->mtu, sizeof(m->mtu));
	memcpy(m->far_mtu, p->far_mtu, sizeof(m->far_mtu));
	m->mac[0] = HOST_MAC;
}

int program_make(struct program *p, uint64_t seed, const struct limits *limits)
{
	struct maker m = { .p = p, .limits = limits, .random = seed };
	int error = 0;

	memset(p, 0, sizeof(*p));
	p->seed = seed;
	draw_shape(&m);
	if (limits->vlans)
		error = first_vlans(&m);
	while (p->n_frames < limits->n_frames && !error) {
		unsigned kind = below(&m, 1000);

		if (kind < 600)
			error = batch(&m);
		else if (limits->vlans && kind & 1)
			error = vlan_change(&m);
		else if (kind < 760)
			error = bridge_or_port_set(&m);
		else if (kind < 900)
			error = fdb_change(&m);
		else
			error = interface_change(&m);
	}
	if (!error && limits->ageing && percent(&m, 15))
		error = ageing_episode(&m);
	if (error)
		program_free(p);
	return error;
}

void program_free(struct program *p)
{
	free(p->unit);
	p->unit = NULL;
	p->n_units = 0;
}
