// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: when the page's period changes, small steps and large, and the core is told at that
 * moment, it follows at once, in the middle of a tick, and no phase is lost over it.
 */
#include "scenario/list.h"

#define EVERY_MS 1000

static void freq_run(struct bench *bench)
{
	/* What a crystal, a temperature, a migration and a bad host do: 10^-12. */
	static const s64 changes_ppt[] = { 1000,     -1000,	100000,	   -300000,
					   10000000, -10000000, 100000000, -200000000 };
	struct vehicle *vehicle = bench->vehicle;
	const s64 rate_ppt = bench->params->rate_ppt;
	struct tk_state state;
	u64 tick_cycles;
	u32 changes = 0;
	const u32 rests_on = TK_REMAINDER | TK_CLAWBACK | TK_REFERENCE | TK_FEED;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	bench->tk->state(&state);
	tick_cycles = state.cycle_interval;
	vehicle->ticks_start(bench);
	bench_window(bench);
	for (u64 ms = 0; ms < bench->params->duration_ms; ms += EVERY_MS) {
		if (vehicle->page_is_ours) {
			u64 now;

			/* Into a tick: the new line's counter_value is after cycle_last. */
			bench_run_cycles(bench, tick_cycles * (1 + changes % 3) / 4);
			now = vehicle->now(vehicle->context);

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
	if (vehicle->is_virtual) {
		bench_claim(bench, bench->stats->max_abs_fs <= bench_bound_fs(bench),
			    "it stays within one mult step over one tick of the changing line",
			    rests_on);
		bench_claim_account(bench, rests_on);
		bench_claim_drift(bench, rests_on);
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
