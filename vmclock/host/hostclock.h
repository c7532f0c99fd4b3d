/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's clock against its TSC: one pair at a time, from a clock read between two counter
 * reads. Time is TAI where the TAI offset is known, else UTC (see leap.h).
 */
#ifndef TB_VMCLOCK_HOST_HOSTCLOCK_H
#define TB_VMCLOCK_HOST_HOSTCLOCK_H

#include "lib/types.h"
#include "vmclock/host/leap.h"

struct pair {
	u64 counter;	/* the middle of the two reads */
	s64 time_ns;	/* since 1970, in the scale of struct leap; rounded down by the kernel */
	u64 half_width; /* of the bracket, cycles: the clock was read at counter +- this */
};

/* The narrowest of `tries` brackets. */
void hostclock_pair(const struct leap *leap, u32 tries, struct pair *pair);

/* The host's kernel believes its clock to be synchronized (adjtimex). */
bool hostclock_synchronized(void);

#endif
