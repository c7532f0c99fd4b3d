// SPDX-License-Identifier: GPL-2.0-or-later
/* Finds a core's switches by behaviour. Each probe starts the core afresh and drives it to a moment
 * at which the state with the switch differs from the state without. */
#include "tk/stage.h"

/* The ACPI PM timer: its tick of whole cycles is far from 1/HZ, so that a remainder is visible. */
#define COARSE_HZ 3579545
#define FINE_HZ	  2596146000ULL
#define START	  (1ULL << 20)
#define START_SEC 1700000000
#define NANO_0                                                         \
	{                                                              \
		.modes = TK_ADJ_TIMECONST | TK_ADJ_NANO, .constant = 0 \
	}

struct probe {
	const struct tk_ops *tk;
	struct tk_stage *stage;
	u32 hz, switches;
	u64 now;
	u64 interval; /* cycles a tick */
};

static bool start(struct probe *probe, u64 counter_hz)
{
	const struct tk_setup setup = {
		.counter = { .hz = counter_hz, .mask = ~0ULL },
		.hz = probe->hz,
		.switches = probe->switches,
		.now = START,
		.sec = START_SEC,
	};
	struct tk_state state;

	if (probe->tk->init(&setup))
		return false;
	probe->now = START;
	probe->tk->state(&state);
	probe->interval = state.cycle_interval;
	return true;
}

/* Advances the counter by the cycles of `ticks` ticks, then calls tick() once. */
static void pass(struct probe *probe, u64 ticks, struct tk_state *after)
{
	probe->now += probe->interval * ticks;
	probe->tk->tick(probe->now);
	probe->tk->state(after);
}

/* Records that `one` of the candidates was found (0: none), or, if not known, all as unknown. */
static void found(struct probe *probe, bool known, u32 candidates, u32 one)
{
	if (known)
		probe->stage->switches |= one;
	else
		probe->stage->unknown |= candidates;
}

/*
 * A tick on time adds L - X - R to ntp_error, with R = 1/HZ - X at the start, or only L - X. In the
 * second case the core starts with a tick length of X (the form that was merged) or 1/HZ (as
 * mailed).
 */
static void probe_remainder(struct probe *probe)
{
	const u32 forms = TK_REMAINDER | TK_REMAINDER_V2;
	struct tk_state before, after;
	u64 tick_snsec, kept;
	u32 scale;

	if (!start(probe, COARSE_HZ)) {
		found(probe, false, forms, 0);
		return;
	}
	probe->tk->state(&before);
	pass(probe, 1, &after);
	scale = 32 - before.shift;
	tick_snsec = (TB_NSEC_PER_SEC / probe->hz) << before.shift;
	kept = before.ntp_tick - (before.xtime_interval << scale) -
	       (u64)(after.ntp_error - before.ntp_error);
	if (kept == (tick_snsec - before.xtime_interval) << scale)
		return;
	if (kept)
		found(probe, false, forms, 0);
	else if (before.ntp_tick == before.xtime_interval << scale)
		found(probe, true, forms, TK_REMAINDER);
	else
		found(probe, before.ntp_tick == tick_snsec << scale, forms, TK_REMAINDER_V2);
}

/* A new rate in mid-tick changes mult, and xtime by change * off: does ntp_error change as much? */
static void probe_clawback(struct probe *probe)
{
	struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY, .freq = 100LL << 16 };
	struct tk_state before, after;
	s64 moved;

	if (!start(probe, FINE_HZ)) {
		found(probe, false, TK_CLAWBACK, 0);
		return;
	}
	pass(probe, 1, &before);
	probe->now += probe->interval / 2;
	probe->tk->adjtimex(probe->now, &timex);
	probe->tk->state(&after);
	moved = (s64)((u64)(s64)(s32)(after.mult - before.mult) * (probe->now - after.cycle_last)
		      << (32 - after.shift));
	if (moved && after.ntp_error == before.ntp_error)
		return;
	found(probe, moved && after.ntp_error - before.ntp_error == moved, TK_CLAWBACK,
	      TK_CLAWBACK);
}

/*
 * A phase is slewed. Without `skew`, the second's share is subtracted from time_offset at the
 * second's start; with it, each tick subtracts its part.
 */
static void probe_skew(struct probe *probe)
{
	struct tk_timex constant = NANO_0;
	struct tk_state before, after;
	u32 moved = 0;

	if (!start(probe, FINE_HZ))
		goto unknown;
	probe->tk->adjtimex(probe->now, &constant);
	if (probe->tk->add_time_offset(probe->now, 100000))
		goto unknown;
	/* To the middle of the first second that slews. */
	pass(probe, probe->hz + probe->hz / 2, &before);
	for (u32 i = 0; i < 4; i++, before = after) {
		pass(probe, 1, &after);
		moved += after.time_offset != before.time_offset;
	}
	if (moved)
		found(probe, moved == 4, TK_SKEW, TK_SKEW);
	else if (!before.time_offset)
		found(probe, false, TK_SKEW, 0); /* nothing is left to be slewed */
	return;
unknown:
	found(probe, false, TK_SKEW, 0);
}

/*
 * Slews until the rest of time_offset is too small for a share at the largest time constant: is it
 * delivered? (At the smallest constant, `skew` would deliver it without `tail`: one unit a tick.)
 */
static void probe_tail(struct probe *probe)
{
	struct tk_timex constant = NANO_0;
	struct tk_state state = { 0 };
	const s64 no_share = 1 << 12; /* 2 + the largest constant */
	s64 rest;

	if (!start(probe, FINE_HZ))
		goto unknown;
	probe->tk->adjtimex(probe->now, &constant);
	if (probe->tk->add_time_offset(probe->now, 1))
		goto unknown;
	for (u32 i = 0; i < 60 && (!i || state.time_offset >= no_share); i++)
		pass(probe, probe->hz, &state);
	rest = state.time_offset;
	if (rest <= 0 || rest >= no_share)
		goto unknown;
	constant.constant = 10;
	probe->tk->adjtimex(probe->now, &constant);
	/* The present second goes on as planned. Later ones have the new constant. */
	pass(probe, 2 * probe->hz, &state);
	rest = state.time_offset;
	for (u32 i = 0; i < 3; i++)
		pass(probe, probe->hz, &state);
	if (state.time_offset && state.time_offset == rest)
		return;
	found(probe, !state.time_offset, TK_TAIL, TK_TAIL);
	return;
unknown:
	found(probe, false, TK_TAIL, 0);
}

/* A time before CLOCK_MONOTONIC's zero is refused, in mid-tick: does the state change? */
static void probe_refusal(struct probe *probe)
{
	struct tk_state before, after;

	if (!start(probe, FINE_HZ))
		return;
	pass(probe, probe->hz, &before);
	probe->now += probe->interval / 2;
	if (!probe->tk->settime(probe->now, 0, 0))
		return;
	probe->tk->state(&after);
	probe->stage->refusal_moves = after.cycle_last != before.cycle_last;
}

static u64 read_at(void *context)
{
	return *(u64 *)context;
}

/* The readings at 20 max_cycles after the last tick, at the tick, and just before it. */
static void probe_wide(struct probe *probe)
{
	struct tk_conversion conversion;
	struct tk_counter counter = { .hz = FINE_HZ, .mask = ~0ULL };
	struct tk_state state;
	struct tk_time at, after, behind;
	u64 cycles, passed_ns;

	if (!start(probe, FINE_HZ) || tk_conversion_init(&conversion, &counter))
		return;
	pass(probe, 1, &state);
	cycles = conversion.max_cycles * 20;
	passed_ns = (u64)(((u128)cycles * state.mult) >> state.shift);
	probe->tk->read(read_at, &state.cycle_last, &at);
	cycles += state.cycle_last;
	probe->tk->read(read_at, &cycles, &after);
	cycles = state.cycle_last - 1000;
	probe->tk->read(read_at, &cycles, &behind);
	/* Each is rounded down to a nanosecond. */
	probe->stage->wide =
		behind.mono_ns == at.mono_ns && (u64)(after.mono_ns - at.mono_ns) - passed_ns <= 1;
}

void tk_stage(const struct tk_ops *tk, u32 hz, u32 switches, struct tk_stage *stage)
{
	struct probe probe = { .tk = tk, .stage = stage, .hz = hz, .switches = switches };

	*stage = (struct tk_stage){ 0 };
	probe_remainder(&probe);
	probe_clawback(&probe);
	probe_skew(&probe);
	probe_tail(&probe);
	probe_refusal(&probe);
	probe_wide(&probe);
}

enum tk_stop tk_stage_stop(const struct tk_ops *tk, u32 hz, u32 switches)
{
	struct probe probe = { .tk = tk, .hz = hz, .switches = switches };
	struct tk_state before, after;

	if (!start(&probe, FINE_HZ))
		return TK_STOP_REFUSED;
	pass(&probe, 1, &before);
	if (tk->recalibrate(probe.now, true))
		return TK_STOP_REFUSED;
	pass(&probe, 2, &after);
	if (tk->endless && tk->endless())
		return TK_STOP_ENDLESS;
	if (after.xtime_sec != before.xtime_sec || after.xtime_nsec != before.xtime_nsec ||
	    after.cycle_last != before.cycle_last)
		return TK_STOP_LOSES;
	tk->recalibrate(probe.now, false);
	pass(&probe, 1, &after);
	return after.cycle_last == probe.now ? TK_STOP_PASSES : TK_STOP_LOSES;
}
