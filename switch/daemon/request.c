/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/daemon/control.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/drift.h"
#include "switch/daemon/handover.h"
#include "switch/daemon/passed.h"
#include "switch/daemon/request_private.h"
#include "switch/words.h"

#define TRACE_BYTES 8192

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

void request_answer(struct request *r, const char *show, json_t *result)
{
	text_str(r->out, "{\"ok\":true,\"show\":\"");
	text_str(r->out, show);
	text_str(r->out, "\",\"result\":");
	text_json(r->out, result);
	text_str(r->out, "}\n");
}

void request_answer_ok(struct request *r)
{
	text_str(r->out, "{\"ok\":true}\n");
}

int request_configure(struct request *r, const struct command *cmd, struct error *err)
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
	int ret = request_configure(r, &r->command, err);

	if (!ret)
		request_answer_ok(r);
	return ret;
}

/* A descriptor may have come with the command: the port is then made of that. */
static int run_link_add(struct request *r, struct error *err)
{
	char spec[PASSED_SPEC_MAX];
	int ret = passed_spec(&r->command.spec, r->fd, spec, err);

	return ret ? ret : run_configure(r, err);
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
		request_answer_ok(r);
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
		ret = request_configure(r, &rest, err);
	if (!ret && r->command.set >> PORT_STATE & 1) {
		memcpy(verb.dev, r->command.dev, sizeof(verb.dev));
		ret = b->ops->apply(b->ctx, &verb, err);
	}
	if (!ret)
		request_answer_ok(r);
	return ret;
}

int request_bind_port(struct request *r, struct model_port **port, uint16_t *number,
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

int request_bind(struct request *r, struct model_port **port, uint16_t *number, struct error *err)
{
	struct daemon *d = r->daemon;
	const char *dev = r->command.dev;

	*port = NULL;
	*number = PORT_NONE;
	if (dev[0] && !model_port(&d->wanted, dev))
		*number = names_find(control_names(d->control), &d->backend, dev);
	return *number != PORT_NONE ? 0 : request_bind_port(r, port, number, err);
}

/* Which ports a walk looks at: the one of `dev` or all. */
static int walk_ports(struct request *r, struct error *err)
{
	struct walk *w = r->walk;
	struct model_port *p;
	uint16_t port;
	int ret = request_bind(r, &p, &port, err);

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
		request_answer(r, "switch", show_settings(d, &actual));
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
	int ret = request_bind(r, &p, &port, err);

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
	request_answer(r, "trace", lines);
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
		request_answer_ok(r);
	return ret;
}

static int run_stop(struct request *r, struct error *err)
{
	(void)err;
	request_answer_ok(r);
	r->next = REQUEST_STOP;
	return 0;
}

static int run_set(struct request *r, struct error *err)
{
	int ret;

	if (!r->command.backend)
		return run_configure(r, err);
	ret = handover(r->daemon, r->command.backend == BACKEND_KERNEL, err);
	if (!ret)
		request_answer_ok(r);
	return ret;
}

static int run_plan(struct request *r, struct error *err)
{
	json_t *plan = r->command.op == COMMAND_REPAIR
			       ? drift_repair(r->daemon, err)
			       : drift_plan(r->daemon, r->command.file, err);

	if (!plan)
		return -EINVAL;
	request_answer(r, "plan", plan);
	return 0;
}

static int run_version(struct request *r, struct error *err)
{
	(void)err;
	request_answer(r, "version",
		       json_pack("{s:s,s:s}", "ifname", r->daemon->options.name, "version",
				 USWITCH_VERSION));
	return 0;
}

static int run_nothing(struct request *r, struct error *err)
{
	(void)err;
	request_answer_ok(r);
	return 0;
}

static int (*const run[])(struct request *r, struct error *err) = {
	[COMMAND_NONE] = run_nothing,
	[COMMAND_SHOW] = run_show,
	[COMMAND_SHOW_CONFIG] = run_show_config,
	[COMMAND_SET] = run_set,
	[COMMAND_LINK_ADD] = run_link_add,
	[COMMAND_LINK_DEL] = run_link_del,
	[COMMAND_LINK_SET] = run_link_set,
	[COMMAND_LINK_SHOW] = run_link_show,
	[COMMAND_FDB_ADD] = request_fdb_add,
	[COMMAND_FDB_APPEND] = request_fdb_add,
	[COMMAND_FDB_REPLACE] = request_fdb_add,
	[COMMAND_FDB_DEL] = request_fdb_del,
	[COMMAND_FDB_SHOW] = request_fdb_show,
	[COMMAND_FDB_GET] = request_fdb_get,
	[COMMAND_FDB_FLUSH] = request_fdb_flush,
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

enum request_next request_run(struct daemon *d, char *line, size_t len, int fd, struct text *out,
			      struct walk *walk, unsigned *news)
{
	struct request r = { .daemon = d, .fd = fd, .out = out, .walk = walk };
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
	if (!ret && fd >= 0 && r.command.op != COMMAND_LINK_ADD)
		ret = error_set(&err, -EINVAL, "a descriptor came with it, which only fd:N takes");
	if (!ret)
		ret = run[r.command.op](&r, &err);
	passed_end(fd);
	*news = r.news;
	if (!ret)
		return r.next;
	walk_fini(walk);
	out->len = before;
	refuse(out, ret, err.text, r.status);
	return REQUEST_DONE;
}
