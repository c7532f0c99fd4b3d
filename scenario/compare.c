// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: the locked core keeps the line's rate, where the counter's nominal frequency and the
 * undisciplined core do not. Three clocks against one line: drift in ppb, and the error after t.
 */
#include "scenario/list.h"

#define DRIFT_FS 1000000 /* 1 ns/s: 1 ppb */

/* fs of error over ms of time, in 10^-6 ppb. */
static s64 ppb_of(s64 error_fs, u64 ms)
{
	return (s64)div_s128((s128)error_fs * 1000, ms);
}

static void compare_run(struct bench *bench)
{
	const struct vehicle *vehicle = bench->vehicle;
	const u64 half_ms = bench->params->duration_ms / 2;
	const u64 hz = tk_counter_registered_hz(&vehicle->counter);
	s64 nominal_fs, begin_fs, free_fs, drift_fs;
	u64 from, cycles;
	u128 rest;
	instant told;

	if (!bench_start_core(bench))
		return;
	vehicle->ticks_start(bench);

	/* Undisciplined, and beside it the bare counter at its nominal frequency. */
	bench_window(bench);
	from = vehicle->now(vehicle->context);
	begin_fs = bench_error_fs(bench);
	bench_run_ms(bench, half_ms);
	free_fs = bench_error_fs(bench) - begin_fs;
	cycles = vehicle->now(vehicle->context) - from;
	told = (instant)div_u128((u128)(cycles % hz) << 64, hz, &rest) +
	       ((instant)(cycles / hz) << 64);
	nominal_fs = instant_to_fsec(told - (vmclock_utc_at(&bench->line, from + cycles) -
					     vmclock_utc_at(&bench->line, from)));
	ktap_metric(bench->ktap, "compared_s", half_ms, 3, 3, "s");
	ktap_metric(bench->ktap, "counter_drift_ppb", ppb_of(nominal_fs, half_ms), 6, 3, "ppb");
	bench_metric_ns(bench, "counter_error_ns", nominal_fs);
	ktap_metric(bench->ktap, "free_drift_ppb", ppb_of(free_fs, half_ms), 6, 3, "ppb");
	bench_metric_ns(bench, "free_error_ns", free_fs);

	if (!bench_follow(bench, true)) {
		vehicle->ticks_stop(bench);
		return;
	}
	bench_window(bench);
	bench_run_ms(bench, half_ms);
	vehicle->ticks_stop(bench);
	drift_fs = stats_drift_fs_per_s(bench->stats);
	ktap_metric(bench->ktap, "locked_drift_ppb", drift_fs, 6, 3, "ppb");
	bench_metric_ns(bench, "locked_error_ns", bench->last_error_fs);
	bench_metrics(bench);
	ktap_report(bench->ktap, drift_fs < DRIFT_FS && drift_fs > -DRIFT_FS,
		    "the locked core drifts less than 1 ppb from the line");
	bench_claim_sane(bench);
}

const struct scenario scenario_compare = {
	.name = "compare",
	.claim = "the locked core keeps the line's rate",
	.needs_page = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 200000, [CLOCK_TSC] = 6000 },
	.run = compare_run,
};
