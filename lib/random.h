/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pseudo-random numbers: the same seed gives the same numbers in the guest and in a host process.
 * There are two generators because each stands behind figures or seeds that were reported with it;
 * replacing one by the other would change them. New code takes random_next().
 */
#ifndef TB_LIB_RANDOM_H
#define TB_LIB_RANDOM_H

#include "lib/types.h"

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators): late and skipped
 * ticks. Any seed serves, also 0. */
static inline u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* xorshift64* (Vigna: An experimental exploration of Marsaglia's xorshift generators, scrambled):
 * the random scripts of the comparison. The state must not be 0. */
static inline u64 random_xorshift(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif
