/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "ports/batch.h"
#include "ports/kinds.h"
#include "ports/log.h"

#define NS_PER_MS 1000000u
#define NS_PER_S 1000000000u
#define FILE_MAGIC_NS 0xa1b23c4du /* a capture file with nanoseconds, in our byte order */

/* The head of a capture file and of each frame in it, pcap-savefile(5). */
struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t reserved[2], snaplen, linktype;
};

struct record_header {
	uint32_t sec, nsec, captured, original;
};

/* Replays `in` and records to `out`; either may be absent. */
struct replay {
	struct port port;
	char path[sizeof(((struct port_spec *)0)->address)];
	int in_fd;                /* the file to replay, -1 = none */
	pcap_t *in;               /* NULL: nothing (more) to replay */
	struct pcap_pkthdr *next; /* the next frame, libpcap's; NULL = none read yet */
	const u_char *bytes;      /* of it */
	bool full_speed, started;
	uint64_t passes; /* left, this one included; UINT64_MAX = for ever */
	uint64_t pass_frames, frames;
	uint64_t first_ns, start_ms; /* when this pass began: in the file and here */
	uint64_t now_ms;             /* of the last timer() */
	int out;                     /* -1 = none */
	off_t out_size;              /* of whole records */
	struct log_rate rate;
};

static struct replay *replay_of(struct port *port)
{
	return (struct replay *)port;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Opens the regular file @path; a pipe could block the switch. Returns the descriptor or -errno
 * with a sentence. */
static int open_regular(const char *path, int flags, struct stat *st, struct error *err)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600), ret;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	ret = error_set(err, -EINVAL, "%s: not a regular file", path);
	close(fd);
	return ret;
}

/* Starts a pass over the file that in_fd is. Returns 0 or -errno with a sentence. */
static int start_pass(struct replay *r, struct error *err)
{
	int fd = fcntl(r->in_fd, F_DUPFD_CLOEXEC, 0), type, ret;
	char why[PCAP_ERRBUF_SIZE];
	const char *name;
	FILE *file = NULL;

	if (fd >= 0 && lseek(fd, 0, SEEK_SET) == 0)
		file = fdopen(fd, "rb");
	if (!file) {
		ret = error_set(err, -errno, "%s: %s", r->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	r->in = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!r->in) {
		fclose(file);
		return error_set(err, -EINVAL, "%s: %s", r->path, why);
	}
	type = pcap_datalink(r->in);
	if (type != DLT_EN10MB) {
		pcap_close(r->in);
		r->in = NULL;
		name = pcap_datalink_val_to_name(type);
		return error_set(err, -EINVAL,
				 "%s: holds %s frames, only Ethernet (EN10MB) can be replayed",
				 r->path, name ? name : "unknown");
	}
	r->next = NULL;
	r->pass_frames = 0;
	return 0;
}

/* Creates the file to record to; @in is the file that is replayed, if any. Returns 0 or -errno with
 * a sentence. */
static int open_out(struct replay *r, const char *path, const struct stat *in, struct error *err)
{
	const struct file_header header = {
		.magic = FILE_MAGIC_NS,
		.major = 2,
		.minor = 4,
		.snaplen = 262144,
		.linktype = 1,
	};
	struct stat st;
	int fd = open_regular(path, O_WRONLY | O_CREAT | O_NOFOLLOW, &st, err), ret;

	if (fd < 0)
		return fd;
	r->out = fd;
	if (in && in->st_dev == st.st_dev && in->st_ino == st.st_ino)
		return error_set(err, -EINVAL, "%s: cannot be replayed and recorded to at once",
				 path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, -EBUSY, "%s: somebody else records to it", path);
	errno = 0;
	if (ftruncate(fd, 0) < 0 || pwrite(fd, &header, sizeof(header), 0) != sizeof(header)) {
		ret = errno ? -errno : -ENOSPC;
		return error_set(err, ret, "%s: %s", path, strerror(-ret));
	}
	r->out_size = sizeof(header);
	return 0;
}

static int check_options(const struct port_spec *spec, struct error *err)
{
	if (!spec->address[0] && !port_spec_text(spec, "out"))
		return error_set(
			err, -EINVAL,
			"pcap: needs a file to replay (pcap:FILE) or to record to (out=FILE)");
	return 0;
}

static void replay_free(struct replay *r)
{
	if (r->in)
		pcap_close(r->in);
	if (r->in_fd >= 0)
		close(r->in_fd);
	if (r->out >= 0)
		close(r->out);
	if (r->port.rx_fd >= 0)
		close(r->port.rx_fd);
	free(r);
}

static int replay_open(const struct port_spec *spec, const struct link *link,
		       const struct port_host *host, struct port **portp, struct error *err)
{
	const char *out = port_spec_text(spec, "out"), *speed = port_spec_text(spec, "speed");
	int ret = check_options(spec, err);
	struct replay *r;
	struct stat in;

	(void)link;
	if (ret)
		return ret;
	r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, -ENOMEM, "pcap: %s", strerror(ENOMEM));
	r->port.ops = &pcap_ops;
	r->port.host = host;
	r->port.link = (struct link){ .present = true, .up = true, .carrier = true };
	memcpy(r->port.name, spec->name, sizeof(r->port.name));
	memcpy(r->path, spec->address, sizeof(r->path));
	r->full_speed = speed && !strcmp(speed, "full");
	r->passes = port_spec_number(spec, "repeat", 1);
	if (!r->passes)
		r->passes = UINT64_MAX;
	r->in_fd = r->out = -1;
	r->port.rx_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (r->port.rx_fd < 0)
		ret = error_set(err, -errno, "pcap: %s", strerror(errno));
	if (!ret && r->path[0])
		ret = r->in_fd = open_regular(r->path, O_RDONLY, &in, err);
	if (r->in_fd >= 0)
		ret = start_pass(r, err);
	if (!ret && out)
		ret = open_out(r, out, r->path[0] ? &in : NULL, err);
	if (ret) {
		replay_free(r);
		return ret;
	}
	*portp = &r->port;
	host->watch(host->ctx, &r->port, r->port.rx_fd, PORT_IN);
	if (r->in)
		host->deadline(host->ctx, &r->port, 0);
	return 0;
}

static void replay_close(struct port *port)
{
	struct replay *r = replay_of(port);

	port->host->deadline(port->host->ctx, port, UINT64_MAX);
	port->host->watch(port->host->ctx, port, port->rx_fd, 0);
	replay_free(r);
}

/* Frames are due: make the host call rx(). */
static void replay_timer(struct port *port, uint64_t now)
{
	struct replay *r = replay_of(port);

	if (!r->started)
		r->start_ms = now;
	r->started = true;
	r->now_ms = now;
	eventfd_write(port->rx_fd, 1);
}

static uint64_t stamp_ns(const struct pcap_pkthdr *h)
{
	return (uint64_t)h->ts.tv_sec * NS_PER_S +
	       (uint64_t)h->ts.tv_usec; /* tv_usec is in ns here */
}

/* The file ended or cannot be read on (@broken): begins the next pass, or ends the replay. */
static void end_pass(struct replay *r, bool broken)
{
	struct error err;

	if (broken)
		log_warning("%s: %s: %s; not replayed further", r->port.name, r->path,
			    pcap_geterr(r->in));
	pcap_close(r->in);
	r->in = NULL;
	r->next = NULL;
	if (r->passes != UINT64_MAX)
		r->passes--;
	if (!broken && r->passes && r->pass_frames) {
		if (!start_pass(r, &err)) {
			r->start_ms = r->now_ms;
			return;
		}
		log_warning("%s: %s; not replayed further", r->port.name, err.text);
	}
	log_notice("%s: replayed %" PRIu64 " frames of %s", r->port.name, r->frames, r->path);
}

/* Reads the next frame of the file, if none is waiting. Returns whether there is one. */
static bool fetch(struct replay *r)
{
	int ret;

	while (r->in && !r->next) {
		ret = pcap_next_ex(r->in, &r->next, &r->bytes);
		if (ret == 1) {
			if (!r->pass_frames)
				r->first_ns = stamp_ns(r->next);
			r->pass_frames++;
			r->frames++;
		} else {
			end_pass(r, ret != PCAP_ERROR_BREAK);
		}
	}
	return r->next;
}

/* Returns when the waiting frame is due. Stamps that run backwards are due at once. */
static uint64_t due_ms(const struct replay *r)
{
	int64_t after = (int64_t)(stamp_ns(r->next) - r->first_ns);

	return r->full_speed || after < 0 ? 0 : r->start_ms + (uint64_t)after / NS_PER_MS;
}

static void replay_rx(struct port *port, unsigned queue, struct batch *b)
{
	struct replay *r = replay_of(port);
	eventfd_t wakeups;
	unsigned refused = 0;

	(void)queue;
	b->n = 0;
	b->more = false;
	eventfd_read(port->rx_fd, &wakeups);
	while (r->started && fetch(r)) {
		if (due_ms(r) > r->now_ms) {
			port->host->deadline(port->host->ctx, port, due_ms(r));
			break;
		}
		b->more = !batch_room(b) || refused == BATCH_MAX;
		if (b->more)
			break;
		if (r->next->caplen < r->next->len) {
			batch_refuse(b, r->next->caplen, DROP_MALFORMED);
			refused++;
		} else if (batch_add(b, r->bytes, r->next->caplen, NULL)) {
			refused++;
		} else {
			b->frame[b->n - 1].port = port->number;
		}
		r->next = NULL;
	}
}

/* Appends the frame that @w describes to the capture file, whole or not at all. */
static bool record(struct replay *r, struct wire *w, uint64_t stamp)
{
	struct record_header header = {
		(uint32_t)(stamp / NS_PER_S),
		(uint32_t)(stamp % NS_PER_S),
		w->len,
		w->len,
	};
	ssize_t len = (ssize_t)(sizeof(header) + w->len);

	w->iov[0] = (struct iovec){ &header, sizeof(header) };
	errno = 0;
	if (pwritev(r->out, w->iov, (int)w->n_iov, r->out_size) == len) {
		r->out_size += len;
		return true;
	}
	log_rated(&r->rate, clock_ns(CLOCK_MONOTONIC) / NS_PER_MS, LOG_LEVEL_ERROR,
		  "%s: cannot record a frame: %s", r->port.name, strerror(errno ? errno : ENOSPC));
	if (ftruncate(r->out, r->out_size) < 0)
		log_debug("%s: a part of a record stays: %s", r->port.name, strerror(errno));
	return false;
}

static void replay_tx(struct port *port, unsigned queue, struct txq *q)
{
	struct replay *r = replay_of(port);
	uint64_t stamp = r->out >= 0 ? clock_ns(CLOCK_REALTIME) : 0;
	struct offload o;
	struct wire w;

	(void)queue;
	for (unsigned i = 0; i < q->n; i++) {
		const struct txq_entry *e = &q->entry[i];
		enum drop drop = offload_begin(&o, e->frame, e->tagged, port->caps);
		unsigned n;

		for (n = 0; r->out >= 0 && !drop && offload_next(&o, &w); n++)
			if (!record(r, &w, stamp))
				drop = DROP_ERROR;
		txq_count(&q->stats, e, drop);
		if (!drop)
			q->stats.tx_segments += n;
	}
	q->n = 0;
}

static const struct port_option replay_options[] = {
	{ .name = "out",
	  .type = PORT_OPT_TEXT,
	  .help = "record the frames sent to the port to this file" },
	{ .name = "speed",
	  .type = PORT_OPT_TEXT,
	  .words = "recorded|full",
	  .help = "replay with the gaps of the file (default), or as fast as the switch takes it" },
	{ .name = "repeat",
	  .type = PORT_OPT_NUMBER,
	  .max = UINT32_MAX,
	  .help = "replay the file so many times, 0 = for ever (default 1)" },
	{ .name = NULL },
};

const struct port_ops pcap_ops = {
	.kind = "pcap",
	.address = "[FILE]",
	.help = "replays a capture file (pcap or pcapng, Ethernet), records what is sent to it, or "
		"both",
	.options = replay_options,
	.open = replay_open,
	.close = replay_close,
	.timer = replay_timer,
	.rx = replay_rx,
	.tx = replay_tx,
};
