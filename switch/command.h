/* SPDX-License-Identifier: MIT */
/*
 * command: the language of uswitchctl, of the configuration file and of the command line's ports.
 *
 * Words become a struct command by one table of grammar; a command that configures then edits a
 * model. Object and verb may be abbreviated as bridge(8) allows (`f s`), keywords come in any
 * order. The surprising rule: parsing knows no ports; whether a device exists is asked when a
 * command is bound to a model. A command points into the line that it came from. Pure. Called by
 * main.c for options and file, by the control socket and by tests.
 */
#ifndef SWITCH_COMMAND_H
#define SWITCH_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/error.h"
#include "switch/model.h"

enum command_op {
	COMMAND_NONE, /* an empty line or a comment */
	COMMAND_SHOW,
	COMMAND_SHOW_CONFIG,
	COMMAND_SET,
	COMMAND_LINK_ADD,
	COMMAND_LINK_DEL,
	COMMAND_LINK_SET,
	COMMAND_LINK_SHOW,
	COMMAND_FDB_ADD,
	COMMAND_FDB_APPEND,
	COMMAND_FDB_REPLACE,
	COMMAND_FDB_DEL,
	COMMAND_FDB_SHOW,
	COMMAND_FDB_GET,
	COMMAND_FDB_FLUSH,
	COMMAND_VLAN_ADD,
	COMMAND_VLAN_DEL,
	COMMAND_VLAN_SET,
	COMMAND_VLAN_SHOW,
	COMMAND_STATS,
	COMMAND_TRACE,
	COMMAND_MONITOR,
	COMMAND_PLAN,
	COMMAND_REPAIR,
	COMMAND_RELOAD,
	COMMAND_STOP,
	COMMAND_VERSION,
};

/* Which words a command had. */
enum command_given {
	GIVEN_DEV = 1 << 0,
	GIVEN_BRPORT = 1 << 1, /* dev is then that of brport */
	GIVEN_BR = 1 << 2,
	GIVEN_MASTER = 1 << 3,
	GIVEN_SELF = 1 << 4,
	GIVEN_MAC = 1 << 5,
	GIVEN_VLAN = 1 << 6, /* vid_first = vid_last */
	GIVEN_VID = 1 << 7,
	GIVEN_PVID = 1 << 8,
	GIVEN_UNTAGGED = 1 << 9,
	GIVEN_STATE = 1 << 10,
	GIVEN_STATIC = 1 << 11,
	GIVEN_DYNAMIC = 1 << 12,
	GIVEN_LOCAL = 1 << 13,
	GIVEN_STICKY = 1 << 14,
	GIVEN_EXT_LEARN = 1 << 15,
	GIVEN_SRC = 1 << 16,
	GIVEN_DST = 1 << 17,
	GIVEN_LEN = 1 << 18,
	GIVEN_SPEC = 1 << 19,
	GIVEN_SETTING = 1 << 20,
	GIVEN_FDB = 1 << 21, /* monitor */
	GIVEN_LINK = 1 << 22,
	GIVEN_VLANS = 1 << 23,
	GIVEN_ALL = 1 << 24,
	GIVEN_IN = 1 << 25, /* trace: dev */
	GIVEN_FILE = 1 << 26,
};
#define GIVEN_KIND (GIVEN_STATIC | GIVEN_DYNAMIC | GIVEN_LOCAL)

enum command_backend { BACKEND_NOT_GIVEN, BACKEND_USER, BACKEND_KERNEL };

struct command {
	enum command_op op;
	uint32_t given; /* enum command_given */
	char dev[PORT_NAME_MAX];
	char br[PORT_NAME_MAX];
	uint64_t mac, src, dst;
	uint16_t vid_first, vid_last;
	enum port_state state;
	uint32_t len;                 /* trace: bytes of the frame */
	const char *spec;             /* link add: the port's description */
	const char *file;             /* plan: an absolute path */
	enum command_backend backend; /* set backend */
	uint32_t set; /* set, link set: bit N = setting N (enum bridge_attr, port_attr) is given */
	uint64_t value[32];
	char backup_port[PORT_NAME_MAX]; /* "" = none */
};

/* Reads @n words. Returns 0, or -EINVAL with a sentence that names the word at fault. */
int command_parse(unsigned n, const char *const *words, struct command *cmd, struct error *err);

/*
 * Finds what @cmd refers to in @m: `dev` may be the switch's own name for its host port, `br` must
 * be the switch, `self` the host port. Without @port only that is checked, else *@port becomes the
 * port of `dev` (NULL when none was given). Returns 0, -ENODEV or -EINVAL with a sentence.
 */
int command_bind(const struct command *cmd, const struct model *m, struct model_port **port,
		 struct error *err);

/*
 * Returns whether @cmd edits the configuration: set, and add, del, set of link, vlan and lasting
 * entries.
 */
bool command_is_config(const struct command *cmd);

/* The entry flags (enum fdb_flag) that `fdb add` asks for. */
uint16_t command_fdb_flags(const struct command *cmd);

/*
 * Does a configuring command to @m. Port descriptions are read with the table @kinds (port_kinds,
 * but this folder knows no driver). Returns 0 or -errno with a sentence; @m is then unchanged but
 * for -ENOMEM. Whether settings fit together is left to model_check().
 */
int command_apply(const struct command *cmd, const struct port_ops *const *kinds, struct model *m,
		  struct error *err);

/* Does one line of configuration to @m; as command_apply(), and other commands are refused. */
int command_line(struct model *m, const struct port_ops *const *kinds, const char *line,
		 struct error *err);

/* The same with every kind of port that the program has. */
static inline int command_config_line(struct model *m, const char *line, struct error *err)
{
	return command_line(m, port_kinds, line, err);
}

#endif
