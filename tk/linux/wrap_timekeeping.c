// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Includes a tree's own kernel/time/timekeeping.c unchanged, and adds functions that access its
 * static variables. Compiled with the command that kbuild saved for that file; LIFT_TIMEKEEPING is
 * its path. lift_has.h, which runner/lift/lift.py writes, tells which functions and fields the tree
 * has.
 */
#include "tk/linux/wrap_options.h"
#include LIFT_TIMEKEEPING
#include "lift_has.h"
#include "tk/clocks.h"
#include "tk/linux/lift.h"

static_assert(sizeof(struct timespec64) == sizeof(struct lift_timespec), "struct timespec64");

struct lift_source {
	struct clocksource clocksource;
	u64 now;
};

#define LIFT_SOURCE_ID (CSID_MAX - 1)

/* Two: change_clocksource() reads the old counter and the new one. */
static struct lift_source lift_sources[2];
static unsigned int lift_current;

/* Called once, when the counter is read next: something that happens in the middle of a read. */
static void (*lift_when_read)(void);

/* The counter itself, in place of a value that is held; NULL: a value is held. */
static u64 (*lift_live_counter)(void *context);
static void *lift_live_context;

static u64 lift_source_read(struct clocksource *clocksource)
{
	void (*happen)(void) = lift_when_read;

	if (lift_live_counter)
		return lift_live_counter(lift_live_context);

	if (unlikely(happen)) {
		lift_when_read = NULL;
		happen();
	}
	return container_of(clocksource, struct lift_source, clocksource)->now;
}

#if LIFT_HAS_MAX_RAW_DELTA
static void lift_set_max_raw_delta(struct clocksource *cs)
{
	cs->max_raw_delta = (cs->mask >> 1) + (cs->mask >> 2) + (cs->mask >> 3);
}
#else
static void lift_set_max_raw_delta(struct clocksource *cs)
{
}
#endif

#if LIFT_HAS_EXPIRY_TO_CYCLES
#define LIFT_COUPLED CLOCK_SOURCE_HAS_COUPLED_CLOCK_EVENT
#else
#define LIFT_COUPLED 0
#endif

static int lift_source_enable(struct clocksource *clocksource)
{
	lift_told_counts[TKR_TOLD_ENABLED - TKR_CLOCK_WAS_SET_SEQ]++;
	return 0;
}

static void lift_source_disable(struct clocksource *clocksource)
{
	lift_told_counts[TKR_TOLD_DISABLED - TKR_CLOCK_WAS_SET_SEQ]++;
}

/* The kernel's frequency fields, where a tree has them, and the clock that the source counts. */
static u32 lift_khz;
#if LIFT_HAS_BASE_CLOCK
#define LIFT_BASE_ID (CSID_MAX - 2)
static struct clocksource_base lift_base = {
	.id = LIFT_BASE_ID,
	.offset = TK_BASE_OFFSET,
	.numerator = TK_BASE_NUMERATOR,
	.denominator = TK_BASE_DENOMINATOR,
};

static void lift_set_base(struct clocksource *cs)
{
	cs->freq_khz = lift_khz;
	cs->base = &lift_base;
}
#else
static void lift_set_base(struct clocksource *cs)
{
}
#endif

static void lift_source_set(struct lift_source *source, const struct lift_counter *counter, u64 now)
{
	struct clocksource *cs = &source->clocksource;

	cs->name = "tickbench";
	cs->read = lift_source_read;
	cs->mask = counter->mask;
	cs->mult = counter->mult;
	cs->shift = counter->shift;
	cs->maxadj = counter->maxadj;
	cs->max_cycles = counter->max_cycles;
	cs->flags = CLOCK_SOURCE_IS_CONTINUOUS | CLOCK_SOURCE_VALID_FOR_HRES | LIFT_COUPLED;
	cs->enable = lift_source_enable;
	cs->disable = lift_source_disable;
	/* Not CSID_GENERIC, which timekeeping_set_reference() refuses. */
	cs->id = LIFT_SOURCE_ID;
	cs->vdso_clock_mode = VDSO_CLOCKMODE_TICKBENCH;
	cs->max_idle_ns = counter->max_idle_ns;
	lift_khz = counter->khz;
	lift_set_base(cs);
	lift_set_max_raw_delta(cs);
	source->now = now;
}

/*
 * The kernel keeps two copies of its state. A change is made in one; publishing makes them equal.
 */
#if LIFT_HAS_UPDATE_FROM_SHADOW
static struct timekeeper *lift_timekeeper(void)
{
	return &tk_core.shadow_timekeeper;
}

static void lift_publish(unsigned int action)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tk_core.lock, flags);
	timekeeping_update_from_shadow(&tk_core, action);
	raw_spin_unlock_irqrestore(&tk_core.lock, flags);
}

static void lift_set_interval(u64 cycles)
{
	tk_core.shadow_timekeeper.cycle_interval = cycles;
	tk_core.timekeeper.cycle_interval = cycles;
}
#else
static struct timekeeper *lift_timekeeper(void)
{
	return &tk_core.timekeeper;
}

static void lift_publish(unsigned int action)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&timekeeper_lock, flags);
	write_seqcount_begin(&tk_core.seq);
	timekeeping_update(&tk_core.timekeeper, action | TK_MIRROR);
	write_seqcount_end(&tk_core.seq);
	raw_spin_unlock_irqrestore(&timekeeper_lock, flags);
}

static void lift_set_interval(u64 cycles)
{
	shadow_timekeeper.cycle_interval = cycles;
	tk_core.timekeeper.cycle_interval = cycles;
}
#endif

#if LIFT_HAS_COARSE_NSEC
static void lift_update_coarse(struct timekeeper *tk)
{
	tk_update_coarse_nsecs(tk);
}
#else
static void lift_update_coarse(struct timekeeper *tk)
{
}
#endif

static void lift_hold(u64 now)
{
	lift_sources[lift_current].now = now;
}

unsigned long long lift_counter_now(void);
unsigned long long lift_counter_now(void)
{
	return lift_live_counter ? lift_live_counter(lift_live_context)
				 : lift_sources[lift_current].now;
}

struct clocksource *clocksource_default_clock(void)
{
	return &lift_sources[0].clocksource;
}

#include "tk/linux/wrap_inside.h"
#include "tk/linux/wrap_snapshot.h"
#include "tk/linux/wrap_clocks.h"

#if LIFT_HAS_AUX
/*
 * tk_aux_sysfs_init(), an initcall: a folder with a file for each clock. And where the k-th of all
 * folders and files cannot be made, for every k, it leaves nothing behind and says so.
 */
static s64 lift_make_sysfs(u32 fails_in)
{
	lift_sysfs = (struct lift_sysfs){ .fails_in = fails_in };
	return tk_aux_sysfs_init();
}

static void lift_aux_boot(void)
{
	static const u32 all = 2 + 2 * MAX_AUX_CLOCKS;
	u32 k;

	for (k = 1; k <= all; k++) {
		s64 status = lift_make_sysfs(k);

		lift_aux_sysfs += status != -ENOMEM || lift_sysfs.files;
		lift_aux_sysfs += lift_sysfs.folders != 0;
	}
	lift_aux_sysfs = lift_aux_sysfs * 1000000 + lift_make_sysfs(0) * 10000;
	lift_aux_sysfs += lift_sysfs.folders * 100 + lift_sysfs.files;
	lift_aux_names = lift_sysfs.names;
}
#else
static void lift_aux_boot(void)
{
}
#endif

void lift_start(const struct lift_counter *counter, u64 now)
{
	lift_source_set(&lift_sources[0], counter, now);
	lift_early_boot();
	timekeeping_init();
	lift_init_ops = timekeeping_init_ops();
	lift_refused_boot();
	lift_aux_boot();
	lift_listen();
}

void lift_tick(u64 now)
{
	lift_hold(now);
	if (unlikely(lift_watch_wanted))
		lift_watched_tick();
	else
		update_wall_time();
}

void lift_advance(u64 now)
{
	lift_hold(now);
	timekeeping_advance(TK_ADV_FREQ);
}

/* A counter behind cycle_last is one that is too far ahead to be converted, and has the top bit. */
static u64 lift_delta(const struct tk_read_base *tkr, u64 counter)
{
	u64 delta = (counter - tkr->cycle_last) & tkr->mask;

	return delta > tkr->clock->max_cycles && delta & ~(tkr->mask >> 1) ? 0 : delta;
}

void lift_read(u64 (*counter)(void *context), void *context, struct lift_reading *reading)
{
	const struct timekeeper *tk = &tk_core.timekeeper;
	const struct tk_read_base *tkr = &tk->tkr_mono;
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&tk_core.seq);
		reading->counter = counter(context);
		reading->delta = lift_delta(tkr, reading->counter);
		reading->nsec = timekeeping_cycles_to_ns(tkr, reading->counter);
		reading->mono_base = ktime_to_ns(tkr->base);
		reading->xtime_sec = tk->xtime_sec;
		reading->xtime_nsec = tkr->xtime_nsec;
		reading->mask = tkr->mask;
		reading->mult = tkr->mult;
		reading->shift = tkr->shift;
	} while (read_seqcount_retry(&tk_core.seq, seq));
}

static void lift_clock_of(const struct timekeeper *tk, struct tk_state_clock *clock)
{
	*clock = (struct tk_state_clock){
		.cycle_last = tk->tkr_mono.cycle_last,
		.cycle_interval = tk->cycle_interval,
		.xtime_interval = tk->xtime_interval,
		.xtime_sec = tk->xtime_sec,
		.xtime_nsec = tk->tkr_mono.xtime_nsec,
		.raw_sec = tk->raw_sec,
		.raw_nsec = tk->tkr_raw.xtime_nsec,
		.wall_to_monotonic = { tk->wall_to_monotonic.tv_sec,
				       tk->wall_to_monotonic.tv_nsec },
		.ntp_tick = tk->ntp_tick,
		.ntp_error = tk->ntp_error,
		.mult = tk->tkr_mono.mult,
		.shift = tk->tkr_mono.shift,
		.ntp_error_shift = tk->ntp_error_shift,
		.ntp_err_mult = tk->ntp_err_mult,
		.skip_second_overflow = tk->skip_second_overflow,
		.tai_offset = tk->tai_offset,
	};
}

void lift_clock_get(struct tk_state_clock *clock)
{
	lift_clock_of(&tk_core.timekeeper, clock);
}

void lift_intervals_get(struct lift_intervals *intervals)
{
	const struct timekeeper *tk = &tk_core.timekeeper;

	*intervals = (struct lift_intervals){ tk->raw_interval, tk->tkr_mono.mask };
}

void lift_clock_step(u64 xtime_sec, u64 xtime_nsec, s64 mono_ns)
{
	struct timekeeper *tk = lift_timekeeper();
	struct timespec64 wtm = tk->wall_to_monotonic;

	tk->xtime_sec = xtime_sec;
	tk->tkr_mono.xtime_nsec = xtime_nsec;
	lift_update_coarse(tk);
	tk_set_wall_to_mono(tk, timespec64_sub(wtm, ns_to_timespec64(mono_ns)));
	lift_publish(TK_CLOCK_WAS_SET);
}

void lift_clock_set_error(s64 ntp_error)
{
	lift_timekeeper()->ntp_error = ntp_error;
	lift_publish(0);
}

static int lift_do_settime(void *ts)
{
	return do_settimeofday64(ts);
}

int lift_settime(u64 now, s64 sec, u32 nsec)
{
	struct timespec64 ts = { .tv_sec = sec, .tv_nsec = nsec };

	lift_hold(now);
	return lift_watched_set(lift_do_settime, &ts);
}

#include "tk/linux/wrap_adjust.h"
#include "tk/linux/wrap_suspend.h"
#if LIFT_HAS_AUX
#include "tk/linux/wrap_aux.h"
#endif

int lift_change_counter(u64 now, const struct lift_counter *next, u64 next_now)
{
	lift_hold(now);
	lift_current = !lift_current;
	lift_source_set(&lift_sources[lift_current], next, next_now);
	return timekeeping_notify(&lift_sources[lift_current].clocksource);
}

void lift_set_cycle_interval(u64 cycles)
{
	lift_set_interval(cycles);
}

/* The first version of the series takes the tick's length from the caller. */
#if LIFT_HAS_REFERENCE_CYCLES
#define lift_reference_set_cycles(ref) ((ref)->cycle_interval = lift_timekeeper()->cycle_interval)
#else
#define lift_reference_set_cycles(ref) ((void)(ref))
#endif

#if LIFT_HAS_SET_REFERENCE
int lift_own_reference(u64 now, const struct lift_reference *reference)
{
	struct tk_reference ref = {
		.cs_id = lift_sources[lift_current].clocksource.id,
		.counter_value = reference->counter,
		.time_sec = reference->time_sec,
		.time_frac_sec = reference->time_frac_sec,
		.period_frac_sec = reference->period_frac,
		.period_shift = reference->period_shift,
	};

	lift_forget_history();
	lift_reference_set_cycles(&ref);
	lift_hold(now);
	return timekeeping_set_reference(&ref);
}
#else
int lift_own_reference(u64 now, const struct lift_reference *reference)
{
	lift_forget_history();
	return LIFT_NO_REFERENCE;
}
#endif
