// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A lifted kernel's core behind tk.h. It calls the kernel's functions through lift.h. It is
 * compiled once for each lift; lift_identity.h says what was lifted.
 *
 * set_reference() calls the tree's own function if there is one. Otherwise it is made of the
 * kernel's functions. The native core does the same, so that states can be compared bit by bit:
 *   1. every phase correction under way is dropped (time_offset, adjtime, their skew);
 *   2. time_freq such that the tick length becomes L = cycle_interval * period, exactly;
 *   3. accumulate at `now` as adjtimex does after a change of frequency: whole ticks by the old L,
 *      then mult for the new;
 *   4. ntp_error and time_offset, or a step of wall time, as tk_reference_correct() has it.
 */
#include "lib/string.h"
#include "lift_has.h"
#include "lift_identity.h"
#include "tk/linux/lift.h"
#include "tk/reference.h"

/*
 * A tick that accumulates this many seconds while cycle_interval is 0 is taken to be endless: only
 * milliseconds pass between recalibrate(true) and recalibrate(false).
 */
#define ENDLESS_SECONDS 65536

static bool pristine_saved;
static u64 stopped_interval; /* cycle_interval while the counter is being recalibrated; else 0 */
static bool endless;	     /* a tick was cut off, which leaves the kernel's state incomplete */
static u32 seconds_left;     /* that this tick may still accumulate before it counts as endless */
static void *tick_exit[5];   /* where an endless tick is left to: __builtin_setjmp's buffer */

static enum tk_error counter_of(struct lift_counter *lift, const struct tk_counter *counter)
{
	struct tk_conversion conversion;
	enum tk_error error = tk_conversion_init(&conversion, counter);

	if (error)
		return error;
	*lift = (struct lift_counter){
		.mask = counter->mask,
		.max_cycles = conversion.max_cycles,
		.mult = conversion.mult,
		.shift = conversion.shift,
		.maxadj = conversion.maxadj,
		.khz = (u32)(counter->hz / 1000),
		.max_idle_ns = tk_max_idle_ns(&conversion),
	};
	return TK_OK;
}

/* Saves the kernel's data before its code first runs; later copies them back, for a fresh start. */
static void restore_pristine(void)
{
	size_t size = (size_t)(lift_data_end - lift_data);

	if (!pristine_saved) {
		memcpy(lift_pristine, lift_data, size);
		pristine_saved = true;
	} else {
		memcpy(lift_data, lift_pristine, size);
	}
}

static enum tk_error linux_init(const struct tk_setup *setup)
{
	struct lift_counter counter;
	enum tk_error error;

	if (setup->hz != LIFT_HZ)
		return TK_EHZ;
	if (setup->sec < 0 || setup->sec >= TK_SEC_MAX || setup->nsec >= TB_NSEC_PER_SEC)
		return TK_EINVAL;
	error = counter_of(&counter, &setup->counter);
	if (error)
		return error;
	if (setup->counter.hz < setup->hz)
		return TK_EFREQUENCY;

	restore_pristine();
	lift_told_reset();
	stopped_interval = 0;
	endless = false;
	lift_boot_ns = setup->boot_ns;
	lift_sleep.persistent = (struct lift_timespec){ .sec = setup->sec, .nsec = setup->nsec };
	if (setup->impossible)
		lift_sleep.persistent.sec = TK_SEC_MAX;
	lift_ntp_boot(setup->tick_adj);
	lift_start(&counter, setup->now);
	return TK_OK;
}

static void linux_read(u64 (*counter)(void *context), void *context, struct tk_time *time)
{
	struct lift_reading reading;
	u128 snsec;

	lift_read(counter, context, &reading);
	snsec = reading.xtime_nsec;
	snsec += (u128)reading.delta * reading.mult;
	*time = (struct tk_time){
		.counter = reading.counter,
		.sec = (s64)(reading.xtime_sec + reading.nsec / TB_NSEC_PER_SEC),
		.nsec = (u32)(reading.nsec % TB_NSEC_PER_SEC),
		.mono_ns = reading.mono_base + (s64)reading.nsec,
		.instant = instant_from_snsec((s64)reading.xtime_sec, snsec, reading.shift),
	};
}

/* Moves the clock's phase to the line, as of the last tick. The rate is the line's already. */
static void correct_phase(const struct tk_reference *reference, u64 mask, u64 tick_length)
{
	struct tk_correction correction;
	struct tk_state_clock clock;
	struct tk_told told;

	lift_clock_get(&clock);
	told = (struct tk_told){
		.cycle_last = clock.cycle_last,
		.cycle_interval = clock.cycle_interval,
		.mask = mask,
		.sec = clock.xtime_sec,
		.snsec = clock.xtime_nsec,
		.tick_length = tick_length,
		.shift = clock.shift,
		.hz = LIFT_HZ,
	};
	correction = tk_reference_correct(reference, &told);
	if (reference->rule & (TK_PHASE_AT_ONCE | TK_PHASE_LINEAR))
		lift_ntp_slew(correction.time_offset, reference->rule & TK_PHASE_LINEAR);
	else
		lift_ntp_set_offset(correction.time_offset);
	lift_clock_set_error(correction.ntp_error);
	if (correction.step_snsec) {
		s64 sec = clock.xtime_sec;
		u64 snsec = clock.xtime_nsec;

		tk_correction_step(&correction, clock.shift, &sec, &snsec);
		lift_clock_step((u64)sec, snsec, correction.step_mono_ns);
	}
}

static enum tk_error linux_set_reference(u64 now, const struct tk_reference *reference)
{
	struct lift_reference line = {
		.counter = reference->counter,
		.time_sec = (u64)(reference->time >> 64),
		.time_frac_sec = (u64)reference->time,
		.period_frac = reference->period_frac,
		.period_shift = reference->period_shift,
	};
	const u32 slewing = TK_PHASE_AT_ONCE | TK_PHASE_LINEAR;
	struct lift_intervals intervals;
	struct tk_state_clock clock;
	enum tk_error error;
	u64 tick_length;
	int own;

	lift_clock_get(&clock);
	lift_intervals_get(&intervals);
	if (!clock.cycle_interval)
		return TK_EINVAL; /* being recalibrated */
	error = tk_reference_tick(reference, clock.cycle_interval,
				  intervals.raw_interval << (32 - clock.shift), &tick_length);
	if (!error)
		error = tk_reference_check(reference, now, intervals.mask);
	if (error)
		return error;
	own = lift_own_reference(now, &line);
	if (own != LIFT_NO_REFERENCE)
		return own < 0 ? TK_EINVAL : TK_OK;
	if (reference->rule & slewing && !lift_ntp_slew(0, false))
		return TK_ESWITCH;

	if (reference->rule & TK_PHASE_AT_LAST)
		lift_tick(now);
	lift_ntp_follow(tick_length);
	if (!(reference->rule & TK_PHASE_AT_LAST))
		lift_advance(now);
	correct_phase(reference, intervals.mask, tick_length);
	return TK_OK;
}

static enum tk_error linux_add_time_offset(u64 now, s64 offset_ns)
{
	struct tk_state_ntp ntp;

	(void)now;
	if (offset_ns > 500000000 || offset_ns < -500000000)
		return TK_EINVAL;
	/* Below 2^61. */
	lift_ntp_get(&ntp);
	lift_ntp_set_offset(ntp.time_offset + offset_ns * (1LL << 32) / LIFT_HZ);
	return TK_OK;
}

static struct lift_timex timex_in(const struct tk_timex *timex)
{
	return (struct lift_timex){
		.modes = timex->modes,
		.offset = timex->offset,
		.freq = timex->freq,
		.maxerror = timex->maxerror,
		.esterror = timex->esterror,
		.status = timex->status,
		.constant = timex->constant,
		.tick = timex->tick,
		.time_sec = timex->time_sec,
		.time_usec = timex->time_usec,
		.tai = timex->tai,
	};
}

static struct tk_timex timex_out(const struct lift_timex *txc, int state)
{
	return (struct tk_timex){
		.modes = txc->modes,
		.offset = txc->offset,
		.freq = txc->freq,
		.maxerror = txc->maxerror,
		.esterror = txc->esterror,
		.status = txc->status,
		.constant = txc->constant,
		.tick = txc->tick,
		.time_sec = txc->time_sec,
		.time_usec = txc->time_usec,
		.tai = txc->tai,
		.state = state,
		.precision = txc->precision,
		.tolerance = txc->tolerance,
		.ppsfreq = txc->ppsfreq,
		.jitter = txc->jitter,
		.shift = txc->shift,
		.stabil = txc->stabil,
		.jitcnt = txc->jitcnt,
		.calcnt = txc->calcnt,
		.errcnt = txc->errcnt,
		.stbcnt = txc->stbcnt,
	};
}

/* What a kernel's function returned. */
static enum tk_error refusal(int ret)
{
	switch (ret) {
	case -22:
		return TK_EINVAL;
	case -19:
		return TK_ENODEV;
	default:
		return ret < 0 ? TK_EOTHER : TK_OK;
	}
}

static int main_adjtimex(u64 now, u32 id, struct lift_timex *txc)
{
	(void)id;
	return lift_adjtimex(now, txc);
}

static enum tk_error adjtimex(int (*call)(u64 now, u32 id, struct lift_timex *txc), u64 now, u32 id,
			      struct tk_timex *timex)
{
	struct lift_timex txc = timex_in(timex);
	s64 *randomness = &lift_told_counts[TKR_TOLD_RANDOMNESS - TKR_CLOCK_WAS_SET_SEQ];
	const s64 before = *randomness;
	int state = call(now, id, &txc);

	if (state < 0 || state > TK_TIME_ERROR) {
		/* Kernels differ in how much of a refused call they feed to the random numbers. */
		*randomness = before;
		return state < 0 ? refusal(state) : TK_EOTHER;
	}
	*timex = timex_out(&txc, state);
	return TK_OK;
}

static enum tk_error linux_adjtimex(u64 now, struct tk_timex *timex)
{
	return adjtimex(main_adjtimex, now, 0, timex);
}

/* The same of a function that returns 0 where it does not refuse. */
static enum tk_error strict_refusal(int ret)
{
	return ret > 0 ? TK_EOTHER : refusal(ret);
}

static enum tk_error linux_settime(u64 now, s64 sec, u32 nsec)
{
	return strict_refusal(lift_settime(now, sec, nsec));
}

static enum tk_error linux_change_counter(u64 now, const struct tk_counter *next, u64 next_now)
{
	struct lift_counter counter;
	enum tk_error error = counter_of(&counter, next);

	if (error)
		return error;
	if (next->hz < LIFT_HZ)
		return TK_EFREQUENCY;
	return strict_refusal(lift_change_counter(now, &counter, next_now));
}

/*
 * The linker puts this between timekeeping.c and ntp.c (--wrap in build.mk). The accumulation calls
 * it for each second, also in a loop that never ends. Its arguments differ between kernels, but
 * all are integers in the same two registers.
 */
long __real_second_overflow(long first, long second) __attribute__((weak));
long __wrap_second_overflow(long first, long second);
long __wrap_second_overflow(long first, long second)
{
	if (stopped_interval && !seconds_left--)
		__builtin_longjmp(tick_exit, 1);
	if (lift_amid)
		lift_amid_tick();
	return __real_second_overflow(first, second);
}

static void __attribute__((noinline)) stopped_tick(u64 now)
{
	if (endless)
		return;
	if (__builtin_setjmp(tick_exit)) {
		endless = true;
		return;
	}
	seconds_left = ENDLESS_SECONDS;
	lift_tick(now);
}

static void linux_tick(u64 now)
{
	if (stopped_interval || endless)
		stopped_tick(now);
	else
		lift_tick(now);
}

static bool linux_endless(void)
{
	return endless;
}

static enum tk_error linux_recalibrate(u64 now, bool stopped)
{
	struct tk_state_clock clock;

	(void)now;
	lift_clock_get(&clock);
	if (stopped && !stopped_interval) {
		stopped_interval = clock.cycle_interval;
		lift_set_cycle_interval(0);
	} else if (!stopped && stopped_interval) {
		lift_set_cycle_interval(stopped_interval);
		stopped_interval = 0;
	}
	return TK_OK;
}

static enum tk_error linux_hardpps(const struct tk_pulse *pulse)
{
	const struct lift_timespec real = { pulse->real_sec, pulse->real_nsec };
	const struct lift_timespec raw = { pulse->raw_sec, pulse->raw_nsec };

	lift_hardpps(&real, &raw);
	return TK_OK;
}

static void linux_state(struct tk_state *state)
{
	/* Each fills its part of it: the comparison asks for the state after every tick. */
	lift_clock_get((struct tk_state_clock *)state);
	lift_ntp_get((struct tk_state_ntp *)((char *)state + sizeof(struct tk_state_clock)));
}

static void hold_sleep(const struct tk_sleep *sleep)
{
	lift_sleep.persistent = (struct lift_timespec){ .sec = sleep->persistent_sec,
							.nsec = sleep->persistent_nsec };
	lift_sleep.nonstop_ns = sleep->nonstop_ns;
}

static void linux_suspend(u64 now, const struct tk_sleep *sleep)
{
	hold_sleep(sleep);
	lift_suspend(now);
}

static void linux_resume(u64 now, const struct tk_sleep *sleep)
{
	hold_sleep(sleep);
	lift_resume(now);
}

#if LIFT_HAS_AUX
static enum tk_error linux_aux_settime(u64 now, u32 id, s64 sec, u32 nsec)
{
	return strict_refusal(lift_aux_settime(now, id, sec, nsec));
}

static enum tk_error linux_aux_adjtimex(u64 now, u32 id, struct tk_timex *timex)
{
	return adjtimex(lift_aux_adjtimex, now, id, timex);
}

static enum tk_error linux_aux_read(u64 now, u32 id, struct tk_aux_time *time)
{
	struct lift_aux_time lift;

	int ret = lift_aux_read(now, id, &lift);

	if (ret)
		return strict_refusal(ret);
	*time = (struct tk_aux_time){
		.ns = lift.ns,
		.has_snapshot = lift.has_snapshot,
		.snapshot_ns = lift.snapshot_ns,
		.snapshot_raw_ns = lift.snapshot_raw_ns,
	};
	return TK_OK;
}

static void linux_aux_state(u32 id, struct tk_state *state)
{
	struct tk_state_clock clock;
	struct tk_state_ntp ntp;

	lift_aux_clock_get(id, &clock);
	lift_aux_ntp_get(id, &ntp);
	tk_state_join(state, &clock, &ntp);
}

static const struct tk_aux_ops linux_aux = {
	.enable = lift_aux_enable,
	.settime = linux_aux_settime,
	.adjtimex = linux_aux_adjtimex,
	.read = linux_aux_read,
	.state = linux_aux_state,
};
#define LINUX_AUX (&linux_aux)
#else
#define LINUX_AUX NULL
#endif

static const struct tk_identity identity = {
	.core = "linux",
	.kernel = LIFT_KERNEL,
	.revision = LIFT_REVISION,
	.timekeeping_sha256 = LIFT_TIMEKEEPING_SHA256,
	.ntp_sha256 = LIFT_NTP_SHA256,
	.tree = LIFT_TREE,
	.switches = LIFT_SWITCHES,
	.release = LIFT_RELEASE,
	.lacks = (LIFT_HAS_SKEW_DELTA ? 0 : TK_LACKS_SKEW_DELTA) |
		 (LIFT_HAS_TIME_ADJUST_FRAC ? 0 : TK_LACKS_TIME_ADJUST_FRAC),
	.hz = LIFT_HZ,
	.checks = LIFT_HAS_MAX_RAW_DELTA,
};

const struct tk_ops tk_linux = {
	.identity = &identity,
	.init = linux_init,
	.tick = linux_tick,
	.read = linux_read,
	.set_reference = linux_set_reference,
	.published = lift_published,
	.add_time_offset = linux_add_time_offset,
	.adjtimex = linux_adjtimex,
	.settime = linux_settime,
	.change_counter = linux_change_counter,
	.recalibrate = linux_recalibrate,
	.endless = linux_endless,
	.state = linux_state,
	.suspend = linux_suspend,
	.resume = linux_resume,
	.inject_sleep = lift_inject_sleep,
	.warp = lift_warp,
	.hardpps = LIFT_PPS ? linux_hardpps : NULL,
	.aux = LINUX_AUX,
	.readings = lift_readings,
	.live = lift_live,
	.ask = lift_ask,
	.hold_vdso = lift_vdso_hold,
};
