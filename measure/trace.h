/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three lines against the page, a point for each tick: A = told time, B = A + ntp_error, C = B +
 * the phase and adjtime that are still due. C advances by the tick length in use with every tick,
 * and by what the core is told; anything else is a loss. All of it is integers: the check is exact.
 */
#ifndef TB_MEASURE_TRACE_H
#define TB_MEASURE_TRACE_H

#include "measure/measure.h"

/*
 * Starts the ticks of the core as run_ticks_start() does, with a trace of each. There is one trace
 * at a time.
 */
void run_trace_start(struct run *run);

/*
 * To be called with the tick disabled, after the core was told something: returns how far C has
 * moved since the last tick, ns * 2^32, without the time that has passed. The check goes on from
 * here.
 */
s128 run_trace_told(struct run *run);

/* How far C moved by itself, in the tick where it did so most, ns * 2^32; and in how many ticks. */
s128 run_trace_moved_max(void);
u64 run_trace_moved_ticks(void);

/*
 * Metrics of the points that were kept: A, B and C against the page at the last one, and the root
 * mean squares of A less C and of B less C, which no step of the page's line is in.
 */
void run_trace_metrics(struct run *run);

#endif
