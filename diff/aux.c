// SPDX-License-Identifier: GPL-2.0-or-later
/* Auxiliary clocks of both cores. */
#include "diff/aux.h"
#include "diff/adjust.h"
#include "diff/draw.h"
#include "diff/pair.h"

void run_aux(const long long *args, struct difference *difference)
{
	pair_aux_enable((u32)args[0] % TK_AUX_CLOCKS, args[1], difference);
}

/* The first and the last clock, mostly; and mostly on. */
static long long draw_id(u64 *random)
{
	static const long long ids[] = { 0, 0, 7, 7, 3 };

	return ids[draw(random) % TB_ARRAY_SIZE(ids)];
}

void draw_aux(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[1] = draw(random) % 4 != 0;
	args[0] = draw_id(random);
}

void run_aux_set(const long long *args, struct difference *difference)
{
	pair_aux_settime((u32)args[0] % TK_AUX_CLOCKS, args[1], (u32)args[2], difference);
}

void draw_aux_set(u64 *random, long long bits, long long *args)
{
	draw_set(random, bits, args + 1);
	args[0] = draw_id(random);
}

void run_aux_adjtimex(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = timex_of(args + 1);

	pair_aux_adjtimex((u32)args[0] % TK_AUX_CLOCKS, &timex, difference);
}

void draw_aux_adjtimex(u64 *random, long long bits, long long *args)
{
	draw_adjtimex(random, bits, args + 1);
	args[0] = draw_id(random);
}
