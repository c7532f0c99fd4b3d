/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leap seconds. Rows of the table in ops.c; struct op_kind says what run and draw do. */
#ifndef TB_DIFF_LEAP_H
#define TB_DIFF_LEAP_H

#include "diff/compare.h"

/*
 * leap_second STATUS LEAD STEPS AT EVENT: sets the time to LEAD seconds before midnight and the
 * status to STATUS. STEPS ticks follow, a quarter of a second apart, with a query and every reading
 * before and after each. Before step AT something happens: EVENT 1 clears the status, 2 and 3 step
 * the clock by a second forth and back, 4 sets it two seconds back, 5 changes the TAI offset, 6
 * suspends for two seconds, 7 sets the status again.
 */
void run_leap_second(const long long *args, struct difference *difference);
void draw_leap_second(u64 *random, long long bits, long long *args);

#endif
