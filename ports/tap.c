/* SPDX-License-Identifier: MIT */
#include "ports/tap.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fdb/mac.h"
#include "ports/batch.h"
#include "ports/guest.h"
#include "ports/iface.h"
#include "ports/kinds.h"
#include "ports/log.h"
#include "ports/netns.h"
#include "ports/tun.h"

/* Newer than the headers of Debian 12; the kernel has them since 6.2. */
#define OFFLOAD_USO4 0x20u
#define OFFLOAD_USO6 0x40u

#define READ_ALIGN 64u /* frames of a batch are packed into the arena at multiples of this */
#define READ_ROUND(n) (((n) + READ_ALIGN - 1) & ~(size_t)(READ_ALIGN - 1))
#define READ_PAD 6u /* in front of the header, so that the frame behind it is aligned to 16 */
/* One more than the longest frame with a tag, to see that something was longer. */
#define READ_MAX (sizeof(struct vnet_hdr) + FRAME_MAX + FRAME_TAG_LEN + 1)

struct tap {
	struct port port; /* rx_fd is the device; -1 while it is missing */
	char ifname[IF_NAMESIZE];
	char netns[256]; /* where it is opened, "" = here */
	ino_t home;      /* which namespace that was */
	int netns_fd;    /* tells when that loses its name; -1 = none */
	bool vnet;       /* frames have virtio headers */
};

_Static_assert(sizeof(struct vnet_hdr) == 10,
	       "struct vnet_hdr is what the kernel reads and writes");

/* An interface where we may not look: as long as it exists, frames for it are worth a try. */
static const struct link somewhere = { .present = true, .up = true, .carrier = true };

static struct tap *tap_of(struct port *port)
{
	return (struct tap *)port;
}

int tap_netns(const struct port *port)
{
	const struct tap *t = (const struct tap *)port;
	int ns = -1;

	if (port->rx_fd >= 0)
		ns = ioctl(port->rx_fd, TUNGETDEVNETNS);
	else if (t->netns[0])
		return netns_open(t->netns, NULL);
	else
		errno = ENOTTY;
	return ns < 0 ? -errno : ns;
}

/* The MAC address of the interface of the TAP @fd, wherever that is; 0 = it does not say. */
static uint64_t tap_mac(int fd)
{
	struct ifreq ifr = { .ifr_flags = 0 };

	return ioctl(fd, SIOCGIFHWADDR, &ifr) ? 0 : mac_load((uint8_t *)ifr.ifr_hwaddr.sa_data);
}

/*
 * Reads the state of the interface, wherever it is and whatever it is called now. Where we may not
 * look, one of its name and address that is here must be it.
 */
static int tap_query(struct tap *t, struct link *link)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	struct iface iface;
	int ns, sock, ret;

	if (ioctl(t->port.rx_fd, TUNGETIFF, &ifr))
		return -errno;
	ns = tap_netns(&t->port);
	sock = iface_socket(ns < 0 ? -1 : ns);
	if (ns >= 0)
		close(ns);
	if (sock < 0)
		return sock;
	ret = iface_get(sock, ifr.ifr_name, 0, &iface);
	close(sock);
	if (!ret && ns < 0 && (!iface.tap || iface.link.mac != tap_mac(t->port.rx_fd)))
		ret = -ENODEV;
	if (!ret)
		*link = iface.link;
	return ret;
}

static void tap_tell(struct tap *t, const struct link *link)
{
	if (link_equal(&t->port.link, link))
		return;
	t->port.link = *link;
	t->port.host->link_changed(t->port.host->ctx, &t->port, link);
}

/* The interface was deleted: its descriptor would be ready for ever, with nothing to read. */
static void tap_vanish(struct tap *t)
{
	static const struct link missing;
	int fd = t->port.rx_fd;

	t->port.host->watch(t->port.host->ctx, &t->port, fd, 0);
	t->port.rx_fd = -1;
	port_discard(&t->port, fd);
	tap_tell(t, &missing);
}

/*
 * Asks for all offloads that this kernel knows: it may hand us such frames, and takes them. Without
 * virtio headers it must not.
 */
static uint32_t tap_offload(int fd, bool vnet)
{
	static const struct {
		unsigned ask;
		uint32_t caps;
	} level[] = {
		{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | OFFLOAD_USO4 |
			  OFFLOAD_USO6,
		  OFFLOAD_ALL },
		{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
		  OFFLOAD_ALL & ~(uint32_t)OFFLOAD_USO },
		{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6,
		  OFFLOAD_CSUM | OFFLOAD_TSO4 | OFFLOAD_TSO6 },
	};

	for (unsigned i = 0; vnet && i < sizeof(level) / sizeof(level[0]); i++)
		if (!ioctl(fd, TUNSETOFFLOAD, (unsigned long)level[i].ask))
			return level[i].caps;
	ioctl(fd, TUNSETOFFLOAD, 0ul);
	return 0;
}

/*
 * Attaches to the TAP of our name in namespace @ns, on whose @sock it is asked about. With @spec it
 * is made when there is none, and configured. Returns 0 with port.rx_fd, caps and link set, or
 * -errno with a sentence.
 */
static int tap_attach(struct tap *t, int ns, int sock, const struct port_spec *spec, bool *made,
		      struct error *err)
{
	struct iface iface = { .tap_multi_queue = false };
	int fd, ret = iface_get(sock, t->ifname, 0, &iface);

	if (ret && (ret != -ENODEV || !spec))
		return error_set(err, ret, "%s: %s", t->ifname, strerror(-ret));
	*made = ret;
	if (!ret) {
		ret = tun_check_free(&iface, err);
		if (ret)
			return ret;
	}
	fd = tun_open(ns, t->ifname, iface.tap_multi_queue, err);
	if (fd < 0)
		return fd;
	ret = iface_get(sock, t->ifname, 0, &iface);
	if (ret)
		error_set(err, ret, "%s: %s", t->ifname, strerror(-ret));
	else if (spec)
		ret = tun_configure(fd, sock, iface.link.ifindex, spec, *made, err);
	if (ret) {
		close(fd);
		return ret;
	}
	t->port.rx_fd = fd;
	t->vnet = true;
	t->port.caps = tap_offload(fd, true);
	if (iface_get(sock, t->ifname, 0, &iface) == 0)
		t->port.link = iface.link;
	return 0;
}

static ino_t inode_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/* tap_attach() in our home namespace. */
static int tap_attach_home(struct tap *t, const struct port_spec *spec, bool *made,
			   struct error *err)
{
	int ns = -1, sock, ret;

	if (t->netns[0]) {
		ns = netns_open(t->netns, err);
		if (ns < 0)
			return ns;
		t->home = inode_of(ns);
	}
	sock = iface_socket(ns);
	if (sock < 0) {
		ret = error_set(err, sock, "%s: cannot enter namespace %s: %s", t->ifname, t->netns,
				strerror(-sock));
	} else {
		ret = tap_attach(t, ns, sock, spec, made, err);
		close(sock);
	}
	if (ns >= 0)
		close(ns);
	return ret;
}

static struct tap *tap_new(const struct port_spec *spec, const struct port_host *host,
			   struct error *err)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (!t) {
		error_set(err, -ENOMEM, "%s: out of memory", spec->address);
		return NULL;
	}
	t->port.ops = spec->ops;
	t->port.host = host;
	t->port.rx_fd = t->netns_fd = -1;
	snprintf(t->port.name, sizeof(t->port.name), "%s", spec->name);
	return t;
}

static int tap_open(const struct port_spec *spec, const struct link *link,
		    const struct port_host *host, struct port **portp, struct error *err)
{
	struct tap *t;
	bool made;
	int ret;

	if (port_spec_number(spec, "guest", 0))
		return guest_open(spec, link, host, portp, err);
	t = tap_new(spec, host, err);
	if (!t)
		return -ENOMEM;
	snprintf(t->ifname, sizeof(t->ifname), "%.15s", spec->address);
	if (port_spec_text(spec, "netns"))
		snprintf(t->netns, sizeof(t->netns), "%s", port_spec_text(spec, "netns"));
	ret = tap_attach_home(t, spec, &made, err);
	if (ret) {
		free(t);
		return ret;
	}
	log_notice("%s: %s a TAP: the interface %s is the station behind this port, "
		   "for a guest to open it say tap:%s,guest%s",
		   spec->name, made ? "made" : "attached to", t->ifname, t->ifname,
		   t->port.link.up ? "" : "; the interface is down");
	host->watch(host->ctx, &t->port, t->port.rx_fd, PORT_IN);
	t->netns_fd = t->netns[0] ? netns_watch(t->netns) : -1;
	if (t->netns_fd >= 0)
		host->watch(host->ctx, &t->port, t->netns_fd, PORT_IN);
	*portp = &t->port;
	return 0;
}

/* A TAP that somebody else opened. */
static int tap_open_fd(const struct port_spec *spec, const struct link *link,
		       const struct port_host *host, struct port **portp, struct error *err)
{
	struct error why;
	struct tap *t;
	char *end;
	unsigned long fd = strtoul(spec->address, &end, 10);
	int ret;

	(void)link;
	if (!isdigit((unsigned char)spec->address[0]) || *end || fd < 3 || fd > INT_MAX)
		return error_set(err, -EINVAL,
				 "fd:%s: not the number of an inherited descriptor, 3 or higher",
				 spec->address);
	t = tap_new(spec, host, err);
	if (!t)
		return -ENOMEM;
	ret = tun_take((int)fd, &t->vnet, t->ifname, &why);
	if (ret) {
		free(t);
		return error_set(err, ret, "fd:%s: %s", spec->address, why.text);
	}
	t->port.rx_fd = (int)fd;
	t->port.caps = tap_offload(t->port.rx_fd, t->vnet);
	if (tap_query(t, &t->port.link))
		t->port.link = somewhere;
	log_notice("%s: the interface %s is the station behind this port%s%s", spec->name,
		   t->ifname, t->vnet ? "" : "; without virtio headers (IFF_VNET_HDR) it is slow",
		   t->port.link.up ? "" : "; the interface is down");
	host->watch(host->ctx, &t->port, t->port.rx_fd, PORT_IN);
	*portp = &t->port;
	return 0;
}

static void tap_close(struct port *port)
{
	struct tap *t = tap_of(port);

	if (t->netns_fd >= 0) {
		port->host->watch(port->host->ctx, port, t->netns_fd, 0);
		close(t->netns_fd);
	}
	if (port->rx_fd >= 0) {
		port->host->watch(port->host->ctx, port, port->rx_fd, 0);
		port_discard(port, port->rx_fd);
	}
	free(t);
}

/* Our descriptor must not keep a namespace alive that has lost its name while we are in it. */
static void tap_event(struct port *port, int fd, unsigned what, uint64_t now)
{
	struct tap *t = tap_of(port);
	int ns;

	(void)what;
	(void)now;
	if (fd != t->netns_fd || port->rx_fd < 0)
		return;
	ns = tap_netns(port);
	if (ns < 0)
		return;
	if (!netns_named(fd, t->netns, ns) && inode_of(ns) == t->home)
		tap_vanish(t);
	close(ns);
}

/* A free TAP of our name may be there again. */
static void tap_return(struct tap *t)
{
	struct error err;
	struct link link;
	bool made;

	if (tap_attach_home(t, NULL, &made, &err)) {
		log_info("%s: still missing: %s", t->port.name, err.text);
		return;
	}
	link = t->port.link;
	t->port.link = (struct link){ .present = false };
	t->port.host->watch(t->port.host->ctx, &t->port, t->port.rx_fd, PORT_IN);
	tap_tell(t, &link);
}

static void tap_link(struct port *port, const struct link *news)
{
	struct tap *t = tap_of(port);
	struct link link;

	if (port->rx_fd < 0) {
		if (news->present)
			tap_return(t);
		return;
	}
	switch (tap_query(t, &link)) {
	case 0:
		tap_tell(t, &link);
		break;
	case -EBADFD:
		tap_vanish(t);
		if (news->present)
			tap_return(t);
		break;
	default: /* not allowed to look where it is now */
		tap_tell(t, news->present ? news : &somewhere);
		break;
	}
}

/* Takes the @len bytes at @at, header and frame, into @b; returns whether they are a frame. */
static bool take(const struct tap *t, struct batch *b, uint8_t *at, size_t len)
{
	struct frame *f = &b->frame[b->n];
	enum drop reason = DROP_NONE;

	memset(f, 0, sizeof(*f));
	f->port = t->port.number;
	f->data = at + sizeof(f->vnet);
	f->room = sizeof(f->vnet);
	f->len = f->total = len > sizeof(f->vnet) ? (uint32_t)(len - sizeof(f->vnet)) : 0;
	if (f->len < FRAME_HDR_LEN) {
		reason = DROP_RUNT;
	} else {
		memcpy(&f->vnet, at, sizeof(f->vnet));
		reason = frame_lift_tag(f);
	}
	if (!reason)
		reason = f->total > FRAME_MAX ? DROP_GIANT : offload_check(f);
	if (reason)
		batch_refuse(b, f->total, reason);
	else
		b->n++;
	return !reason;
}

/* Reads a frame with its header, which is made up where the device has none. As read(). */
static ssize_t read_frame(const struct tap *t, uint8_t *at)
{
	static const struct vnet_hdr none;
	ssize_t len;

	if (t->vnet)
		return read(t->port.rx_fd, at, READ_MAX);
	memcpy(at, &none, sizeof(none));
	len = read(t->port.rx_fd, at + sizeof(none), READ_MAX - sizeof(none));
	return len < 0 ? len : len + (ssize_t)sizeof(none);
}

static void tap_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct tap *t = tap_of(port);
	uint8_t *at = b->arena, *end = b->arena + BATCH_BYTES;

	(void)queue;
	b->n = 0;
	b->more = false;
	if (port->rx_fd < 0)
		return;
	for (unsigned i = 0; i < BATCH_MAX && at < end; i++) {
		ssize_t len = read_frame(t, at + READ_PAD);

		if (len < 0 && errno != EINVAL) {
			if (errno == EBADFD)
				tap_vanish(t);
			return;
		}
		if (len < 0) /* a segmentation type that the header cannot express */
			batch_refuse(b, 0, DROP_VNET);
		else if (take(t, b, at + READ_PAD, (size_t)len))
			at += READ_ROUND(READ_PAD + (size_t)len);
	}
	b->more = true;
}

/* Why the kernel did not take a frame, by errno. */
static enum drop refused(struct tap *t)
{
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_FULL;
	case EBADFD:
		tap_vanish(t);
		return DROP_DOWN;
	case EIO:
		return DROP_DOWN;
	}
	return DROP_ERROR;
}

static enum drop tap_write(struct tap *t, struct wire *w)
{
	unsigned first = t->vnet ? 0 : 1;

	w->iov[0].iov_base = &w->vnet;
	w->iov[0].iov_len = sizeof(w->vnet);
	if (t->port.rx_fd < 0)
		return DROP_DOWN;
	if (writev(t->port.rx_fd, w->iov + first, (int)(w->n_iov - first)) < 0)
		return refused(t);
	return DROP_NONE;
}

/* As tap_write() for a frame in one piece, unchanged, with room for the header before it. */
static enum drop tap_write_whole(struct tap *t, const struct frame *f)
{
	size_t header = t->vnet ? sizeof(f->vnet) : 0;
	uint8_t *at = f->data - header;

	if (t->port.rx_fd < 0)
		return DROP_DOWN;
	memcpy(at, &f->vnet, header);
	return write(t->port.rx_fd, at, header + f->len) < 0 ? refused(t) : DROP_NONE;
}

static enum drop tap_send(struct tap *t, const struct txq_entry *e, struct port_stats *stats)
{
	const struct frame *f = e->frame;
	struct offload o;
	struct wire w;
	enum drop reason;

	if (offload_fits(f, t->port.caps)) {
		if (f->room >= sizeof(f->vnet) && !f->n_tail && !f->kept.tpid && !e->tagged) {
			reason = tap_write_whole(t, f);
		} else {
			wire_build(&w, f, e->tagged);
			reason = tap_write(t, &w);
		}
		stats->tx_segments += !reason;
		return reason;
	}
	reason = offload_begin(&o, f, e->tagged, t->port.caps);
	while (!reason && offload_next(&o, &w)) {
		reason = tap_write(t, &w);
		stats->tx_segments += !reason;
	}
	return reason;
}

static void tap_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct tap *t = tap_of(port);

	(void)queue;
	for (unsigned i = 0; i < q->n; i++) {
		const struct txq_entry *e = &q->entry[i];
		enum drop reason = tap_send(t, e, &q->stats);

		txq_count(&q->stats, e, reason);
	}
	q->n = 0;
}

const struct port_ops tap_ops = {
	.kind = "tap",
	.address = "NAME",
	.help = "a TAP device: the interface NAME is the station behind the port; made if there is "
		"none",
	.interface = true,
	.options = tun_options,
	.open = tap_open,
	.close = tap_close,
	.event = tap_event,
	.link = tap_link,
	.rx = tap_rx,
	.tx = tap_tx,
};

static const struct port_option fd_options[] = { { .name = NULL } };

const struct port_ops fd_ops = {
	.kind = "fd",
	.address = "N",
	.help = "descriptor N, which the switch inherits or is handed by uswitchctl: a TAP that "
		"somebody else opened; needs no privilege",
	.options = fd_options,
	.open = tap_open_fd,
	.close = tap_close,
	.event = tap_event,
	.link = tap_link,
	.rx = tap_rx,
	.tx = tap_tx,
};
