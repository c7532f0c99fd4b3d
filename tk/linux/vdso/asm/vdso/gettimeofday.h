/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of the architecture's: what the generic vDSO code reads the counter with, where its data
 * page is, and the system calls that it makes where it cannot answer by itself. Here they answer
 * LIFT_FELL_BACK.
 */
#ifndef TB_TK_LINUX_VDSO_GETTIMEOFDAY_H
#define TB_TK_LINUX_VDSO_GETTIMEOFDAY_H

#define VDSO_HAS_TIME	      1
#define VDSO_HAS_CLOCK_GETRES 1
#define LIFT_FELL_BACK	      (-38)

unsigned long long lift_counter_now(void);
const struct vdso_data *lift_vdso_page(void);
#define __arch_get_vdso_data lift_vdso_page

static __always_inline u64 __arch_get_hw_counter(s32 mode, const void *data)
{
	return mode == VDSO_CLOCKMODE_TICKBENCH ? lift_counter_now() : 0;
}

static __always_inline long clock_gettime_fallback(clockid_t clock, struct __kernel_timespec *ts)
{
	return LIFT_FELL_BACK;
}

static __always_inline long clock_getres_fallback(clockid_t clock, struct __kernel_timespec *ts)
{
	return LIFT_FELL_BACK;
}

static __always_inline long gettimeofday_fallback(struct __kernel_old_timeval *tv,
						  struct timezone *tz)
{
	return LIFT_FELL_BACK;
}

#endif
