/* SPDX-License-Identifier: MIT */
#include "switch/daemon/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ports/kinds.h"
#include "switch/words.h"

#define PORT_TEXT_MAX 16384u

/* Long options without a letter are numbered from here. */
enum { LONG_FDB_SIZE = 256, LONG_POLL, LONG_CPU, LONG_FASTPATH, LONG_HELP, LONG_VERSION };

#define POLL_DEFAULT_US 20u
#define POLL_MAX_US 10000u

static const struct option_row {
	int letter;
	const char *name; /* long form */
	const char *arg;
	const char *help;
} rows[] = {
	{ 'n', NULL, "NAME", "the switch's name (br0)" },
	{ 'p', NULL, "PORT[,key=value...]", "add a port, see below; as often as needed" },
	{ 'l', NULL, "[IFNAME]",
	  "give the host a port: an interface of that name (the switch's name)" },
	{ 'c', NULL, "FILE",
	  "read configuration commands from FILE, one a line, after the other options" },
	{ 'b', NULL, "WHO", "who forwards: user, kernel[,adopt][,keep][,enforce] or auto (auto)" },
	{ 'S', NULL, "SOCKET",
	  "control socket (/run/uswitch/NAME.sock, else under $XDG_RUNTIME_DIR)" },
	{ 'G', NULL, "GROUP", "let this group use the control socket" },
	{ LONG_FDB_SIZE, "fdb-size", "N", "room for N addresses, 1024 to 4194304 (65536)" },
	{ LONG_POLL, "poll", "N", "look N us for frames before sleeping, while that pays (20)" },
	{ LONG_CPU, "cpu", "keep|any", "stay on one processor, or not (keep)" },
	{ LONG_FASTPATH, "fastpath", "auto|off",
	  "let the kernel forward known unicast between interfaces if it can (auto)" },
	{ 'D', NULL, NULL, "detach once started" },
	{ 'v', NULL, NULL, "say more; twice: debug" },
	{ LONG_HELP, "help", NULL, "print this text" },
	{ LONG_VERSION, "version", NULL, "print the version" },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

void options_help(FILE *out)
{
	fputs("usage: uswitch [OPTION]...\nAn Ethernet switch in an ordinary process; see uswitch(8).\n\n",
	      out);
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct option_row *r = &rows[i];
		char word[48];

		snprintf(word, sizeof(word), r->name ? "--%s %s" : "-%s %s",
			 r->name ? r->name : (char[]){ (char)r->letter, '\0' },
			 r->arg ? r->arg : "");
		fprintf(out, "  %-24s%s\n", word, r->help);
	}
	fputs("\nPORT is one of\n", out);
	port_help_print(out);
	fputs("\nTERM and INT end it, HUP reads the configuration again. Control it with uswitchctl(8).\n",
	      out);
}

/* Builds getopt's two tables from ours. */
static void make_tables(char *letters, struct option *longs)
{
	*letters++ = '+'; /* stop at the first word that is no option */
	*letters++ = ':';
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct option_row *r = &rows[i];

		if (r->name) {
			*longs++ = (struct option){ .name = r->name,
						    .has_arg = r->arg != NULL,
						    .val = r->letter };
			continue;
		}
		*letters++ = (char)r->letter;
		if (r->arg)
			*letters++ = ':';
		if (r->arg && r->arg[0] == '[') /* optional: getopt's "::" */
			*letters++ = ':';
	}
	*letters = '\0';
	*longs = (struct option){ .name = NULL };
}

static int add_line(struct options *o, const char *port, struct error *err)
{
	char **lines = realloc(o->line, (o->n_lines + 1) * sizeof(*lines));
	char word[PORT_TEXT_MAX];

	if (lines)
		o->line = lines;
	words_quote(port, word, sizeof(word));
	if (!lines || asprintf(&lines[o->n_lines], "link add %s", word) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	o->n_lines++;
	return 0;
}

static int add_port(struct options *o, const char *text, struct error *err)
{
	struct port_spec spec;
	struct error why;

	if (port_spec_parse(text, &spec, &why))
		return error_set(err, -EINVAL, "-p %.64s: %s", text, why.text);
	if (strlen(text) >= PORT_TEXT_MAX / 4) /* quoting makes it longer */
		return error_set(err, -EINVAL, "-p %.64s...: longer than %u bytes", text,
				 PORT_TEXT_MAX / 4 - 1);
	return add_line(o, text, err);
}

/* Reads the number that option --@name was given. */
static int set_number(uint32_t *number, const char *name, const char *text, uint32_t min,
		      uint32_t max, struct error *err)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || n < min || n > max)
		return error_set(err, -EINVAL, "--%s %.32s: must be a number from %u to %u", name,
				 text, min, max);
	*number = (uint32_t)n;
	return 0;
}

static int set_cpu(struct options *o, const char *text, struct error *err)
{
	if (strcmp(text, "keep") && strcmp(text, "any"))
		return error_set(err, -EINVAL, "--cpu %.32s: must be keep or any", text);
	o->keep_cpu = !strcmp(text, "keep");
	return 0;
}

/* Returns whether @len bytes at @text are @word. */
static bool is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && !strncmp(text, word, len);
}

static int set_fastpath(struct options *o, const char *text, struct error *err)
{
	if (strcmp(text, "auto") && strcmp(text, "off"))
		return error_set(err, -EINVAL, "--fastpath %.32s: must be auto or off", text);
	o->fastpath = !strcmp(text, "auto");
	return 0;
}

static int set_backend(struct options *o, const char *text, struct error *err)
{
	static const char *const names[] = { "user", "kernel", "auto" };
	size_t len = strcspn(text, ",");

	o->backend = NULL;
	o->adopt = o->keep = o->enforce = false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_word(text, len, names[i]))
			o->backend = names[i];
	if (!o->backend)
		return error_set(err, -EINVAL, "-b %.32s: must be user, kernel or auto", text);
	for (const char *word = text + len; *word; word += len) {
		len = strcspn(++word, ",");
		if (is_word(word, len, "adopt"))
			o->adopt = true;
		else if (is_word(word, len, "keep"))
			o->keep = true;
		else if (is_word(word, len, "enforce"))
			o->enforce = true;
		else
			return error_set(err, -EINVAL,
					 "-b %.32s: after a comma goes adopt, keep or enforce",
					 text);
	}
	if ((o->adopt || o->keep || o->enforce) && is_word(o->backend, 4, "user"))
		return error_set(err, -EINVAL, "-b %.32s: only the kernel's bridge has that", text);
	return 0;
}

static int set_socket(struct options *o, const char *text, struct error *err)
{
	if (!text[0] || strlen(text) >= sizeof(o->socket))
		return error_set(err, -EINVAL, "-S %.120s: must be a path of 1 to %zu bytes", text,
				 sizeof(o->socket) - 1);
	memcpy(o->socket, text, strlen(text) + 1);
	o->socket_given = true;
	return 0;
}

/* Acts on one option of getopt. Returns an enum options_action or -errno. */
static int take(struct options *o, int letter, const char *arg, struct error *err)
{
	struct error why;

	switch (letter) {
	case 'n':
		snprintf(o->name, sizeof(o->name), "%s", arg);
		return port_name_check(arg, &why) ? error_set(err, -EINVAL, "-n: %s", why.text) : 0;
	case 'p':
		return add_port(o, arg, err);
	case 'l':
		o->host = arg ? arg : "";
		return arg && port_name_check(arg, &why)
			       ? error_set(err, -EINVAL, "-l: %s", why.text)
			       : 0;
	case 'c':
		o->file = arg;
		return 0;
	case 'b':
		return set_backend(o, arg, err);
	case 'S':
		return set_socket(o, arg, err);
	case 'G':
		o->group = arg;
		return 0;
	case 'D':
		o->detach = true;
		return 0;
	case 'v':
		o->verbose++;
		return 0;
	case LONG_FDB_SIZE:
		return set_number(&o->fdb_size, "fdb-size", arg, FDB_SIZE_MIN, FDB_SIZE_MAX, err);
	case LONG_POLL:
		return set_number(&o->poll_us, "poll", arg, 0, POLL_MAX_US, err);
	case LONG_CPU:
		return set_cpu(o, arg, err);
	case LONG_FASTPATH:
		return set_fastpath(o, arg, err);
	case LONG_HELP:
		return OPTIONS_HELP;
	case LONG_VERSION:
		return OPTIONS_VERSION;
	}
	return -EINVAL;
}

/* Says what is wrong with the word that getopt refused with @letter ('?' or ':'). */
static int bad_option(int letter, const char *word, struct error *err)
{
	const char *what = letter == ':' ? "needs a value" : "is no option";

	if (optopt > 0 && optopt < 128 && strncmp(word, "--", 2))
		return error_set(err, -EINVAL, "-%c %s; see uswitch --help", optopt, what);
	return error_set(err, -EINVAL, "%.64s %s; see uswitch --help", word, what);
}

int options_parse(struct options *o, int argc, char **argv, struct error *err)
{
	struct option longs[N_ROWS + 1];
	char letters[3 * N_ROWS + 3], host[32];
	int letter, ret = 0;

	*o = (struct options){ .name = "br0",
			       .backend = "auto",
			       .fdb_size = FDB_SIZE_DEFAULT,
			       .poll_us = POLL_DEFAULT_US,
			       .keep_cpu = true,
			       .fastpath = true };
	make_tables(letters, longs);
	opterr = 0;
	optind = 0; /* glibc: start over */
	while (!ret && (letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const char *arg = optarg;

		if (letter == '?' || letter == ':')
			return bad_option(letter, argv[optind - 1], err);
		if (letter == 'l' && !arg && optind < argc && argv[optind][0] != '-')
			arg = argv[optind++];
		ret = take(o, letter, arg, err);
	}
	if (!ret && optind < argc)
		return error_set(
			err, -EINVAL,
			"unexpected word \"%.64s\": ports are given with -p; see uswitch --help",
			argv[optind]);
	if (!ret && o->host) {
		snprintf(host, sizeof(host), "host:%s", o->host[0] ? o->host : o->name);
		ret = add_line(o, host, err);
	}
	return ret;
}

void options_fini(struct options *o)
{
	for (unsigned i = 0; i < o->n_lines; i++)
		free(o->line[i]);
	free(o->line);
	o->line = NULL;
	o->n_lines = 0;
}

/*
 * Makes folder @dir if need be. Returns 0 when sockets can be made in it, and only by root and us;
 * else -errno.
 */
static int use_folder(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0755) && errno != EEXIST)
		return -errno;
	if (lstat(dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if ((st.st_uid && st.st_uid != geteuid()) || st.st_mode & 022)
		return -EPERM;
	return access(dir, W_OK | X_OK) ? -errno : 0;
}

int options_socket(struct options *o, const char *run, struct error *err)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char dir[256];
	int len, ret, first;

	if (o->socket_given)
		return 0;
	snprintf(dir, sizeof(dir), "%s", run);
	ret = first = use_folder(dir);
	if (ret && xdg && xdg[0] == '/') {
		len = snprintf(dir, sizeof(dir), "%s/uswitch", xdg);
		ret = len < (int)sizeof(dir) ? use_folder(dir) : -ENAMETOOLONG;
	}
	if (ret)
		return error_set(
			err, ret,
			"no place for the control socket (%s: %s; $XDG_RUNTIME_DIR/uswitch: %s): "
			"name one with -S",
			run, strerror(-first), xdg && xdg[0] == '/' ? strerror(-ret) : "not set");
	len = snprintf(o->socket, sizeof(o->socket), "%s/%s.sock", dir, o->name);
	if (len >= (int)sizeof(o->socket))
		return error_set(
			err, -ENAMETOOLONG,
			"control socket %s/%s.sock: longer than %zu bytes, name one with -S", dir,
			o->name, sizeof(o->socket) - 1);
	return 0;
}
