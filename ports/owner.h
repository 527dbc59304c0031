/* SPDX-License-Identifier: MIT */
/*
 * owner: users and groups as the user names them, for interfaces and sockets that others may use.
 *
 * The surprising rule: a number need not belong to anybody. The system's databases are asked, which
 * may take time: only when something is opened.
 */
#ifndef PORTS_OWNER_H
#define PORTS_OWNER_H

#include <sys/types.h>

/* Reads @text, the name or number of a user, into @uid. Returns 0 or -ENOENT. */
int owner_user(const char *text, uid_t *uid);

/* Reads @text, the name or number of a group, into @gid. Returns 0 or -ENOENT. */
int owner_group(const char *text, gid_t *gid);

#endif
