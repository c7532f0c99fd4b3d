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

/* The first and the last clock, mostly; seldom one that there cannot be. */
static long long draw_id(u64 *random)
{
	static const long long ids[] = { 0, 0, 0, 0, 7, 7, 7, 7, 3, 8 };

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
	pair_aux_settime((u32)args[0] % (TK_AUX_CLOCKS + 1), args[1], (u32)args[2], difference);
}

void draw_aux_set(u64 *random, long long bits, long long *args)
{
	draw_set(random, bits, args + 1);
	args[0] = draw_id(random);
}

void run_aux_adjtimex(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = timex_of(args + 1);

	pair_aux_adjtimex((u32)args[0] % (TK_AUX_CLOCKS + 1), &timex, difference);
}

/* In nanoseconds, so that the clock shows args[1] afterwards. */
void run_aux_step(const long long *args, struct difference *difference)
{
	const u32 id = (u32)args[0] % TK_AUX_CLOCKS;
	s64 now = 0, by;

	if (!pair_aux_time(id, &now))
		return;
	by = args[1] - now;
	pair_aux_adjtimex(id,
			  &(struct tk_timex){
				  .modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO,
				  .time_sec = by / 1000000000 - (by % 1000000000 < 0),
				  .time_usec = by % 1000000000 + (by % 1000000000 < 0) * 1000000000,
			  },
			  difference);
}

void draw_aux_step(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[1] = draw(random) % 2 ? draw_between(random, -1, 1) : draw_spread(random, 1LL << 40);
	args[0] = draw_id(random);
}

void draw_aux_adjtimex(u64 *random, long long bits, long long *args)
{
	draw_adjtimex(random, bits, args + 1);
	args[0] = draw_id(random);
}
