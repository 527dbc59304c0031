/* SPDX-License-Identifier: MIT */
/*
 * backend: who really forwards, behind one table of functions.
 *
 * `user` is this process (user.c); `kernel` programs a Linux bridge through netlink; `record`
 * (tests) prints verbs. The surprising rule: actual state is always read back, never remembered.
 * Verbs are idempotent; -EOPNOTSUPP means "this backend cannot" and its sentence names what. `ctx`
 * is the backend's own object. Called by apply.c and the control commands, from the main thread
 * between two turns of the loop.
 */
#ifndef SWITCH_DAEMON_BACKEND_H
#define SWITCH_DAEMON_BACKEND_H

#include "fdb/fdb.h"
#include "ports/port.h"
#include "switch/bridge.h"
#include "switch/model.h"

/* What `link show` and `stats` say of one port. */
struct port_info {
	uint16_t number;
	char name[PORT_NAME_MAX];
	const char *kind; /* "tap", "packet", ...; "host" for the host port */
	struct link link;
	enum port_state state;
	uint64_t attr[PORT_ATTR_MAX];
	char backup_port[PORT_NAME_MAX];
	struct port_stats stats;
	uint32_t fdb_entries;
	char note[160]; /* why it is missing or down; "" = nothing to say */
};

/* What goes over to another backend with a port. */
struct port_carry {
	struct port_stats stats;
	bool made; /* its TAP was made for it, and goes with it */
};

struct backend_ops {
	const char *name;
	bool shared; /* others may change it, too */
	/*
	 * Everything is configured: frames may move, but not those that have arrived when @discard.
	 * Returns 0 or -errno with a sentence. stop() ends that.
	 */
	int (*start)(void *ctx, bool discard, struct error *err);
	int (*stop)(void *ctx, struct error *err);
	/* Moves frames that wait, in the middle of work that takes long. */
	void (*serve)(void *ctx);
	/*
	 * Lets go of what is to go over with the port of that name, and takes it on. give() returns
	 * whether there is such a port.
	 */
	bool (*give)(void *ctx, const char *port, struct port_carry *carry);
	void (*take)(void *ctx, const char *port, const struct port_carry *carry);
	/* Ends it, and takes away what it made. */
	void (*close)(void *ctx);
	/* Takes what @m has by default and this backend cannot have out of @m. */
	void (*limit)(void *ctx, struct model *m);
	/* Calls @say with a sentence for each thing in @m that it cannot have. */
	void (*lacks)(void *ctx, const struct model *m,
		      void (*say)(void *arg, const char *sentence), void *arg);
	/* Reads the actual configuration into @actual, an initialised model. */
	int (*read)(void *ctx, struct model *actual, struct error *err);
	/* Does one verb. */
	int (*apply)(void *ctx, const struct verb *verb, struct error *err);
	/*
	 * Reads port @number (the lowest existing one >= it) into @info; returns -ENODEV when there
	 * is none.
	 */
	int (*port_next)(void *ctx, uint16_t number, struct port_info *info);
	/*
	 * Entries; as fdb_walk(), bridge_fdb_get(), bridge_fdb_add() (dynamic entries only),
	 * bridge_fdb_flush().
	 */
	unsigned (*fdb_walk)(void *ctx, const struct fdb_match *match, uint64_t *cursor,
			     struct fdb_entry *entries, unsigned max);
	int (*fdb_get)(void *ctx, uint64_t mac, uint16_t vid, struct fdb_entry *entry);
	int (*fdb_add)(void *ctx, const struct fdb_entry *entry, bool all_vlans, enum fdb_mode mode,
		       struct error *err);
	int (*fdb_del)(void *ctx, uint64_t mac, uint16_t vid, uint16_t port, bool all_vlans,
		       struct error *err);
	int (*fdb_flush)(void *ctx, const struct fdb_match *match, struct error *err);
	void (*fdb_info)(void *ctx, struct fdb_info *info);
	/* VLAN membership and counters; as bridge_vlan_get(), bridge_vlan_stats(). */
	bool (*vlan_get)(void *ctx, uint16_t port, uint16_t vid, uint16_t *flags,
			 enum port_state *state);
	void (*vlan_stats)(void *ctx, uint16_t port, uint16_t vid, struct vlan_stats *stats);
	/* As bridge_trace(). */
	int (*trace)(void *ctx, uint16_t in, uint64_t src, uint64_t dst, struct vtag tag,
		     uint32_t len, char *text, size_t size, struct error *err);
};

struct backend {
	const struct backend_ops *ops;
	void *ctx;
};

#endif
