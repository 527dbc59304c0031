/* SPDX-License-Identifier: MIT */
/*
 * request_private: what the files that do requests share.
 *
 * request.c reads a line and does it, request_fdb.c has the commands of the address table. The
 * surprising rule: who returns -errno has answered nothing; request_run() then answers with the
 * sentence. Included by these two alone.
 */
#ifndef SWITCH_DAEMON_REQUEST_PRIVATE_H
#define SWITCH_DAEMON_REQUEST_PRIVATE_H

#include "switch/command.h"
#include "switch/daemon/request.h"

/* One line on its way. */
struct request {
	struct daemon *daemon;
	struct command command;
	struct show how;
	int fd; /* that came with it, -1 = none */
	struct text *out;
	struct walk *walk;
	unsigned news;
	int status; /* exit status of a refusal, 0 = the usual one */
	enum request_next next;
};

/* Answers with @result, laid out as @show says; or that all is well. */
void request_answer(struct request *r, const char *show, json_t *result);
void request_answer_ok(struct request *r);

/*
 * Edits a copy of the configuration with @cmd and applies the whole of it. Returns 0 or -errno with
 * a sentence.
 */
int request_configure(struct request *r, const struct command *cmd, struct error *err);

/*
 * Finds the port that `dev` means and its @number; NULL and PORT_NONE when none was given. Returns
 * 0 or -errno with a sentence.
 */
int request_bind_port(struct request *r, struct model_port **port, uint16_t *number,
		      struct error *err);
/*
 * The same for commands that only look: also the port of a guest, which is no part of the
 * configuration, so that *@port is NULL.
 */
int request_bind(struct request *r, struct model_port **port, uint16_t *number, struct error *err);

/* The commands `fdb add`, ... Each returns 0 or -errno with a sentence. */
int request_fdb_add(struct request *r, struct error *err);
int request_fdb_del(struct request *r, struct error *err);
int request_fdb_flush(struct request *r, struct error *err);
int request_fdb_show(struct request *r, struct error *err);
int request_fdb_get(struct request *r, struct error *err);

#endif
