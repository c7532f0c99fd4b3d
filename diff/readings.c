// SPDX-License-Identifier: GPL-2.0-or-later
/* The clocks of both cores: every function that reads one, and the copies of the state. */
#include "diff/readings.h"

void compare_readings(const struct tk_ops *const cores[CORES], u64 now, u32 sets,
		      struct difference *difference)
{
	struct tk_readings readings[CORES];

	for (int i = 0; i < CORES; i++) {
		tk_readings_clear(&readings[i]);
		if (!cores[i]->readings)
			return;
		cores[i]->readings(now, sets, &readings[i]);
	}
	for (u32 i = 0; i < TK_READINGS_WORDS; i++) {
		u64 both = readings[0].has[i] & readings[1].has[i];

		for (; both; both &= both - 1) {
			u32 which = i * 64 + (u32)__builtin_ctzll(both);
			s64 native = readings[0].value[which], lifted = readings[1].value[which];

			if (native != lifted)
				compare_note(difference, tk_reading_name(which), native, lifted);
		}
	}
}
