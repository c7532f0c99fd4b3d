// SPDX-License-Identifier: GPL-2.0-or-later
/* The arithmetic of following a line. */
#include "lib/line.h"
#include "tk/reference.h"

#define TIME_LIMIT_SEC (1LL << 33)

instant tk_reference_at(const struct tk_reference *reference, u64 counter, u64 mask)
{
	return line_at(reference->time, reference->counter, reference->period_frac,
		       reference->period_shift, counter, mask);
}

enum tk_error tk_reference_tick(const struct tk_reference *reference, u64 cycle_interval,
				u64 nominal, u64 *tick_length)
{
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

enum tk_error tk_reference_check(const struct tk_reference *reference, u64 counter, u64 mask)
{
	u64 ahead = (counter - reference->counter) & mask;
	u64 behind = (reference->counter - counter) & mask;
	u128 distance = ((u128)(ahead < behind ? ahead : behind) * reference->period_frac) >>
			reference->period_shift;
	instant at;

	/* The line's own time is below 2^33 s too, so the sum fits 128 bits. */
	if (distance >> 64 >= TIME_LIMIT_SEC)
		return TK_EINVAL;
	at = tk_reference_at(reference, counter, mask);
	return at < 0 || at >> 64 >= TK_SEC_MAX ? TK_EINVAL : TK_OK;
}

struct tk_correction tk_reference_correct(const struct tk_reference *reference,
					  const struct tk_told *told)
{
	struct tk_correction correction = { 0 };
	const u32 scale = 32 - told->shift;
	const bool whole = reference->rule & TK_PHASE_WHOLE_NS; /* all of it into time_offset */
	const s128 one_step = whole ? 0 : (s128)told->cycle_interval << scale;
	const s128 step_beyond = (s128)reference->step_ns << 32;
	const bool last = reference->rule & TK_PHASE_AT_LAST;
	const u64 ticks = last ? 0 : 1;
	const s128 ns = (s128)1 << 32;
	instant at = tk_reference_at(reference,
				     (told->cycle_last + ticks * told->cycle_interval) & told->mask,
				     told->mask);
	/* Below 2^97; times 2^30 it has 127 bits. The shift rounds down, so half a unit is added.
	 */
	s128 lead = (at - ((instant)told->sec << 64)) * (s128)TB_NSEC_PER_SEC;

	lead = ((lead + (1LL << 31)) >> 32) - (s128)((u128)told->snsec << scale) -
	       (s128)(ticks * told->tick_length);
	if (whole)
		lead = (lead < 0 ? -(-lead / ns) : lead / ns) * ns;

	if (lead <= one_step && lead >= -one_step) {
		correction.ntp_error = (s64)lead;
	} else if (lead > step_beyond || lead < -step_beyond) {
		/* Rounded to nearest. At a shift of 32, scale is 0. */
		correction.step_snsec = scale ? (lead + ((s128)1 << (scale - 1))) >> scale : lead;
		correction.step_mono_ns = (s64)(correction.step_snsec >> told->shift);
		correction.ntp_error = (s64)(lead - (s128)((u128)correction.step_snsec << scale));
	} else {
		const s128 slewed = lead - (lead > 0 ? one_step : -one_step);

		correction.time_offset = (s64)div_s128(slewed, told->hz);
		correction.ntp_error = (s64)(lead - (s128)correction.time_offset * told->hz);
	}
	return correction;
}

void tk_correction_step(const struct tk_correction *correction, u32 shift, s64 *sec, u64 *snsec)
{
	const s128 second = (s128)TB_NSEC_PER_SEC << shift;
	s128 sum = (s128)*snsec + correction->step_snsec;
	s128 whole = div_s128(sum, (u128)second);

	if (sum < whole * second)
		whole--; /* div_s128() rounds towards zero */
	*sec += (s64)whole;
	*snsec = (u64)(sum - whole * second);
}
