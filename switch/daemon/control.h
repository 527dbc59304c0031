/* SPDX-License-Identifier: MIT */
/*
 * control: the control socket: who is connected, lines in, answers out.
 *
 * A line of at most 64 KiB is one command (request.h), answered by one line of JSON; `monitor` is
 * answered by a line for each event from then on. The surprising rule: nobody waits for a client.
 * Long answers are made in small steps, one a turn of the loop, and pause while 256 KiB wait to be
 * read; who takes nothing for ten seconds is closed, a monitor loses events instead. At most 16
 * clients. Made and freed by main.c; main thread.
 */
#ifndef SWITCH_DAEMON_CONTROL_H
#define SWITCH_DAEMON_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ports/error.h"

struct control;
struct daemon;

/*
 * Listens on d->options.socket, with mode 0600, or 0660 and group d->options.group. A socket that
 * nobody serves any more is taken over. Returns NULL with a sentence in @err: a live switch has it,
 * a file of another kind is there, no permission.
 */
struct control *control_open(struct daemon *d, struct error *err);

/* Closes every client and removes the socket; accepts NULL. */
void control_close(struct control *c);

/* What a monitor can ask for. */
enum control_news { NEWS_FDB = 1 << 0, NEWS_LINK = 1 << 1, NEWS_VLAN = 1 << 2 };
#define NEWS_ALL 7u

/*
 * Returns whether some monitor wants to hear of @news now. Entries come as fast as frames, so of
 * NEWS_FDB there are at most 64 a millisecond of @now; the rest counts as lost.
 */
bool control_wanted(struct control *c, enum control_news news, uint64_t now);
/* Sends the line @text (@len bytes, its newline included) to those who do. */
void control_publish(struct control *c, enum control_news news, const char *text, size_t len);

/*
 * The ports have other numbers now. An answer on its way that goes by them ends unfinished, with
 * its connection.
 */
void control_renumber(struct control *c);

/* Every monitor missed events that nobody could count. */
void control_lost(struct control *c);

/*
 * The names of ports by number, as last seen: those of deleted ports stay until the number is used
 * again.
 */
struct names *control_names(const struct control *c);

#endif
