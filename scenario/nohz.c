// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core whose ticks are mostly skipped, as an idle machine's are, still does not drift from
 * the line, and strays from it by no more than one step of mult over its longest idle.
 */
#include "scenario/list.h"

#define DRIFT_FS 10000 /* 0.01 ns/s: a tenth of the ticks, with tenfold the swing */

static void measure(struct bench *bench)
{
	struct vehicle *vehicle = bench->vehicle;
	s64 drift_fs, bound_fs;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	bench_window(bench);
	bench_run_ms(bench, bench->params->duration_ms);
	vehicle->ticks_stop(bench);

	bench_metrics(bench);
	ktap_metric(bench->ktap, "longest_idle_ticks", (s128)bench->tick.longest_idle, 0, 0,
		    "ticks");
	drift_fs = stats_drift_fs_per_s(bench->stats);
	bound_fs = bench_drift_bound_fs(bench, DRIFT_FS);
	if (vehicle->is_virtual) {
		ktap_report(bench->ktap, drift_fs < bound_fs && drift_fs > -bound_fs,
			    "it does not drift: less than 0.01 ns/s, or than a short run can tell");
		ktap_report(bench->ktap,
			    bench->stats->max_abs_fs <=
				    bench_step_fs(bench) * (s64)(bench->tick.longest_idle + 1),
			    "it strays no further than one mult step over the longest idle");
	}
	bench_claim_sane(bench);
}

static void nohz_run(struct bench *bench)
{
	const struct scenario_params *given = bench->params;
	struct scenario_params tickless = *given;

	tickless.tickless = true;
	bench->params = &tickless;
	measure(bench);
	bench->params = given;
}

const struct scenario scenario_nohz = {
	.name = "nohz",
	.claim = "a core whose ticks are mostly skipped does not drift from the line",
	.needs_page = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1000000, [CLOCK_TSC] = 5000 },
	.run = nohz_run,
};
