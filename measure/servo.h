/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arithmetic of daemons that steer a clock from user space, in integers. Offsets are the
 * clock's time less the reference's; frequencies, in 10^-18, are what the clock is to run faster
 * than nominal. The algorithms are written anew from what their authors publish of them, with their
 * default constants.
 */
#ifndef TB_MEASURE_SERVO_H
#define TB_MEASURE_SERVO_H

#include "lib/types.h"

#define SERVO_PPB 1000000000LL /* in 10^-18 */

/*
 * phc2sys' PI servo (linuxptp): proportional constant 0.7, integral constant 0.3, and a first
 * offset of more than 20 us is stepped.
 */
struct pi_servo {
	u32 samples;
	s64 first_offset_ns, first_ns;
	s64 drift_e18;
};

enum pi_result {
	PI_WAIT, /* nothing is known yet */
	PI_STEP, /* step by the offset, and set the frequency */
	PI_FREQUENCY,
};

/* A measurement of the clock's offset at `local_ns`; |offset_ns| is limited to 1 s. */
enum pi_result pi_servo(struct pi_servo *servo, s64 offset_ns, s64 local_ns, s64 *frequency_e18);

/*
 * chrony's way, with its defaults for a reference clock: 16 readings are filtered to one sample
 * (the mean of the middle 60 %), the frequency and offset are those of the regression through up to
 * 64 samples, of which the oldest are dropped while the residuals' signs have too few runs (5 %),
 * and the offset is slewed linearly by the frequency, in 1.5 times the sampling interval times the
 * ratio of the residuals' deviation to it, at least 1 s, at up to 83333 ppm.
 */
#define CHRONY_FILTER  16
#define CHRONY_SAMPLES 64

struct servo_sample {
	s64 ns;	       /* local time */
	s64 offset_ps; /* with the slew under way taken as done */
};

struct chrony_servo {
	struct servo_sample filter[CHRONY_FILTER];
	u32 filtered;
	struct servo_sample samples[CHRONY_SAMPLES]; /* the oldest first */
	u32 count;
	s64 frequency_e18; /* without the slew */
	s64 slew_e18, slew_end_ns;
};

/*
 * A reading. true: the frequency is to be set now to frequency_e18 + slew_e18, and at slew_end_ns
 * to frequency_e18.
 */
bool chrony_servo(struct chrony_servo *servo, s64 offset_ns, s64 local_ns);

/*
 * What a frequency is in adjtimex's units: whole microseconds of a 10 ms tick, 100 ppm each, and
 * the rest in 2^-16 ppm, both to nearest.
 */
void servo_timex(s64 frequency_e18, s64 *tick, s64 *freq);

#endif
