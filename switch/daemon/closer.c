/* SPDX-License-Identifier: MIT */
#include "switch/daemon/closer.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 32
#define STACK_BYTES (64 * 1024)

struct closer {
	pthread_mutex_t lock;
	pthread_cond_t done;
	pthread_attr_t attr;
	unsigned busy; /* threads at work */
};

/* What a thread is given. */
struct job {
	struct closer *closer;
	void (*work)(void *arg);
	void *arg;
};

struct closer *closer_new(void)
{
	struct closer *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->done, NULL);
	pthread_attr_init(&c->attr);
	pthread_attr_setdetachstate(&c->attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&c->attr, STACK_BYTES);
	return c;
}

void closer_free(struct closer *c)
{
	if (!c)
		return;
	closer_wait(c);
	pthread_attr_destroy(&c->attr);
	pthread_cond_destroy(&c->done);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static void *run(void *arg)
{
	struct job job = *(struct job *)arg;
	struct closer *c = job.closer;

	free(arg);
	job.work(job.arg);
	pthread_mutex_lock(&c->lock);
	c->busy--;
	pthread_cond_signal(&c->done);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Starts a thread, which gets no signals. Returns whether there is one. */
static bool start(struct closer *c, struct job *job)
{
	sigset_t all, old;
	pthread_t thread;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, &c->attr, run, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return !ret;
}

void closer_do(struct closer *c, void (*work)(void *arg), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	bool started = false;

	if (job)
		*job = (struct job){ c, work, arg };
	pthread_mutex_lock(&c->lock);
	if (job && c->busy < THREADS_MAX)
		started = start(c, job);
	c->busy += started;
	pthread_mutex_unlock(&c->lock);
	if (started)
		return;
	free(job);
	work(arg);
}

static void close_it(void *arg)
{
	close((int)(intptr_t)arg);
}

void closer_close(struct closer *c, int fd)
{
	closer_do(c, close_it, (void *)(intptr_t)fd);
}

void closer_wait(struct closer *c)
{
	pthread_mutex_lock(&c->lock);
	while (c->busy)
		pthread_cond_wait(&c->done, &c->lock);
	pthread_mutex_unlock(&c->lock);
}
