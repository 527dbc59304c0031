/* SPDX-License-Identifier: MIT */
#include "switch/daemon/cpu.h"

#include "ports/log.h"

#define HOLD_MS 1000
#define FREE_MS 1 /* long enough to be woken, and so placed, a few times */

void cpu_init(struct cpu *c, bool keep)
{
	CPU_ZERO(&c->allowed);
	c->held = false;
	c->next = UINT64_MAX;
	/* Fails with more processors than cpu_set_t has room for: then they need no help. */
	if (keep && !sched_getaffinity(0, sizeof(c->allowed), &c->allowed))
		c->next = 0;
	c->set = c->allowed;
}

/* Asks for the processors of @set. Returns whether that could be had. */
static bool ask(struct cpu *c, const cpu_set_t *set)
{
	c->set = *set;
	return !sched_setaffinity(0, sizeof(*set), set);
}

void cpu_settle(struct cpu *c, uint64_t now)
{
	cpu_set_t found, here;
	int cpu = sched_getcpu();
	bool ok;

	if (cpu < 0 || sched_getaffinity(0, sizeof(found), &found)) {
		c->next = UINT64_MAX;
		return;
	}
	if (!CPU_EQUAL(&found, &c->set)) { /* somebody else decided */
		c->allowed = found;
		c->held = false;
	}
	if (c->held) {
		ok = ask(c, &c->allowed);
		c->next = now + FREE_MS;
	} else {
		CPU_ZERO(&here);
		CPU_SET((unsigned)cpu, &here);
		ok = CPU_COUNT(&c->allowed) < 2 || ask(c, &here);
		c->next = now + HOLD_MS;
	}
	if (!ok) {
		log_debug("cannot set the CPU affinity; the scheduler decides");
		ask(c, &c->allowed);
		c->next = UINT64_MAX;
	}
	c->held = ok && !c->held;
}
