/* SPDX-License-Identifier: MIT */
/*
 * Leaving frames to the kernel. Attaching to the interface begins when the first frame is there
 * that the kernel could forward: a port without such traffic costs nothing. A thread does it, with
 * descriptors of its own; whoever of it and the port is the last to want the result frees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/fastpath.h"
#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/packet.h"

#define ATTACH_FAILED INT_MIN

enum { ATTACH_ASKED, ATTACH_DONE, ATTACH_ABANDONED };

struct packet_attach {
	const struct fastpath *fastpath;
	int ns, sock; /* the thread's own */
	int ifindex;
	uint16_t number;
	int link; /* what fastpath_attach() returned; ATTACH_FAILED: and it was told */
	atomic_int state;
};

#define MTU_EXTRA (FRAME_HDR_LEN + FRAME_TAG_LEN) /* is_skb_forwardable() */

/*
 * Finds the other end of a veth that frames can be given to directly. That leaves out what
 * bypass=off asks for, and XDP programs at that end, of which features that change here are a sign.
 */
static void find_peer(struct packet *p, int ns)
{
	int sock = p->bypass ? iface_socket(ns) : -1;
	struct port_fast *fast = &p->port.fast;
	struct iface iface, peer;

	fast->peer = 0;
	if (sock < 0)
		return;
	if (!iface_get(sock, NULL, p->ifindex, &iface) && !iface_get_peer(sock, &iface, &peer) &&
	    !peer.xdp) {
		fast->peer = peer.link.mac;
		fast->peer_max_len = peer.link.mtu + MTU_EXTRA;
	}
	close(sock);
}

static void do_attach(void *arg)
{
	struct packet_attach *a = arg;

	a->link = fastpath_attach(a->fastpath, a->ns, a->sock, a->ifindex, a->number);
	close(a->ns);
	close(a->sock);
	if (atomic_exchange(&a->state, ATTACH_DONE) != ATTACH_ABANDONED)
		return;
	if (a->link >= 0)
		close(a->link);
	free(a);
}

/* Has the interface attached to, which takes 15 ms, beside the frames. @ns is its namespace. */
static void begin(struct packet *p, struct fastpath *fp, int ns)
{
	struct packet_attach *a = malloc(sizeof(*a));

	if (!a)
		return;
	*a = (struct packet_attach){ .fastpath = fp,
				     .ns = fcntl(ns, F_DUPFD_CLOEXEC, 0),
				     .sock = fcntl(p->port.rx_fd, F_DUPFD_CLOEXEC, 0),
				     .ifindex = p->ifindex,
				     .number = p->port.number };
	if (a->ns < 0 || a->sock < 0) { /* no descriptors left: another time */
		if (a->ns >= 0)
			close(a->ns);
		free(a);
		return;
	}
	p->attach = a;
	p->port.host->aside(p->port.host->ctx, do_attach, a);
}

void packet_fast(struct port *port)
{
	struct packet *p = (struct packet *)port;
	const struct port_host *host = port->host;
	struct fastpath *fp;
	int ns;

	if (!p->ifindex || port->fast.attached)
		return;
	if (!p->attach) {
		fp = host->fastpath && host->aside ? host->fastpath(host->ctx) : NULL;
		ns = fp ? packet_netns(port) : -1;
		if (ns >= 0) {
			begin(p, fp, ns);
			close(ns);
		}
		return;
	}
	if (atomic_load(&p->attach->state) != ATTACH_DONE || p->attach->link == ATTACH_FAILED)
		return;
	if (p->attach->link >= 0) {
		packet_fast_look(p);
		return;
	}
	log_info("%s: not on the fast path: %s", port->name, strerror(-p->attach->link));
	p->attach->link = ATTACH_FAILED;
}

void packet_fast_look(struct packet *p)
{
	int ns = p->attach ? packet_netns(&p->port) : -1;
	struct stat st;

	if (ns < 0)
		return;
	if (!fstat(ns, &st)) {
		p->port.fast = (struct port_fast){ .attached = true,
						   .ifindex = p->ifindex,
						   .netns = st.st_ino };
		find_peer(p, ns);
	}
	close(ns);
}

void packet_fast_close(struct packet *p)
{
	struct packet_attach *a = p->attach;

	p->port.fast = (struct port_fast){ 0 };
	p->attach = NULL;
	if (!a || atomic_exchange(&a->state, ATTACH_ABANDONED) != ATTACH_DONE)
		return;
	if (a->link >= 0) {
		fastpath_detach(p->port.rx_fd);
		port_discard(&p->port, a->link);
	}
	free(a);
}
