/* SPDX-License-Identifier: MIT */
/*
 * model: a whole configuration as plain data: the bridge, its ports, VLANs and static entries.
 *
 * Command line, configuration file and control commands all edit a model; a backend can read its actual state back
 * into one; model_diff() gives the verbs that turn one into the other. The surprising rule: it holds only the
 * expanded, standard terms (access=10 is already pvid 10 untagged), so every backend and `show config` sees
 * the same. A model owns its arrays; copy with model_copy(), never by assignment. Pure but for malloc.
 */
#ifndef SWITCH_MODEL_H
#define SWITCH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb/fdb.h"
#include "ports/port.h"
#include "switch/attr.h"
#include "switch/verb.h"
#include "vlan/vlan.h"

/* VLAN membership of one port: bit VID of each; state has a byte for each VID (enum port_state). */
struct model_vlans {
	uint64_t member[VLAN_N / 64];
	uint64_t untagged[VLAN_N / 64];
	uint8_t state[VLAN_N];
	uint16_t pvid; /* 0 = none */
};

struct model_port {
	char name[PORT_NAME_MAX];
	struct port_spec spec;
	uint64_t attr[PORT_ATTR_MAX]; /* BACKUP_PORT is in backup_port instead */
	char backup_port[PORT_NAME_MAX];
	struct model_vlans *vlans; /* never NULL */
	bool host;                 /* the host port (-l) */
};

/* An entry that stays: static, local or extern_learn. Dynamic ones are no configuration. */
struct model_fdb {
	uint64_t mac;
	uint16_t vid;
	uint16_t flags; /* enum fdb_flag */
	char dev[PORT_NAME_MAX];
};

struct model {
	char name[PORT_NAME_MAX];
	uint64_t attr[BRIDGE_ATTR_MAX];
	unsigned n_ports, n_fdb;
	struct model_port *port;
	struct model_fdb *fdb;
};

/* Makes @m an empty configuration named @name with default settings; model_fini() releases what it holds. */
void model_init(struct model *m, const char *name);
void model_fini(struct model *m);

/* Makes @dst, an initialised model, equal to @src. Returns 0 or -ENOMEM. */
int model_copy(struct model *dst, const struct model *src);

/* Returns the port named @name or NULL. */
struct model_port *model_port(const struct model *m, const char *name);

/* Adds a port with default settings, in no VLAN. Returns it, or NULL when memory is short. @spec is copied. */
struct model_port *model_port_add(struct model *m, const char *name, const struct port_spec *spec, bool host);

/* Removes port @name, its entries and references to it as backup. Returns 0 or -ENODEV. */
int model_port_del(struct model *m, const char *name);

/* Adds or replaces entry (@mac, @vid). Returns 0 or -ENOMEM. */
int model_fdb_put(struct model *m, uint64_t mac, uint16_t vid, const char *dev, uint16_t flags);
/* Removes it. Returns 0 or -ENOENT. */
int model_fdb_del(struct model *m, uint64_t mac, uint16_t vid);

/*
 * Checks what no single command can: names unique, backup ports and entries refer to ports, ranges, at most
 * PORT_MAX - 1 ports. Returns 0 or -EINVAL with a sentence.
 */
int model_check(const struct model *m, struct error *err);

/* A list of verbs in the order to apply them. */
struct verbs {
	unsigned n, room;
	struct verb *verb;
};

/* Makes @verbs what turns @actual into @wanted (@verbs empty: nothing to do). Returns 0 or -ENOMEM. */
int model_diff(const struct model *actual, const struct model *wanted, struct verbs *verbs);
void verbs_fini(struct verbs *verbs);

#endif
