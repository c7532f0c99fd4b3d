// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What claims are held to, derived from the algorithm, and how one is made: its sentence, and,
 * where it fails, the switches that it rests on and the core lacks.
 */
#include "lib/string.h"
#include "scenario/scenario.h"

#define UNITS_FS      5000 /* 5 ps: tick lengths and the told time come in units, each below 1 ps */
#define DRIFT_FS      1000 /* 0.001 ns/s */
#define DEVIATIONS    3
#define ACCOUNT_EVERY 61 /* samples: a prime, so that no pattern of ticks hides from it */

static s64 magnitude(s64 x)
{
	return x < 0 ? -x : x;
}

static const char *const missing[] = {
	"remainder: what a tick of whole cycles cannot hold is lost with every tick",
	"clawback: mult was changed in mid-tick and ntp_error was not told",
	"tail: the last rest of time_offset is never delivered",
	"divzero: a tick while cycle_interval is 0 is not let pass",
	"reference: the core cannot take the page's line, only time and rate by hand",
	"feed: nobody hands the page's changes to the core",
	"skew: what a second delivers is not what is taken off time_offset and adjtime",
};

bool bench_claim(struct bench *bench, bool ok, const char *sentence, u32 rests_on)
{
	/* A lifted core that cannot follow a line is given our way to. */
	const u32 given = bench->tk == &tk_native ? 0 : TK_REFERENCE | TK_FEED;
	const u32 lacks = ok ? 0 : rests_on & ~(bench->switches | given | bench->named);

	for (u32 i = 0; i < TB_ARRAY_SIZE(missing); i++)
		if (lacks & 1U << i)
			ktap_note(bench->ktap, "missing: %s", missing[i]);
	bench->named |= lacks;
	return ktap_report(bench->ktap, ok, sentence);
}

s64 bench_step_fs(const struct bench *bench)
{
	struct tk_state state;

	bench->tk->state(&state);
	return (s64)(((u128)state.cycle_interval * TB_FSEC_PER_NSEC) >> state.shift);
}

s64 bench_bound_fs(const struct bench *bench)
{
	return bench_step_fs(bench) + UNITS_FS;
}

/*
 * Mult stays for as long as no tick comes, one step off at most: so a step over the longest time
 * between two ticks is what may gather. A late tick judges by the error at the last whole tick, up
 * to a tick earlier: by so much of a step it may judge wrongly.
 */
s64 bench_stray_fs(const struct bench *bench)
{
	const u64 late = bench->tick.late_max_cycles > bench->late_before_cycles
				 ? bench->tick.late_max_cycles
				 : bench->late_before_cycles;
	struct tk_state state;
	u64 cycles;

	bench->tk->state(&state);
	cycles = bench->tick.gap_max_cycles > bench->gap_before_cycles ? bench->tick.gap_max_cycles
								       : bench->gap_before_cycles;
	if (cycles < state.cycle_interval)
		cycles = state.cycle_interval;
	cycles += late < state.cycle_interval ? late : state.cycle_interval;
	return (s64)(((u128)cycles * TB_FSEC_PER_NSEC) >> state.shift) + UNITS_FS;
}

/*
 * Three standard errors of the slope; at least 0.001 ns/s; and at least what an error that stays
 * within a band one stray wide can lean over the window T. Of all that do, the one that is low in
 * the first half and high in the second leans most: by 1.5 band / T.
 */
s64 bench_drift_bound_fs(const struct bench *bench)
{
	const u64 hz = bench->vehicle->counter.hz;
	s64 bound = DRIFT_FS, lean, noise;

	lean = (s64)div_s128((s128)bench_stray_fs(bench) * 3 * 1000000,
			     2 * (u64)(bench->stats->last_us > 0 ? bench->stats->last_us : 1));
	noise = DEVIATIONS * stats_drift_error_fs_per_s(bench->stats, hz, bench->scratch);
	if (lean > bound)
		bound = lean;
	return noise > bound ? noise : bound;
}

bool bench_claim_drift(struct bench *bench, u32 rests_on)
{
	const s64 drift_fs = stats_drift_fs_per_s(bench->stats);
	const s64 bound_fs = bench_drift_bound_fs(bench);

	ktap_metric(bench->ktap, "drift_bound_ns_per_s", bound_fs, 6, 6, "ns/s");
	return bench_claim(bench, magnitude(drift_fs) < bound_fs,
			   "it does not drift: less than 0.001 ns/s, or than a short run can tell",
			   rests_on);
}

/*
 * What the core's own account makes of the error at `counter`: told time, plus ntp_error, plus the
 * phase still to be slewed, less the line, fs. With the tick held off. Of a tick under way, its
 * share of the tick length is due, and what mult makes of it is told.
 */
static s64 account_fs(const struct bench *bench, u64 counter, s64 error_fs)
{
	struct tk_state state;
	u64 off;
	s128 owed, due;

	bench->tk->state(&state);
	off = (counter - state.cycle_last) & bench->vehicle->counter.mask;
	if (!state.cycle_interval)
		return 0; /* being recalibrated: no tick has a length */
	/* 2^63 cycles of a tick's 2^56 at most: a part of a tick beside whole ones. */
	due = (s128)(off / state.cycle_interval) * state.ntp_tick +
	      (s128)div_u128((u128)(off % state.cycle_interval) * state.ntp_tick,
			     state.cycle_interval, NULL);
	owed = state.ntp_error + due - (s128)(((u128)off * state.mult) << (32 - state.shift));
	owed += (s128)state.time_offset * bench->params->hz;
	owed += (s128)state.time_adjust * 1000 * ((s128)1 << 32) + state.time_adjust_frac;
	/* ns * 2^32, below 2^64 or so: to fs. */
	return error_fs + (s64)((owed * (s64)TB_FSEC_PER_NSEC) >> 32);
}

void bench_account_sample(struct bench *bench, u64 counter, s64 error_fs)
{
	s64 off_fs;

	if (!bench->vehicle->is_virtual || bench->stats->count % ACCOUNT_EVERY)
		return;
	off_fs = magnitude(account_fs(bench, counter, error_fs));
	if (off_fs > bench->account_max_fs)
		bench->account_max_fs = off_fs;
}

bool bench_claim_account(struct bench *bench, u32 rests_on)
{
	bench_metric_ns(bench, "account_max_ns", bench->account_max_fs);
	return bench_claim(bench, bench->account_max_fs <= UNITS_FS,
			   "what it owes by its own account brings it onto the line, within 5 ps",
			   rests_on);
}

/* Late or skipped ticks, or ticks on time: what holds of all of them on the virtual clock. */
void bench_claim_stays(struct bench *bench, u32 rests_on)
{
	const struct stats *stats = bench->stats;
	const s64 stray_fs = bench_stray_fs(bench);

	bench_metric_ns(bench, "stray_bound_ns", stray_fs);
	bench_claim(bench, stats->max_abs_fs <= stray_fs,
		    "it stays within one mult step over the longest time between two ticks",
		    rests_on);
	bench_claim(bench, magnitude(stats_mean_fs(stats)) <= stray_fs,
		    "in the mean it is no further from the line than that", rests_on);
	bench_claim_account(bench, rests_on);
	bench_claim_drift(bench, rests_on);
}
