/* SPDX-License-Identifier: MIT */
/* From configuration text to a model, and from a model to what is in force. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ports/log.h"
#include "switch/command.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/loop.h"

#define ROUNDS_MAX 3
#define LINE_BYTES_MAX 65536

int daemon_read_options(const struct daemon *d, struct model *m, struct error *err)
{
	int ret = 0;

	for (unsigned i = 0; i < d->options.n_lines && !ret; i++)
		ret = command_config_line(m, d->options.line[i], err);
	/*
	 * what does not fit together may still be mended by the file (qinq= by its vlan_protocol)
	 */
	return ret || d->options.file ? ret : model_check(m, err);
}

/* Applies line @n of @file, @len bytes with its newline, to @m. */
static int read_line(struct model *m, char *line, size_t len, const char *file, unsigned n,
		     struct error *err)
{
	struct error why;
	int ret;

	if (len && line[len - 1] == '\n')
		line[--len] = '\0';
	if (len > LINE_BYTES_MAX)
		return error_set(err, -EINVAL, "%s:%u: line longer than %u bytes", file, n,
				 LINE_BYTES_MAX);
	if (strlen(line) != len)
		return error_set(err, -EINVAL, "%s:%u: a NUL byte: this is no configuration file",
				 file, n);
	ret = command_config_line(m, line, &why);
	return ret ? error_set(err, ret, "%s:%u: %s", file, n, why.text) : 0;
}

/*
 * With @suspect the model is checked after each line, and *@suspect becomes the one since which it
 * is wrong, 0 = none.
 */
static int read_file(struct model *m, const char *file, unsigned *suspect, struct error *err)
{
	FILE *f = fopen(file, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int ret = 0;

	if (!f)
		return error_set(err, -errno, "cannot read configuration file %s: %s", file,
				 strerror(errno));
	errno = 0;
	for (unsigned n = 1; !ret && (len = getline(&line, &room, f)) >= 0; n++) {
		ret = read_line(m, line, (size_t)len, file, n, err);
		if (suspect && !model_check(m, NULL))
			*suspect = 0;
		else if (suspect && !*suspect)
			*suspect = n;
	}
	if (!ret && !feof(f))
		ret = error_set(err, errno ? -errno : -EIO, "cannot read configuration file %s: %s",
				file, strerror(errno ? errno : EIO));
	free(line);
	fclose(f);
	return ret;
}

/*
 * The line of the configuration file since which the configuration as a whole is wrong; 0: since
 * the command line.
 */
static unsigned find_line(const struct daemon *d, const char *file)
{
	unsigned suspect = 0;
	struct model m;
	bool before;

	model_init(&m, d->options.name);
	daemon_read_options(d, &m, NULL);
	before = model_check(&m, NULL) != 0;
	read_file(&m, file, &suspect, NULL);
	model_fini(&m);
	return before && suspect == 1 ? 0 : suspect;
}

int daemon_read_file(const struct daemon *d, const char *file, struct model *m, struct error *err)
{
	int ret = daemon_read_options(d, m, err);
	struct error why;
	unsigned line;

	if (!ret && file)
		ret = read_file(m, file, NULL, err);
	if (ret || !model_check(m, &why))
		return ret;
	line = file ? find_line(d, file) : 0;
	return line ? error_set(err, -EINVAL, "%s:%u: %s", file, line, why.text)
		    : error_set(err, -EINVAL, "%s", why.text);
}

int daemon_read_config(struct daemon *d, struct model *m, struct error *err)
{
	return daemon_read_file(d, d->options.file, m, err);
}

/*
 * Applies verbs until the backend is as @next; at most ROUNDS_MAX times, as a verb may have effects
 * of its own.
 */
static int converge(struct daemon *d, const struct model *next, struct error *err)
{
	const struct backend *b = &d->backend;
	struct model actual;
	struct verbs verbs;
	unsigned todo = 1;
	char text[256];
	int ret = 0;

	for (unsigned round = 0; round < ROUNDS_MAX && todo && !ret; round++) {
		model_init(&actual, next->name);
		ret = b->ops->read(b->ctx, &actual, err);
		if (!ret && model_diff(&actual, next, &verbs))
			ret = error_set(err, -ENOMEM, "out of memory");
		model_fini(&actual);
		if (ret)
			return ret;
		todo = verbs.n;
		if (round && todo)
			log_debug("round %u: %s (%u verbs)", round + 1,
				  verb_print(&verbs.verb[0], text, sizeof(text)), todo);
		for (unsigned i = 0; i < verbs.n && !ret; i++) {
			ret = b->ops->apply(b->ctx, &verbs.verb[i], err);
			if (d->serving)
				d->serving->ops->serve(d->serving->ctx);
		}
		verbs_fini(&verbs);
	}
	return ret;
}

/*
 * Pins what each bare name of the wanted model became, so that `show config` says it and a reload
 * keeps it.
 */
static void pin_kinds(struct daemon *d)
{
	struct model actual;

	model_init(&actual, d->wanted.name);
	if (!d->backend.ops->read(d->backend.ctx, &actual, NULL)) {
		for (unsigned i = 0; i < d->wanted.n_ports; i++) {
			struct model_port *w = &d->wanted.port[i];
			const struct model_port *a = model_port(&actual, w->name);

			if (a && !w->spec.ops)
				w->spec = a->spec;
		}
	}
	model_fini(&actual);
}

int daemon_apply(struct daemon *d, const struct model *next, struct error *err)
{
	struct error undo;
	struct model before;
	int ret = model_check(next, err);

	if (ret)
		return ret;
	model_init(&before, next->name);
	ret = d->backend.ops->read(d->backend.ctx, &before, err);
	if (ret)
		goto out;
	ret = converge(d, next, err);
	if (!ret && next != &d->wanted && model_copy(&d->wanted, next))
		ret = error_set(err, -ENOMEM, "out of memory");
	if (!ret)
		pin_kinds(d);
	if (ret && converge(d, &before, &undo)) {
		size_t len = strlen(err->text);

		snprintf(err->text + len, sizeof(err->text) - len,
			 "; and back to the state before: %s", undo.text);
	}
out:
	model_fini(&before);
	return ret;
}

/* Says what going from the configuration in force to @next changes. */
static void log_changes(const struct model *wanted, const struct model *next)
{
	struct verbs verbs;
	char text[512];

	if (model_diff(wanted, next, &verbs))
		return;
	for (unsigned i = 0; i < verbs.n; i++)
		log_notice("reload: %s", verb_print(&verbs.verb[i], text, sizeof(text)));
	log_notice("reload: %u changes", verbs.n);
	verbs_fini(&verbs);
}

/* Adds to @next the temporary ports that @wanted has, as they are: whose they are has no file. */
static int keep_temporary(const struct model *wanted, struct model *next)
{
	int ret = 0;

	for (unsigned i = 0; i < wanted->n_ports && !ret; i++) {
		const struct model_port *p = &wanted->port[i];
		struct model_port *q;

		if (!port_spec_number(&p->spec, "temporary", 0) || model_port(next, p->name))
			continue;
		q = model_port_add(next, p->name, &p->spec, p->host);
		if (!q)
			return -ENOMEM;
		memcpy(q->attr, p->attr, sizeof(q->attr));
		*q->vlans = *p->vlans;
		for (unsigned k = 0; k < wanted->n_fdb && !ret; k++)
			if (!strcmp(wanted->fdb[k].dev, p->name))
				ret = model_fdb_put(next, wanted->fdb[k].mac, wanted->fdb[k].vid,
						    p->name, wanted->fdb[k].flags);
	}
	return ret;
}

int daemon_reload(struct daemon *d, struct error *err)
{
	struct model next;
	int ret;

	model_init(&next, d->options.name);
	ret = daemon_read_config(d, &next, err);
	if (!ret && keep_temporary(&d->wanted, &next))
		ret = error_set(err, -ENOMEM, "out of memory");
	if (!ret) {
		d->backend.ops->limit(d->backend.ctx, &next);
		log_changes(&d->wanted, &next);
		ret = daemon_apply(d, &next, err);
	}
	if (!ret && model_copy(&d->base, &next))
		ret = error_set(err, -ENOMEM, "out of memory");
	model_fini(&next);
	return ret;
}

void daemon_stop(struct daemon *d)
{
	loop_stop(d->loop);
}
