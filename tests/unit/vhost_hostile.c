/* SPDX-License-Identifier: MIT */
/*
 * A hostile vhost-user front-end against a running switch. Each line of the table does one forbidden thing on a port of
 * its own, while two good guests exchange numbered frames: none of those may be lost or late, the bad one must be
 * thrown out (or, where what it did is only its own loss, left alone), and at the end the process has neither grown nor
 * kept a descriptor, and ends as told.
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

#include "tests/unit/front_ring.h"

#define HDR 12u
#define NUM 64u
#define LATE_MS 1000.0 /* far above what a busy machine does to a process, far below what a stall is */
#define BUFFER(i) (FRONT_GPA + FRONT_BUFFER_AT + (i) * 4096u)
#define AT(f, gpa) ((f)->mem + ((gpa) - FRONT_GPA))

enum outcome { THROWN_OUT, LEFT_ALONE };

static char dir[32];
static pid_t uswitch;

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

			if (!memcmp(p + HDR + 14, "GOOD", 4) && !memcmp(p + HDR + 18, &seq, sizeof(seq)))
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

static void chain(struct front *f, unsigned q, uint64_t gpa, uint32_t len, uint16_t flags)
{
	front_offer(f, q, &(struct front_buffer){ gpa, len, flags }, 1);
	front_kick(f, 1);
}

static void index_jump(struct front *f)
{
	front_driver(f, 1)[1] = NUM + 1;
	front_kick(f, 1);
}

static void head_outside(struct front *f)
{
	front_driver(f, 1)[2] = NUM;
	front_driver(f, 1)[1] = 1;
	front_kick(f, 1);
}

static void next_outside(struct front *f)
{
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

static void empty(struct front *f) { chain(f, 1, BUFFER(0), 0, 0); }
static void wrong_way(struct front *f) { chain(f, 1, BUFFER(0), 100, 2); }
static void outside(struct front *f) { chain(f, 1, FRONT_GPA - 50, 100, 0); }
static void over_the_end(struct front *f) { chain(f, 1, FRONT_GPA + FRONT_SIZE - 50, 100, 0); }
static void overflow(struct front *f) { chain(f, 1, UINT64_MAX - 50, 100, 0); }
static void no_header(struct front *f) { chain(f, 1, BUFFER(0), HDR - 1, 0); }
static void runt(struct front *f) { chain(f, 1, BUFFER(0), HDR + 13, 0); }
static void giant(struct front *f) { chain(f, 1, BUFFER(0), 70000, 0); }
static void not_negotiated(struct front *f) { chain(f, 1, BUFFER(0), 16, 4); }
static void odd_table(struct front *f) { chain(f, 1, BUFFER(0), 17, 4); }
static void long_table(struct front *f) { chain(f, 1, BUFFER(0), (NUM + 1) * 16, 4); }
static void lost_table(struct front *f) { chain(f, 1, FRONT_GPA - 16, 32, 4); }
static void skew_table(struct front *f) { chain(f, 1, BUFFER(0) + 1, 32, 4); }

static void nested(struct front *f)
{
	*(struct front_desc *)(void *)AT(f, BUFFER(0)) = (struct front_desc){ BUFFER(0), 16, 4, 4 };
	chain(f, 1, BUFFER(0), 16, 4);
}

/* The other direction needs a frame on its way to be seen: A floods some. */
static void read_only_room(struct front *f) { chain(f, 0, BUFFER(0), 2048, 0); }
static void room_outside(struct front *f) { chain(f, 0, UINT64_MAX - 100, 2048, 2); }
static void room_in_rings(struct front *f) { chain(f, 0, FRONT_GPA, 2048, 2); }

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

static void unknown(struct front *f) { front_u64(f, 77, 0, 0); }
static void huge_number(struct front *f) { front_u64(f, UINT32_MAX, 0, 0); }
static void wrong_size(struct front *f) { front_send(f, SET_FEATURES, 0, "1234", 4, NULL, 0); }
static void huge_size(struct front *f) { front_send_part(f, SET_FEATURES, 0, "12345678", UINT32_MAX, 8, NULL, 0); }
static void version(struct front *f) { front_u64(f, SET_FEATURES, 2, FRONT_FEATURES); }
static void is_reply(struct front *f) { front_u64(f, SET_FEATURES, 4, FRONT_FEATURES); }
static void features(struct front *f) { front_u64(f, SET_FEATURES, 0, F(63)); }
static void protocol(struct front *f) { front_u64(f, SET_PROTOCOL_FEATURES, 0, F(1)); }
static void partial(struct front *f) { front_send_part(f, SET_FEATURES, 0, "1234", 8, 4, NULL, 0); }
static void half_a_head(struct front *f) { ck_assert_int_eq(send(f->fd, "123456", 6, 0), 6); }
static void queue_number(struct front *f) { front_state(f, SET_VRING_NUM, 0, 32, NUM); }
static void queue_width(struct front *f) { front_state(f, SET_VRING_NUM, 0, 0x10001, NUM); }
static void slots(struct front *f) { front_state(f, SET_VRING_NUM, 0, 2, 0x10040); }
static void running(struct front *f) { front_state(f, SET_VRING_NUM, 0, 1, 128); }
static void enable_two(struct front *f) { front_state(f, SET_VRING_ENABLE, 0, 0, 2); }
static void no_memory(struct front *f) { front_send(f, SET_MEM_TABLE, 0, &(uint64_t){ 0 }, 8, NULL, 0); }

static void too_soon(struct front *f)
{
	front_send(f, SET_VRING_KICK, 0, &(uint64_t){ 2 }, 8, &f->kick[2], 1);
}

static void kick_width(struct front *f)
{
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ F(32) | 1 }, 8, &f->kick[2], 1);
}

static void not_a_power(struct front *f)
{
	front_state(f, SET_VRING_NUM, 0, 2, 63);
	front_address(f, 2);
	too_soon(f);
}

static void skew_ring(struct front *f)
{
	uint64_t a[5] = { 2, FRONT_UVA + 8, FRONT_UVA, FRONT_UVA, 0 };

	front_state(f, SET_VRING_NUM, 0, 2, NUM);
	front_send(f, SET_VRING_ADDR, 0, a, sizeof(a), NULL, 0);
	too_soon(f);
}

static void ring_outside(struct front *f)
{
	uint64_t a[5] = { 2, FRONT_UVA + FRONT_SIZE - 16, FRONT_UVA, FRONT_UVA, 0 };

	front_state(f, SET_VRING_NUM, 0, 2, NUM);
	front_send(f, SET_VRING_ADDR, 0, a, sizeof(a), NULL, 0);
	too_soon(f);
}

static void no_fd(struct front *f) { front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, NULL, 0); }
static void poll_for_ever(struct front *f) { front_send(f, SET_VRING_KICK, 0, &(uint64_t){ 0x101 }, 8, NULL, 0); }
static void fd_too_many(struct front *f) { front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, f->kick, 2); }
static void fd_unwanted(struct front *f) { front_send(f, GET_FEATURES, 0, NULL, 0, f->kick, 1); }

static void fd_flood(struct front *f)
{
	int fds[64];

	for (unsigned i = 0; i < 64; i++)
		fds[i] = f->kick[0];
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, fds, 64);
}

/* A pipe that is full, and would stop whoever writes to it. */
static void call_a_pipe(struct front *f)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &fds[1], 1);
	close(fds[0]);
	close(fds[1]);
}

static void call_a_file(struct front *f) { front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &f->mem_fd, 1); }

/* An eventfd that is full, and blocks whoever writes to it. */
static void call_a_full_one(struct front *f)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	eventfd_write(fd, UINT64_MAX - 1);
	front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &fd, 1);
	ck_assert(alive(f));
	close(fd);
}

static void map_a_pipe(struct front *f)
{
	struct front_region r[2] = { { 0, 0, 4096, 0 }, { 0, 0, 0, 0 } }; /* padding, gpa, size, uva, offset */
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	front_send(f, ADD_MEM_REG, 0, r, 40, &fds[0], 1);
	close(fds[0]);
	close(fds[1]);
}

/* Asks and never listens. */
static void reply_flood(struct front *f)
{
	fcntl(f->fd, F_SETFL, O_NONBLOCK);
	for (unsigned i = 0; i < 200000; i++)
		if (!front_send(f, GET_FEATURES, 0, NULL, 0, NULL, 0) && errno != EAGAIN)
			break;
}

/* The same descriptors and regions again and again: each must replace the one before. */
static void repeat(struct front *f)
{
	struct {
		uint32_t n, padding;
		struct front_region r;
	} table = { 1, 0, { FRONT_GPA, FRONT_SIZE, FRONT_UVA, 0 } };

	for (unsigned i = 0; i < 2000; i++) {
		front_send(f, SET_VRING_CALL, 0, &(uint64_t){ 1 }, 8, &f->call[1], 1);
		front_send(f, SET_VRING_ERR, 0, &(uint64_t){ 1 }, 8, &f->call[1], 1);
		front_send(f, SET_VRING_KICK, 0, &(uint64_t){ 1 }, 8, &f->kick[1], 1);
		front_send(f, SET_MEM_TABLE, 0, &table, sizeof(table), &f->mem_fd, 1);
	}
}

static void refused_flood(struct front *f)
{
	for (unsigned i = 0; i < 100; i++)
		front_send(f, 77, NEED_REPLY, NULL, 0, NULL, 0);
}

static void garbage(struct front *f)
{
	uint8_t bytes[4000];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random();
	send(f->fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

#define SPLIT FRONT_FEATURES
#define PACKED (FRONT_FEATURES | F(34))

static const struct row {
	const char *name;
	void (*play)(struct front *f);
	uint64_t features;
	enum outcome outcome;
} rows[] = {
#define ROW(play, features, outcome) { #play, play, features, outcome },
#define BOTH(play, features, outcome) ROW(play, SPLIT | (features), outcome) ROW(play, PACKED | (features), outcome)
	ROW(index_jump, SPLIT, THROWN_OUT) ROW(head_outside, SPLIT, THROWN_OUT) ROW(next_outside, SPLIT, THROWN_OUT)
	ROW(half_a_chain, PACKED, THROWN_OUT) BOTH(endless, 0, THROWN_OUT) BOTH(empty, 0, THROWN_OUT)
	BOTH(wrong_way, 0, THROWN_OUT) BOTH(outside, 0, THROWN_OUT) BOTH(over_the_end, 0, THROWN_OUT)
	BOTH(overflow, 0, THROWN_OUT) BOTH(no_header, 0, THROWN_OUT) BOTH(runt, 0, LEFT_ALONE) BOTH(giant, 0, LEFT_ALONE)
	BOTH(not_negotiated, 0, THROWN_OUT) BOTH(odd_table, F(28), THROWN_OUT) BOTH(long_table, F(28), THROWN_OUT)
	BOTH(lost_table, F(28), THROWN_OUT) BOTH(skew_table, F(28), THROWN_OUT) BOTH(nested, F(28), THROWN_OUT)
	BOTH(read_only_room, 0, THROWN_OUT) BOTH(room_outside, 0, THROWN_OUT) BOTH(room_in_rings, 0, LEFT_ALONE)
	BOTH(bad_headers, 0, LEFT_ALONE) BOTH(shrink, 0, THROWN_OUT) BOTH(shrink_frames, 0, THROWN_OUT)
	ROW(change, SPLIT, THROWN_OUT) BOTH(change_headers, 0, LEFT_ALONE) BOTH(kick_storm, 0, LEFT_ALONE)
	ROW(unknown, SPLIT, THROWN_OUT) ROW(huge_number, SPLIT, THROWN_OUT) ROW(wrong_size, SPLIT, THROWN_OUT)
	ROW(huge_size, SPLIT, THROWN_OUT) ROW(version, SPLIT, THROWN_OUT) ROW(is_reply, SPLIT, THROWN_OUT)
	ROW(features, SPLIT, THROWN_OUT) ROW(protocol, SPLIT, THROWN_OUT) ROW(partial, SPLIT, THROWN_OUT)
	ROW(half_a_head, SPLIT, THROWN_OUT) ROW(queue_number, SPLIT, THROWN_OUT) ROW(queue_width, SPLIT, THROWN_OUT)
	ROW(slots, SPLIT, THROWN_OUT) ROW(running, SPLIT, THROWN_OUT) ROW(enable_two, SPLIT, THROWN_OUT)
	ROW(no_memory, SPLIT, THROWN_OUT) ROW(too_soon, SPLIT, THROWN_OUT) ROW(kick_width, SPLIT, THROWN_OUT)
	ROW(not_a_power, SPLIT, THROWN_OUT) ROW(skew_ring, SPLIT, THROWN_OUT) ROW(ring_outside, SPLIT, THROWN_OUT)
	ROW(no_fd, SPLIT, THROWN_OUT) ROW(poll_for_ever, SPLIT, THROWN_OUT) ROW(fd_too_many, SPLIT, THROWN_OUT)
	ROW(fd_unwanted, SPLIT, THROWN_OUT) ROW(fd_flood, SPLIT, THROWN_OUT) ROW(call_a_pipe, SPLIT, THROWN_OUT)
	ROW(call_a_file, SPLIT, THROWN_OUT) ROW(call_a_full_one, SPLIT, LEFT_ALONE) ROW(map_a_pipe, SPLIT, THROWN_OUT)
	ROW(reply_flood, SPLIT, THROWN_OUT) ROW(repeat, SPLIT, LEFT_ALONE) ROW(refused_flood, SPLIT, THROWN_OUT)
	ROW(garbage, SPLIT, THROWN_OUT)
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
	static char port[N_ROWS + 2][64], program[256], socket_path[64];
	char *argv[2 * (N_ROWS + 2) + 4] = { program, (char *)(uintptr_t)"-S", socket_path };
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
	for (unsigned i = 0; i < N_ROWS + 2; i++) {
		snprintf(port[i], sizeof(port[i]), "vhost-user:%s/%u,name=p%u", dir, i, i);
		argv[n++] = (char *)(uintptr_t)"-p";
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

static void play(unsigned i, unsigned *bad)
{
	const struct row *row = &rows[i];
	struct front f;
	char name[16];
	bool good;

	snprintf(name, sizeof(name), "%u", i + 2);
	connect_to(&f, name);
	front_setup(&f, row->features, 1, NUM);
	pause_ms(5);
	row->play(&f);
	good = row->outcome == THROWN_OUT ? thrown_out(&f) : alive(&f);
	if (!good)
		fprintf(stderr, "%s, %s rings: was %s\n", row->name, row->features & F(34) ? "packed" : "split",
		       row->outcome == THROWN_OUT ? "left alone" : "thrown out");
	*bad += !good;
	front_close(&f);
}

START_TEST(every_row)
{
	unsigned fds, bad = 0;
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
	for (unsigned i = 0; i < N_ROWS; i++)
		play(i, &bad);
	traffic.stop = true;
	pthread_join(thread, NULL);
	pages = memory() - pages;
	front_close(&traffic.a);
	front_close(&traffic.b);
	pause_ms(200);
	fprintf(stderr, "%u rows; %llu frames sent meanwhile, %llu arrived, the slowest after %.1f ms; grown by %ld KiB\n", (unsigned)N_ROWS,
	       (unsigned long long)traffic.sent, (unsigned long long)traffic.received, traffic.worst_ms, pages * 4);
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
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, every_row);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
