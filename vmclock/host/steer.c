// SPDX-License-Identifier: GPL-2.0-or-later
/* Phase-continuous steering. */
#include "vmclock/host/steer.h"

#include <math.h>

#include "vmclock/host/fit.h"

#define STEP_NS 100e3 /* farther off than this, the clock was set, and the line follows at once */
#define RETURN_S \
	4.0 /* else a phase error is corrected with this time constant, or two refreshes, */
#define RETURN_RATE 500e3 /* ns/s: not faster than a kernel would slew, */
#define QUIET_NS    25.0  /* and nearer than this, all is noise: rates that differ by less than */
#define QUIET_RATE  3.0	  /* ns/s from the clock's change no faster than */
#define QUIET_STEP  0.3	  /* ns/s a refresh */

static double clamp(double value, double limit)
{
	return fmax(-limit, fmin(limit, value));
}

long double line_period_ns(const struct vmclock_line *line)
{
	return ldexpl(line->period_frac, -64 - line->period_shift) * 1e9L;
}

void steer_line(struct vmclock_line *line, const struct target *target, struct steered *steered)
{
	instant published = vmclock_time_at(line, target->counter);
	long double residual_ns = instant_ns(target->time - published);
	long double old_ns = line_period_ns(line), period_ns;

	*steered = (struct steered){ .residual_ns = (double)residual_ns };
	if (fabsl(residual_ns) > STEP_NS) {
		steered->stepped = true;
		published = target->time;
		period_ns = target->period_ns;
	} else {
		double off_ns = (double)residual_ns, rate;
		double excess = (double)((old_ns / target->period_ns - 1) * 1e9L);

		rate = clamp(off_ns / fmax(RETURN_S, 2 * target->refresh_s), RETURN_RATE);
		if (fabs(off_ns) < QUIET_NS && fabs(excess) < QUIET_RATE) {
			/*
			 * Limited so that it can be undone in half such steps, without overshoot.
			 */
			rate = clamp(rate, sqrt(QUIET_STEP * fabs(off_ns) / target->refresh_s));
			rate = excess + clamp(rate - excess, QUIET_STEP);
		}
		period_ns = target->period_ns * (1 + rate * 1e-9L);
		steered->left_ns = (double)residual_ns;
	}
	steered->slope_ns_per_s = (double)((period_ns / old_ns - 1) * 1e9L);
	steered->excess_ns_per_s = (double)((period_ns / target->period_ns - 1) * 1e9L);
	line->counter_value = target->counter;
	line->time = published;
	fit_period(period_ns, &line->period_frac, &line->period_shift);
}
