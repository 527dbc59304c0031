/* SPDX-License-Identifier: MIT */
/*
 * drift: where the backend is not, or will not be, as the configuration says.
 *
 * The kernel's bridge can be changed by others; what this process forwards cannot. The surprising
 * rule: an entry that roamed or was learned anew is no drift, it is followed; one that somebody
 * deleted is. Used by the control commands and by the kernel backend's news.
 */
#ifndef SWITCH_DAEMON_DRIFT_H
#define SWITCH_DAEMON_DRIFT_H

#include <jansson.h>

#include "switch/daemon/daemon.h"

/*
 * Makes @next the wanted configuration, its entries where they are by now in @actual, which is read
 * back; both are initialised models. Returns 0 or -errno with a sentence.
 */
int drift_follow(const struct daemon *d, struct model *next, struct model *actual,
		 struct error *err);

/* Own commands took entries away that are configured: they are wanted no more. */
void drift_forget(struct daemon *d);

/*
 * The commands that would bring the backend to the configuration, an array of strings; NULL with a
 * sentence.
 */
json_t *drift_show(const struct daemon *d, struct error *err);

/*
 * {"verbs":[...],"lost":[...]}: the commands that `reload` would do if the configuration file were
 * @file (NULL: that `repair` would do), and what this backend cannot do of it, a sentence each.
 * NULL with a sentence.
 */
json_t *drift_plan(struct daemon *d, const char *file, struct error *err);

/* Brings the backend back to the configuration. Returns what was done as drift_plan(), or NULL. */
json_t *drift_repair(struct daemon *d, struct error *err);

/*
 * Port @port has come back: gives it what is configured for it and nobody gave it since, and makes
 * it others' backup again. Adds and removes no port. Returns 0 or -errno with a sentence.
 */
int drift_settle(struct daemon *d, const char *port, struct error *err);

/*
 * Something changed that may have been others' work: tells monitors if drift came, changed or went,
 * and with options.enforce repairs it.
 */
void drift_check(struct daemon *d);

#endif
