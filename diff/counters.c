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
