/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that set and adjust the clock with any argument, also with those that are refused.
 * Rows of the table in ops.c; struct op_kind says what run and draw functions do.
 */
#ifndef TB_DIFF_ADJUST_H
#define TB_DIFF_ADJUST_H

#include "diff/compare.h"

/* adjtimex MODES STATUS OFFSET FREQ MAXERROR ESTERROR CONSTANT TICK SEC USEC: all of its fields. */
#define ADJTIMEX_ARGS 10
struct tk_timex timex_of(const long long *args);
void run_adjtimex(const long long *args, struct difference *difference);
void draw_adjtimex(u64 *random, long long bits, long long *args);

/* query: adjtimex that only reads. */
void run_query(const long long *args, struct difference *difference);

/* adjtime_left: the rest of adjtime's amount (ADJ_OFFSET_SS_READ). */
void run_adjtime_left(const long long *args, struct difference *difference);

/* set SEC NSEC: settimeofday to an absolute time. */
void run_set(const long long *args, struct difference *difference);
void draw_set(u64 *random, long long bits, long long *args);

/* ahead NS: settimeofday to NS ahead of CLOCK_MONOTONIC, which is refused if NS is below 0. */
void run_ahead(const long long *args, struct difference *difference);
void draw_ahead(u64 *random, long long bits, long long *args);

/* warp MINUTES: a hardware clock that runs in local time, MINUTES west of UTC, is put right. */
void run_warp(const long long *args, struct difference *difference);
void draw_warp(u64 *random, long long bits, long long *args);

/*
 * fll N SEED: N times, four minutes and a random phase, of which the frequency loop makes a
 * frequency; one in eight times without that loop.
 */
void run_fll(const long long *args, struct difference *difference);
void draw_fll(u64 *random, long long bits, long long *args);
/* inject_to SECONDS NSEC MODES: adjtimex with ADJ_SETOFFSET, to this time, in us or ADJ_NANO. */
void run_inject_to(const long long *args, struct difference *difference);
void draw_inject_to(u64 *random, long long bits, long long *args);
/* seconds N: N ticks, each a second after the one before. */
void run_seconds(const long long *args, struct difference *difference);
void draw_seconds(u64 *random, long long bits, long long *args);

#endif
