// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core whose ticks come late, by up to half a tick, so that mult changes in mid-tick, does
 * not drift from the line, and strays from it by no more than one step of mult over the longest
 * time between two ticks.
 */
#include "scenario/list.h"

static void measure(struct run *run)
{
	if (!run_follow_for_duration(run))
		return;
	run_claim_stays(run, TK_REMAINDER | TK_CLAWBACK | TK_REFERENCE | TK_FEED);
	run_claim_sane(run);
}

static void late_run(struct run *run)
{
	const struct scenario_params *given = run->params;
	struct scenario_params late = *given;

	if (!late.late_ns)
		late.late_ns = (u32)(TB_NSEC_PER_SEC / 2 / late.hz);
	run->params = &late;
	measure(run);
	run->params = given;
}

const struct scenario scenario_late = {
	.name = "late",
	.claim = "a core whose ticks come late does not drift from the line",
	.needs = { .page = true, .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1000000, [CLOCK_TSC] = 0 },
	.run = late_run,
};
