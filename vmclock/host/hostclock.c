// SPDX-License-Identifier: GPL-2.0-or-later
/* Bracketed clock reads. Assumes that the kernel's clock reads are a vDSO call: some 20 ns. */
#include "vmclock/host/hostclock.h"

#include <cpuid.h>
#include <sys/timex.h>
#include <time.h>

#include "lib/bracket.h"
#include "vmclock/host/counter.h"

bool host_counter_invariant(void)
{
	u32 a, b, c, d;

	return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1 << 8;
}

static inline u64 read_counter(void *context)
{
	(void)context;
	return host_counter();
}

static inline u64 read_clock_ns(void *context)
{
	struct timespec now;

	clock_gettime(*(const clockid_t *)context, &now);
	return (u64)now.tv_sec * TB_NSEC_PER_SEC + (u64)now.tv_nsec;
}

void hostclock_pair(const struct leap *leap, u32 tries, struct pair *pair)
{
	clockid_t clock = leap->known ? CLOCK_TAI : CLOCK_REALTIME;
	struct bracket best = bracket_read(read_counter, NULL, read_clock_ns, &clock, tries);

	pair->half_width = (best.width + 1) / 2;
	pair->counter = best.counter;
	pair->time_ns = (s64)best.value + leap->add_sec * (s64)TB_NSEC_PER_SEC;
}

bool hostclock_synchronized(void)
{
	struct timex timex = { 0 };

	return adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC);
}
