// SPDX-License-Identifier: GPL-2.0-or-later
/* The themes of random episodes, as data, and the draw from them. */
#include <stddef.h>

#include "diff/draw.h"
#include "diff/episode.h"
#include "diff/pair.h"

#define THEME_OPS 16

/* Which operations an episode consists of, beside `ticks`, and how likely each is. */
struct theme {
	bool brief; /* little time passes between operations: so that many of them are done */
	struct {
		const char *name; /* in the table of ops.c; NULL ends the list */
		u32 weight;
	} ops[THEME_OPS];
};

static const struct theme themes[] = {
	/* everything */
	{ .ops = { { "offset", 2 },
		   { "adjtime", 3 },
		   { "freq", 1 },
		   { "constant", 1 },
		   { "status", 1 },
		   { "settime", 1 },
		   { "counter", 1 },
		   { "inject", 1 },
		   { "reference", 1 },
		   { "read", 1 },
		   { "pass", 2 },
		   { "tick", 2 },
		   { "adjtimex", 2 } } },
	/* midnights and leap seconds */
	{ .brief = true,
	  .ops = { { "midnight", 3 },
		   { "status", 5 },
		   { "settime", 2 },
		   { "tai", 3 },
		   { "edge", 1 },
		   { "leap_second", 3 },
		   { "leap", 3 } } },
	/* slews, small and large, in the same and in opposite directions */
	{ .ops = { { "time_offset", 4 }, { "constant", 3 }, { "adjtime", 3 }, { "tai", 1 } } },
	/* rates and counters */
	{ .ops = { { "freq", 2 },
		   { "tick_usec", 2 },
		   { "counter", 2 },
		   { "reference", 3 },
		   { "pass", 1 },
		   { "tai", 1 },
		   { "edge", 1 } } },
	/* every way to set and adjust, with limits and beyond them */
	{ .brief = true,
	  .ops = { { "adjtimex", 8 },
		   { "query", 2 },
		   { "adjtime_left", 1 },
		   { "set", 1 },
		   { "ahead", 1 },
		   { "warp", 1 },
		   { "fll", 1 },
		   { "inject_to", 1 },
		   { "seconds", 2 },
		   { "adjtime", 2 },
		   { "time_offset", 1 },
		   { "settime", 1 },
		   { "inject", 1 },
		   { "status", 1 },
		   { "read", 1 } } },
	/* auxiliary clocks, and the main one beside them */
	{ .brief = true,
	  .ops = { { "aux", 4 },
		   { "aux_set", 2 },
		   { "aux_step", 1 },
		   { "tick", 1 },
		   { "aux_adjtimex", 8 },
		   { "adjtimex", 2 },
		   { "counter", 1 },
		   { "seconds", 1 },
		   { "pass", 2 },
		   { "settime", 1 },
		   { "tai", 1 } } },
	/* what the counter itself does */
	{ .brief = true,
	  .ops = { { "from", 2 },
		   { "boot", 2 },
		   { "exact", 2 },
		   { "near", 2 },
		   { "far", 3 },
		   { "behind", 3 },
		   { "swap", 3 },
		   { "stop", 1 },
		   { "freq", 1 },
		   { "time_offset", 1 },
		   { "adjtime", 1 },
		   { "pass", 1 },
		   { "settime", 1 },
		   { "read", 1 } } },
	/* suspend and resume */
	{ .brief = true,
	  .ops = { { "sleep", 6 },
		   { "boot", 1 },
		   { "pass", 1 },
		   { "freq", 1 },
		   { "time_offset", 1 },
		   { "settime", 1 },
		   { "tai", 1 },
		   { "read", 1 } } },
};

/* A pulse per second, where both cores take pulses: in every second episode. */
static const struct theme pulses = { .brief = true,
				     .ops = { { "pps", 8 },
					      { "pps_status", 3 },
					      { "seconds", 3 },
					      { "status", 1 },
					      { "freq", 1 },
					      { "tick_usec", 1 },
					      { "adjtime", 1 },
					      { "constant", 1 },
					      { "offset", 1 },
					      { "settime", 1 },
					      { "aux", 1 },
					      { "aux_adjtimex", 1 } } };

/* A brief one costs few ticks: so it comes more often. */
static const struct theme *draw_theme(u64 *random)
{
	const struct theme *theme;

	if (pair_pulses() && draw(random) % 2)
		return &pulses;
	do {
		theme = &themes[draw(random) % TB_ARRAY_SIZE(themes)];
	} while (!theme->brief && draw(random) % 8);
	return theme;
}

static const struct op_kind *draw_kind(const struct theme *theme, u64 *random)
{
	u32 sum = theme->ops[0].weight;
	u64 rest;
	int i;

	for (i = 1; theme->ops[i].name; i++)
		sum += theme->ops[i].weight;
	rest = draw(random) % sum;
	for (i = 0; rest >= theme->ops[i].weight; i++)
		rest -= theme->ops[i].weight;
	return op_find(theme->ops[i].name);
}

static const struct op_kind *only;

void episode_only(const struct op_kind *kind)
{
	only = kind;
}

struct op episode_next(u64 *random, const struct theme **theme)
{
	static const long long widths[] = { 64, 64, 64, 56, 48, 32 };
	long long bits = widths[draw(random) % TB_ARRAY_SIZE(widths)];

	if (!*theme) {
		*theme = draw_theme(random);
		return op_draw(op_find("init"), random, bits);
	}
	/* Every second operation lets time pass. */
	if (draw(random) % 2) {
		struct op op = op_draw(op_find("ticks"), random, bits);

		if (draw(random) % ((*theme)->brief ? 256 : 4))
			op.args[0] = 1 + (op.args[0] & 31);
		return op;
	}
	return op_draw(only ? only : draw_kind(*theme, random), random, bits);
}
