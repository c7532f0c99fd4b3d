// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every operation of the comparison: how it runs and how it is drawn, then one row for it in the
 * table at the end. A draw function takes its numbers from the last argument to the first; this
 * order is part of what a seed means.
 */
#include <string.h>

#include "diff/adjust.h"
#include "diff/aux.h"
#include "diff/counters.h"
#include "diff/draw.h"
#include "diff/leap.h"
#include "diff/ops.h"
#include "diff/pair.h"
#include "diff/pps.h"
#include "diff/sleep.h"
#include "tk/clocks.h"
#include "vmclock/vmclock.h"

#define DAY 86400

/* 0, which every core refuses, for a width that no counter has. */
static u64 mask_of(long long bits)
{
	return bits < 1 || bits > 64 ? 0 : ~0ULL >> (64 - bits);
}

static long long draw_hz(u64 *random)
{
	static const long long usual[] = { 2596146000, 1000000000, 3579545,  14318180, 32768,
					   2400000000, 24000000,   25000000, 19200000, 4999999999 };

	if (draw(random) % 3 == 0)
		return usual[draw(random) % TB_ARRAY_SIZE(usual)];
	/* Spread over the decades. Below HZ, which is at most 1000, a counter cannot be used. */
	return draw_between(random, 1000, 5000000000LL >> (draw(random) % 20));
}

/* init COUNTER_HZ BITS SEC NSEC: starts both cores. */
static void run_init(const long long *args, struct difference *difference)
{
	const struct tk_counter counter = { .hz = (u64)args[0], .mask = mask_of(args[1]) };

	pair_init(&counter, args[2], (u32)args[3], difference);
}

static void draw_init(u64 *random, long long bits, long long *args)
{
	args[3] = draw_between(random, 0, 999999999);
	args[2] = draw_between(random, 1000000, 1LL << 32);
	args[1] = bits;
	args[0] = draw_hz(random);
}

/* tick CYCLES: this many cycles pass, then a tick comes. */
static void run_tick(const long long *args, struct difference *difference)
{
	pair_pass((u64)args[0]);
	pair_tick(difference);
}

static void draw_tick(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 0, 10000000000LL >> draw(random) % 32);
}

/*
 * ticks N LATE SKIP SEED: N ticks. Each is late by up to LATE per mille of a tick, and up to SKIP
 * ticks before it are skipped, both at random.
 */
static void run_ticks(const long long *args, struct difference *difference)
{
	struct tk_state state;
	u64 late_most, random = (u64)args[3], due;

	pair_state(&state);
	late_most = (u64)((u128)state.cycle_interval * (u64)args[1] / 1000);
	due = pair_now();
	for (long long i = 0; i < args[0] && !difference->found; i++) {
		u64 at;

		due += state.cycle_interval;
		if (args[2])
			due += state.cycle_interval * (random_next(&random) % ((u64)args[2] + 1));
		at = due + (late_most ? random_next(&random) % (late_most + 1) : 0);
		if ((s64)(at - pair_now()) > 0)
			pair_pass(at - pair_now());
		if ((s64)(due - pair_now()) > 0)
			due = pair_now(); /* pair_pass() stopped before: go on from here */
		difference->tick = (u64)i;
		if (i < args[0] - 1)
			pair_tick_on(difference);
		else
			pair_tick(difference);
	}
}

/* Most are short, so that many operations meet; some are long enough for slews to end. */
static void draw_ticks(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = 20000 >> draw(random) % 12;
	args[0] = 1 + args[0] * (long long)(draw(random) % 4);
	args[1] = draw(random) % 2 ? draw_between(random, 0, 3000) : 0;
	args[2] = 0;
	if (draw(random) % 3 == 0)
		args[2] = 2000 >> draw(random) % 12;
	args[3] = (long long)(draw(random) >> 1);
}

/* pass CYCLES: this many cycles pass, no tick comes. */
static void run_pass(const long long *args, struct difference *difference)
{
	(void)difference;
	pair_pass((u64)args[0]);
}

static void draw_pass(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 0, 100000000);
}

/* read: both clocks are read at the counter's value. */
static void run_read(const long long *args, struct difference *difference)
{
	(void)args;
	pair_read(difference);
}

/* offset NS: adjtimex with a phase, under the PLL. */
static void run_offset(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_OFFSET | TK_ADJ_STATUS | TK_ADJ_NANO,
					.offset = args[0],
					.status = TK_STA_PLL };

	pair_adjtimex(&timex, difference);
}

static void draw_offset(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_spread(random, 600000000);
}

/* time_offset NS: added to the phase that is still to be slewed. */
static void run_time_offset(const long long *args, struct difference *difference)
{
	pair_add_time_offset(args[0], difference);
}

static void draw_time_offset(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_spread(random, 500000000);
}

/* adjtime US: adjtimex with ADJ_OFFSET_SINGLESHOT. */
static void run_adjtime(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_ADJTIME | TK_ADJ_OFFSET,
					.offset = args[0] };

	pair_adjtimex(&timex, difference);
}

static void draw_adjtime(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_spread(random, 2000000);
}

/* freq F: a frequency in ppm * 2^16. */
static void run_freq(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY, .freq = args[0] };

	pair_adjtimex(&timex, difference);
}

static void draw_freq(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_spread(random, 520LL << 16);
}

/* tick_usec US: the length of a tick of USER_HZ. */
static void run_tick_usec(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_TICK, .tick = args[0] };

	pair_adjtimex(&timex, difference);
}

static void draw_tick_usec(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 8990, 11010);
}

/* status BITS */
static void run_status(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_STATUS, .status = (s32)args[0] };

	pair_adjtimex(&timex, difference);
}

/* Any bits, or those of a leap second alone. */
static void draw_status(u64 *random, long long bits, long long *args)
{
	u64 status = draw(random);

	(void)bits;
	args[0] = (long long)(status & (draw(random) % 2 ? 0xff : 0x30));
}

/* constant N: the PLL's time constant. */
static void run_constant(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_TIMECONST, .constant = args[0] };

	pair_adjtimex(&timex, difference);
}

static void draw_constant(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw(random) % 2 ? draw_between(random, 0, 10) : 10;
}

/* tai SECONDS: TAI - UTC. */
static void run_tai(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_TAI, .constant = args[0] };

	pair_adjtimex(&timex, difference);
}

static void draw_tai(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, -2, 100);
}

/* settime SECONDS NSEC: the present second plus SECONDS, and NSEC. */
static void run_settime(const long long *args, struct difference *difference)
{
	struct tk_time time;

	pair_time(&time);
	pair_settime(time.sec + args[0], (u32)args[1], difference);
}

/* inject SECONDS NSEC: adjtimex with ADJ_SETOFFSET. */
static void run_inject(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO,
					.time_sec = args[0],
					.time_usec = args[1] };

	pair_adjtimex(&timex, difference);
}

static void draw_step(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[1] = draw_between(random, 0, 999999999);
	args[0] = draw_spread(random, 500000);
}

static s64 next_midnight(s64 sec)
{
	return sec - sec % DAY + DAY;
}

/* midnight SECONDS: sets the time to this long before the next midnight. */
static void run_midnight(const long long *args, struct difference *difference)
{
	struct tk_time time;

	pair_time(&time);
	pair_settime(next_midnight(time.sec) - args[0], time.nsec, difference);
}

static void draw_midnight(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 1, 4);
}

/*
 * leap BITS STEPS: sets the time to two seconds before midnight and the status to BITS, then STEPS
 * ticks come half a second apart, with an adjtimex that only reads before and after each.
 */
static void run_leap(const long long *args, struct difference *difference)
{
	const struct tk_timex status = { .modes = TK_ADJ_STATUS, .status = (s32)args[0] };
	const struct tk_timex query = { 0 };
	struct tk_time time;

	pair_time(&time);
	pair_settime(next_midnight(time.sec) - 2, 0, difference);
	pair_adjtimex(&status, difference);
	for (long long i = 0; i < args[1] && !difference->found; i++) {
		pair_pass(pair_counter_hz() / 2 + 1);
		pair_adjtimex(&query, difference);
		pair_tick(difference);
		pair_adjtimex(&query, difference);
	}
}

static void draw_leap(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[1] = draw_between(random, 1, 10);
	args[0] = (long long)(draw(random) & 0x70);
}

/*
 * edge NS FREQ PER_MILLE: sets the time so that the next tick ends NS into a second, ticks, lets
 * PER_MILLE of the next tick pass and sets the frequency. What mult's change subtracts from
 * xtime_nsec may then take it below 0.
 */
static void run_edge(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY, .freq = args[1] };
	struct tk_state state;
	struct tk_time time;
	u64 tick_ns;

	pair_state(&state);
	pair_time(&time);
	tick_ns = state.xtime_interval >> state.shift;
	pair_settime(time.sec,
		     (u32)((1000000000 + (u64)args[0] - tick_ns % 1000000000) % 1000000000),
		     difference);
	pair_pass(state.cycle_interval);
	pair_tick(difference);
	pair_pass(state.cycle_interval * (u64)args[2] / 1000);
	if (!difference->found)
		pair_adjtimex(&timex, difference);
}

static void draw_edge(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[2] = draw_between(random, 0, 999);
	args[1] = draw_spread(random, 500LL << 16);
	args[0] = draw_between(random, 0, 1000);
}

/* counter HZ BITS NEXT: another counter, which now reads NEXT. */
static void run_counter(const long long *args, struct difference *difference)
{
	const struct tk_counter counter = { .hz = (u64)args[0], .mask = mask_of(args[1]) };

	pair_change_counter(&counter, (u64)args[2], difference);
}

static void draw_counter(u64 *random, long long bits, long long *args)
{
	args[2] = draw_between(random, 0, 1LL << 40);
	args[1] = bits;
	args[0] = draw_hz(random);
}

/*
 * reference PPT PHASE_NS STEP_NS: a line through the present time + PHASE_NS; its period is
 * PPT * 10^-12 longer than the counter's nominal one.
 */
static void run_reference(const long long *args, struct difference *difference)
{
	struct tk_reference line = { .counter = pair_now(), .step_ns = (u32)args[2] };
	struct tk_time time;

	pair_time(&time);
	line.time = time.instant + instant_from_nsec(args[1]);
	vmclock_period_from_hz(pair_counter_hz(), args[0], &line.period_frac, &line.period_shift);
	pair_set_reference(&line, difference);
}

static void draw_reference(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[2] = draw_between(random, 0, 2000000);
	args[1] = draw_spread(random, 5000000);
	args[0] = draw_spread(random, 1000000000);
}

static const struct op_kind kinds[] = {
	{ "init", 4, run_init, draw_init },
	{ "tick", 1, run_tick, draw_tick },
	{ "ticks", 4, run_ticks, draw_ticks },
	{ "pass", 1, run_pass, draw_pass },
	{ "read", 0, run_read, NULL },
	{ "offset", 1, run_offset, draw_offset },
	{ "time_offset", 1, run_time_offset, draw_time_offset },
	{ "adjtime", 1, run_adjtime, draw_adjtime },
	{ "freq", 1, run_freq, draw_freq },
	{ "tick_usec", 1, run_tick_usec, draw_tick_usec },
	{ "status", 1, run_status, draw_status },
	{ "constant", 1, run_constant, draw_constant },
	{ "tai", 1, run_tai, draw_tai },
	{ "settime", 2, run_settime, draw_step },
	{ "inject", 2, run_inject, draw_step },
	{ "midnight", 1, run_midnight, draw_midnight },
	{ "leap", 2, run_leap, draw_leap },
	{ "adjtimex", ADJTIMEX_ARGS, run_adjtimex, draw_adjtimex },
	{ "query", 0, run_query, NULL },
	{ "adjtime_left", 0, run_adjtime_left, NULL },
	{ "set", 2, run_set, draw_set },
	{ "ahead", 1, run_ahead, draw_ahead },
	{ "warp", 1, run_warp, draw_warp },
	{ "seconds", 1, run_seconds, draw_seconds },
	{ "inject_to", 3, run_inject_to, draw_inject_to },
	{ "fll", 2, run_fll, draw_fll },
	{ "sleep", 4, run_sleep, draw_sleep },
	{ "aux", 2, run_aux, draw_aux },
	{ "aux_set", 3, run_aux_set, draw_aux_set },
	{ "aux_step", 2, run_aux_step, draw_aux_step },
	{ "aux_adjtimex", 1 + ADJTIMEX_ARGS, run_aux_adjtimex, draw_aux_adjtimex },
	{ "leap_second", 5, run_leap_second, draw_leap_second },
	{ "edge", 3, run_edge, draw_edge },
	{ "counter", 3, run_counter, draw_counter },
	{ "reference", 3, run_reference, draw_reference },
	{ "from", 1, run_from, draw_from },
	{ "boot", 3, run_boot, draw_boot },
	{ "exact", 3, run_exact, draw_exact },
	{ "near", 1, run_near, draw_near_cycles },
	{ "far", 1, run_far, draw_far },
	{ "behind", 1, run_behind, draw_behind },
	{ "swap", 3, run_counter, draw_swap },
	{ "stop", 1, run_stop, draw_stop },
	{ "pps", 5, run_pps, draw_pps },
	{ "pps_status", 1, run_pps_status, draw_pps_status },
};

const struct op_kind *op_at(u32 i)
{
	return i < TB_ARRAY_SIZE(kinds) ? &kinds[i] : NULL;
}

const struct op_kind *op_find(const char *name)
{
	for (size_t i = 0; i < TB_ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

bool op_is_init(const struct op *op)
{
	return op->kind && op->kind->run == run_init;
}

struct op op_draw(const struct op_kind *kind, u64 *random, long long bits)
{
	struct op op = { .kind = kind };

	if (kind->draw)
		kind->draw(random, bits, op.args);
	return op;
}

bool op_run(const struct op *op, struct difference *difference)
{
	*difference = (struct difference){ 0 };
	if (!op->kind || (!pair_started() && !op_is_init(op)))
		return true;
	op->kind->run(op->args, difference);
	if (!difference->found)
		pair_compare(difference);
	if (!difference->found)
		pair_readings(TK_SET_ALL, difference);
	difference->counter = pair_now();
	return !difference->found;
}
