// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: when the page's period changes, small steps and large, and the core is told at that
 * moment, it follows at once, in the middle of a tick, and no phase is lost over it.
 */
#include "scenario/list.h"

#define EVERY_MS 1000
#define DRIFT_FS 1000 /* 0.001 ns/s */

static void freq_run(struct bench *bench)
{
	/* What a crystal, a temperature, a migration and a bad host do: 10^-12. */
	static const s64 changes_ppt[] = { 1000,     -1000,	100000,	   -300000,
					   10000000, -10000000, 100000000, -200000000 };
	struct vehicle *vehicle = bench->vehicle;
	const s64 rate_ppt = bench->params->rate_ppt;
	u32 changes = 0;
	s64 drift_fs, bound_fs, slope_fs;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	bench_window(bench);
	for (u64 ms = 0; ms < bench->params->duration_ms; ms += EVERY_MS) {
		if (vehicle->page_is_ours) {
			u64 now = vehicle->now(vehicle->context);

			bench_publish(bench, vmclock_utc_at(&bench->line, now),
				      rate_ppt + changes_ppt[changes % TB_ARRAY_SIZE(changes_ppt)],
				      bench->line.disruption_marker);
			bench_notice(bench);
			changes++;
		}
		bench_run_ms(bench, EVERY_MS);
	}
	vehicle->ticks_stop(bench);

	bench_metrics(bench);
	ktap_metric(bench->ktap, "period_changes", changes, 0, 0, "times");
	drift_fs = stats_drift_fs_per_s(bench->stats);
	bound_fs = bench_bound_fs(bench);
	slope_fs = bench_drift_bound_fs(bench, DRIFT_FS);
	if (vehicle->is_virtual) {
		ktap_report(bench->ktap, bench->stats->max_abs_fs <= bound_fs,
			    "it stays within one mult step over one tick of the changing line");
		ktap_report(bench->ktap, drift_fs < slope_fs && drift_fs > -slope_fs,
			    "no phase is lost: less than 0.001 ns/s, or than a short run can tell");
	}
	bench_claim_sane(bench);
}

const struct scenario scenario_freq = {
	.name = "freq",
	.claim = "the core follows a period that changes",
	.needs_page = true,
	.virtual_only = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 100000, [CLOCK_TSC] = 0 },
	.run = freq_run,
};
