/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TSC's frequency, its source, and its possible error. */
#ifndef TB_ARCH_X86_TSC_H
#define TB_ARCH_X86_TSC_H

#include "arch/x86/cpu.h"
#include "arch/x86/refclock.h"

struct tsc_frequency {
	u64 hz;		    /* 0: this machine has no source for it */
	const char *source; /* "cpuid-15h", "cpuid-40000010h", "kvmclock", "cpuid-16h", "hpet",
			       "pm-timer" */
	u64 error_ppb;	    /* the possible error of hz */
};

/*
 * From CPUID leaf 15h, the hypervisor's leaf 40000010h; else measured against `clock` in about
 * 100 ms; else from kvmclock, or leaf 16h. Interrupts should be off.
 */
void tsc_frequency(struct tsc_frequency *frequency, const struct cpu_features *features,
		   const struct refclock *clock);

struct tsc_span {
	u64 start, end;	    /* TSC */
	u64 clock_counts;   /* the clock's, between the same moments */
	u64 bracket_cycles; /* the two reads' widths together: how far end - start may be off */
};

/* Waits for as long as the reference clock takes to count `fs`, at most half its range. False: it
 * stopped. */
bool tsc_measure(struct tsc_span *span, const struct refclock *clock, u64 fs);

#endif
