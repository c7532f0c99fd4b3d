/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pseudorandom numbers, the same for the same seed in each vehicle. */
#ifndef TB_LIB_RANDOM_H
#define TB_LIB_RANDOM_H

#include "lib/types.h"

/*
 * splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators): any seed is
 * valid, also 0.
 */
static inline u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

#endif
