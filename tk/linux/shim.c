// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a lifted core wants from the rest of its kernel. Most of it may do nothing: one line each in
 * the table, and a line that some tree does not want costs nothing. Knows no kernel header, so the
 * signatures here are those of the calling convention, not of the kernel.
 */
#include "tk/linux/lift.h"

/*
 * All of it is weak: a tree that defines one of these symbols itself, in the two files or under an
 * option, is given its own.
 */
#define YIELDS __attribute__((weak))
/* A function whose answer does not matter: returns 0, NULL or false. */
#define NOTHING(name)           \
	YIELDS long name(void); \
	YIELDS long name(void)  \
	{                       \
		return 0;       \
	}
/* A variable of at least so many bytes that nobody reads in earnest. */
#define BYTES(name, size)       \
	extern char name[size]; \
	YIELDS char name[size] __attribute__((aligned(64)));

/* clang-format off */

/* Messages and random numbers */
NOTHING(_printk)
NOTHING(_printk_deferred)
NOTHING(add_device_randomness)
NOTHING(__warn_printk)
NOTHING(warn_slowpath_fmt)

/* Who is told that time was set or passed */
NOTHING(clock_was_set)
NOTHING(clock_was_set_delayed)
NOTHING(tick_clock_notify)
NOTHING(timerfd_clock_was_set)
NOTHING(timerfd_resume)
NOTHING(update_vsyscall)
NOTHING(update_vsyscall_tz)
NOTHING(raw_notifier_call_chain)
NOTHING(raw_notifier_chain_register)
NOTHING(raw_notifier_chain_unregister)
NOTHING(calc_global_load)
NOTHING(stop_machine)
NOTHING(audit_tk_injoffset)
NOTHING(__audit_tk_injoffset)
NOTHING(__audit_ntp_log)
NOTHING(ntp_get_status)

/* Suspend and resume */
NOTHING(register_syscore)
NOTHING(register_syscore_ops)
NOTHING(clockevents_resume)
NOTHING(clockevents_suspend)
NOTHING(clocksource_resume)
NOTHING(clocksource_suspend)
NOTHING(clocksource_start_suspend_timing)
NOTHING(clocksource_stop_suspend_timing)
NOTHING(tick_resume)
NOTHING(tick_suspend)
NOTHING(touch_softlockup_watchdog)

/* Clocks that are none of the core's: before it starts, and of a tick device coupled to it */
NOTHING(local_clock)
NOTHING(local_clock_noinstr)
NOTHING(sched_clock)
NOTHING(sched_clock_noinstr)
NOTHING(sched_clock_cpu)
NOTHING(clocks_calc_mult_shift)

/* Setting the CMOS clock every 11 minutes */
NOTHING(hrtimer_init)
NOTHING(hrtimer_setup)
NOTHING(hrtimer_cancel)
NOTHING(hrtimer_start_range_ns)
NOTHING(queue_work_on)
NOTHING(mod_delayed_work_on)
NOTHING(update_persistent_clock64)
BYTES(system_freezable_power_efficient_wq, 8)
BYTES(system_power_efficient_wq, 8)

/* Boot parameters, time zone, jiffies */
NOTHING(kstrtoll)
NOTHING(kstrtoull)
BYTES(sys_tz, 8)
BYTES(jiffies_64, 8)
BYTES(jiffies, 8)

/* User-mode Linux: signals stand in for interrupts, and nobody sends any */
NOTHING(um_get_signals)
NOTHING(um_set_signals)
NOTHING(block_signals)
NOTHING(unblock_signals)
BYTES(signals_enabled, 4)

/* x86 */
NOTHING(preempt_schedule_thunk)
NOTHING(preempt_schedule)
NOTHING(preempt_schedule_notrace_thunk)
/* clang-format on */

/* x86: the inverted "reschedule" bit stays set: it never reaches 0, which calls the scheduler. */
extern int __preempt_count;
YIELDS int __preempt_count = (int)0x80000000;

/* What does matter: arithmetic that lives in other files, and the time at boot. */

#define NSEC_PER_SEC 1000000000LL

struct lift_timespec lift_wall_time;

YIELDS void read_persistent_wall_and_boot_offset(struct lift_timespec *wall,
						 struct lift_timespec *offset);
void read_persistent_wall_and_boot_offset(struct lift_timespec *wall, struct lift_timespec *offset)
{
	*wall = lift_wall_time;
	*offset = (struct lift_timespec){ 0 };
}

static struct lift_timespec normalized(s64 sec, s64 nsec)
{
	sec += nsec / NSEC_PER_SEC;
	nsec %= NSEC_PER_SEC;
	if (nsec < 0) {
		nsec += NSEC_PER_SEC;
		sec--;
	}
	return (struct lift_timespec){ .sec = sec, .nsec = (long)nsec };
}

YIELDS void set_normalized_timespec64(struct lift_timespec *ts, s64 sec, s64 nsec);
void set_normalized_timespec64(struct lift_timespec *ts, s64 sec, s64 nsec)
{
	*ts = normalized(sec, nsec);
}

YIELDS struct lift_timespec ns_to_timespec64(s64 nsec);
struct lift_timespec ns_to_timespec64(s64 nsec)
{
	return normalized(0, nsec);
}
