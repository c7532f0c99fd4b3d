/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the second CPU's counter is ahead of the first one's, by messages forth and back: a value
 * that the second read in between is not before the first one's value at the sending, nor after
 * that at the return. So each exchange bounds the distance from both sides, and the narrowest
 * bounds of all exchanges remain.
 */
#ifndef TB_MEASURE_AGREE_H
#define TB_MEASURE_AGREE_H

#include "measure/measure.h"

struct agreement {
	s64 low, high; /* cycles: the second CPU's counter less the first one's is between them */
};

/* Cycles that the second CPU's counter is behind or ahead for certain; 0 if 0 is possible. */
static inline u64 agreement_off(const struct agreement *agreement)
{
	if (agreement->low > 0)
		return (u64)agreement->low;
	return agreement->high < 0 ? (u64)-agreement->high : 0;
}

/*
 * Measures by 1000 exchanges over run->second, with ticks not started. NULL, or why there is no
 * second CPU. Of the virtual clock's counter there is one, and the bounds are 0.
 */
const char *run_agreement(struct run *run, struct agreement *agreement);

#endif
