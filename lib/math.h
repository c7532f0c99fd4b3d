/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small arithmetic. */
#ifndef TB_LIB_MATH_H
#define TB_LIB_MATH_H

#include "lib/types.h"

/* |x|; x above -2^63. */
static inline s64 magnitude(s64 x)
{
	return x < 0 ? -x : x;
}

/* How many bits a number has; 0 has none. */
static inline u32 bits_of(u128 n)
{
	u64 high = (u64)(n >> 64), low = (u64)n;

	if (high)
		return 128 - (u32)__builtin_clzll(high);
	return low ? 64 - (u32)__builtin_clzll(low) : 0;
}

/* Integer square root by bits, rounded down. */
static inline u64 root(u128 n)
{
	u64 r = 0;

	for (int bit = 63; bit >= 0; bit--) {
		u64 next = r | (1ULL << bit);

		if ((u128)next * next <= n)
			r = next;
	}
	return r;
}

#endif
