/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Computes the next line from the published one. A reader locks to single nanoseconds, so a new
 * line passes through the old one's value at the moment of the change, and its slope differs only
 * slightly, unless the clock itself has moved. No I/O.
 */
#ifndef TB_VMCLOCK_HOST_STEER_H
#define TB_VMCLOCK_HOST_STEER_H

#include "vmclock/vmclock.h"

/* Where the clock is, in the page's counter terms. */
struct target {
	u64 counter;
	instant time;	       /* the clock at `counter` */
	long double period_ns; /* and its rate */
	double refresh_s;      /* until the line is replaced again */
};

struct steered {
	bool stepped;		/* the new line is not continuous: the clock was set */
	double residual_ns;	/* clock less published line, before */
	double left_ns;		/* and after */
	double slope_ns_per_s;	/* how much the line's rate changed */
	double excess_ns_per_s; /* how much faster than the clock the line now runs */
};

/* Replaces counter_value, time and period of `line`; leaves all else. */
void steer_line(struct vmclock_line *line, const struct target *target, struct steered *steered);

/* Nanoseconds of a duration below 2^63 ns. */
static inline long double instant_ns(instant t)
{
	return (long double)t * (1e9L / 18446744073709551616.0L);
}

/* Seconds per cycle of a line, in ns. */
long double line_period_ns(const struct vmclock_line *line);

#endif
