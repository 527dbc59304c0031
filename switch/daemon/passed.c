/* SPDX-License-Identifier: MIT */
#include "switch/daemon/passed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t passed_recv(int sock, void *bytes, size_t len, int *fd)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_LEN(sizeof(int))]; /* of more the kernel closes the rest */
	} control;
	struct iovec iov = { bytes, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t got = recvmsg(sock, &msg, MSG_DONTWAIT);
	const struct cmsghdr *c = got < 0 ? NULL : CMSG_FIRSTHDR(&msg);

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return got;
	passed_end(*fd);
	memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	if (msg.msg_flags & MSG_CTRUNC) {
		passed_end(*fd);
		*fd = -1;
	}
	return got;
}

int passed_spec(const char **spec, int fd, char room[PASSED_SPEC_MAX], struct error *err)
{
	bool wanted = !strncmp(*spec, "fd:", 3);
	int len;

	if (fd < 0)
		return wanted ? error_set(err, -EINVAL, "no descriptor came with it") : 0;
	if (!wanted)
		return error_set(err, -EINVAL, "a descriptor came with it, which only fd:N takes");
	len = snprintf(room, PASSED_SPEC_MAX, "fd:%d%s", fd, *spec + strcspn(*spec, ","));
	if (len >= (int)PASSED_SPEC_MAX)
		return error_set(err, -EINVAL, "the description of the port is too long");
	*spec = room;
	return 0;
}

void passed_end(int fd)
{
	if (fd >= 0 && fcntl(fd, F_GETFD) == 0)
		close(fd);
}
