// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The HPET (IA-PC HPET specification 1.0a, section 2.3) or the power management timer (ACPI 6.5,
 * section 4.8.3.3), read only. A timer that does not count is not taken.
 */
#include "arch/x86/refclock.h"
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"

#define HPET_SIZE	   1024
#define HPET_CAPABILITIES  0x000
#define HPET_CONFIGURATION 0x010
#define HPET_COUNTER	   0x0f0
#define HPET_64BIT	   (1u << 13)
#define HPET_ENABLE	   1u
#define HPET_PERIOD_MAX	   100000000u /* fs, by its specification */

#define PM_TIMER_HZ 3579545

/*
 * The number of reads within which a counter must have moved. The slower one, at 280 ns a step,
 * needs a few.
 */
#define ALIVE_READS 10000

static u64 hpet;
static u16 pm_port;

static volatile u32 *hpet_register(u32 offset)
{
	return (volatile u32 *)(hpet + offset);
}

u64 refclock_read(void)
{
	/* One access of 32 bits is consistent even where the bus splits 64-bit accesses. */
	return hpet ? *hpet_register(HPET_COUNTER) : inl(pm_port);
}

static bool counts(u64 mask)
{
	u64 first = refclock_read() & mask;
	u32 i;

	for (i = 0; i < ALIVE_READS; i++) {
		if ((refclock_read() & mask) != first)
			return true;
	}
	return false;
}

static bool take_hpet(struct refclock *clock)
{
	u32 period;

	hpet = acpi_hpet();
	if (!hpet || paging_map(hpet, HPET_SIZE, CACHE_OFF)) {
		hpet = 0;
		return false;
	}
	period = *hpet_register(HPET_CAPABILITIES + 4);
	*hpet_register(HPET_CONFIGURATION) |= HPET_ENABLE;
	clock->mask = 0xffffffff;
	if (!period || period > HPET_PERIOD_MAX || !counts(clock->mask)) {
		hpet = 0;
		return false;
	}
	clock->name = "hpet";
	clock->period_fs = period;
	clock->hz = (TB_FSEC_PER_SEC + period / 2) / period;
	return true;
}

static bool take_pm_timer(struct refclock *clock)
{
	struct acpi_pm_timer timer = acpi_pm_timer();

	pm_port = timer.port;
	clock->mask = timer.width == 32 ? 0xffffffff : 0xffffff;
	if (!timer.port || !counts(clock->mask))
		return false;
	clock->name = "pm-timer";
	clock->hz = PM_TIMER_HZ;
	clock->period_fs = (TB_FSEC_PER_SEC + PM_TIMER_HZ / 2) / PM_TIMER_HZ;
	return true;
}

void refclock_init(struct refclock *clock)
{
	clock->name = NULL;
	if (!take_hpet(clock) && !take_pm_timer(clock))
		clock->name = NULL;
}
