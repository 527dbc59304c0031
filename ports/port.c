/* SPDX-License-Identifier: MIT */
#include "ports/port.h"

#include <string.h>
#include <unistd.h>

#include "ports/kinds.h"

#define HELP_COLUMN 26
#define HELP_WIDTH 100

const struct port_ops *const port_kinds[] = {
	&tap_ops,   &fd_ops,  &packet_ops, &vhost_user_ops, &stream_ops,
	&dgram_ops, &vde_ops, &pcap_ops,   &mem_ops,        NULL,
};

const struct port_ops *port_kind(const char *kind)
{
	for (unsigned i = 0; port_kinds[i]; i++)
		if (!strcmp(port_kinds[i]->kind, kind))
			return port_kinds[i];
	return NULL;
}

int port_spec_parse(const char *text, struct port_spec *spec, struct error *err)
{
	return port_spec_parse_kinds(text, port_kinds, spec, err);
}

void port_discard(const struct port *port, int fd)
{
	if (port->host->discard)
		port->host->discard(port->host->ctx, fd);
	else
		close(fd);
}

/* Prints @word in the left column and @help, broken at blanks, in the right one. */
static void print_help_line(FILE *out, int indent, const char *word, const char *help)
{
	int at = fprintf(out, "%*s%-*s", indent, "", HELP_COLUMN - indent - 2, word);
	size_t len;

	if (at > HELP_COLUMN - 2) {
		fputc('\n', out);
		at = 0;
	}
	at += fprintf(out, "%*s", HELP_COLUMN - at, "");
	for (; *help; help += len) {
		while (*help == ' ')
			help++;
		len = strcspn(help, " ");
		if (at > HELP_COLUMN && at + 1 + (int)len > HELP_WIDTH)
			at = fprintf(out, "\n%*s", HELP_COLUMN, "") - 1;
		at += fprintf(out, "%s%.*s", at > HELP_COLUMN ? " " : "", (int)len, help);
	}
	fputc('\n', out);
}

static void print_options(FILE *out, const struct port_option *options)
{
	char word[64] = "";

	for (const struct port_option *o = options; o && o->name; o++) {
		switch (o->type) {
		case PORT_OPT_FLAG:
			snprintf(word, sizeof(word), "%s[=on|off]", o->name);
			break;
		case PORT_OPT_NUMBER:
			snprintf(word, sizeof(word), "%s=N", o->name);
			break;
		case PORT_OPT_TEXT:
			snprintf(word, sizeof(word), "%s=%s", o->name,
				 o->words ? o->words : "TEXT");
			break;
		}
		print_help_line(out, 6, word, o->help);
	}
}

void port_help_print(FILE *out)
{
	char word[64];

	print_help_line(
		out, 2, "NAME",
		"the interface of that name: a new or free one becomes a tap port, any other "
		"a packet port");
	for (unsigned i = 0; port_kinds[i]; i++) {
		const struct port_ops *ops = port_kinds[i];

		snprintf(word, sizeof(word), "%s:%s", ops->kind, ops->address ? ops->address : "");
		print_help_line(out, 2, word, ops->help);
		print_options(out, ops->options);
	}
	fputs("  every port\n", out);
	print_options(out, port_common_options);
}
