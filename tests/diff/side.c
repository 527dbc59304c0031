// SPDX-License-Identifier: MIT
/*
 * What is the same for every kind of side: the namespace, the interfaces, the world outside of the
 * switch.
 */
#include "tests/diff/side.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/diff/known.h"

unsigned if_nametoindex(const char *name); /* <net/if.h> does not go with <linux/if.h> */

#define FAR_MAC 0x020000000200ull
#define LINK_MS 2000

static void sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* this kernel does not have it */
	if (write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "%s: cannot be set to %s\n", path, value);
	close(fd);
}

/* What would put frames of its own on the wire, or touch those that cross a bridge. */
static void silence(void)
{
	sysctl("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	sysctl("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	sysctl("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
	sysctl("/proc/sys/net/bridge/bridge-nf-call-ip6tables", "0");
	sysctl("/proc/sys/net/bridge/bridge-nf-call-arptables", "0");
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * Whether the kernel has drawn the consequences of the carrier; it does so a little later, and
 * until then an interface that has come up still drops what is sent.
 */
static bool settled(struct side *s, int index)
{
	struct nl_link link;

	if (nl_link(&s->nl, index, &link) || !link.up)
		return true;
	if (link.carrier)
		return link.operstate == IF_OPER_UP || link.operstate == IF_OPER_UNKNOWN;
	return link.operstate == IF_OPER_DOWN || link.operstate == IF_OPER_LOWERLAYERDOWN;
}

static int wait_for_links(struct side *s)
{
	uint64_t end = now_ms() + LINK_MS;

	for (unsigned i = 0; i < 2 * PORTS + 4; i++) {
		int index = i <= PORTS          ? s->index_p[i]
			    : i < 2 * PORTS + 2 ? s->index_h[i - PORTS - 1]
						: s->index_mark[i - 2 * PORTS - 2];

		while (index && !settled(s, index)) {
			if (now_ms() > end)
				return -ETIMEDOUT;
			nanosleep(&(struct timespec){ 0, 200000 }, NULL);
		}
	}
	return 0;
}

static int make_pairs(struct side *s)
{
	int error = nl_veth(&s->nl, "m0", 0x020000000001ull, "m1", 0x020000000002ull);

	s->index_mark[0] = (int)if_nametoindex("m0");
	s->index_mark[1] = (int)if_nametoindex("m1");
	for (unsigned i = 0; i < 2 && !error; i++)
		error = nl_flags(&s->nl, s->index_mark[i], IFF_UP, IFF_UP);
	for (unsigned i = 1; i <= PORTS && s->kind != SIDE_TAP && !error; i++) {
		char p[8], h[8];

		snprintf(p, sizeof(p), "p%u", i);
		snprintf(h, sizeof(h), "h%u", i);
		error = nl_veth(&s->nl, p, PORT_MAC + i, h, FAR_MAC + i);
		s->index_p[i] = (int)if_nametoindex(p);
		s->index_h[i] = (int)if_nametoindex(h);
	}
	return error;
}

int side_open(struct side *s, enum side_kind kind, const char *uswitch)
{
	static const char *const names[] = { "kernel", "uswitch", "tap", "backend" };
	int error;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->name = names[kind];
	s->uswitch = uswitch;
	s->rx = s->tx = s->control = s->ns = -1;
	if (unshare(CLONE_NEWNET)) {
		error = -errno;
		fprintf(stderr, "cannot make a network namespace: %s\n", strerror(errno));
		return error;
	}
	s->ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	silence();
	error = nl_open(&s->nl);
	if (!error)
		error = make_pairs(s);
	if (!error)
		error = wire_open(s);
	if (error)
		fprintf(stderr, "%s: cannot make its interfaces: %s\n", s->name, strerror(-error));
	return error;
}

void side_close(struct side *s)
{
	wire_close(s);
	nl_close(&s->nl);
	free(s->line);
	if (s->ns >= 0)
		close(s->ns);
}

/* Interfaces as a program expects them at its start, whatever the one before has done to them. */
static int reset_interfaces(struct side *s)
{
	const struct program *p = s->program;
	int error = 0;

	for (unsigned i = 1; i <= PORTS && s->kind != SIDE_TAP && !error; i++) {
		bool used = i <= p->n_ports;

		error = nl_mac(&s->nl, s->index_p[i], PORT_MAC + i);
		error = error ? error : nl_mtu(&s->nl, s->index_p[i], p->mtu[i]);
		error = error ? error : nl_mtu(&s->nl, s->index_h[i], p->far_mtu[i]);
		error = error ? error : nl_flags(&s->nl, s->index_p[i], used ? IFF_UP : 0, IFF_UP);
		error = error ? error : nl_flags(&s->nl, s->index_h[i], used ? IFF_UP : 0, IFF_UP);
	}
	for (unsigned i = 1; i <= PORTS; i++)
		s->attached[i] = i <= p->n_ports;
	s->attached[0] = p->host;
	memset(s->counted, 0, sizeof(s->counted));
	return error;
}

int side_start(struct side *s, const struct program *p)
{
	const char *step = "interfaces";
	int error;

	s->program = p;
	if (setns(s->ns, CLONE_NEWNET))
		return -errno;
	error = reset_interfaces(s);
	if (!error) {
		step = "switch";
		error = s->kind == SIDE_KERNEL ? kernel_start(s) : uswitch_start(s);
	}
	if (!error) {
		step = "links";
		error = wait_for_links(s);
	}
	if (!error) {
		step = "sockets";
		error = wire_bind(s);
	}
	if (error)
		fprintf(stderr, "%s: cannot start (%s): %s\n", s->name, step, strerror(-error));
	return error;
}

void side_stop(struct side *s)
{
	wire_unbind(s);
	if (s->kind == SIDE_KERNEL)
		kernel_stop(s);
	else
		uswitch_stop(s);
}

static int set_up(struct side *s, const struct command *c)
{
	int index = c->op == OP_ADMIN ? s->index_p[c->port] : s->index_h[c->port];
	int error = nl_flags(&s->nl, index, c->value ? IFF_UP : 0, IFF_UP);

	return error ? error : wait_for_links(s);
}

static int set_mtu(struct side *s, const struct command *c)
{
	int error = nl_mtu(&s->nl, s->index_p[c->port], (uint32_t)c->value);

	if (!error && s->program->taps && s->kind != SIDE_TAP)
		error = nl_mtu(&s->nl, s->index_h[c->port], (uint32_t)c->value);
	return error;
}

static bool ignored(const struct side *s, const struct command *c)
{
	char text[128];

	return s->ignore && strstr(command_print(c, text, sizeof(text)), s->ignore);
}

int side_command(struct side *s, const struct command *c)
{
	int error = 0;

	if (ignored(s, c))
		return 0;
	switch (c->op) {
	case OP_CARRIER:
	case OP_ADMIN:
		return set_up(s, c);
	case OP_MAC:
		return nl_mac(&s->nl, s->index_p[c->port], c->mac);
	case OP_MTU:
		return set_mtu(s, c);
	case OP_PROMISC:
		return nl_flags(&s->nl, s->index_p[0], c->value ? IFF_PROMISC : 0, IFF_PROMISC);
	case OP_PORT_ADD:
	case OP_PORT_DEL:
	case OP_BRIDGE_SET:
	case OP_PORT_SET:
	case OP_FDB_ADD:
	case OP_FDB_DEL:
	case OP_FDB_FLUSH:
	case OP_VLAN_ADD:
	case OP_VLAN_DEL:
	case OP_VLAN_SET:
		error = s->kind == SIDE_KERNEL ? kernel_command(s, c) : uswitch_command(s, c);
		break;
	case OP_WAIT:
		break;
	}
	if (!error && (c->op == OP_PORT_ADD || c->op == OP_PORT_DEL)) {
		s->attached[c->port] = c->op == OP_PORT_ADD;
		s->counted[c->port] = 0;
	}
	/* A kernel's br0 has a carrier while one of its ports forwards. */
	return error ? error : wait_for_links(s);
}

int side_send(struct side *s, const struct frame *const *frames, unsigned n, const unsigned *want)
{
	uint64_t arrived[PORTS + 1] = { 0 };
	int error = wire_send(s, frames, n, arrived);

	for (unsigned i = 0; i <= PORTS; i++)
		if (!s->attached[i])
			arrived[i] = 0;
	if (!error && s->kind != SIDE_KERNEL && s->kind != SIDE_BACKEND)
		error = uswitch_wait(s, arrived);
	return error ? error : wire_collect(s, want);
}

static int by_address(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->mac != b->mac)
		return a->mac < b->mac ? -1 : 1;
	return (a->vid > b->vid) - (a->vid < b->vid);
}

/* Whether the entry is one that not every side has, for a reason that known.h gives. */
static bool left_out(const struct side *s, const struct entry *e)
{
	if (!e->port && !s->program->host) /* KNOWN_NO_HOST_PORT */
		return true;
	if (!s->program->vlans && e->vid && (e->flags & 3) == KIND_LOCAL) /* KNOWN_VLAN_LOCAL */
		return true;
	return s->program->taps && e->port && e->mac >> 16 == PORT_MAC >> 16 &&
	       (e->flags & 3) == KIND_LOCAL; /* KNOWN_TAP_ADDRESS */
}

int side_fdb(struct side *s, struct entry *entries, unsigned max)
{
	int n = s->kind == SIDE_KERNEL ? kernel_fdb(s, entries, max) : uswitch_fdb(s, entries, max);
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (!left_out(s, &entries[i]))
			entries[kept++] = entries[i];
	if (n < 0)
		return n;
	qsort(entries, (size_t)kept, sizeof(*entries), by_address);
	return kept;
}

static int by_vlan(const void *left, const void *right)
{
	const struct vlan_entry *a = left, *b = right;

	return a->port != b->port ? a->port - b->port : a->vid - b->vid;
}

int side_vlans(struct side *s, struct vlan_entry *entries, unsigned max)
{
	int n = s->kind == SIDE_KERNEL ? kernel_vlans(s, entries, max)
				       : uswitch_vlans(s, entries, max);
	int kept = 0;

	for (int i = 0; i < n; i++)
		if (entries[i].port || s->program->host) /* KNOWN_NO_HOST_PORT */
			entries[kept++] = entries[i];
	if (n < 0)
		return n;
	qsort(entries, (size_t)kept, sizeof(*entries), by_vlan);
	return kept;
}

int side_ports(struct side *s, struct port_state ports[PORTS + 1])
{
	memset(ports, 0, (PORTS + 1) * sizeof(*ports));
	return s->kind == SIDE_KERNEL ? kernel_ports(s, ports) : uswitch_ports(s, ports);
}
