/* SPDX-License-Identifier: MIT */
/* News of the bridge as lines of JSON for those who run `monitor`. */
#include <string.h>

#include "switch/daemon/control.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/show.h"
#include "switch/daemon/text.h"

/* {"event":EVENT[,"deleted":true]} with the members of @what, which is released. */
static json_t *make(const char *event, bool deleted, json_t *what)
{
	json_t *o = json_object();

	json_object_set_new(o, "event", json_string(event));
	if (deleted)
		json_object_set_new(o, "deleted", json_true());
	if (!o || !what || json_object_update(o, what)) {
		json_decref(o);
		o = NULL;
	}
	json_decref(what);
	return o;
}

static json_t *fdb_news(struct daemon *d, const struct event *e, uint64_t now)
{
	const char *dev = names_get(control_names(d->control), &d->backend, e->fdb.port);

	return make("fdb", e->kind == EVENT_FDB_DELETED,
		    show_fdb(&e->fdb, dev, d->options.name, false, now));
}

static json_t *flush_news(struct daemon *d, const struct event *e)
{
	json_t *o = json_object();

	if (e->fdb.port != PORT_NONE)
		json_object_set_new(o, "ifname",
				    text_string(names_get(control_names(d->control), &d->backend,
							  e->fdb.port)));
	if (e->fdb.vid != FDB_ANY_VID)
		json_object_set_new(o, "vlan", json_integer(e->fdb.vid));
	json_object_set_new(o, "master", text_string(d->options.name));
	return make("flush", false, o);
}

/*
 * A port came, changed or went; the name of its number is noted: entries of a deleted port are
 * reported later.
 */
static json_t *link_news(struct daemon *d, const struct event *e)
{
	struct names *names = control_names(d->control);
	struct port_info info = { .number = e->port };
	bool deleted = e->kind == EVENT_PORT_DELETED;

	if (deleted)
		memcpy(info.name, names->name[e->port], sizeof(info.name));
	else if (d->backend.ops->port_next(d->backend.ctx, e->port, &info) ||
		 info.number != e->port)
		return NULL;
	memcpy(names->name[e->port], info.name, sizeof(info.name));
	return make("link", deleted, show_link(&info, d->options.name, false));
}

static json_t *vlan_news(struct daemon *d, const struct event *e)
{
	struct show_vlan v = { .first = e->vid, .last = e->vid_last, .flags = e->vlan_flags };
	const struct show how = { .details = true };
	json_t *o = json_object(), *vlans = json_array();
	uint16_t flags;

	d->backend.ops->vlan_get(d->backend.ctx, e->port, e->vid, &flags, &v.state);
	json_object_set_new(
		o, "ifname",
		text_string(names_get(control_names(d->control), &d->backend, e->port)));
	json_array_append_new(vlans, show_vlan(&v, &how));
	json_object_set_new(o, "vlans", vlans);
	return make("vlan", e->kind == EVENT_VLAN_DELETED, o);
}

static json_t *bridge_news(struct daemon *d)
{
	struct model actual;
	json_t *o = NULL;

	model_init(&actual, d->options.name);
	if (!d->backend.ops->read(d->backend.ctx, &actual, NULL))
		o = show_settings(d, &actual);
	model_fini(&actual);
	return o ? make("bridge", false, o) : NULL;
}

static enum control_news news_of(enum event_kind kind)
{
	switch (kind) {
	case EVENT_FDB_ADDED:
	case EVENT_FDB_CHANGED:
	case EVENT_FDB_DELETED:
	case EVENT_FDB_FLUSHED:
		return NEWS_FDB;
	case EVENT_VLAN_ADDED:
	case EVENT_VLAN_DELETED:
		return NEWS_VLAN;
	case EVENT_PORT:
	case EVENT_PORT_DELETED:
	case EVENT_BRIDGE:
		break;
	}
	return NEWS_LINK;
}

static json_t *describe(struct daemon *d, const struct event *e, uint64_t now)
{
	switch (e->kind) {
	case EVENT_FDB_ADDED:
	case EVENT_FDB_CHANGED:
	case EVENT_FDB_DELETED:
		return fdb_news(d, e, now);
	case EVENT_FDB_FLUSHED:
		return flush_news(d, e);
	case EVENT_PORT:
	case EVENT_PORT_DELETED:
		return link_news(d, e);
	case EVENT_VLAN_ADDED:
	case EVENT_VLAN_DELETED:
		return vlan_news(d, e);
	case EVENT_BRIDGE:
		return bridge_news(d);
	}
	return NULL;
}

void daemon_event(struct daemon *d, const struct event *event, uint64_t now)
{
	enum control_news news = news_of(event->kind);
	struct text line = { 0 };
	bool wanted = d->control && control_wanted(d->control, news, now);
	json_t *json;

	/* names are followed also while nobody listens */
	if (!d->control ||
	    (!wanted && event->kind != EVENT_PORT && event->kind != EVENT_PORT_DELETED))
		return;
	json = describe(d, event, now);
	if (json && wanted) {
		text_json(&line, json);
		text_str(&line, "\n");
		if (!line.failed)
			control_publish(d->control, news, line.data, line.len);
		text_fini(&line);
	} else {
		json_decref(json);
	}
}
