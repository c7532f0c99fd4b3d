// SPDX-License-Identifier: GPL-2.0-or-later
/* The arithmetic of daemons that steer a clock from user space. */
#include "lib/instant.h"
#include "lib/math.h"
#include "measure/servo.h"

#define LIMIT_NS	  TB_NSEC_PER_SEC
#define FIRST_STEP_NS	  20000
#define KP_TENTHS	  7
#define KI_TENTHS	  3
#define E18		  1000000000000000000LL
#define NOMINAL_TICK	  10000
#define TICK_E18	  (100000 * SERVO_PPB) /* 1 us of 10 ms */
#define PS		  1000		       /* a ns */
#define PS_PER_US_E18	  1000000000000LL
#define CHRONY_LEAST	  3 /* samples, for a frequency */
#define CHRONY_KEEP	  4
#define CHRONY_LONGEST_NS (10000 * (u64)TB_NSEC_PER_SEC)
#define CHRONY_SLEW_E18	  (83333333 * SERVO_PPB)
#define PI_MAX_E18	  (500000 * SERVO_PPB)

static s64 within(s64 value, s64 limit)
{
	return value > limit ? limit : value < -limit ? -limit : value;
}

static s64 rounded(s128 n, s64 d)
{
	return (s64)div_s128(n + (n < 0 ? -d / 2 : d / 2), (u64)d);
}

enum pi_result pi_servo(struct pi_servo *servo, s64 offset_ns, s64 local_ns, s64 *frequency_e18)
{
	s64 integral_e18, passed_ns;

	offset_ns = within(offset_ns, LIMIT_NS);
	if (!servo->samples++) {
		servo->first_offset_ns = offset_ns;
		servo->first_ns = local_ns;
		return PI_WAIT;
	}
	if (servo->samples == 2) {
		passed_ns = local_ns - servo->first_ns;
		if (passed_ns <= 0) {
			servo->samples = 1;
			return PI_WAIT;
		}
		/* The two offsets tell the clock's rate: 2^31 ns * 10^18 fit. */
		servo->drift_e18 -= (s64)div_s128((s128)(offset_ns - servo->first_offset_ns) * E18,
						  (u64)passed_ns);
		servo->drift_e18 = within(servo->drift_e18, PI_MAX_E18);
		*frequency_e18 = servo->drift_e18;
		return magnitude(offset_ns) > FIRST_STEP_NS ? PI_STEP : PI_FREQUENCY;
	}
	/* An offset of 1 ns is worth 1 ppb. */
	integral_e18 = offset_ns * SERVO_PPB / 10 * KI_TENTHS;
	*frequency_e18 =
		within(servo->drift_e18 - offset_ns * SERVO_PPB / 10 * KP_TENTHS - integral_e18,
		       PI_MAX_E18);
	servo->drift_e18 = within(servo->drift_e18 - integral_e18, PI_MAX_E18);
	return PI_FREQUENCY;
}

void servo_timex(s64 frequency_e18, s64 *tick, s64 *freq)
{
	const s64 ticks = rounded(frequency_e18, TICK_E18);

	*tick = NOMINAL_TICK + ticks;
	*freq = rounded((s128)(frequency_e18 - ticks * TICK_E18) * 65536, 1000 * SERVO_PPB);
}

/* What the slew that is under way still moves the clock by, ps. */
static s64 to_slew_ps(const struct chrony_servo *servo, s64 ns)
{
	const s64 left = servo->slew_end_ns - ns;

	return left > 0 ? (s64)div_s128((s128)servo->slew_e18 * left, E18 / PS) : 0;
}

/* The mean of the readings that are neither among the lowest nor the highest fifth. */
static struct servo_sample filtered(struct chrony_servo *servo)
{
	struct servo_sample *filter = servo->filter;
	const u32 drop = CHRONY_FILTER / 5;
	s128 ns = 0, offset = 0;

	for (u32 i = 1; i < CHRONY_FILTER; i++) {
		const struct servo_sample held = filter[i];
		u32 at = i;

		for (; at && filter[at - 1].offset_ps > held.offset_ps; at--)
			filter[at] = filter[at - 1];
		filter[at] = held;
	}
	for (u32 i = drop; i < CHRONY_FILTER - drop; i++) {
		ns += filter[i].ns;
		offset += filter[i].offset_ps;
	}
	servo->filtered = 0;
	return (struct servo_sample){
		.ns = (s64)div_s128(ns, CHRONY_FILTER - 2 * drop),
		.offset_ps = (s64)div_s128(offset, CHRONY_FILTER - 2 * drop),
	};
}

/* A line through samples: offset_ps at the time ns, and slope. deviation_ps: of the residuals. */
struct fit {
	s64 ns, offset_ps, slope_e18;
	u64 deviation_ps;
	u32 runs; /* of residuals of one sign */
};

static s64 on_line_ps(const struct fit *fit, s64 ns)
{
	return fit->offset_ps + (s64)div_s128((s128)fit->slope_e18 * (ns - fit->ns), E18 / PS);
}

/*
 * Offsets are limited to 1 s, 2^40 ps, and times about their mean to 2^31 us: the sum of 64
 * products is below 2^77, times 10^12 below 2^117.
 */
static struct fit fit_line(const struct servo_sample *samples, u32 n)
{
	struct fit fit = { .ns = samples[n - 1].ns };
	s128 sum_t = 0, sum_o = 0, above = 0, below = 0, squares = 0;
	s64 mean_t, mean_o;
	bool was = false;

	for (u32 i = 0; i < n; i++) {
		sum_t += (samples[i].ns - fit.ns) / 1000;
		sum_o += samples[i].offset_ps;
	}
	mean_t = (s64)div_s128(sum_t, n);
	mean_o = (s64)div_s128(sum_o, n);
	for (u32 i = 0; i < n; i++) {
		const s64 t = (samples[i].ns - fit.ns) / 1000 - mean_t;

		above += (s128)t * (samples[i].offset_ps - mean_o);
		below += (s128)t * t;
	}
	/* ps a us are 10^-6. */
	if (n >= CHRONY_LEAST && below)
		fit.slope_e18 = (s64)div_s128(above * PS_PER_US_E18, (u128)below);
	fit.offset_ps = n >= CHRONY_LEAST ? mean_o : samples[n - 1].offset_ps;
	if (n >= CHRONY_LEAST)
		fit.offset_ps -= (s64)div_s128((s128)fit.slope_e18 * mean_t, PS_PER_US_E18);
	for (u32 i = 0; i < n; i++) {
		const s64 rest = samples[i].offset_ps - on_line_ps(&fit, samples[i].ns);

		squares += (s128)rest * rest;
		fit.runs += !i || (rest > 0) != was;
		was = rest > 0;
	}
	fit.deviation_ps = root(div_u128((u128)squares, n > 2 ? n - 2 : 1, NULL));
	return fit;
}

/* Of n random signs there are n / 2 + 1 runs, with a deviation of sqrt(n - 1) / 2: below 5 %. */
static bool too_few_runs(u32 runs, u32 n)
{
	return 200 * (s64)runs < 100 * ((s64)n + 2) - (s64)root((u128)(n - 1) * 27060);
}

static struct fit best_fit(struct chrony_servo *servo)
{
	struct fit fit = fit_line(servo->samples, servo->count);

	while (servo->count > CHRONY_KEEP && too_few_runs(fit.runs, servo->count)) {
		servo->count--;
		for (u32 i = 0; i < servo->count; i++)
			servo->samples[i] = servo->samples[i + 1];
		fit = fit_line(servo->samples, servo->count);
	}
	return fit;
}

static void add_sample(struct chrony_servo *servo, struct servo_sample sample)
{
	if (servo->count == CHRONY_SAMPLES) {
		servo->count--;
		for (u32 i = 0; i < servo->count; i++)
			servo->samples[i] = servo->samples[i + 1];
	}
	servo->samples[servo->count++] = sample;
}

/* Slews the whole of what is to be moved, `by_ps`, from `ns` on. */
static void slew(struct chrony_servo *servo, s64 by_ps, s64 ns, u64 deviation_ps, s64 interval_ns)
{
	const u64 size = (u64)magnitude(by_ps);
	u128 duration =
		size ? div_u128((u128)deviation_ps * (u64)interval_ns * 3, 2 * (u128)size, NULL)
		     : CHRONY_LONGEST_NS;

	if (duration < TB_NSEC_PER_SEC)
		duration = TB_NSEC_PER_SEC;
	if (duration > CHRONY_LONGEST_NS)
		duration = CHRONY_LONGEST_NS;
	servo->slew_e18 =
		within((s64)div_s128((s128)by_ps * (E18 / PS), duration), CHRONY_SLEW_E18);
	servo->slew_end_ns = ns + (s64)duration;
}

bool chrony_servo(struct chrony_servo *servo, s64 offset_ns, s64 local_ns)
{
	struct fit fit;
	s64 interval_ns, now_ps, left_ps;

	left_ps = to_slew_ps(servo, local_ns);
	servo->filter[servo->filtered++] = (struct servo_sample){
		.ns = local_ns,
		.offset_ps = within(offset_ns, LIMIT_NS) * 1000 + left_ps,
	};
	if (servo->filtered < CHRONY_FILTER)
		return false;
	interval_ns = servo->filter[CHRONY_FILTER - 1].ns - servo->filter[0].ns;
	add_sample(servo, filtered(servo));
	fit = best_fit(servo);
	now_ps = on_line_ps(&fit, local_ns);
	servo->frequency_e18 = within(servo->frequency_e18 - fit.slope_e18, PI_MAX_E18);
	for (u32 i = 0; i < servo->count; i++)
		servo->samples[i].offset_ps -= on_line_ps(&fit, servo->samples[i].ns);
	slew(servo, left_ps - now_ps, local_ns, fit.deviation_ps, interval_ns);
	return true;
}
