// SPDX-License-Identifier: GPL-2.0-or-later
/* The native core: what moves the clock at once, a step, a new counter, a line to follow. */
#include "tk/native/native.h"
#include "tk/reference.h"

void native_move_wtm(struct native *tk, s64 sec, s64 nsec)
{
	tk->wtm_sec -= sec;
	tk->wtm_nsec -= nsec;
	while (tk->wtm_nsec < 0) {
		tk->wtm_nsec += NSEC;
		tk->wtm_sec--;
	}
	while (tk->wtm_nsec >= NSEC) {
		tk->wtm_nsec -= NSEC;
		tk->wtm_sec++;
	}
}

void native_install_counter(struct native *tk, const struct tk_counter *counter, u64 now)
{
	const u64 tick_ns = TB_NSEC_PER_SEC / tk->hz;
	const u32 old_shift = tk->shift;
	struct tk_conversion *conversion = &tk->conversion;
	u64 tick_snsec;

	tk_conversion_init(conversion, counter); /* in range: the caller has checked */
	tk->mask = counter->mask;
	tk->max_delta = (tk->mask >> 1) + (tk->mask >> 2) + (tk->mask >> 3);
	tk->cycle_last = now;
	tk->mult = conversion->mult;
	tk->shift = conversion->shift;
	tk->error_shift = NTP_SHIFT - tk->shift;

	tick_snsec = tick_ns << tk->shift;
	tk->interval = (tick_snsec + tk->mult / 2) / tk->mult;
	if (!tk->interval)
		tk->interval = 1;
	tk->xtime_interval = tk->raw_interval = tk->interval * tk->mult;

	if (tk->shift >= old_shift) {
		tk->nsec <<= tk->shift - old_shift;
		tk->raw_nsec <<= tk->shift - old_shift;
	} else {
		tk->nsec >>= old_shift - tk->shift;
		tk->raw_nsec >>= old_shift - tk->shift;
	}

	/* X is not exactly 1/HZ. With `remainder`, ticks are simply that much longer, and the NTP
	 * code is told; without, the difference is taken off at every tick. */
	if (has(tk, TK_REMAINDER)) {
		tk->remainder = 0;
		tk->ntp_tick = tk->xtime_interval << tk->error_shift;
		tk->ntp.cs_tick_adj = (s64)(tk->ntp_tick - (tick_ns << NTP_SHIFT)) * (s64)tk->hz;
	} else {
		tk->remainder = (s64)(tick_snsec - tk->xtime_interval);
		tk->ntp_tick = tick_ns << NTP_SHIFT;
	}
	tk->error = 0;
	tk->dither = 0;
	tk->skew_delta = 0;
	tk->second_done = false;
	tk->paused_interval = 0;
}

void native_clear_ntp(struct native *tk)
{
	tk->error = 0;
	ntp_clear(tk);
}

/* Shifted ns beyond a second, carried without NTP steps. */
static u64 carry(u128 snsec, u32 shift, u64 *sec)
{
	u128 rest;

	*sec += (u64)div_u128(snsec >> shift, TB_NSEC_PER_SEC, &rest);
	return ((u64)rest << shift) | ((u64)snsec & ((1ULL << shift) - 1));
}

/* The clock up to `now`, also between ticks: before it is set, so that nothing is left over. */
void native_forward(struct native *tk, u64 now)
{
	u64 delta = native_delta(tk, now);
	u64 sec = (u64)tk->sec;

	tk->cycle_last = now;
	tk->nsec = carry((u128)delta * tk->mult + tk->nsec, tk->shift, &sec);
	tk->sec = (s64)sec;
	tk->raw_nsec =
		carry((u128)delta * tk->conversion.mult + tk->raw_nsec, tk->shift, &tk->raw_sec);
}

static bool later(s64 sec_a, s64 nsec_a, s64 sec_b, s64 nsec_b)
{
	return sec_a != sec_b ? sec_a > sec_b : nsec_a > nsec_b;
}

enum tk_error native_settime(struct native *tk, u64 now, s64 sec, u32 nsec)
{
	const struct native before = *tk;
	s64 ahead_sec, ahead_nsec;

	if (sec < 0 || sec >= TK_SEC_MAX || nsec >= NSEC)
		return TK_EINVAL;
	native_forward(tk, now);
	ahead_sec = sec - tk->sec;
	ahead_nsec = (s64)nsec - (s64)(tk->nsec >> tk->shift);
	if (ahead_nsec < 0) {
		ahead_nsec += NSEC;
		ahead_sec--;
	}
	if (later(tk->wtm_sec, tk->wtm_nsec, ahead_sec, ahead_nsec)) {
		*tk = before; /* CLOCK_REALTIME would fall behind CLOCK_MONOTONIC */
		return TK_EINVAL;
	}
	native_move_wtm(tk, ahead_sec, ahead_nsec);
	tk->sec = sec;
	tk->nsec = (u64)nsec << tk->shift;
	native_clear_ntp(tk);
	return TK_OK;
}

enum tk_error native_inject(struct native *tk, u64 now, s64 sec, s64 nsec)
{
	const struct native before = *tk;
	u64 whole;

	if (nsec < 0 || nsec >= NSEC)
		return TK_EINVAL;
	native_forward(tk, now);
	whole = (u64)tk->sec + (u64)sec;
	tk->nsec = carry((u128)tk->nsec + ((u128)(u64)nsec << tk->shift), tk->shift, &whole);
	tk->sec = (s64)whole;
	if (later(tk->wtm_sec, tk->wtm_nsec, sec, nsec) || tk->sec < 0 || tk->sec >= TK_SEC_MAX) {
		*tk = before;
		return TK_EINVAL;
	}
	native_move_wtm(tk, sec, nsec);
	native_clear_ntp(tk);
	return TK_OK;
}

static void step(struct native *tk, const struct tk_correction *by)
{
	const s128 second = (s128)TB_NSEC_PER_SEC << tk->shift;
	s128 snsec = (s128)tk->nsec + by->step_snsec;
	s128 whole = div_s128(snsec, (u128)second);
	s64 mono_sec = by->step_mono_ns / NSEC;

	if (snsec < whole * second)
		whole--;
	tk->sec += (s64)whole;
	tk->nsec = (u64)(snsec - whole * second);
	native_move_wtm(tk, mono_sec, by->step_mono_ns - mono_sec * NSEC);
}

enum tk_error native_follow(struct native *tk, u64 now, const struct tk_reference *reference)
{
	struct ntp *ntp = &tk->ntp;
	struct tk_correction correction;
	struct tk_told told;
	u64 length;
	enum tk_error error;

	if (!tk->interval)
		return TK_EINVAL; /* being recalibrated: there is no tick to give a length to */
	error = tk_reference_tick(reference, tk->interval, tk->raw_interval << tk->error_shift,
				  &length);
	if (error)
		return error;

	/* What was being slewed was for the line of before. */
	ntp->time_offset = ntp->skew_delta = 0;
	ntp->time_adjust = ntp->time_adjust_frac = 0;
	ntp->tick_length = ntp->tick_base;
	/* The frequency that makes the tick exactly L; the ticks so far pass at the old length. */
	ntp->time_freq = 0;
	ntp->time_freq = (s64)(length * tk->hz - ntp_second_length(tk));
	ntp_update_length(tk);
	native_advance(tk, now, true);

	told = (struct tk_told){
		.cycle_last = tk->cycle_last,
		.cycle_interval = tk->interval,
		.mask = tk->mask,
		.sec = tk->sec,
		.snsec = tk->nsec,
		.tick_length = ntp->tick_length,
		.shift = tk->shift,
		.hz = tk->hz,
	};
	correction = tk_reference_correct(reference, &told);
	tk->error = correction.ntp_error;
	ntp->time_offset = correction.time_offset;
	if (correction.step_snsec)
		step(tk, &correction);
	return TK_OK;
}
