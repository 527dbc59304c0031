/* SPDX-License-Identifier: MIT */
/*
 * bridge: the Ethernet bridge itself, as an object: ports, VLANs, addresses, settings, counters.
 *
 * Frames and the time go in, frames and events come out. The surprising rule: it is pure. It makes
 * no system call, reads no clock, keeps no pointer to a frame after a call returns, and allocates
 * only when a port is added. Every rule is the Linux bridge's (net/bridge); forward.c has the path
 * of a frame, bridge.c and bridge_port.c the settings. Called by switch/daemon and tests from one
 * thread at a time.
 *
 * Counters balance. Ingress: rx = forwarded + consumed + the sum of drop_in. Egress: queued = tx +
 * the sum of drop_out (once the queues are flushed). Both are in the outbox's `struct port_stats`.
 */
#ifndef SWITCH_BRIDGE_H
#define SWITCH_BRIDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "fdb/fdb.h"
#include "ports/port.h"
#include "ports/queue.h"
#include "switch/attr.h"
#include "switch/outbox.h"
#include "vlan/vlan.h"

struct bridge;

/*
 * Returns a bridge without ports, or NULL. @fdb_size as fdb_new(); @secret keys its hash. NULL may
 * be freed.
 */
struct bridge *bridge_new(uint32_t fdb_size, const uint64_t secret[2]);
void bridge_free(struct bridge *br);

/*
 * Forwards the frames of @in, all from one port, at @now_ms: sets their vid and tag, counts them,
 * learns, and queues them in @out. Returns how many were consumed; fewer than in->n when @out is
 * full: flush it and call again with the rest (bridge_input_from). br_handle_frame() and what
 * follows it.
 */
unsigned bridge_input(struct bridge *br, struct batch *in, unsigned from, uint64_t now_ms,
		      struct outbox *out);

/* Does a bounded amount of ageing; call when bridge_next() says so. */
void bridge_tick(struct bridge *br, uint64_t now_ms, struct outbox *out);

/* When to call bridge_tick(): @now_ms while work remains, UINT64_MAX = never. */
uint64_t bridge_next(const struct bridge *br, uint64_t now_ms);

/*
 * Settings of the bridge. Returns 0, -EINVAL (value), -EBUSY (vlan_stats_per_port while a port has
 * VLANs).
 */
int bridge_set(struct bridge *br, enum bridge_attr attr, uint64_t value, uint64_t now_ms,
	       struct outbox *out);
uint64_t bridge_get(const struct bridge *br, enum bridge_attr attr);

/*
 * Adds port @n (PORT_HOST or a number below PORT_MAX that is free) named @name, without carrier. It
 * joins vlan_default_pvid (nbp_vlan_init). @local_mac: its link's MAC is an address of the switch.
 * Returns 0, -EEXIST, -EINVAL, -ENOMEM, -ENOSPC (no room for its local address).
 */
int bridge_port_add(struct bridge *br, uint16_t n, const char *name, bool local_mac,
		    uint64_t now_ms, struct outbox *out);
/* Removes port @n with all its entries and VLANs (del_nbp). Returns 0 or -ENODEV. */
int bridge_port_del(struct bridge *br, uint16_t n, uint64_t now_ms, struct outbox *out);

/*
 * The link of port @n is now as @link says (br_port_carrier_check, br_device_event): losing it
 * disables the port and flushes what it learned unless it has a backup port; getting it forwards at
 * once. MTU, MAC and (host port) promiscuity follow too.
 */
int bridge_port_link(struct bridge *br, uint16_t n, const struct link *link, uint64_t now_ms,
		     struct outbox *out);

/* Settings of port @n (br_setport). Returns 0, -ENODEV, -EINVAL, -ENETDOWN (no carrier). */
int bridge_port_set(struct bridge *br, uint16_t n, enum port_attr attr, uint64_t value,
		    uint64_t now_ms, struct outbox *out);
uint64_t bridge_port_get(const struct bridge *br, uint16_t n, enum port_attr attr);

/*
 * Adds, replaces or deletes the entry @e (fdb_add_entry): @e->flags has one of FDB_LOCAL,
 * FDB_STATIC, or neither (dynamic), and may have FDB_STICKY and FDB_EXT_LEARN. vid 0 with
 * @all_vlans adds it in VLAN 0 and in every VLAN of the port, as an omitted VID does. @mode as
 * NLM_F_CREATE / NLM_F_EXCL / NLM_F_REPLACE make it. Returns 0, -EINVAL, -ENODEV, -EEXIST, -ENOENT,
 * -EPERM (dynamic on a port that is not learning), -ENOSPC.
 */
enum fdb_mode { FDB_MODE_ADD, FDB_MODE_APPEND, FDB_MODE_REPLACE };
int bridge_fdb_add(struct bridge *br, const struct fdb_entry *e, bool all_vlans, enum fdb_mode mode,
		   uint64_t now_ms, struct outbox *out);
int bridge_fdb_del(struct bridge *br, uint64_t mac, uint16_t vid, uint16_t port, bool all_vlans,
		   uint64_t now_ms, struct outbox *out);
/*
 * Deletes what @match selects; without flags in it, whatever is neither static nor local
 * (fdb_flush).
 */
int bridge_fdb_flush(struct bridge *br, const struct fdb_match *match, uint64_t now_ms,
		     struct outbox *out);

/*
 * Adds VLANs @first..@last (1..4094) to port @n with @flags (enum vlan_flag; VLAN_PVID only when
 * they are one). Returns 0, -ENODEV, -EINVAL, -ENOSPC. Deleting an absent one is no error
 * (br_vlan_delete is silent in bridge(8)).
 */
int bridge_vlan_add(struct bridge *br, uint16_t n, uint16_t first, uint16_t last, uint16_t flags,
		    uint64_t now_ms, struct outbox *out);
int bridge_vlan_del(struct bridge *br, uint16_t n, uint16_t first, uint16_t last, uint64_t now_ms,
		    struct outbox *out);
/* Sets the per-VLAN state. Returns 0, -ENODEV, -ENOENT (not a member), -EINVAL. */
int bridge_vlan_set_state(struct bridge *br, uint16_t n, uint16_t first, uint16_t last,
			  enum port_state state, uint64_t now_ms, struct outbox *out);

/* Readers. */
bool bridge_port_exists(const struct bridge *br, uint16_t n);
/* Returns the lowest existing port >= @from, or PORT_NONE. */
uint16_t bridge_port_next(const struct bridge *br, uint16_t from);
const char *bridge_port_name(const struct bridge *br, uint16_t n);
/* Returns the port named @name, or PORT_NONE. */
uint16_t bridge_port_find(const struct bridge *br, const char *name);
const struct link *bridge_port_link_get(const struct bridge *br, uint16_t n);
bool bridge_fdb_get(const struct bridge *br, uint64_t mac, uint16_t vid, uint64_t now_ms,
		    struct fdb_entry *e);
unsigned bridge_fdb_walk(const struct bridge *br, const struct fdb_match *match, uint64_t now_ms,
			 uint64_t *cursor, struct fdb_entry *entries, unsigned max);
void bridge_fdb_info(const struct bridge *br, struct fdb_info *info);
/* Returns how many entries port @n has, as fdb_port_used(). */
uint32_t bridge_fdb_port_used(const struct bridge *br, uint16_t n);
/*
 * Returns whether port @n is in VLAN @vid; then *@flags are enum vlan_flag and *@state its per-VLAN
 * state.
 */
bool bridge_vlan_get(const struct bridge *br, uint16_t n, uint16_t vid, uint16_t *flags,
		     enum port_state *state);

struct vlan_stats {
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
};
/* Reads the counters of VLAN @vid on port @n (of the whole VLAN unless vlan_stats_per_port). */
void bridge_vlan_stats(const struct bridge *br, uint16_t n, uint16_t vid, struct vlan_stats *stats);

/*
 * What would happen now to a frame from @src to @dst received on port @in, with tag @tag (tpid 0:
 * untagged) and @len bytes: one sentence a line in @text (@size bytes), nothing is changed. The
 * same functions decide as in bridge_input(). Returns 0, or -ENODEV.
 */
int bridge_trace(const struct bridge *br, uint16_t in, uint64_t src, uint64_t dst, struct vtag tag,
		 uint32_t len, uint64_t now_ms, char *text, size_t size);

#endif
