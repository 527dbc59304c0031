/* SPDX-License-Identifier: MIT */
#include "switch/daemon/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fdb/mac.h"
#include "switch/command.h"
#include "switch/daemon/control.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/drift.h"
#include "switch/daemon/loop.h"
#include "switch/words.h"

#define STATUS_NOT_FOUND 254 /* as `bridge fdb get` */
#define TRACE_BYTES 8192

/* One line on its way. */
struct request {
	struct daemon *daemon;
	struct command command;
	struct show how;
	struct text *out;
	struct walk *walk;
	unsigned news;
	int status; /* exit status of a refusal, 0 = the usual one */
	enum request_next next;
};

static void refuse(struct text *out, int code, const char *sentence, int status)
{
	json_t *o = json_object();

	json_object_set_new(o, "ok", json_false());
	json_object_set_new(o, "error", text_string(sentence));
	json_object_set_new(o, "errno", json_string(error_name(-code)));
	if (status)
		json_object_set_new(o, "status", json_integer(status));
	text_json(out, o);
	text_str(out, "\n");
}

void request_refuse(struct text *out, int code, const char *sentence)
{
	refuse(out, code, sentence, 0);
}

static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "Cannot allocate memory");
}

/* Answers with @result, laid out as @show says. */
static void answer(struct request *r, const char *show, json_t *result)
{
	text_str(r->out, "{\"ok\":true,\"show\":\"");
	text_str(r->out, show);
	text_str(r->out, "\",\"result\":");
	text_json(r->out, result);
	text_str(r->out, "}\n");
}

static void answer_ok(struct request *r)
{
	text_str(r->out, "{\"ok\":true}\n");
}

/* Edits a copy of the configuration with @cmd and applies the whole of it. */
static int configure(struct request *r, const struct command *cmd, struct error *err)
{
	struct model next, actual;
	int ret;

	model_init(&next, r->daemon->options.name);
	model_init(&actual, r->daemon->options.name);
	ret = drift_follow(r->daemon, &next, &actual, err);
	if (!ret)
		ret = command_apply(cmd, port_kinds, &next, err);
	if (!ret && model_adopt(&next, &actual, true))
		ret = no_memory(err);
	if (!ret)
		ret = daemon_apply(r->daemon, &next, err);
	model_fini(&actual);
	model_fini(&next);
	return ret;
}

static int run_configure(struct request *r, struct error *err)
{
	int ret = configure(r, &r->command, err);

	if (!ret)
		answer_ok(r);
	return ret;
}

/* The port of a guest is no configuration either: the backend deletes it. */
static int run_link_del(struct request *r, struct error *err)
{
	const struct backend *b = &r->daemon->backend;
	struct verb verb = { .op = VERB_PORT_DEL };
	int ret;

	if (model_port(&r->daemon->wanted, r->command.dev) ||
	    names_find(control_names(r->daemon->control), b, r->command.dev) == PORT_NONE)
		return run_configure(r, err);
	memcpy(verb.dev, r->command.dev, sizeof(verb.dev));
	ret = b->ops->apply(b->ctx, &verb, err);
	if (!ret)
		answer_ok(r);
	return ret;
}

/* The state of a port is set in the backend alone: it is no configuration. */
static int run_link_set(struct request *r, struct error *err)
{
	const struct backend *b = &r->daemon->backend;
	struct command rest = r->command;
	struct verb verb = { .op = VERB_PORT_SET,
			     .attr = PORT_STATE,
			     .value = r->command.value[PORT_STATE] };
	struct model_port *p = NULL;
	int ret = command_bind(&r->command, &r->daemon->wanted, &p, err);

	rest.set &= ~(1u << PORT_STATE);
	if (!ret && (rest.set || p->host))
		ret = configure(r, &rest, err);
	if (!ret && r->command.set >> PORT_STATE & 1) {
		memcpy(verb.dev, r->command.dev, sizeof(verb.dev));
		ret = b->ops->apply(b->ctx, &verb, err);
	}
	if (!ret)
		answer_ok(r);
	return ret;
}

/* Finds the port that `dev` means and its number. */
static int bind_port(struct request *r, struct model_port **port, uint16_t *number,
		     struct error *err)
{
	struct daemon *d = r->daemon;
	int ret = command_bind(&r->command, &d->wanted, port, err);

	*number = PORT_NONE;
	if (ret || !*port)
		return ret;
	*number = names_find(control_names(d->control), &d->backend, (*port)->name);
	return *number != PORT_NONE
		       ? 0
		       : error_set(err, -ENODEV, "Cannot find device \"%s\"", (*port)->name);
}

/*
 * As bind_port(), for commands that only look: also the port of a guest, which is no part of the
 * configuration.
 */
static int bind_any(struct request *r, struct model_port **port, uint16_t *number,
		    struct error *err)
{
	struct daemon *d = r->daemon;
	const char *dev = r->command.dev;

	*port = NULL;
	*number = PORT_NONE;
	if (dev[0] && !model_port(&d->wanted, dev))
		*number = names_find(control_names(d->control), &d->backend, dev);
	return *number != PORT_NONE ? 0 : bind_port(r, port, number, err);
}

/* As NLM_F_EXCL: an entry of any kind, also a learned one, is in the way of `fdb add`. */
static int check_new(const struct request *r, const struct model_port *p, struct error *err)
{
	const struct command *cmd = &r->command;
	const struct backend *b = &r->daemon->backend;
	struct names *names = control_names(r->daemon->control);
	struct fdb_entry e;
	char mac[MAC_STRLEN];

	for (uint16_t vid = 0; vid <= VLAN_VID_MAX; vid++) {
		bool meant = cmd->given & GIVEN_VLAN ? vid == cmd->vid_first
						     : !vid || model_vlan_has(p, vid);

		if (meant && !b->ops->fdb_get(b->ctx, cmd->mac, vid, &e))
			return error_set(err, -EEXIST,
					 "File exists: %s is behind %s already (see fdb replace)",
					 mac_print(cmd->mac, mac), names_get(names, b, e.port));
	}
	return 0;
}

static int run_fdb_add(struct request *r, struct error *err)
{
	static const enum fdb_mode modes[] = { FDB_MODE_ADD, FDB_MODE_APPEND, FDB_MODE_REPLACE };
	const struct command *cmd = &r->command;
	const struct backend *b = &r->daemon->backend;
	struct fdb_entry e = { .mac = cmd->mac,
			       .vid = cmd->vid_first,
			       .flags = command_fdb_flags(cmd) };
	struct model_port *p;
	int ret = bind_port(r, &p, &e.port, err);

	if (!ret && cmd->vid_first && !model_vlan_has(p, cmd->vid_first))
		ret = error_set(err, -EINVAL, "VLAN %u is not configured on %s", cmd->vid_first,
				p->name);
	if (!ret && p->host && !(e.flags & FDB_LOCAL))
		ret = error_set(err, -EINVAL, "the host port %s can only have local entries",
				p->name);
	if (!ret && cmd->op == COMMAND_FDB_ADD)
		ret = check_new(r, p, err);
	if (!ret && command_is_config(cmd))
		ret = configure(r, cmd, err);
	else if (!ret)
		ret = b->ops->fdb_add(b->ctx, &e, !(cmd->given & GIVEN_VLAN),
				      modes[cmd->op - COMMAND_FDB_ADD], err);
	if (!ret)
		answer_ok(r);
	return ret;
}

/* What is configured leaves the configuration, what was learned the table alone. */
static int run_fdb_del(struct request *r, struct error *err)
{
	const struct command *cmd = &r->command;
	const struct backend *b = &r->daemon->backend;
	struct model_port *p;
	uint16_t port;
	int ret = bind_port(r, &p, &port, err), live;

	if (ret)
		return ret;
	ret = configure(r, cmd, err);
	if (ret && ret != -ENOENT)
		return ret;
	live = b->ops->fdb_del(b->ctx, cmd->mac, cmd->vid_first, port, !(cmd->given & GIVEN_VLAN),
			       NULL);
	if (ret && live)
		return ret;
	answer_ok(r);
	return 0;
}

/* What the words for a kind select. */
static void match_kind(const struct command *cmd, struct fdb_match *match)
{
	if (cmd->given & (GIVEN_STATIC | GIVEN_DYNAMIC))
		match->flags_mask |= FDB_LOCAL | FDB_STATIC;
	if (cmd->given & GIVEN_STATIC)
		match->flags_want |= FDB_STATIC;
	if (cmd->given & GIVEN_LOCAL) {
		match->flags_mask |= FDB_LOCAL;
		match->flags_want |= FDB_LOCAL;
	}
	if (cmd->given & GIVEN_STICKY) {
		match->flags_mask |= FDB_STICKY;
		match->flags_want |= FDB_STICKY;
	}
	if (cmd->given & GIVEN_EXT_LEARN) {
		match->flags_mask |= FDB_EXT_LEARN;
		match->flags_want |= FDB_EXT_LEARN;
	}
}

static int run_fdb_flush(struct request *r, struct error *err)
{
	struct daemon *d = r->daemon;
	const struct command *cmd = &r->command;
	struct fdb_match match = { .vid = cmd->given & GIVEN_VLAN ? cmd->vid_first : FDB_ANY_VID };
	struct model_port *p;
	int ret = bind_any(r, &p, &match.port, err);

	if (ret)
		return ret;
	if (p && p->host)
		match.port = PORT_NONE; /* the bridge device: every port */
	if (cmd->given & GIVEN_BRPORT) {
		match.port = names_find(control_names(d->control), &d->backend, cmd->br);
		if (match.port == PORT_NONE)
			return error_set(err, -ENODEV, "Cannot find bridge port device \"%s\"",
					 cmd->br);
	}
	match_kind(cmd, &match);
	ret = d->backend.ops->fdb_flush(d->backend.ctx, &match, err);
	if (ret)
		return ret;
	drift_forget(d);
	answer_ok(r);
	return 0;
}

static int run_fdb_show(struct request *r, struct error *err)
{
	struct walk *w = r->walk;
	struct model_port *p;
	int ret = bind_any(r, &p, &w->match.port, err);

	if (ret)
		return ret;
	names_read(control_names(r->daemon->control), &r->daemon->backend);
	w->match.vid = r->command.given & GIVEN_VLAN ? r->command.vid_first : FDB_ANY_VID;
	match_kind(&r->command, &w->match);
	walk_fdb(w, r->out);
	r->next = REQUEST_WALK;
	return 0;
}

/* Without `vlan` any VLAN's entry will do. */
static int run_fdb_get(struct request *r, struct error *err)
{
	struct daemon *d = r->daemon;
	const struct command *cmd = &r->command;
	uint16_t first = cmd->vid_first, last = cmd->given & GIVEN_VLAN ? first : VLAN_VID_MAX,
		 port;
	struct model_port *p;
	struct fdb_entry e;
	json_t *found = json_array();
	int ret = bind_any(r, &p, &port, err);

	for (uint16_t vid = first; !ret && vid <= last; vid++)
		if (!d->backend.ops->fdb_get(d->backend.ctx, cmd->mac, vid, &e) &&
		    (port == PORT_NONE || e.port == port))
			json_array_append_new(
				found,
				show_fdb(&e,
					 names_get(control_names(d->control), &d->backend, e.port),
					 d->options.name, r->how.stats, loop_now(d->loop)));
	if (!ret && json_array_size(found)) {
		answer(r, "fdb", found);
		return 0;
	}
	json_decref(found);
	if (ret)
		return ret;
	r->status = STATUS_NOT_FOUND;
	return error_set(err, -ENOENT, "Error: Fdb entry not found.");
}

/* Which ports a walk looks at: the one of `dev` or all. */
static int walk_ports(struct request *r, struct error *err)
{
	struct walk *w = r->walk;
	struct model_port *p;
	uint16_t port;
	int ret = bind_any(r, &p, &port, err);

	w->port = port != PORT_NONE ? port : 0;
	w->port_last = port != PORT_NONE ? port : PORT_MAX - 1;
	w->hosts = port != PORT_NONE;
	r->next = REQUEST_WALK;
	return ret;
}

static int run_link_show(struct request *r, struct error *err)
{
	int ret = walk_ports(r, err);

	if (!ret)
		walk_links(r->walk, r->out);
	return ret;
}

static int run_vlan_show(struct request *r, struct error *err)
{
	int ret = walk_ports(r, err);

	r->walk->vid_first = r->command.given & GIVEN_VID ? r->command.vid_first : 1;
	r->walk->vid_last = r->command.given & GIVEN_VID ? r->command.vid_last : VLAN_VID_MAX;
	if (!ret)
		walk_vlans(r->walk, r->out);
	return ret;
}

static int run_stats(struct request *r, struct error *err)
{
	int ret = walk_ports(r, err);

	if (!ret)
		walk_stats(r->walk, r->out);
	return ret;
}

static int run_show(struct request *r, struct error *err)
{
	struct daemon *d = r->daemon;
	struct model actual;
	int ret;

	model_init(&actual, d->options.name);
	ret = d->backend.ops->read(d->backend.ctx, &actual, err);
	if (!ret)
		answer(r, "switch", show_settings(d, &actual));
	model_fini(&actual);
	return ret;
}

static int run_show_config(struct request *r, struct error *err)
{
	struct model *copy = malloc(sizeof(*copy)), actual;
	int ret;

	if (!copy)
		return no_memory(err);
	model_init(copy, r->daemon->options.name);
	model_init(&actual, r->daemon->options.name);
	ret = drift_follow(r->daemon, copy, &actual, err);
	model_fini(&actual);
	if (ret) {
		model_fini(copy);
		free(copy);
		return ret;
	}
	r->next = REQUEST_WALK;
	return walk_config(r->walk, copy, r->out) ? no_memory(err) : 0;
}

static int run_trace(struct request *r, struct error *err)
{
	struct daemon *d = r->daemon;
	const struct command *cmd = &r->command;
	struct vtag tag = { 0 };
	char text[TRACE_BYTES] = "", *line, *rest = text;
	struct model_port *p;
	json_t *lines;
	uint16_t port;
	int ret = bind_any(r, &p, &port, err);

	if (ret)
		return ret;
	if (cmd->given & GIVEN_VLAN)
		tag = (struct vtag){ (uint16_t)d->wanted.attr[BRIDGE_VLAN_PROTOCOL],
				     cmd->vid_first };
	ret = d->backend.ops->trace(d->backend.ctx, port, cmd->src, cmd->dst, tag,
				    cmd->given & GIVEN_LEN ? cmd->len : 60, text, sizeof(text),
				    err);
	if (ret)
		return ret;
	lines = json_array();
	while ((line = strsep(&rest, "\n")))
		if (*line)
			json_array_append_new(lines, text_string(line));
	answer(r, "trace", lines);
	return 0;
}

static int run_monitor(struct request *r, struct error *err)
{
	uint32_t given = r->command.given;

	(void)err;
	r->news = (given & GIVEN_FDB ? NEWS_FDB : 0u) | (given & GIVEN_LINK ? NEWS_LINK : 0u) |
		  (given & GIVEN_VLANS ? NEWS_VLAN : 0u);
	if (given & GIVEN_ALL || !r->news)
		r->news = NEWS_ALL;
	names_read(control_names(r->daemon->control), &r->daemon->backend);
	text_str(r->out, given & GIVEN_ALL ? "{\"ok\":true,\"show\":\"monitor all\"}\n"
					   : "{\"ok\":true,\"show\":\"monitor\"}\n");
	r->next = REQUEST_MONITOR;
	return 0;
}

static int run_reload(struct request *r, struct error *err)
{
	int ret = daemon_reload(r->daemon, err);

	if (!ret)
		answer_ok(r);
	return ret;
}

static int run_stop(struct request *r, struct error *err)
{
	(void)err;
	answer_ok(r);
	r->next = REQUEST_STOP;
	return 0;
}

static int run_plan(struct request *r, struct error *err)
{
	json_t *plan = r->command.op == COMMAND_REPAIR
			       ? drift_repair(r->daemon, err)
			       : drift_plan(r->daemon, r->command.file, err);

	if (!plan)
		return -EINVAL;
	answer(r, "plan", plan);
	return 0;
}

static int run_version(struct request *r, struct error *err)
{
	(void)err;
	answer(r, "version",
	       json_pack("{s:s,s:s}", "ifname", r->daemon->options.name, "version",
			 USWITCH_VERSION));
	return 0;
}

static int run_nothing(struct request *r, struct error *err)
{
	(void)err;
	answer_ok(r);
	return 0;
}

static int (*const run[])(struct request *r, struct error *err) = {
	[COMMAND_NONE] = run_nothing,
	[COMMAND_SHOW] = run_show,
	[COMMAND_SHOW_CONFIG] = run_show_config,
	[COMMAND_SET] = run_configure,
	[COMMAND_LINK_ADD] = run_configure,
	[COMMAND_LINK_DEL] = run_link_del,
	[COMMAND_LINK_SET] = run_link_set,
	[COMMAND_LINK_SHOW] = run_link_show,
	[COMMAND_FDB_ADD] = run_fdb_add,
	[COMMAND_FDB_APPEND] = run_fdb_add,
	[COMMAND_FDB_REPLACE] = run_fdb_add,
	[COMMAND_FDB_DEL] = run_fdb_del,
	[COMMAND_FDB_SHOW] = run_fdb_show,
	[COMMAND_FDB_GET] = run_fdb_get,
	[COMMAND_FDB_FLUSH] = run_fdb_flush,
	[COMMAND_VLAN_ADD] = run_configure,
	[COMMAND_VLAN_DEL] = run_configure,
	[COMMAND_VLAN_SET] = run_configure,
	[COMMAND_VLAN_SHOW] = run_vlan_show,
	[COMMAND_STATS] = run_stats,
	[COMMAND_TRACE] = run_trace,
	[COMMAND_MONITOR] = run_monitor,
	[COMMAND_PLAN] = run_plan,
	[COMMAND_REPAIR] = run_plan,
	[COMMAND_RELOAD] = run_reload,
	[COMMAND_STOP] = run_stop,
	[COMMAND_VERSION] = run_version,
};

/* Takes the options in front of the command; returns how many words they are, or -EINVAL. */
static int take_options(struct request *r, const struct words *words, struct error *err)
{
	static const char *const passed[] = { "json",      "pretty", "oneline",
					      "timestamp", "color",  "force" };
	unsigned i;

	for (i = 0; i < words->n && words->word[i][0] == '-' && words->word[i][1]; i++) {
		const char *name = words->word[i] + (words->word[i][1] == '-' ? 2 : 1);
		size_t len = strcspn(name, "=");
		bool known = true;

		if (!strncmp(name, "stats", len) || !strncmp(name, "statistics", len))
			r->how.stats = true;
		else if (!strncmp(name, "details", len))
			r->how.details = true;
		else if (len > 2 && !strncmp(name, "compressvlans", len))
			r->how.compress = true;
		else
			known = false;
		for (size_t k = 0; !known && k < sizeof(passed) / sizeof(passed[0]); k++)
			known = !strncmp(name, passed[k], len);
		if (!known)
			return error_set(err, -EINVAL, "Option \"%.40s\" is unknown",
					 words->word[i]);
	}
	return (int)i;
}

enum request_next request_run(struct daemon *d, char *line, size_t len, struct text *out,
			      struct walk *walk, unsigned *news)
{
	struct request r = { .daemon = d, .out = out, .walk = walk };
	size_t before = out->len;
	struct words words;
	struct error err = { "" };
	int ret = words_split(line, len, &words, &err), options = 0;

	if (!ret)
		ret = options = take_options(&r, &words, &err);
	if (ret >= 0)
		ret = command_parse(words.n - (unsigned)options, words.word + options, &r.command,
				    &err);
	walk->how = r.how;
	if (!ret)
		ret = run[r.command.op](&r, &err);
	*news = r.news;
	if (!ret)
		return r.next;
	walk_fini(walk);
	out->len = before;
	refuse(out, ret, err.text, r.status);
	return REQUEST_DONE;
}
