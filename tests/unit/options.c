/* SPDX-License-Identifier: MIT */
/*
 * options: what the command line becomes, each wrong word and its message, the rule for the
 * socket's place.
 */
#include "switch/daemon/options.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "switch/daemon/notify.h"
#include "tests/unit/suite.h"

static struct options o;
static struct error err;
static char *argv[24]; /* options point into the words */

static void forget_words(void)
{
	for (unsigned i = 1; i < sizeof(argv) / sizeof(argv[0]); i++) {
		free(argv[i]);
		argv[i] = NULL;
	}
	options_fini(&o);
}

/* Parses the words up to NULL. */
static int parse(const char *const *words)
{
	static char name[] = "uswitch";
	int argc = 1;

	forget_words();
	argv[0] = name;
	for (; words[argc - 1]; argc++)
		argv[argc] = strdup(words[argc - 1]);
	return options_parse(&o, argc, argv, &err);
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(defaults)
{
	ck_assert_int_eq(parse((const char *const[]){ NULL }), OPTIONS_RUN);
	ck_assert_str_eq(o.name, "br0");
	ck_assert_str_eq(o.backend, "auto");
	ck_assert_uint_eq(o.fdb_size, 65536);
	ck_assert_uint_eq(o.n_lines, 0);
	ck_assert(!o.detach && !o.socket_given && !o.file && !o.group && !o.verbose);
}
END_TEST

START_TEST(backends)
{
	ck_assert_int_eq(PARSE("-b", "kernel"), OPTIONS_RUN);
	ck_assert_str_eq(o.backend, "kernel");
	ck_assert(!o.adopt && !o.keep);
	ck_assert_int_eq(PARSE("-b", "kernel,keep,adopt"), OPTIONS_RUN);
	ck_assert(o.adopt && o.keep && !o.enforce);
	ck_assert_int_eq(PARSE("-b", "auto,adopt"), OPTIONS_RUN);
	ck_assert_str_eq(o.backend, "auto");
	ck_assert(o.adopt && !o.keep);
	ck_assert_int_eq(PARSE("-b", "kernel,enforce"), OPTIONS_RUN);
	ck_assert(o.enforce && !o.adopt);
}
END_TEST

START_TEST(everything)
{
	ck_assert_int_eq(PARSE("-p", "tap0,mtu=9000", "-n", "lab", "-c", "f", "-b", "user", "-S",
			       "/s", "-G", "kvm", "--fdb-size=1024", "--poll=0", "--cpu", "any",
			       "--fastpath=off"),
			 OPTIONS_RUN);
	ck_assert_str_eq(o.name, "lab");
	ck_assert_str_eq(o.file, "f");
	ck_assert_str_eq(o.socket, "/s");
	ck_assert_str_eq(o.group, "kvm");
	ck_assert_uint_eq(o.poll_us, 0);
	ck_assert(!o.keep_cpu);
	ck_assert(!o.fastpath);
	ck_assert_uint_eq(o.fdb_size, 1024);
	ck_assert_uint_eq(o.n_lines, 1);
	ck_assert_str_eq(o.line[0], "link add tap0,mtu=9000");
	ck_assert_int_eq(PARSE("-Dvv", "-p", "pcap:/a file"), OPTIONS_RUN);
	ck_assert(o.detach);
	ck_assert_int_eq(o.verbose, 2);
	ck_assert_str_eq(o.line[0], "link add \"pcap:/a file\"");
	ck_assert_int_eq(PARSE("--help"), OPTIONS_HELP);
	ck_assert_int_eq(PARSE("--version"), OPTIONS_VERSION);
}
END_TEST

/*
 * -l takes the next word unless that begins with '-', and is named like the switch else, wherever
 * -n stands.
 */
START_TEST(host_port)
{
	ck_assert_int_eq(PARSE("-l", "-p", "tap0", "-n", "lab"), OPTIONS_RUN);
	ck_assert_str_eq(o.line[0], "link add tap0");
	ck_assert_str_eq(o.line[1], "link add host:lab");
	ck_assert_int_eq(PARSE("-l", "up0", "-p", "tap0"), OPTIONS_RUN);
	ck_assert_uint_eq(o.n_lines, 2);
	ck_assert_str_eq(o.line[1], "link add host:up0");
	ck_assert_int_eq(PARSE("-p", "tap0", "-l"), OPTIONS_RUN);
	ck_assert_str_eq(o.line[1], "link add host:br0");
}
END_TEST

static const struct {
	const char *words[5];
	const char *message; /* what it has to contain */
} bad[] = {
	{ { "-x" }, "-x is no option" },
	{ { "--bogus" }, "--bogus is no option" },
	{ { "-p" }, "-p needs a value" },
	{ { "--fdb-size" }, "--fdb-size needs a value" },
	{ { "--fdb-size", "1023" }, "from 1024 to 4194304" },
	{ { "--fdb-size", "4194305" }, "from 1024 to 4194304" },
	{ { "--fdb-size", "-1" }, "from 1024 to 4194304" },
	{ { "--fdb-size", "2000x" }, "from 1024 to 4194304" },
	{ { "--poll", "10001" }, "from 0 to 10000" },
	{ { "--poll", "" }, "from 0 to 10000" },
	{ { "--cpu", "3" }, "keep or any" },
	{ { "--fastpath", "on" }, "auto or off" },
	{ { "-n", "" }, "-n: a name is missing" },
	{ { "-n", "0123456789abcdef" }, "longer than 15 bytes" },
	{ { "-n", "a/b" }, "'/'" },
	{ { "-l", "a/b" }, "-l: " },
	{ { "-b", "magic" }, "user, kernel or auto" },
	{ { "-b", "" }, "user, kernel or auto" },
	{ { "-b", "kernel,magic" }, "adopt, keep or enforce" },
	{ { "-b", "kernel," }, "adopt, keep or enforce" },
	{ { "-b", "user,keep" }, "only the kernel's bridge" },
	{ { "-S", "" }, "1 to 107 bytes" },
	{ { "-p", "foo:bar" }, "unknown port type" },
	{ { "-p", "0123456789abcdef" }, "longer than 15 bytes" },
	{ { "-p", "tap:t0,bogus" }, "no option" },
	{ { "-p", "tap:t0,mtu=1" }, "68" },
	{ { "tap0" }, "ports are given with -p" },
	{ { "-v", "-p", "mem:", "x" }, "unexpected word \"x\"" },
};

START_TEST(wrong)
{
	ck_assert_int_eq(parse(bad[_i].words), -EINVAL);
	ck_assert_msg(strstr(err.text, bad[_i].message) != NULL, "%s: %s", bad[_i].words[0],
		      err.text);
	ck_assert_ptr_null(strchr(err.text, '\n'));
}
END_TEST

START_TEST(long_socket)
{
	char path[110] = "";

	memset(path, 'a', 107);
	ck_assert_int_eq(PARSE("-S", path), OPTIONS_RUN);
	path[107] = 'a';
	ck_assert_int_eq(PARSE("-S", path), -EINVAL);
}
END_TEST

static char folder[] = "/tmp/uswitch-test-XXXXXX";

static void make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/*
 * Runs options_socket() for "-n lab" with the run folder @run and $XDG_RUNTIME_DIR @xdg (NULL: not
 * set).
 */
static int place(const char *run, const char *xdg)
{
	char path[128];

	ck_assert_int_eq(PARSE("-n", "lab"), OPTIONS_RUN);
	if (xdg)
		setenv("XDG_RUNTIME_DIR", xdg, 1);
	else
		unsetenv("XDG_RUNTIME_DIR");
	snprintf(path, sizeof(path), "%s/%s", folder, run);
	return options_socket(&o, path, &err);
}

START_TEST(socket_place)
{
	char expect[128], path[128];

	snprintf(expect, sizeof(expect), "%s/run/lab.sock", folder);
	ck_assert_int_eq(place("run", NULL), 0); /* made */
	ck_assert_str_eq(o.socket, expect);
	ck_assert_int_eq(place("run", NULL), 0); /* there */
	ck_assert_str_eq(o.socket, expect);
	snprintf(expect, sizeof(expect), "%s/uswitch/lab.sock", folder);
	ck_assert_int_eq(place("no/run", folder), 0);
	ck_assert_str_eq(o.socket, expect);
	ck_assert_int_lt(place("no/run", NULL), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "-S"));
	/* a folder in which others may put sockets, and one that is a link */
	snprintf(path, sizeof(path), "%s/open", folder);
	ck_assert_int_eq(mkdir(path, 0777), 0);
	ck_assert_int_eq(chmod(path, 0777), 0);
	ck_assert_int_eq(place("open", NULL), -EPERM);
	snprintf(path, sizeof(path), "%s/link", folder);
	ck_assert_int_eq(symlink("/tmp", path), 0);
	ck_assert_int_eq(place("link", NULL), -ENOTDIR);
	ck_assert_int_eq(PARSE("-S", "here"), OPTIONS_RUN);
	ck_assert_int_eq(options_socket(&o, "/nonexistent", &err), 0);
	ck_assert_str_eq(o.socket, "here");
}
END_TEST

START_TEST(help_names_all)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	options_help(f);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "-p PORT[,key=value...]"));
	ck_assert_ptr_nonnull(strstr(text, "--fdb-size N"));
	ck_assert_ptr_nonnull(strstr(text, "packet:NAME"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		ck_assert_uint_le(strcspn(line, "\n"), 100);
	free(text);
}
END_TEST

START_TEST(ready_is_told)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char path[sizeof(to.sun_path)], text[32] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(notify("READY=1"), 0);
	snprintf(path, sizeof(path), "%s/notify", folder);
	memcpy(to.sun_path, path, sizeof(path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
	ck_assert_int_eq(notify("READY=1"), 0);
	ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 7);
	ck_assert_str_eq(text, "READY=1");
	close(fd);
	/* abstract: the name has exactly the bytes after '@' */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(path, sizeof(path), "@uswitch-test-%d", (int)getpid());
	memset(to.sun_path, 0, sizeof(to.sun_path));
	memcpy(to.sun_path + 1, path + 1, strlen(path) - 1);
	ck_assert_int_eq(
		bind(fd, (struct sockaddr *)&to, (socklen_t)(sizeof(to.sun_family) + strlen(path))),
		0);
	setenv("NOTIFY_SOCKET", path, 1);
	ck_assert_int_eq(notify("STOPPING=1"), 0);
	ck_assert_int_eq(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT), 10);
	close(fd);
	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert_int_lt(notify("READY=1"), 0);
	unsetenv("NOTIFY_SOCKET");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *words = tcase_create("words"), *places = tcase_create("places");

	tcase_add_checked_fixture(words, NULL, forget_words);
	tcase_add_checked_fixture(places, NULL, forget_words);
	tcase_add_test(words, defaults);
	tcase_add_test(words, backends);
	tcase_add_test(words, everything);
	tcase_add_test(words, host_port);
	tcase_add_loop_test(words, wrong, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(words, long_socket);
	tcase_add_test(words, help_names_all);
	tcase_add_checked_fixture(places, make_folder, remove_folder);
	tcase_add_test(places, socket_place);
	tcase_add_test(places, ready_is_told);
	suite_add_tcase(s, words);
	suite_add_tcase(s, places);
	return suite_run(s);
}
