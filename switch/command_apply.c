/* SPDX-License-Identifier: MIT */
#include "switch/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fdb/mac.h"
#include "ports/kinds.h"
#include "switch/words.h"

_Static_assert(BRIDGE_ATTR_MAX <= 32 && PORT_ATTR_MAX <= 32,
	       "struct command has a bit for each setting");

int command_bind(const struct command *cmd, const struct model *m, struct model_port **port,
		 struct error *err)
{
	struct model_port *p = cmd->dev[0] ? model_port(m, cmd->dev) : NULL;
	bool all = cmd->op == COMMAND_FDB_FLUSH && !strcmp(cmd->dev, m->name);

	if (cmd->given & GIVEN_BR && strcmp(cmd->br, m->name) != 0)
		return error_set(err, -ENODEV,
				 "Cannot find bridge device \"%s\": this switch is %s", cmd->br,
				 m->name);
	if (cmd->dev[0] && !p && !strcmp(cmd->dev, m->name))
		p = model_host(m);
	if (cmd->dev[0] && !p && !all && !strcmp(cmd->dev, m->name))
		return error_set(err, -ENODEV,
				 "Cannot find device \"%s\": the switch has no host port (see -l)",
				 cmd->dev);
	if (cmd->dev[0] && !p && !all)
		return error_set(err, -ENODEV, "Cannot find device \"%s\"", cmd->dev);
	if (cmd->given & GIVEN_SELF && p && !p->host)
		return error_set(err, -EINVAL, "self means the host port, which %s is not",
				 cmd->dev);
	if (port)
		*port = p;
	return 0;
}

bool command_is_config(const struct command *cmd)
{
	switch (cmd->op) {
	case COMMAND_SET:
	case COMMAND_LINK_ADD:
	case COMMAND_LINK_DEL:
	case COMMAND_LINK_SET:
	case COMMAND_FDB_DEL:
	case COMMAND_VLAN_ADD:
	case COMMAND_VLAN_DEL:
	case COMMAND_VLAN_SET:
		return true;
	case COMMAND_FDB_ADD:
	case COMMAND_FDB_APPEND:
	case COMMAND_FDB_REPLACE:
		return command_fdb_flags(cmd) & (FDB_STATIC | FDB_LOCAL | FDB_EXT_LEARN);
	case COMMAND_NONE:
	case COMMAND_SHOW:
	case COMMAND_SHOW_CONFIG:
	case COMMAND_LINK_SHOW:
	case COMMAND_FDB_SHOW:
	case COMMAND_FDB_GET:
	case COMMAND_FDB_FLUSH:
	case COMMAND_VLAN_SHOW:
	case COMMAND_STATS:
	case COMMAND_TRACE:
	case COMMAND_MONITOR:
	case COMMAND_PLAN:
	case COMMAND_REPAIR:
	case COMMAND_RELOAD:
	case COMMAND_STOP:
	case COMMAND_VERSION:
		break;
	}
	return false;
}

uint16_t command_fdb_flags(const struct command *cmd)
{
	return (uint16_t)((cmd->given & GIVEN_LOCAL ? FDB_LOCAL : 0) |
			  (cmd->given & GIVEN_STATIC ? FDB_STATIC : 0) |
			  (cmd->given & GIVEN_STICKY ? FDB_STICKY : 0) |
			  (cmd->given & GIVEN_EXT_LEARN ? FDB_EXT_LEARN : 0));
}

static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "Cannot allocate memory");
}

static int apply_set(const struct command *cmd, struct model *m, struct error *err)
{
	if (cmd->backend)
		return error_set(
			err, -EINVAL,
			"who forwards is no configuration: set it at run time, or with -b");
	for (unsigned i = 0; i < BRIDGE_ATTR_MAX; i++)
		if (cmd->set >> i & 1)
			model_set(m, (enum bridge_attr)i, cmd->value[i]);
	return 0;
}

/* The VLAN modes of a port's description (access=10, ...), taken out of its options. */
struct mode {
	uint64_t access, native, qinq, accept; /* VIDs: 0 = not given */
	char trunk[256];
};

static int mode_accept(struct mode *mode, const char *text, struct error *err)
{
	char why[160];

	if (attr_parse(&port_attrs[PORT_ACCEPT], text, &mode->accept, why, sizeof(why)))
		return error_set(err, -EINVAL, "%s", why);
	return 0;
}

/* Moves the VLAN modes from the options of @spec to @mode. Returns 0 or -EINVAL with a sentence. */
static int mode_take(struct port_spec *spec, struct mode *mode, struct error *err)
{
	unsigned kept = 0;
	int ret = 0;

	*mode = (struct mode){ .accept = ACCEPT_ALL };
	for (unsigned i = 0; i < spec->n_options && !ret; i++) {
		const struct port_option *o = spec->option[i].option;
		const char *name = o ? o->name : "";

		if (!strcmp(name, "access"))
			mode->access = spec->option[i].number;
		else if (!strcmp(name, "native"))
			mode->native = spec->option[i].number;
		else if (!strcmp(name, "qinq"))
			mode->qinq = spec->option[i].number;
		else if (!strcmp(name, "trunk"))
			memcpy(mode->trunk, spec->option[i].text, sizeof(mode->trunk));
		else if (!strcmp(name, "accept"))
			ret = mode_accept(mode, spec->option[i].text, err);
		else if (kept++ != i)
			spec->option[kept - 1] = spec->option[i];
	}
	memset(&spec->option[kept], 0, (PORT_OPTIONS_MAX - kept) * sizeof(spec->option[0]));
	spec->n_options = kept;
	return ret;
}

/* Reads a list such as 10-20+30 and, with @port, makes it a tagged member of each. */
static int apply_trunk(const char *list, struct model_port *port, struct error *err)
{
	char range[16];
	uint16_t first, last;

	for (;; list++) {
		size_t len = strcspn(list, "+");

		snprintf(range, sizeof(range), "%.*s", len < sizeof(range) ? (int)len : 0, list);
		if (vlan_parse_range(range, &first, &last))
			return error_set(err, -EINVAL, "trunk=: Invalid VLAN %s \"%.*s\"",
					 strchr(range, '-') ? "range" : "ID",
					 len < 40 ? (int)len : 40, list);
		if (port)
			model_vlan_add(port, first, last, 0);
		list += len;
		if (!*list)
			return 0;
	}
}

static int mode_check(const struct mode *mode, bool host, struct error *err)
{
	if (!!mode->access + !!mode->trunk[0] + !!mode->qinq > 1)
		return error_set(err, -EINVAL, "access, trunk and qinq exclude each other");
	if (mode->native && !mode->trunk[0])
		return error_set(err, -EINVAL, "native=%u needs trunk=VLANS",
				 (unsigned)mode->native);
	if (mode->qinq && mode->accept == ACCEPT_TAGGED)
		return error_set(err, -EINVAL, "qinq and accept=tagged exclude each other");
	if (host && mode->accept != ACCEPT_ALL)
		return error_set(err, -EINVAL, "the host port has no accept");
	return mode->trunk[0] ? apply_trunk(mode->trunk, NULL, err) : 0;
}

/* Puts the new port @p where @mode says, or into vlan_default_pvid (nbp_vlan_init). */
static void mode_apply(const struct mode *mode, struct model *m, struct model_port *p)
{
	uint16_t pvid = (uint16_t)(mode->access ? mode->access
				   : mode->qinq ? mode->qinq
						: mode->native);

	p->attr[PORT_ACCEPT] = mode->qinq ? ACCEPT_UNTAGGED : mode->accept;
	p->qinq = mode->qinq != 0;
	if (mode->access || mode->qinq || mode->trunk[0])
		model_set(m, BRIDGE_VLAN_FILTERING, 1);
	else
		pvid = (uint16_t)m->attr[BRIDGE_VLAN_DEFAULT_PVID];
	if (mode->trunk[0])
		apply_trunk(mode->trunk, p, NULL);
	if (pvid)
		model_vlan_add(p, pvid, pvid, VLAN_PVID | VLAN_UNTAGGED);
}

/* Reads the description of a port; `host[:IFNAME]` is a TAP for the host. */
static int read_spec(const struct model *m, const char *text, const struct port_ops *const *kinds,
		     struct port_spec *spec, bool *host, struct error *err)
{
	size_t len = strcspn(text, ":,");
	char tap[4096];

	*host = len == 4 && !strncmp(text, "host", 4);
	if (!*host)
		return port_spec_parse_kinds(text, kinds, spec, err);
	text += len;
	if (*text == ':' && text[1] && text[1] != ',')
		snprintf(tap, sizeof(tap), "tap%s", text);
	else
		snprintf(tap, sizeof(tap), "tap:%s%s", m->name, *text == ':' ? text + 1 : text);
	return port_spec_parse_kinds(tap, kinds, spec, err);
}

/* Names a port whose description does not: its kind up to a hyphen and the lowest free number. */
static int make_name(const struct model *m, struct port_spec *spec, struct error *err)
{
	for (unsigned i = 0; !spec->name[0] && i < PORT_MAX; i++) {
		char name[PORT_NAME_MAX];
		int len = snprintf(name, sizeof(name), "%.*s%u", (int)strcspn(spec->ops->kind, "-"),
				   spec->ops->kind, i);

		if (len < (int)sizeof(name) && !model_port(m, name))
			memcpy(spec->name, name, sizeof(name));
	}
	return spec->name[0] ? 0
			     : error_set(err, -EINVAL, "a %s port needs name=", spec->ops->kind);
}

static int apply_link_add(const struct command *cmd, const struct port_ops *const *kinds,
			  struct model *m, struct error *err)
{
	struct port_spec spec;
	struct mode mode;
	struct model_port *p;
	bool host;
	int ret = read_spec(m, cmd->spec, kinds, &spec, &host, err);

	if (!ret)
		ret = mode_take(&spec, &mode, err);
	if (!ret)
		ret = mode_check(&mode, host, err);
	if (!ret)
		ret = make_name(m, &spec, err);
	if (ret)
		return ret;
	if (model_port(m, spec.name))
		return error_set(err, -EEXIST, "File exists: there is a port \"%s\" already",
				 spec.name);
	p = model_port_add(m, spec.name, &spec, host);
	if (!p)
		return no_memory(err);
	mode_apply(&mode, m, p);
	return 0;
}

static int apply_link_set(const struct command *cmd, struct model_port *p, struct error *err)
{
	if (p->host)
		return error_set(err, -EOPNOTSUPP,
				 "%s is the host port: it has none of a port's settings", p->name);
	if (cmd->set >> PORT_STATE & 1)
		return error_set(
			err, -EINVAL,
			"state follows the link, it is no configuration: set it at run time");
	for (unsigned i = 0; i < PORT_ATTR_MAX; i++)
		if (cmd->set >> i & 1 && i != PORT_BACKUP_PORT)
			p->attr[i] = cmd->value[i];
	if (cmd->set >> PORT_BACKUP_PORT & 1)
		memcpy(p->backup_port, cmd->backup_port, sizeof(p->backup_port));
	return 0;
}

/*
 * Returns the next VLAN after @vid that an entry of @p without `vlan` is in: 0 first, then all of
 * the port's; -1 = end.
 */
static int next_vid(const struct command *cmd, const struct model_port *p, int vid)
{
	if (cmd->given & GIVEN_VLAN)
		return vid < 0 ? cmd->vid_first : -1;
	do
		vid++;
	while (vid && vid <= (int)VLAN_VID_MAX && !model_vlan_has(p, (uint16_t)vid));
	return vid <= (int)VLAN_VID_MAX ? vid : -1;
}

static int apply_fdb_add(const struct command *cmd, struct model *m, const struct model_port *p,
			 struct error *err)
{
	uint16_t flags = command_fdb_flags(cmd);
	char mac[MAC_STRLEN];

	mac_print(cmd->mac, mac);
	if (!cmd->mac || mac_is_group(cmd->mac))
		return error_set(err, -EINVAL, "%s is no address of a station", mac);
	if (p->host && !(flags & FDB_LOCAL))
		return error_set(err, -EINVAL, "the host port %s can only have local entries",
				 p->name);
	if (cmd->vid_first && !model_vlan_has(p, cmd->vid_first))
		return error_set(err, -EINVAL, "VLAN %u is not configured on %s", cmd->vid_first,
				 p->name);
	if (!(flags & (FDB_STATIC | FDB_LOCAL | FDB_EXT_LEARN)))
		return error_set(
			err, -EINVAL,
			"a dynamic entry ages, it is no configuration: add it at run time");
	for (int vid = next_vid(cmd, p, -1); cmd->op == COMMAND_FDB_ADD && vid >= 0;
	     vid = next_vid(cmd, p, vid)) {
		const struct model_fdb *e = model_fdb(m, cmd->mac, (uint16_t)vid);

		if (e)
			return error_set(err, -EEXIST,
					 "File exists: %s is behind %s already (see fdb replace)",
					 mac, e->dev);
	}
	for (int vid = next_vid(cmd, p, -1); vid >= 0; vid = next_vid(cmd, p, vid))
		if (model_fdb_put(m, cmd->mac, (uint16_t)vid, p->name, flags))
			return no_memory(err);
	return 0;
}

static int apply_fdb_del(const struct command *cmd, struct model *m, const struct model_port *p,
			 struct error *err)
{
	char mac[MAC_STRLEN];
	bool found = false;

	for (int vid = next_vid(cmd, p, -1); vid >= 0; vid = next_vid(cmd, p, vid)) {
		const struct model_fdb *e = model_fdb(m, cmd->mac, (uint16_t)vid);

		if (e && !strcmp(e->dev, p->name)) {
			model_fdb_del(m, cmd->mac, (uint16_t)vid);
			found = true;
		}
	}
	if (!found)
		return error_set(err, -ENOENT, "No such file or directory: %s is not behind %s",
				 mac_print(cmd->mac, mac), p->name);
	return 0;
}

static int apply_vlan_set(const struct command *cmd, struct model_port *p, struct error *err)
{
	for (uint16_t vid = cmd->vid_first; vid <= cmd->vid_last; vid++)
		if (!model_vlan_has(p, vid))
			return error_set(
				err, -ENOENT,
				"No such file or directory: VLAN %u is not configured on %s", vid,
				p->name);
	for (uint16_t vid = cmd->vid_first; vid <= cmd->vid_last; vid++)
		p->vlans->state[vid] = (uint8_t)cmd->state;
	return 0;
}

int command_apply(const struct command *cmd, const struct port_ops *const *kinds, struct model *m,
		  struct error *err)
{
	struct model_port *p = NULL;
	int ret = command_bind(cmd, m, &p, err);

	if (ret)
		return ret;
	switch (cmd->op) {
	case COMMAND_SET:
		return apply_set(cmd, m, err);
	case COMMAND_LINK_ADD:
		return apply_link_add(cmd, kinds, m, err);
	case COMMAND_LINK_DEL:
		return model_port_del(m, p->name);
	case COMMAND_LINK_SET:
		return apply_link_set(cmd, p, err);
	case COMMAND_FDB_ADD:
	case COMMAND_FDB_APPEND:
	case COMMAND_FDB_REPLACE:
		return apply_fdb_add(cmd, m, p, err);
	case COMMAND_FDB_DEL:
		return apply_fdb_del(cmd, m, p, err);
	case COMMAND_VLAN_ADD:
		model_vlan_add(p, cmd->vid_first, cmd->vid_last,
			       (uint16_t)((cmd->given & GIVEN_PVID ? VLAN_PVID : 0) |
					  (cmd->given & GIVEN_UNTAGGED ? VLAN_UNTAGGED : 0)));
		return 0;
	case COMMAND_VLAN_DEL:
		model_vlan_del(m, p, cmd->vid_first, cmd->vid_last);
		return 0;
	case COMMAND_VLAN_SET:
		return apply_vlan_set(cmd, p, err);
	case COMMAND_NONE:
		return 0;
	case COMMAND_SHOW:
	case COMMAND_SHOW_CONFIG:
	case COMMAND_LINK_SHOW:
	case COMMAND_FDB_SHOW:
	case COMMAND_FDB_GET:
	case COMMAND_FDB_FLUSH:
	case COMMAND_VLAN_SHOW:
	case COMMAND_STATS:
	case COMMAND_TRACE:
	case COMMAND_MONITOR:
	case COMMAND_PLAN:
	case COMMAND_REPAIR:
	case COMMAND_RELOAD:
	case COMMAND_STOP:
	case COMMAND_VERSION:
		break;
	}
	return error_set(
		err, -EINVAL,
		"not a configuration command: only set, link, vlan and fdb add or del can stand here");
}

int command_line(struct model *m, const struct port_ops *const *kinds, const char *line,
		 struct error *err)
{
	size_t len = strlen(line);
	char copy[4096];
	struct words words;
	struct command cmd;
	int ret;

	if (len && line[len - 1] == '\n')
		len--;
	if (len >= sizeof(copy))
		return error_set(err, -EINVAL, "the line is longer than %zu bytes",
				 sizeof(copy) - 1);
	memcpy(copy, line, len);
	ret = words_split(copy, len, &words, err);
	if (!ret)
		ret = command_parse(words.n, words.word, &cmd, err);
	if (!ret)
		ret = command_apply(&cmd, kinds, m, err);
	return ret;
}
