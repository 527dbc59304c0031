/* SPDX-License-Identifier: MIT */
#include "switch/daemon/walk.h"

#include <stdlib.h>
#include <string.h>

#include "switch/daemon/control.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/loop.h"
#include "switch/print.h"

#define STEP_ENTRIES 64u /* FDB entries, VLANs and lines a step */
#define STEP_PORTS 8u

/* Appends an element of an array that has w->n of them. */
static void add(struct walk *w, struct text *out, json_t *element)
{
	if (w->n++)
		text_str(out, ",");
	text_json(out, element);
}

static bool end(struct text *out, const char *closing)
{
	text_str(out, closing);
	return false;
}

/* Reads the next port that is to be shown. */
static bool next_port(struct walk *w, struct daemon *d, struct port_info *info)
{
	if (w->port > w->port_last || d->backend.ops->port_next(d->backend.ctx, w->port, info) ||
	    info->number > w->port_last)
		return false;
	w->port = (uint16_t)(info->number + 1);
	return true;
}

static bool step_fdb(struct walk *w, struct daemon *d, struct text *out)
{
	struct names *names = control_names(d->control);
	struct fdb_entry entry[STEP_ENTRIES];
	uint64_t now = loop_now(d->loop);
	unsigned n = d->backend.ops->fdb_walk(d->backend.ctx, &w->match, &w->cursor, entry,
					      STEP_ENTRIES);

	for (unsigned i = 0; i < n; i++) {
		const char *dev = w->match.port == PORT_NONE
					  ? names_get(names, &d->backend, entry[i].port)
					  : NULL;

		add(w, out, show_fdb(&entry[i], dev, d->options.name, w->how.stats, now));
	}
	return n ? true : end(out, "]}\n");
}

void walk_fdb(struct walk *w, struct text *out)
{
	w->step = step_fdb;
	text_str(out, "{\"ok\":true,\"show\":\"fdb\",\"result\":[");
}

static bool step_links(struct walk *w, struct daemon *d, struct text *out)
{
	struct port_info info;

	for (unsigned i = 0; i < STEP_PORTS; i++) {
		if (!next_port(w, d, &info))
			return end(out, "]}\n");
		if (info.number != PORT_HOST || w->hosts)
			add(w, out, show_link(&info, d->options.name, w->how.details));
	}
	return true;
}

void walk_links(struct walk *w, struct text *out)
{
	w->step = step_links;
	text_str(out, "{\"ok\":true,\"show\":\"link\",\"result\":[");
}

static bool step_stats(struct walk *w, struct daemon *d, struct text *out)
{
	struct port_info info;
	struct fdb_info table;

	for (unsigned i = 0; i < STEP_PORTS; i++) {
		if (!next_port(w, d, &info)) {
			d->backend.ops->fdb_info(d->backend.ctx, &table);
			text_str(out, "],\"fdb\":");
			text_json(out, show_fdb_info(&table));
			return end(out, "}}\n");
		}
		add(w, out, show_stats(&info));
	}
	return true;
}

void walk_stats(struct walk *w, struct text *out)
{
	w->step = step_stats;
	text_str(out, "{\"ok\":true,\"show\":\"stats\",\"result\":{\"ports\":[");
}

/* Reads VLAN @vid of port @port into @v; returns whether the port is in it. */
static bool read_vlan(const struct daemon *d, uint16_t port, uint16_t vid, struct show_vlan *v)
{
	v->first = v->last = vid;
	return d->backend.ops->vlan_get(d->backend.ctx, port, vid, &v->flags, &v->state);
}

/* Makes @v, a VLAN of port @port, as long a range as bridge(8) shows it with @how. */
static void extend(const struct daemon *d, uint16_t port, const struct show *how,
		   struct show_vlan *v)
{
	struct show_vlan next = *v;

	if (how->stats || !(how->details || how->compress) || v->flags & VLAN_PVID)
		return;
	while (v->last < VLAN_VID_MAX && read_vlan(d, port, (uint16_t)(v->last + 1), &next) &&
	       next.flags == v->flags && (!how->details || next.state == v->state))
		v->last++;
}

/*
 * Opens the port that `w->port` has come to: the next one with a VLAN to show. Returns false at the
 * end.
 */
static bool open_port(struct walk *w, struct daemon *d, struct text *out)
{
	const struct backend *b = &d->backend;
	struct port_info info;
	struct show_vlan v;

	while (w->port <= w->port_last && !b->ops->port_next(b->ctx, w->port, &info) &&
	       info.number <= w->port_last) {
		w->port = info.number;
		for (uint16_t vid = 1; vid <= w->vid_last; vid++) {
			if (!read_vlan(d, w->port, vid, &v))
				continue;
			extend(d, w->port, &w->how, &v);
			vid = v.last;
			if (v.last < w->vid_first)
				continue;
			w->vid = v.first;
			text_str(out, w->n ? "]},{\"ifname\":" : "{\"ifname\":");
			text_json(out, text_string(info.name));
			text_str(out, ",\"vlans\":[");
			return true;
		}
		w->port++;
	}
	return false;
}

static bool step_vlans(struct walk *w, struct daemon *d, struct text *out)
{
	struct vlan_stats stats;
	bool first = !w->vid;

	if (!w->vid && !open_port(w, d, out))
		return end(out, w->n ? "]}]}\n" : "]}\n");
	for (unsigned i = 0; i < STEP_ENTRIES && w->vid && w->vid <= w->vid_last; w->vid++) {
		struct show_vlan v = { .host = w->port == PORT_HOST };

		if (!read_vlan(d, w->port, w->vid, &v))
			continue;
		extend(d, w->port, &w->how, &v);
		if (w->how.stats) {
			d->backend.ops->vlan_stats(d->backend.ctx, w->port, w->vid, &stats);
			v.stats = &stats;
		}
		if (!first)
			text_str(out, ",");
		text_json(out, show_vlan(&v, &w->how));
		first = false;
		w->n++;
		w->vid = v.last;
		i++;
	}
	if (w->vid > w->vid_last) {
		w->vid = 0;
		w->port++;
	}
	return true;
}

void walk_vlans(struct walk *w, struct text *out)
{
	w->step = step_vlans;
	text_str(out, "{\"ok\":true,\"show\":\"vlan\",\"result\":[");
}

static bool step_config(struct walk *w, struct daemon *d, struct text *out)
{
	char line[16384];

	(void)d;
	for (unsigned i = 0; i < STEP_ENTRIES; i++) {
		if (w->n == w->lines.n)
			return end(out, "]}\n");
		add(w, out, text_string(verb_print(&w->lines.verb[w->n], line, sizeof(line))));
	}
	return true;
}

int walk_config(struct walk *w, struct model *model, struct text *out)
{
	int ret = model_print(model, &w->lines);

	w->model = model;
	w->step = step_config;
	text_str(out, "{\"ok\":true,\"show\":\"config\",\"result\":[");
	return ret;
}

void walk_fini(struct walk *w)
{
	verbs_fini(&w->lines);
	if (w->model)
		model_fini(w->model);
	free(w->model);
	*w = (struct walk){ .step = NULL };
}
