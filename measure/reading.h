/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small readings that the other files of this room stand on. */
#ifndef TB_MEASURE_READING_H
#define TB_MEASURE_READING_H

#include "measure/measure.h"

static inline u64 counter_now(const struct run *run)
{
	return run->clock->now(run->clock->context);
}

#endif
