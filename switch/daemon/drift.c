/* SPDX-License-Identifier: MIT */
#include "switch/daemon/drift.h"

#include <errno.h>
#include <string.h>

#include "ports/log.h"
#include "switch/daemon/control.h"
#include "switch/daemon/loop.h"
#include "switch/daemon/text.h"

#define LINE_BYTES 16384
#define SETTLE_ROUNDS 3 /* a verb may have effects of its own */

static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "Cannot allocate memory");
}

/* Puts entries that others deleted back into @seen, so that they are not taken for forgotten. */
static int pretend(const struct daemon *d, struct model *seen)
{
	struct fdb_entry e;
	int ret = 0;

	for (unsigned i = 0; i < d->wanted.n_fdb && !ret; i++) {
		const struct model_fdb *w = &d->wanted.fdb[i];

		if (!model_fdb(seen, w->mac, w->vid) &&
		    d->backend.ops->fdb_get(d->backend.ctx, w->mac, w->vid, &e) == -ENOENT)
			ret = model_fdb_put(seen, w->mac, w->vid, w->dev, w->flags);
	}
	return ret;
}

int drift_follow(const struct daemon *d, struct model *next, struct model *actual,
		 struct error *err)
{
	const struct backend_ops *ops = d->backend.ops;
	int ret = ops->read(d->backend.ctx, actual, err);
	struct model seen;

	if (ret)
		return ret;
	model_init(&seen, actual->name);
	ret = model_copy(next, &d->wanted);
	if (!ret)
		ret = model_copy(&seen, actual);
	if (!ret && ops->shared)
		ret = pretend(d, &seen);
	if (!ret)
		model_follow(next, &seen);
	if (!ret && !ops->shared)
		ret = model_adopt(next, actual, false);
	model_fini(&seen);
	return ret ? no_memory(err) : 0;
}

void drift_forget(struct daemon *d)
{
	struct model actual;

	model_init(&actual, d->options.name);
	if (!d->backend.ops->read(d->backend.ctx, &actual, NULL))
		model_follow(&d->wanted, &actual);
	model_fini(&actual);
}

static json_t *lines(const struct verbs *verbs)
{
	json_t *array = json_array();
	char text[LINE_BYTES];

	for (unsigned i = 0; i < verbs->n; i++)
		json_array_append_new(array,
				      text_string(verb_print(&verbs->verb[i], text, sizeof(text))));
	return array;
}

/* The commands from what is to @next, or to what is wanted when that is NULL. */
static json_t *compare(const struct daemon *d, const struct model *next, struct error *err)
{
	struct model wanted, actual;
	json_t *result = NULL;
	struct verbs verbs;

	model_init(&wanted, d->options.name);
	model_init(&actual, d->options.name);
	if (!drift_follow(d, &wanted, &actual, err)) {
		if (model_diff(&actual, next ? next : &wanted, &verbs)) {
			no_memory(err);
		} else {
			result = lines(&verbs);
			verbs_fini(&verbs);
		}
	}
	model_fini(&actual);
	model_fini(&wanted);
	return result;
}

json_t *drift_show(const struct daemon *d, struct error *err)
{
	return compare(d, NULL, err);
}

static void note(void *arg, const char *sentence)
{
	json_array_append_new(arg, text_string(sentence));
}

static json_t *plan(struct daemon *d, const struct model *next, struct error *err)
{
	json_t *verbs = compare(d, next, err), *lost;

	if (!verbs)
		return NULL;
	lost = json_array();
	d->backend.ops->lacks(d->backend.ctx, next ? next : &d->wanted, note, lost);
	return json_pack("{s:o,s:o}", "verbs", verbs, "lost", lost);
}

json_t *drift_plan(struct daemon *d, const char *file, struct error *err)
{
	struct model next;
	json_t *result = NULL;

	if (!file)
		return plan(d, NULL, err);
	model_init(&next, d->options.name);
	if (!daemon_read_file(d, file, &next, err)) {
		d->backend.ops->limit(d->backend.ctx, &next);
		result = plan(d, &next, err);
	}
	model_fini(&next);
	return result;
}

static int repair(struct daemon *d, struct error *err)
{
	struct model next, actual;
	int ret;

	model_init(&next, d->options.name);
	model_init(&actual, d->options.name);
	ret = drift_follow(d, &next, &actual, err);
	if (!ret)
		ret = daemon_apply(d, &next, err);
	model_fini(&actual);
	model_fini(&next);
	return ret;
}

json_t *drift_repair(struct daemon *d, struct error *err)
{
	json_t *done = plan(d, NULL, err);

	if (!done || !repair(d, err))
		return done;
	json_decref(done);
	return NULL;
}

/* Whether @v brings port @port from @actual to what is wanted, and nothing else. */
static bool settles(const struct daemon *d, const struct verb *v, const char *port,
		    const struct model *actual)
{
	bool own = !strcmp(v->dev, port);

	switch (v->op) {
	case VERB_PORT_SET:
		return own || (v->attr == PORT_BACKUP_PORT && !strcmp(v->value_port, port));
	case VERB_VLAN_ADD:
	case VERB_VLAN_DEL:
	case VERB_VLAN_SET:
		return own;
	case VERB_FDB_ADD: /* not where it roamed from */
		return own && !model_fdb(actual, v->mac, v->vid_first);
	case VERB_FDB_DEL:
		return own && !model_fdb(&d->wanted, v->mac, v->vid_first);
	case VERB_PORT_ADD:
	case VERB_PORT_DEL:
	case VERB_BRIDGE_SET:
		break;
	}
	return false;
}

/* Does one round of it, and says how many verbs that took. */
static int settle(struct daemon *d, const char *port, unsigned *todo, struct error *err)
{
	const struct backend *b = &d->backend;
	struct verbs verbs = { 0 };
	struct model actual;
	int ret;

	*todo = 0;
	model_init(&actual, d->options.name);
	ret = b->ops->read(b->ctx, &actual, err);
	if (!ret && model_diff(&actual, &d->wanted, &verbs))
		ret = no_memory(err);
	for (unsigned i = 0; i < verbs.n && !ret; i++) {
		if (!settles(d, &verbs.verb[i], port, &actual))
			continue;
		++*todo;
		ret = b->ops->apply(b->ctx, &verbs.verb[i], err);
	}
	verbs_fini(&verbs);
	model_fini(&actual);
	return ret;
}

int drift_settle(struct daemon *d, const char *port, struct error *err)
{
	unsigned todo = 1;
	int ret = 0;

	for (unsigned round = 0; round < SETTLE_ROUNDS && todo && !ret; round++)
		ret = settle(d, port, &todo, err);
	return ret;
}

static void publish(struct daemon *d, json_t *verbs)
{
	json_t *event = json_pack("{s:s,s:O}", "event", "drift", "verbs", verbs);
	struct text line = { 0 };

	text_json(&line, event);
	text_str(&line, "\n");
	if (!line.failed && d->control && control_wanted(d->control, NEWS_LINK, loop_now(d->loop)))
		control_publish(d->control, NEWS_LINK, line.data, line.len);
	text_fini(&line);
}

void drift_check(struct daemon *d)
{
	struct error err = { "" };
	json_t *verbs = drift_show(d, &err);
	size_t n = json_array_size(verbs);

	if (!verbs) {
		log_error("cannot compare with the configuration: %s", err.text);
		return;
	}
	if (!json_equal(verbs, d->drift) && (n || json_array_size(d->drift))) {
		publish(d, verbs);
		if (n)
			log_notice(
				"somebody changed the bridge: %zu command%s would restore it%s%s",
				n, n == 1 ? "" : "s", n == 1 ? ": " : "",
				n == 1 ? json_string_value(json_array_get(verbs, 0)) : "");
		else
			log_notice("the bridge is as configured again");
	}
	json_decref(d->drift);
	d->drift = verbs;
	if (n && d->options.enforce && repair(d, &err))
		log_error("cannot restore the configuration: %s", err.text);
}
