/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clocks and copies of both cores (tk/clocks.h), compared at one value of the counter. */
#ifndef TB_DIFF_READINGS_H
#define TB_DIFF_READINGS_H

#include <stdio.h>

#include "diff/compare.h"
#include "tk/clocks.h"

/*
 * Compares the readings of `sets` that both cores have at the counter's value `now`, and adds a
 * line to *difference for each that differs.
 */
void compare_readings(const struct tk_ops *const cores[CORES], u64 now, u32 sets,
		      struct difference *difference);

/* How many readings were compared so far. */
u32 readings_compared(void);
/* The names of the readings that only this core has, as a JSON list. */
void readings_print_only(FILE *to, int core);

#endif
