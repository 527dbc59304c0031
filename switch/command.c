/* SPDX-License-Identifier: MIT */
#include "switch/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fdb/mac.h"

/* A word that a command takes; what takes no value has no reader. */
struct keyword {
	const char *word; /* NULL: anything that no other row names, read as a value */
	uint32_t given;
	int (*read)(struct command *cmd, const char *value, struct error *err);
};

struct grammar {
	const char *object, *verb; /* verb NULL: the object alone */
	enum command_op op;
	const struct keyword *keywords; /* ends with a row of zeros */
	uint32_t need;
	const struct attr *attrs; /* KEY VALUE pairs of this table */
	unsigned n_attrs;
};

static int read_name(char *name, const char *value, struct error *err)
{
	int ret = port_name_check(value, err);

	if (!ret)
		snprintf(name, PORT_NAME_MAX, "%s", value);
	return ret;
}

static int read_dev(struct command *cmd, const char *value, struct error *err)
{
	return read_name(cmd->dev, value, err);
}

static int read_br(struct command *cmd, const char *value, struct error *err)
{
	return read_name(cmd->br, value, err);
}

static int read_backup(struct command *cmd, const char *value, struct error *err)
{
	cmd->set |= 1u << PORT_BACKUP_PORT;
	return read_name(cmd->backup_port, value, err);
}

static int read_address(uint64_t *mac, const char *value, struct error *err)
{
	if (mac_parse(value, mac))
		return error_set(err, -EINVAL, "Invalid mac address %.40s", value);
	return 0;
}

static int read_mac(struct command *cmd, const char *value, struct error *err)
{
	return read_address(&cmd->mac, value, err);
}

static int read_src(struct command *cmd, const char *value, struct error *err)
{
	return read_address(&cmd->src, value, err);
}

static int read_dst(struct command *cmd, const char *value, struct error *err)
{
	return read_address(&cmd->dst, value, err);
}

/* Reads a number @min..@max called @name. */
static int read_number(const char *name, const char *value, uint64_t min, uint64_t max,
		       uint64_t *number, struct error *err)
{
	const struct attr attr = { .name = name, .type = ATTR_NUMBER, .min = min, .max = max };
	char why[160];

	if (attr_parse(&attr, value, number, why, sizeof(why)))
		return error_set(err, -EINVAL, "%s", why);
	return 0;
}

static int read_vlan_id(struct command *cmd, const char *value, uint64_t max, struct error *err)
{
	uint64_t number;

	if (read_number("vlan", value, 0, max, &number, NULL))
		return error_set(err, -EINVAL, "Invalid VLAN ID \"%.40s\"", value);
	cmd->vid_first = cmd->vid_last = (uint16_t)number;
	return 0;
}

/* An entry's VLAN; 0 is the one of a switch without VLAN filtering. */
static int read_vlan(struct command *cmd, const char *value, struct error *err)
{
	return read_vlan_id(cmd, value, VLAN_VID_MAX, err);
}

/* The VID in a frame, which may be any. */
static int read_tag(struct command *cmd, const char *value, struct error *err)
{
	return read_vlan_id(cmd, value, VLAN_VID_MASK, err);
}

static int read_vid(struct command *cmd, const char *value, struct error *err)
{
	if (!vlan_parse_range(value, &cmd->vid_first, &cmd->vid_last))
		return 0;
	return error_set(err, -EINVAL,
			 strchr(value, '-') ? "Invalid VLAN range \"%.40s\""
					    : "Invalid VLAN ID \"%.40s\"",
			 value);
}

static int read_state(struct command *cmd, const char *value, struct error *err)
{
	uint64_t state;
	char why[160];

	if (attr_parse(&port_attrs[PORT_STATE], value, &state, why, sizeof(why)))
		return error_set(err, -EINVAL, "%s", why);
	cmd->state = (enum port_state)state;
	return 0;
}

/* `fdb show state static`: the kind of an entry as a value. */
static int read_kind(struct command *cmd, const char *value, struct error *err)
{
	if (!strcmp(value, "permanent"))
		cmd->given |= GIVEN_LOCAL;
	else if (!strcmp(value, "static"))
		cmd->given |= GIVEN_STATIC;
	else if (!strcmp(value, "dynamic") || !strcmp(value, "reachable"))
		cmd->given |= GIVEN_DYNAMIC;
	else if (strcmp(value, "all") != 0)
		return error_set(err, -EINVAL,
				 "state \"%.40s\" is none of permanent, static, dynamic, all",
				 value);
	return 0;
}

static int read_len(struct command *cmd, const char *value, struct error *err)
{
	uint64_t number;
	int ret = read_number("len", value, FRAME_HDR_LEN, FRAME_MAX, &number, err);

	if (!ret)
		cmd->len = (uint32_t)number;
	return ret;
}

static int read_spec(struct command *cmd, const char *value, struct error *err)
{
	(void)err;
	cmd->spec = value;
	return 0;
}

static int read_file(struct command *cmd, const char *value, struct error *err)
{
	if (value[0] != '/')
		return error_set(
			err, -EINVAL,
			"plan %.200s: the path must begin with / (uswitchctl sees to it on its "
			"command line)",
			value);
	cmd->file = value;
	return 0;
}

static int read_backend(struct command *cmd, const char *value, struct error *err)
{
	if (cmd->backend)
		return error_set(err, -EINVAL, "backend is given twice");
	if (strcmp(value, "user") != 0 && strcmp(value, "kernel") != 0)
		return error_set(err, -EINVAL, "backend \"%.40s\" is neither user nor kernel",
				 value);
	cmd->backend = value[0] == 'u' ? BACKEND_USER : BACKEND_KERNEL;
	return 0;
}

static const struct keyword no_words[] = { { NULL, 0, NULL } };
static const struct keyword dev_words[] = { { "dev", GIVEN_DEV, read_dev }, { NULL, 0, NULL } };
static const struct keyword link_add_words[] = { { NULL, GIVEN_SPEC, read_spec },
						 { NULL, 0, NULL } };
static const struct keyword link_set_words[] = {
	{ "dev", GIVEN_DEV, read_dev },
	{ "master", GIVEN_MASTER, NULL },
	{ "self", GIVEN_SELF, NULL },
	{ "backup_port", GIVEN_SETTING, read_backup },
	{ "nobackup_port", GIVEN_SETTING, NULL },
	{ NULL, 0, NULL },
};
static const struct keyword link_show_words[] = {
	{ "dev", GIVEN_DEV, read_dev },
	{ "master", GIVEN_BR, read_br },
	{ NULL, 0, NULL },
};
static const struct keyword fdb_add_words[] = {
	{ "dev", GIVEN_DEV, read_dev },
	{ "master", GIVEN_MASTER, NULL },
	{ "self", GIVEN_SELF, NULL },
	{ "vlan", GIVEN_VLAN, read_vlan },
	{ "static", GIVEN_STATIC, NULL },
	{ "dynamic", GIVEN_DYNAMIC, NULL },
	{ "local", GIVEN_LOCAL, NULL },
	{ "permanent", GIVEN_LOCAL, NULL },
	{ "sticky", GIVEN_STICKY, NULL },
	{ "extern_learn", GIVEN_EXT_LEARN, NULL },
	{ "to", GIVEN_MAC, read_mac },
	{ NULL, GIVEN_MAC, read_mac },
	{ NULL, 0, NULL },
};
static const struct keyword fdb_show_words[] = {
	{ "dev", GIVEN_DEV, read_dev },      { "brport", GIVEN_DEV, read_dev },
	{ "br", GIVEN_BR, read_br },         { "vlan", GIVEN_VLAN, read_vlan },
	{ "state", GIVEN_STATE, read_kind }, { "static", GIVEN_STATIC, NULL },
	{ "dynamic", GIVEN_DYNAMIC, NULL },  { "permanent", GIVEN_LOCAL, NULL },
	{ "local", GIVEN_LOCAL, NULL },      { NULL, 0, NULL },
};
static const struct keyword fdb_get_words[] = {
	{ "dev", GIVEN_DEV, read_dev },
	{ "brport", GIVEN_DEV, read_dev },
	{ "br", GIVEN_BR, read_br },
	{ "master", GIVEN_MASTER, NULL },
	{ "self", GIVEN_SELF, NULL },
	{ "vlan", GIVEN_VLAN, read_vlan },
	{ "to", GIVEN_MAC, read_mac },
	{ NULL, GIVEN_MAC, read_mac },
	{ NULL, 0, NULL },
};
static const struct keyword fdb_flush_words[] = {
	{ "dev", GIVEN_DEV, read_dev },
	{ "brport", GIVEN_BRPORT, read_br },
	{ "master", GIVEN_MASTER, NULL },
	{ "self", GIVEN_SELF, NULL },
	{ "vlan", GIVEN_VLAN, read_vlan },
	{ "static", GIVEN_STATIC, NULL },
	{ "dynamic", GIVEN_DYNAMIC, NULL },
	{ "permanent", GIVEN_LOCAL, NULL },
	{ "sticky", GIVEN_STICKY, NULL },
	{ "extern_learn", GIVEN_EXT_LEARN, NULL },
	{ NULL, 0, NULL },
};
static const struct keyword vlan_words[] = {
	{ "vid", GIVEN_VID, read_vid },
	{ "dev", GIVEN_DEV, read_dev },
	{ "pvid", GIVEN_PVID, NULL },
	{ "untagged", GIVEN_UNTAGGED, NULL },
	{ "master", GIVEN_MASTER, NULL },
	{ "self", GIVEN_SELF, NULL },
	{ NULL, 0, NULL },
};
static const struct keyword vlan_set_words[] = {
	{ "vid", GIVEN_VID, read_vid },       { "dev", GIVEN_DEV, read_dev },
	{ "state", GIVEN_STATE, read_state }, { "master", GIVEN_MASTER, NULL },
	{ "self", GIVEN_SELF, NULL },         { NULL, 0, NULL },
};
static const struct keyword vlan_show_words[] = {
	{ "dev", GIVEN_DEV, read_dev },
	{ "vid", GIVEN_VID, read_vid },
	{ NULL, 0, NULL },
};
static const struct keyword trace_words[] = {
	{ "in", GIVEN_IN, read_dev },   { "src", GIVEN_SRC, read_src },
	{ "dst", GIVEN_DST, read_dst }, { "vlan", GIVEN_VLAN, read_tag },
	{ "len", GIVEN_LEN, read_len }, { NULL, 0, NULL },
};
static const struct keyword set_words[] = { { "backend", GIVEN_SETTING, read_backend },
					    { NULL, 0, NULL } };
static const struct keyword plan_words[] = { { NULL, GIVEN_FILE, read_file }, { NULL, 0, NULL } };
static const struct keyword monitor_words[] = {
	{ "fdb", GIVEN_FDB, NULL },
	{ "link", GIVEN_LINK, NULL },
	{ "vlan", GIVEN_VLANS, NULL },
	{ "all", GIVEN_ALL, NULL },
	{ NULL, 0, NULL },
};

/* In each object the first verb that begins with what was typed is meant, as in bridge(8). */
static const struct grammar grammar[] = {
	{ "link", "set", COMMAND_LINK_SET, link_set_words, GIVEN_DEV | GIVEN_SETTING, port_attrs,
	  PORT_ATTR_MAX },
	{ "link", "change", COMMAND_LINK_SET, link_set_words, GIVEN_DEV | GIVEN_SETTING, port_attrs,
	  PORT_ATTR_MAX },
	{ "link", "show", COMMAND_LINK_SHOW, link_show_words, 0, NULL, 0 },
	{ "link", "lst", COMMAND_LINK_SHOW, link_show_words, 0, NULL, 0 },
	{ "link", "list", COMMAND_LINK_SHOW, link_show_words, 0, NULL, 0 },
	{ "link", NULL, COMMAND_LINK_SHOW, no_words, 0, NULL, 0 },
	{ "link", "add", COMMAND_LINK_ADD, link_add_words, GIVEN_SPEC, NULL, 0 },
	{ "link", "delete", COMMAND_LINK_DEL, dev_words, GIVEN_DEV, NULL, 0 },
	{ "fdb", "add", COMMAND_FDB_ADD, fdb_add_words, GIVEN_MAC | GIVEN_DEV, NULL, 0 },
	{ "fdb", "append", COMMAND_FDB_APPEND, fdb_add_words, GIVEN_MAC | GIVEN_DEV, NULL, 0 },
	{ "fdb", "replace", COMMAND_FDB_REPLACE, fdb_add_words, GIVEN_MAC | GIVEN_DEV, NULL, 0 },
	{ "fdb", "delete", COMMAND_FDB_DEL, fdb_add_words, GIVEN_MAC | GIVEN_DEV, NULL, 0 },
	{ "fdb", "get", COMMAND_FDB_GET, fdb_get_words, GIVEN_MAC, NULL, 0 },
	{ "fdb", "show", COMMAND_FDB_SHOW, fdb_show_words, 0, NULL, 0 },
	{ "fdb", "lst", COMMAND_FDB_SHOW, fdb_show_words, 0, NULL, 0 },
	{ "fdb", "list", COMMAND_FDB_SHOW, fdb_show_words, 0, NULL, 0 },
	{ "fdb", NULL, COMMAND_FDB_SHOW, no_words, 0, NULL, 0 },
	{ "fdb", "flush", COMMAND_FDB_FLUSH, fdb_flush_words, GIVEN_DEV, NULL, 0 },
	{ "vlan", "add", COMMAND_VLAN_ADD, vlan_words, GIVEN_VID | GIVEN_DEV, NULL, 0 },
	{ "vlan", "delete", COMMAND_VLAN_DEL, vlan_words, GIVEN_VID | GIVEN_DEV, NULL, 0 },
	{ "vlan", "show", COMMAND_VLAN_SHOW, vlan_show_words, 0, NULL, 0 },
	{ "vlan", "lst", COMMAND_VLAN_SHOW, vlan_show_words, 0, NULL, 0 },
	{ "vlan", "list", COMMAND_VLAN_SHOW, vlan_show_words, 0, NULL, 0 },
	{ "vlan", "set", COMMAND_VLAN_SET, vlan_set_words, GIVEN_VID | GIVEN_DEV | GIVEN_STATE,
	  NULL, 0 },
	{ "vlan", NULL, COMMAND_VLAN_SHOW, no_words, 0, NULL, 0 },
	{ "monitor", NULL, COMMAND_MONITOR, monitor_words, 0, NULL, 0 },
	{ "show", "config", COMMAND_SHOW_CONFIG, no_words, 0, NULL, 0 },
	{ "show", NULL, COMMAND_SHOW, no_words, 0, NULL, 0 },
	{ "set", NULL, COMMAND_SET, set_words, GIVEN_SETTING, bridge_attrs, BRIDGE_ATTR_MAX },
	{ "stats", NULL, COMMAND_STATS, dev_words, 0, NULL, 0 },
	{ "trace", NULL, COMMAND_TRACE, trace_words, GIVEN_IN | GIVEN_SRC | GIVEN_DST, NULL, 0 },
	{ "plan", NULL, COMMAND_PLAN, plan_words, 0, NULL, 0 },
	{ "repair", NULL, COMMAND_REPAIR, no_words, 0, NULL, 0 },
	{ "reload", NULL, COMMAND_RELOAD, no_words, 0, NULL, 0 },
	{ "stop", NULL, COMMAND_STOP, no_words, 0, NULL, 0 },
	{ "version", NULL, COMMAND_VERSION, no_words, 0, NULL, 0 },
};
#define N_GRAMMAR (sizeof(grammar) / sizeof(grammar[0]))

static const struct {
	uint32_t given;
	const char *text;
} missing_words[] = {
	{ GIVEN_SPEC, "the port (NAME or KIND:ADDRESS)" },
	{ GIVEN_MAC, "the MAC address" },
	{ GIVEN_IN, "in NAME" },
	{ GIVEN_SRC, "src MAC" },
	{ GIVEN_DST, "dst MAC" },
	{ GIVEN_VID, "vid VID" },
	{ GIVEN_DEV, "dev NAME" },
	{ GIVEN_STATE, "state STATE" },
	{ GIVEN_SETTING, "a setting (KEY VALUE)" },
};

static bool is_prefix(const char *word, const char *of)
{
	return *word && !strncmp(word, of, strlen(word));
}

/* Appends @word to the list "a, b" in @list once. */
static void list_add(char *list, size_t size, const char *word)
{
	size_t len = strlen(list), n = strlen(word);
	const char *seen = list;

	while ((seen = strstr(seen, word))) {
		if ((seen == list || seen[-1] == ' ') && (seen[n] == ',' || !seen[n]))
			return;
		seen += n;
	}
	snprintf(list + len, size - len, "%s%s", len ? ", " : "", word);
}

/*
 * Returns the object that @word names; those of bridge(8) may be abbreviated, our own may not
 * (`stop`).
 */
static const char *find_object(const char *word)
{
	for (size_t i = 0; i < N_GRAMMAR; i++)
		if (!strcmp(grammar[i].object, word))
			return grammar[i].object;
	for (size_t i = 0; i < N_GRAMMAR; i++)
		if (grammar[i].op < COMMAND_STATS && grammar[i].op >= COMMAND_LINK_ADD &&
		    is_prefix(word, grammar[i].object))
			return grammar[i].object;
	return is_prefix(word, "monitor") ? "monitor" : NULL;
}

/* Returns the row for @n words and sets *@used to how many of them name it. */
static const struct grammar *find_row(unsigned n, const char *const *words, unsigned *used,
				      struct error *err)
{
	const char *object = find_object(words[0]);
	const struct grammar *alone = NULL;
	char list[160] = "";
	bool verbs = false;

	for (size_t i = 0; i < N_GRAMMAR; i++) {
		const struct grammar *g = &grammar[i];

		if (!object)
			list_add(list, sizeof(list), g->object);
		if (!object || strcmp(g->object, object) != 0)
			continue;
		*used = 2;
		if (g->verb && n > 1 && is_prefix(words[1], g->verb))
			return g;
		if (g->verb)
			list_add(list, sizeof(list), g->verb);
		else
			alone = g;
		verbs = verbs || g->verb;
	}
	*used = 1;
	if (!object)
		error_set(err, 0, "Object \"%.40s\" is unknown: it is none of %s", words[0], list);
	else if (n > 1 && verbs)
		error_set(err, 0, "%s: command \"%.40s\" is unknown: it is none of %s", object,
			  words[1], list);
	else if (alone)
		return alone;
	return NULL;
}

/* The command as the user knows it, for messages: "fdb add". */
static const char *row_name(const struct grammar *g, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", g->object, g->verb ? " " : "", g->verb ? g->verb : "");
	return text;
}

static int unknown_word(const struct grammar *g, const char *word, struct error *err)
{
	char list[300] = "", name[24];

	for (const struct keyword *k = g->keywords; k->given; k++)
		if (k->word)
			list_add(list, sizeof(list), k->word);
	for (unsigned i = 0; i < g->n_attrs; i++)
		list_add(list, sizeof(list), g->attrs[i].name);
	return error_set(err, -EINVAL, "%s: unknown word \"%.40s\" (%s%s)",
			 row_name(g, name, sizeof(name)), word,
			 list[0] ? "it takes " : "it takes none", list);
}

/* Reads setting @attr, whose value is @value or NULL at the end of the line. */
static int take_setting(struct command *cmd, const struct grammar *g, unsigned attr,
			const char *value, struct error *err)
{
	const struct attr *row = &g->attrs[attr];
	char why[300];

	if (cmd->set >> attr & 1)
		return error_set(err, -EINVAL, "%s is given twice", row->name);
	if (!value)
		return error_set(err, -EINVAL, "%s needs a value", row->name);
	if (attr_parse(row, value, &cmd->value[attr], why, sizeof(why)))
		return error_set(err, -EINVAL, "%s", why);
	cmd->set |= 1u << attr;
	cmd->given |= GIVEN_SETTING;
	return 0;
}

static int take_keyword(struct command *cmd, const struct keyword *k, const char *word,
			const char *value, struct error *err)
{
	if (cmd->given & k->given && k->given != GIVEN_SETTING)
		return error_set(err, -EINVAL,
				 k->word ? "\"%s\" is given twice" : "unknown word \"%.40s\"",
				 word);
	if (k->read && !value)
		return error_set(err, -EINVAL, "%s needs a value", word);
	if (!k->read && k->given == GIVEN_SETTING)
		cmd->set |= 1u << PORT_BACKUP_PORT;
	cmd->given |= k->given;
	return k->read ? k->read(cmd, value, err) : 0;
}

/* Takes the word at @words and its value. Returns how many words that were, or -EINVAL. */
static int take_word(struct command *cmd, const struct grammar *g, unsigned n,
		     const char *const *words, struct error *err)
{
	const struct keyword *k = g->keywords;
	int attr, ret;

	while (k->given && (!k->word || strcmp(k->word, words[0]) != 0))
		k++;
	if (k->given) {
		ret = take_keyword(cmd, k, words[0], n > 1 ? words[1] : NULL, err);
		return ret ? ret : k->read ? 2 : 1;
	}
	attr = g->attrs ? attr_find(g->attrs, g->n_attrs, words[0]) : -1;
	if (attr >= 0) {
		ret = take_setting(cmd, g, (unsigned)attr, n > 1 ? words[1] : NULL, err);
		return ret ? ret : 2;
	}
	for (k = g->keywords; k->given && k->word;)
		k++;
	if (!k->given)
		return unknown_word(g, words[0], err);
	ret = take_keyword(cmd, k, words[0], words[0], err);
	return ret ? ret : 1;
}

/* Words that exclude or need each other. */
static int check_words(const struct command *cmd, struct error *err)
{
	uint32_t kind = cmd->given & GIVEN_KIND;
	bool add = cmd->op == COMMAND_FDB_ADD || cmd->op == COMMAND_FDB_APPEND ||
		   cmd->op == COMMAND_FDB_REPLACE;

	if (add && !kind && !(cmd->given & GIVEN_EXT_LEARN))
		return error_set(err, -EINVAL,
				 "fdb add: which kind of entry: static, dynamic or local?");
	if (kind & (kind - 1))
		return error_set(err, -EINVAL, "static, dynamic and local exclude each other");
	if (add && kind == GIVEN_LOCAL && cmd->given & GIVEN_STICKY)
		return error_set(err, -EINVAL, "sticky and local exclude each other");
	if (add && kind && kind != GIVEN_DYNAMIC && cmd->given & GIVEN_EXT_LEARN)
		return error_set(err, -EINVAL,
				 "extern_learn is a kind of its own, neither static nor local");
	if (add && cmd->given & GIVEN_STICKY && cmd->given & GIVEN_EXT_LEARN)
		return error_set(err, -EINVAL, "sticky and extern_learn exclude each other");
	if (cmd->backend && cmd->set)
		return error_set(err, -EINVAL, "set backend stands alone");
	if (cmd->op == COMMAND_VLAN_ADD && cmd->given & GIVEN_PVID &&
	    cmd->vid_first != cmd->vid_last)
		return error_set(err, -EINVAL, "pvid cannot be configured for a vlan range");
	if (cmd->op == COMMAND_VLAN_DEL && cmd->given & (GIVEN_PVID | GIVEN_UNTAGGED))
		return error_set(
			err, -EINVAL,
			"vlan del takes neither pvid nor untagged; vlan add without them takes them away");
	return 0;
}

int command_parse(unsigned n, const char *const *words, struct command *cmd, struct error *err)
{
	const struct grammar *g;
	unsigned i = 0;
	char name[24];

	memset(cmd, 0, sizeof(*cmd));
	if (!n)
		return 0;
	g = find_row(n, words, &i, err);
	if (!g)
		return -EINVAL;
	cmd->op = g->op;
	while (i < n) {
		int used = take_word(cmd, g, n - i, words + i, err);

		if (used < 0)
			return used;
		i += (unsigned)used;
	}
	for (size_t k = 0; k < sizeof(missing_words) / sizeof(missing_words[0]); k++)
		if (g->need & ~cmd->given & missing_words[k].given)
			return error_set(err, -EINVAL, "%s: %s is missing",
					 row_name(g, name, sizeof(name)), missing_words[k].text);
	return check_words(cmd, err);
}
