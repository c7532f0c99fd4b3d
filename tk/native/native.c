// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: the tick. Accumulates whole ticks into the clock, keeps account of how far the
 * told time is from the intended one, and dithers mult between two neighbours to hold that near
 * zero.
 */
#include "tk/native/native.h"

static struct native core;

/* The writer's side of the seqcount: a reader that ran into it tries again. */
static void write_begin(struct native *tk)
{
	__atomic_store_n(&tk->seq, tk->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void write_end(struct native *tk)
{
	__atomic_store_n(&tk->seq, tk->seq + 1, __ATOMIC_RELEASE);
}

u64 native_delta(const struct native *tk, u64 now)
{
	u64 delta = (now - tk->cycle_last) & tk->mask;

	return delta > tk->max_delta ? 0 : delta;
}

/* Whole seconds out of the shifted nanoseconds, each with its NTP step and perhaps a leap second.
 */
static void carry_seconds(struct native *tk)
{
	const u64 second = TB_NSEC_PER_SEC << tk->shift;

	while (tk->nsec >= second) {
		s32 leap;

		tk->nsec -= second;
		tk->sec++;
		if (tk->second_done) {
			tk->second_done = false;
			continue;
		}
		leap = ntp_second(tk, tk->sec);
		if (leap) {
			tk->sec += leap;
			native_move_wtm(tk, leap, 0);
			tk->tai_offset -= leap;
		}
	}
}

/* 2^k ticks pass at once. */
static void accumulate(struct native *tk, u32 k)
{
	const u64 second = TB_NSEC_PER_SEC << tk->shift;

	tk->cycle_last += tk->interval << k;
	tk->nsec += tk->xtime_interval << k;
	carry_seconds(tk);

	for (tk->raw_nsec += tk->raw_interval << k; tk->raw_nsec >= second; tk->raw_sec++)
		tk->raw_nsec -= second;

	/* Modulo 2^64, like all of e: a difference that fits is right whatever overflowed on the
	 * way. */
	tk->error += (s64)((tk->ntp_tick << k) -
			   ((tk->xtime_interval + (u64)tk->remainder) << (tk->error_shift + k)));
	if (tk->skew_delta)
		tk->error += ntp_drain(tk, tk->skew_delta, k) * (s64)tk->hz;
}

/* Another mult from here on, with the told time at this moment (off cycles after cycle_last) kept.
 */
static void change_mult(struct native *tk, s32 change, u64 off)
{
	u64 moved = (u64)(s64)change * off;

	if (change > 0 && (u32)(tk->mult + (u32)change) < (u32)change)
		return;
	tk->mult += (u32)change;
	tk->xtime_interval += (u64)(s64)change * tk->interval;
	tk->nsec -= moved;
	if (has(tk, TK_CLAWBACK))
		tk->error += (s64)(moved << tk->error_shift);
}

static void adjust(struct native *tk, u64 off)
{
	const struct ntp *ntp = &tk->ntp;
	u32 mult;

	if (tk->ntp_tick == ntp->tick_length && tk->skew_delta == ntp->skew_delta) {
		mult = tk->mult - tk->dither;
	} else {
		u64 wanted;

		tk->ntp_tick = ntp->tick_length;
		tk->skew_delta = ntp->skew_delta;
		/* Base mult from the rate that is wanted, skew included, so that mult and mult + 1
		 * lie on either side of it. */
		wanted = tk->ntp_tick + (u64)(tk->skew_delta * (s64)tk->hz);
		mult = (u32)(((wanted >> tk->error_shift) - (u64)tk->remainder) / tk->interval);
	}
	tk->dither = tk->error > 0;
	mult += tk->dither;
	if (mult != tk->mult)
		change_mult(tk, (s32)(mult - tk->mult), off);

	/* What was taken back may reach below the second that just began. */
	if ((s64)tk->nsec < 0) {
		tk->nsec += TB_NSEC_PER_SEC << tk->shift;
		tk->sec--;
		tk->second_done = true;
	}
}

static s32 log2_of(u64 n)
{
	return n ? 63 - __builtin_clzll(n) : -1;
}

/*
 * To `now`: whole ticks in power-of-two multiples, largest first, so that a long idle costs little;
 * then the adjustment. `always` adjusts also where no tick has passed (a frequency was set).
 */
void native_advance(struct native *tk, u64 now, bool always)
{
	u64 off = native_delta(tk, now);
	s32 k, limit;

	if (!tk->interval && has(tk, TK_DIVZERO))
		return; /* what passes meanwhile is in off next time */
	if (off < tk->interval && !always)
		return;

	if (off < 2 * tk->interval) {
		if (off >= tk->interval) {
			off -= tk->interval;
			accumulate(tk, 0);
		}
	} else if (tk->interval) {
		/* L << k must stay in 64 bits. */
		limit = 62 - log2_of(tk->ntp.tick_length);
		k = log2_of(off) - log2_of(tk->interval);
		if (k > limit)
			k = limit;
		for (; off >= tk->interval; k--) {
			for (; off >= tk->interval << k; off -= tk->interval << k)
				accumulate(tk, (u32)k);
		}
	}
	adjust(tk, off);
	carry_seconds(tk);
}

static void native_tick(u64 now)
{
	write_begin(&core);
	native_advance(&core, now, false);
	write_end(&core);
}

static enum tk_error native_init(const struct tk_setup *setup)
{
	struct native *tk = &core;
	struct tk_conversion conversion;
	enum tk_error error = tk_conversion_init(&conversion, &setup->counter);

	if (error)
		return error;
	if (!setup->hz || setup->hz > setup->counter.hz)
		return TK_EFREQUENCY;
	if (setup->sec < 0 || setup->sec >= TK_SEC_MAX || setup->nsec >= NSEC)
		return TK_EINVAL;

	write_begin(tk);
	*tk = (struct native){ .seq = tk->seq, .switches = setup->switches, .hz = setup->hz };
	ntp_start(&tk->ntp);
	native_install_counter(tk, &setup->counter, setup->now);
	tk->sec = setup->sec;
	tk->nsec = (u64)setup->nsec << tk->shift;
	native_move_wtm(tk, setup->sec, setup->nsec);
	native_clear_ntp(tk);
	write_end(tk);
	return TK_OK;
}

/* Shifted ns since the second xtime is in; a counter that seems to have gone back counts as 0. */
static u128 snsec_at(const struct native *tk, u64 counter)
{
	u64 delta = (counter - tk->cycle_last) & tk->mask;

	if (delta & ~(tk->mask >> 1))
		delta = 0;
	return (u128)delta * tk->mult + tk->nsec;
}

static void native_read(u64 (*counter)(void *context), void *context, struct tk_time *time)
{
	const struct native *tk = &core;
	s64 sec, wtm_sec, wtm_nsec;
	u32 seq, shift;
	u128 snsec, nsec, rest;

	do {
		while ((seq = __atomic_load_n(&tk->seq, __ATOMIC_ACQUIRE)) & 1)
			;
		time->counter = counter(context);
		snsec = snsec_at(tk, time->counter);
		shift = tk->shift;
		sec = tk->sec;
		wtm_sec = tk->wtm_sec;
		wtm_nsec = tk->wtm_nsec;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (__atomic_load_n(&tk->seq, __ATOMIC_RELAXED) != seq);

	nsec = snsec >> shift;
	time->mono_ns = (sec + wtm_sec) * NSEC + wtm_nsec + (s64)nsec;
	time->sec = sec + (s64)div_u128(nsec, (u128)NSEC, &rest);
	time->nsec = (u32)rest;
	time->instant = instant_from_snsec(sec, snsec, shift);
}

static enum tk_error native_set_reference(u64 now, const struct tk_reference *reference)
{
	enum tk_error error;

	if (!has(&core, TK_REFERENCE))
		return TK_ESWITCH;
	write_begin(&core);
	error = native_follow(&core, now, reference);
	write_end(&core);
	return error;
}

static enum tk_error native_add_time_offset(u64 now, s64 offset_ns)
{
	(void)now;
	if (offset_ns < -NSEC / 2 || offset_ns > NSEC / 2)
		return TK_EINVAL;
	core.ntp.time_offset += offset_ns * (1LL << NTP_SHIFT) / (s64)core.hz;
	return TK_OK;
}

static u64 given(void *context)
{
	return *(u64 *)context;
}

static enum tk_error native_adjtimex(u64 now, struct tk_timex *timex)
{
	struct native *tk = &core;
	enum tk_error error = ntp_check_timex(timex);
	struct tk_time time;
	s32 tai;

	if (error)
		return error;
	native_read(given, &now, &time);
	write_begin(tk);
	if (timex->modes & TK_ADJ_SETOFFSET) {
		s64 unit = timex->modes & TK_ADJ_NANO ? 1 : 1000;

		error = native_inject(tk, now, timex->time_sec, timex->time_usec * unit);
	}
	if (!error) {
		tai = tk->tai_offset;
		ntp_adjtimex(tk, timex, time.sec, time.nsec, &tai);
		tk->tai_offset = tai;
		if (timex->modes & (TK_ADJ_FREQUENCY | TK_ADJ_TICK))
			native_advance(tk, now, true);
	}
	write_end(tk);
	return error;
}

static enum tk_error native_set(u64 now, s64 sec, u32 nsec)
{
	enum tk_error error;

	write_begin(&core);
	error = native_settime(&core, now, sec, nsec);
	write_end(&core);
	return error;
}

static enum tk_error native_change_counter(u64 now, const struct tk_counter *next, u64 next_now)
{
	struct tk_conversion conversion;
	enum tk_error error = tk_conversion_init(&conversion, next);

	if (error)
		return error;
	if (core.hz > next->hz)
		return TK_EFREQUENCY;
	write_begin(&core);
	native_forward(&core, now);
	native_install_counter(&core, next, next_now);
	native_clear_ntp(&core);
	write_end(&core);
	return TK_OK;
}

static enum tk_error native_recalibrate(u64 now, bool stopped)
{
	struct native *tk = &core;

	(void)now;
	write_begin(tk);
	if (stopped && tk->interval) {
		tk->paused_interval = tk->interval;
		tk->paused_tick = tk->ntp_tick;
		tk->interval = 0;
		tk->ntp_tick = 0; /* no longer what mult was made from: the next tick divides */
	} else if (!stopped && tk->paused_interval) {
		tk->interval = tk->paused_interval;
		tk->paused_interval = 0;
		tk->ntp_tick = tk->paused_tick;
	}
	write_end(tk);
	return TK_OK;
}

static void native_state(struct tk_state *state)
{
	const struct native *tk = &core;
	const struct ntp *ntp = &tk->ntp;

	*state = (struct tk_state){
		.cycle_last = tk->cycle_last,
		.cycle_interval = tk->interval,
		.xtime_interval = tk->xtime_interval,
		.xtime_sec = (u64)tk->sec,
		.xtime_nsec = tk->nsec,
		.raw_sec = tk->raw_sec,
		.raw_nsec = tk->raw_nsec,
		.wtm_sec = tk->wtm_sec,
		.wtm_nsec = tk->wtm_nsec,
		.ntp_tick = tk->ntp_tick,
		.tick_length = ntp->tick_length,
		.ntp_error = tk->error,
		.time_offset = ntp->time_offset,
		.skew_delta = ntp->skew_delta,
		.time_freq = ntp->time_freq,
		.time_adjust = ntp->time_adjust,
		.time_adjust_frac = ntp->time_adjust_frac,
		.time_maxerror = ntp->maxerror,
		.next_leap_sec = ntp->next_leap_sec == NO_LEAP ? 0 : ntp->next_leap_sec,
		.mult = tk->mult,
		.shift = tk->shift,
		.ntp_err_mult = tk->dither,
		.skip_second_overflow = tk->second_done,
		.tai_offset = tk->tai_offset,
		.time_state = ntp->state,
		.time_status = ntp->status,
		.time_constant = ntp->constant,
	};
}

static const struct tk_identity identity = {
	.core = "native",
	.switches = TK_ALL,
};

const struct tk_ops tk_native = {
	.identity = &identity,
	.init = native_init,
	.tick = native_tick,
	.read = native_read,
	.set_reference = native_set_reference,
	.add_time_offset = native_add_time_offset,
	.adjtimex = native_adjtimex,
	.settime = native_set,
	.change_counter = native_change_counter,
	.recalibrate = native_recalibrate,
	.state = native_state,
};
