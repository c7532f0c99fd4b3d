// SPDX-License-Identifier: GPL-2.0-or-later
/* The traces of told, intended and going time, a point for each tick, and the check of the third.
 */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/reading.h"
#include "measure/trace.h"

static struct {
	struct run *run; /* being traced, or traced last; NULL: none yet */
	struct tk_state last;
	s128 moved_max;
	u64 moved_ticks;
	u64 ticks;
	u32 kept, decimation;
	struct trace_point points[TRACES_KEPT];
} traced;

static s128 going(const struct run *run, const struct tk_state *state)
{
	return tk_state_told(state) + state->ntp_error + tk_state_slewed(state, run->params->hz);
}

static void keep(const struct run *run, const struct tk_state *state)
{
	const instant line = vmclock_utc_at(&run->line, state->cycle_last);
	const instant at = instant_from_snsec(state->xtime_sec, state->xtime_nsec, state->shift);
	struct trace_point *point;

	if (traced.ticks++ & ((1ULL << traced.decimation) - 1))
		return;
	if (traced.kept == TRACES_KEPT) {
		for (u32 i = 0; i < TRACES_KEPT / 2; i++)
			traced.points[i] = traced.points[2 * i];
		traced.kept = TRACES_KEPT / 2;
		traced.decimation++;
	}
	point = &traced.points[traced.kept++];
	point->counter = state->cycle_last;
	point->told_fs = instant_to_fsec(at - line);
	point->intended_fs =
		point->told_fs + (s64)(((s128)state->ntp_error * (s64)TB_FSEC_PER_NSEC) >> 32);
	point->going_fs =
		point->intended_fs +
		(s64)((tk_state_slewed(state, run->params->hz) * (s64)TB_FSEC_PER_NSEC) >> 32);
}

/* Ticks are counted by cycle_last, as several may be accumulated at once. */
static void check(const struct run *run, const struct tk_state *state)
{
	const struct tk_state *last = &traced.last;
	const u64 passed = (state->cycle_last - last->cycle_last) & run->clock->counter.mask;
	s128 moved;

	if (!last->cycle_interval || passed % last->cycle_interval)
		return; /* another counter, or one that is being recalibrated */
	moved = going(run, state) - going(run, last) -
		(s128)(passed / last->cycle_interval) * last->ntp_tick;
	if (moved < 0)
		moved = -moved;
	traced.moved_ticks += moved != 0;
	if (moved > traced.moved_max)
		traced.moved_max = moved;
}

static void tick(u64 now)
{
	struct tk_state state;

	traced.run->tk->tick(now);
	traced.run->tk->state(&state);
	check(traced.run, &state);
	if (state.cycle_last != traced.last.cycle_last)
		keep(traced.run, &state);
	traced.last = state;
}

static void told_line(struct run *run)
{
	run_trace_told(run);
}

void run_trace_start(struct run *run)
{
	traced.run = run;
	traced.moved_max = 0;
	traced.moved_ticks = traced.ticks = 0;
	traced.kept = traced.decimation = 0;
	run->tk->state(&traced.last);
	run->tick = tick;
	run->told = told_line;
	run_ticks_start(run);
}

s128 run_trace_told(struct run *run)
{
	struct tk_state state;
	s128 moved;
	u64 passed;

	run->tk->state(&state);
	passed = (state.cycle_last - traced.last.cycle_last) & run->clock->counter.mask;
	moved = going(run, &state) - going(run, &traced.last);
	if (traced.last.cycle_interval)
		moved -= (s128)(passed / traced.last.cycle_interval) * traced.last.ntp_tick;
	traced.last = state;
	return moved;
}

s128 run_trace_moved_max(void)
{
	return traced.moved_max;
}

u64 run_trace_moved_ticks(void)
{
	return traced.moved_ticks;
}

/* Root mean square of so many fs, of squares of ps: differences are below 2^53 ps, points 2^12. */
static s64 rms_fs(u128 squares, u32 count)
{
	return (s64)root(div_u128(squares, count, NULL)) * 1000;
}

void run_trace_metrics(struct run *run)
{
	const struct trace_point *last;
	u128 told = 0, intended = 0;

	if (!traced.kept)
		return;
	last = &traced.points[traced.kept - 1];
	for (u32 i = 0; i < traced.kept; i++) {
		const struct trace_point *point = &traced.points[i];
		const s64 a = (point->told_fs - point->going_fs) / 1000;
		const s64 b = (point->intended_fs - point->going_fs) / 1000;

		told += (u128)((s128)a * a);
		intended += (u128)((s128)b * b);
	}
	run_metric_ns(run, "trace_told_end_ns", last->told_fs);
	run_metric_ns(run, "trace_intended_end_ns", last->intended_fs);
	run_metric_ns(run, "trace_going_end_ns", last->going_fs);
	run_metric_ns(run, "trace_told_rms_ns", rms_fs(told, traced.kept));
	run_metric_ns(run, "trace_intended_rms_ns", rms_fs(intended, traced.kept));
}

const struct trace_point *run_traces(const struct run *run, u32 *count, u32 *decimation)
{
	if (traced.run != run || !run->tick)
		return NULL;
	*count = traced.kept;
	*decimation = traced.decimation;
	return traced.points;
}

struct sample_header run_trace_header(const struct run *run, const char *scenario, u32 number)
{
	struct sample_header header = run_sample_header(run, scenario, number);

	memcpy(header.magic, TRACE_MAGIC, sizeof(header.magic));
	header.count = traced.kept;
	header.decimation = traced.decimation;
	return header;
}
