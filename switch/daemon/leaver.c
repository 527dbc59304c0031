/* SPDX-License-Identifier: MIT */
#include "switch/daemon/leaver.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ports/log.h"
#include "switch/daemon/brmsg.h"

/*
 * The kernel does one thing at a time: between these, those who forward can read what became of a
 * port.
 */
#define PORT_US 1000
#define BRIDGE_US 20000

struct leaver {
	pthread_t thread;
	struct netlink *ask;
	int bridge;
	unsigned n;
	int port[PORT_MAX];
};

static void *leave(void *arg)
{
	struct leaver *l = arg;
	struct netlink_msg m;
	int ret = 0;

	for (unsigned i = 0; i < l->n; i++) {
		brmsg_enslave(&m, l->port[i], 0);
		netlink_ask(l->ask, &m, NULL, NULL, NULL); /* it may be gone by now */
		usleep(PORT_US);
	}
	if (l->bridge) {
		usleep(BRIDGE_US);
		brmsg_link_del(&m, l->bridge, NULL);
		ret = netlink_ask(l->ask, &m, NULL, NULL, NULL);
	}
	if (ret)
		log_error("cannot delete the kernel's bridge: %s", strerror(-ret));
	return NULL;
}

void leaver_start(struct daemon *d, struct netlink *ask, int bridge, const int *port, unsigned n)
{
	struct leaver *l = calloc(1, sizeof(*l));

	if (!l) {
		log_error("out of memory: the kernel's bridge stays");
		netlink_close(ask);
		return;
	}
	l->ask = ask;
	l->bridge = bridge;
	l->n = n;
	memcpy(l->port, port, n * sizeof(*port));
	d->leaver = l;
	if (!pthread_create(&l->thread, NULL, leave, l))
		return;
	leave(l);
	netlink_close(l->ask);
	free(l);
	d->leaver = NULL;
}

void leaver_wait(struct daemon *d)
{
	struct leaver *l = d->leaver;

	if (!l)
		return;
	pthread_join(l->thread, NULL);
	netlink_close(l->ask);
	free(l);
	d->leaver = NULL;
}
