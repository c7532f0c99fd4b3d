// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines that reach a core from far away, under the sanitizers: whatever the distance between the
 * line's counter value and the core's, the line is taken or refused without an overflow, and what
 * is refused leaves no trace. Prints how many were taken and refused.
 */
#include <stdio.h>
#include <string.h>

#include "lib/random.h"
#include "tk/tk.h"
#include "vmclock/vmclock.h"

#define NOW 0x123456789aULL

int main(void)
{
	unsigned taken = 0, refused = 0;
	u64 random = 1;

	for (int bits = 0; bits < 64; bits++) {
		for (int i = 0; i < 200; i++) {
			u64 hz = TK_COUNTER_HZ_MIN + random_next(&random) % 4999999000ULL;
			struct tk_setup setup = { .counter = { .hz = hz, .mask = ~0ULL },
						  .hz = 1000,
						  .switches = TK_ALL,
						  .now = NOW,
						  .sec = 1700000000 };
			u64 far = random_next(&random) >> bits;
			struct tk_reference line = {
				.counter = i & 1 ? NOW - far : NOW + far,
				.time = (instant)(random_next(&random) % TK_SEC_MAX) << 64,
			};
			struct tk_state before, after;

			vmclock_period_from_hz(hz, 0, &line.period_frac, &line.period_shift);
			if (tk_native.init(&setup))
				return 2;
			tk_native.state(&before);
			if (!tk_native.set_reference(NOW, &line)) {
				taken++;
				tk_native.tick(NOW + hz / 500);
				continue;
			}
			refused++;
			tk_native.state(&after);
			if (memcmp(&before, &after, sizeof(before)))
				return 1;
		}
	}
	printf("%u taken, %u refused\n", taken, refused);
	return 0;
}
