/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A robust straight line through a window of (counter, clock) pairs, in host counter terms. It does
 * not depend on the source of the pairs, and does no I/O.
 */
#ifndef TB_VMCLOCK_HOST_FIT_H
#define TB_VMCLOCK_HOST_FIT_H

#include "lib/instant.h"
#include "vmclock/host/hostclock.h"

#define FIT_PAIRS 4096

/* A window: the newest pairs, oldest first. */
struct window {
	struct pair pair[FIT_PAIRS];
	u32 count;
	u32 strangers; /* newest pairs in a row that are far from the line of those before */
};

struct fit {
	u64 counter;	       /* the line is relative to this ... */
	s64 time_ns;	       /* ... and this */
	long double phase_ns;  /* the line at `counter`, relative to time_ns */
	long double period_ns; /* per cycle */
	double rms_ns;	       /* of the pairs that were kept */
	double worst_ns;       /* the farthest of them */
	double period_error;   /* standard error of the period, relative */
	double bracket_ns; /* half width of the narrowest bracket: the phase's unknown constant */
	u32 kept;
};

void window_clear(struct window *window);

/* Appends; pairs older than `span_ns` before this one fall out. A backward counter clears it. */
void window_add(struct window *window, const struct pair *pair, s64 span_ns);

/* Keeps the pairs of the last `span_ns` alone. */
void window_keep(struct window *window, s64 span_ns);

/* The clock was set by this much: moves every pair accordingly. */
void window_shift(struct window *window, s64 by_ns);

/* false: fewer than 8 pairs, or all at one counter value. */
bool fit_line(const struct window *window, struct fit *fit);

/* The line's time at a counter value near the window, and the period, as 64.64. */
instant fit_time_at(const struct fit *fit, u64 counter);

/*
 * Whether the clock's rate has changed within the window: the newest quarter's median lies off the
 * line by more than noise can explain. Then the older pairs no longer describe the clock.
 */
bool fit_bent(const struct window *window, const struct fit *fit);

/* Seconds per cycle as the page has it: period_frac and _shift, the largest shift that fits. */
void fit_period(long double period_ns, u64 *period_frac, u8 *period_shift);

#endif
