/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reading of one clock between two readings of a counter. The clock had the value at some moment
 * within the bracket, so half of its width is the reading's error.
 */
#ifndef TB_LIB_BRACKET_H
#define TB_LIB_BRACKET_H

#include "lib/types.h"

struct bracket {
	u64 counter; /* the middle */
	u64 width;   /* counts between the two readings of the counter */
	u64 value;   /* of the clock */
};

/* The narrowest of `tries` > 0 brackets. Inlined, so that the calls widen none. */
static inline __attribute__((always_inline)) struct bracket
bracket_read(u64 (*counter)(void *), void *counter_context, u64 (*clock)(void *),
	     void *clock_context, u32 tries)
{
	struct bracket best = { .width = ~0ULL };

	for (u32 i = 0; i < tries; i++) {
		u64 before = counter(counter_context);
		u64 value = clock(clock_context);
		u64 width = counter(counter_context) - before;

		if (width < best.width)
			best = (struct bracket){ before + width / 2, width, value };
	}
	return best;
}

#endif
