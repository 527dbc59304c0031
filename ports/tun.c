/* SPDX-License-Identifier: MIT */
#include "ports/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ports/netns.h"
#include "ports/owner.h"

#define NOT_GIVEN UINT64_MAX

const struct port_option tun_options[] = {
	{ .name = "guest",
	  .type = PORT_OPT_FLAG,
	  .help = "a persistent TAP for a guest to open "
		  "(qemu -netdev tap,ifname=NAME,script=no), used from the "
		  "host's side" },
	{ .name = "persist",
	  .type = PORT_OPT_FLAG,
	  .help = "the interface stays when the switch ends" },
	{ .name = "owner",
	  .type = PORT_OPT_TEXT,
	  .help = "user who may open it without privileges, a name or a number" },
	{ .name = "group",
	  .type = PORT_OPT_TEXT,
	  .help = "group that may open it without privileges, a name or a number" },
	{ .name = "mtu",
	  .type = PORT_OPT_NUMBER,
	  .min = 68,
	  .max = 65521,
	  .help = "MTU of the interface, 68..65521 (default: 1500 for a new one)" },
	{ .name = "netns",
	  .type = PORT_OPT_TEXT,
	  .help = "network namespace of the interface, a name or a path "
		  "(default: the switch's own)" },
	{ .name = NULL },
};

/* Says in @err why the kernel answered @code to opening the TAP @name. */
static int open_error(const char *name, int code, struct error *err)
{
	switch (-code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_set(err, code,
				 "%s: there are no TAP devices: /dev/net/tun is missing "
				 "(modprobe tun)",
				 name);
	case EPERM:
	case EACCES:
		return error_set(err, code,
				 "%s: no permission for a TAP device, which needs CAP_NET_ADMIN: "
				 "run as root, or in a network of your own (unshare -Urn), or on "
				 "a TAP that root made for you "
				 "(ip tuntap add dev %s mode tap user NAME)",
				 name, name);
	case EBUSY:
		return error_set(err, code,
				 "%s: another process holds this TAP; to use it from the host's "
				 "side say packet:%s",
				 name, name);
	case EINVAL:
		return error_set(err, code,
				 "%s is an interface of another type; to use it from the host's "
				 "side say packet:%s",
				 name, name);
	}
	return error_set(err, code, "%s: cannot open the TAP: %s", name, strerror(-code));
}

/* A device keeps what its last user set; a limit on writes costs the fast path. */
static int set_up(int fd, bool vnet)
{
	int hdr_len = sizeof(struct vnet_hdr), sndbuf = INT_MAX;

	if ((vnet && ioctl(fd, TUNSETVNETHDRSZ, &hdr_len)) || ioctl(fd, TUNSETSNDBUF, &sndbuf))
		return -errno;
	return 0;
}

int tun_open(int ns, const char *name, bool multi_queue, struct error *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int back, fd, ret = netns_enter(ns, &back);

	if (ret)
		return open_error(name, ret, err);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ret = fd < 0 ? -errno : 0;
	netns_leave(back);
	if (ret)
		return open_error(name, ret, err);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (multi_queue)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, &ifr) || (ret = set_up(fd, true))) {
		ret = ret ? ret : -errno;
		close(fd);
		return open_error(name, ret, err);
	}
	return fd;
}

/*
 * Whether the TAP @fd puts four bytes in front of each frame. TUNGETIFF says so by a bit that it
 * also uses to say that there is no socket filter: so it is asked while there is one, that lets all
 * pass.
 */
static bool has_prefix(int fd)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	struct sock_fprog program = { 1, &pass };
	struct ifreq ifr = { .ifr_flags = 0 };
	bool prefix = ioctl(fd, TUNATTACHFILTER, &program) || ioctl(fd, TUNGETIFF, &ifr) ||
		      !(ifr.ifr_flags & IFF_NO_PI);

	ioctl(fd, TUNDETACHFILTER, &program);
	return prefix;
}

int tun_take(int fd, bool *vnet, char name[IF_NAMESIZE], struct error *err)
{
	int held = fcntl(fd, F_GETFD), status = fcntl(fd, F_GETFL), ret;
	struct ifreq ifr = { .ifr_flags = 0 };

	if (held < 0 || status < 0)
		return error_set(err, -EBADF, "there is no descriptor %d to inherit", fd);
	if (held & FD_CLOEXEC)
		return error_set(err, -EBUSY, "descriptor %d is the switch's own", fd);
	if (ioctl(fd, TUNGETIFF, &ifr))
		return error_set(err, -EINVAL, "descriptor %d is not that of a TAP%s", fd,
				 errno == EBADFD ? ": it has no interface" : "");
	if (!(ifr.ifr_flags & IFF_TAP))
		return error_set(err, -EINVAL,
				 "descriptor %d is a TUN device: it has no Ethernet frames", fd);
	if (has_prefix(fd))
		return error_set(err, -EINVAL,
				 "descriptor %d is a TAP made without IFF_NO_PI, which is needed",
				 fd);
	*vnet = ifr.ifr_flags & IFF_VNET_HDR;
	memcpy(name, ifr.ifr_name, IF_NAMESIZE);
	ret = set_up(fd, *vnet);
	if (!ret && (fcntl(fd, F_SETFL, status | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC)))
		ret = -errno;
	return ret ? error_set(err, ret, "descriptor %d: %s", fd, strerror(-ret)) : 0;
}

int tun_configure(int fd, int sock, int ifindex, const struct port_spec *spec, bool up,
		  struct error *err)
{
	const char *owner = port_spec_text(spec, "owner"), *group = port_spec_text(spec, "group");
	uint64_t persist = port_spec_number(spec, "persist", NOT_GIVEN);
	uint32_t mtu = (uint32_t)port_spec_number(spec, "mtu", 0);
	uid_t uid;
	gid_t gid;
	int ret;

	if (owner && owner_user(owner, &uid))
		return error_set(err, -EINVAL, "%s: owner=%s: there is no such user", spec->address,
				 owner);
	if (owner && ioctl(fd, TUNSETOWNER, (unsigned long)uid))
		return error_set(err, -errno, "%s: owner=%s: %s", spec->address, owner,
				 strerror(errno));
	if (group && owner_group(group, &gid))
		return error_set(err, -EINVAL, "%s: group=%s: there is no such group",
				 spec->address, group);
	if (group && ioctl(fd, TUNSETGROUP, (unsigned long)gid))
		return error_set(err, -errno, "%s: group=%s: %s", spec->address, group,
				 strerror(errno));
	ret = mtu || up ? iface_set(sock, ifindex, mtu, up) : 0;
	if (ret)
		return error_set(err, ret, "%s: cannot set %s: %s", spec->address,
				 mtu ? "the MTU" : "it up", strerror(-ret));
	if (persist != NOT_GIVEN && ioctl(fd, TUNSETPERSIST, (unsigned long)persist))
		return error_set(err, -errno, "%s: persist: %s", spec->address, strerror(errno));
	return 0;
}

int tun_check_free(const struct iface *iface, struct error *err)
{
	if (!iface->tap)
		return error_set(err, -EEXIST,
				 "%s is not a TAP but a %s interface; to attach to it say "
				 "packet:%s",
				 iface->name, iface->kind[0] ? iface->kind : "hardware",
				 iface->name);
	if (iface->tap_queues)
		return open_error(iface->name, -EBUSY, err);
	return 0;
}

int tun_release(int ns, const char *name)
{
	struct iface iface;
	int ret, sock = iface_socket(ns);

	if (sock < 0)
		return sock;
	ret = iface_get(sock, name, 0, &iface);
	if (!ret)
		ret = iface.tap && !iface.tap_queues
			      ? tun_open(ns, name, iface.tap_multi_queue, NULL)
			      : -EBUSY;
	close(sock);
	if (ret >= 0)
		ioctl(ret, TUNSETPERSIST, 0ul);
	return ret;
}
