// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: the told time with all that is still due, ntp_error, time_offset and adjtime, moves only
 * when the core is told to: by the tick length in use with every tick, and by nothing else, to the
 * last bit.
 */
#include "lib/math.h"
#include "measure/trace.h"
#include "scenario/list.h"

#define OFFSET_NS  20000
#define ADJTIME_US (-700)
#define NS_Q32	   ((s128)1 << 32)
#define RESTS_ON   (TK_REMAINDER | TK_CLAWBACK | TK_SKEW)

static s128 tell_offset(struct run *run)
{
	struct clock *clock = run->clock;
	s128 moved;

	clock->lock(clock->context);
	run->tk->add_time_offset(clock->now(clock->context), OFFSET_NS);
	moved = run_trace_told(run);
	clock->unlock(clock->context);
	return moved;
}

static s128 tell_adjtime(struct run *run)
{
	struct tk_timex timex = { .modes = TK_ADJ_ADJTIME | TK_ADJ_OFFSET, .offset = ADJTIME_US };
	struct clock *clock = run->clock;
	s128 moved;

	clock->lock(clock->context);
	run->tk->adjtimex(clock->now(clock->context), &timex);
	moved = run_trace_told(run);
	clock->unlock(clock->context);
	return moved;
}

static void trace_run(struct run *run)
{
	const u64 part_ms = run->params->duration_ms / 4;
	/* time_offset has units of 2^-32 ns / HZ. */
	const s128 offset = (s128)(OFFSET_NS * (1LL << 32) / run->params->hz) * run->params->hz;
	/*
	 * adjtime is delivered in the same units. What HZ does not divide of it is dropped with the
	 * last of it, once: less than HZ * 2^-32 ns, and nothing at 100, 250 and 1000.
	 */
	const u32 rest = (u32)((u64)(-ADJTIME_US * 1000) * (1ULL << 32) % run->params->hz);
	s128 by_offset, by_adjtime;

	if (!run_start_core(run) || !run_follow(run, true))
		return;
	run_trace_start(run);
	run_window(run);
	run_ms(run, part_ms);
	/* Of the clock on the line, before it is told to leave it. */
	run_metrics(run);
	by_offset = tell_offset(run);
	run_ms(run, part_ms);
	by_adjtime = tell_adjtime(run);
	run_ms(run, part_ms * 2);
	run_ticks_stop(run);

	run_trace_metrics(run);
	ktap_metric(run->ktap, "going_moved_ticks", (s128)run_trace_moved_ticks(), 0, 0, "ticks");
	ktap_metric(run->ktap, "going_moved_max_q32ns", run_trace_moved_max(), 0, 0, "2^-32ns");
	run_claim(run, run_trace_moved_max() <= rest && run_trace_moved_ticks() <= (rest != 0),
		  "told time with all that is still due moves by the tick length alone, in every "
		  "tick",
		  RESTS_ON);
	run_claim(run, by_offset == offset && by_adjtime == ADJTIME_US * 1000 * NS_Q32,
		  "what it is told moves it by exactly that much", 0);
	run_claim_sane(run);
}

const struct scenario scenario_trace = {
	.name = "trace",
	.claim = "told time with all that is still due moves only when told",
	.needs = { .page = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 20000, [CLOCK_TSC] = 4000 },
	.run = trace_run,
};
