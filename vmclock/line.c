// SPDX-License-Identifier: GPL-2.0-or-later
/* Arithmetic on a line: exact, in 128 bits. Assumes a line that vmclock_read() has accepted. */
#include "lib/line.h"
#include "vmclock/vmclock.h"

#define PPT 1000000000000ULL

instant vmclock_time_at(const struct vmclock_line *line, u64 counter)
{
	return line_at(line->time, line->counter_value, line->period_frac, line->period_shift,
		       counter, ~0ULL);
}

instant vmclock_utc_at(const struct vmclock_line *line, u64 counter)
{
	instant time = vmclock_time_at(line, counter);

	if (line->time_type == VMCLOCK_TIME_TAI)
		time -= instant_make(line->tai_offset_sec, 0);
	return time;
}

u64 vmclock_counter_hz(const struct vmclock_line *line)
{
	u128 rest, hz;

	/* 2^(64 + 64) would not fit; no counter below 10 GHz has a shift above 33. */
	if (!line->period_frac || line->period_shift > 63)
		return 0;
	hz = div_u128((u128)1 << (64 + line->period_shift), line->period_frac, &rest);
	return (u64)hz + (rest >= line->period_frac - rest);
}

void vmclock_period_ratio(u128 n, u128 d, u64 *period_frac, u8 *period_shift)
{
	u64 frac = 0;
	u8 shift = 0;

	/* Long division, a bit at a time: skip the zeros behind the point, then keep 64 bits. */
	while ((n << 1) < d) {
		n <<= 1;
		shift++;
	}
	for (int bit = 0; bit < 64; bit++) {
		n <<= 1;
		frac <<= 1;
		if (n >= d) {
			n -= d;
			frac |= 1;
		}
	}
	if ((n << 1) >= d && ++frac == 0) {
		frac = 1ULL << 63;
		shift--;
	}
	*period_frac = frac;
	*period_shift = shift;
}

void vmclock_period_from_hz(u64 hz, s64 rate_ppt, u64 *period_frac, u8 *period_shift)
{
	/* n < 2^41 and d < 2^74. */
	vmclock_period_ratio(PPT + (u64)rate_ppt, (u128)hz * PPT, period_frac, period_shift);
}

u64 vmclock_outlived(const struct vmclock_line *line, u64 now)
{
	s64 age;

	if (!line->period_maxerror || (s64)(now - line->counter_value) <= 0)
		return 0;
	/* The line is not before 1970, and `now` is later, so the difference fits. */
	age = (s64)((vmclock_time_at(line, now) - line->time) >> 64);
	return age < VMCLOCK_LINE_SECONDS ? 0 : (u64)age - VMCLOCK_LINE_SECONDS + 1;
}
