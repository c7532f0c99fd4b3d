/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second counter beside the TSC, of known frequency: the HPET, else ACPI's power management
 * timer. The TSC is calibrated against it, and a PC without a page compares the two.
 */
#ifndef TB_ARCH_X86_REFCLOCK_H
#define TB_ARCH_X86_REFCLOCK_H

#include "lib/types.h"

struct refclock {
	const char *name; /* "hpet", "pm-timer"; NULL: there is none */
	u64 hz;		  /* rounded to nearest */
	u64 period_fs;	  /* exact for the HPET, rounded for the timer */
	u64 mask;	  /* 2^bits - 1 */
};

/* Finds the clock and starts it. Needs acpi_init(). */
void refclock_init(struct refclock *clock);

/* Its count, now. Any context, once it was found. */
u64 refclock_read(void);

#endif
