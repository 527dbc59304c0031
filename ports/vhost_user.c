/* SPDX-License-Identifier: MIT */
/* The vhost-user port: its socket, who is connected, and what happens to those who break rules. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ports/kinds.h"
#include "ports/offload.h"
#include "ports/vhost.h"
#include "ports/vhost_call.h"

#define POLL_DEFAULT_US 50u
#define POLL_MAX_US 10000u
#define ACCEPTS_MAX 64u
#define AGAIN_MS 10u         /* after a front-end left, and after a lack of resources */
#define CONNECT_MAX_MS 1000u /* between two tries to connect; they begin at a tenth of it */
#define QUARANTINE_MS 1000u  /* after a broken rule, doubled each time up to */
#define QUARANTINE_MAX_MS 30000u
#define WELL_MS 60000u /* who behaved for so long starts anew */

static struct vhost *vhost_of(struct port *port)
{
	return (struct vhost *)port;
}

void vhost_set_deadline(struct vhost *v)
{
	uint64_t at = v->partial_at < v->retry_at ? v->partial_at : v->retry_at;

	v->port.host->deadline(v->port.host->ctx, &v->port, v->broken ? 0 : at);
}

void vhost_fail(struct vhost *v, const char *why)
{
	if (v->broken)
		return;
	v->broken = why;
	v->live = false;
	vhost_set_deadline(v);
}

static void watch(struct vhost *v, int fd, unsigned what)
{
	v->port.host->watch(v->port.host->ctx, &v->port, fd, what);
}

static void drop_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vhost_stop(struct vhost *v, struct vhost_queue *q)
{
	if (q->kick >= 0)
		watch(v, q->kick, 0);
	drop_fd(&q->kick);
	q->started = false;
	q->addressed = false;
}

/* What the port can do with the features that the front-end chose. */
static void apply_features(struct vhost *v)
{
	static const struct {
		unsigned bit;
		uint32_t cap;
	} from_guest[] = { { VHOST_F_CSUM, OFFLOAD_CSUM },
			   { VHOST_F_HOST_TSO4, OFFLOAD_TSO4 },
			   { VHOST_F_HOST_TSO6, OFFLOAD_TSO6 },
			   { VHOST_F_HOST_ECN, OFFLOAD_ECN },
			   { VHOST_F_HOST_USO, OFFLOAD_USO } },
	  to_guest[] = { { VHOST_F_GUEST_CSUM, OFFLOAD_CSUM },
			 { VHOST_F_GUEST_TSO4, OFFLOAD_TSO4 },
			 { VHOST_F_GUEST_TSO6, OFFLOAD_TSO6 },
			 { VHOST_F_GUEST_ECN, OFFLOAD_ECN },
			 { VHOST_F_GUEST_USO4, OFFLOAD_USO } };

	v->allowed = v->port.caps = 0;
	for (unsigned i = 0; i < sizeof(from_guest) / sizeof(from_guest[0]); i++) {
		if (v->features >> from_guest[i].bit & 1)
			v->allowed |= from_guest[i].cap;
		if (v->features >> to_guest[i].bit & 1)
			v->port.caps |= to_guest[i].cap;
	}
	if (!(v->features >> VHOST_F_GUEST_USO6 & 1))
		v->port.caps &= ~(uint32_t)OFFLOAD_USO; /* one capability stands for both */
	v->mergeable = v->features >> VHOST_F_MRG_RXBUF & 1;
	v->header_len = v->mergeable || v->features >> VHOST_F_VERSION_1 & 1 ? 12 : 10;
}

void vhost_update(struct vhost *v)
{
	struct link link = { .present = true, .up = true, .mtu = v->mtu };

	v->n_in = v->n_out = v->turn = 0;
	v->listening = false;
	v->idle_ns = 0;
	for (unsigned i = 0; v->live && i < VHOST_QUEUES; i++) {
		struct vhost_queue *q = &v->queue[i];

		if (!q->started || !q->enabled)
			continue;
		vring_quiet(&q->ring);
		if (q->ring.writable)
			v->out[v->n_out++] = (uint8_t)i;
		else
			v->in[v->n_in++] = (uint8_t)i;
	}
	apply_features(v);
	link.carrier = v->n_in && v->n_out;
	if (link.carrier != v->port.link.carrier || link.mtu != v->port.link.mtu)
		v->port.host->link_changed(v->port.host->ctx, &v->port, &link);
}

/* Forgets the front-end; the next one finds nothing of it. */
static void disconnect(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		struct vhost_queue *q = &v->queue[i];

		vhost_stop(v, q);
		drop_fd(&q->call);
		drop_fd(&q->error);
		memset(&q->ring, 0, sizeof(q->ring));
		q->base = 0;
		q->enabled = false;
	}
	vhost_forget(v);
	if (v->fd >= 0)
		watch(v, v->fd, 0);
	drop_fd(&v->fd);
	vhost_mem_clear(&v->mem);
	v->live = v->rarp = false;
	v->features = v->protocol = 0;
	v->status = 0;
	v->mtu = 0;
	v->errors = 0;
	v->from = v->ahead = v->filling = NULL;
	vhost_update(v);
}

/* It left as it may: wait for the next one. */
static void left(struct vhost *v, uint64_t now)
{
	disconnect(v);
	log_rated(&v->rate, now, LOG_LEVEL_INFO, "%s: the front-end left", v->port.name);
	v->retry_at = now + AGAIN_MS;
}

static void quarantine(struct vhost *v, uint64_t now)
{
	if (now - v->up_since > WELL_MS || !v->backoff_ms)
		v->backoff_ms = QUARANTINE_MS;
	else if (v->backoff_ms < QUARANTINE_MAX_MS / 2)
		v->backoff_ms *= 2;
	else
		v->backoff_ms = QUARANTINE_MAX_MS;
	log_rated(&v->rate, now, LOG_LEVEL_WARNING,
		  "%s: disconnected its front-end: %s; next try in %u s", v->port.name, v->broken,
		  v->backoff_ms / 1000);
	disconnect(v);
	v->broken = NULL;
	v->retry_at = now + v->backoff_ms;
}

static void connected(struct vhost *v, int fd, uint64_t now)
{
	v->fd = fd;
	v->live = true;
	v->up_since = now;
	v->retry_at = UINT64_MAX;
	v->window_ns = v->poll_ns;
	log_rated(&v->rate, now, LOG_LEVEL_INFO, "%s: a front-end connected", v->port.name);
	watch(v, fd, PORT_IN);
}

static int address_of(const char *path, struct sockaddr_un *a)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	snprintf(a->sun_path, sizeof(a->sun_path), "%s", path);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/*
 * Takes everybody who wants to connect, whenever that is. Who came last waits, for the end of a
 * quarantine or of the front-end that is there, and those before are turned away: nobody can fill
 * the backlog with connections that others would have to outlast. Returns false when something is
 * short.
 */
static bool take_callers(struct vhost *v)
{
	int fd;

	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		fd = accept4(v->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return errno == EAGAIN;
		drop_fd(&v->waiting_fd);
		v->waiting_fd = fd;
	}
	return false;
}

static void accept_one(struct vhost *v, uint64_t now)
{
	int fd;

	v->retry_at = take_callers(v) ? UINT64_MAX : now + AGAIN_MS * 10;
	fd = v->waiting_fd;
	v->waiting_fd = -1;
	if (fd >= 0)
		connected(v, fd, now);
}

static void connect_once(struct vhost *v, uint64_t now)
{
	struct sockaddr_un a;
	int fd = address_of(v->path, &a);

	if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof(a))) {
		v->connect_ms = 0;
		connected(v, fd, now);
		return;
	}
	drop_fd(&fd);
	v->connect_ms = v->connect_ms ? 2 * v->connect_ms : CONNECT_MAX_MS / 10;
	if (v->connect_ms > CONNECT_MAX_MS)
		v->connect_ms = CONNECT_MAX_MS;
	v->retry_at = now + v->connect_ms;
}

/* Nobody is connected: try to change that. */
static void try_peer(struct vhost *v, uint64_t now)
{
	if (v->server)
		accept_one(v, now);
	else
		connect_once(v, now);
	vhost_set_deadline(v);
}

/* Removes a socket at our path that nobody listens to any more. */
static int remove_stale(const char *path, const struct sockaddr_un *a, struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ret = 0;
	struct stat st;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		ret = error_set(err, -EEXIST, "%s: exists and is no socket", path);
	else if (!connect(fd, (const struct sockaddr *)a, sizeof(*a)) || errno != ECONNREFUSED)
		ret = error_set(err, -EADDRINUSE, "%s: another process listens there", path);
	else if (unlink(path))
		ret = error_set(err, -errno, "%s: cannot remove the old socket: %s", path,
				strerror(errno));
	close(fd);
	return ret;
}

static int listen_at(struct vhost *v, struct error *err)
{
	struct sockaddr_un a;
	int fd = address_of(v->path, &a), ret;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", v->path, strerror(errno));
	ret = bind(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
	if (ret == -EADDRINUSE) {
		ret = remove_stale(v->path, &a, err);
		if (ret)
			goto err_close;
		ret = bind(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
	}
	if (!ret && listen(fd, 8))
		ret = -errno;
	if (!ret) {
		v->listen_fd = fd;
		return 0;
	}
	error_set(err, ret, "%s: cannot listen: %s", v->path, strerror(-ret));
err_close:
	close(fd);
	return ret;
}

static int vhost_open(const struct port_spec *spec, const struct link *link,
		      const struct port_host *host, struct port **portp, struct error *err)
{
	bool client = port_spec_number(spec, "client", 0),
	     server = port_spec_number(spec, "server", 0);
	struct vhost *v;
	int ret;

	(void)link;
	if (client && server)
		return error_set(err, -EINVAL, "%s: server or client, not both", spec->address);
	if (strlen(spec->address) >= sizeof(v->path))
		return error_set(err, -ENAMETOOLONG, "%s: longer than %zu bytes", spec->address,
				 sizeof(v->path) - 1);
	v = calloc(1, sizeof(*v));
	if (!v)
		return error_set(err, -ENOMEM, "%s: out of memory", spec->address);
	v->port.ops = &vhost_user_ops;
	v->port.host = host;
	v->port.rx_fd = v->listen_fd = v->waiting_fd = v->fd = -1;
	v->port.link = (struct link){ .present = true, .up = true };
	memcpy(v->port.name, spec->name, sizeof(v->port.name));
	snprintf(v->path, sizeof(v->path), "%s", spec->address);
	v->server = !client;
	v->poll_ns = 1000 * port_spec_number(spec, "poll", POLL_DEFAULT_US);
	v->partial_at = UINT64_MAX;
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		v->queue[i].kick = v->queue[i].call = v->queue[i].error = -1;
	ret = vhost_call_init(err);
	if (ret)
		goto err_free;
	ret = v->server ? listen_at(v, err) : 0;
	if (ret)
		goto err_fini;
	vhost_mem_guard(&v->mem);
	if (v->server)
		watch(v, v->listen_fd, PORT_IN);
	v->retry_at = v->server ? UINT64_MAX : 0;
	vhost_set_deadline(v);
	*portp = &v->port;
	return 0;

err_fini:
	vhost_call_fini();
err_free:
	free(v);
	return ret;
}

static void vhost_close(struct port *port)
{
	struct vhost *v = vhost_of(port);

	disconnect(v);
	if (v->listen_fd >= 0) {
		watch(v, v->listen_fd, 0);
		close(v->listen_fd);
		unlink(v->path);
	}
	drop_fd(&v->waiting_fd);
	vhost_mem_unguard(&v->mem);
	vhost_call_fini();
	free(v);
}

static void vhost_event(struct port *port, int fd, unsigned what, uint64_t now)
{
	struct vhost *v = vhost_of(port);
	int ret;

	(void)what;
	if (fd == v->listen_fd) {
		if (v->fd < 0 && v->retry_at == UINT64_MAX)
			try_peer(v, now);
		else
			take_callers(v);
		return;
	}
	if (fd != v->fd) {
		vhost_woken(v);
		return;
	}
	if (!v->live)
		return;
	ret = vhost_receive(v, now);
	if (ret == -ECONNRESET)
		left(v, now);
	else
		vhost_update(v);
	if (ret == -EAGAIN)
		watch(v, v->fd, PORT_IN); /* again, so that what waits is news */
	vhost_set_deadline(v);
}

static void vhost_timer(struct port *port, uint64_t now)
{
	struct vhost *v = vhost_of(port);

	if (!v->broken && v->partial_at <= now)
		vhost_fail(v, "a message that does not end");
	if (v->broken)
		quarantine(v, now);
	if (v->fd < 0 && v->retry_at <= now)
		try_peer(v, now);
	else
		vhost_set_deadline(v);
}

static const struct port_option vhost_options[] = {
	{ .name = "server",
	  .type = PORT_OPT_FLAG,
	  .help = "listen at PATH for the front-end (default)" },
	{ .name = "client",
	  .type = PORT_OPT_FLAG,
	  .help = "connect to PATH, where the front-end listens, and again when it is back" },
	{ .name = "poll",
	  .type = PORT_OPT_NUMBER,
	  .max = POLL_MAX_US,
	  .help = "look for frames for up to N us before sleeping, as long as that pays (default 50; 0 = never)" },
	{ .name = NULL },
};

const struct port_ops vhost_user_ops = {
	.kind = "vhost-user",
	.address = "PATH",
	.help = "a guest's virtio network device by shared memory: QEMU, DPDK",
	.options = vhost_options,
	.open = vhost_open,
	.close = vhost_close,
	.event = vhost_event,
	.timer = vhost_timer,
	.rx = vhost_rx,
	.tx = vhost_tx,
	.done = vhost_done,
};
