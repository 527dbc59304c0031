/* SPDX-License-Identifier: MIT */
/*
 * kernel_fdb: the entries of the kernel's bridge.
 *
 * The surprising rule: the kernel adds entries of its own for the addresses of ports and does not
 * say which the user added; `wanted` decides. Nothing of its own to end. Called by the other files
 * of the kernel backend, most of it through the backend's table.
 */
#ifndef SWITCH_DAEMON_KERNEL_FDB_H
#define SWITCH_DAEMON_KERNEL_FDB_H

#include "switch/daemon/kernel_private.h"

/* Entries that stay, into @m. */
int kernel_read_fdb(struct kernel *k, struct model *m);
/* Gives @e, which has ages, its port and its times. False: it is of no port that we show. */
bool kernel_fdb_entry(struct kernel *k, const struct brmsg_fdb *e, struct fdb_entry *entry);
/* How many entries port @number has. */
uint32_t kernel_fdb_used(struct kernel *k, uint16_t number);
unsigned kernel_fdb_walk(void *ctx, const struct fdb_match *match, uint64_t *cursor,
			 struct fdb_entry *entries, unsigned max);
int kernel_fdb_get(void *ctx, uint64_t mac, uint16_t vid, struct fdb_entry *entry);
int kernel_fdb_add(void *ctx, const struct fdb_entry *entry, bool all_vlans, enum fdb_mode mode,
		   struct error *err);
int kernel_fdb_del(void *ctx, uint64_t mac, uint16_t vid, uint16_t port, bool all_vlans,
		   struct error *err);
int kernel_fdb_flush(void *ctx, const struct fdb_match *match, struct error *err);
void kernel_fdb_info(void *ctx, struct fdb_info *info);

#endif
