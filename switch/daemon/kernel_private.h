/* SPDX-License-Identifier: MIT */
/*
 * kernel_private: what the files of the kernel backend share.
 *
 * kernel.c has the table and the verbs, kernel_bridge.c the bridge's coming and going,
 * kernel_port.c the ports, kernel_info.c what is shown of them, kernel_fdb.c the entries,
 * kernel_news.c what the kernel tells by itself. The surprising rule: `state` may be old; ask
 * kernel_state(), which reads it again when news wait or something was changed since. Owned by
 * kernel.c.
 */
#ifndef SWITCH_DAEMON_KERNEL_PRIVATE_H
#define SWITCH_DAEMON_KERNEL_PRIVATE_H

#include "switch/daemon/brstate.h"
#include "switch/daemon/kernel.h"

/* A port of the configuration: what the kernel does not know of it. */
struct kernel_port {
	struct kernel_port *next;
	char name[PORT_NAME_MAX];
	struct port_spec spec; /* resolved */
	bool host;
	bool made;              /* its TAP is ours */
	bool came;              /* it is back, and has none of its settings yet */
	bool joined;            /* we made it a port of the bridge */
	int ifindex;            /* 0 = missing */
	uint16_t number;        /* while it is missing: one that the kernel has not given */
	struct port_stats base; /* subtracted from the kernel's counters */
};

/* What monitors were last told of a port. */
struct kernel_told {
	struct link link;
	uint64_t attr[PORT_ATTR_MAX];
};

struct kernel {
	struct daemon *daemon;
	struct netlink *ask, *news;
	int ifindex;              /* of the bridge */
	bool created;             /* it is ours */
	struct brmsg_link before; /* adopted: how it was, and what it was configured as */
	struct model found;
	bool vlans;   /* this kernel's bridge knows VLANs */
	bool running; /* it is to be up */
	struct brstate state;
	int unread;          /* why the last reading failed, -errno, 0 = it did not */
	bool fresh;          /* nothing that we know of has changed since */
	uint64_t state_turn; /* in which wakeup of the loop it was read */
	bool same_ports;     /* we have added and removed no port since */
	struct kernel_port *ports;
	int drift_fd;                     /* a timer: compare with the configuration */
	struct kernel_told *told;         /* by number; link.present: there is such a port */
	uint64_t bridge[BRIDGE_ATTR_MAX]; /* what they were told of the bridge */
	/* kernel_fdb.c: the table as it was when a walk began; how many entries each port has */
	struct fdb_entry *entry;
	unsigned n_entries, entries_room;
	uint32_t *used; /* by number */
	bool counted;
	uint64_t counted_turn;
	/* counters of the VLANs of one interface, by VID, read at one moment */
	struct vlan_stats *vlan_stats;
	int vlan_stats_of;
	uint64_t vlan_stats_turn;
};

/* Whether news wait to be read. */
bool kernel_has_news(const struct kernel *k);

/*
 * The bridge as it is now; the same, where only the ports are as they are now, whatever became of
 * their settings.
 */
const struct brstate *kernel_state(struct kernel *k);
const struct brstate *kernel_ports_state(struct kernel *k);

/*
 * Sends @m; whatever was read before counts as old then. Returns 0 or -errno with a sentence that
 * begins with @what.
 */
int kernel_do(struct kernel *k, struct netlink_msg *m, const char *what, struct error *err);

/* Reads the interface @ifindex, or when that is 0 @name. Returns 0, -ENODEV or another -errno. */
int kernel_link(struct kernel *k, int ifindex, const char *name, struct brmsg_link *l);

/*
 * Makes the bridge, or takes the one that is there when that is wanted; brings it up; makes it if
 * it is gone. Return 0 or -errno with a sentence.
 */
int kernel_bridge_open(struct kernel *k, struct error *err);
int kernel_bridge_up(struct kernel *k, struct error *err);
int kernel_ensure(struct kernel *k, struct error *err);
/* Deletes the bridge that was made; gives one back as it was found when the start was refused. */
void kernel_bridge_close(struct kernel *k);

/* read of the table. */
int kernel_read(void *ctx, struct model *m, struct error *err);

/*
 * The port of the configuration that is named so, has that interface, or is the host port; or NULL.
 */
struct kernel_port *kernel_port_named(const struct kernel *k, const char *name);
struct kernel_port *kernel_port_of(const struct kernel *k, int ifindex);
struct kernel_port *kernel_host(const struct kernel *k);
/* The name of the port with interface @link. */
const char *kernel_port_name(const struct kernel *k, const struct brmsg_link *link);
/* The port of the configuration, missing for now, that is shown as @number; or NULL. */
struct kernel_port *kernel_missing(const struct kernel *k, unsigned number);

/* Whether a port, or the host port, that is described so can be a kernel's as things are now. */
int kernel_port_check(struct kernel *k, const struct port_spec *spec, struct error *err);
int kernel_host_check(const struct kernel *k, const struct port_spec *spec, struct error *err);

/* port_add and port_del of the table; an interface that is yet to come is no error. */
int kernel_port_add(struct kernel *k, const struct verb *v, struct error *err);
int kernel_port_del(struct kernel *k, const char *name, struct error *err);
/* Lets go of every port, and of what was made for it unless it is to stay. */
void kernel_ports_close(struct kernel *k, bool keep);
/* Another backend has them: has the bridge taken apart beside the frames, without k->ask then. */
void kernel_ports_hand_over(struct kernel *k);
/* Looks after ports whose interface has gone or come. */
void kernel_ports_follow(struct kernel *k);

/* port_next, vlan_get and vlan_stats of the table. */
int kernel_port_next(void *ctx, uint16_t number, struct port_info *info);
bool kernel_vlan_get(void *ctx, uint16_t port, uint16_t vid, uint16_t *flags,
		     enum port_state *state);
void kernel_vlan_stats(void *ctx, uint16_t port, uint16_t vid, struct vlan_stats *stats);

/*
 * The number of the port with interface @ifindex, also of one that has just left; PORT_NONE for one
 * that is not shown.
 */
uint16_t kernel_number(const struct kernel *k, int ifindex);

/* give and take of the table. */
bool kernel_give(void *ctx, const char *port, struct port_carry *carry);
void kernel_take(void *ctx, const char *port, const struct port_carry *carry);

/* Follows the kernel's news from now on; returns 0 or -errno with a sentence. */
int kernel_news_open(struct kernel *k, struct error *err);
void kernel_news_close(struct kernel *k);

#endif
