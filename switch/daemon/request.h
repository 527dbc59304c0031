/* SPDX-License-Identifier: MIT */
/*
 * request: one line from a control client, done.
 *
 * Options first (-s -d -compressvlans; those that only matter to a terminal are passed over), then
 * a command. A command that configures edits a copy of the wanted configuration, and the whole copy
 * is applied or nothing is. The answer is {"ok":true,"result":...} or
 * {"ok":false,"error":sentence,"errno":name}; "show" says how uswitchctl is to lay out a result,
 * "status" which exit status it is to have if not 255. Called by control.c.
 */
#ifndef SWITCH_DAEMON_REQUEST_H
#define SWITCH_DAEMON_REQUEST_H

#include "switch/daemon/text.h"
#include "switch/daemon/walk.h"

struct daemon;

enum request_next {
	REQUEST_DONE,    /* the answer is complete */
	REQUEST_WALK,    /* it has begun and @walk goes on */
	REQUEST_MONITOR, /* it is complete; events of @news follow */
	REQUEST_STOP,    /* it is complete; end the process when it is sent */
};

/*
 * Does the @len bytes at @line, which is changed and has room for one more. @fd, the descriptor
 * that came with it or -1, is taken over or closed. Appends the answer, or its beginning, to @out.
 * @walk is zeroed before.
 */
enum request_next request_run(struct daemon *d, char *line, size_t len, int fd, struct text *out,
			      struct walk *walk, unsigned *news);

/* Appends the answer for a line that was refused for @code (-errno) with @sentence. */
void request_refuse(struct text *out, int code, const char *sentence);

#endif
