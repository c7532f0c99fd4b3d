// SPDX-License-Identifier: GPL-2.0-or-later
/* The time on a line, exact in 128 bits. */
#include "lib/line.h"

instant line_at(instant time, u64 line_counter, u64 period_frac, u8 period_shift, u64 counter,
		u64 mask)
{
	const u64 ahead = (counter - line_counter) & mask;
	const bool before = ahead & ~(mask >> 1);
	/* At most 2^63 cycles times a fraction below 2^64: within 127 bits. */
	u128 product = (u128)(before ? (line_counter - counter) & mask : ahead) * period_frac;

	if (!before)
		return time + (instant)(product >> period_shift);
	/* This product is subtracted, so it is rounded up to round the result down. */
	if (product & (((u128)1 << period_shift) - 1))
		return time - (instant)(product >> period_shift) - 1;
	return time - (instant)(product >> period_shift);
}
