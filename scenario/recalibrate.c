// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: ticks that come while the counter is being recalibrated, and cycle_interval is 0, are let
 * pass, and nothing is lost by them. (Without `divzero` they divide by zero, and the run is over.)
 */
#include "scenario/list.h"

#define BETWEEN_MS 500
#define PAUSE_MS   20

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
	const u32 pause_ticks = PAUSE_MS * bench->params->hz / 1000 + 1;
	u32 pauses = 0;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	if (!recalibrate(bench, false)) {
		ktap_skip(bench->ktap, "a tick while cycle_interval is 0 is let pass",
			  "this core cannot be recalibrated");
		return;
	}
	vehicle->ticks_start(bench);
	bench_window(bench);
	for (u64 ms = 0; ms < bench->params->duration_ms; ms += BETWEEN_MS) {
		bench_run_ms(bench, BETWEEN_MS - PAUSE_MS);
		recalibrate(bench, true);
		bench_run_ms(bench, PAUSE_MS);
		recalibrate(bench, false);
		pauses++;
	}
	vehicle->ticks_stop(bench);

	bench_metrics(bench);
	ktap_metric(bench->ktap, "recalibrations", pauses, 0, 0, "times");
	ktap_metric(bench->ktap, "longest_pause_ticks", pause_ticks, 0, 0, "ticks");
	ktap_report(bench->ktap, true, "a tick while cycle_interval is 0 is let pass");
	if (vehicle->is_virtual)
		ktap_report(
			bench->ktap, bench->stats->max_abs_fs <= bench_step_fs(bench) * pause_ticks,
			"nothing is lost: it strays by no more than one mult step over a pause");
	bench_claim_sane(bench);
}

const struct scenario scenario_recalibrate = {
	.name = "recalibrate",
	.claim = "ticks during a recalibration are let pass",
	.needs_page = true,
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 100000, [CLOCK_TSC] = 5000 },
	.run = recalibrate_run,
};
