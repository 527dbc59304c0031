/* SPDX-License-Identifier: MIT */
/*
 * lab: a network namespace of its own for a test, with neighbours.
 *
 * Nothing that a test does is seen outside: the program has a namespace of its own and so has each
 * test in it. The surprising rule: a test ends with the first thing that does not work (ck_assert).
 * Included by tests of kernel interfaces.
 */
#ifndef TESTS_UNIT_LAB_H
#define TESTS_UNIT_LAB_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

/* Runs a command of the shell, which must succeed. */
static UNUSED __attribute__((format(printf, 1, 2))) void sh(const char *fmt, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("cannot write %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Enters a new network namespace, with a user namespace if need be. Says SKIP if it may not. */
static UNUSED bool lab_enter(const char *name)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", (unsigned)geteuid());
	if (system("ip -V >/dev/null 2>&1")) {
		printf("SKIP %s: iproute2 is not installed\n", name);
		return false;
	}
	if (!unshare(CLONE_NEWNET))
		return true;
	if (!unshare(CLONE_NEWUSER | CLONE_NEWNET)) {
		write_to("/proc/self/uid_map", map);
		return true;
	}
	printf("SKIP %s: no network namespace: %s\n", name, strerror(errno));
	return false;
}

/* No neighbour discovery of the kernel's own among the frames. */
static void no_ipv6(void)
{
	write_to("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_to("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

/* For tcase_add_checked_fixture(): each test has a namespace to itself. */
static UNUSED void lab_fresh(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	no_ipv6();
}

static UNUSED unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A process that sleeps in a network namespace of its own. */
static UNUSED pid_t lab_neighbour(void)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNET))
			_exit(1);
		no_ipv6();
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static UNUSED void lab_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Runs @fn in a child that has no privileges. */
static UNUSED void lab_unprivileged(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(0); /* root of a user namespace has nobody to become */
		fn();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

#endif
