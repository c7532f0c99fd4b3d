// SPDX-License-Identifier: GPL-2.0-or-later
/* The native core: a step of the time, a new counter, a new reference line. */
#include "tk/native/native.h"
#include "tk/reference.h"

#define USEC 1000000
#define HOUR 3600

void tk_setup_internals(struct timekeeper *tk, const struct tk_counter *counter, u64 now)
{
	const u64 tick_ns = TB_NSEC_PER_SEC / tk->hz;
	const u32 old_mult = tk->mult, old_shift = tk->shift;
	struct tk_conversion *conversion = &tk->conversion;
	u64 tick_snsec;

	tk_conversion_init(conversion, counter); /* in range: the caller has checked */
	tk->counter = *counter;
	tk->mask = counter->mask;
	tk->max_raw_delta = (tk->mask >> 1) + (tk->mask >> 2) + (tk->mask >> 3);
	tk->khz = (u32)(counter->hz / 1000);
	tell(tk, TKR_CS_WAS_CHANGED_SEQ);
	tk->cycle_last = now;
	tk->mult = conversion->mult;
	tk->shift = conversion->shift;
	tk->ntp_error_shift = NTP_SCALE_SHIFT - tk->shift;

	tick_snsec = tick_ns << tk->shift;
	tk->cycle_interval = (tick_snsec + tk->mult / 2) / tk->mult;
	if (!tk->cycle_interval)
		tk->cycle_interval = 1;
	tk->xtime_interval = tk->raw_interval = tk->cycle_interval * tk->mult;

	if (tk->shift >= old_shift) {
		tk->xtime_nsec <<= tk->shift - old_shift;
		tk->raw_nsec <<= tk->shift - old_shift;
	} else {
		tk->xtime_nsec >>= old_shift - tk->shift;
		tk->raw_nsec >>= old_shift - tk->shift;
	}

	/*
	 * X is not exactly 1/HZ. With `remainder`, the intended tick is X too, and cs_tick_adj
	 * tells the NTP code the difference. With `remainder-v2`, the intended tick is 1/HZ, and
	 * dithering makes up for the difference. Without either, ntp_error loses the difference at
	 * every tick.
	 */
	if (has(tk, TK_REMAINDER)) {
		tk->xtime_remainder = 0;
		tk->ntp_tick = tk->xtime_interval << tk->ntp_error_shift;
		tk->ntp.cs_tick_adj =
			(s64)(tk->ntp_tick - (tick_ns << NTP_SCALE_SHIFT)) * (s64)tk->hz;
	} else {
		tk->xtime_remainder =
			has(tk, TK_REMAINDER_V2) ? 0 : (s64)(tick_snsec - tk->xtime_interval);
		tk->ntp_tick = tick_ns << NTP_SCALE_SHIFT;
	}
	/* A range of an hour, from ns to a counter in kHz. */
	tk_best_pair(USEC, tk->khz, HOUR * 1000, &tk->ns_to_cyc.mult, &tk->ns_to_cyc.shift);
	tk->ns_to_cyc.follows = tk->mult != old_mult || tk->shift != old_shift;
	tk->ntp_error = 0;
	tk->ntp_err_mult = 0;
	tk->skew_delta = 0;
	tk->skip_second_overflow = false;
	tk->paused_interval = 0;
}

void timekeeping_clear_ntp(struct timekeeper *tk)
{
	tk->ntp_error = 0;
	ntp_clear(tk);
}

/* Carries whole seconds from shifted ns into *sec, without NTP steps; returns the rest. */
static u64 carry(u128 snsec, u32 shift, u64 *sec)
{
	u128 rest;

	*sec += (u64)div_u128(snsec >> shift, TB_NSEC_PER_SEC, &rest);
	return ((u64)rest << shift) | ((u64)snsec & ((1ULL << shift) - 1));
}

void timekeeping_forward_now(struct timekeeper *tk, u64 now)
{
	u64 delta = timekeeping_get_delta(tk, now);
	u64 sec = (u64)tk->xtime_sec;

	tk->cycle_last = now;
	tk->xtime_nsec = carry((u128)delta * tk->mult + tk->xtime_nsec, tk->shift, &sec);
	tk->xtime_sec = (s64)sec;
	tk->raw_nsec =
		carry((u128)delta * tk->conversion.mult + tk->raw_nsec, tk->shift, &tk->raw_sec);
	tk_update_coarse_nsecs(tk);
}

/* The end of each step: whoever waits for a time of a wall clock is told. */
static void timekeeping_was_set(struct timekeeper *tk)
{
	tk_update_coarse_nsecs(tk);
	timekeeping_clear_ntp(tk);
	timekeeping_update(tk, true);
	tell(tk, TKR_TOLD_SET_WALL);
}

static bool later(s64 sec_a, s64 nsec_a, s64 sec_b, s64 nsec_b)
{
	return sec_a != sec_b ? sec_a > sec_b : nsec_a > nsec_b;
}

enum tk_error timekeeping_settime(struct timekeeper *tk, u64 now, s64 sec, u32 nsec)
{
	const struct timekeeper before = *tk;
	s64 ahead_sec, ahead_nsec;

	if (sec < 0 || sec >= TK_SEC_MAX || nsec >= NSEC)
		return TK_EINVAL;
	timekeeping_forward_now(tk, now);
	ahead_sec = sec - tk->xtime_sec;
	ahead_nsec = (s64)nsec - (s64)(tk->xtime_nsec >> tk->shift);
	if (ahead_nsec < 0) {
		ahead_nsec += NSEC;
		ahead_sec--;
	}
	if (later(tk->wall_to_monotonic.tv_sec, tk->wall_to_monotonic.tv_nsec, ahead_sec,
		  ahead_nsec)) {
		*tk = before; /* CLOCK_REALTIME would fall behind CLOCK_MONOTONIC */
		return TK_EINVAL;
	}
	tk_sub_wall_to_mono(tk, ahead_sec, ahead_nsec);
	tk->xtime_sec = sec;
	tk->xtime_nsec = (u64)nsec << tk->shift;
	timekeeping_was_set(tk);
	tell(tk, TKR_TOLD_RANDOMNESS);
	return TK_OK;
}

enum tk_error timekeeping_inject_offset(struct timekeeper *tk, u64 now, s64 sec, s64 nsec)
{
	const struct timekeeper before = *tk;
	u64 whole;

	if (nsec < 0 || nsec >= NSEC)
		return TK_EINVAL;
	timekeeping_forward_now(tk, now);
	whole = (u64)tk->xtime_sec + (u64)sec;
	tk->xtime_nsec =
		carry((u128)tk->xtime_nsec + ((u128)(u64)nsec << tk->shift), tk->shift, &whole);
	tk->xtime_sec = (s64)whole;
	if (later(tk->wall_to_monotonic.tv_sec, tk->wall_to_monotonic.tv_nsec, sec, nsec) ||
	    tk->xtime_sec < 0 || tk->xtime_sec >= TK_SEC_MAX) {
		*tk = before;
		return TK_EINVAL;
	}
	tk_sub_wall_to_mono(tk, sec, nsec);
	timekeeping_was_set(tk);
	return TK_OK;
}

/*
 * The phase that is to be slewed, as the rule says: from the next second on, or from now on, and
 * along the exponential of time_offset or at adjtime's rate.
 */
static void slew_phase(struct timekeeper *tk, s64 time_offset, u32 rule)
{
	const s64 usec = 1000LL << NTP_SCALE_SHIFT;
	struct ntp_data *ntp = &tk->ntp;
	s128 phase = (s128)time_offset * tk->hz;

	if (rule & TK_PHASE_LINEAR) {
		ntp->time_adjust = (s64)div_s128(phase, (u64)usec);
		ntp->time_adjust_frac = (s64)(phase - (s128)ntp->time_adjust * usec);
	} else {
		ntp->time_offset = time_offset;
	}
	if (rule & (TK_PHASE_LINEAR | TK_PHASE_AT_ONCE))
		ntp_plan_skew(tk);
}

enum tk_error timekeeping_set_reference(struct timekeeper *tk, u64 now,
					const struct tk_reference *reference)
{
	struct ntp_data *ntp = &tk->ntp;
	struct tk_correction correction;
	struct tk_told told;
	u64 length;
	enum tk_error error;

	if (!tk->cycle_interval)
		return TK_EINVAL; /* being recalibrated: a tick has no length */
	if (reference->rule & (TK_PHASE_AT_ONCE | TK_PHASE_LINEAR) && !has(tk, TK_SKEW))
		return TK_ESWITCH;
	error = tk_reference_tick(reference, tk->cycle_interval,
				  tk->raw_interval << tk->ntp_error_shift, &length);
	if (!error)
		error = tk_reference_check(reference, now, tk->mask);
	if (error)
		return error;

	if (reference->rule & TK_PHASE_AT_LAST)
		timekeeping_advance(tk, now, TK_ADV_TICK);
	/* The phase that is being slewed belongs to the previous line, and so do timestamps. */
	tk->history.taken = false;
	ntp->time_offset = ntp->skew_delta = 0;
	ntp->time_adjust = ntp->time_adjust_frac = 0;
	ntp->tick_length = ntp->tick_length_base;
	/* The time_freq that makes a tick exactly L. Ticks up to `now` have the old length. */
	ntp->time_freq = 0;
	ntp->time_freq = (s64)(length * tk->hz - ntp_second_length(tk));
	ntp_update_frequency(tk);
	if (!(reference->rule & TK_PHASE_AT_LAST))
		timekeeping_advance(tk, now, TK_ADV_FREQ);

	told = (struct tk_told){
		.cycle_last = tk->cycle_last,
		.cycle_interval = tk->cycle_interval,
		.mask = tk->mask,
		.sec = tk->xtime_sec,
		.snsec = tk->xtime_nsec,
		.tick_length = ntp->tick_length,
		.shift = tk->shift,
		.hz = tk->hz,
	};
	correction = tk_reference_correct(reference, &told);
	tk->ntp_error = correction.ntp_error;
	slew_phase(tk, correction.time_offset, reference->rule);
	timekeeping_update(tk, false);
	if (correction.step_snsec) {
		tk_correction_step(&correction, tk->shift, &tk->xtime_sec, &tk->xtime_nsec);
		tk_sub_wall_to_mono(tk, correction.step_mono_ns / NSEC,
				    correction.step_mono_ns % NSEC);
		tk_update_coarse_nsecs(tk);
		timekeeping_update(tk, true);
	}
	return TK_OK;
}
