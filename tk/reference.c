// SPDX-License-Identifier: GPL-2.0-or-later
/* The arithmetic of following a line. */
#include "tk/reference.h"

#define TIME_LIMIT_SEC (1LL << 33)

instant tk_reference_at(const struct tk_reference *reference, u64 counter, u64 mask)
{
	u64 ahead = (counter - reference->counter) & mask;
	bool before = ahead & ~(mask >> 1);
	u64 cycles = before ? (reference->counter - counter) & mask : ahead;
	/* At most 2^63 cycles (half the counter's width) times 2^64: within 127 bits. */
	u128 product = (u128)cycles * reference->period_frac;

	if (!before)
		return reference->time + (instant)(product >> reference->period_shift);
	/* Down, not towards the line's own point. */
	product += ((u128)1 << reference->period_shift) - 1;
	return reference->time - (instant)(product >> reference->period_shift);
}

enum tk_error tk_reference_tick(const struct tk_reference *reference, u64 cycle_interval, u32 hz,
				u64 *tick_length)
{
	u64 nominal = (TB_NSEC_PER_SEC << 32) / hz;
	u32 shift = 32 + reference->period_shift;
	u128 length;

	if (!reference->period_frac || reference->period_shift > 64)
		return TK_EINVAL;
	if (reference->time < 0 || reference->time >> 64 >= TIME_LIMIT_SEC)
		return TK_EINVAL;
	/* 2^33 * 2^64 * 2^30 is 127 bits. */
	length = (u128)cycle_interval * reference->period_frac * TB_NSEC_PER_SEC;
	length = (length + ((u128)1 << (shift - 1))) >> shift;
	if (length > nominal + nominal / 10 || length < nominal - nominal / 10)
		return TK_ERATE;
	*tick_length = (u64)length;
	return TK_OK;
}

s128 tk_reference_phase(instant at, s64 sec, s128 nsec_q32)
{
	/* Within 2^97; times 2^30 is 127 bits. An arithmetic shift rounds down: half a unit first. */
	s128 ahead = (at - ((instant)sec << 64)) * (s128)TB_NSEC_PER_SEC;

	return ((ahead + (1LL << 31)) >> 32) - nsec_q32;
}

struct tk_step tk_reference_step(s128 phase, u32 shift)
{
	u32 scale = 32 - shift;
	s128 snsec = scale ? (phase + ((s128)1 << (scale - 1))) >> scale : phase;

	return (struct tk_step){
		.snsec = snsec,
		.rest = (s64)(phase - (s128)((u128)snsec << scale)),
		.mono_ns = (s64)(snsec >> shift),
	};
}

s64 tk_reference_offset(s128 phase, u32 hz, s64 *rest)
{
	s64 offset = (s64)div_s128(phase, hz);

	*rest = (s64)(phase - (s128)offset * hz);
	return offset;
}
