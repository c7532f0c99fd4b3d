// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a counter's cycles become nanoseconds: the mult and shift that a kernel gives a clocksource
 * of that frequency and width. Every core gets its conversion from here.
 */
#include "tk/tk.h"

#define RANGE_SEC 600 /* for counters wider than 32 bits */

void tk_best_pair(u32 from, u32 to, u64 seconds, u32 *mult, u32 *shift)
{
	/* A range of 2^(32 + n) cycles leaves mult 32 - n bits. */
	u32 over = (u32)((seconds * from) >> 32);
	u32 mult_bits = over ? 32 - (32 - (u32)__builtin_clz(over)) : 32;
	u64 wide = 0;
	u32 bits;

	for (bits = 32; bits; bits--) {
		wide = (((u64)to << bits) + from / 2) / from;
		if (!(wide >> mult_bits))
			break;
	}
	*mult = (u32)wide;
	*shift = bits;
}

enum tk_error tk_conversion_init(struct tk_conversion *conversion, const struct tk_counter *counter)
{
	u64 hz = tk_counter_registered_hz(counter);
	/* In kHz where that loses nothing, or where Hz do not fit. */
	u32 scale = hz % 1000 == 0 || hz >> 32 ? 1000 : 1;
	u64 seconds;

	if (hz < TK_COUNTER_HZ_MIN || hz > TK_COUNTER_HZ_MAX)
		return TK_EFREQUENCY;
	if (counter->mask < 0xffffff || counter->mask & (counter->mask + 1))
		return TK_EINVAL;

	seconds = counter->mask / (hz / scale) / scale;
	if (!seconds)
		seconds = 1;
	if (counter->mask >> 32 && seconds > RANGE_SEC)
		seconds = RANGE_SEC;
	tk_best_pair((u32)(hz / scale), (u32)(TB_NSEC_PER_SEC / scale), seconds * scale,
		     &conversion->mult, &conversion->shift);

	/* Room for 11 % on top of mult in 32 bits. */
	for (;;) {
		conversion->maxadj = (u32)((u64)conversion->mult * 11 / 100);
		if (!(((u64)conversion->mult + conversion->maxadj) >> 32))
			break;
		conversion->mult >>= 1;
		conversion->shift--;
	}
	conversion->max_cycles = ~0ULL / (conversion->mult + conversion->maxadj);
	if (conversion->max_cycles > counter->mask)
		conversion->max_cycles = counter->mask;
	return TK_OK;
}
