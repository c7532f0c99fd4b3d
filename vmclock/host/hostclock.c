// SPDX-License-Identifier: GPL-2.0-or-later
/* Bracketed clock reads. Assumes that the kernel's clock reads are a vDSO call: some 20 ns. */
#include "vmclock/host/hostclock.h"

#include <cpuid.h>
#include <sys/timex.h>
#include <time.h>

#include "vmclock/host/counter.h"

bool host_counter_invariant(void)
{
	u32 a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1 << 8;
}

void hostclock_pair(const struct leap *leap, u32 tries, struct pair *pair)
{
	clockid_t clock = leap->kernel_knows ? CLOCK_TAI : CLOCK_REALTIME;
	s64 add_sec = leap->known && !leap->kernel_knows ? leap->tai_offset_sec : 0;

	pair->half_width = ~0ULL;
	for (u32 i = 0; i < tries; i++) {
		struct timespec now;
		u64 before = host_counter(), after;

		clock_gettime(clock, &now);
		after = host_counter();
		if ((after - before + 1) / 2 >= pair->half_width)
			continue;
		pair->half_width = (after - before + 1) / 2;
		pair->counter = before + (after - before) / 2;
		pair->time_ns = (now.tv_sec + add_sec) * (s64)TB_NSEC_PER_SEC + now.tv_nsec;
	}
}

bool hostclock_synchronized(void)
{
	struct timex timex = { 0 };

	return adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC);
}
