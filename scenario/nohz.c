// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core whose ticks are mostly skipped, as an idle machine's are, still does not drift from
 * the line, and strays from it by no more than one step of mult over its longest idle.
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
	ktap_metric(bench->ktap, "longest_idle_ticks", (s128)bench->tick.longest_idle, 0, 0,
		    "ticks");
	if (vehicle->is_virtual)
		bench_claim_stays(bench, TK_REMAINDER | TK_REFERENCE | TK_FEED);
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
