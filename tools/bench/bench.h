/* SPDX-License-Identifier: MIT */
/*
 * bench: what the measuring programs share: opening a socket in a named network namespace, the
 * clock, and a latency histogram. Times are nanoseconds of CLOCK_REALTIME, because that is the
 * clock of the kernel's receive time stamps; a step of that clock spoils the run in progress.
 * Everything is static: each program is one .c file and this header. A struct hist is plain memory,
 * zeroed before use, with nothing to free. Included by tools/bench/ programs only.
 */
#ifndef TOOLS_BENCH_BENCH_H
#define TOOLS_BENCH_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HIST_SUB 64 /* buckets per power of two: 1.6 % resolution */
#define HIST_LEN (40 * HIST_SUB)

/* Latencies from 1 ns to some minutes; log-linear buckets. */
struct hist {
	uint64_t n, max;
	uint64_t bucket[HIST_LEN];
};

/* Ends the program with a message; `what` is the thing that failed, errno says why. */
static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

/* Now, in nanoseconds. */
static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* A fixed pseudo-random function of x, the same in every run. */
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/*
 * Opens a socket in the network namespace that `name` begins with ("NETNS:rest"; without a
 * colon the current one) and stores where the rest of the name begins. Ends the program on error.
 */
static inline int socket_in(const char *name, int family, int type, int protocol, const char **rest)
{
	const char *colon = strchr(name, ':');
	char path[128];
	int fd, home = -1, ns;

	*rest = colon ? colon + 1 : name;
	if (colon) {
		snprintf(path, sizeof(path), "/run/netns/%.*s", (int)(colon - name), name);
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		ns = open(path, O_RDONLY | O_CLOEXEC);
		if (home < 0 || ns < 0 || setns(ns, CLONE_NEWNET))
			die(path);
		close(ns);
	}
	fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		die("socket");
	if (colon) {
		if (setns(home, CLONE_NEWNET))
			die("setns");
		close(home);
	}
	return fd;
}

/* Adds one latency. */
static inline void hist_add(struct hist *h, uint64_t ns)
{
	unsigned e, i = (unsigned)ns;

	if (ns >= HIST_SUB) {
		e = 63u - (unsigned)__builtin_clzll(ns);
		i = (e - 5) * HIST_SUB + (unsigned)((ns >> (e - 6)) & (HIST_SUB - 1));
	}
	h->bucket[i < HIST_LEN ? i : HIST_LEN - 1]++;
	h->n++;
	if (ns > h->max)
		h->max = ns;
}

/* The latency, in microseconds, that the share p (0 to 1) of all added ones does not exceed. */
static inline double hist_us(const struct hist *h, double p)
{
	uint64_t want = (uint64_t)((double)h->n * p), sum = 0;

	for (unsigned i = 0; i < HIST_LEN; i++) {
		unsigned e = i / HIST_SUB + 5;

		sum += h->bucket[i];
		if (sum <= want)
			continue;
		if (i < HIST_SUB)
			return i / 1e3;
		return ((double)(HIST_SUB + i % HIST_SUB) + 0.5) * (double)(1ull << (e - 6)) / 1e3;
	}
	return (double)h->max / 1e3;
}

/* Prints the percentiles as a JSON object. */
static inline void hist_print(const struct hist *h)
{
	printf("{\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}",
	       hist_us(h, 0.5), hist_us(h, 0.9), hist_us(h, 0.99), hist_us(h, 0.999),
	       (double)h->max / 1e3);
}

#endif
