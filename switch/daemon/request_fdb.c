/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "fdb/mac.h"
#include "switch/daemon/control.h"
#include "switch/daemon/daemon.h"
#include "switch/daemon/drift.h"
#include "switch/daemon/loop.h"
#include "switch/daemon/request_private.h"

#define STATUS_NOT_FOUND 254 /* as `bridge fdb get` */

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

int request_fdb_add(struct request *r, struct error *err)
{
	static const enum fdb_mode modes[] = { FDB_MODE_ADD, FDB_MODE_APPEND, FDB_MODE_REPLACE };
	const struct command *cmd = &r->command;
	const struct backend *b = &r->daemon->backend;
	struct fdb_entry e = { .mac = cmd->mac,
			       .vid = cmd->vid_first,
			       .flags = command_fdb_flags(cmd) };
	struct model_port *p;
	int ret = request_bind_port(r, &p, &e.port, err);

	if (!ret && cmd->vid_first && !model_vlan_has(p, cmd->vid_first))
		ret = error_set(err, -EINVAL, "VLAN %u is not configured on %s", cmd->vid_first,
				p->name);
	if (!ret && p->host && !(e.flags & FDB_LOCAL))
		ret = error_set(err, -EINVAL, "the host port %s can only have local entries",
				p->name);
	if (!ret && cmd->op == COMMAND_FDB_ADD)
		ret = check_new(r, p, err);
	if (!ret && command_is_config(cmd))
		ret = request_configure(r, cmd, err);
	else if (!ret)
		ret = b->ops->fdb_add(b->ctx, &e, !(cmd->given & GIVEN_VLAN),
				      modes[cmd->op - COMMAND_FDB_ADD], err);
	if (!ret)
		request_answer_ok(r);
	return ret;
}

/* What is configured leaves the configuration, what was learned the table alone. */
int request_fdb_del(struct request *r, struct error *err)
{
	const struct command *cmd = &r->command;
	const struct backend *b = &r->daemon->backend;
	struct model_port *p;
	uint16_t port;
	int ret = request_bind_port(r, &p, &port, err), live;

	if (ret)
		return ret;
	ret = request_configure(r, cmd, err);
	if (ret && ret != -ENOENT)
		return ret;
	live = b->ops->fdb_del(b->ctx, cmd->mac, cmd->vid_first, port, !(cmd->given & GIVEN_VLAN),
			       NULL);
	if (ret && live)
		return ret;
	request_answer_ok(r);
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

int request_fdb_flush(struct request *r, struct error *err)
{
	struct daemon *d = r->daemon;
	const struct command *cmd = &r->command;
	struct fdb_match match = { .vid = cmd->given & GIVEN_VLAN ? cmd->vid_first : FDB_ANY_VID };
	struct model_port *p;
	int ret = request_bind(r, &p, &match.port, err);

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
	request_answer_ok(r);
	return 0;
}

int request_fdb_show(struct request *r, struct error *err)
{
	struct walk *w = r->walk;
	struct model_port *p;
	int ret = request_bind(r, &p, &w->match.port, err);

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
int request_fdb_get(struct request *r, struct error *err)
{
	struct daemon *d = r->daemon;
	const struct command *cmd = &r->command;
	uint16_t first = cmd->vid_first, last = cmd->given & GIVEN_VLAN ? first : VLAN_VID_MAX,
		 port;
	struct model_port *p;
	struct fdb_entry e;
	json_t *found = json_array();
	int ret = request_bind(r, &p, &port, err);

	for (uint16_t vid = first; !ret && vid <= last; vid++)
		if (!d->backend.ops->fdb_get(d->backend.ctx, cmd->mac, vid, &e) &&
		    (port == PORT_NONE || e.port == port))
			json_array_append_new(
				found,
				show_fdb(&e,
					 names_get(control_names(d->control), &d->backend, e.port),
					 d->options.name, r->how.stats, loop_now(d->loop)));
	if (!ret && json_array_size(found)) {
		request_answer(r, "fdb", found);
		return 0;
	}
	json_decref(found);
	if (ret)
		return ret;
	r->status = STATUS_NOT_FOUND;
	return error_set(err, -ENOENT, "Error: Fdb entry not found.");
}
