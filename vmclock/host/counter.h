/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's TSC, read in program order. Assumes x86-64. */
#ifndef TB_VMCLOCK_HOST_COUNTER_H
#define TB_VMCLOCK_HOST_COUNTER_H

#include <x86intrin.h>
#include "lib/types.h"

/* Neither earlier loads nor later ones pass it. */
static inline u64 host_counter(void)
{
	u64 counter;

	_mm_lfence();
	counter = __rdtsc();
	_mm_lfence();
	return counter;
}

/* Whether the TSC runs at one rate in every power state (CPUID 80000007h, EDX bit 8). */
bool host_counter_invariant(void);

#endif
