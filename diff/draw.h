/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random arguments. `random` is the state of the generator and must not be 0. */
#ifndef TB_DIFF_DRAW_H
#define TB_DIFF_DRAW_H

#include "lib/random.h"

static inline u64 draw(u64 *random)
{
	return random_xorshift(random);
}

/* Uniform, both ends included. */
static inline long long draw_between(u64 *random, long long low, long long high)
{
	return low + (long long)(draw(random) % (u64)(high - low + 1));
}

/* From -most to most; each order of magnitude is about equally likely. */
static inline long long draw_spread(u64 *random, long long most)
{
	long long value = draw_between(random, 0, most);

	for (u64 halve = draw(random) % 40; halve && value; halve--)
		value >>= 1;
	return draw(random) & 1 ? value : -value;
}

#endif
