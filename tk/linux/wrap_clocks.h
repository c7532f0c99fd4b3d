/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of wrap_timekeeping.c: the readings of tk/clocks.h, by the kernel's own functions. The
 * counter's value is held (lift_hold()), so that each function reads the same one.
 */
#include "tk/clocks.h"

static s64 lift_ns(struct timespec64 ts)
{
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static void lift_getters(struct tk_readings *readings)
{
	struct timespec64 ts;

	ktime_get_real_ts64(&ts);
	tk_readings_add(readings, TKR_KTIME_GET_REAL_TS64, lift_ns(ts));
	tk_readings_add(readings, TKR_KTIME_GET, ktime_get());
	ktime_get_ts64(&ts);
	tk_readings_add(readings, TKR_KTIME_GET_TS64, lift_ns(ts));
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_REAL, ktime_get_with_offset(TK_OFFS_REAL));
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_BOOT, ktime_get_with_offset(TK_OFFS_BOOT));
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_TAI, ktime_get_with_offset(TK_OFFS_TAI));
	tk_readings_add(readings, TKR_KTIME_GET_RAW, ktime_get_raw());
	ktime_get_raw_ts64(&ts);
	tk_readings_add(readings, TKR_KTIME_GET_RAW_TS64, lift_ns(ts));
}

void lift_readings(u64 now, u32 sets, struct tk_readings *readings)
{
	lift_hold(now);
	if (sets & TK_SET_GETTERS)
		lift_getters(readings);
}
