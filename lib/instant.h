/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instants and durations in 64.64 fixed point: a signed 128-bit count of 2^-64 s, as the vmclock
 * page has it. Each function is exact or states how it rounds. None depends on the vehicle, so the
 * guest and the host process agree to the last bit. Callable from any context.
 */
#ifndef TB_LIB_INSTANT_H
#define TB_LIB_INSTANT_H

#include "lib/types.h"

typedef s128 instant; /* 2^-64 s */

/* 2026-01-01, when simulated time starts: seconds since 1970. */
#define YEAR_2026_SEC 1767225600LL

/* n / d and n % d for a 128-bit dividend without a compiler run-time library; d must not be 0. */
u128 div_u128(u128 n, u128 d, u128 *rem);

/* The same for a signed dividend, rounded towards zero as C does; d > 0. */
static inline s128 div_s128(s128 n, u128 d)
{
	return n < 0 ? -(s128)div_u128(-(u128)n, d, NULL) : (s128)div_u128((u128)n, d, NULL);
}

/* Seconds and binary fraction, as in vmclock's time_sec and time_frac_sec. */
static inline instant instant_make(s64 sec, u64 frac)
{
	return (instant)(((u128)(u64)sec << 64) | frac);
}

/*
 * sec s + snsec 2^-shift ns. snsec < 2^(64 + 24) keeps the product in 128 bits; shift is 0 to 32.
 * Rounds down to 2^-64 s.
 */
instant instant_from_snsec(s64 sec, u128 snsec, u32 shift);

/* An instant as whole nanoseconds (rounded down) within its second, and its second. */
void instant_to_timespec(instant t, s64 *sec, u32 *nsec);

/* A duration in femtoseconds, rounded to nearest; saturates at +-2^63 - 1 fs (about 9223 s). */
s64 instant_to_fsec(instant t);

/* Nanoseconds (any s64) as a duration, rounded to nearest. */
instant instant_from_nsec(s64 nsec);

#endif
