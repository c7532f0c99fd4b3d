/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of wrap_timekeeping.c: suspend and resume of a lifted core. */

void lift_suspend(u64 now)
{
	lift_hold(now);
	lift_sleep.start = now;
	timekeeping_suspend();
}

void lift_resume(u64 now)
{
	lift_hold(now);
	lift_sleep.stop = now;
	timekeeping_resume();
}

void lift_inject_sleep(u64 now, s64 sec, u32 nsec)
{
	struct timespec64 delta = { .tv_sec = sec, .tv_nsec = nsec };

	lift_hold(now);
	timekeeping_inject_sleeptime64(&delta);
}
