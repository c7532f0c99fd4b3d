// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: suspend and resume. The time slept is added to CLOCK_REALTIME, CLOCK_BOOTTIME
 * and CLOCK_TAI. CLOCK_MONOTONIC and the raw clock go on from where they stopped.
 */
#include "lib/math.h"
#include "tk/native/native.h"

/* A change of the difference of the clocks by this much or more is a step of one of them, s. */
#define STEP_SEC 2

static struct tk_state_timespec normalized(s64 sec, s64 nsec)
{
	while (nsec < 0) {
		nsec += NSEC;
		sec--;
	}
	while (nsec >= NSEC) {
		nsec -= NSEC;
		sec++;
	}
	return (struct tk_state_timespec){ sec, nsec };
}

static struct tk_state_timespec minus(struct tk_state_timespec a, struct tk_state_timespec b)
{
	return normalized(a.tv_sec - b.tv_sec, a.tv_nsec - b.tv_nsec);
}

static struct tk_state_timespec plus(struct tk_state_timespec a, struct tk_state_timespec b)
{
	return normalized(a.tv_sec + b.tv_sec, a.tv_nsec + b.tv_nsec);
}

static void sleep_for(struct timekeeper *tk, struct tk_state_timespec slept)
{
	struct tk_state_timespec now;
	const u64 below_ns = tk->xtime_nsec & ((1ULL << tk->shift) - 1);

	if (slept.tv_sec < 0 || slept.tv_sec >= TK_NO_LEAP / NSEC || slept.tv_nsec >= NSEC) {
		tell(tk, TKR_TOLD_MESSAGES);
		return;
	}
	now = plus((struct tk_state_timespec){ tk->xtime_sec, (s64)(tk->xtime_nsec >> tk->shift) },
		   slept);
	tk->xtime_sec = now.tv_sec;
	tk->xtime_nsec = ((u64)now.tv_nsec << tk->shift) | below_ns;
	tk_update_coarse_nsecs(tk);
	tk_sub_wall_to_mono(tk, slept.tv_sec, slept.tv_nsec);
	tk->offs_boot += slept.tv_sec * NSEC + slept.tv_nsec;
}

/*
 * A persistent clock may show whole seconds only, so each suspend measured with it is off by up to
 * one. The errors do not add up if the difference of the clocks is kept: by as much as it has
 * changed since the suspend before, the start of this one is moved.
 */
static void compensate(struct timekeeper *tk)
{
	const struct tk_state_timespec xtime = { tk->xtime_sec,
						 (s64)(tk->xtime_nsec >> tk->shift) };
	struct tk_state_timespec delta = minus(xtime, tk->sleep.start);
	struct tk_state_timespec change = minus(delta, tk->sleep.old_delta);

	if (magnitude(change.tv_sec) >= STEP_SEC)
		tk->sleep.old_delta = delta;
	else
		tk->sleep.start = plus(tk->sleep.start, change);
}

void timekeeping_suspend(struct timekeeper *tk, u64 now, const struct tk_sleep *sleep)
{
	tk->sleep.start =
		(struct tk_state_timespec){ sleep->persistent_sec, sleep->persistent_nsec };
	if (sleep->persistent_sec || sleep->persistent_nsec)
		tk->sleep.persistent = true;
	tk->sleep.needed = true;
	timekeeping_forward_now(tk, now);
	tk->sleep.suspended = true;
	if (tk->sleep.persistent)
		compensate(tk);
	timekeeping_update(tk, false);
	tell(tk, TKR_TOLD_TICK_SUSPEND);
	tell(tk, TKR_TOLD_CLOCKSOURCE_SUSPEND);
	tell(tk, TKR_TOLD_CLOCKEVENTS_SUSPEND);
}

void timekeeping_resume(struct timekeeper *tk, u64 now, const struct tk_sleep *sleep)
{
	const struct tk_state_timespec persistent = { sleep->persistent_sec,
						      sleep->persistent_nsec };
	struct tk_state_timespec slept = minus(persistent, tk->sleep.start);

	if (sleep->nonstop_ns)
		slept = normalized((s64)(sleep->nonstop_ns / TB_NSEC_PER_SEC),
				   (s64)(sleep->nonstop_ns % TB_NSEC_PER_SEC));
	if (slept.tv_sec > 0 || (!slept.tv_sec && slept.tv_nsec)) {
		tk->sleep.needed = false;
		sleep_for(tk, slept);
	}
	tk->cycle_last = now;
	tk->ntp_error = 0;
	tk->sleep.suspended = false;
	timekeeping_update(tk, true);
	tell(tk, TKR_TOLD_CLOCKEVENTS_RESUME);
	tell(tk, TKR_TOLD_CLOCKSOURCE_RESUME);
	tell(tk, TKR_TOLD_TICK_RESUME);
	tell(tk, TKR_TOLD_TIMERFD_RESUME);
}

void timekeeping_inject_sleep(struct timekeeper *tk, u64 now, s64 sec, u32 nsec)
{
	tk->sleep.needed = false;
	timekeeping_forward_now(tk, now);
	sleep_for(tk, (struct tk_state_timespec){ sec, nsec });
	timekeeping_clear_ntp(tk);
	timekeeping_update(tk, true);
	tell(tk, TKR_TOLD_SET_WALL);
	tell(tk, TKR_TOLD_SET_BOOT);
}
