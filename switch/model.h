/* SPDX-License-Identifier: MIT */
/*
 * model: a whole configuration as plain data: the bridge, its ports, VLANs and static entries.
 *
 * Command line, configuration file and control commands all edit a model; a backend can read its
 * actual state back into one; model_diff() gives the verbs that turn one into the other. The
 * surprising rule: it holds only the expanded, standard terms (access=10 is already pvid 10
 * untagged), so every backend and `show config` sees the same, and editing it has the side effects
 * the kernel's bridge has (vlan_default_pvid moves ports to another VLAN). A port's `state` is no
 * configuration: it follows the link. A model owns its arrays; copy with model_copy(), never by
 * assignment. Pure but for malloc.
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

/* VLAN membership of one port: bit VID of each, a byte of state for each VID. */
struct model_vlans {
	uint64_t member[VLAN_N / 64];
	uint64_t untagged[VLAN_N / 64];
	uint8_t state[VLAN_N]; /* enum port_state; forwarding where it is no member */
	uint16_t pvid;         /* 0 = none */
};

struct model_port {
	char name[PORT_NAME_MAX];
	struct port_spec spec;
	uint64_t attr[PORT_ATTR_MAX]; /* BACKUP_PORT is in backup_port instead; STATE is not used */
	char backup_port[PORT_NAME_MAX];
	struct model_vlans *vlans; /* never NULL */
	bool host;                 /* the host port (-l) */
	bool qinq; /* qinq=VID: model_check() insists on 802.1ad; no part of a diff */
};

/*
 * An entry that stays: static, local or extern_learn (FDB_MODEL_FLAGS). Dynamic ones are no
 * configuration.
 */
struct model_fdb {
	uint64_t mac;
	uint16_t vid;
	uint16_t flags; /* enum fdb_flag */
	char dev[PORT_NAME_MAX];
};

#define FDB_MODEL_FLAGS (FDB_LOCAL | FDB_STATIC | FDB_STICKY | FDB_EXT_LEARN)

struct model {
	char name[PORT_NAME_MAX];
	uint64_t attr[BRIDGE_ATTR_MAX];
	bool group_addr_set; /* else it follows vlan_protocol (recalculate_group_addr) */
	unsigned n_ports, n_fdb, fdb_room;
	struct model_port *port; /* in the order they were added */
	struct model_fdb *fdb;   /* sorted by mac, then vid */
};

/*
 * Makes @m an empty configuration named @name with default settings; model_fini() releases what it
 * holds.
 */
void model_init(struct model *m, const char *name);
void model_fini(struct model *m);

/* Makes @dst, an initialised model, equal to @src. Returns 0 or -ENOMEM. */
int model_copy(struct model *dst, const struct model *src);

/* Returns the port named @name or NULL. */
struct model_port *model_port(const struct model *m, const char *name);
/* Returns the host port, or NULL. */
struct model_port *model_host(const struct model *m);

/*
 * Sets a setting of the bridge and does what follows from it (__br_vlan_set_default_pvid,
 * recalculate_group_addr).
 */
void model_set(struct model *m, enum bridge_attr attr, uint64_t value);

/*
 * Adds a port with default settings, in no VLAN. Returns it, or NULL when memory is short. @spec is
 * copied. Pointers to other ports are no longer valid then.
 */
struct model_port *model_port_add(struct model *m, const char *name, const struct port_spec *spec,
				  bool host);

/* Removes port @name, its entries and references to it as backup. Returns 0 or -ENODEV. */
int model_port_del(struct model *m, const char *name);

/* Returns whether @port is in VLAN @vid (1..4094). */
bool model_vlan_has(const struct model_port *port, uint16_t vid);
/*
 * Adds VLANs @first..@last to @port with @flags (enum vlan_flag), or changes their flags
 * (nbp_vlan_add).
 */
void model_vlan_add(struct model_port *port, uint16_t first, uint16_t last, uint16_t flags);
/* Removes them where they are, and the entries of @m that are in them on @port. */
void model_vlan_del(struct model *m, struct model_port *port, uint16_t first, uint16_t last);

/* Returns entry (@mac, @vid) or NULL. */
struct model_fdb *model_fdb(const struct model *m, uint64_t mac, uint16_t vid);
/* Adds or replaces entry (@mac, @vid). Returns 0 or -ENOMEM. */
int model_fdb_put(struct model *m, uint64_t mac, uint16_t vid, const char *dev, uint16_t flags);
/* Removes it. Returns 0 or -ENOENT. */
int model_fdb_del(struct model *m, uint64_t mac, uint16_t vid);

/*
 * Brings the entries of @wanted up to what became of them in @actual without a command: static
 * entries roam to another port as learned ones do, extern_learn ones lose their mark doing so, a
 * flush removes them. Call before editing.
 */
void model_follow(struct model *wanted, const struct model *actual);

/*
 * Adds entries that survived outside the configuration, in a VLAN that their port had left, and are
 * back: they roamed to a member, or (@rejoined) their port is a new member in @wanted. 0 or
 * -ENOMEM.
 */
int model_adopt(struct model *wanted, const struct model *actual, bool rejoined);

/*
 * Checks what no single command can: names and interfaces unique, backup ports and entries refer to
 * ports, at most PORT_MAX - 1 ports besides the host port, settings that need each other. Returns 0
 * or -EINVAL with a sentence.
 */
int model_check(const struct model *m, struct error *err);

/* A list of verbs in the order to apply them. */
struct verbs {
	unsigned n, room;
	struct verb *verb;
};

/*
 * Makes @verbs what turns @actual into @wanted, in the order of enum verb_op (@verbs empty: nothing
 * to do). `spec` points into @wanted. Verbs have side effects (a new port joins vlan_default_pvid),
 * so compare again after applying them. Static entries of @actual in a VLAN that their port has
 * left are not touched: the kernel keeps them too, and they could not be added again. Returns 0 or
 * -ENOMEM.
 */
int model_diff(const struct model *actual, const struct model *wanted, struct verbs *verbs);
void verbs_fini(struct verbs *verbs);

#endif
