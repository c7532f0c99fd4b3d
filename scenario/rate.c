// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A benchmark without a claim: how many ticks a second the core processes when every tick is called
 * on time with nothing else in the loop, and how long a read of the clock takes. It reports the
 * best of many short rounds, because other load on the machine can only add time.
 */
#include "scenario/list.h"

#define ROUND  100000
#define ROUNDS 100

static u64 held(void *context)
{
	return *(u64 *)context;
}

static void rate_run(struct run *run)
{
	const struct tk_ops *tk = run->tk;
	u64 best_tick = ~0ULL, best_read = ~0ULL;
	struct tk_state state;
	struct tk_time time;
	u64 counter;

	if (!run->stopwatch_ns || !run->stopwatch_ns()) {
		ktap_skip(run->ktap, "the rate is measured", "there is no clock to measure it by");
		return;
	}
	if (!run_start_core(run) || !run_follow(run, true))
		return;
	tk->state(&state);
	counter = state.cycle_last;
	for (u32 round = 0; round < ROUNDS; round++) {
		u64 begin = run->stopwatch_ns(), end;

		for (u32 i = 0; i < ROUND; i++) {
			counter += state.cycle_interval;
			tk->tick(counter);
		}
		end = run->stopwatch_ns();
		/* If the clock wraps in a round, only that round is lost. */
		if (end > begin && end - begin < best_tick)
			best_tick = end - begin;

		begin = run->stopwatch_ns();
		for (u32 i = 0; i < ROUND / 4; i++)
			tk->read(held, &counter, &time);
		end = run->stopwatch_ns();
		run->ticker.progress++;
		if (end > begin && end - begin < best_read)
			best_read = end - begin;
	}
	ktap_metric(run->ktap, "ticks_per_s",
		    div_s128((s128)ROUND * (s128)TB_NSEC_PER_SEC, best_tick), 0, 0, "1/s");
	ktap_metric(run->ktap, "ns_per_tick", div_s128((s128)best_tick * 1000, ROUND), 3, 1, "ns");
	ktap_metric(run->ktap, "ns_per_read", div_s128((s128)best_read * 4000, ROUND), 3, 1, "ns");
	ktap_report(run->ktap, best_tick < ~0ULL && best_read < ~0ULL, "the rate is measured");
}

const struct scenario scenario_rate = {
	.name = "rate",
	.claim = "a benchmark: ticks a second, and the time of a read",
	.needs = { .page = true, .virtual_clock = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = rate_run,
};
