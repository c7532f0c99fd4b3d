// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a clock that was set wrong, or whose page was disrupted and now has another line (a live
 * migration), is back on the line at the next look at the page, and no reader of CLOCK_MONOTONIC
 * sees time go back.
 */
#include "scenario/list.h"

#define DEFAULT_NS 250000000
#define BETWEEN_MS 1000

/*
 * A line that arrives in the middle of a tick finds a mult that was dithered for the line before:
 * until the next tick that adds up to one step of mult over a tick. Dithering takes it away, by
 * what the wanted rate is from the next whole mult, in each tick; where that is next to nothing,
 * some of it is left after a second. So it is two steps: that one, and the dithering's own.
 */
static bool on_the_line(struct run *run)
{
	s64 error_fs = run_error_fs(run), bound_fs = run_bound_fs(run) + run_step_fs(run);

	return error_fs <= bound_fs && error_fs >= -bound_fs;
}

/* settimeofday to offset_ns off the line. */
static bool set_wrong(struct run *run, s64 offset_ns)
{
	struct clock *clock = run->clock;
	enum tk_error error;
	u64 now;
	s64 sec;
	u32 nsec;

	clock->lock(clock->context);
	now = clock->now(clock->context);
	instant_to_timespec(vmclock_utc_at(&run->line, now) + instant_from_nsec(offset_ns), &sec,
			    &nsec);
	error = run->tk->settime(now, sec, nsec);
	clock->unlock(clock->context);
	if (error)
		ktap_note(run->ktap, "settime: %s", tk_strerror(error));
	return !error;
}

static void migrate(struct run *run, s64 offset_ns)
{
	struct clock *clock = run->clock;
	u64 now = clock->now(clock->context);

	/* Another machine's crystal: 1.5 times as far from nominal. */
	run_publish(run, vmclock_utc_at(&run->line, now) + instant_from_nsec(offset_ns),
		    run->params->rate_ppt + run->params->rate_ppt / 2,
		    run->line.disruption_marker + 1);
}

static void step_run(struct run *run)
{
	const s64 given = run->params->offset_ns;
	const s64 offset_ns = given ? given : DEFAULT_NS;
	struct clock *clock = run->clock;
	bool set = true, regained = true, migrated = true;

	/* On from the start: CLOCK_REALTIME may not be set to before CLOCK_MONOTONIC's zero. */
	if (!run_start_core(run) || !run_follow(run, true))
		return;
	run_ticks_start(run);
	run_window(run);
	for (u64 ms = 0; ms < run->params->duration_ms; ms += 4 * BETWEEN_MS) {
		s64 sign = ms / (4 * BETWEEN_MS) % 2 ? -1 : 1;
		s64 error_fs;

		run->following = false;
		set &= set_wrong(run, sign * offset_ns);
		run_settle(run, BETWEEN_MS);
		error_fs = run_error_fs(run) - sign * offset_ns * TB_FSEC_PER_NSEC;
		/*
		 * The rate is kept: 1 us is a thousand times the error that a second of dithering
		 * may leave.
		 */
		set &= error_fs < 1000 * TB_FSEC_PER_NSEC && error_fs > -1000 * TB_FSEC_PER_NSEC;

		regained &= run_refollow(run);
		run_ms(run, BETWEEN_MS);
		if (clock->is_virtual)
			regained &= on_the_line(run);

		if (clock->page_is_ours) {
			migrate(run, sign * offset_ns);
			run_settle(run, BETWEEN_MS);
			run_ms(run, BETWEEN_MS);
			migrated &= on_the_line(run);
		}
	}
	run_ticks_stop(run);
	run_metrics(run);
	ktap_metric(run->ktap, "disruptions", (s128)run->disruptions, 0, 0, "times");
	run_claim(run, set, "a step by settimeofday moves the clock, and not its rate",
		  TK_REFERENCE | TK_FEED);
	run_claim(run, regained, "the line is regained at the next look at the page",
		  TK_REMAINDER | TK_REFERENCE | TK_FEED);
	if (clock->page_is_ours) {
		run_claim(run, migrated,
			  "after a disruption the core is on the new line at the next look",
			  TK_REMAINDER | TK_REFERENCE | TK_FEED);
		run_claim(run, run->disruptions * 4 * BETWEEN_MS >= run->params->duration_ms,
			  "every disruption is noticed", 0);
	}
	run_claim_sane(run);
}

const struct scenario scenario_step = {
	.name = "step",
	.claim = "a clock off its line is back on it at the next look at the page",
	.needs = { .page = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 80000, [CLOCK_TSC] = 8000 },
	.run = step_run,
};
