/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of an error over time, in integers, so that each vehicle gets the same digits. Errors
 * are femtoseconds, clamped to +-1000 s; times are microseconds since the start.
 */
#ifndef TB_LIB_STATS_H
#define TB_LIB_STATS_H

#include "lib/types.h"

struct sample {
	u64 counter;
	s64 error_fs;
};

struct stats {
	/* Kept samples: every 2^decimation-th, in a buffer that the vehicle provides. */
	struct sample *samples;
	u32 capacity; /* a power of two, at least 2 */
	u32 kept;
	u32 decimation;

	u64 count;
	u64 backwards;
	s64 max_abs_fs, min_fs, max_fs, first_fs, last_fs;
	s128 sum_fs;
	u128 sum_squares;  /* of errors in picoseconds, >> squares_shift */
	u32 squares_shift; /* 0 until the sum would not fit */
	/*
	 * Least squares of error (fs) on time, in units of 2^time_shift us: 0 up to 2^37 us (38
	 * hours) and 2^28 samples, and coarser where the sums would not fit.
	 */
	s128 sum_t, sum_tt, sum_te;
	u32 time_shift;
	/*
	 * The first time after which |e| stayed within 10 ns, and within 1 ns; -1 if it never did.
	 */
	s64 within_10ns_us, within_1ns_us;
	s64 last_us;
};

void stats_init(struct stats *stats, struct sample *buffer, u32 capacity);
/* Starts a new window: clears all but the buffer. */
void stats_reset(struct stats *stats);
void stats_add(struct stats *stats, u64 counter, s64 time_us, s64 error_fs);

s64 stats_mean_fs(const struct stats *stats);
s64 stats_rms_fs(const struct stats *stats);
/* Slope of the least-squares line, in 10^-6 ns/s (fs a second). 0 if all samples have one time; the
 * largest number of its sign if it does not fit. */
s64 stats_drift_fs_per_s(const struct stats *stats);
/*
 * Standard error of that slope, fs a second, from the residuals of the kept samples about the line
 * through them: sqrt(W / sum((t - mean t)^2)), where W is the largest of the variances of batch
 * means times the batch length, over batches of 1, 2, 4, ... samples, at least 8 batches. For
 * independent residuals W is their variance; correlated ones widen it, on whatever time scale they
 * are correlated; alternating ones (a dither) do not narrow it. A pure slope has no residuals and
 * an error of 0. counter_hz: of the samples' counter. Overwrites `scratch` (capacity entries).
 */
s64 stats_drift_error_fs_per_s(const struct stats *stats, u64 counter_hz, s64 *scratch);
/* The p-th percentile of |e| over the kept samples, p in per mille. Sorts the kept samples' errors
 * in `scratch` (capacity entries). */
s64 stats_percentile_abs_fs(const struct stats *stats, u32 per_mille, s64 *scratch);

#endif
