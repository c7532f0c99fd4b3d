/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Suspend and resume. Rows of the table in ops.c; struct op_kind says what run and draw do. */
#ifndef TB_DIFF_SLEEP_H
#define TB_DIFF_SLEEP_H

#include "diff/compare.h"

/*
 * sleep SOURCES SLEPT_NS CYCLES OFFSET_NS: suspends, lets CYCLES pass on the counter, resumes. How
 * long it was, SLEPT_NS, is told by SOURCES: 1 the persistent clock, which differs from
 * CLOCK_REALTIME by OFFSET_NS, 2 a counter that does not stop, 4 the RTC a while after the resume,
 * 8 the same with a time that cannot be. Ticks that come meanwhile do nothing.
 */
void run_sleep(const long long *args, struct difference *difference);
void draw_sleep(u64 *random, long long bits, long long *args);

#endif
