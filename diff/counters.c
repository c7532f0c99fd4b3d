// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a counter may do: start or end anywhere, wrap, be far ahead or a little behind, be another
 * one, be recalibrated.
 */
#include "diff/counters.h"
#include "diff/draw.h"
#include "diff/pair.h"

void run_from(const long long *args, struct difference *difference)
{
	pair_restart((u64)args[0], difference);
}

/* Soon before a value at which a counter of some width wraps, or is taken for a negative number. */
static long long draw_start(u64 *random)
{
	static const u32 edges[] = { 24, 31, 32, 48, 56, 63, 64 };
	u32 bits = edges[draw(random) % TB_ARRAY_SIZE(edges)];
	u64 edge = bits == 64 ? 0 : 1ULL << bits;

	return (long long)(edge - (draw(random) >> (24 + draw(random) % 40)));
}

void draw_from(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_start(random);
}

void run_boot(const long long *args, struct difference *difference)
{
	pair_boot(args[0], (u64)args[1], (enum pair_persistent)args[2], difference);
}

/* Seconds around the one that draw_init() has; and whole nanoseconds that every HZ divides. */
void draw_boot(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[2] = draw(random) % 4 ? PERSISTENT_READS : draw_between(random, 1, 2);
	args[1] = draw(random) % 4 ? (long long)(draw(random) % (1ULL << (1 + draw(random) % 40)))
				   : draw_between(random, 0, 2LL << 32) * 1000000000;
	args[0] = 125 * draw_spread(random, 1000);
}

/*
 * At 1 GHz a cycle is a nanosecond, without rest: so a second can end exactly where something is
 * done.
 */
void run_exact(const long long *args, struct difference *difference)
{
	const struct tk_counter counter = { .hz = 1000000000, .mask = ~0ULL };
	const struct tk_sleep before = { 0 }, after = { .nonstop_ns = 1000000000 };
	const struct tk_timex step = { .modes = TK_ADJ_SETOFFSET, .time_sec = 1 };
	struct tk_time time;

	pair_init(&counter, 1000000000, (u32)args[1], difference);
	pair_pass((u64)(1000000000 + args[0]));
	switch (args[2]) {
	case 0:
		pair_tick(difference);
		break;
	case 1:
		pair_time(&time);
		pair_settime(time.sec + 1, time.nsec, difference);
		break;
	case 2:
		pair_adjtimex(&step, difference);
		break;
	case 3:
		pair_suspend(&before, difference);
		pair_pass(1000000000);
		pair_resume(&after, difference);
		break;
	default:
		pair_change_counter(&counter, 5, difference);
		break;
	}
}

void draw_exact(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[2] = draw_between(random, 0, 4);
	args[1] = draw(random) % 2 ? 0 : draw_between(random, 0, 999999999);
	args[0] = draw_between(random, -1, 1);
	if (draw(random) % 4 == 0)
		args[0] -= args[1];
}

void run_near(const long long *args, struct difference *difference)
{
	struct tk_time time;

	pair_pass((u64)args[0]);
	pair_time(&time);
	pair_settime(time.sec, time.nsec, difference);
}

void draw_near_cycles(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 0, 9);
}

void run_far(const long long *args, struct difference *difference)
{
	pair_far((u32)args[0], difference);
}

void draw_far(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 1, 30);
}

void run_behind(const long long *args, struct difference *difference)
{
	pair_behind((u64)args[0], difference);
}

void draw_behind(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 0, 1LL << draw(random) % 40);
}

/* Coarse ones tick at up to 25 MHz: even 24 bits last for some ticks. */
void draw_swap(u64 *random, long long bits, long long *args)
{
	static const struct {
		long long hz, bits;
	} counters[] = {
		{ 2596146000, 64 }, { 3579545, 24 },	{ 3579545, 32 },  { 14318180, 32 },
		{ 32768, 32 },	    { 4999999999, 64 }, { 24000000, 56 }, { 1000000, 24 }
	};
	u32 which = draw(random) % TB_ARRAY_SIZE(counters);

	(void)bits;
	args[2] = draw_start(random);
	args[1] = counters[which].bits;
	args[0] = counters[which].hz;
}

void run_stop(const long long *args, struct difference *difference)
{
	pair_stop((u64)args[0], difference);
}

void draw_stop(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw_between(random, 0, 100000000);
}
