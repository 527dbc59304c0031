/* SPDX-License-Identifier: MIT */
#include "ports/vhost_call.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ENDED_MAX 64 /* calls whose end was not taken yet */

static struct {
	unsigned users;
	unsigned ended;
	int file; /* has nothing to read */
	aio_context_t context;
} caller;

int vhost_call_init(struct error *err)
{
	int ret;

	if (caller.users++)
		return 0;
	caller.file = memfd_create("uswitch-calls", MFD_CLOEXEC);
	if (caller.file >= 0 && !syscall(SYS_io_setup, 2 * ENDED_MAX, &caller.context))
		return 0;
	ret = -errno;
	vhost_call_fini();
	return error_set(err, ret, "cannot have asynchronous I/O to call guests with: %s%s",
			 strerror(-ret), ret == -EAGAIN ? " (sysctl fs.aio-max-nr)" : "");
}

void vhost_call_fini(void)
{
	if (--caller.users)
		return;
	if (caller.context)
		syscall(SYS_io_destroy, caller.context);
	if (caller.file >= 0)
		close(caller.file);
	caller.context = 0;
	caller.ended = 0;
}

int vhost_call(int fd)
{
	struct iocb call = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)caller.file,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *list[] = { &call };
	struct io_event event[ENDED_MAX];
	struct timespec now = { 0, 0 };

	if (caller.ended == ENDED_MAX) {
		syscall(SYS_io_getevents, caller.context, 0, ENDED_MAX, event, &now);
		caller.ended = 0;
	}
	if (syscall(SYS_io_submit, caller.context, 1, list) != 1)
		return -errno;
	caller.ended++;
	return 0;
}
