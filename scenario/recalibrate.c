// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: ticks that come while the counter is being recalibrated, and cycle_interval is 0, are let
 * pass, and nothing is lost by them. (Without `divzero` they divide by zero, which ends the run, or
 * a lifted kernel's tick does not end, and is cut off.)
 */
#include "scenario/list.h"

#define BETWEEN_MS 500
#define PAUSE_MS   20
#define LET_PASS   "a tick while cycle_interval is 0 is let pass"

static bool recalibrate(struct bench *bench, bool stopped)
{
	struct vehicle *vehicle = bench->vehicle;
	enum tk_error error;

	vehicle->lock(vehicle->context);
	error = bench->tk->recalibrate(vehicle->now(vehicle->context), stopped);
	vehicle->unlock(vehicle->context);
	if (error)
		ktap_note(bench->ktap, "recalibrate: %s", tk_strerror(error));
	return !error;
}

static void recalibrate_run(struct bench *bench)
{
	struct vehicle *vehicle = bench->vehicle;
	/* As many cycles as a reader of a narrow counter can tell. */
	const u64 most_ms =
		(vehicle->counter.mask >> 2) / (bench_cycles_ms(bench, 1000) / 1000 + 1);
	const u32 pause_ms = most_ms < PAUSE_MS ? (u32)most_ms : PAUSE_MS;
	const u32 pause_ticks = pause_ms * bench->params->hz / 1000 + 1;
	const u32 rests_on = TK_REMAINDER | TK_CLAWBACK | TK_REFERENCE | TK_FEED | TK_DIVZERO;
	struct tk_state state;
	bool let_pass = true;
	u32 pauses = 0;
	u64 ticks;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	if (!recalibrate(bench, false)) {
		ktap_skip(bench->ktap, LET_PASS, "this core cannot be recalibrated");
		return;
	}
	bench->at_stake = LET_PASS;
	bench->at_stake_rests_on = TK_DIVZERO;
	vehicle->ticks_start(bench);
	bench_window(bench);
	for (u64 ms = 0; ms < bench->params->duration_ms; ms += BETWEEN_MS) {
		bench_run_ms(bench, BETWEEN_MS - pause_ms);
		recalibrate(bench, true);
		ticks = bench->tick.ticks;
		bench_run_ms(bench, pause_ms);
		/* The ticks came, and there was no interval for them to divide by. */
		bench->tk->state(&state);
		let_pass &= bench->tick.ticks > ticks && !state.cycle_interval;
		recalibrate(bench, false);
		pauses++;
		if (bench->tk->endless && bench->tk->endless())
			break;
	}
	vehicle->ticks_stop(bench);
	if (bench->tk->endless && bench->tk->endless()) {
		ktap_note(bench->ktap,
			  "the tick does not end while cycle_interval is 0; it was cut off");
		bench_claim(bench, false, LET_PASS, TK_DIVZERO);
		return;
	}

	bench_metrics(bench);
	ktap_metric(bench->ktap, "recalibrations", pauses, 0, 0, "times");
	ktap_metric(bench->ktap, "longest_pause_ticks", pause_ticks, 0, 0, "ticks");
	bench_claim(bench, let_pass, LET_PASS, TK_DIVZERO);
	if (vehicle->is_virtual) {
		bench_claim(bench,
			    bench->stats->max_abs_fs <= bench_bound_fs(bench) * (pause_ticks + 1),
			    "nothing is lost: it strays by no more than one mult step over a pause",
			    rests_on);
		bench_claim_account(bench, rests_on);
	}
	bench_claim_sane(bench);
}

const struct scenario scenario_recalibrate = {
	.name = "recalibrate",
	.claim = "ticks during a recalibration are let pass",
	.needs_page = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 100000, [CLOCK_TSC] = 5000 },
	.run = recalibrate_run,
};
