// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core that follows the page's line stays on it, within one step of mult over one tick on
 * the virtual clock, and in the median within a nanosecond on the real one (if its host lets the
 * tick come on time, and the page's line stays where it is), for as long as it runs.
 */
#include "scenario/list.h"

#define LIMIT_FS  (10 * TB_FSEC_PER_NSEC)
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

/* On the virtual clock nothing but the algorithm is in the error. */
static void claim_exact(struct bench *bench)
{
	const u32 rests_on = TK_REMAINDER | TK_REFERENCE | TK_FEED;

	if (bench->params->tickless || bench->params->late_ns) {
		bench_claim_stays(bench, rests_on | TK_CLAWBACK);
		return;
	}
	bench_claim(bench, bench->stats->max_abs_fs <= bench_bound_fs(bench),
		    "it stays within one mult step over one tick of the line", rests_on);
	bench_claim_account(bench, rests_on);
	bench_claim_drift(bench, rests_on);
}

/*
 * On the real clock, what must hold on any host. Dithering leaves one step of mult over a tick; one
 * period late, two. A tick that comes later lets a step run on for so long, and where the line's
 * rate is next to a whole mult (that of a host whose own clock nobody steers), nothing brings it
 * back soon. And where the page's own line moves, the core is off by as much, until it has slewed
 * there.
 */
static void claim_median(struct bench *bench)
{
	const s64 step_fs = bench_step_fs(bench);
	const u64 period = bench_cycles_ms(bench, 1000) / bench->params->hz;
	const s64 median_fs = stats_percentile_abs_fs(bench->stats, 500, bench->scratch);
	s64 bound_fs = 2 * bench_bound_fs(bench);
	u64 late = bench->tick.late_max_cycles;

	if (bound_fs < TB_FSEC_PER_NSEC)
		bound_fs = TB_FSEC_PER_NSEC;
	bench_metric_ns(bench, "page_moved_ns", (s64)bench->moved_fs);
	if (bench->late_before_cycles > late)
		late = bench->late_before_cycles;
	bound_fs += step_fs * (s64)(late / period) + (s64)bench->moved_fs;
	bench_metric_ns(bench, "median_bound_ns", bound_fs);
	ktap_report(bench->ktap, median_fs < bound_fs,
		    "in the median it is on the line, but for late ticks and the page's own moves");
	if (bench->stats->max_abs_fs > LIMIT_FS)
		ktap_note(bench->ktap, "beyond 10 ns at worst: compare the latest tick");
}

static void lock_run(struct bench *bench)
{
	const struct vehicle *vehicle = bench->vehicle;

	if (!bench_start_core(bench))
		return;
	/* On the real clock, time passes until the first tick: the line is followed from then. */
	if (!vehicle->is_virtual)
		vehicle->ticks_start(bench);
	if (!bench_follow(bench, true)) {
		vehicle->ticks_stop(bench);
		return;
	}
	if (vehicle->is_virtual)
		vehicle->ticks_start(bench);
	if (!vehicle->is_virtual)
		bench_settle(bench, SETTLE_MS);
	bench_window(bench);
	bench_run_ms(bench, bench->params->duration_ms);
	host_judges(bench);
	vehicle->ticks_stop(bench);

	bench_metrics(bench);
	bench_metric_ns(bench, "mult_step_ns", bench_step_fs(bench));
	if (vehicle->is_virtual)
		claim_exact(bench);
	else
		claim_median(bench);
	bench_claim_sane(bench);
}

const struct scenario scenario_lock = {
	.name = "lock",
	.claim = "a core that follows the page's line stays on it",
	.needs_page = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1000000, [CLOCK_TSC] = 10000 },
	.run = lock_run,
};
