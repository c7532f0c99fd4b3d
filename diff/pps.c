// SPDX-License-Identifier: GPL-2.0-or-later
/* A pulse per second, of sources that are sound, off, noisy, late, or gone for a while. */
#include "diff/draw.h"
#include "diff/pair.h"
#include "diff/pps.h"

#define NSEC ((s64)TB_NSEC_PER_SEC)
#define BITS (TK_STA_PPSFREQ | TK_STA_PPSTIME | TK_STA_FREQHOLD | TK_STA_NANO)

static s64 noise(u64 *random, s64 most)
{
	return most ? (s64)(random_next(random) % (u64)(2 * most + 1)) - most : 0;
}

void run_pps(const long long *args, struct difference *difference)
{
	const struct tk_timex query = { 0 };
	u64 random = (u64)args[4];
	struct tk_state state;

	if (!pair_pulses())
		return;
	pair_state(&state);
	for (long long i = 0; i < args[0] && !difference->found; i++) {
		const s64 late = (args[3] + noise(&random, args[2])) % NSEC;
		struct tk_time time;

		pair_time(&time);
		pair_hardpps(args[1] + noise(&random, args[2]), time.sec,
			     (u32)(late < 0 ? late + NSEC : late));
		pair_pass(state.cycle_interval);
		pair_tick(difference);
		pair_adjtimex(&query, difference);
	}
}

/* Exactly where a pulse is still one, and where a frequency is still no leap; and beyond. */
static long long draw_off(u64 *random)
{
	static const long long edges[] = { 0, 100000, 100001, 500000, 500001 };
	const long long edge = edges[draw(random) % TB_ARRAY_SIZE(edges)];

	if (draw(random) % 2)
		return draw_spread(random, 510000);
	return draw(random) % 2 ? edge : -edge;
}

/* Most are whole seconds apart, as calibration needs it. */
void draw_pps(u64 *random, long long bits, long long *args)
{
	/* Up to 8 s apart, the longest first interval: others are errors or no pulses. */
	const long long seconds = draw_between(random, 0, draw(random) % 4 ? 8 : 1030);

	(void)bits;
	args[4] = (long long)(draw(random) >> 1);
	args[3] = draw(random) % 4 ? draw_spread(random, NSEC)
				   : NSEC / 2 + draw_between(random, -1, 1);
	args[2] = draw(random) % 2 ? draw_between(random, 0, NSEC >> draw(random) % 30) : 0;
	args[1] = seconds * (NSEC + draw_off(random));
	args[0] = draw_between(random, 1, 400 >> draw(random) % 8);
}

void run_pps_status(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_STATUS,
					.status = TK_STA_PLL | ((s32)args[0] & BITS) };

	pair_adjtimex(&timex, difference);
}

void draw_pps_status(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = (long long)(draw(random) & draw(random) & TK_STA_FREQHOLD);
	args[0] |= (long long)(draw(random) & (BITS & ~TK_STA_FREQHOLD));
}
