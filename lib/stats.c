// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Statistics of an error over time. Assumes runs of less than 2^50 us (36 years) and 2^40 samples.
 * In longer runs the unit of time grows: in 10 years of 2^39 samples it is 2.1 s, which moves each
 * time by less than that, to the same side, and the slope by nothing.
 */
#include "lib/stats.h"
#include "lib/instant.h"
#include "lib/math.h"

/* Errors are limited to +-1000 s (2^60 fs), so that no sum can overflow. */
#define CLAMP_FS	(1000 * TB_FSEC_PER_SEC)
#define FS_PER_PS	1000
#define WITHIN_10NS_FS	(10 * TB_FSEC_PER_NSEC)
#define WITHIN_1NS_FS	(1 * TB_FSEC_PER_NSEC)
#define TIME_COUNT_BITS (37 + 28) /* of the largest time and of the number of samples, together */

static s64 divide_rounded(s128 n, u64 d)
{
	u128 rem;
	u128 abs_n = n < 0 ? -(u128)n : (u128)n;
	u128 q = div_u128(abs_n + d / 2, d, &rem);

	return n < 0 ? -(s64)q : (s64)q;
}

/* The largest number that fits, for what does not. */
static s64 saturated(u128 value)
{
	return value >> 63 ? (s64)(~0ULL >> 1) : (s64)value;
}

void stats_reset(struct stats *stats)
{
	struct sample *samples = stats->samples;
	u32 capacity = stats->capacity;

	*stats = (struct stats){
		.samples = samples,
		.capacity = capacity,
		.within_10ns_us = -1,
		.within_1ns_us = -1,
	};
}

void stats_init(struct stats *stats, struct sample *buffer, u32 capacity)
{
	stats->samples = buffer;
	stats->capacity = capacity;
	stats_reset(stats);
}

/*
 * When the buffer is full, every second sample is dropped, so the remaining ones are evenly spaced.
 * The one that then comes, at `capacity` such spacings, is at an even number of them: it is kept.
 */
static void keep(struct stats *stats, u64 counter, s64 error_fs)
{
	if (stats->count & ((1ULL << stats->decimation) - 1))
		return;
	if (stats->kept == stats->capacity) {
		for (u32 i = 0; i < stats->capacity / 2; i++)
			stats->samples[i] = stats->samples[2 * i];
		stats->kept = stats->capacity / 2;
		stats->decimation++;
	}
	stats->samples[stats->kept++] = (struct sample){ counter, error_fs };
}

static void watch_convergence(s64 *since, s64 bound_fs, s64 error_fs, s64 time_us)
{
	if (magnitude(error_fs) > bound_fs)
		*since = -1;
	else if (*since < 0)
		*since = time_us;
}

/* A square is at most 2^100, and the sum before stays below 2^126. */
static void add_square(struct stats *stats, s64 ps)
{
	stats->sum_squares += (u128)((s128)ps * ps) >> stats->squares_shift;
	if (stats->sum_squares >> 126) {
		stats->sum_squares >>= 2;
		stats->squares_shift += 2;
	}
}

/*
 * The largest product is a time, times an error of 2^60 fs, times the number of samples: with
 * TIME_COUNT_BITS it is below 2^126. A time is below 2^37 units where there are few samples, and
 * the square of one times their number below 2^(37 + 65).
 */
static void add_line(struct stats *stats, s64 time_us, s64 error_fs)
{
	const u32 count_bits = bits_of(stats->count);
	const u32 time_bits = TIME_COUNT_BITS - (count_bits > 28 ? count_bits : 28);
	s64 time;

	while ((u64)time_us >> stats->time_shift >> time_bits) {
		stats->sum_t >>= 1;
		stats->sum_te >>= 1;
		stats->sum_tt >>= 2;
		stats->time_shift++;
	}
	time = time_us >> stats->time_shift;
	stats->sum_t += time;
	stats->sum_tt += (s128)time * time;
	stats->sum_te += (s128)time * error_fs;
}

void stats_add(struct stats *stats, u64 counter, s64 time_us, s64 error_fs)
{
	s64 ps;

	if (error_fs > CLAMP_FS)
		error_fs = CLAMP_FS;
	if (error_fs < -CLAMP_FS)
		error_fs = -CLAMP_FS;
	ps = error_fs / FS_PER_PS;
	if (stats->capacity)
		keep(stats, counter, error_fs);
	if (!stats->count) {
		stats->first_fs = stats->min_fs = stats->max_fs = error_fs;
	} else {
		if (error_fs < stats->min_fs)
			stats->min_fs = error_fs;
		if (error_fs > stats->max_fs)
			stats->max_fs = error_fs;
	}
	if (magnitude(error_fs) > stats->max_abs_fs)
		stats->max_abs_fs = magnitude(error_fs);
	stats->last_fs = error_fs;
	stats->last_us = time_us;
	stats->count++;

	add_square(stats, ps);
	stats->sum_fs += error_fs; /* 2^60 * 2^40 samples */
	add_line(stats, time_us, error_fs);

	watch_convergence(&stats->within_10ns_us, WITHIN_10NS_FS, error_fs, time_us);
	watch_convergence(&stats->within_1ns_us, WITHIN_1NS_FS, error_fs, time_us);
}

s64 stats_mean_fs(const struct stats *stats)
{
	return stats->count ? divide_rounded(stats->sum_fs, stats->count) : 0;
}

s64 stats_rms_fs(const struct stats *stats)
{
	u128 rem, mean;

	if (!stats->count)
		return 0;
	/*
	 * The mean is at most 2^100 ps^2, so 20 more bits fit. They keep the digits of small means:
	 * the root is in units of 2^-10 ps.
	 */
	mean = div_u128(stats->sum_squares, stats->count, &rem) << 20;
	mean += div_u128(rem << 20, stats->count, &rem);
	mean <<= stats->squares_shift;
	return (s64)(((u128)root(mean) * FS_PER_PS) >> 10);
}

s64 stats_drift_fs_per_s(const struct stats *stats)
{
	const s128 n = stats->count;
	s128 mean_t, mean_e, rest_t, above, below;
	u128 rem, q;
	u32 scale = 0;

	if (stats->count < 2)
		return 0;
	/*
	 * About the means, to keep the products small: with t = mean_t + t', sum(t'e') is
	 * sum_te - mean_t * sum_e, and what rounding the mean to whole microseconds leaves over is
	 * put back by the exact n * mean_t * mean_e terms.
	 */
	mean_t = div_s128(stats->sum_t, stats->count);
	mean_e = div_s128(stats->sum_fs, stats->count);
	above = stats->sum_te - mean_t * stats->sum_fs - mean_e * stats->sum_t +
		n * mean_t * mean_e;
	below = stats->sum_tt - 2 * mean_t * stats->sum_t + n * mean_t * mean_t;
	/*
	 * The means are rounded to whole numbers, so at most one unit times the sum of the
	 * remainders is neglected.
	 */
	rest_t = stats->sum_t - n * mean_t;
	above -= div_s128(rest_t * (stats->sum_fs - n * mean_e), stats->count);
	below -= div_s128(rest_t * rest_t, stats->count);
	/* To fs per 2^time_shift us, and then us. */
	below = (s128)((u128)below << stats->time_shift);
	if (below <= 0)
		return 0;
	/* fs/us = 10^-9; to fs/s times 10^6, as far as it fits. */
	q = above < 0 ? -(u128)above : (u128)above;
	while (scale < 6 && q < ((u128)1 << 123)) {
		q *= 10;
		scale++;
	}
	q = div_u128(q, (u128)below, &rem);
	for (; scale < 6 && !(q >> 63); scale++)
		q *= 10;
	return above < 0 ? -saturated(q) : saturated(q);
}

#define BATCHES_MIN 8
#define TIME_BITS   31 /* of the kept samples' times, about their mean */
#define ERROR_BITS  45 /* of their errors: 35 s in units of 1 ps, 35 ms in fs */
#define SLOPE_BITS  32 /* behind the binary point */

/* How far values up to `largest` must be shifted right to fit in `bits`. */
static u32 excess_bits(u64 largest, u32 bits)
{
	u32 shift = 0;

	while (largest >> shift >> bits)
		shift++;
	return shift;
}

static u64 time_of(const struct stats *stats, u32 i, u32 shift)
{
	return (stats->samples[i].counter - stats->samples[0].counter) >> shift;
}

/*
 * The kept samples' residuals about their least-squares line into `scratch`, in fs >> error_shift.
 * Returns sum((t - mean t)^2), t in cycles >> time_shift; 0 if all are at one time. Products: 2^15
 * samples of 2^31 * 2^46, shifted by 32, are below 2^124.
 */
static u128 residuals(const struct stats *stats, u32 time_shift, u32 error_shift, s64 *scratch)
{
	const u32 n = stats->kept;
	s128 sum_t = 0, sum_e = 0, above = 0, below = 0, slope;
	s64 mean_t, mean_e;

	for (u32 i = 0; i < n; i++) {
		sum_t += time_of(stats, i, time_shift);
		sum_e += stats->samples[i].error_fs >> error_shift;
	}
	mean_t = (s64)div_s128(sum_t, n);
	mean_e = (s64)div_s128(sum_e, n);
	for (u32 i = 0; i < n; i++) {
		s64 t = (s64)time_of(stats, i, time_shift) - mean_t;

		scratch[i] = (stats->samples[i].error_fs >> error_shift) - mean_e;
		above += (s128)t * scratch[i];
		below += (s128)t * t;
	}
	if (!below)
		return 0;
	slope = div_s128(above * ((s128)1 << SLOPE_BITS), (u128)below);
	for (u32 i = 0; i < n; i++) {
		s64 t = (s64)time_of(stats, i, time_shift) - mean_t;

		scratch[i] -= (s64)((slope * t) >> SLOPE_BITS);
	}
	return (u128)below;
}

/* The largest variance of a batch mean times the batch length, over all batch lengths. */
static u128 long_run_variance(s64 *sums, u32 n)
{
	u128 largest = 0, rest;

	for (u32 length = 1, batches = n; batches >= BATCHES_MIN; length *= 2, batches /= 2) {
		u128 squares = 0, variance;

		for (u32 i = 0; i < batches; i++)
			squares += (u128)((s128)sums[i] * sums[i]);
		variance = div_u128(squares, (u128)batches * length, &rest);
		if (variance > largest)
			largest = variance;
		for (u32 i = 0; i < batches / 2; i++)
			sums[i] = sums[2 * i] + sums[2 * i + 1];
	}
	return largest;
}

s64 stats_drift_error_fs_per_s(const struct stats *stats, u64 counter_hz, s64 *scratch)
{
	u32 time_shift, error_shift = excess_bits((u64)stats->max_abs_fs, ERROR_BITS);
	u128 below, rest;
	u64 deviation;

	if (stats->kept < BATCHES_MIN)
		return 0;
	time_shift = excess_bits(time_of(stats, stats->kept - 1, 0), TIME_BITS);
	below = residuals(stats, time_shift, error_shift, scratch);
	if (!below)
		return 0;
	/* Below 2^47, times 2^33 Hz, times the 2^15 that 2^60 fs were shifted by. */
	deviation = root(long_run_variance(scratch, stats->kept));
	return saturated(div_u128(((u128)deviation * counter_hz) << error_shift,
				  (u128)root(below) << time_shift, &rest));
}

/* In-place heapsort: no allocation, n log n in the worst case. */
static void sift(s64 *heap, u32 from, u32 end)
{
	for (u32 child; (child = 2 * from + 1) < end; from = child) {
		s64 held = heap[from];

		if (child + 1 < end && heap[child + 1] > heap[child])
			child++;
		if (held >= heap[child])
			return;
		heap[from] = heap[child];
		heap[child] = held;
	}
}

static void sort(s64 *values, u32 n)
{
	for (u32 i = n / 2; i-- > 0;)
		sift(values, i, n);
	for (u32 end = n; end-- > 1;) {
		s64 top = values[0];

		values[0] = values[end];
		values[end] = top;
		sift(values, 0, end);
	}
}

s64 stats_percentile_abs_fs(const struct stats *stats, u32 per_mille, s64 *scratch)
{
	u64 rank;

	if (!stats->kept)
		return 0;
	for (u32 i = 0; i < stats->kept; i++)
		scratch[i] = magnitude(stats->samples[i].error_fs);
	sort(scratch, stats->kept);
	/* Nearest rank: the smallest value that at least p of them do not exceed. */
	rank = ((u64)stats->kept * per_mille + 999) / 1000;
	return scratch[rank ? rank - 1 : 0];
}
