// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: ticks that come while the counter is being recalibrated, and cycle_interval is 0, are
 * skipped, and no time is lost. (Without `divzero` the core divides by zero, which ends the run.
 * The tick of a lifted kernel may not return then, and is aborted.)
 */
#include "scenario/list.h"

#define BETWEEN_MS 500
#define PAUSE_MS   20
#define SKIPPED	   "a tick while cycle_interval is 0 is skipped"

static bool recalibrate(struct run *run, bool stopped)
{
	struct clock *clock = run->clock;
	enum tk_error error;

	clock->lock(clock->context);
	error = run->tk->recalibrate(clock->now(clock->context), stopped);
	clock->unlock(clock->context);
	if (error)
		ktap_note(run->ktap, "recalibrate: %s", tk_strerror(error));
	return !error;
}

static void recalibrate_run(struct run *run)
{
	struct clock *clock = run->clock;
	/* The most cycles that a reader of a narrow counter can distinguish. */
	const u64 most_ms = (clock->counter.mask >> 2) / (run_cycles_in_ms(run, 1000) / 1000 + 1);
	const u32 pause_ms = most_ms < PAUSE_MS ? (u32)most_ms : PAUSE_MS;
	const u32 pause_ticks = pause_ms * run->params->hz / 1000 + 1;
	const u32 rests_on = TK_REMAINDER | TK_CLAWBACK | TK_REFERENCE | TK_FEED | TK_DIVZERO;
	struct tk_state state;
	bool let_pass = true;
	u32 pauses = 0;
	u64 ticks;

	if (!run_start_core(run) || !run_follow(run, true))
		return;
	if (!recalibrate(run, false)) {
		ktap_skip(run->ktap, SKIPPED, "this core cannot be recalibrated");
		return;
	}
	run->at_stake = SKIPPED;
	run->at_stake_rests_on = TK_DIVZERO;
	run_ticks_start(run);
	run_window(run);
	for (u64 ms = 0; ms < run->params->duration_ms; ms += BETWEEN_MS) {
		run_ms(run, BETWEEN_MS - pause_ms);
		recalibrate(run, true);
		ticks = run->ticker.stats.ticks;
		run_ms(run, pause_ms);
		/* Ticks came while cycle_interval was 0. */
		run->tk->state(&state);
		let_pass &= run->ticker.stats.ticks > ticks && !state.cycle_interval;
		recalibrate(run, false);
		pauses++;
		if (run->tk->endless && run->tk->endless())
			break;
	}
	run_ticks_stop(run);
	if (run->tk->endless && run->tk->endless()) {
		ktap_note(run->ktap,
			  "the tick does not end while cycle_interval is 0; it was cut off");
		run_claim(run, false, SKIPPED, TK_DIVZERO);
		return;
	}

	run_metrics(run);
	ktap_metric(run->ktap, "recalibrations", pauses, 0, 0, "times");
	ktap_metric(run->ktap, "longest_pause_ticks", pause_ticks, 0, 0, "ticks");
	run_claim(run, let_pass, SKIPPED, TK_DIVZERO);
	if (clock->is_virtual) {
		run_claim(run, run->stats->max_abs_fs <= run_bound_fs(run) * (pause_ticks + 1),
			  "nothing is lost: it strays by no more than one mult step over a pause",
			  rests_on);
		run_claim_account(run, rests_on);
	}
	run_claim_sane(run);
}

const struct scenario scenario_recalibrate = {
	.name = "recalibrate",
	.claim = "ticks during a recalibration are skipped",
	.needs = { .page = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 100000, [CLOCK_TSC] = 5000 },
	.run = recalibrate_run,
};
