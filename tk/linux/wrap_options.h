/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What precedes a tree's timekeeping.c: options that are set for its unit alone, as the rest of the
 * kernel does not matter here. Also the beginning of the unit's precompiled headers
 * (runner/lift/headers.py), so it may be included twice.
 *
 * timekeeping_inject_sleeptime64() is compiled where the RTC's driver may call it.
 */
#ifndef CONFIG_PM_SLEEP
#define CONFIG_PM_SLEEP 1
#endif
#ifndef CONFIG_RTC_HCTOSYS_DEVICE
#define CONFIG_RTC_HCTOSYS_DEVICE "rtc0"
#endif
/* Files of the auxiliary clocks; */
#ifndef CONFIG_SYSFS
#define CONFIG_SYSFS 1
#endif
/* and a clock event device that is programmed in the counter's own cycles, as x86 has one. */
#ifndef CONFIG_GENERIC_CLOCKEVENTS_COUPLED
#define CONFIG_GENERIC_CLOCKEVENTS_COUPLED 1
#endif
#include "tk/linux/wrap_locks.h"
