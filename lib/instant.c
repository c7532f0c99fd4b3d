// SPDX-License-Identifier: GPL-2.0-or-later
/* 64.64 fixed point and 128-bit division, with no help from a compiler run-time library. */
#include "lib/instant.h"
#include "lib/math.h"

/* Schoolbook division in base 2^32 by a single digit: four 64-by-32-bit steps. */
static u128 div_by_digit(u128 n, u32 d, u128 *rem)
{
	u128 quotient = 0;
	u64 r = 0;

	for (int shift = 96; shift >= 0; shift -= 32) {
		u64 part = (r << 32) | (u32)(n >> shift);

		quotient |= (u128)(part / d) << shift;
		r = part % d;
	}
	*rem = r;
	return quotient;
}

u128 div_u128(u128 n, u128 d, u128 *rem)
{
	u128 quotient = 0, unused;
	int shift;

	if (!rem)
		rem = &unused;
	if (!(n >> 64) && !(d >> 64)) {
		*rem = (u64)n % (u64)d;
		return (u64)n / (u64)d;
	}
	if (!(d >> 32))
		return div_by_digit(n, (u32)d, rem);

	/* One bit at a time. Only reports divide by such wide divisors. */
	shift = (int)bits_of(n) - (int)bits_of(d);
	for (; shift >= 0; shift--) {
		/* n < 2^128 and d << shift has no more bits than n: nothing is shifted out. */
		if (n >= d << shift) {
			n -= d << shift;
			quotient |= (u128)1 << shift;
		}
	}
	*rem = n;
	return quotient;
}

/*
 * rem 2^64 + low, ns * 2^64, with rem < 10^9, as a fraction of a second * 2^64, rounded down: two
 * steps in base 2^32. The divisor is a constant, so the compiler multiplies instead.
 */
static u64 second_fraction(u64 rem, u64 low)
{
	const u64 first = (rem << 32) | (low >> 32);
	const u64 second = ((first % TB_NSEC_PER_SEC) << 32) | (u32)low;

	return (first / TB_NSEC_PER_SEC << 32) + second / TB_NSEC_PER_SEC;
}

instant instant_from_snsec(s64 sec, u128 snsec, u32 shift)
{
	/*
	 * The whole nanoseconds and their shifted remainder are divided separately, so that 64 more
	 * bits fit.
	 */
	u128 nsec = snsec >> shift;
	u128 rest = snsec & (((u128)1 << shift) - 1); /* < 2^32 */
	u128 whole, rem;

	if (nsec >> 64) {
		whole = div_u128(nsec, TB_NSEC_PER_SEC, &rem);
	} else {
		whole = (u64)nsec / TB_NSEC_PER_SEC;
		rem = (u64)nsec % TB_NSEC_PER_SEC;
	}
	return (instant)((u128)((s128)sec + (s128)whole) << 64) +
	       (instant)second_fraction((u64)rem, (u64)((rest << 64) >> shift));
}

void instant_to_timespec(instant t, s64 *sec, u32 *nsec)
{
	*sec = (s64)(t >> 64);
	*nsec = (u32)(((u128)(u64)t * TB_NSEC_PER_SEC) >> 64);
}

s64 instant_to_fsec(instant t)
{
	const s64 limit = (s64)((~0ULL) >> 1);
	s128 whole = t >> 64; /* rounded down; the fraction is positive */
	s128 fsec;

	/* 9224 * 10^15 is past 2^63, so nothing below overflows 128 bits or hides a saturation. */
	if (whole > 9224)
		return limit;
	if (whole < -9225)
		return -limit;
	fsec = whole * TB_FSEC_PER_SEC;
	fsec += (s128)(((u128)(u64)t * (u64)TB_FSEC_PER_SEC + ((u128)1 << 63)) >> 64);
	if (fsec > limit)
		return limit;
	if (fsec < -limit)
		return -limit;
	return (s64)fsec;
}

instant instant_from_nsec(s64 nsec)
{
	u64 magnitude = nsec < 0 ? -(u64)nsec : (u64)nsec;
	u128 rem;
	u128 t = div_u128(((u128)magnitude << 64) + TB_NSEC_PER_SEC / 2, TB_NSEC_PER_SEC, &rem);

	return nsec < 0 ? -(instant)t : (instant)t;
}
