// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lets time pass: windows of the statistics, ticks, and a sample whenever the clock requests one.
 */
#include "measure/measure.h"
#include "measure/record.h"
#include "measure/reading.h"

u64 run_cycles_in_ms(const struct run *run, u64 ms)
{
	const u64 hz = run->clock->counter.hz;

	return ms / 1000 * hz + ms % 1000 * hz / 1000;
}

void run_window(struct run *run)
{
	const struct clock *clock = run->clock;
	u64 backwards = run->stats->backwards;

	stats_reset(run->stats);
	run->stats->backwards =
		backwards; /* counted over the whole run, and not reset with the window */
	run->start = counter_now(run);
	clock->lock(clock->context);
	if (run->ticker.stats.late_max_cycles > run->late_before_cycles)
		run->late_before_cycles = run->ticker.stats.late_max_cycles;
	if (run->ticker.stats.gap_max_cycles > run->gap_before_cycles)
		run->gap_before_cycles = run->ticker.stats.gap_max_cycles;
	run->ticker.stats = (struct tick_stats){ 0 };
	run->ticker.delays_kept = 0;
	clock->unlock(clock->context);
}

/*
 * Called by the clock for each sample: reads the page, so that the core follows it, then the core.
 */
static void look(void *context)
{
	struct run *run = context;

	run->ticker.progress++;
	if (!run->notified) {
		run_notice(run);
		run_sample(run);
		return;
	}
	/* A notification must not come between the core's reading and the line's. */
	run->clock->lock(run->clock->context);
	run_sample(run);
	run->clock->unlock(run->clock->context);
}

void run_ticks_start(struct run *run)
{
	struct ticker *ticker = &run->ticker;
	struct tk_state state;

	run->tk->state(&state);
	ticker->interval = state.cycle_interval;
	ticker->tickless = run->params->tickless;
	ticker->late_ns = run->params->late_ns;
	ticker->recorded = record_ticks(&ticker->recorded_ns);
	if (run->params->record_ticks && !run->clock->is_virtual) {
		ticker->delays = record_own_ticks();
		ticker->delays_most = RECORD_POINTS;
	}
	ticker->seed = run->params->seed;
	ticker->tick = run->tick ? run->tick : run->tk->tick;
	ticker->sample = look;
	ticker->context = run;
	run->clock->ticks_start(run->clock, ticker);
}

void run_ticks_stop(struct run *run)
{
	run->clock->ticks_stop(run->clock);
}

void run_cycles(struct run *run, u64 cycles)
{
	run->sampling = true;
	run->clock->run_until(run->clock, counter_now(run) + cycles);
	run->sampling = false;
}

void run_ms(struct run *run, u64 ms)
{
	run_cycles(run, run_cycles_in_ms(run, ms));
}

void run_settle(struct run *run, u64 ms)
{
	run->clock->run_until(run->clock, counter_now(run) + run_cycles_in_ms(run, ms));
}

bool run_follow_for_duration(struct run *run)
{
	if (!run_start_core(run) || !run_follow(run, true))
		return false;
	run_ticks_start(run);
	run_window(run);
	run_ms(run, run->params->duration_ms);
	run_ticks_stop(run);
	run_metrics(run);
	return true;
}
