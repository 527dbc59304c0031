/* SPDX-License-Identifier: MIT */
#include "ports/owner.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

/* Reads @text, decimal, into @id; the highest number means "leave it" to the kernel: it is none. */
static int read_id(const char *text, unsigned *id)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	*id = (unsigned)number;
	return isdigit((unsigned char)text[0]) && !*end && !errno && number < (unsigned)-1
		       ? 0
		       : -ENOENT;
}

int owner_user(const char *text, uid_t *uid)
{
	const struct passwd *pw = getpwnam(text);

	if (!pw)
		return read_id(text, uid);
	*uid = pw->pw_uid;
	return 0;
}

int owner_group(const char *text, gid_t *gid)
{
	const struct group *gr = getgrnam(text);

	if (!gr)
		return read_id(text, gid);
	*gid = gr->gr_gid;
	return 0;
}
