// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bounds of claims, derived from the algorithm, and how a claim is reported: its sentence and,
 * if it fails, the switches that it depends on and that the core lacks.
 */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/measure.h"

#define UNITS_FS      5000 /* 5 ps: tick lengths and readings are rounded to units, each below 1 ps */
#define DRIFT_FS      1000 /* 0.001 ns/s */
#define DEVIATIONS    3
#define ACCOUNT_EVERY 61 /* a prime, to avoid patterns of ticks */

static const char *const missing[] = {
	"remainder: what a tick of whole cycles cannot hold is lost with every tick",
	"clawback: mult was changed in mid-tick and ntp_error was not told",
	"tail: the last rest of time_offset is never delivered",
	"divzero: a tick while cycle_interval is 0 is not skipped",
	"reference: the core cannot take the page's line, only time and rate by hand",
	"feed: nobody hands the page's changes to the core",
	"skew: what a second delivers is not what is taken off time_offset and adjtime",
};

/* A claim that rests on a fix which no release has says of a lifted core what is known. */
static bool known_to_fail(const struct run *run, u32 rests_on)
{
	return run->tk != &tk_native && rests_on == TK_DIVZERO && !(run->switches & TK_DIVZERO);
}

bool run_claim(struct run *run, bool ok, const char *sentence, u32 rests_on)
{
	/* A lifted core that cannot follow a line gets this code's reference and feed. */
	const u32 given = run->tk == &tk_native ? 0 : TK_REFERENCE | TK_FEED;
	const u32 lacks = ok ? 0 : rests_on & ~(run->switches | given | run->named);

	for (u32 i = 0; i < TB_ARRAY_SIZE(missing); i++)
		if (lacks & 1U << i)
			ktap_note(run->ktap, "missing: %s", missing[i]);
	run->named |= lacks;
	if (!ok && run->params->known && rests_on & ~(run->switches | given)) {
		ktap_todo(run->ktap, sentence, "the core lacks a switch that it rests on");
		return false;
	}
	if (!ok && known_to_fail(run, rests_on)) {
		ktap_todo(run->ktap, sentence, "no released kernel has divzero");
		return false;
	}
	return ktap_report(run->ktap, ok, sentence);
}

s64 run_bound_fs(const struct run *run)
{
	return run_step_fs(run) + UNITS_FS;
}

/*
 * `mult` does not change until a tick comes, and is at most one step off. So an error of one step
 * over the longest time between two ticks may accumulate. A late tick chooses `mult` by the error
 * at the last whole tick, up to a tick earlier, which adds at most the step over that time.
 */
s64 run_stray_fs(const struct run *run)
{
	const u64 late = run->ticker.stats.late_max_cycles > run->late_before_cycles
				 ? run->ticker.stats.late_max_cycles
				 : run->late_before_cycles;
	struct tk_state state;
	u64 cycles;

	run->tk->state(&state);
	cycles = run->ticker.stats.gap_max_cycles > run->gap_before_cycles
			 ? run->ticker.stats.gap_max_cycles
			 : run->gap_before_cycles;
	if (cycles < state.cycle_interval)
		cycles = state.cycle_interval;
	cycles += late < state.cycle_interval ? late : state.cycle_interval;
	return (s64)(((u128)cycles * TB_FSEC_PER_NSEC) >> state.shift) + UNITS_FS;
}

/* 1.5 band / T, of an error that is low in the first half and high in the second. */
s64 run_slope_fs(const struct run *run, s64 band_fs)
{
	return (s64)div_s128((s128)band_fs * 3 * 1000000,
			     2 * (u64)(run->stats->last_us > 0 ? run->stats->last_us : 1));
}

/*
 * The bound is the largest of three: three standard errors of the slope; 0.001 ns/s; and the
 * largest slope of an error that stays within a band as wide as run_stray_fs().
 */
s64 run_drift_bound_fs(const struct run *run)
{
	const u64 hz = run->clock->counter.hz;
	s64 bound = DRIFT_FS, lean, noise;

	lean = run_slope_fs(run, run_stray_fs(run));
	noise = DEVIATIONS * stats_drift_error_fs_per_s(run->stats, hz, run->scratch);
	if (lean > bound)
		bound = lean;
	return noise > bound ? noise : bound;
}

bool run_claim_drift(struct run *run, u32 rests_on)
{
	const s64 drift_fs = stats_drift_fs_per_s(run->stats);
	const s64 bound_fs = run_drift_bound_fs(run);

	ktap_metric(run->ktap, "drift_bound_ns_per_s", bound_fs, 6, 6, "ns/s");
	return run_claim(run, magnitude(drift_fs) < bound_fs,
			 "it does not drift: less than 0.001 ns/s, or than a short run can tell",
			 rests_on);
}

/*
 * The core's error at `counter` with the corrections that its state still holds, fs: its time, plus
 * ntp_error, plus the phase still to be slewed, less the line. Called with the tick disabled.
 * ntp_error is as of the last tick: the intended length of the `off` cycles since then is added to
 * it, and the length by `mult` is subtracted.
 */
static s64 account_fs(const struct run *run, u64 counter, s64 error_fs)
{
	struct tk_state state;
	u64 off;
	s128 owed, due;

	run->tk->state(&state);
	off = (counter - state.cycle_last) & run->clock->counter.mask;
	if (!state.cycle_interval)
		return 0; /* being recalibrated: a tick has no length */
	/*
	 * Whole ticks and the part of a tick are multiplied separately, so that neither product
	 * overflows.
	 */
	due = (s128)(off / state.cycle_interval) * state.ntp_tick +
	      (s128)div_u128((u128)(off % state.cycle_interval) * state.ntp_tick,
			     state.cycle_interval, NULL);
	owed = state.ntp_error + due - (s128)(((u128)off * state.mult) << (32 - state.shift));
	owed += (s128)state.time_offset * run->params->hz;
	owed += (s128)state.time_adjust * 1000 * ((s128)1 << 32) + state.time_adjust_frac;
	/* ns * 2^32, below 2^64 or so: to fs. */
	return error_fs + (s64)((owed * (s64)TB_FSEC_PER_NSEC) >> 32);
}

void run_account_sample(struct run *run, u64 counter, s64 error_fs)
{
	s64 off_fs;

	if (!run->clock->is_virtual || run->stats->count % ACCOUNT_EVERY)
		return;
	off_fs = magnitude(account_fs(run, counter, error_fs));
	if (off_fs > run->account_max_fs)
		run->account_max_fs = off_fs;
}

bool run_claim_account(struct run *run, u32 rests_on)
{
	run_metric_ns(run, "account_max_ns", run->account_max_fs);
	return run_claim(
		run, run->account_max_fs <= UNITS_FS,
		"the time plus the corrections that are still due is on the line, within 5 ps",
		rests_on);
}

/* The claims that hold on the virtual clock for ticks on time, late and skipped ones. */
void run_claim_stays(struct run *run, u32 rests_on)
{
	const struct stats *stats = run->stats;
	const s64 stray_fs = run_stray_fs(run);

	run_metric_ns(run, "stray_bound_ns", stray_fs);
	run_claim(run, stats->max_abs_fs <= stray_fs,
		  "it stays within one mult step over the longest time between two ticks",
		  rests_on);
	run_claim(run, magnitude(stats_mean_fs(stats)) <= stray_fs,
		  "its mean error stays within that bound too", rests_on);
	run_claim_account(run, rests_on);
	run_claim_drift(run, rests_on);
}
