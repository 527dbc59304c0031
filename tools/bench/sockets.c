/* SPDX-License-Identifier: MIT */
/*
 * What passes between the sockets of two guests: sends frames into one and counts them at the
 * other, as fast as a window of frames under way allows, which is what TCP in the guests would do.
 * A peer is stream:PATH (QEMU's -netdev stream; it connects) or vde:DIR (a VDE switch's folder).
 * Prints JSON: bits and frames a second that arrived, and frames that were lost on the way; `all`
 * are those that arrived from the beginning on, before anything was timed.
 */
#include <pthread.h>
#include <stdbool.h>
#include <sys/un.h>

#include "tools/bench/bench.h"

#define MESSAGES 64u
#define ROOM 69632u
#define PREFIX 4u
#define BATCH_BYTES (96u << 10)
#define WINDOW_BYTES (768u << 10)
#define WINDOW_MAX 512u
#define WARM_NS 300000000u
#define LOST_MS 20 /* nothing arrived for so long: what is under way is lost */

struct peer {
	bool stream;
	int fd;
	int control; /* of a VDE port, which ends with it */
	char path[108];
};

static unsigned length = 1514;
static unsigned batch, window; /* frames sent at once, and under way */
static double seconds = 3;
static struct peer from, to;
static bool stop;
static uint64_t acked; /* frames up to this one arrived or were lost */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;

static int connect_to(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)))
		die(path);
	return fd;
}

/* Asks the VDE switch of folder @dir for a port. */
static void open_vde(struct peer *p, const char *dir)
{
	struct {
		uint32_t magic, version, type;
		struct sockaddr_un un;
		char description[2];
	} __attribute__((packed)) request = { 0xfeedface, 3, 0, { .sun_family = AF_UNIX }, "b" };
	static unsigned n;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char ctl[108];

	snprintf(p->path, sizeof(p->path), "%.80s/.%05d-%05u", dir, (int)getpid(), n++);
	memcpy(un.sun_path, p->path, sizeof(p->path));
	request.un = un;
	p->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&un, sizeof(un)))
		die(p->path);
	snprintf(ctl, sizeof(ctl), "%.80s/ctl", dir);
	p->control = connect_to(ctl);
	if (send(p->control, &request, sizeof(request) - 1, 0) < 0 ||
	    recv(p->control, &un, sizeof(un), MSG_WAITALL) != sizeof(un) ||
	    connect(p->fd, (struct sockaddr *)&un, sizeof(un)))
		die("VDE port");
}

static void open_peer(struct peer *p, const char *text)
{
	int bytes = 1 << 20;

	p->stream = !strncmp(text, "stream:", 7);
	if (p->stream)
		p->fd = connect_to(text + 7);
	else if (!strncmp(text, "vde:", 4))
		open_vde(p, text + 4);
	else
		exit(2);
	setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* Makes a frame with number @seq at @at, behind its length for a stream. Returns its end. */
static uint8_t *make(const struct peer *p, uint8_t *at, uint8_t dst, uint8_t src, uint64_t seq)
{
	uint32_t len = htobe32(length);

	if (p->stream) {
		memcpy(at, &len, PREFIX);
		at += PREFIX;
	}
	memcpy(at, (uint8_t[14]){ 2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5 }, 14);
	memcpy(at + 14, &seq, sizeof(seq));
	return at + length;
}

/* Sends frames @seq..@seq + @n - 1, with one system call. */
static void send_batch(const struct peer *p, uint8_t dst, uint8_t src, uint64_t seq, unsigned n)
{
	static uint8_t bytes[MESSAGES * ROOM];
	struct mmsghdr m[MESSAGES] = { 0 };
	struct iovec iov[MESSAGES];
	uint8_t *at = bytes, *end;
	ssize_t sent;

	for (unsigned i = 0; i < n; i++, at = end) {
		end = make(p, at, dst, src, seq + i);
		iov[i] = (struct iovec){ at, (size_t)(end - at) };
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	if (!p->stream) {
		for (unsigned i = 0; i < n; i += (unsigned)sent)
			if ((sent = sendmmsg(p->fd, m + i, n - i, 0)) <= 0)
				die("send");
		return;
	}
	for (end = bytes; end < at; end += sent)
		if ((sent = write(p->fd, end, (size_t)(at - end))) <= 0)
			die("send");
}

/* Waits until frame @seq is in the window; what does not arrive is lost. */
static void wait_window(uint64_t seq)
{
	struct timespec until;

	pthread_mutex_lock(&lock);
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && seq > acked + window) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOST_MS * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		if (pthread_cond_timedwait(&moved, &lock, &until) == ETIMEDOUT)
			acked = seq;
	}
	pthread_mutex_unlock(&lock);
}

static void *run_sender(void *arg)
{
	for (uint64_t seq = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); seq += batch) {
		wait_window(seq + batch);
		send_batch(&from, 2, 1, seq, batch);
	}
	return arg;
}

static struct {
	uint64_t frames, next, lost;
} seen;

static void take(const uint8_t *frame, uint32_t len)
{
	uint64_t seq;

	if (len != length || frame[12] != 0x88 || frame[13] != 0xb5 || frame[11] != 1)
		return;
	memcpy(&seq, frame + 14, sizeof(seq));
	seen.frames++;
	seen.lost += seq > seen.next ? seq - seen.next : 0;
	seen.next = seq + 1;
}

/* Reads what is there, at least something. */
static void receive(const struct peer *p)
{
	static uint8_t bytes[MESSAGES * ROOM];
	static size_t have;
	struct mmsghdr m[MESSAGES] = { 0 };
	struct iovec iov[MESSAGES];
	size_t at = 0;
	uint32_t len;
	ssize_t n;

	if (!p->stream) {
		for (unsigned i = 0; i < MESSAGES; i++) {
			iov[i] = (struct iovec){ bytes + i * ROOM, ROOM };
			m[i].msg_hdr.msg_iov = &iov[i];
			m[i].msg_hdr.msg_iovlen = 1;
		}
		n = recvmmsg(p->fd, m, MESSAGES, MSG_WAITFORONE, NULL);
		for (ssize_t i = 0; i < n; i++)
			take(bytes + (size_t)i * ROOM, m[i].msg_len);
		return;
	}
	n = read(p->fd, bytes + have, 4 * ROOM - have);
	if (n <= 0)
		die("receive");
	for (have += (size_t)n; have - at >= PREFIX; at += PREFIX + len) {
		memcpy(&len, bytes + at, PREFIX);
		len = be32toh(len);
		if (have - at - PREFIX < len)
			break;
		take(bytes + at + PREFIX, len);
	}
	have -= at;
	memmove(bytes, bytes + at, have);
}

static void run_receiver(void)
{
	uint64_t begin = clock_ns() + WARM_NS, now = 0, frames = 0, lost = 0;
	bool warm = true;

	while (now < begin + (uint64_t)(seconds * 1e9)) {
		receive(&to);
		now = clock_ns();
		if (warm && now >= begin) {
			warm = false;
			begin = now;
			frames = seen.frames;
			lost = seen.lost;
		}
		pthread_mutex_lock(&lock);
		if (seen.next > acked) {
			acked = seen.next;
			pthread_cond_signal(&moved);
		}
		pthread_mutex_unlock(&lock);
	}
	frames = seen.frames - frames;
	seconds = (double)(now - begin) / 1e9;
	printf("{\"gbit_s\":%.3f,\"frames_s\":%.0f,\"lost\":%llu,\"all\":%llu}\n",
	       (double)frames * length * 8 / seconds / 1e9, (double)frames / seconds,
	       (unsigned long long)(seen.lost - lost), (unsigned long long)seen.frames);
}

int main(int argc, char **argv)
{
	bool ok = true;
	pthread_t sender;
	int c;

	while (ok && (c = getopt(argc, argv, "t:l:")) != -1) {
		if (c == 't')
			seconds = atof(optarg);
		else if (c == 'l')
			length = (unsigned)atoi(optarg);
		else
			ok = false;
	}
	if (!ok || optind != argc - 2 || length < 60 || length > ROOM - PREFIX) {
		fputs("usage: sockets [-t SECONDS] [-l LENGTH] FROM TO\n", stderr);
		return 2;
	}
	batch = BATCH_BYTES / length < MESSAGES ? BATCH_BYTES / length : MESSAGES;
	window = WINDOW_BYTES / length < WINDOW_MAX ? WINDOW_BYTES / length : WINDOW_MAX;
	open_peer(&to, argv[optind + 1]);
	open_peer(&from, argv[optind]);
	send_batch(&to, 1, 2, 0, 1); /* learned */
	usleep(100000);
	alarm((unsigned)seconds + 10);
	if (pthread_create(&sender, NULL, run_sender, NULL))
		die("thread");
	run_receiver();
	fflush(stdout);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	if (!to.stream)
		unlink(to.path);
	if (!from.stream)
		unlink(from.path);
	_exit(0); /* the sender may be waiting for a switch that waits for us */
}
