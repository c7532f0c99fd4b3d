/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operations that the counter's own behaviour makes: a table of rows of ops.c. */
#ifndef TB_DIFF_COUNTERS_H
#define TB_DIFF_COUNTERS_H

#include "diff/compare.h"

/* from COUNTER: starts both cores afresh, as the last init did, where the counter has this value.
 */
void run_from(const long long *args, struct difference *difference);
void draw_from(u64 *random, long long bits, long long *args);
/*
 * boot TICK_ADJ BOOT_NS PERSISTENT: starts both afresh, as the last init did, on a machine that has
 * been booting for BOOT_NS, with a boot parameter, and with a persistent clock of this kind of enum
 * pair_persistent.
 */
void run_boot(const long long *args, struct difference *difference);
void draw_boot(u64 *random, long long bits, long long *args);
/*
 * exact CYCLES NSEC ACTION: starts both at NSEC of a second, lets a second and CYCLES pass without
 * a tick, and then does one thing that accumulates it.
 */
void run_exact(const long long *args, struct difference *difference);
void draw_exact(u64 *random, long long bits, long long *args);
/* near CYCLES: the clock is set to what it says, this few cycles later. */
void run_near(const long long *args, struct difference *difference);
void draw_near_cycles(u64 *random, long long bits, long long *args);
/* far TIMES: TIMES max_cycles pass at once, readings come, then a tick. */
void run_far(const long long *args, struct difference *difference);
void draw_far(u64 *random, long long bits, long long *args);
/* behind CYCLES: a reader's counter is CYCLES behind the last tick, and so is a tick's. */
void run_behind(const long long *args, struct difference *difference);
void draw_behind(u64 *random, long long bits, long long *args);
/* swap HZ BITS NEXT_NOW: as `counter`; drawn are counters that differ most, and that wrap soon. */
void draw_swap(u64 *random, long long bits, long long *args);
/* stop CYCLES: the counter is recalibrated, and CYCLES pass while cycle_interval is 0. */
void run_stop(const long long *args, struct difference *difference);
void draw_stop(u64 *random, long long bits, long long *args);

#endif
