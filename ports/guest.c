/* SPDX-License-Identifier: MIT */
#include "ports/guest.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ports/iface.h"
#include "ports/log.h"
#include "ports/netns.h"
#include "ports/packet.h"
#include "ports/tun.h"

int guest_make(int ns, int sock, const struct port_spec *spec, bool *made, struct error *err)
{
	struct iface iface;
	int fd, ret = iface_get(sock, spec->address, 0, &iface);

	*made = false;
	if (!ret && !iface.tap)
		return tun_check_free(&iface, err);
	if (ret != -ENODEV)
		return ret ? error_set(err, ret, "%s: %s", spec->address, strerror(-ret)) : 0;
	fd = tun_open(ns, spec->address, false, err);
	if (fd < 0)
		return fd;
	ret = iface_get(sock, spec->address, 0, &iface);
	if (ret)
		error_set(err, ret, "%s: %s", spec->address, strerror(-ret));
	else
		ret = tun_configure(fd, sock, iface.link.ifindex, spec, true, err);
	if (!ret && ioctl(fd, TUNSETPERSIST, 1ul))
		ret = error_set(err, -errno, "%s: cannot make the TAP persistent: %s",
				spec->address, strerror(errno));
	close(fd);
	*made = !ret;
	return ret;
}

int guest_open(const struct port_spec *spec, const struct link *link, const struct port_host *host,
	       struct port **portp, struct error *err)
{
	const char *netns = port_spec_text(spec, "netns");
	int ns = netns ? netns_open(netns, err) : -1, sock, tap, ret;
	struct packet *p;
	bool made = false;

	(void)link;
	if (netns && ns < 0)
		return ns;
	sock = iface_socket(ns);
	if (sock < 0) {
		ret = error_set(err, sock, "%s: cannot enter namespace %s: %s", spec->address,
				netns, strerror(-sock));
	} else {
		ret = guest_make(ns, sock, spec, &made, err);
		close(sock);
	}
	if (!ret) {
		ret = packet_open_as(&guest_ops, spec, host, &p, err);
		tap = ret && made ? tun_release(ns, spec->address) : -1;
		if (tap >= 0)
			close(tap);
	}
	if (ns >= 0)
		close(ns);
	if (ret)
		return ret;
	p->remove_tap = made && !port_spec_number(spec, "persist", 0);
	log_notice("%s: %s the TAP %s for a guest to open "
		   "(qemu -netdev tap,ifname=%s,script=no,downscript=no)",
		   spec->name, made ? "made" : "using", spec->address, spec->address);
	*portp = &p->port;
	return 0;
}

bool guest_own(struct port *port, bool own)
{
	struct packet *p = (struct packet *)port;
	bool was = p->remove_tap;

	p->remove_tap = own;
	return was;
}

const struct port_ops guest_ops = {
	.kind = "tap",
	.address = "NAME",
	.help = "a persistent TAP for a guest to open",
	.interface = true,
	.local_mac = true,
	.options = tun_options,
	.open = guest_open,
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
