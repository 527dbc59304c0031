/* SPDX-License-Identifier: MIT */
/*
 * cycles: a clock that costs almost nothing, for telling how much work a frame is.
 *
 * The processor's own counter: TSC cycles on x86, ticks of the generic timer on ARM, 0 elsewhere.
 * The surprising rule: its unit is nobody's business but the reader's of `stats`; never compute a
 * time with it. Used by worker.c.
 */
#ifndef SWITCH_DAEMON_CYCLES_H
#define SWITCH_DAEMON_CYCLES_H

#include <stdint.h>

/* Returns the counter's value. */
static inline uint64_t cycles_now(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return 0;
#endif
}

#endif
