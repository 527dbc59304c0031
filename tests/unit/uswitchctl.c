/* SPDX-License-Identifier: MIT */
/* uswitchctl: the cases of golden/uswitchctl.txt, against a switch that is played here. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/suite.h"

#define CASES_MAX 128
#define TEXT_MAX 16384

/* One case of the file. */
struct golden {
	char name[64], args[256], sent[256];
	char answer[TEXT_MAX], output[TEXT_MAX];
	int status;
};

static struct golden *cases[CASES_MAX];
static int n_cases;
static char program[512], socket_path[64];

/*
 * The file's folder and the program's, which may be of another build: found from our own path and
 * the source tree.
 */
static FILE *open_golden(void)
{
	char self[400];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		return NULL;
	self[len] = '\0';
	snprintf(program, sizeof(program), "%.*s/../../uswitchctl",
		 (int)(strrchr(self, '/') - self), self);
	return fopen("tests/unit/golden/uswitchctl.txt", "re");
}

static void add(char *text, const char *line, const char *end)
{
	size_t len = strlen(text);

	snprintf(text + len, TEXT_MAX - len, "%.*s%s", (int)strcspn(line, "\n"), line, end);
}

static void read_cases(void)
{
	FILE *file = open_golden();
	char line[TEXT_MAX];
	struct golden *g = NULL;

	if (!file) {
		perror("tests/unit/golden/uswitchctl.txt");
		exit(EXIT_FAILURE);
	}
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "== ", 3)) {
			g = cases[n_cases++] = calloc(1, sizeof(*g));
			snprintf(g->name, sizeof(g->name), "%.*s", (int)strcspn(line + 3, "\n"),
				 line + 3);
		} else if (!g) {
			continue;
		} else if (!strncmp(line, "$ ", 2)) {
			snprintf(g->args, sizeof(g->args), "%.*s", (int)strcspn(line + 2, "\n"),
				 line + 2);
		} else if (!strncmp(line, "> ", 2)) {
			snprintf(g->sent, sizeof(g->sent), "%.250s", line + 2);
		} else if (!strncmp(line, "< ", 2)) {
			add(g->answer, line + 2, "\n");
		} else if (!strncmp(line, "<- ", 3)) {
			add(g->answer, line + 3, "");
		} else if (!strncmp(line, "? ", 2)) {
			g->status = atoi(line + 2);
		} else {
			add(g->output, line, "\n");
		}
	}
	fclose(file);
}

/* Plays the switch for one connection: exits with 0 when it got what it should. */
static _Noreturn void serve(int fd, const struct golden *g)
{
	char line[1024];
	FILE *in;
	int client = accept(fd, NULL, NULL);

	in = fdopen(client, "r");
	if (!in || !fgets(line, sizeof(line), in) || strcmp(line, g->sent) != 0) {
		fprintf(stderr, "%s: the switch got %s", g->name, line);
		_exit(1);
	}
	if (send(client, g->answer, strlen(g->answer), MSG_NOSIGNAL) < 0)
		_exit(1);
	_exit(0);
}

static int listen_at(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(socket_path, sizeof(socket_path), "/tmp/uswitchctl-golden.%d.sock", (int)getpid());
	memcpy(un.sun_path, socket_path, sizeof(socket_path));
	unlink(socket_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

START_TEST(prints)
{
	const struct golden *g = cases[_i];
	char command[1024], output[TEXT_MAX];
	int fd = listen_at(), status;
	pid_t child = fork();
	size_t len;
	FILE *pipe;

	if (!child)
		serve(fd, g);
	close(fd);
	snprintf(command, sizeof(command), "env -u COLORFGBG %s -S %s %s 2>&1", program,
		 socket_path, g->args);
	pipe = popen(command, "r");
	ck_assert_ptr_nonnull(pipe);
	len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = '\0';
	status = pclose(pipe);
	unlink(socket_path);
	ck_assert_msg(!strcmp(output, g->output), "%s: got\n%s\nnot\n%s", g->name, output,
		      g->output);
	ck_assert_msg(WEXITSTATUS(status) == g->status, "%s: status %d", g->name,
		      WEXITSTATUS(status));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(status == 0, "%s: other words arrived", g->name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("uswitchctl");
	TCase *t = tcase_create("uswitchctl");
	int status;

	read_cases();
	suite_add_tcase(s, t);
	tcase_add_loop_test(t, prints, 0, n_cases);
	status = suite_run(s);
	for (int i = 0; i < n_cases; i++)
		free(cases[i]);
	return status;
}
