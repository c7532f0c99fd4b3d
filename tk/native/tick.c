// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: the tick. It accumulates whole ticks into the clock, keeps the difference of
 * intended and told time in ntp_error, and dithers mult between two neighbouring values to hold
 * ntp_error near zero.
 *
 * A tick that is neither late nor early takes the path that is inlined into timekeeping_advance():
 * no call, and one branch for each thing that seldom happens. Those stand in functions of their
 * own.
 */
#include "tk/native/native.h"

#define SELDOM __attribute__((noinline, cold))

u64 timekeeping_get_delta(const struct timekeeper *tk, u64 now)
{
	u64 delta = (now - tk->cycle_last) & tk->mask;

	return delta > tk->max_raw_delta ? 0 : delta;
}

void tk_sub_wall_to_mono(struct timekeeper *tk, s64 sec, s64 nsec)
{
	tk->wall_to_monotonic.tv_sec -= sec;
	tk->wall_to_monotonic.tv_nsec -= nsec;
	while (tk->wall_to_monotonic.tv_nsec < 0) {
		tk->wall_to_monotonic.tv_nsec += NSEC;
		tk->wall_to_monotonic.tv_sec--;
	}
	while (tk->wall_to_monotonic.tv_nsec >= NSEC) {
		tk->wall_to_monotonic.tv_nsec -= NSEC;
		tk->wall_to_monotonic.tv_sec++;
	}
}

void tk_update_coarse_nsecs(struct timekeeper *tk)
{
	tk->coarse_kept = false;
}

u32 tk_coarse_nsec(const struct timekeeper *tk)
{
	return tk->coarse_kept ? tk->coarse_nsec : (u32)(tk->xtime_nsec >> tk->shift);
}

static u64 second_of(const struct timekeeper *tk)
{
	return TB_NSEC_PER_SEC << tk->shift;
}

/* Each second has its NTP step and may be a leap. */
static SELDOM void carry_seconds(struct timekeeper *tk)
{
	const u64 second = second_of(tk);

	while (tk->xtime_nsec >= second) {
		s32 leap;

		tk->xtime_nsec -= second;
		tk->xtime_sec++;
		if (tk->skip_second_overflow) {
			tk->skip_second_overflow = false;
			continue;
		}
		leap = second_overflow(tk, tk->xtime_sec);
		if (leap) {
			tk->xtime_sec += leap;
			tk_sub_wall_to_mono(tk, leap, 0);
			tk->tai_offset -= leap;
			tk->leapt = true;
			tell(tk, TKR_TOLD_MESSAGES);
		}
	}
}

/* Carries whole seconds from xtime_nsec into xtime_sec. */
static inline void accumulate_nsecs_to_secs(struct timekeeper *tk)
{
	if (tk->xtime_nsec >= second_of(tk))
		carry_seconds(tk);
}

static SELDOM void carry_raw_seconds(struct timekeeper *tk)
{
	for (; tk->raw_nsec >= second_of(tk); tk->raw_sec++)
		tk->raw_nsec -= second_of(tk);
}

/* Accumulates 2^k ticks at once. */
static inline void logarithmic_accumulation(struct timekeeper *tk, u32 k)
{
	s64 error;

	tk->cycle_last += tk->cycle_interval << k;
	tk->xtime_nsec += tk->xtime_interval << k;
	accumulate_nsecs_to_secs(tk);

	tk->raw_nsec += tk->raw_interval << k;
	if (tk->raw_nsec >= second_of(tk))
		carry_raw_seconds(tk);

	/* Modulo 2^64: the difference fits, so it is right although its terms may overflow. */
	error = tk->ntp_error +
		(s64)((tk->ntp_tick << k) - ((tk->xtime_interval + (u64)tk->xtime_remainder)
					     << (tk->ntp_error_shift + k)));
	if (tk->skew_delta)
		error += ntp_drain_skew(tk, tk->skew_delta, k) * (s64)tk->hz;
	tk->ntp_error = error;
}

/* The base mult for a new tick length, from which dithering departs. */
static SELDOM u32 new_base_mult(struct timekeeper *tk)
{
	u64 wanted;

	tk->ntp_tick = tk->ntp.tick_length;
	tk->skew_delta = tk->ntp.skew_delta;
	/* It is for the wanted rate with the skew, so that mult and mult + 1 bracket that rate. */
	wanted = tk->ntp_tick + (u64)(tk->skew_delta * (s64)tk->hz);
	return (u32)(((wanted >> tk->ntp_error_shift) - (u64)tk->xtime_remainder) /
		     tk->cycle_interval);
}

/* The adjustment subtracted more than the new second has. */
static SELDOM void borrow_second(struct timekeeper *tk)
{
	tk->xtime_nsec += second_of(tk);
	tk->xtime_sec--;
	tk->skip_second_overflow = true;
}

/* Changes mult without a jump of the told time, `off` cycles after cycle_last. */
static void timekeeping_apply_adjustment(struct timekeeper *tk, s32 change, u64 off)
{
	u64 moved = (u64)(s64)change * off;

	if (change > 0 && (u32)(tk->mult + (u32)change) < (u32)change)
		return;
	tk->mult += (u32)change;
	tk->ns_to_cyc.follows |= change != 0;
	tk->xtime_interval += (u64)(s64)change * tk->cycle_interval;
	tk->xtime_nsec -= moved;
	if (has(tk, TK_CLAWBACK))
		tk->ntp_error += (s64)(moved << tk->ntp_error_shift);
}

/* To a new base, or from the largest mult. */
static SELDOM void adjust_base(struct timekeeper *tk, u64 off)
{
	u32 mult = tk->mult - tk->ntp_err_mult;

	if (tk->ntp_tick != tk->ntp.tick_length || tk->skew_delta != tk->ntp.skew_delta)
		mult = new_base_mult(tk);
	tk->ntp_err_mult = tk->ntp_error > 0;
	mult += tk->ntp_err_mult;
	timekeeping_apply_adjustment(tk, (s32)(mult - tk->mult), off);
}

/*
 * The same where the base stays, so that mult changes by -1, 0 or 1. The next tick waits for what
 * depends on the sign of ntp_error, so that is little: masks, where a product takes longer. No
 * branch: nobody can predict which way the dither goes.
 */
static inline void dither(struct timekeeper *tk, u64 off)
{
	const u32 was = tk->ntp_err_mult, is = tk->ntp_error > 0;
	const u64 all_was = -(u64)was, all_is = -(u64)is;
	const u64 moved = (off & all_is) - (off & all_was);

	tk->xtime_interval =
		tk->xtime_interval - (tk->cycle_interval & all_was) + (tk->cycle_interval & all_is);
	tk->xtime_nsec -= moved;
	if (has(tk, TK_CLAWBACK))
		tk->ntp_error += (s64)(moved << tk->ntp_error_shift);
	tk->mult += is - was;
	tk->ns_to_cyc.follows |= is != was;
	tk->ntp_err_mult = is;
}

static inline void timekeeping_adjust(struct timekeeper *tk, u64 off)
{
	if (tk->ntp_tick != tk->ntp.tick_length || tk->skew_delta != tk->ntp.skew_delta ||
	    tk->mult == ~0U)
		adjust_base(tk, off);
	else
		dither(tk, off);
	if ((s64)tk->xtime_nsec < 0)
		borrow_second(tk);
}

static s32 log2_of(u64 n)
{
	return n ? 63 - __builtin_clzll(n) : -1;
}

/*
 * Accumulates the whole ticks of two or more in power-of-two multiples, largest first, so that a
 * long idle takes O(log n) steps. Returns the cycles that are left over.
 */
static SELDOM u64 accumulate_ticks(struct timekeeper *tk, u64 off)
{
	/* L << k must stay in 64 bits. */
	s32 limit = 62 - log2_of(tk->ntp.tick_length);
	s32 k = log2_of(off) - log2_of(tk->cycle_interval);

	if (k > limit)
		k = limit;
	for (; off >= tk->cycle_interval; k--) {
		for (; off >= tk->cycle_interval << k; off -= tk->cycle_interval << k)
			logarithmic_accumulation(tk, (u32)k);
	}
	return off;
}

/*
 * A change of mult in mid-tick may move xtime_nsec back, and a coarse clock must not go: until the
 * next tick it is what it was.
 */
static SELDOM void keep_coarse(struct timekeeper *tk)
{
	tk->coarse_nsec = tk_coarse_nsec(tk);
	tk->coarse_kept = true;
}

/* What follows each tick. Returns whether the clock was set: by a leap second. */
static inline bool end_tick(struct timekeeper *tk, u64 off)
{
	timekeeping_adjust(tk, off);
	accumulate_nsecs_to_secs(tk);
	tk->updates++;
	if (!tk->leapt)
		return false;
	tk->leapt = false;
	tell(tk, TKR_CLOCK_WAS_SET_SEQ);
	return true;
}

/* Not one whole tick: none, several, or of a counter that stands still. */
static SELDOM bool advance_otherwise(struct timekeeper *tk, u64 off, enum timekeeping_adv_mode mode)
{
	if (tk->sleep.suspended)
		return false;
	if (!tk->cycle_interval && has(tk, TK_DIVZERO))
		return false; /* these cycles are in `off` at the next tick */
	if (off < tk->cycle_interval && mode != TK_ADV_FREQ)
		return false;

	if (off < tk->cycle_interval) {
		if (!tk->coarse_kept)
			keep_coarse(tk);
	} else {
		tk->coarse_kept = false;
		if (tk->cycle_interval)
			off = accumulate_ticks(tk, off);
	}
	return end_tick(tk, off);
}

/* Accumulates the whole ticks up to `now`, then adjusts mult. */
bool timekeeping_advance(struct timekeeper *tk, u64 now, enum timekeeping_adv_mode mode)
{
	const u64 off = timekeeping_get_delta(tk, now);

	/* From one tick on, but less than two; never so if the interval is 0. */
	if (off - tk->cycle_interval >= tk->cycle_interval || tk->sleep.suspended)
		return advance_otherwise(tk, off, mode);
	tk->coarse_kept = false;
	logarithmic_accumulation(tk, 0);
	return end_tick(tk, off - tk->cycle_interval);
}
