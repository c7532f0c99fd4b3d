// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core that follows the page's line stays on it, within one step of mult over one tick on
 * the virtual clock, and in the median within a nanosecond on the real one (if its host delivers
 * ticks on time, and the page's line does not move), for the whole run.
 */
#include "lib/math.h"
#include "scenario/list.h"

#define LIMIT_FS (10 * TB_FSEC_PER_NSEC)
#define SETTLE_MS \
	200 /* real clock: time for the first ticks, and for the disturbance by their start */

/* On the virtual clock the error is caused by the algorithm alone. */
static void claim_exact(struct run *run)
{
	const u32 rests_on = TK_REMAINDER | TK_REFERENCE | TK_FEED;

	if (run->params->tickless || run->params->late_ns || run->ticker.recorded) {
		run_claim_stays(run, rests_on | TK_CLAWBACK);
		return;
	}
	run_claim(run, run->stats->max_abs_fs <= run_bound_fs(run),
		  "it stays within one mult step over one tick of the line", rests_on);
	run_claim_account(run, rests_on);
	run_claim_drift(run, rests_on);
}

/*
 * The claims that must hold on the real clock of any host. Dithering leaves an error of one `mult`
 * step over a tick, or two if a tick is one period late. A later tick leaves a step in force until
 * it arrives. If the line's rate is close to a whole `mult` (as on a host whose clock is not
 * steered), that error decays slowly. And if the page's line moves, the core is off by that
 * distance until it has slewed.
 */
static void claim_median(struct run *run)
{
	const s64 step_fs = run_step_fs(run);
	const u64 period = run_cycles_in_ms(run, 1000) / run->params->hz;
	const s64 median_fs = stats_percentile_abs_fs(run->stats, 500, run->scratch);
	s64 bound_fs = 2 * run_bound_fs(run);
	u64 late = run->ticker.stats.late_max_cycles;

	if (bound_fs < TB_FSEC_PER_NSEC)
		bound_fs = TB_FSEC_PER_NSEC;
	run_metric_ns(run, "page_moved_ns", (s64)run->moved_fs);
	if (run->late_before_cycles > late)
		late = run->late_before_cycles;
	bound_fs += step_fs * (s64)(late / period) + (s64)run->moved_fs;
	run_metric_ns(run, "median_bound_ns", bound_fs);
	ktap_report(run->ktap, median_fs < bound_fs,
		    "in the median it is on the line, but for late ticks and the page's own moves");
	if (run->stats->max_abs_fs > LIMIT_FS)
		ktap_note(run->ktap, "beyond 10 ns at worst: compare the latest tick");
}

static void lock_run(struct run *run)
{
	const struct clock *clock = run->clock;

	if (!run_start_core(run))
		return;
	/*
	 * On the real clock some time passes before the first tick, so the line is followed from
	 * the first tick on.
	 */
	if (!clock->is_virtual)
		run_ticks_start(run);
	if (!run_follow(run, true)) {
		run_ticks_stop(run);
		return;
	}
	if (clock->is_virtual)
		run_ticks_start(run);
	if (!clock->is_virtual)
		run_settle(run, SETTLE_MS);
	run_window(run);
	run_ms(run, run->params->duration_ms);
	run_claim_host(run);
	run_ticks_stop(run);

	run_metrics(run);
	if (clock->is_virtual)
		claim_exact(run);
	else
		claim_median(run);
	run_claim_sane(run);
}

const struct scenario scenario_lock = {
	.name = "lock",
	.claim = "a core that follows the page's line stays on it",
	.needs = { .page = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1000000, [CLOCK_TSC] = 10000 },
	.run = lock_run,
};
