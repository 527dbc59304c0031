// SPDX-License-Identifier: MIT
/*
 * The differential test: the same random programs on a kernel bridge and on uswitch. See README.md.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "tests/diff/run.h"

#define SHRINK_S 30
#define PATIENCE_MAX 8
#define SHOWN_UNITS 60

struct options {
	uint64_t seed;
	unsigned programs, frames;
	const char *sides, *only, *ignore, *uswitch;
	bool careful, no_ageing, no_host, vlans, print, self_test;
};

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "programs", required_argument, NULL, 'p' },
	{ "frames", required_argument, NULL, 'f' },
	{ "sides", required_argument, NULL, 'S' },
	{ "only", required_argument, NULL, 'o' },
	{ "ignore", required_argument, NULL, 'i' },
	{ "uswitch", required_argument, NULL, 'u' },
	{ "careful", no_argument, NULL, 'c' },
	{ "no-ageing", no_argument, NULL, 'a' },
	{ "no-host", no_argument, NULL, 'H' },
	{ "print", no_argument, NULL, 'P' },
	{ "self-test", no_argument, NULL, 't' },
	{ "vlans", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: diff [options]    as root, or under unshare -Urn\n"
	"  --seed N       seed of the first program, the next has N + 1 (1)\n"
	"  --programs N   how many (60)\n"
	"  --frames N     frames a program (400)\n"
	"  --sides A,B    kernel, packet, tap, backend: the first is what the others are compared with (kernel,packet)\n"
	"  --uswitch PATH the program under test (build/uswitch)\n"
	"  --only LIST    only these units of the program: 3,7,10-12\n"
	"  --careful      frame by frame\n"
	"  --no-ageing    no short ageing times; --no-host no host port\n"
	"  --vlans        with VLANs, on a kernel whose bridge filters them\n"
	"  --print        print the program, do not run it\n"
	"  --self-test    the test of the test: kernel against kernel, whole and with commands ignored\n"
	"  --ignore TEXT  the last side ignores commands that contain TEXT\n";

static bool read_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (c) {
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			o->programs = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'f':
			o->frames = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'S':
			o->sides = optarg;
			break;
		case 'o':
			o->only = optarg;
			break;
		case 'i':
			o->ignore = optarg;
			break;
		case 'u':
			o->uswitch = optarg;
			break;
		case 'c':
			o->careful = true;
			break;
		case 'a':
			o->no_ageing = true;
			break;
		case 'H':
			o->no_host = true;
			break;
		case 'v':
			o->vlans = true;
			break;
		case 'P':
			o->print = true;
			break;
		case 't':
			o->self_test = true;
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

static unsigned kernel_version(void)
{
	struct utsname name;
	unsigned major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%u.%u", &major, &minor);
	return major * 1000 + minor;
}

/* ---- sides ---- */

static void close_sides(struct run *r)
{
	while (r->n_sides) {
		struct side *s = r->side[--r->n_sides];

		side_close(s);
		free(s);
	}
}

static int open_sides(struct run *r, const struct options *o, const char *list)
{
	static const char *const words[] = { "kernel", "packet", "tap", "backend" };
	int error = 0;

	while (*list && !error) {
		size_t len = strcspn(list, ",");
		unsigned kind = 0;
		struct side *s;

		while (kind < 4 && (strlen(words[kind]) != len || strncmp(words[kind], list, len)))
			kind++;
		if (kind == 4 || r->n_sides == SIDES_MAX)
			return -EINVAL;
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		r->side[r->n_sides++] = s;
		error = side_open(s, (enum side_kind)kind, o->uswitch);
		list += len + (list[len] == ',');
	}
	return error ? error : r->n_sides < 2 ? -EINVAL : 0;
}

/* One queue for all that we send: see pass_mark(). */
static void stay_on_this_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* ---- one program ---- */

static enum result run_patiently(struct run *r, const struct program *p, const bool *skip)
{
	enum result result = RUN_SLOW;

	for (r->patience = 1; r->patience <= PATIENCE_MAX && result == RUN_SLOW; r->patience *= 2)
		result = run_program(r, p, skip);
	r->patience /= 2; /* for shrinking */
	return result;
}

static void print_units(const struct program *p, const bool *skip, unsigned most)
{
	unsigned shown = 0;
	char text[256];

	printf("  %u ports%s\n", p->n_ports, p->host ? " and br0" : "");
	for (unsigned i = 1; i <= p->n_ports; i++)
		printf("    p%u has MTU %u, h%u has %u\n", i, p->mtu[i], i, p->far_mtu[i]);
	for (unsigned i = 0; i < p->n_units; i++) {
		const struct unit *u = &p->unit[i];

		if (skip && skip[i])
			continue;
		if (++shown > most) {
			printf("  ...\n");
			return;
		}
		printf("  %4u  %s\n", i,
		       u->is_frame ? frame_print(&u->frame, text, sizeof(text))
				   : command_print(&u->command, text, sizeof(text)));
	}
}

static void print_only(const struct program *p, const bool *skip)
{
	const char *comma = "";

	for (unsigned i = 0; i < p->n_units; i++) {
		unsigned last = i;

		if (skip[i])
			continue;
		while (last + 1 < p->n_units && !skip[last + 1])
			last++;
		printf(last > i ? "%s%u-%u" : "%s%u", comma, i, last);
		comma = ",";
		i = last;
	}
	printf("\n");
}

static void read_only(const char *list, bool *skip, unsigned n)
{
	memset(skip, true, n);
	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long i = first; i <= last && i < n; i++)
			skip[i] = false;
		list = end + (*end != 0);
	}
}

/* Leaves units out, in ever smaller chunks, as long as the program still shows a difference. */
static void shrink(struct run *r, const struct program *p, bool *skip)
{
	bool *tried = calloc(p->n_units, sizeof(*tried));
	time_t end = time(NULL) + SHRINK_S;

	for (unsigned chunk = p->n_units / 2; tried && chunk; chunk /= 2) {
		for (unsigned at = 0; at < p->n_units && time(NULL) < end; at += chunk) {
			unsigned n = p->n_units - at < chunk ? p->n_units - at : chunk, left = 0;

			memcpy(tried, skip, p->n_units * sizeof(*tried));
			for (unsigned i = at; i < at + n; i++) {
				left += !tried[i];
				tried[i] = true;
			}
			if (left && run_program(r, p, tried) == RUN_DIFFERENT)
				memcpy(skip, tried, p->n_units * sizeof(*skip));
		}
	}
	free(tried);
}

static void report(struct run *r, const struct options *o, const struct program *p, bool *skip)
{
	unsigned left = 0;

	printf("%s", r->report);
	if (!o->only)
		shrink(r, p, skip);
	for (unsigned i = 0; i < p->n_units; i++)
		left += !skip[i];
	if (!o->only && run_program(r, p, skip) == RUN_DIFFERENT)
		printf("the same, with %u of %u units:\n%s", left, p->n_units, r->report);
	print_units(p, skip, SHOWN_UNITS);
	printf("replay with: diff --sides %s --frames %u%s%s%s --programs 1 --seed %llu --only ",
	       o->sides, o->frames, o->no_ageing ? " --no-ageing" : "",
	       o->no_host ? " --no-host" : "", o->vlans ? " --vlans" : "",
	       (unsigned long long)p->seed);
	print_only(p, skip);
}

static enum result one_program(struct run *r, const struct options *o, uint64_t seed, bool quiet)
{
	struct limits limits = { .n_frames = o->frames,
				 .taps = strstr(o->sides, "tap"),
				 .host_port = !o->no_host,
				 .ageing = !o->no_ageing,
				 .vlans = o->vlans,
				 .kernel = kernel_version() };
	enum result result = RUN_BROKEN;
	struct program p;
	bool *skip;

	if (program_make(&p, seed, &limits))
		return RUN_BROKEN;
	skip = calloc(p.n_units, sizeof(*skip));
	if (skip && o->only)
		read_only(o->only, skip, p.n_units);
	if (skip && o->print) {
		print_units(&p, skip, UINT_MAX);
		result = RUN_SAME;
	} else if (skip) {
		result = run_patiently(r, &p, skip);
		if (result == RUN_DIFFERENT && !quiet)
			report(r, o, &p, skip);
		else if (result == RUN_BROKEN)
			printf("seed %llu: %s", (unsigned long long)seed, r->report);
	}
	free(skip);
	program_free(&p);
	return result;
}

/* ---- the test, and the test of the test ---- */

static int run_all(struct run *r, const struct options *o)
{
	static const char *const why[] = { "", "they differ", "the machine is too slow",
					   "a side is broken" };
	enum result result = RUN_SAME;
	time_t start = time(NULL);
	unsigned i = 0;

	while (i < o->programs && result == RUN_SAME)
		result = one_program(r, o, o->seed + i++, false);
	if (result == RUN_SAME) {
		printf("PASS diff%s %s programs=%u frames=%u seconds=%ld\n",
		       o->vlans ? "-vlans" : "", o->sides, i, r->frames,
		       (long)(time(NULL) - start));
		return 0;
	}
	printf("FAIL diff%s %s seed=%llu %s\n", o->vlans ? "-vlans" : "", o->sides,
	       (unsigned long long)(o->seed + i - 1), why[result]);
	return 1;
}

/*
 * Two kernel bridges must be equal; with commands that contain one of these ignored by the second
 * they must not.
 */
static int self_test(struct run *r, struct options *o)
{
	static const char *const ignored[] = {
		" learning ",
		" flood ",
		" mcast_flood ",
		" bcast_flood ",
		" hairpin ",
		" isolated ",
		" priority ",
		" cost ",
		" locked ",
		" mab ",
		" state ",
		" backup_port ",
		"p1 group_fwd_mask",
		"set group_fwd_mask",
		" dynamic",
		" static",
		" local",
		" sticky",
		" extern_learn",
		"fdb del",
		"fdb flush",
		" mtu ",
		" address ",
		" promisc ",
		"no_linklocal_learn",
		"fdb_max_learned",
		"ageing_time 64cs",
		"ageing_time 0",
		"link del",
	};
	static const char *const ignored_vlans[] = {
		" pvid",         " untagged",         "vlan add",
		"vlan del",      "vlan set",          "state blocking",
		"fdb del",       "fdb flush",         "vlan_filtering 0",
		"vlan_protocol", "vlan_default_pvid", "link del",
	};
	const char *const *list = o->vlans ? ignored_vlans : ignored;
	unsigned n_list =
		(unsigned)(o->vlans ? sizeof(ignored_vlans) : sizeof(ignored)) / sizeof(ignored[0]);
	int failed = run_all(r, o);

	for (unsigned i = 0; i < n_list; i++) {
		enum result result = RUN_SAME;
		unsigned n = 0;

		r->side[r->n_sides - 1]->ignore = list[i];
		while (n < 40 && result == RUN_SAME)
			result = one_program(r, o, o->seed + n++, true);
		printf("%s diff-catches \"%s\" ignored, in program %u\n",
		       result == RUN_DIFFERENT ? "PASS" : "FAIL", list[i], n);
		failed |= result != RUN_DIFFERENT;
	}
	return failed;
}

int main(int argc, char **argv)
{
	struct options o = { .seed = 1, .programs = 60, .frames = 400, .uswitch = "build/uswitch" };
	static struct run run;
	int error, status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_options(argc, argv, &o)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!o.sides)
		o.sides = o.self_test ? "kernel,kernel" : "kernel,packet";
	if (o.print)
		return one_program(&run, &o, o.seed, false) != RUN_SAME;
	error = open_sides(&run, &o, o.sides);
	if (error == -EPERM) {
		printf("SKIP diff needs root, or unshare -Urn\n");
		return 77;
	}
	if (error)
		return 1;
	if (o.ignore)
		run.side[run.n_sides - 1]->ignore = o.ignore;
	run.careful = o.careful;
	stay_on_this_cpu();
	status = o.self_test ? self_test(&run, &o) : run_all(&run, &o);
	close_sides(&run);
	return status;
}
