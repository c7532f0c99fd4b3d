// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core whose ticks are mostly skipped, as on an idle machine, does not drift from the
 * line, and strays from it by no more than one step of mult over the longest idle time.
 */
#include "scenario/list.h"

static void measure(struct run *run)
{
	struct clock *clock = run->clock;

	if (!run_follow_for_duration(run))
		return;
	ktap_metric(run->ktap, "longest_idle_ticks", (s128)run->ticker.stats.longest_idle, 0, 0,
		    "ticks");
	if (clock->is_virtual)
		run_claim_stays(run, TK_REMAINDER | TK_REFERENCE | TK_FEED);
	run_claim_sane(run);
}

static void nohz_run(struct run *run)
{
	const struct scenario_params *given = run->params;
	struct scenario_params tickless = *given;

	tickless.tickless = true;
	run->params = &tickless;
	measure(run);
	run->params = given;
}

const struct scenario scenario_nohz = {
	.name = "nohz",
	.claim = "a core whose ticks are mostly skipped does not drift from the line",
	.needs = { .page = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1000000, [CLOCK_TSC] = 5000 },
	.run = nohz_run,
};
