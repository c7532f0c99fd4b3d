// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core whose ticks come late, by up to half a tick, so that mult changes in mid-tick, does
 * not drift from the line, and strays from it by no more than one step of mult over the longest
 * time between two ticks.
 */
#include "scenario/list.h"

static void measure(struct bench *bench)
{
	struct vehicle *vehicle = bench->vehicle;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	bench_window(bench);
	bench_run_ms(bench, bench->params->duration_ms);
	vehicle->ticks_stop(bench);

	bench_metrics(bench);
	bench_claim_stays(bench, TK_REMAINDER | TK_CLAWBACK | TK_REFERENCE | TK_FEED);
	bench_claim_sane(bench);
}

static void late_run(struct bench *bench)
{
	const struct scenario_params *given = bench->params;
	struct scenario_params late = *given;

	if (!late.late_ns)
		late.late_ns = (u32)(TB_NSEC_PER_SEC / 2 / late.hz);
	bench->params = &late;
	measure(bench);
	bench->params = given;
}

const struct scenario scenario_late = {
	.name = "late",
	.claim = "a core whose ticks come late does not drift from the line",
	.needs_page = true,
	.virtual_only = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1000000, [CLOCK_TSC] = 0 },
	.run = late_run,
};
