// SPDX-License-Identifier: MIT
/* uswitch as a side: the process, and its control socket. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/diff/json.h"
#include "tests/diff/side.h"

#define START_MS 5000
#define ANSWER_MS 5000
#define WAIT_MS 3000

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void pause_us(long us)
{
	nanosleep(&(struct timespec){ 0, us * 1000 }, NULL);
}

/* ---- the process ---- */

static void exec_uswitch(struct side *s)
{
	const char *argv[2 * PORTS + 16] = { s->uswitch, "-n",         "br0", "-S",
					     s->socket,  "--fdb-size", "4096" };
	char ports[PORTS][32];
	unsigned n = 7;
	int log = open(s->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	for (unsigned i = 0; i < s->program->n_ports; i++) {
		if (s->kind == SIDE_TAP)
			snprintf(ports[i], sizeof(ports[i]), "tap:p%u,mtu=%u", i + 1,
				 s->program->mtu[i + 1]);
		else
			snprintf(ports[i], sizeof(ports[i]), "packet:p%u", i + 1);
		argv[n++] = "-p";
		argv[n++] = ports[i];
	}
	if (s->kind == SIDE_BACKEND) {
		argv[n++] = "-b";
		argv[n++] = "kernel";
	}
	if (s->program->host) {
		argv[n++] = "-l";
		argv[n++] = "br0";
	}
	dup2(log, 1);
	dup2(log, 2);
	execv(s->uswitch, (char *const *)(uintptr_t)argv);
	fprintf(stderr, "%s: %s\n", s->uswitch, strerror(errno));
	_exit(127);
}

static int connect_to(struct side *s)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", s->socket);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&un, sizeof(un))) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static void show_log(const struct side *s)
{
	char line[512];
	FILE *f = fopen(s->log, "r");

	while (f && fgets(line, sizeof(line), f))
		fprintf(stderr, "  %s: %s", s->name, line);
	if (f)
		fclose(f);
}

static int start_process(struct side *s)
{
	uint64_t end = now_ms() + START_MS;
	int status;

	snprintf(s->socket, sizeof(s->socket), "/tmp/uswitch-diff.%d.%s.sock", getpid(), s->name);
	snprintf(s->log, sizeof(s->log), "/tmp/uswitch-diff.%d.%s.log", getpid(), s->name);
	unlink(s->socket);
	s->pid = fork();
	if (s->pid < 0)
		return -errno;
	if (!s->pid)
		exec_uswitch(s);
	do {
		s->control = connect_to(s);
		if (s->control >= 0)
			return 0;
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->pid = 0;
			break;
		}
		pause_us(2000);
	} while (now_ms() < end);
	show_log(s);
	return -ECHILD;
}

/* ---- the control socket ---- */

/*
 * Sends @text and reads the line that answers it into s->line. Returns 0 or -errno of the
 * transport.
 */
static int ask(struct side *s, const char *text)
{
	struct pollfd pfd = { .fd = s->control, .events = POLLIN };
	size_t len = 0;

	if (send(s->control, text, strlen(text), MSG_NOSIGNAL) < 0 ||
	    send(s->control, "\n", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	for (;;) {
		ssize_t n;

		if (s->line_room - len < 65536) {
			char *line = realloc(s->line, s->line_room + 131072);

			if (!line)
				return -ENOMEM;
			s->line = line;
			s->line_room += 131072;
		}
		if (poll(&pfd, 1, ANSWER_MS) <= 0)
			return -ETIMEDOUT;
		n = recv(s->control, s->line + len, s->line_room - len - 1, 0);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		len += (size_t)n;
		s->line[len] = 0;
		if (s->line[len - 1] == '\n')
			return 0;
	}
}

/* Asks, and returns the result in *@result; or the error that the switch answered. */
static int query(struct side *s, const char *text, const char **result)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {
		{ "EEXIST", EEXIST },         { "ENOENT", ENOENT }, { "EINVAL", EINVAL },
		{ "EPERM", EPERM },           { "ENODEV", ENODEV }, { "ENETDOWN", ENETDOWN },
		{ "EBUSY", EBUSY },           { "ERANGE", ERANGE }, { "ENOSPC", ENOSPC },
		{ "EOPNOTSUPP", EOPNOTSUPP }, { "ELOOP", ELOOP },
	};
	int error = ask(s, text);

	if (error)
		return error;
	*result = json_get(s->line, "result");
	if (json_number(json_get(s->line, "ok")))
		return 0;
	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (json_is(json_get(s->line, "errno"), errors[i].name))
			return -errors[i].number;
	fprintf(stderr, "%s: %s: %s", s->name, text, s->line);
	return -EIO;
}

/* ---- starting and stopping ---- */

static void index_taps(struct side *s)
{
	for (unsigned i = 1; i <= s->program->n_ports && s->kind == SIDE_TAP; i++) {
		char name[8];

		snprintf(name, sizeof(name), "p%u", i);
		s->index_p[i] = s->index_h[i] = (int)if_nametoindex(name);
	}
	s->index_p[0] = s->index_h[0] =
		s->program->host || s->kind == SIDE_BACKEND ? (int)if_nametoindex("br0") : 0;
}

int uswitch_start(struct side *s)
{
	int error = start_process(s);
	const char *result;

	/* As on the kernel's side: no VLANs that an entry added without one would also go into. */
	if (!error && !s->program->vlans)
		error = query(s, "set vlan_default_pvid 0", &result);
	if (error)
		return error;
	index_taps(s);
	if (s->index_p[0]) {
		error = nl_mac(&s->nl, s->index_p[0], HOST_MAC);
		error = error ? error : nl_mtu(&s->nl, s->index_p[0], s->program->mtu[0]);
		error = error ? error : nl_flags(&s->nl, s->index_p[0], IFF_UP, IFF_UP);
	}
	return error;
}

void uswitch_stop(struct side *s)
{
	int status = 0;

	if (s->control >= 0)
		close(s->control);
	s->control = -1;
	if (s->pid > 0) {
		kill(s->pid, SIGTERM);
		waitpid(s->pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			fprintf(stderr, "%s: ended with status %x\n", s->name, status);
			show_log(s);
		}
	}
	s->pid = 0;
	unlink(s->socket);
	unlink(s->log);
}

int uswitch_words(struct side *s, const char *text)
{
	const char *result;

	return query(s, text, &result);
}

int uswitch_command(struct side *s, const struct command *c)
{
	char text[128];

	return uswitch_words(s, command_print(c, text, sizeof(text)));
}

/* Waits until the switch has counted all frames that reached its ports. */
int uswitch_wait(struct side *s, const uint64_t arrived[PORTS + 1])
{
	uint64_t end = now_ms() + WAIT_MS;

	for (unsigned i = 0; i <= s->program->n_ports; i++) {
		char text[32] = "stats dev br0";
		const char *result;
		int error;

		if (!arrived[i])
			continue;
		if (i)
			snprintf(text, sizeof(text), "stats dev p%u", i);
		s->counted[i] += arrived[i];
		do {
			uint64_t rx;

			error = query(s, text, &result);
			if (error)
				return error;
			rx = json_number(
				json_get(json_first(json_get(result, "ports")), "rx_packets"));
			if (rx >= s->counted[i]) {
				s->counted[i] = rx;
				break;
			}
			pause_us(50);
		} while (now_ms() < end);
		if (now_ms() >= end) {
			fprintf(stderr, "%s: p%u: %llu frames arrived, it says: %s", s->name, i,
				(unsigned long long)s->counted[i], s->line);
			return -ETIMEDOUT;
		}
	}
	return 0;
}

static uint64_t read_mac(const char *value)
{
	uint64_t mac = 0;

	for (unsigned i = 0; value && i < 6; i++)
		mac = mac << 8 | (unsigned)strtoul(value + 1 + 3 * i, NULL, 16);
	return mac;
}

static uint8_t read_port(const char *value)
{
	return value && value[1] == 'p' ? (uint8_t)(value[2] - '0') : 0;
}

int uswitch_fdb(struct side *s, struct entry *entries, unsigned max)
{
	const char *result, *row;
	unsigned n = 0;
	int error = query(s, "fdb show", &result);

	if (error)
		return error;
	for (row = json_first(result); row && n < max; row = json_next(row)) {
		const char *state = json_get(row, "state"), *flags = json_get(row, "flags");
		struct entry *e = &entries[n++];

		e->mac = read_mac(json_get(row, "mac"));
		e->vid = (uint16_t)json_number(json_get(row, "vlan"));
		e->port = read_port(json_get(row, "ifname"));
		e->flags = json_is(state, "permanent") ? KIND_LOCAL
			   : json_is(state, "static")  ? KIND_STATIC
						       : KIND_DYNAMIC;
		e->flags |= json_has(flags, "sticky") ? WITH_STICKY : 0;
		e->flags |= json_has(flags, "extern_learn") ? WITH_EXT_LEARN : 0;
		e->flags |= json_has(flags, "locked") ? WITH_LOCKED : 0;
	}
	return (int)n;
}

static int state_number(const char *value)
{
	static const char *const words[] = { "disabled", "listening", "learning", "forwarding",
					     "blocking" };

	for (int i = 0; i < 5; i++)
		if (json_is(value, words[i]))
			return i;
	return -1;
}

int uswitch_vlans(struct side *s, struct vlan_entry *entries, unsigned max)
{
	const char *result, *port, *row;
	unsigned n = 0;
	int error = query(s, "-details vlan show", &result);

	for (port = error ? NULL : json_first(result); port; port = json_next(port))
		for (row = json_first(json_get(port, "vlans")); row; row = json_next(row)) {
			const char *flags = json_get(row, "flags"),
				   *last = json_get(row, "vlanEnd");
			struct vlan_entry e = { .port = read_port(json_get(port, "ifname")),
						.vid = (uint16_t)json_number(
							json_get(row, "vlan")) };

			e.state = (uint8_t)state_number(json_get(row, "state"));
			e.flags = (json_has(flags, "PVID") ? VLAN_PVID : 0) |
				  (json_has(flags, "Egress Untagged") ? VLAN_UNTAGGED : 0);
			for (unsigned end = last ? (unsigned)json_number(last) : e.vid;
			     e.vid <= end && n < max; e.vid++)
				entries[n++] = e;
		}
	return error ? error : (int)n;
}

static uint64_t read_setting(const char *port, const struct setting *row)
{
	const char *value = json_get(port, row->name);

	return row->attr == IFLA_BRPORT_BACKUP_PORT ? read_port(value) : json_number(value);
}

int uswitch_ports(struct side *s, struct port_state ports[PORTS + 1])
{
	const char *result, *row;
	int error = query(s, "-d link show", &result);

	for (row = error ? NULL : json_first(result); row; row = json_next(row)) {
		unsigned port = read_port(json_get(row, "ifname"));

		if (!port || port > PORTS)
			continue;
		ports[port] =
			(struct port_state){ .attached = true,
					     .state = state_number(json_get(row, "state")),
					     .mtu = (uint32_t)json_number(json_get(row, "mtu")) };
		for (unsigned i = 0; i < n_settings; i++)
			ports[port].setting[i] = read_setting(row, &settings[i]);
	}
	return error;
}
