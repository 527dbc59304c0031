/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "switch/command.h"
#include "switch/words.h"
#include "tools/uswitchctl/ctl.h"

#define HEAD_MAX 256

static int lost_switch(const char *where)
{
	fflush(stdout);
	fprintf(stderr, "%sthe switch closed the connection\n", where);
	return STATUS_REFUSED;
}

/* Returns N of `link add fd:N`, whose descriptor goes with the line; -1 for anything else. */
static int passed_fd(const char *line)
{
	char *copy = strdup(line);
	struct words words;
	struct command cmd = { .spec = NULL };
	int fd = -1;

	if (copy && !words_split(copy, strlen(copy), &words, NULL) &&
	    !command_parse(words.n, words.word, &cmd, NULL) && cmd.op == COMMAND_LINK_ADD)
		sscanf(cmd.spec, "fd:%9d", &fd);
	free(copy);
	return fd;
}

/* Sends the @len bytes at @text, and the descriptor @fd with them unless that is -1. */
static ssize_t send_with(int sock, char *text, size_t len, int fd)
{
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = "" };
	struct iovec iov = { text, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/*
 * Sends @line with the options that change what the switch answers, and with the descriptor @fd
 * unless that is -1.
 */
static int send_line(const struct ctl *ctl, const char *line, int fd)
{
	char *text;
	int len = asprintf(&text, "%s%s%s%s\n", ctl->stats ? "-stats " : "",
			   ctl->details ? "-details " : "", ctl->compress ? "-compressvlans " : "",
			   line);
	ssize_t sent = 0;

	if (len < 0)
		return -ENOMEM;
	for (int at = 0; at < len && sent >= 0; at += (int)sent)
		sent = send_with(ctl->fd, text + at, (size_t)(len - at), at ? -1 : fd);
	free(text);
	return sent < 0 ? -errno : 0;
}

/*
 * Reads the beginning of an answer into @head (HEAD_MAX bytes): up to and with "result":, or the
 * whole line without its newline. Returns false when the connection ends first.
 */
static bool read_head(FILE *in, char *head, bool *result)
{
	static const char key[] = "\"result\":";
	size_t len = 0, end = sizeof(key) - 1;
	int c;

	*result = false;
	while (len < HEAD_MAX - 1 && (c = getc(in)) != EOF && c != '\n') {
		head[len++] = (char)c;
		head[len] = '\0';
		*result = !strncmp(head, "{\"ok\":true", 10) && len > end &&
			  !strcmp(head + len - end, key);
		if (*result)
			return true;
		if (!strncmp(head, "{\"ok\":false", 11))
			return true;
	}
	head[len] = '\0';
	return len && !feof(in) && !ferror(in);
}

/* Prints an array while it arrives: tables may be long. */
static int print_array(const struct ctl *ctl, const char *show, const char *where)
{
	bool first = true;
	int c;

	if (ctl->json)
		ctl_json_open(ctl);
	while ((c = getc(ctl->in)) != ']') {
		json_t *element;

		if (c != ',')
			ungetc(c, ctl->in);
		element = c == EOF ? NULL
				   : json_loadf(ctl->in, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY,
						NULL);
		if (!element) {
			if (ctl->json)
				putchar('\n');
			return lost_switch(where);
		}
		if (ctl->json)
			ctl_json_element(ctl, element, first);
		else
			ctl_text(ctl, show, element);
		first = false;
		json_decref(element);
	}
	if (ctl->json) {
		ctl_json_close(ctl, first);
		putchar('\n');
	}
	return 0;
}

static int print_value(const struct ctl *ctl, const char *show, const char *where)
{
	json_t *value = json_loadf(ctl->in, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, NULL);

	if (!value)
		return lost_switch(where);
	if (ctl->json) {
		ctl_json(ctl, value, 0);
		putchar('\n');
	} else {
		ctl_text(ctl, show, value);
	}
	json_decref(value);
	return 0;
}

static void skip_line(FILE *in)
{
	int c;

	while ((c = getc(in)) != EOF && c != '\n')
		;
}

/* What follows a head that ends in "result":. */
static int print_result(const struct ctl *ctl, const char *show, const char *where)
{
	int c = getc(ctl->in), status;

	if (!ctl->json)
		ctl_text_head(ctl, show);
	if (c == '[') {
		status = print_array(ctl, show, where);
	} else {
		ungetc(c, ctl->in);
		status = print_value(ctl, show, where);
	}
	skip_line(ctl->in);
	return status;
}

/*
 * Says why the switch refused; the rest of its answer is still to be read. Returns the exit status.
 */
static int print_refusal(FILE *in, const char *head, const char *where)
{
	char *rest = NULL, *line = NULL;
	size_t room = 0;
	json_t *answer = NULL;
	const char *sentence;
	int status = STATUS_REFUSED;

	if (getline(&rest, &room, in) >= 0 && asprintf(&line, "%s%s", head, rest) >= 0)
		answer = json_loads(line, 0, NULL);
	sentence = json_string_value(json_object_get(answer, "error"));
	if (!sentence) {
		status = lost_switch(where);
	} else {
		fflush(stdout);
		fprintf(stderr, "%s%s\n", where, sentence);
		if (json_object_get(answer, "status"))
			status = (int)json_integer_value(json_object_get(answer, "status"));
	}
	json_decref(answer);
	free(line);
	free(rest);
	return status;
}

static json_t *add_time(json_t *event)
{
	char text[64];
	json_t *o = json_pack("{s:s}", "timestamp", ctl_time(text, sizeof(text)));

	if (o)
		json_object_update(o, event);
	json_decref(event);
	return o;
}

/* Prints events until the switch ends. */
static int print_events(struct ctl *ctl)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, ctl->in) >= 0) {
		json_t *event = json_loads(line, 0, NULL);

		if (event && ctl->json && ctl->timestamp)
			event = add_time(event);
		if (event && ctl->json) {
			ctl_json(ctl, event, 0);
			putchar('\n');
		} else if (event) {
			ctl_text_event(ctl, event);
		}
		json_decref(event);
		fflush(stdout);
	}
	free(line);
	return 0;
}

/* Copies the layout that @head names to @show. */
static void find_show(const char *head, char *show, size_t size)
{
	const char *at = strstr(head, "\"show\":\"");

	snprintf(show, size, "%.*s", at ? (int)strcspn(at + 8, "\"") : 0, at ? at + 8 : "");
}

int ctl_command(struct ctl *ctl, const char *line, const char *where)
{
	char head[HEAD_MAX], show[32];
	int fd = passed_fd(line);
	bool result;

	if (fd >= 0 && fcntl(fd, F_GETFD) != 0) { /* our own are close-on-exec */
		fprintf(stderr, "%sthere is no descriptor %d to hand over\n", where, fd);
		return STATUS_REFUSED;
	}
	/* a switch that turns a client away says so before it closes */
	send_line(ctl, line, fd);
	if (!read_head(ctl->in, head, &result))
		return lost_switch(where);
	if (!strncmp(head, "{\"ok\":false", 11))
		return print_refusal(ctl->in, head, where);
	find_show(head, show, sizeof(show));
	if (result)
		return print_result(ctl, show, where);
	ctl->labels = !strcmp(show, "monitor all");
	fflush(stdout);
	return !strncmp(show, "monitor", 7) ? print_events(ctl) : 0;
}
