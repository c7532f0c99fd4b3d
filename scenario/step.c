// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a clock that was set wrong, or whose page was disrupted and now has another line (a live
 * migration), is back on the line at the next look at the page, and no reader of CLOCK_MONOTONIC
 * sees time go back.
 */
#include "scenario/list.h"

#define DEFAULT_NS 250000000
#define BETWEEN_MS 1000

static bool on_the_line(struct bench *bench)
{
	s64 error_fs = bench_error_fs(bench), bound_fs = bench_bound_fs(bench);

	return error_fs <= bound_fs && error_fs >= -bound_fs;
}

/* settimeofday to offset_ns off the line. */
static bool set_wrong(struct bench *bench, s64 offset_ns)
{
	struct vehicle *vehicle = bench->vehicle;
	enum tk_error error;
	u64 now;
	s64 sec;
	u32 nsec;

	vehicle->lock(vehicle->context);
	now = vehicle->now(vehicle->context);
	instant_to_timespec(vmclock_utc_at(&bench->line, now) + instant_from_nsec(offset_ns), &sec,
			    &nsec);
	error = bench->tk->settime(now, sec, nsec);
	vehicle->unlock(vehicle->context);
	if (error)
		ktap_note(bench->ktap, "settime: %s", tk_strerror(error));
	return !error;
}

static void migrate(struct bench *bench, s64 offset_ns)
{
	struct vehicle *vehicle = bench->vehicle;
	u64 now = vehicle->now(vehicle->context);

	/* Another machine's crystal: half as fast again off nominal. */
	bench_publish(bench, vmclock_utc_at(&bench->line, now) + instant_from_nsec(offset_ns),
		      bench->params->rate_ppt + bench->params->rate_ppt / 2,
		      bench->line.disruption_marker + 1);
}

static void step_run(struct bench *bench)
{
	const s64 given = bench->params->offset_ns;
	const s64 offset_ns = given ? given : DEFAULT_NS;
	struct vehicle *vehicle = bench->vehicle;
	bool set = true, regained = true, migrated = true;

	/* On from the start: CLOCK_REALTIME may not be set to before CLOCK_MONOTONIC's zero. */
	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	bench_window(bench);
	for (u64 ms = 0; ms < bench->params->duration_ms; ms += 4 * BETWEEN_MS) {
		s64 sign = ms / (4 * BETWEEN_MS) % 2 ? -1 : 1;
		s64 error_fs;

		bench->following = false;
		set &= set_wrong(bench, sign * offset_ns);
		bench_settle(bench, BETWEEN_MS);
		error_fs = bench_error_fs(bench) - sign * offset_ns * TB_FSEC_PER_NSEC;
		/* It keeps its rate: 1 us is a thousand times what a second of the dither may
		 * leave. */
		set &= error_fs < 1000 * TB_FSEC_PER_NSEC && error_fs > -1000 * TB_FSEC_PER_NSEC;

		regained &= bench_refollow(bench);
		bench_run_ms(bench, BETWEEN_MS);
		if (vehicle->is_virtual)
			regained &= on_the_line(bench);

		if (vehicle->page_is_ours) {
			migrate(bench, sign * offset_ns);
			bench_settle(bench, BETWEEN_MS);
			bench_run_ms(bench, BETWEEN_MS);
			migrated &= on_the_line(bench);
		}
	}
	vehicle->ticks_stop(bench);
	bench_metrics(bench);
	ktap_metric(bench->ktap, "disruptions", (s128)bench->disruptions, 0, 0, "times");
	bench_claim(bench, set, "a step by settimeofday moves the clock, and not its rate",
		    TK_REFERENCE | TK_FEED);
	bench_claim(bench, regained, "the line is regained at the next look at the page",
		    TK_REMAINDER | TK_REFERENCE | TK_FEED);
	if (vehicle->page_is_ours) {
		bench_claim(bench, migrated,
			    "after a disruption the core is on the new line at the next look",
			    TK_REMAINDER | TK_REFERENCE | TK_FEED);
		bench_claim(bench,
			    bench->disruptions * 4 * BETWEEN_MS >= bench->params->duration_ms,
			    "every disruption is noticed", 0);
	}
	bench_claim_sane(bench);
}

const struct scenario scenario_step = {
	.name = "step",
	.claim = "a clock off its line is back on it at the next look at the page",
	.needs_page = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 80000, [CLOCK_TSC] = 8000 },
	.run = step_run,
};
