/* SPDX-License-Identifier: MIT */
/*
 * cpu: keeps a thread on the processor where the scheduler put it.
 *
 * A thread that sleeps and wakes for every few frames is moved at nearly every wakeup, away from
 * the caches that hold its frames. Held in place, the threads around it arrange themselves instead.
 * The surprising rule: no processor is ever chosen here: the thread is let go for a moment, once a
 * second or when it had to wait for its processor too long, and then held where it is found. An
 * affinity set by somebody else (taskset, cpusets) is taken over as the new limit. Part of a
 * worker; called from its thread only.
 */
#ifndef SWITCH_DAEMON_CPU_H
#define SWITCH_DAEMON_CPU_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct cpu {
	cpu_set_t allowed; /* where the thread may run */
	cpu_set_t set;     /* what we last asked for */
	bool held;
	uint64_t next;      /* when to look again, monotonic ms; UINT64_MAX = never */
	uint64_t let_go;    /* when at the latest to let go */
	bool has_stat;      /* the kernel says how long threads wait */
	int stat_fd;        /* schedstat of the thread */
	uint64_t waited_ns; /* how long the thread was ready but did not run, in its whole life */
};

/*
 * Prepares @c for the calling thread; cpu_fini(), which accepts a zeroed @c, releases it. @keep
 * false: the scheduler alone decides, always.
 */
void cpu_init(struct cpu *c, bool keep);
void cpu_fini(struct cpu *c);

/* The work of cpu_turn() when it is due. */
void cpu_settle(struct cpu *c, uint64_t now);

/* To be called at every turn with frames, @now in ms. */
static inline void cpu_turn(struct cpu *c, uint64_t now)
{
	if (now >= c->next)
		cpu_settle(c, now);
}

#endif
