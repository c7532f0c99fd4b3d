/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time on a line: time(c) = time + (c - counter) * period_frac * 2^-(64 + period_shift) s. */
#ifndef TB_LIB_LINE_H
#define TB_LIB_LINE_H

#include "lib/instant.h"

/*
 * The time at `counter`, rounded down to 2^-64 s. `mask` is 2^bits - 1 for a counter of that many
 * bits. Half of its range is after line_counter, the other half before it. The caller keeps the
 * result within an instant: half the range times the period is below 2^62 s, and so is |time|.
 */
instant line_at(instant time, u64 line_counter, u64 period_frac, u8 period_shift, u64 counter,
		u64 mask);

#endif
