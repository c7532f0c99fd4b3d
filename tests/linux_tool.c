// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The judgement of linux/measure.c on clocks whose error is given: stands in for linux/guest.c.
 * Prints how far the reading was outside of the line's time, and the error, ns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linux/measure.h"
#include "vmclock/host/counter.h"

static struct vmclock_abi page = { .seq_count = 2 };
static struct vmclock_line line = { .time_type = VMCLOCK_TIME_UTC, .seq_count = 2 };
static s64 plain_ns, cross_ns; /* the errors of a plain reading, and of the kernel's cross-stamp */

static instant whole_ns(instant time)
{
	s64 sec;
	u32 nsec;

	instant_to_timespec(time, &sec, &nsec);
	return instant_make(sec, 0) + instant_from_nsec(nsec);
}

bool guest_line(const struct linux_guest *guest, struct vmclock_line *now)
{
	(void)guest;
	*now = line;
	return true;
}

bool guest_realtime(struct reading *reading)
{
	reading->before = host_counter();
	reading->time =
		whole_ns(vmclock_utc_at(&line, host_counter()) + instant_from_nsec(plain_ns));
	reading->after = host_counter();
	return true;
}

bool guest_ptp(const struct linux_guest *guest, struct reading *reading)
{
	(void)guest;
	return guest_realtime(reading);
}

bool guest_cross(const struct linux_guest *guest, struct cross *cross)
{
	const instant time = vmclock_utc_at(&line, host_counter());

	(void)guest;
	cross->ptp = whole_ns(time);
	cross->realtime = whole_ns(time + instant_from_nsec(cross_ns));
	return true;
}

int main(int count, char **words)
{
	struct linux_guest guest = { .page = &page, .crosses = true };
	struct against against;
	bool ptp;

	if (count != 4)
		return 2;
	ptp = !strcmp(words[1], "ptp");
	plain_ns = atoll(words[2]);
	cross_ns = atoll(words[3]);
	line.counter_value = host_counter();
	line.time = instant_make(1700000000, 0);
	vmclock_period_from_hz(2400000000, 0, &line.period_frac, &line.period_shift);
	if (!(ptp ? against_ptp(&guest, &against) : against_realtime(&guest, &against)))
		return 1;
	printf("%lld %lld\n", against.outside_fs / TB_FSEC_PER_NSEC,
	       against.error_fs / TB_FSEC_PER_NSEC);
	return 0;
}
