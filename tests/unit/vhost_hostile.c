/* SPDX-License-Identifier: MIT */
/*
 * A hostile vhost-user front-end against a running switch. Each line of the table does one
 * forbidden thing on a port of its own, while two good guests exchange numbered frames: none of
 * those may be lost or late, the bad one must be thrown out (or, where what it did is only its own
 * loss, left alone), and at the end the process has neither grown nor kept a descriptor, and ends
 * as told.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/unit/hostile.h"
#include "tests/unit/suite.h"

#define HDR 12u
#define LATE_MS \
	1000.0 /* far above what a busy machine does to a process, far below what a stall is */
#define BUFFER(i) (FRONT_GPA + FRONT_BUFFER_AT + (i)*4096u)
#define AT(f, gpa) ((f)->mem + ((gpa)-FRONT_GPA))

enum outcome { THROWN_OUT, LEFT_ALONE };

static char dir[32];
static pid_t uswitch;
static unsigned bad; /* rows that ended otherwise than they should */

static struct {
	struct front a, b;
	volatile bool stop;
	uint64_t sent, received, late;
	double worst_ms;
} traffic;

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* Offers frame number @seq from station @src to @dst. */
static void offer_frame(struct front *f, unsigned slot, uint8_t dst, uint8_t src, uint64_t seq)
{
	uint8_t *p = AT(f, BUFFER(slot));

	memset(p, 0, HDR + 60);
	memset(p + HDR, dst == 0xff ? 0xff : 0, 6);
	p[HDR] = dst == 0xff ? 0xff : 2;
	p[HDR + 5] = dst;
	p[HDR + 6] = 2;
	p[HDR + 11] = src;
	memcpy(p + HDR + 12, "\x88\xb5GOOD", 6);
	memcpy(p + HDR + 18, &seq, sizeof(seq));
	front_offer(f, 1, &(struct front_buffer){ BUFFER(slot), HDR + 60, 0 }, 1);
}

static void offer_room(struct front *f, unsigned slot)
{
	front_offer(f, 0, &(struct front_buffer){ BUFFER(slot), 2048, 2 }, 1);
}

/* One frame from A to B; all that arrives at B is looked at. */
static void exchange(uint64_t seq)
{
	double begin = now_ms();
	bool arrived = false;
	uint16_t id;
	uint32_t len;

	offer_frame(&traffic.a, 0, seq % 8 ? 0xbb : 0xff, 0xaa, seq);
	front_kick(&traffic.a, 1);
	traffic.sent++;
	while (!arrived && now_ms() - begin < 5000) {
		while (front_used(&traffic.b, 0, 1, &id, &len)) {
			const uint8_t *p = AT(&traffic.b, BUFFER(64 + id));

			if (!memcmp(p + HDR + 14, "GOOD", 4) &&
			    !memcmp(p + HDR + 18, &seq, sizeof(seq)))
				arrived = true;
			offer_room(&traffic.b, 64 + id);
		}
		while (front_used(&traffic.a, 1, 1, &id, &len))
			;
		if (!arrived)
			sched_yield();
	}
	traffic.received += arrived;
	if (now_ms() - begin > traffic.worst_ms)
		traffic.worst_ms = now_ms() - begin;
}

static void *run_traffic(void *arg)
{
	(void)arg;
	for (uint64_t seq = 1; !traffic.stop; seq++) {
		exchange(seq);
		if (seq % 16 == 0)
			pause_ms(1);
	}
	return NULL;
}

static void connect_to(struct front *f, const char *name)
{
	char path[64];

	memset(f, 0, sizeof(*f));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	front_memory(f);
	ck_assert_msg(front_connect(f, path), "%s", path);
}

/* Whether the switch has closed the connection, within two seconds. */
static bool thrown_out(struct front *f)
{
	double end = now_ms() + 2000;
	uint8_t bytes[4096];

	while (now_ms() < end) {
		ssize_t n = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (!n || (n < 0 && errno != EAGAIN))
			return true;
		if (n < 0)
			pause_ms(2);
	}
	return false;
}

/* Whether a good frame still gets from @f into the switch. */
static bool alive(struct front *f)
{
	double end = now_ms() + 2000;
	uint16_t id;
	uint32_t len;

	while (front_used(f, 1, 1, &id, &len))
		;
	offer_frame(f, 20, 0xbb, 0xcc, 0);
	front_kick(f, 1);
	while (now_ms() < end) {
		if (front_used(f, 1, 1, &id, &len))
			return true;
		pause_ms(1);
	}
	return false;
}

/* ---- rings: one descriptor, or index, that must not be ---- */

static void index_jump(struct front *f)
{
	front_driver(f, 1)[1] = NUM + 1;
	front_kick(f, 1);
}

static void head_outside(struct front *f)
{
	front_desc(f, 1)[NUM] = (struct front_desc){ BUFFER(0), HDR + 60, 0, 0 };
	front_driver(f, 1)[2] = NUM;
	front_driver(f, 1)[1] = 1;
	front_kick(f, 1);
}

static void next_outside(struct front *f)
{
	front_desc(f, 1)[NUM] = (struct front_desc){ BUFFER(0), HDR + 60, 0, 0 };
	front_desc(f, 1)[0] = (struct front_desc){ BUFFER(0), 100, 1, NUM };
	front_driver(f, 1)[1] = 1;
	front_kick(f, 1);
}

static void endless(struct front *f)
{
	if (front_packed(f))
		for (unsigned i = 0; i < NUM; i++)
			front_desc(f, 1)[i] = (struct front_desc){ BUFFER(0), 100, 0, 0x81 };
	else
		front_desc(f, 1)[0] = (struct front_desc){ BUFFER(0), 100, 1, 0 };
	front_driver(f, 1)[1] = 1;
	front_kick(f, 1);
}

static void half_a_chain(struct front *f)
{
	front_desc(f, 1)[0] = (struct front_desc){ BUFFER(0), 100, 0, 0x81 };
	front_kick(f, 1);
}

static void nested(struct front *f)
{
	*(struct front_desc *)(void *)AT(f, BUFFER(0)) = (struct front_desc){ BUFFER(0), 16, 4, 4 };
	front_offer(f, 1, &(struct front_buffer){ BUFFER(0), 16, 4 }, 1);
	front_kick(f, 1);
}

static void bad_headers(struct front *f)
{
	for (unsigned i = 0; i < NUM; i++) {
		uint8_t *p = AT(f, BUFFER(i));

		offer_frame(f, i, 0xbb, 0xcc, i);
		for (unsigned j = 0; j < HDR; j++)
			p[j] = (uint8_t)random();
	}
	front_kick(f, 1);
	pause_ms(20);
}

static void shrink(struct front *f)
{
	ck_assert(alive(f));
	ck_assert_int_eq(ftruncate(f->mem_fd, 0), 0);
	front_kick(f, 1);
}

/* Only the frame goes; the rings stay. */
static void shrink_frames(struct front *f)
{
	ck_assert(alive(f));
	front_offer(f, 1, &(struct front_buffer){ BUFFER(0), HDR + 60, 0 }, 1);
	ck_assert_int_eq(ftruncate(f->mem_fd, FRONT_BUFFER_AT), 0);
	front_kick(f, 1);
}

/* Descriptors, headers and indexes change all the time while the switch reads. */
static void change(struct front *f)
{
	double end = now_ms() + 300;

	while (now_ms() < end)
		for (unsigned i = 0; i < 1000; i++) {
			struct front_desc *d = &front_desc(f, 1)[random() % NUM];

			d->addr = random() & 1 ? BUFFER(0) : (uint64_t)random() << 20;
			d->len = (uint32_t)random() % 4096;
			d->a = (uint16_t)random();
			d->b = (uint16_t)random();
			AT(f, BUFFER(0))[random() % 128] = (uint8_t)random();
			front_driver(f, 1)[1]++;
			if (i % 64 == 0)
				front_kick(f, 1);
		}
	front_driver(f, 1)[1] = (uint16_t)(front_driver(f, 1)[1] + 1000);
	front_kick(f, 1);
}

static void change_headers(struct front *f)
{
	double end = now_ms() + 300;
	bool offered = false;
	uint16_t id;
	uint32_t len;

	while (now_ms() < end) {
		if (!offered)
			front_offer(f, 1, &(struct front_buffer){ BUFFER(0), HDR + 3000, 0 }, 1);
		front_kick(f, 1);
		for (unsigned i = 0; i < 100; i++)
			AT(f, BUFFER(0))[random() % 128] = (uint8_t)random();
		offered = !front_used(f, 1, 1, &id, &len);
	}
	while (offered && now_ms() < end + 1000)
		offered = !front_used(f, 1, 1, &id, &len);
}

static void kick_storm(struct front *f)
{
	for (unsigned i = 0; i < 100000; i++)
		front_kick(f, 1);
}

/* ---- messages ---- */

/* An eventfd that is full, and blocks whoever writes to it. */
static void call_a_full_one(struct front *f)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	eventfd_write(fd, UINT64_MAX - 1);
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &fd, 1);
	ck_assert(alive(f));
	close(fd);
}

#define SPLIT FRONT_FEATURES
#define PACKED (FRONT_FEATURES | F(34))

/*
 * One bad deed: a chain offered to a queue, a message of eight bytes, or anything that takes a
 * function.
 */
static const struct row {
	const char *name;
	enum outcome outcome;
	uint64_t features; /* besides those that all have */
	unsigned layouts;  /* bit 0: with split rings, bit 1: with packed ones */
	void (*play)(struct front *f);
	unsigned queue;
	struct front_buffer chain;
	uint32_t request, flags;
	uint64_t value;
	uint32_t size, claim; /* bytes sent, if not 8, and bytes claimed, if not these */
	unsigned n_fd;
} rows[] = {
	{ "index jump", THROWN_OUT, .layouts = 1, .play = index_jump },
	{ "head outside", THROWN_OUT, .layouts = 1, .play = head_outside },
	{ "next outside", THROWN_OUT, .layouts = 1, .play = next_outside },
	{ "half a chain", THROWN_OUT, .layouts = 2, .play = half_a_chain },
	{ "endless", THROWN_OUT, .layouts = 3, .play = endless },
	{ "nested", THROWN_OUT, .layouts = 3, .play = nested, .features = F(28) },
	{ "bad headers", LEFT_ALONE, .layouts = 3, .play = bad_headers },
	{ "shrink", THROWN_OUT, .layouts = 3, .play = shrink },
	{ "shrink frames", THROWN_OUT, .layouts = 3, .play = shrink_frames },
	{ "change", THROWN_OUT, .layouts = 1, .play = change },
	{ "change headers", LEFT_ALONE, .layouts = 3, .play = change_headers },
	{ "kick storm", LEFT_ALONE, .layouts = 3, .play = kick_storm },
	{ "half a head", THROWN_OUT, .layouts = 1, .play = half_a_head },
	{ "too soon", THROWN_OUT, .layouts = 1, .play = too_soon },
	{ "kick width", THROWN_OUT, .layouts = 1, .play = kick_width },
	{ "not a power", THROWN_OUT, .layouts = 1, .play = not_a_power },
	{ "skew ring", THROWN_OUT, .layouts = 1, .play = skew_ring },
	{ "ring outside", THROWN_OUT, .layouts = 1, .play = ring_outside },
	{ "fd flood", THROWN_OUT, .layouts = 1, .play = fd_flood },
	{ "call a pipe", THROWN_OUT, .layouts = 1, .play = call_a_pipe },
	{ "call a file", THROWN_OUT, .layouts = 1, .play = call_a_file },
	{ "call a full one", LEFT_ALONE, .layouts = 1, .play = call_a_full_one },
	{ "map a pipe", THROWN_OUT, .layouts = 1, .play = map_a_pipe },
	{ "reply flood", THROWN_OUT, .layouts = 1, .play = reply_flood },
	{ "repeat", LEFT_ALONE, .layouts = 1, .play = repeat },
	{ "refused flood", THROWN_OUT, .layouts = 1, .play = refused_flood },
	{ "garbage", THROWN_OUT, .layouts = 1, .play = garbage },
	{ "empty buffer", THROWN_OUT, .layouts = 3, .queue = 1, .chain = { BUFFER(0), 0, 0 } },
	{ "wrong direction", THROWN_OUT, .layouts = 3, .queue = 1, .chain = { BUFFER(0), 100, 2 } },
	{ "before memory", THROWN_OUT, .layouts = 3, .queue = 1,
	  .chain = { FRONT_GPA - 50, 100, 0 } },
	{ "over its end", THROWN_OUT, .layouts = 3, .queue = 1,
	  .chain = { FRONT_GPA + FRONT_SIZE - 50, 100, 0 } },
	{ "address overflow", THROWN_OUT, .layouts = 3, .queue = 1,
	  .chain = { UINT64_MAX - 50, 100, 0 } },
	{ "no header", THROWN_OUT, .layouts = 3, .queue = 1, .chain = { BUFFER(0), HDR - 1, 0 } },
	{ "runt", LEFT_ALONE, .layouts = 3, .queue = 1, .chain = { BUFFER(0), HDR + 13, 0 } },
	{ "giant", LEFT_ALONE, .layouts = 3, .queue = 1, .chain = { BUFFER(0), 70000, 0 } },
	{ "indirect unasked", THROWN_OUT, .layouts = 3, .queue = 1, .chain = { BUFFER(0), 16, 4 } },
	{ "odd table", THROWN_OUT, .layouts = 3, .features = F(28), .queue = 1,
	  .chain = { BUFFER(0), 17, 4 } },
	{ "long table", THROWN_OUT, .layouts = 3, .features = F(28), .queue = 1,
	  .chain = { BUFFER(0), (NUM + 1) * 16, 4 } },
	{ "table outside", THROWN_OUT, .layouts = 3, .features = F(28), .queue = 1,
	  .chain = { FRONT_GPA - 16, 32, 4 } },
	{ "table not aligned", THROWN_OUT, .layouts = 3, .features = F(28), .queue = 1,
	  .chain = { BUFFER(0) + 1, 32, 4 } },
	{ "read-only room", THROWN_OUT, .layouts = 3, .queue = 0, .chain = { BUFFER(0), 2048, 0 } },
	{ "room outside", THROWN_OUT, .layouts = 3, .queue = 0,
	  .chain = { UINT64_MAX - 100, 2048, 2 } },
	{ "room in its rings", LEFT_ALONE, .layouts = 3, .queue = 0,
	  .chain = { FRONT_GPA, 2048, 2 } },
	{ "unknown request", THROWN_OUT, .layouts = 1, .request = 77 },
	{ "huge request", THROWN_OUT, .layouts = 1, .request = UINT32_MAX },
	{ "wrong size", THROWN_OUT, .layouts = 1, .request = SET_FEATURES, .size = 4 },
	{ "huge size", THROWN_OUT, .layouts = 1, .request = SET_FEATURES, .claim = UINT32_MAX },
	{ "partial", THROWN_OUT, .layouts = 1, .request = SET_FEATURES, .claim = 8, .size = 4 },
	{ "wrong version", THROWN_OUT, .layouts = 1, .request = SET_FEATURES, .flags = 2,
	  .value = SPLIT },
	{ "a reply", THROWN_OUT, .layouts = 1, .request = SET_FEATURES, .flags = 4,
	  .value = SPLIT },
	{ "not offered", THROWN_OUT, .layouts = 1, .request = SET_FEATURES, .value = F(63) },
	{ "protocol not offered", THROWN_OUT, .layouts = 1, .request = SET_PROTOCOL_FEATURES,
	  .value = F(1) },
	{ "queue number", THROWN_OUT, .layouts = 1, .request = SET_VRING_NUM,
	  .value = 32 | (uint64_t)NUM << 32 },
	{ "queue width", THROWN_OUT, .layouts = 1, .request = SET_VRING_NUM,
	  .value = 0x10001 | (uint64_t)NUM << 32 },
	{ "slots", THROWN_OUT, .layouts = 1, .request = SET_VRING_NUM, .value = 2 | F(48) },
	{ "while running", THROWN_OUT, .layouts = 1, .request = SET_VRING_NUM, .value = 1 | F(39) },
	{ "enable two", THROWN_OUT, .layouts = 1, .request = SET_VRING_ENABLE, .value = F(33) },
	{ "memory of rings gone", THROWN_OUT, .layouts = 1, .request = SET_MEM_TABLE },
	{ "no descriptor", THROWN_OUT, .layouts = 1, .request = SET_VRING_CALL, .value = 1 },
	{ "polling for ever", THROWN_OUT, .layouts = 1, .request = SET_VRING_KICK, .value = 0x101 },
	{ "two descriptors", THROWN_OUT, .layouts = 1, .request = SET_VRING_CALL, .value = 1,
	  .n_fd = 2 },
	{ "unwanted descriptor", THROWN_OUT, .layouts = 1, .request = SET_VRING_NUM,
	  .value = 2 | (uint64_t)NUM << 32, .n_fd = 1 },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static unsigned count_fds(void)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)uswitch);
	d = opendir(path);
	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Resident pages. */
static long memory(void)
{
	char path[64];
	long pages = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)uswitch);
	file = fopen(path, "r");
	ck_assert_int_eq(fscanf(file, "%*d %ld", &pages), 1);
	fclose(file);
	return pages;
}

/* The switch that was built beside this test, with a port for each row and two good ones. */
static void start_switch(void)
{
	static char port[2 * N_ROWS + 2][64], program[256], socket_path[64];
	char *argv[2 * (2 * N_ROWS + 2) + 4] = { program, (char *)(uintptr_t) "-S", socket_path };
	unsigned n = 3;
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 16);
	struct stat st;

	ck_assert_int_gt(len, 0);
	program[len] = '\0';
	for (unsigned i = 0; i < 3; i++)
		*strrchr(program, '/') = '\0';
	memcpy(program + strlen(program), "/uswitch", 9);
	strcpy(dir, "/tmp/hostile-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(socket_path, sizeof(socket_path), "%s/control", dir);
	for (unsigned i = 0; i < 2 * N_ROWS + 2; i++) {
		snprintf(port[i], sizeof(port[i]), "vhost-user:%s/%u,name=p%u", dir, i, i);
		argv[n++] = (char *)(uintptr_t) "-p";
		argv[n++] = port[i];
	}
	uswitch = fork();
	if (!uswitch) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(program, argv);
		_exit(127);
	}
	for (unsigned i = 0; i < 1000 && stat(socket_path, &st); i++)
		pause_ms(10);
	ck_assert_int_eq(stat(socket_path, &st), 0);
}

static void start_guest(struct front *f, unsigned number)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", number);
	connect_to(f, name);
	front_setup(f, SPLIT, 1, NUM);
	for (unsigned i = 0; i < NUM; i++)
		offer_room(f, 64 + i);
	pause_ms(100);
}

static void do_it(const struct row *row, struct front *f)
{
	uint32_t size = row->size ? row->size : 8;

	if (row->play) {
		row->play(f);
	} else if (row->request) {
		front_send_part(f, row->request, row->flags, &row->value,
				row->claim ? row->claim : size, size, f->kick, row->n_fd);
	} else {
		front_offer(f, row->queue, &row->chain, 1);
		front_kick(f, 1); /* room is looked at when a frame comes: A floods some */
	}
}

/* Plays @row with split or packed rings on the next port that nobody had. */
static void play(const struct row *row, bool packed)
{
	static unsigned port = 2;
	struct front f;
	char name[16];
	bool good;

	snprintf(name, sizeof(name), "%u", port++);
	connect_to(&f, name);
	front_setup(&f, (packed ? PACKED : SPLIT) | row->features, 1, NUM);
	pause_ms(5);
	do_it(row, &f);
	good = row->outcome == THROWN_OUT ? thrown_out(&f) : alive(&f);
	if (!good)
		fprintf(stderr, "%s, %s rings: was %s\n", row->name, packed ? "packed" : "split",
			row->outcome == THROWN_OUT ? "left alone" : "thrown out");
	bad += !good;
	front_close(&f);
}

START_TEST(every_row)
{
	unsigned fds;
	long pages;
	int status;
	pthread_t thread;

	start_switch();
	fds = count_fds();
	start_guest(&traffic.a, 0);
	start_guest(&traffic.b, 1);
	offer_frame(&traffic.b, 0, 0xaa, 0xbb, 0);
	front_kick(&traffic.b, 1);
	pause_ms(50);
	pages = memory();
	ck_assert_int_eq(pthread_create(&thread, NULL, run_traffic, NULL), 0);
	for (unsigned i = 0; i < 2 * N_ROWS; i++)
		if (rows[i / 2].layouts >> i % 2 & 1)
			play(&rows[i / 2], i % 2);
	traffic.stop = true;
	pthread_join(thread, NULL);
	pages = memory() - pages;
	front_close(&traffic.a);
	front_close(&traffic.b);
	pause_ms(200);
	fprintf(stderr,
		"%u rows; %llu frames sent meanwhile, %llu arrived, the slowest after %.1f ms; grown by %ld KiB\n",
		(unsigned)N_ROWS, (unsigned long long)traffic.sent,
		(unsigned long long)traffic.received, traffic.worst_ms, pages * 4);
	ck_assert_uint_eq(bad, 0);
	ck_assert_uint_gt(traffic.sent, 1000);
	ck_assert_uint_eq(traffic.sent, traffic.received);
	ck_assert(traffic.worst_ms < LATE_MS);
	ck_assert_uint_eq(count_fds(), fds);
	ck_assert_int_lt(pages, 16384);
	kill(uswitch, SIGTERM);
	ck_assert_int_eq(waitpid(uswitch, &status, 0), uswitch);
	ck_assert_int_eq(status, 0);
	rmdir(dir);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vhost_hostile");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, every_row);
	suite_add_tcase(s, t);
	return suite_run(s);
}
