/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of wrap_timekeeping.c: suspend and resume of a lifted core. */

/* Later trees hand them a pointer. */
#if LIFT_HAS_SYSCORE_DATA
#define LIFT_SYSCORE_DATA NULL
#else
#define LIFT_SYSCORE_DATA
#endif

void lift_suspend(u64 now)
{
	lift_hold(now);
	lift_sleep.start = now;
	lift_told_counts[TKR_TOLD_SUSPEND_FAILED - TKR_CLOCK_WAS_SET_SEQ] +=
		timekeeping_syscore_ops.suspend(LIFT_SYSCORE_DATA) != 0;
}

void lift_resume(u64 now)
{
	lift_hold(now);
	lift_sleep.stop = now;
	timekeeping_syscore_ops.resume(LIFT_SYSCORE_DATA);
}

void lift_inject_sleep(u64 now, s64 sec, u32 nsec)
{
	struct timespec64 delta = { .tv_sec = sec, .tv_nsec = nsec };

	lift_hold(now);
	timekeeping_inject_sleeptime64(&delta);
}
