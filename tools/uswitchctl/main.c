/* SPDX-License-Identifier: MIT */
/* uswitchctl(8): sends commands to a switch and prints what it answers, as bridge(8) would. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/words.h"
#include "tools/uswitchctl/ctl.h"

static const char usage_text[] =
	"usage: uswitchctl [OPTION]... COMMAND\n"
	"       uswitchctl [OPTION]... [-force] -batch FILE\n"
	"\n"
	"  -n NAME           the switch of that name (default: the only one that runs)\n"
	"  -S SOCKET         the switch with this control socket\n"
	"  -j[son]           the result as JSON, as bridge -j has it\n"
	"  -p[retty]         JSON on several lines\n"
	"  -s[tatistics]     with times and counters\n"
	"  -d[etails]        more of each thing\n"
	"  -o[neline]        each thing on one line\n"
	"  -t[imestamp]      monitor: the time of each event\n"
	"  -c[olor][=WHEN]   colours: always (also -c alone), auto, never\n"
	"  -com[pressvlans]  ranges of VLANs\n"
	"  -b[atch] FILE     the commands in FILE, - is standard input; ends at the first error\n"
	"  -force            goes on after errors\n"
	"  -V[ersion]        prints the version\n"
	"\n"
	"  show | show config\n"
	"  set KEY VALUE...\n"
	"  link show [dev NAME]\n"
	"  link add PORT[,key=value...]\n"
	"  link set dev NAME KEY VALUE...\n"
	"  link del dev NAME\n"
	"  fdb show [dev NAME] [vlan VID] [static|dynamic|permanent]\n"
	"  fdb add|append|replace MAC dev NAME [vlan VID] static|dynamic|local|extern_learn [sticky]\n"
	"  fdb del MAC dev NAME [vlan VID]\n"
	"  fdb get MAC [vlan VID]\n"
	"  fdb flush dev NAME [vlan VID] [static|permanent|sticky|extern_learn]\n"
	"  vlan show [dev NAME] [vid VID]\n"
	"  vlan add vid VID[-VID] dev NAME [pvid] [untagged]\n"
	"  vlan del vid VID[-VID] dev NAME\n"
	"  vlan set vid VID[-VID] dev NAME state STATE\n"
	"  stats [dev NAME]\n"
	"  trace in NAME src MAC dst MAC [vlan VID] [len BYTES]\n"
	"  monitor [fdb|link|vlan|all]\n"
	"  reload | stop | version | help\n";

enum option {
	OPT_HELP,
	OPT_VERSION,
	OPT_STATS,
	OPT_DETAILS,
	OPT_ONELINE,
	OPT_TIME,
	OPT_COLOR,
	OPT_COMPRESS,
	OPT_FORCE,
	OPT_JSON,
	OPT_PRETTY,
	OPT_BATCH,
	OPT_NAME,
	OPT_SOCKET
};

/* The first option that begins with what was typed is meant, as in bridge(8). */
static const struct {
	const char *name;
	enum option option;
	bool value;
} options[] = {
	{ "help", OPT_HELP, false },        { "Version", OPT_VERSION, false },
	{ "version", OPT_VERSION, false },  { "stats", OPT_STATS, false },
	{ "statistics", OPT_STATS, false }, { "details", OPT_DETAILS, false },
	{ "oneline", OPT_ONELINE, false },  { "timestamp", OPT_TIME, false },
	{ "color", OPT_COLOR, false },      { "compressvlans", OPT_COMPRESS, false },
	{ "force", OPT_FORCE, false },      { "json", OPT_JSON, false },
	{ "pretty", OPT_PRETTY, false },    { "batch", OPT_BATCH, true },
	{ "name", OPT_NAME, true },         { "Socket", OPT_SOCKET, true },
	{ "socket", OPT_SOCKET, true },
};

static int bad_usage(const char *format, const char *word)
{
	fprintf(stderr, "uswitchctl: ");
	fprintf(stderr, format, word);
	fprintf(stderr, "; see uswitchctl help\n");
	return STATUS_REFUSED;
}

static int print_usage(void)
{
	fputs(usage_text, stdout);
	return 0;
}

/* COLORFGBG ends in the background's number; 0-6 and 8 are dark. */
static bool dark_background(void)
{
	const char *colors = getenv("COLORFGBG"), *last = colors ? strrchr(colors, ';') : NULL;

	return last && last[1] && !last[2] && strchr("01234568", last[1]);
}

static int set_color(struct ctl *ctl, const char *when)
{
	if (!when || !strcmp(when, "always"))
		ctl->color = true;
	else if (!strcmp(when, "auto"))
		ctl->color = isatty(STDOUT_FILENO);
	else if (!strcmp(when, "never"))
		ctl->color = false;
	else
		return bad_usage("-color=%s is none of always, auto, never", when);
	return 0;
}

/* Acts on one option. Returns 0, or the exit status plus one to end with. */
static int take(struct ctl *ctl, enum option option, const char *value)
{
	switch (option) {
	case OPT_HELP:
		return print_usage() + 1;
	case OPT_VERSION:
		puts("uswitchctl " USWITCH_VERSION);
		return 1;
	case OPT_STATS:
		ctl->stats = true;
		break;
	case OPT_DETAILS:
		ctl->details = true;
		break;
	case OPT_ONELINE:
		ctl->oneline = true;
		break;
	case OPT_TIME:
		ctl->timestamp = true;
		break;
	case OPT_COLOR:
		return set_color(ctl, value) ? STATUS_REFUSED + 1 : 0;
	case OPT_COMPRESS:
		ctl->compress = true;
		break;
	case OPT_FORCE:
		ctl->force = true;
		break;
	case OPT_JSON:
		ctl->json = true;
		break;
	case OPT_PRETTY:
		ctl->pretty = true;
		break;
	case OPT_BATCH:
		ctl->batch = value;
		break;
	case OPT_NAME:
		ctl->name = value;
		break;
	case OPT_SOCKET:
		ctl->socket = value;
		break;
	}
	return 0;
}

/*
 * Reads the options of @argv; *@argi becomes the first word that is none. Returns as take() does.
 */
static int take_options(struct ctl *ctl, char **argv, int *argi)
{
	int ret = 0;

	for (; !ret && argv[*argi] && argv[*argi][0] == '-' && argv[*argi][1]; ++*argi) {
		const char *word = argv[*argi], *name = word + (word[1] == '-' ? 2 : 1),
			   *value = strchr(name, '=');
		size_t len = value ? (size_t)(value - name) : strlen(name), i = 0,
		       n = sizeof(options) / sizeof(options[0]);

		if (!*name) {
			++*argi;
			return 0;
		}
		while (i < n && (strncmp(options[i].name, name, len) != 0 ||
				 (value && options[i].option != OPT_COLOR)))
			i++;
		if (i == n)
			return bad_usage("option %s is unknown", word) + 1;
		if (options[i].value && !argv[++*argi])
			return bad_usage("%s needs a value", word) + 1;
		ret = take(ctl, options[i].option,
			   options[i].value ? argv[*argi]
			   : value          ? value + 1
					    : NULL);
	}
	return ret;
}

/* Makes a line of the words @argv, quoted where the switch would read something else. Free it. */
static char *join(char **argv)
{
	size_t len = 1, at = 0;
	char *line;

	for (char **word = argv; *word; word++)
		len += 2 * strlen(*word) + 3;
	line = malloc(len);
	for (char **word = argv; line && *word; word++) {
		at += words_quote(*word, line + at, len - at);
		line[at++] = ' ';
	}
	if (line)
		line[at ? at - 1 : 0] = '\0';
	return line;
}

/*
 * The switch has a folder of its own: the file of `plan FILE` gets its whole path. Returns what is
 * to be freed, or NULL.
 */
static char *find_file(char **argv)
{
	char *path = NULL;

	if (argv[0] && !strcmp(argv[0], "plan") && argv[1] && argv[1][0] != '/')
		path = realpath(argv[1], NULL);
	if (path)
		argv[1] = path;
	return path;
}

static bool is_empty(const char *line)
{
	line += strspn(line, " \t\r\n");
	return !*line || *line == '#';
}

/* Does the commands of a file, one a line. */
static int run_batch(struct ctl *ctl)
{
	bool input = !strcmp(ctl->batch, "-");
	FILE *file = input ? stdin : fopen(ctl->batch, "re");
	char *line = NULL, *where;
	size_t room = 0;
	int status = 0;

	if (!file) {
		fprintf(stderr, "uswitchctl: cannot read %s: %s\n", ctl->batch, strerror(errno));
		return STATUS_REFUSED;
	}
	for (unsigned n = 1; (!status || ctl->force) && getline(&line, &room, file) >= 0; n++) {
		int ret;

		line[strcspn(line, "\n")] = '\0';
		if (is_empty(line))
			continue;
		if (asprintf(&where, "%s:%u: ", input ? "standard input" : ctl->batch, n) < 0)
			break;
		ret = ctl_command(ctl, line, where);
		status = ret ? ret : status;
		free(where);
		fflush(stdout);
	}
	free(line);
	if (!input)
		fclose(file);
	return status;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .fd = -1 };
	int argi = 1, ret = take_options(&ctl, argv, &argi), status;
	char *line, *path;

	if (ret)
		return ret - 1;
	if (argi == argc && !ctl.batch) {
		fputs(usage_text, stderr);
		return STATUS_REFUSED;
	}
	if (argi < argc && !strcmp(argv[argi], "help"))
		return print_usage();
	if (ctl.json)
		ctl.color = false;
	ctl.dark = dark_background();
	status = ctl_connect(&ctl);
	if (status)
		return status;
	if (ctl.batch) {
		status = run_batch(&ctl);
	} else {
		path = find_file(argv + argi);
		line = join(argv + argi);
		free(path);
		status = line ? ctl_command(&ctl, line, "") : STATUS_REFUSED;
		free(line);
	}
	fclose(ctl.in);
	if (fflush(stdout) || ferror(stdout))
		status = status ? status : STATUS_REFUSED;
	return status;
}
