// SPDX-License-Identifier: GPL-2.0-or-later
/* The arithmetic of daemons that steer a clock from user space. */
#include "lib/instant.h"
#include "lib/math.h"
#include "measure/servo.h"

#define LIMIT_NS      TB_NSEC_PER_SEC
#define FIRST_STEP_NS 20000
#define KP_TENTHS     7
#define KI_TENTHS     3
#define E18	      1000000000000000000LL
#define NOMINAL_TICK  10000
#define TICK_E18      (100000 * SERVO_PPB) /* 1 us of 10 ms */
#define PI_MAX_E18    (500000 * SERVO_PPB)

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
