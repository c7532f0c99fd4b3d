// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: the readings of tk/clocks.h, from the state and its equations. Where a kernel
 * keeps a sum beside its terms, it is computed here from the terms.
 */
#include "tk/native/native.h"

/* ns since the start of the second, of the clock with this mult; a counter that went back: 0. */
static s64 since_second(const struct timekeeper *tk, u64 now, u32 mult, u64 snsec)
{
	u64 delta = (now - tk->cycle_last) & tk->mask;

	if (delta & ~(tk->mask >> 1))
		delta = 0;
	return (s64)(((u128)delta * mult + snsec) >> tk->shift);
}

/* CLOCK_REALTIME less CLOCK_MONOTONIC, ns. */
static s64 offs_real(const struct timekeeper *tk)
{
	return -(tk->wall_to_monotonic.tv_sec * NSEC + tk->wall_to_monotonic.tv_nsec);
}

static void getters(const struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	s64 real = tk->xtime_sec * NSEC + since_second(tk, now, tk->mult, tk->xtime_nsec);
	s64 raw =
		(s64)tk->raw_sec * NSEC + since_second(tk, now, tk->conversion.mult, tk->raw_nsec);
	s64 mono = real - offs_real(tk);

	tk_readings_add(readings, TKR_KTIME_GET_REAL_TS64, real);
	tk_readings_add(readings, TKR_KTIME_GET, mono);
	tk_readings_add(readings, TKR_KTIME_GET_TS64, mono);
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_REAL, real);
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_BOOT, mono + tk->offs_boot);
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_TAI, real + tk->tai_offset * NSEC);
	tk_readings_add(readings, TKR_KTIME_GET_RAW, raw);
	tk_readings_add(readings, TKR_KTIME_GET_RAW_TS64, raw);
}

void timekeeping_readings(const struct timekeeper *tk, u64 now, u32 sets,
			  struct tk_readings *readings)
{
	if (sets & TK_SET_GETTERS)
		getters(tk, now, readings);
}
