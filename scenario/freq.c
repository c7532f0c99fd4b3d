// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: when the page's period changes by a small or large step, and the core gets the line at
 * that moment, it follows at once, in mid-tick, and loses no phase.
 */
#include "scenario/list.h"

#define EVERY_MS 1000

static void freq_run(struct run *run)
{
	/*
	 * Changes of the period by a crystal, its temperature, a migration and a bad host, in
	 * 10^-12.
	 */
	static const s64 changes_ppt[] = { 1000,     -1000,	100000,	   -300000,
					   10000000, -10000000, 100000000, -200000000 };
	struct clock *clock = run->clock;
	const s64 rate_ppt = run->params->rate_ppt;
	struct tk_state state;
	u64 tick_cycles;
	u32 changes = 0;
	const u32 rests_on = TK_REMAINDER | TK_CLAWBACK | TK_REFERENCE | TK_FEED;

	if (!run_start_core(run) || !run_follow(run, true))
		return;
	run->tk->state(&state);
	tick_cycles = state.cycle_interval;
	run_ticks_start(run);
	run_window(run);
	for (u64 ms = 0; ms < run->params->duration_ms; ms += EVERY_MS) {
		if (clock->page_is_ours) {
			u64 now;

			/*
			 * Advances into a tick, so that the new line's counter_value is after
			 * cycle_last.
			 */
			run_cycles(run, tick_cycles * (1 + changes % 3) / 4);
			now = clock->now(clock->context);

			run_publish(run, vmclock_utc_at(&run->line, now),
				    rate_ppt + changes_ppt[changes % TB_ARRAY_SIZE(changes_ppt)],
				    run->line.disruption_marker);
			run_notice(run);
			changes++;
		}
		run_ms(run, EVERY_MS);
	}
	run_ticks_stop(run);

	run_metrics(run);
	ktap_metric(run->ktap, "period_changes", changes, 0, 0, "times");
	if (clock->is_virtual) {
		run_claim(run, run->stats->max_abs_fs <= run_bound_fs(run),
			  "it stays within one mult step over one tick of the changing line",
			  rests_on);
		run_claim_account(run, rests_on);
		run_claim_drift(run, rests_on);
	}
	run_claim_sane(run);
}

const struct scenario scenario_freq = {
	.name = "freq",
	.claim = "the core follows a period that changes",
	.needs = { .page = true, .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 100000, [CLOCK_TSC] = 0 },
	.run = freq_run,
};
