// SPDX-License-Identifier: MIT
/* The commands of a live scenario that configure the switch, and the interfaces around it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/live/live.h"

#define NEWS_MS 2000

static int answer(struct live *l, const char *text)
{
	int error = uswitch_words(&l->side, text);

	if (error == -EOPNOTSUPP)
		l->lacks = left_out_setting(text, l->side.kind);
	return error ? live_fail(l, text, strerror(-error)) : 0;
}

/* Waits until the switch says that @port has @mtu. */
static int wait_for_mtu(struct live *l, unsigned port, uint32_t mtu)
{
	struct port_state ports[PORTS + 1];

	for (unsigned i = 0; i < NEWS_MS; i++) {
		int error = side_ports(&l->side, ports);

		if (error)
			return error;
		if (ports[port].mtu == mtu)
			return 0;
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	}
	return live_fail(l, "the switch does not notice a new MTU", NULL);
}

/*
 * Waits until the switch has read all news of interfaces: they come in order, so a change that it
 * shows, made and taken back after them, is the end.
 */
static int wait_for_news(struct live *l)
{
	struct port_state ports[PORTS + 1];
	unsigned port = 1;
	uint32_t mtu;
	int error = side_ports(&l->side, ports);

	while (port < PORTS && !ports[port].attached)
		port++;
	mtu = l->program.mtu[port];
	for (unsigned i = 0; i < 2 && !error; i++) {
		uint32_t next = i ? mtu : mtu + 4;

		error = nl_mtu(&l->side.nl, l->side.index_p[port], next);
		error = error ? error : wait_for_mtu(l, port, next);
	}
	return error;
}

/* Words of `link set` that are news of the interface. Returns how many words were one, or 0. */
static unsigned link_word(struct live *l, struct command *c, unsigned i)
{
	const char *key = l->word[i], *value = i + 1 < l->n ? l->word[i + 1] : "";

	c->value = strcmp(value, "on") == 0;
	if (strcmp(key, "up") == 0 || strcmp(key, "down") == 0) {
		c->op = OP_ADMIN;
		c->value = key[0] == 'u';
		return 1;
	}
	if (strcmp(key, "carrier") == 0) {
		c->op = OP_CARRIER;
	} else if (strcmp(key, "promisc") == 0) {
		c->op = OP_PROMISC;
	} else if (strcmp(key, "mtu") == 0) {
		c->op = OP_MTU;
		c->value = strtoul(value, NULL, 10);
		l->program.mtu[c->port] = (uint16_t)c->value;
	} else if (strcmp(key, "address") == 0) {
		c->op = OP_MAC;
		c->mac = live_mac(l, value);
	} else {
		return 0;
	}
	return 2;
}

static int link_set(struct live *l)
{
	const char *dev = live_after(l, "dev");
	struct command c = { .port = 0 };
	int port = live_port(l, dev);

	if (port < 0)
		return -EBADMSG;
	c.port = (uint8_t)port;
	for (unsigned i = 2; i < l->n;) {
		unsigned words = strcmp(l->word[i], "dev") == 0 ? 2 : 0;
		char text[128];
		int error = 0;

		if (!words) {
			words = link_word(l, &c, i);
			if (words) {
				error = side_command(&l->side, &c);
				error = error ? error : wait_for_news(l);
			} else if (i + 1 < l->n) {
				words = 2;
				snprintf(text, sizeof(text), "link set dev %s %s %s", dev,
					 l->word[i], l->word[i + 1]);
				error = answer(l, text);
			} else {
				error = live_fail(l, "no such setting", l->word[i]);
			}
		}
		if (error)
			return error;
		i += words;
	}
	return 0;
}

int live_link(struct live *l)
{
	const char *verb = l->n > 2 ? l->word[1] : "";
	struct command c = { .op = strcmp(verb, "add") == 0 ? OP_PORT_ADD : OP_PORT_DEL };
	int port;

	if (strcmp(verb, "set") == 0)
		return link_set(l);
	port = live_port(l, l->n > 2 ? l->word[2] : NULL);
	c.port = (uint8_t)port;
	return port < 0 ? -EBADMSG : side_command(&l->side, &c);
}

/* The words as the control socket has them: addresses written out, what iproute2 needs added. */
int live_say(struct live *l)
{
	const char *dev = live_after(l, "dev");
	bool fdb = strcmp(l->word[0], "fdb") == 0, vlan = strcmp(l->word[0], "vlan") == 0;
	bool flush = fdb && l->n > 1 && strcmp(l->word[1], "flush") == 0;
	bool del = fdb && l->n > 1 && strcmp(l->word[1], "del") == 0;
	char text[512];
	size_t at = 0;

	for (unsigned i = 0; i < l->n; i++) {
		uint8_t b[6];

		if (!fdb || flush || i != 2) {
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s ", l->word[i]);
			continue;
		}
		mac_bytes(live_mac(l, l->word[i]), b);
		at += (size_t)snprintf(text + at, sizeof(text) - at,
				       "%02x:%02x:%02x:%02x:%02x:%02x ", b[0], b[1], b[2], b[3],
				       b[4], b[5]);
	}
	if (flush && !dev)
		snprintf(text + at, sizeof(text) - at, "dev br0");
	else if (fdb && !flush && !del && !live_has(l, "static") && !live_has(l, "local") &&
		 !live_has(l, "dynamic"))
		snprintf(text + at, sizeof(text) - at, "dynamic");
	else if (vlan && dev && strcmp(dev, "br0") == 0)
		snprintf(text + at, sizeof(text) - at, "self");
	dev = live_after(l, "vlan_filtering");
	if (dev)
		l->filtering = *dev == '1';
	return answer(l, text);
}
