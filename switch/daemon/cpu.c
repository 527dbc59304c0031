/* SPDX-License-Identifier: MIT */
#include "switch/daemon/cpu.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "ports/log.h"

#define HOLD_MS 1000
#define LOOK_MS 100
#define WAIT_MAX_NS 25000000u /* of LOOK_MS, before we look for another processor */
#define FREE_MS 1             /* long enough to be woken, and so placed, a few times */
#define FREE_BUSY_MS 10       /* long enough for the scheduler to balance its load */

void cpu_init(struct cpu *c, bool keep)
{
	*c = (struct cpu){ .next = UINT64_MAX };
	/* Fails with more processors than cpu_set_t has room for: then they need no help. */
	if (!keep || sched_getaffinity(0, sizeof(c->allowed), &c->allowed))
		return;
	c->set = c->allowed;
	c->next = 0;
	c->stat_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	c->has_stat = c->stat_fd >= 0;
}

void cpu_fini(struct cpu *c)
{
	if (c->has_stat)
		close(c->stat_fd);
	c->has_stat = false;
}

/* Asks for the processors of @set. Returns whether that could be had. */
static bool ask(struct cpu *c, const cpu_set_t *set)
{
	c->set = *set;
	return !sched_setaffinity(0, sizeof(*set), set);
}

/* Returns for how many ns the thread had to wait since this was last called. */
static uint64_t waited(struct cpu *c)
{
	uint64_t before = c->waited_ns;
	char text[80];
	ssize_t len = c->has_stat ? pread(c->stat_fd, text, sizeof(text) - 1, 0) : 0;

	text[len > 0 ? len : 0] = '\0';
	if (sscanf(text, "%*u %" SCNu64, &c->waited_ns) != 1)
		return 0;
	return c->waited_ns - before;
}

static bool hold(struct cpu *c, int cpu, uint64_t now)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((unsigned)cpu, &here);
	waited(c);
	c->held = true;
	c->next = now + LOOK_MS;
	c->let_go = now + HOLD_MS;
	return CPU_COUNT(&c->allowed) < 2 || ask(c, &here);
}

static bool let_go(struct cpu *c, uint64_t now, uint64_t free_ms)
{
	c->held = false;
	c->next = now + free_ms;
	return ask(c, &c->allowed);
}

void cpu_settle(struct cpu *c, uint64_t now)
{
	int cpu = sched_getcpu();
	cpu_set_t found;
	bool ok = cpu >= 0 && !sched_getaffinity(0, sizeof(found), &found);

	if (ok && !CPU_EQUAL(&found, &c->set)) { /* somebody else decided */
		c->allowed = found;
		c->held = false;
	}
	if (ok && !c->held)
		ok = hold(c, cpu, now);
	else if (ok && waited(c) > WAIT_MAX_NS)
		ok = let_go(c, now, FREE_BUSY_MS);
	else if (ok && now >= c->let_go)
		ok = let_go(c, now, FREE_MS);
	else
		c->next = now + LOOK_MS;
	if (!ok) {
		log_debug("cannot set the CPU affinity; the scheduler decides");
		ask(c, &c->allowed);
		c->next = UINT64_MAX;
	}
}
