/* SPDX-License-Identifier: MIT */
/*
 * rights: a peer that sends a descriptor along with its bytes to a port that wants none.
 *
 * Included by tests of drivers; all of it is static.
 */
#ifndef TESTS_UNIT_RIGHTS_H
#define TESTS_UNIT_RIGHTS_H

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Sends a byte with a descriptor on @to, a Unix socket: refused, if the kernel is one that can. */
static inline void rights_refused(int to)
{
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .bytes = "" };
	struct iovec iov = { "", 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	socklen_t len = sizeof(int);
	int on;

	if (getsockopt(to, SOL_SOCKET, 83, &on, &len)) /* SO_PASSRIGHTS */
		return;
	control.h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.h), &to, sizeof(to));
	ck_assert_int_eq(sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT), -1);
	ck_assert_int_eq(errno, EPERM);
}

#endif
