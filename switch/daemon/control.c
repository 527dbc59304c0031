/* SPDX-License-Identifier: MIT */
#include "switch/daemon/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/daemon/daemon.h"
#include "switch/daemon/loop.h"
#include "switch/daemon/passed.h"
#include "switch/daemon/request.h"
#include "switch/daemon/socket.h"

#define CLIENTS_MAX 16u
#define LINE_MAX_BYTES 65536u
#define READ_BYTES 4096
#define HIGH_WATER (256u * 1024)
#define LOW_WATER (64u * 1024)
#define NEWS_WATER (192u * 1024) /* below it a monitor that lost events hears of new ones again */
#define NEWS_PER_MS 64u

static const struct timeval stuck_time = { .tv_sec = 10 };
static const struct timeval accept_pause = { .tv_usec = 100000 };
static const struct timeval at_once = { 0 };
static const struct timeval lost_delay = { .tv_usec = 100000 };

/* One connection. */
struct client {
	struct control *control;
	struct client *next;
	struct bufferevent
		*bev; /* to write; reading is ours, as a descriptor may come with a line */
	struct event *readable;
	struct evbuffer *in;  /* what was read and is not done yet */
	int fd;               /* the last descriptor that came, for the next line; -1 = none */
	struct event *resume; /* goes on with the work in the next turn of the loop */
	struct walk walk;     /* the answer being made, if walk.step */
	unsigned news;        /* a monitor: what it hears of */
	uint64_t lost;        /* events it did not hear of */
	bool eof;             /* it will send no more */
	bool closing;         /* to be closed when everything is sent */
	bool stop;            /* then the process ends */
};

struct control {
	struct daemon *daemon;
	struct control_socket socket;
	struct evconnlistener *listener;
	struct event *pause; /* until connections are accepted again */
	struct client *clients;
	unsigned n_clients;
	uint64_t news_ms; /* when the last news was, */
	unsigned n_news;  /* and how many there were in that millisecond */
	struct names *names;
};

/* Frees @c, which may be half made, and closes its connection. */
static void client_close(struct client *c)
{
	if (c->readable)
		event_free(c->readable);
	if (c->resume)
		event_free(c->resume);
	if (c->in)
		evbuffer_free(c->in);
	if (c->bev)
		bufferevent_free(c->bev);
	passed_end(c->fd);
	free(c);
}

static void client_free(struct client *c)
{
	struct control *control = c->control;
	struct client **link = &control->clients;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	control->n_clients--;
	if (c->stop)
		daemon_stop(control->daemon);
	walk_fini(&c->walk);
	client_close(c);
}

static size_t waiting(const struct client *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

/* Sends @out, or gives the client up when something is missing in it. */
static void send_text(struct client *c, struct text *out)
{
	if (out->failed)
		c->closing = true;
	else if (out->len)
		bufferevent_write(c->bev, out->data, out->len);
	text_fini(out);
}

static void step_walk(struct client *c)
{
	struct text out = { 0 };

	if (!c->walk.step(&c->walk, c->control->daemon, &out))
		walk_fini(&c->walk);
	send_text(c, &out);
}

/* Does one line, @len bytes at @line. */
static void do_line(struct client *c, char *line, size_t len)
{
	struct text out = { 0 };
	int fd = c->fd;

	c->fd = -1;
	switch (request_run(c->control->daemon, line, len, fd, &out, &c->walk, &c->news)) {
	case REQUEST_DONE:
	case REQUEST_WALK:
		break;
	case REQUEST_MONITOR:
		bufferevent_set_timeouts(c->bev, NULL, NULL); /* it loses events instead */
		break;
	case REQUEST_STOP:
		c->stop = true;
		c->closing = true;
		break;
	}
	send_text(c, &out);
}

static void refuse_line(struct client *c)
{
	struct text out = { 0 };

	request_refuse(&out, -E2BIG, "the line is longer than 65536 bytes");
	event_del(c->readable);
	evbuffer_drain(c->in, evbuffer_get_length(c->in));
	c->closing = true;
	send_text(c, &out);
}

/* Takes one line of input, if there is one. Returns whether there was. */
static bool take_line(struct client *c)
{
	struct evbuffer_ptr end = evbuffer_search_eol(c->in, NULL, NULL, EVBUFFER_EOL_LF);
	size_t len = end.pos >= 0 ? (size_t)end.pos : evbuffer_get_length(c->in);
	char *line;

	if (len > LINE_MAX_BYTES) {
		refuse_line(c);
		return false;
	}
	if (end.pos < 0)
		return false;
	/* One byte more than the line: its NUL. */
	line = evbuffer_readln(c->in, &len, EVBUFFER_EOL_LF);
	if (!line) {
		c->closing = true;
		return false;
	}
	if (!c->eof)
		event_add(c->readable, NULL);
	do_line(c, line, len);
	free(line);
	return true;
}

/* Tells a monitor, once there is room, how many events it did not hear of. */
static void report_lost(struct client *c)
{
	char line[64];
	int len;

	if (!c->lost || waiting(c) > NEWS_WATER)
		return;
	len = snprintf(line, sizeof(line), "{\"event\":\"lost\",\"count\":%llu}\n",
		       (unsigned long long)c->lost);
	c->lost = 0;
	bufferevent_write(c->bev, line, (size_t)len);
}

static void lose(struct client *c)
{
	c->lost++;
	if (!evtimer_pending(c->resume, NULL))
		evtimer_add(c->resume, &lost_delay);
}

/*
 * Does a bounded piece of the client's work: a step of an answer, or a command. Goes on in the next
 * turn of the loop if there is more, or when the client has read enough of what is waiting. May
 * free @c.
 */
static void client_work(struct client *c)
{
	bool more = false;

	if (!c->closing && !c->news && waiting(c) < HIGH_WATER) {
		if (c->walk.step) {
			step_walk(c);
			more = true;
		} else {
			more = take_line(c);
			if (!more && c->eof)
				c->closing = true;
		}
	}
	if (c->news)
		report_lost(c);
	if (c->closing && !waiting(c))
		client_free(c);
	else if (more)
		evtimer_add(c->resume, &at_once);
}

static void on_resume(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_work(arg);
}

/* It sends no more. */
static void client_eof(struct client *c)
{
	event_del(c->readable);
	c->eof = true;
	if (c->news)
		client_free(c);
	else if (!evtimer_pending(c->resume, NULL))
		client_work(c);
}

static void on_readable(int fd, short what, void *arg)
{
	struct client *c = arg;
	char bytes[READ_BYTES];
	ssize_t len = passed_recv(fd, bytes, sizeof(bytes), &c->fd);

	(void)what;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len < 0 || (len && !c->news && evbuffer_add(c->in, bytes, (size_t)len))) {
		client_free(c);
	} else if (!len) {
		client_eof(c);
	} else if (!c->news) { /* a monitor has nothing to say */
		if (evbuffer_get_length(c->in) > LINE_MAX_BYTES)
			event_del(c->readable); /* enough to do */
		if (!evtimer_pending(c->resume, NULL))
			client_work(c);
	}
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	client_work(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what;
	client_free(arg);
}

/* Tells a client that there is no place for it. */
static void turn_away(int fd)
{
	struct text out = { 0 };

	request_refuse(&out, -EBUSY, "16 control clients are connected already: try again later");
	if (!out.failed)
		send(fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	text_fini(&out);
	close(fd);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		      int len, void *arg)
{
	struct control *control = arg;
	struct event_base *base = evconnlistener_get_base(listener);
	struct client *c = control->n_clients < CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;

	(void)from;
	(void)len;
	if (!c) {
		turn_away(fd);
		return;
	}
	c->control = control;
	c->fd = -1;
	c->resume = evtimer_new(base, on_resume, c);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->in = evbuffer_new();
	c->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->resume || !c->readable || !c->in || !c->bev || event_add(c->readable, NULL)) {
		if (!c->bev)
			close(fd);
		client_close(c);
		return;
	}
	c->next = control->clients;
	control->clients = c;
	control->n_clients++;
	bufferevent_setcb(c->bev, NULL, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_WRITE, LOW_WATER, 0);
	bufferevent_set_timeouts(c->bev, NULL, &stuck_time);
	bufferevent_enable(c->bev, EV_WRITE);
}

/* No descriptor is left for a new client: try again later, without spinning. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct control *control = arg;

	evconnlistener_disable(listener);
	evtimer_add(control->pause, &accept_pause);
}

static void on_pause_over(int fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(control->listener);
}

struct control *control_open(struct daemon *d, struct error *err)
{
	struct control *c = calloc(1, sizeof(*c));
	struct event_base *base = loop_base(d->loop);

	if (!c) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	c->daemon = d;
	c->socket = (struct control_socket){ .fd = -1, .lock = -1 };
	if (control_socket_open(&c->socket, d->options.socket, d->options.group, err))
		goto err_close;
	c->names = calloc(1, sizeof(*c->names));
	c->pause = evtimer_new(base, on_pause_over, c);
	c->listener =
		evconnlistener_new(base, on_accept, c, LEV_OPT_CLOSE_ON_EXEC, 0, c->socket.fd);
	if (!c->names || !c->pause || !c->listener) {
		error_set(err, -ENOMEM, "out of memory");
		goto err_close;
	}
	evconnlistener_set_error_cb(c->listener, on_accept_error);
	names_read(c->names, &d->backend);
	return c;
err_close:
	control_close(c);
	return NULL;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	while (c->clients)
		client_free(c->clients);
	if (c->listener)
		evconnlistener_free(c->listener);
	if (c->pause)
		event_free(c->pause);
	control_socket_close(&c->socket);
	free(c->names);
	free(c);
}

bool control_wanted(struct control *c, enum control_news news, uint64_t now)
{
	bool wanted = false, late;

	if (now != c->news_ms)
		c->n_news = 0;
	c->news_ms = now;
	late = news == NEWS_FDB && c->n_news >= NEWS_PER_MS;
	for (struct client *k = c->clients; k; k = k->next) {
		if (!(k->news & news))
			continue;
		wanted = true;
		if (late)
			lose(k);
	}
	c->n_news += wanted;
	return wanted && !late;
}

void control_publish(struct control *c, enum control_news news, const char *text, size_t len)
{
	for (struct client *k = c->clients; k; k = k->next) {
		if (!(k->news & news))
			continue;
		report_lost(k);
		if (k->lost || waiting(k) + len > HIGH_WATER)
			lose(k);
		else
			bufferevent_write(k->bev, text, len);
	}
}

void control_renumber(struct control *c)
{
	memset(c->names, 0, sizeof(*c->names));
	names_read(c->names, &c->daemon->backend);
	for (struct client *k = c->clients; k; k = k->next)
		if (k->walk.step && !k->walk.model) {
			walk_fini(&k->walk);
			k->closing = true;
		}
}

void control_lost(struct control *c)
{
	for (struct client *k = c->clients; k; k = k->next)
		if (k->news)
			lose(k);
}

struct names *control_names(const struct control *c)
{
	return c->names;
}
