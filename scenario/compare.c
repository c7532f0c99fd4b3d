// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: the locked core keeps the line's rate, where the counter's nominal frequency and the
 * undisciplined core do not. Three clocks against one line: drift in ppb, and the error after t.
 */
#include "lib/math.h"
#include "scenario/list.h"

#define DRIFT_FS 1000000 /* 1 ns/s: 1 ppb */
#define RESTS_ON (TK_REMAINDER | TK_REFERENCE | TK_FEED)

/* fs of error over ms of time, in 10^-6 ppb. */
static s64 ppb_of(s64 error_fs, u64 ms)
{
	return (s64)div_s128((s128)error_fs * 1000, ms);
}

/*
 * A core that follows nothing runs at the mult that its counter was registered with: what a tick of
 * whole cycles is off 1/HZ is no rate (cs_tick_adj, or xtime_remainder, is there to take it out).
 * That the NTP code counts a tick in whole nanoseconds is one, (10^9 mod HZ) ns a second at most;
 * units below 2^-32 ns a tick stay far below 0.001 ns/s. Either end may be a stray off.
 */
static void claim_free_rate(struct run *run, u64 cycles, instant nominal, s64 off_nominal_fs)
{
	const u64 per_second_fs = 1000 + TB_NSEC_PER_SEC % run->params->hz * TB_FSEC_PER_NSEC;
	struct tk_conversion conversion;
	s64 off_fs, bound_fs;
	instant by_mult;

	tk_conversion_init(&conversion, &run->clock->counter); /* the core has taken it */
	by_mult = instant_from_snsec(0, (u128)cycles * conversion.mult, conversion.shift);
	off_fs = off_nominal_fs - instant_to_fsec(by_mult - nominal);
	bound_fs = run_stray_fs(run) + (s64)((u128)(nominal >> 32) * per_second_fs >> 32);
	run_metric_ns(run, "free_off_mult_ns", off_fs);
	run_metric_ns(run, "free_off_mult_bound_ns", bound_fs);
	run_claim(run, off_fs <= bound_fs && off_fs >= -bound_fs,
		  "left alone, the core runs at the rate of its counter's mult", 0);
}

/*
 * Skipped and late ticks make the error stray by run_stray_fs(). In a short window that alone has a
 * slope, so the bound is then the one of every claim on a drift. On the real clock the line moves
 * under the core as well: the core slews after it, so the error stays within a band that is wider
 * by all of these moves.
 */
static void claim_locked_rate(struct run *run)
{
	const s64 drift_fs = stats_drift_fs_per_s(run->stats);
	s64 bound_fs = run_drift_bound_fs(run);

	if (!run->clock->is_virtual)
		bound_fs += run_slope_fs(run, (s64)run->moved_fs);
	if (bound_fs < DRIFT_FS)
		bound_fs = DRIFT_FS;
	ktap_metric(run->ktap, "locked_drift_bound_ppb", bound_fs, 6, 3, "ppb");
	run_claim(run, magnitude(drift_fs) < bound_fs,
		  "the locked core drifts less than 1 ppb from the line, or than a short run can "
		  "tell",
		  RESTS_ON);
}

/* kvmclock at both ends of the free core's time. */
struct kvmclock {
	bool there;
	instant begin, end;
};

static bool kvmclock_at(const struct run *run, u64 counter, instant *time)
{
	return run->clock->kvmclock.at && run->clock->kvmclock.at(counter, time);
}

/* What kvmclock gained on the page, whose time went on by `page`; or why there is no such figure.
 */
static void report_kvmclock(struct run *run, const struct kvmclock *kvm, instant page, u64 ms)
{
	s64 error_fs;

	if (!kvm->there) {
		if (run->clock->kvmclock.none)
			ktap_note(run->ktap, "kvmclock: %s", run->clock->kvmclock.none);
		else if (run->clock->kvmclock.at)
			ktap_note(run->ktap, "kvmclock: KVM did not write it");
		return;
	}
	error_fs = instant_to_fsec(kvm->end - kvm->begin - page);
	ktap_metric(run->ktap, "kvmclock_drift_ppb", ppb_of(error_fs, ms), 6, 3, "ppb");
	run_metric_ns(run, "kvmclock_error_ns", error_fs);
}

static void compare_run(struct run *run)
{
	const struct clock *clock = run->clock;
	const u64 half_ms = run->params->duration_ms / 2;
	const u64 hz = tk_counter_registered_hz(&clock->counter);
	s64 nominal_fs, begin_fs, free_fs;
	u64 from, cycles;
	struct kvmclock kvm;
	u128 rest;
	instant told, page;

	if (!run_start_core(run))
		return;
	run_ticks_start(run);

	/* Measures the undisciplined core, and the counter at its nominal frequency. */
	run_window(run);
	from = clock->now(clock->context);
	kvm.there = kvmclock_at(run, from, &kvm.begin);
	begin_fs = run_error_fs(run);
	run_ms(run, half_ms);
	free_fs = run_error_fs(run) - begin_fs;
	cycles = clock->now(clock->context) - from;
	told = (instant)div_u128((u128)(cycles % hz) << 64, hz, &rest) +
	       ((instant)(cycles / hz) << 64);
	page = vmclock_utc_at(&run->line, from + cycles) - vmclock_utc_at(&run->line, from);
	nominal_fs = instant_to_fsec(told - page);
	kvm.there = kvm.there && kvmclock_at(run, from + cycles, &kvm.end);
	ktap_metric(run->ktap, "compared_s", half_ms, 3, 3, "s");
	ktap_metric(run->ktap, "counter_drift_ppb", ppb_of(nominal_fs, half_ms), 6, 3, "ppb");
	run_metric_ns(run, "counter_error_ns", nominal_fs);
	ktap_metric(run->ktap, "free_drift_ppb", ppb_of(free_fs, half_ms), 6, 3, "ppb");
	run_metric_ns(run, "free_error_ns", free_fs);
	report_kvmclock(run, &kvm, page, half_ms);
	if (clock->is_virtual)
		claim_free_rate(run, cycles, told, free_fs - nominal_fs);

	if (!run_follow(run, true)) {
		run_ticks_stop(run);
		return;
	}
	run_window(run);
	run_ms(run, half_ms);
	run_ticks_stop(run);
	ktap_metric(run->ktap, "locked_drift_ppb", stats_drift_fs_per_s(run->stats), 6, 3, "ppb");
	run_metric_ns(run, "locked_error_ns", run->last_error_fs);
	run_metrics(run);
	claim_locked_rate(run);
	if (clock->is_virtual)
		run_claim(run, run->stats->max_abs_fs <= run_stray_fs(run),
			  "the locked core stays on the line, within a mult step over a tick",
			  RESTS_ON);
	run_claim_sane(run);
}

const struct scenario scenario_compare = {
	.name = "compare",
	.claim = "the locked core keeps the line's rate",
	.needs = { .page = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 200000, [CLOCK_TSC] = 6000 },
	.run = compare_run,
};
