// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Least squares in three rounds: after each of the first two, pairs with a residual far above the
 * median are left out. Relative to the window's first pair, so that a double holds picoseconds: the
 * window spans at most minutes, 10^11 cycles, and residuals are what is summed.
 */
#include "vmclock/host/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS	   3
#define FAR_MEDIAN 4.5	/* medians of |residual|: three standard deviations of a normal one */
#define FAR_NS	   1.0	/* the clock's resolution; a smaller residual is never an outlier */
#define HALF_GRAIN 0.5L /* ns: the kernel rounds down */
#define TWO_64	   18446744073709551616.0L

void window_clear(struct window *window)
{
	window->count = 0;
	window->strangers = 0;
}

static void drop_first(struct window *window, u32 count)
{
	window->count -= count;
	memmove(window->pair, window->pair + count, window->count * sizeof(window->pair[0]));
}

void window_keep(struct window *window, s64 span_ns)
{
	u32 old = 0;

	if (!window->count)
		return;
	while (window->pair[window->count - 1].time_ns - window->pair[old].time_ns > span_ns)
		old++;
	drop_first(window, old);
}

void window_add(struct window *window, const struct pair *pair, s64 span_ns)
{
	if (window->count && pair->counter <= window->pair[window->count - 1].counter)
		window_clear(window);
	/* Drops half at once, so that moving the rest costs little on average. */
	if (window->count == FIT_PAIRS)
		drop_first(window, FIT_PAIRS / 2);
	window->pair[window->count++] = *pair;
	/* Done rarely: a few extra pairs do no harm. */
	if (pair->time_ns - window->pair[0].time_ns > span_ns + span_ns / 8)
		window_keep(window, span_ns);
}

void window_shift(struct window *window, s64 by_ns)
{
	for (u32 i = 0; i < window->count; i++)
		window->pair[i].time_ns += by_ns;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *value, u32 count)
{
	qsort(value, count, sizeof(*value), compare);
	return value[count / 2];
}

static double residual(const struct fit *fit, const struct pair *pair)
{
	return (double)(pair->time_ns - fit->time_ns + HALF_GRAIN - fit->phase_ns -
			(s64)(pair->counter - fit->counter) * fit->period_ns);
}

/* Corrects phase and period by the residuals of the pairs within `far_ns`. */
static void refine(const struct window *window, struct fit *fit, double far_ns)
{
	double n = 0, x_mean = 0, y_mean = 0, xx = 0, xy = 0, yy = 0, slope, worst = 0;

	for (u32 i = 0; i < window->count; i++) {
		double y = residual(fit, &window->pair[i]);

		if (fabs(y) > far_ns)
			continue;
		n++;
		x_mean += (double)(window->pair[i].counter - fit->counter);
		y_mean += y;
	}
	x_mean /= n;
	y_mean /= n;
	for (u32 i = 0; i < window->count; i++) {
		double y = residual(fit, &window->pair[i]);
		double x = (double)(window->pair[i].counter - fit->counter) - x_mean;

		if (fabs(y) > far_ns)
			continue;
		xx += x * x;
		xy += x * (y - y_mean);
		yy += (y - y_mean) * (y - y_mean);
		worst = fmax(worst, fabs(y - y_mean));
	}
	slope = xy / xx;
	fit->period_ns += slope;
	fit->phase_ns += y_mean - slope * x_mean;
	yy -= slope * xy;
	fit->rms_ns = sqrt(fmax(yy, 0) / n);
	fit->worst_ns = worst;
	fit->period_error = sqrt(fmax(yy, 0.08 * n) / n / xx) / (double)fit->period_ns;
	fit->kept = (u32)n;
}

bool fit_line(const struct window *window, struct fit *fit)
{
	const struct pair *first = &window->pair[0], *last = &window->pair[window->count - 1];
	static double size[FIT_PAIRS];
	double far_ns = INFINITY;
	u64 narrowest = ~0ULL;

	if (window->count < 8 || last->counter == first->counter)
		return false;
	*fit = (struct fit){ .counter = first->counter, .time_ns = first->time_ns };
	fit->period_ns =
		(long double)(last->time_ns - first->time_ns) / (last->counter - first->counter);
	for (int round = 0; round < ROUNDS; round++) {
		refine(window, fit, far_ns);
		for (u32 i = 0; i < window->count; i++)
			size[i] = fabs(residual(fit, &window->pair[i]));
		far_ns = fmax(FAR_MEDIAN * median(size, window->count), FAR_NS);
	}
	for (u32 i = 0; i < window->count; i++)
		if (window->pair[i].half_width < narrowest)
			narrowest = window->pair[i].half_width;
	fit->bracket_ns = (double)(narrowest * fit->period_ns);
	return true;
}

bool fit_bent(const struct window *window, const struct fit *fit)
{
	static double value[FIT_PAIRS];
	u32 count = window->count / 4;

	if (count < 8)
		return false;
	for (u32 i = 0; i < count; i++)
		value[i] = residual(fit, &window->pair[window->count - count + i]);
	/* The clock's own dither moves a quarter's median by about its rms at most. */
	return fabs(median(value, count)) > 5 + 2 * fit->rms_ns;
}

instant fit_time_at(const struct fit *fit, u64 counter)
{
	long double ns = fit->phase_ns + (s64)(counter - fit->counter) * fit->period_ns;

	return instant_from_nsec(fit->time_ns) + (instant)(ns * (TWO_64 / 1e9L));
}

void fit_period(long double period_ns, u64 *period_frac, u8 *period_shift)
{
	int exponent;
	/* period = mantissa * 2^exponent, mantissa in [1/2, 1): 64 bits, which a long double has.
	 */
	long double mantissa = frexpl(period_ns / 1e9L, &exponent);

	*period_frac = (u64)ldexpl(mantissa, 64);
	*period_shift = (u8)-exponent;
}
