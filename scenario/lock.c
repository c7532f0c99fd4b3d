// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core that follows the page's line stays on it, within one step of mult over one tick on
 * the virtual clock and within a nanosecond in the median on the real one, for as long as it runs.
 */
#include "scenario/list.h"

#define DRIFT_FS 1000	     /* 0.001 ns/s */
#define LIMIT_FS (10 * TB_FSEC_PER_NSEC)
#define SETTLE_MS 200 /* real clock: for the first ticks, and what starting them disturbs */

static void host_judges(struct bench *bench)
{
	s64 difference_fs;
	u64 maxerror_ns;
	s64 bound_fs;

	if (!bench->vehicle->judge)
		return;
	if (!bench->vehicle->judge(bench, &difference_fs, &maxerror_ns)) {
		ktap_note(bench->ktap, "the host gave no verdict on the guest's time");
		return;
	}
	bound_fs = maxerror_ns > 9000000000ULL ? 9000000000LL * TB_FSEC_PER_NSEC
					       : (s64)maxerror_ns * TB_FSEC_PER_NSEC;
	bench_metric_ns(bench, "host_difference_ns", difference_fs);
	ktap_metric(bench->ktap, "host_maxerror_ns", (s128)maxerror_ns, 0, 0, "ns");
	ktap_report(bench->ktap, difference_fs <= bound_fs && difference_fs >= -bound_fs,
		    "the host finds the core's time within the page's stated maxerror");
}

static void lock_run(struct bench *bench)
{
	const struct vehicle *vehicle = bench->vehicle;
	const struct stats *stats = bench->stats;
	s64 bound_fs, median_fs, drift_fs;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	if (!vehicle->is_virtual)
		bench_settle(bench, SETTLE_MS);
	bench_window(bench);
	bench_run_ms(bench, bench->params->duration_ms);
	bound_fs = bench_bound_fs(bench);
	host_judges(bench);
	vehicle->ticks_stop(bench);

	bench_metrics(bench);
	bench_metric_ns(bench, "mult_step_ns", bench_step_fs(bench));
	drift_fs = stats_drift_fs_per_s(stats);
	if (vehicle->is_virtual) {
		/* Skipped or late ticks have a claim of their own, in nohz. */
		if (!bench->params->tickless && !bench->params->late_ns)
			ktap_report(bench->ktap, stats->max_abs_fs <= bound_fs,
				    "it stays within one mult step over one tick of the line");
		ktap_report(bench->ktap, drift_fs < DRIFT_FS && drift_fs > -DRIFT_FS,
			    "it does not drift: less than 0.001 ns/s");
	} else {
		median_fs = stats_percentile_abs_fs(stats, 500, bench->scratch);
		/* Dithering leaves one step; a tick that comes a period late, which a host that is
		 * busy makes the usual case, leaves two. */
		bound_fs *= 2;
		if (bound_fs < TB_FSEC_PER_NSEC)
			bound_fs = TB_FSEC_PER_NSEC;
		ktap_report(bench->ktap, median_fs < bound_fs,
			    "in the median it is within 1 ns, or two mult steps over a tick, of the line");
		if (stats->max_abs_fs > LIMIT_FS)
			ktap_note(bench->ktap, "beyond 10 ns at worst: compare the latest tick");
	}
	bench_claim_sane(bench);
}

const struct scenario scenario_lock = {
	.name = "lock",
	.claim = "a core that follows the page's line stays on it",
	.needs_page = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1000000, [CLOCK_TSC] = 10000 },
	.run = lock_run,
};
