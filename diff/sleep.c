// SPDX-License-Identifier: GPL-2.0-or-later
/* Suspend and resume of both cores. */
#include "diff/sleep.h"
#include "diff/draw.h"
#include "diff/pair.h"
#include "tk/clocks.h"

#define NSEC 1000000000LL

enum {
	SOURCE_PERSISTENT = 1,
	SOURCE_NONSTOP = 2,
	SOURCE_RTC = 4,
	SOURCE_WRONG = 8,
};

static struct tk_sleep sleep_of(s64 persistent_ns, u64 nonstop_ns)
{
	return (struct tk_sleep){
		.persistent_sec = persistent_ns / NSEC,
		.persistent_nsec = (u32)(persistent_ns % NSEC),
		.nonstop_ns = nonstop_ns,
	};
}

void run_sleep(const long long *args, struct difference *difference)
{
	const u64 slept = (u64)args[1];
	struct tk_sleep before = { 0 }, after = { 0 };
	struct tk_time time;

	pair_time(&time);
	if (args[0] & SOURCE_PERSISTENT) {
		s64 ns = time.sec * NSEC + time.nsec + args[3];

		if (ns <= 0 || ns + (s64)slept <= 0)
			return; /* a clock before the epoch is none */
		before = sleep_of(ns, 0);
		after = sleep_of(ns + (s64)slept, 0);
	}
	if (args[0] & SOURCE_NONSTOP)
		after.nonstop_ns = slept;
	pair_suspend(&before, difference);
	pair_readings(TK_SET_ALL, difference);
	pair_pass((u64)args[2] / 2);
	pair_tick(difference);
	pair_skip((u64)args[2] / 2);
	/* Nobody may read the counter meanwhile, which may have wrapped. */
	pair_readings(TK_SET_FAST | TK_SET_COPIES | TK_SET_TOLD, difference);
	pair_resume(&after, difference);
	/* The RTC's driver comes later. */
	pair_pass((u64)args[2] / 3);
	if (args[0] & SOURCE_WRONG)
		pair_inject_sleep(args[3] < 0 ? -1 : 1, args[3] > 0 ? (u32)NSEC : 0, difference);
	if (args[0] & SOURCE_RTC)
		pair_inject_sleep((s64)slept / NSEC, (u32)((s64)slept % NSEC), difference);
	pair_readings(TK_SET_ALL, difference);
}

/* Whole seconds, as an RTC has them, or any; and clocks that go apart by about 2 s, or jump. */
void draw_sleep(u64 *random, long long bits, long long *args)
{
	static const long long edges[] = { 0, 1, NSEC - 1, NSEC, 2 * NSEC - 1, 2 * NSEC, 3 * NSEC };

	(void)bits;
	args[3] = draw(random) % 2 ? edges[draw(random) % TB_ARRAY_SIZE(edges)]
				   : draw_spread(random, 5 * NSEC);
	if (draw(random) % 2)
		args[3] = -args[3];
	args[2] = draw_between(random, 0, 10000000000LL >> draw(random) % 30);
	args[1] = draw(random) % 2 ? NSEC * draw_between(random, 0, 100000)
				   : (long long)(draw(random) % (1ULL << (1 + draw(random) % 48)));
	args[0] = (long long)(draw(random) % 16);
}
