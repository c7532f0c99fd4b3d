/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small readings that the other files of this room stand on. */
#ifndef TB_MEASURE_READING_H
#define TB_MEASURE_READING_H

#include "measure/measure.h"

static inline u64 counter_now(const struct run *run)
{
	return run->clock->now(run->clock->context);
}

/* How long so many cycles of the counter are, in whole us. */
static inline s64 us_of_cycles(const struct run *run, u64 cycles)
{
	const u64 hz = run->clock->counter.hz;

	return (s64)(cycles / hz * 1000000 + cycles % hz * 1000000 / hz);
}

#endif
