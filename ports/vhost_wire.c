/* SPDX-License-Identifier: MIT */
/*
 * Reads the messages of a vhost-user front-end from its socket, descriptors included, and sends the
 * answers.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/vhost.h"

#define HEAD_LEN 12u
#define VERSION 1u
#define FLAG_VERSION 3u
#define FLAG_REPLY 4u
#define MESSAGES_A_TURN 64u

void vhost_forget(struct vhost *v)
{
	struct vhost_message *m = &v->msg;

	for (unsigned i = 0; i < m->n_fd; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	m->n_fd = 0;
	m->got = 0;
	m->reply = false;
	v->partial_at = UINT64_MAX;
}

/* Sends what is in the message; a front-end that does not read its answers is a bad one. */
static int reply(struct vhost *v, struct vhost_message *m)
{
	struct iovec iov[] = { { &m->head, HEAD_LEN }, { m->payload, m->head.size } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	m->head.flags = VERSION | FLAG_REPLY;
	if (sendmsg(v->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(HEAD_LEN + m->head.size))
		return 0;
	if (errno == EPIPE || errno == ECONNRESET)
		return -ECONNRESET;
	vhost_fail(v, "it does not read its answers");
	return -EPROTO;
}

/* Obeys the message that is complete, and answers if there is to be an answer. */
static int finish(struct vhost *v)
{
	int ret = vhost_obey(v);

	if (!ret && v->msg.reply)
		ret = reply(v, &v->msg);
	vhost_forget(v);
	return ret;
}

/* Keeps the descriptors that came with @msg; too many are too many even for us to count. */
static bool keep_fds(struct vhost_message *m, struct msghdr *msg)
{
	bool good = !(msg->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (good && m->n_fd < VHOST_FDS) {
				m->fd[m->n_fd++] = fd;
			} else {
				close(fd);
				good = false;
			}
		}
	}
	return good;
}

/* Reads on in the message. Returns 1: it is complete; 0: not yet; -errno as vhost_receive(). */
static int read_part(struct vhost *v)
{
	struct vhost_message *m = &v->msg;
	bool head = m->got < HEAD_LEN;
	unsigned want = head ? HEAD_LEN - m->got : HEAD_LEN + m->head.size - m->got;
	struct iovec iov = { head ? (uint8_t *)&m->head + m->got : m->payload + (m->got - HEAD_LEN),
			     want };
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(VHOST_FDS * sizeof(int))];
	} control;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(v->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ECONNRESET;
	if (!keep_fds(m, &msg)) {
		vhost_fail(v, "a message with too many descriptors");
		return -EPROTO;
	}
	if (!n)
		return -ECONNRESET;
	if (!m->got)
		v->partial_at = v->now + VHOST_PARTIAL_MS;
	m->got += (unsigned)n;
	if (m->got < HEAD_LEN)
		return 0;
	if ((m->head.flags & (FLAG_VERSION | FLAG_REPLY)) != VERSION ||
	    m->head.size > VHOST_PAYLOAD) {
		vhost_fail(v, "a message that is none");
		return -EPROTO;
	}
	return m->got == HEAD_LEN + m->head.size;
}

int vhost_receive(struct vhost *v, uint64_t now)
{
	int ret = 0;

	v->now = now;
	vhost_release(v);
	for (unsigned i = 0; i < 2 * MESSAGES_A_TURN; i++) {
		ret = read_part(v);
		if (ret > 0)
			ret = finish(v);
		if (ret)
			return ret == -EAGAIN ? 0 : ret;
	}
	return -EAGAIN;
}
