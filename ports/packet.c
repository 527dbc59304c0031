/* SPDX-License-Identifier: MIT */
#include "ports/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ports/hostdrop.h"
#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/netns.h"
#include "ports/tun.h"

#define SOCKET_BUFFER (16 << 20) /* super-frames are charged with all the memory they hold */

const struct port_option packet_options[] = {
	{ .name = "host",
	  .type = PORT_OPT_TEXT,
	  .words = "share|drop",
	  .help = "share: the host's own stack keeps using the interface (default); drop: it gets "
		  "nothing received" },
	{ .name = "bypass",
	  .type = PORT_OPT_FLAG,
	  .help = "send past the interface's queueing discipline and egress filters (default on)" },
	{ .name = "netns",
	  .type = PORT_OPT_TEXT,
	  .help = "network namespace of the interface, a name or a path (default: the switch's "
		  "own)" },
	{ .name = "temporary",
	  .type = PORT_OPT_FLAG,
	  .help = "when the interface is deleted the port goes, too, out of the configuration" },
	{ .name = NULL },
};

int packet_netns(const struct port *port)
{
	int ns = ioctl(port->rx_fd, SIOCGSKNS);

	return ns < 0 ? -errno : ns;
}

bool packet_bound(const struct packet *p)
{
	struct sockaddr_ll a;
	socklen_t len = sizeof(a);

	return p->ifindex && !getsockname(p->port.rx_fd, (struct sockaddr *)&a, &len) &&
	       a.sll_ifindex == p->ifindex;
}

static int bind_to(int fd, uint16_t protocol, int ifindex)
{
	struct sockaddr_ll a = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = ifindex,
	};

	return bind(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

/* Super-frames need more than what unprivileged sockets may have. */
static void set_buffer(int fd, int force, int fallback)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, fallback, &size, sizeof(size));
}

int packet_tx_socket(const struct packet *p)
{
	int ns = p->netns[0] ? packet_netns(&p->port) : -1;
	int fd = netns_socket(ns, AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), one = 1, ret;

	if (ns >= 0)
		close(ns);
	if (fd < 0)
		return fd;
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	ret = setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ? -errno : 0;
	if (!ret && p->ifindex)
		ret = bind_to(fd, 0, p->ifindex);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static void close_sockets(struct packet *p)
{
	if (p->tx_fd >= 0)
		port_discard(&p->port, p->tx_fd);
	if (p->port.rx_fd >= 0)
		port_discard(&p->port, p->port.rx_fd);
	p->tx_fd = p->port.rx_fd = -1;
}

static int open_error(const char *name, int code, struct error *err)
{
	if (code == -EPERM || code == -EACCES)
		return error_set(err, code,
				 "%s: no permission to capture, which needs CAP_NET_RAW: "
				 "run as root, or in a network of your own (unshare -Urn), or give "
				 "the program the capability "
				 "(setcap cap_net_raw,cap_net_admin+ep PROGRAM)",
				 name);
	return error_set(err, code, "%s: cannot open a packet socket: %s", name, strerror(-code));
}

/* Opens both sockets in namespace @ns, bound to nothing: nothing is captured before all is set. */
static int open_in(struct packet *p, int ns)
{
	int one = 1;

	p->port.rx_fd = netns_socket(ns, AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
	if (p->port.rx_fd < 0)
		return p->port.rx_fd;
	set_buffer(p->port.rx_fd, SO_RCVBUFFORCE, SO_RCVBUF);
	if (setsockopt(p->port.rx_fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    setsockopt(p->port.rx_fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		return -errno;
	p->tx_fd = packet_tx_socket(p);
	return p->tx_fd < 0 ? p->tx_fd : 0;
}

/* Opens both sockets in our namespace and makes the receive ring. Returns -errno with a sentence.
 */
static int open_sockets(struct packet *p, struct error *err)
{
	int ns = -1, ret;

	if (p->netns[0]) {
		ns = netns_open(p->netns, err);
		if (ns < 0)
			return ns;
	}
	ret = open_in(p, ns);
	if (ns >= 0)
		close(ns);
	if (ret) {
		close_sockets(p);
		return open_error(p->ifname, ret, err);
	}
	packet_rx_init(p);
	return 0;
}

/* Reads the interface named @name, or numbered @ifindex, in our namespace. */
static int find(const struct packet *p, const char *name, int ifindex, struct iface *iface)
{
	int ns = p->netns[0] ? packet_netns(&p->port) : -1, sock = iface_socket(ns), ret;

	if (ns >= 0)
		close(ns);
	if (sock < 0)
		return sock;
	ret = iface_get(sock, name, ifindex, iface);
	close(sock);
	return ret;
}

/* Returns 0 when @iface can be a port, else -errno with a sentence. As br_add_if(). */
static int check_iface(const struct packet *p, const struct iface *iface, struct error *err)
{
	struct iface master;

	if (iface->loopback)
		return error_set(err, -EINVAL,
				 "%s is the loopback interface, which cannot be a port",
				 iface->name);
	if (iface->type != ARPHRD_ETHER)
		return error_set(
			err, -EINVAL,
			"%s is not an Ethernet interface (its type is %u), so it cannot be a port",
			iface->name, iface->type);
	if (!iface->master || iface->master == p->port.host->leaving)
		return 0;
	if (find(p, NULL, iface->master, &master))
		snprintf(master.name, sizeof(master.name), "a bridge");
	return error_set(err, -EBUSY,
			 "%s belongs to %s already; take it out first: ip link set dev %s nomaster",
			 iface->name, master.name, iface->name);
}

/* Keeps the host's stack out of the interface that is called @name now. */
static int drop_for_host(struct packet *p, const char *name, struct error *err)
{
	int ns;

	if (p->drop_fd >= 0)
		close(p->drop_fd);
	ns = p->netns[0] ? packet_netns(&p->port) : -1;
	p->drop_fd = hostdrop_open(ns, name, err);
	if (ns >= 0)
		close(ns);
	snprintf(p->drop_name, sizeof(p->drop_name), "%s", name);
	return p->drop_fd < 0 ? p->drop_fd : 0;
}

/* Binds the sockets to @iface; the last step starts receiving. */
static int bind_sockets(struct packet *p, const struct iface *iface)
{
	struct packet_mreq promisc = { .mr_ifindex = iface->link.ifindex,
				       .mr_type = PACKET_MR_PROMISC };
	int direct = p->bypass, err, ret;
	socklen_t len = sizeof(err);

	ret = bind_to(p->tx_fd, 0, iface->link.ifindex);
	if (ret)
		return ret;
	p->direct = direct &&
		    !setsockopt(p->tx_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &direct, sizeof(direct));
	if (setsockopt(p->port.rx_fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)))
		return -errno;
	packet_rx_flush(p);
	ret = bind_to(p->port.rx_fd, ETH_P_ALL, iface->link.ifindex);
	/* ENETDOWN when it is down, which is known. */
	getsockopt(p->port.rx_fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return ret;
}

/* Has the send ring made anew as soon as there is time: not before the switch is ready. */
static void want_ring(struct packet *p)
{
	packet_tx_reset(p);
	p->port.host->deadline(p->port.host->ctx, &p->port, 0);
}

/* Makes @iface the interface of the port. Returns 0 with *@link, or -errno with a sentence. */
static int attach(struct packet *p, const struct iface *iface, struct link *link, struct error *err)
{
	int ret = check_iface(p, iface, err);

	if (!ret && p->host_drop)
		ret = drop_for_host(p, iface->name, err);
	if (ret)
		return ret;
	ret = bind_sockets(p, iface);
	if (ret) {
		if (p->drop_fd >= 0)
			close(p->drop_fd);
		p->drop_fd = -1;
		return error_set(err, ret, "%s: cannot attach: %s", iface->name, strerror(-ret));
	}
	p->ifindex = iface->link.ifindex;
	p->complained = false;
	*link = iface->link;
	want_ring(p);
	p->port.host->watch(p->port.host->ctx, &p->port, p->port.rx_fd, PORT_IN);
	return 0;
}

static void tell(struct packet *p, const struct link *link)
{
	if (link_equal(&p->port.link, link))
		return;
	if (p->port.link.mtu != link->mtu)
		want_ring(p);
	p->port.link = *link;
	p->port.host->link_changed(p->port.host->ctx, &p->port, link);
}

void packet_timer(struct port *port, uint64_t now)
{
	struct packet *p = (struct packet *)port;

	(void)now;
	if (p->ifindex && p->ring_fd < 0)
		packet_tx_open(p);
}

void packet_vanish(struct packet *p)
{
	static const struct link missing;

	if (!p->ifindex)
		return;
	p->ifindex = 0;
	p->port.host->watch(p->port.host->ctx, &p->port, p->port.rx_fd, 0);
	packet_fast_close(p);
	packet_tx_reset(p);
	if (p->drop_fd >= 0)
		close(p->drop_fd);
	p->drop_fd = -1;
	tell(p, &missing);
}

/* The namespace may have lost its name: our sockets must not keep it, and our interface, alive. */
static void check_namespace(struct packet *p)
{
	int ns = packet_netns(&p->port);
	bool named = ns < 0 || netns_named(p->netns_fd, p->netns, ns);

	if (ns >= 0)
		close(ns);
	if (named)
		return;
	packet_vanish(p);
	packet_rx_fini(p);
	close_sockets(p);
}

void packet_event(struct port *port, int fd, unsigned what, uint64_t now)
{
	struct packet *p = (struct packet *)port;

	(void)what;
	(void)now;
	if (fd != p->netns_fd)
		p->woken = true;
	else if (port->rx_fd >= 0)
		check_namespace(p);
}

/* An interface of our name may be there. */
static void come_back(struct packet *p)
{
	struct iface iface;
	struct error err;
	struct link link;

	if (p->port.rx_fd < 0 && open_sockets(p, &err))
		return;
	if (find(p, p->ifname, 0, &iface))
		return;
	if (!attach(p, &iface, &link, &err)) {
		tell(p, &link);
	} else if (!p->complained) {
		log_warning("%s: still missing: %s", p->port.name, err.text);
		p->complained = true;
	}
}

void packet_link(struct port *port, const struct link *news)
{
	struct packet *p = (struct packet *)port;
	struct iface iface;
	struct error err;

	(void)news; /* whatever it says, what counts is how things are now */
	if (p->ifindex && !packet_bound(p))
		packet_vanish(p);
	if (!p->ifindex) {
		come_back(p);
		return;
	}
	if (find(p, NULL, p->ifindex, &iface))
		return;
	if (p->host_drop && strcmp(iface.name, p->drop_name) && drop_for_host(p, iface.name, &err))
		log_warning("%s: %s", port->name, err.text);
	if (p->port.fast.attached)
		packet_fast_look(p);
	tell(p, &iface.link);
}

void packet_close(struct port *port)
{
	struct packet *p = (struct packet *)port;
	int ns, tap;

	if (p->ifindex)
		port->host->watch(port->host->ctx, port, port->rx_fd, 0);
	if (p->netns_fd >= 0) {
		port->host->watch(port->host->ctx, port, p->netns_fd, 0);
		close(p->netns_fd);
	}
	packet_fast_close(p);
	packet_rx_fini(p);
	packet_tx_reset(p);
	if (p->drop_fd >= 0)
		close(p->drop_fd);
	if (p->remove_tap && port->rx_fd >= 0) {
		ns = p->netns[0] ? packet_netns(port) : -1;
		tap = tun_release(ns, p->ifname);
		if (tap >= 0)
			port_discard(port, tap);
		if (ns >= 0)
			close(ns);
	}
	close_sockets(p);
	free(p);
}

/* What the kernel takes in a virtio header; UDP segmentation since 6.2. */
static uint32_t kernel_caps(void)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2 || major < 6 ||
	    (major == 6 && minor < 2))
		return OFFLOAD_ALL & ~(uint32_t)OFFLOAD_USO;
	return OFFLOAD_ALL;
}

/* Opens the sockets in our namespace and attaches to the interface if it is there. */
static int start(struct packet *p, struct error *err)
{
	struct iface iface;
	int ret = open_sockets(p, err);

	if (ret)
		return ret;
	packet_tx_init(p);
	p->netns_fd = p->netns[0] ? netns_watch(p->netns) : -1;
	if (p->netns_fd >= 0)
		p->port.host->watch(p->port.host->ctx, &p->port, p->netns_fd, PORT_IN);
	ret = find(p, p->ifname, 0, &iface);
	if (ret == -ENODEV)
		return 0;
	if (ret)
		return error_set(err, ret, "%s: %s", p->ifname, strerror(-ret));
	return attach(p, &iface, &p->port.link, err);
}

int packet_open_as(const struct port_ops *ops, const struct port_spec *spec,
		   const struct port_host *host, struct packet **packetp, struct error *err)
{
	const char *netns = port_spec_text(spec, "netns"), *stack = port_spec_text(spec, "host");
	struct packet *p;
	int ret;

	p = calloc(1, sizeof(*p));
	if (!p)
		return error_set(err, -ENOMEM, "%s: out of memory", spec->address);
	p->port.ops = ops;
	p->port.host = host;
	p->port.caps = kernel_caps();
	p->port.rx_fd = p->tx_fd = p->ring_fd = p->drop_fd = p->netns_fd = -1;
	p->bypass = port_spec_number(spec, "bypass", 1);
	p->host_drop = stack && !strcmp(stack, "drop");
	snprintf(p->port.name, sizeof(p->port.name), "%s", spec->name);
	snprintf(p->ifname, sizeof(p->ifname), "%.15s", spec->address);
	snprintf(p->netns, sizeof(p->netns), "%s", netns ? netns : "");
	ret = start(p, err);
	if (ret) {
		packet_close(&p->port);
		return ret;
	}
	*packetp = p;
	return 0;
}

static int packet_open(const struct port_spec *spec, const struct link *link,
		       const struct port_host *host, struct port **portp, struct error *err)
{
	struct packet *p;
	int ret = packet_open_as(&packet_ops, spec, host, &p, err);

	(void)link; /* asked for again, in the interface's own namespace */
	if (ret)
		return ret;
	if (p->ifindex && !p->port.link.up)
		log_notice("%s: attached to %s, which is down", spec->name, p->ifname);
	*portp = &p->port;
	return 0;
}

const struct port_ops packet_ops = {
	.kind = "packet",
	.address = "NAME",
	.help = "an existing Ethernet interface, through AF_PACKET; missing until there is one of "
		"that name",
	.interface = true,
	.local_mac = true,
	.options = packet_options,
	.open = packet_open,
	.close = packet_close,
	.event = packet_event,
	.timer = packet_timer,
	.link = packet_link,
	.rx = packet_rx,
	.tx = packet_tx,
	.done = packet_done,
	.fast = packet_fast,
	.waiting = packet_waiting,
	.refresh = packet_refresh,
};
