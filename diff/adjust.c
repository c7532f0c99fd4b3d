// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations that set and adjust the clock. Their draws meet every limit and both its neighbours.
 */
#include "diff/adjust.h"
#include "diff/draw.h"
#include "diff/pair.h"

#define FREQ_UNIT     65536000LL /* ns * 2^32 a second in a unit of user space's freq */
#define FREQ_OVERFLOW (0x7fffffffffffffffLL / FREQ_UNIT)
#define FREQ_MOST     (500LL << 16)
#define ANY_MODE      0x71bfU /* all but ADJ_ADJTIME */

/* A limit of the kernel's, or 1 above or below it; else any value up to `most`, as often. */
static long long draw_near(u64 *random, const long long *limits, u64 count, long long most)
{
	long long limit;

	if (draw(random) % 2)
		return draw_spread(random, most);
	limit = limits[draw(random) % count];
	if (draw(random) % 2)
		limit = -limit;
	return limit + draw_between(random, -1, 1);
}

#define NEAR(random, limits, most) draw_near(random, limits, TB_ARRAY_SIZE(limits), most)

struct tk_timex timex_of(const long long *args)
{
	return (struct tk_timex){
		.modes = (u32)args[0],
		.status = (s32)args[1],
		.offset = args[2],
		.freq = args[3],
		.maxerror = args[4],
		.esterror = args[5],
		.constant = args[6],
		.tick = args[7],
		.time_sec = args[8],
		.time_usec = args[9],
	};
}

void run_adjtimex(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = timex_of(args);

	pair_adjtimex(&timex, difference);
}

/* One to three bits of those that there are, or adjtime with and without what it must not have. */
static u32 draw_modes(u64 *random)
{
	static const u32 adjtime[] = { 0x8001, 0xa001, 0x8000, 0x8003, 0xa000, 0xc001 };
	u32 modes = 0;

	if (draw(random) % 8 == 0)
		return adjtime[draw(random) % TB_ARRAY_SIZE(adjtime)];
	for (u64 i = 1 + draw(random) % 3; i; i--)
		modes |= 1U << (draw(random) % 15);
	/* A step moves the clock so far that little else is tried afterwards: not every time. */
	if (draw(random) % 4)
		modes &= ~(u32)TK_ADJ_SETOFFSET;
	return modes & ANY_MODE;
}

static s32 draw_adjtimex_status(u64 *random)
{
	static const u32 masks[] = { 0xffff, TK_STA_PLL | TK_STA_FLL | TK_STA_FREQHOLD, 0x30 };
	const u32 mask = masks[draw(random) % TB_ARRAY_SIZE(masks)];
	const u32 always = draw(random) % 2 ? TK_STA_PLL : 0;

	return (s32)((draw(random) & mask) | always);
}

void draw_adjtimex(u64 *random, long long bits, long long *args)
{
	static const long long offsets[] = { 0,		1,	    500,      1000,
					     499999,	500000,	    999999,   1000000,
					     500000000, 1000000000, 1LL << 40 };
	static const long long freqs[] = { 0, 1, FREQ_MOST, FREQ_MOST + 1, FREQ_OVERFLOW };
	static const long long errors[] = { 0, 1, 15999000, 15999500, 16000000, 1LL << 40 };
	static const long long constants[] = { 0, 1, 4, 6, 10, 37, 100000, 1LL << 31, 1LL << 32 };
	static const long long ticks[] = { 9000, 10000, 11000 };
	static const long long fractions[] = { 0, 1, 999999, 1000000, 999999999, 1000000000 };
	static const long long seconds[] = { 0, 1, 1LL << 31, 1LL << 33, TK_SEC_MAX, 1LL << 62 };

	(void)bits;
	args[9] = NEAR(random, fractions, 1000000000);
	args[8] = NEAR(random, seconds, 100000);
	args[7] = NEAR(random, ticks, 11000);
	if (args[7] < 0)
		args[7] = -args[7];
	args[6] = NEAR(random, constants, 12);
	args[5] = NEAR(random, errors, 20000000);
	args[4] = NEAR(random, errors, 20000000);
	args[3] = NEAR(random, freqs, FREQ_MOST);
	args[2] = NEAR(random, offsets, 600000000);
	args[1] = draw_adjtimex_status(random);
	args[0] = draw_modes(random);
	/* A phase that does not fit 64 bits in ns. */
	if (!(args[0] & TK_ADJ_ADJTIME) && (args[2] > 1LL << 39 || args[2] < -(1LL << 39)))
		args[2] *= 1 << 22;
}

void run_query(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { 0 };

	(void)args;
	pair_adjtimex(&timex, difference);
}

void run_adjtime_left(const long long *args, struct difference *difference)
{
	const struct tk_timex timex = { .modes = TK_ADJ_ADJTIME | TK_ADJ_OFFSET | TK_ADJ_READONLY };

	(void)args;
	pair_adjtimex(&timex, difference);
}

void run_set(const long long *args, struct difference *difference)
{
	pair_settime(args[0], (u32)args[1], difference);
}

void draw_set(u64 *random, long long bits, long long *args)
{
	static const long long nsecs[] = { 0, 1, 999999999, 1000000000, 0xffffffff };
	static const long long secs[] = { 0, TK_SEC_MAX };

	(void)bits;
	args[1] = draw(random) % 2 ? draw_between(random, 0, 999999999)
				   : nsecs[draw(random) % TB_ARRAY_SIZE(nsecs)];
	args[0] = draw(random) % 2 ? draw_between(random, 1000000, 1LL << 32)
				   : NEAR(random, secs, TK_SEC_MAX);
}

void run_ahead(const long long *args, struct difference *difference)
{
	struct tk_time time;
	s64 ns;

	pair_time(&time);
	ns = time.mono_ns + args[0];
	if (ns >= 0)
		pair_settime(ns / 1000000000, (u32)(ns % 1000000000), difference);
}

void draw_ahead(u64 *random, long long bits, long long *args)
{
	static const long long limits[] = { 0, 1000000000 };

	(void)bits;
	args[0] = NEAR(random, limits, 1000000000);
}

void run_warp(const long long *args, struct difference *difference)
{
	pair_warp((s32)args[0], difference);
}

void draw_warp(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[0] = draw(random) % 2 ? draw_between(random, -1, 1) : draw_between(random, -840, 720);
}

/* Of each time_freq that this leads to, a tick's share is rounded in another way. */
void run_fll(const long long *args, struct difference *difference)
{
	u64 random = (u64)args[1] | 1;

	for (long long i = 0; i < args[0] && !difference->found; i++) {
		const s64 offset = draw_between(&random, -1000000, 1000000);
		const struct tk_timex timex = {
			.modes = TK_ADJ_OFFSET | TK_ADJ_STATUS | TK_ADJ_NANO,
			.status = TK_STA_PLL | (offset & 7 ? TK_STA_FLL : 0),
			.offset = offset,
		};

		for (int j = 0; j < 2; j++) {
			pair_pass(pair_counter_hz() * 130);
			pair_tick(difference);
		}
		pair_adjtimex(&timex, difference);
		pair_tick(difference);
	}
}

void draw_fll(u64 *random, long long bits, long long *args)
{
	(void)bits;
	args[1] = (long long)(draw(random) >> 1);
	args[0] = draw_between(random, 1, 300);
}

void run_inject_to(const long long *args, struct difference *difference)
{
	const bool nano = args[2] & TK_ADJ_NANO;
	struct tk_timex timex = { .modes = TK_ADJ_SETOFFSET | (nano ? TK_ADJ_NANO : 0) };
	struct tk_time time;
	s64 nsec;

	pair_time(&time);
	nsec = args[1] - (s64)time.nsec;
	timex.time_sec = args[0] - time.sec - (nsec < 0);
	nsec += nsec < 0 ? 1000000000 : 0;
	timex.time_usec = nano ? nsec : nsec / 1000;
	pair_adjtimex(&timex, difference);
}

/* Around the first and the last time that there can be. */
void draw_inject_to(u64 *random, long long bits, long long *args)
{
	static const long long nsecs[] = { 0, 1, 999, 1000, 999999999 };

	(void)bits;
	args[2] = draw(random) % 2 ? TK_ADJ_NANO : 0;
	args[1] = nsecs[draw(random) % TB_ARRAY_SIZE(nsecs)];
	args[0] = draw(random) % 4 ? TK_SEC_MAX : 0;
	args[0] += draw_between(random, -2, 1);
}

void run_seconds(const long long *args, struct difference *difference)
{
	for (long long i = 0; i < args[0] && !difference->found; i++) {
		difference->tick = (u64)i;
		pair_pass(pair_counter_hz());
		pair_tick(difference);
	}
}

/* Up to the phase loop's limits of time: 256 and 2048 s. */
void draw_seconds(u64 *random, long long bits, long long *args)
{
	static const long long limits[] = { 1, 16, 256, 2048 };

	(void)bits;
	args[0] = NEAR(random, limits, 300);
	if (args[0] < 0)
		args[0] = -args[0];
}
