// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The symbols that a lifted core needs from the rest of its kernel. Most need to do nothing, or to
 * count that they were called, and are
 * one line each in the table; a line that a tree does not need costs nothing. No kernel header is
 * included, so the signatures follow the calling convention and are not the kernel's.
 */
#include "tk/linux/lift.h"
#include "tk/tk.h"

/*
 * Every symbol is weak: if a tree's two files define the same symbol, theirs is linked.
 */
#define YIELDS __attribute__((weak))
/* A function whose answer does not matter: returns 0, NULL or false. */
#define NOTHING(name)           \
	YIELDS long name(void); \
	YIELDS long name(void)  \
	{                       \
		return 0;       \
	}
/* The same, and counts the calls as this reading. */
#define COUNTS(name, reading)                                        \
	YIELDS long name(void);                                      \
	YIELDS long name(void)                                       \
	{                                                            \
		lift_told_counts[(reading)-TKR_CLOCK_WAS_SET_SEQ]++; \
		return 0;                                            \
	}
/* A clock that has counted since the machine was switched on. */
#define IS_BOOT_CLOCK(name)          \
	YIELDS u64 name(void);       \
	YIELDS u64 name(void)        \
	{                            \
		return lift_boot_ns; \
	}
/* A variable of at least this size, whose value does not matter. */
#define BYTES(name, size)       \
	extern char name[size]; \
	YIELDS char name[size] __attribute__((aligned(64)));

s64 lift_told_counts[TK_TOLDS];
u64 lift_global_loads;
u64 lift_boot_ns;
int lift_locks;
bool lift_aux_call;
void *lift_listener;
static s64 told_base[32]; /* calls of clock_was_set() by base */

/* clang-format off */

/* Messages and random numbers */
NOTHING(__warn_printk)
NOTHING(warn_slowpath_fmt)

/* Notifications that time was set or has passed */
COUNTS(add_device_randomness, TKR_TOLD_RANDOMNESS)
COUNTS(clock_was_set_delayed, TKR_TOLD_SET_DELAYED)
COUNTS(tick_clock_notify, TKR_TOLD_TICK_NOTIFY)
COUNTS(timerfd_resume, TKR_TOLD_TIMERFD_RESUME)
NOTHING(timerfd_clock_was_set)
NOTHING(audit_tk_injoffset)
NOTHING(__audit_tk_injoffset)
NOTHING(__audit_ntp_log)
NOTHING(ntp_get_status)

/* Suspend and resume */
COUNTS(clockevents_resume, TKR_TOLD_CLOCKEVENTS_RESUME)
COUNTS(clockevents_suspend, TKR_TOLD_CLOCKEVENTS_SUSPEND)
COUNTS(clocksource_resume, TKR_TOLD_CLOCKSOURCE_RESUME)
COUNTS(clocksource_suspend, TKR_TOLD_CLOCKSOURCE_SUSPEND)
COUNTS(tick_resume, TKR_TOLD_TICK_RESUME)
COUNTS(tick_suspend, TKR_TOLD_TICK_SUSPEND)
COUNTS(register_syscore, TKR_TOLD_SYSCORE)
COUNTS(register_syscore_ops, TKR_TOLD_SYSCORE)
NOTHING(touch_softlockup_watchdog)

/* Other clocks: the one before timekeeping starts, and a coupled tick device's */
IS_BOOT_CLOCK(local_clock)
IS_BOOT_CLOCK(local_clock_noinstr)
IS_BOOT_CLOCK(sched_clock)
IS_BOOT_CLOCK(sched_clock_noinstr)
IS_BOOT_CLOCK(sched_clock_cpu)

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
NOTHING(kstrtoull)
BYTES(sys_tz, 8)
BYTES(cpu_number, 8) /* of a kernel for several CPUs: the one that ticks is the first */
BYTES(jiffies_64, 8)
BYTES(jiffies, 8)

/* What the auxiliary clocks need of sysfs and mutexes */
NOTHING(cap_settime)
NOTHING(mutex_lock)
NOTHING(mutex_unlock)
NOTHING(__mutex_init)
NOTHING(vdso_time_update_aux)
BYTES(kernel_kobj, 8)

/* x86 */
NOTHING(preempt_schedule_thunk)
NOTHING(preempt_schedule)
NOTHING(preempt_schedule_notrace_thunk)
/* clang-format on */

/* x86: the inverted "need resched" bit stays set, so that the count never reaches 0 and the
 * scheduler is never called. */
extern int __preempt_count;
YIELDS int __preempt_count = (int)0x80000000;

/* User-mode Linux: signals are its interrupts. None are sent here, but who blocks them is seen. */
extern int signals_enabled;
YIELDS int signals_enabled = 1;

YIELDS int um_get_signals(void);
int um_get_signals(void)
{
	return signals_enabled;
}

YIELDS int um_set_signals(int enable);
int um_set_signals(int enable)
{
	int before = signals_enabled;

	signals_enabled = enable;
	return before;
}

YIELDS void block_signals(void);
void block_signals(void)
{
	signals_enabled = 0;
}

YIELDS void unblock_signals(void);
void unblock_signals(void)
{
	signals_enabled = 1;
}

/*
 * The locks of a kernel for several CPUs, which are functions; in one for a single CPU they are
 * counted by wrap_locks.h. Only the CPU that ticks takes one, with its tick disabled.
 */
YIELDS void _raw_spin_lock(u32 *lock);
void _raw_spin_lock(u32 *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		;
	lift_locks++;
}

YIELDS void _raw_spin_unlock(u32 *lock);
void _raw_spin_unlock(u32 *lock)
{
	lift_locks--;
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

YIELDS unsigned long _raw_spin_lock_irqsave(u32 *lock);
unsigned long _raw_spin_lock_irqsave(u32 *lock)
{
	unsigned long before = (unsigned long)um_set_signals(0);

	_raw_spin_lock(lock);
	return before;
}

YIELDS void _raw_spin_unlock_irqrestore(u32 *lock, unsigned long flags);
void _raw_spin_unlock_irqrestore(u32 *lock, unsigned long flags)
{
	_raw_spin_unlock(lock);
	um_set_signals((int)flags);
}

YIELDS void _raw_spin_lock_irq(u32 *lock);
void _raw_spin_lock_irq(u32 *lock)
{
	_raw_spin_lock_irqsave(lock);
}

YIELDS void _raw_spin_unlock_irq(u32 *lock);
void _raw_spin_unlock_irq(u32 *lock)
{
	_raw_spin_unlock_irqrestore(lock, 1);
}

/* Who is told what. */

static void tell(enum tk_reading reading, s64 calls)
{
	lift_told_counts[reading - TKR_CLOCK_WAS_SET_SEQ] += calls;
}

/* A change is told under the timekeeper's lock, with interrupts disabled. */
static void check_protected(void)
{
	tell(TKR_TOLD_UNPROTECTED, signals_enabled || lift_locks <= 0);
}

void lift_told_reset(void)
{
	for (u32 i = 0; i < TK_TOLDS; i++)
		lift_told_counts[i] = 0;
	for (u32 i = 0; i < TB_ARRAY_SIZE(told_base); i++)
		told_base[i] = 0;
	lift_global_loads = 0;
	signals_enabled = 1;
	lift_locks = 0;
}

s64 lift_told_bases(unsigned int bases)
{
	s64 least = (s64)(~0ULL >> 1);

	for (u32 i = 0; i < TB_ARRAY_SIZE(told_base); i++)
		if (bases >> i & 1 && told_base[i] < least)
			least = told_base[i];
	return least;
}

static bool contains(const char *text, const char *word)
{
	for (; *text; text++) {
		u32 i = 0;

		while (word[i] && text[i] == word[i])
			i++;
		if (!word[i])
			return true;
	}
	return false;
}

/* Those of which there is one for each time that the thing happens, in every kernel. */
static void print(const char *format)
{
	static const char *const words[] = { "leap second", "sleep delta", "Persistent clock" };

	for (u32 i = 0; i < TB_ARRAY_SIZE(words); i++)
		tell(TKR_TOLD_MESSAGES, contains(format, words[i]));
}

YIELDS int _printk(const char *format);
int _printk(const char *format)
{
	print(format);
	return 0;
}

YIELDS int _printk_deferred(const char *format);
int _printk_deferred(const char *format)
{
	print(format);
	return 0;
}

YIELDS void clock_was_set(unsigned int bases);
void clock_was_set(unsigned int bases)
{
	for (u32 i = 0; i < TB_ARRAY_SIZE(told_base); i++)
		told_base[i] += bases >> i & 1;
}

YIELDS int raw_notifier_call_chain(void *chain, unsigned long was_set, void *data);
int raw_notifier_call_chain(void *chain, unsigned long was_set, void *data)
{
	/* A block's first member is its function. */
	typedef int notified(void *block, unsigned long was_set, void *data);

	(void)chain;
	if (lift_listener)
		(*(notified **)lift_listener)(lift_listener, was_set, data);
	check_protected();
	tell(TKR_TOLD_NOTIFIER, 1);
	tell(TKR_TOLD_NOTIFIER_SET, was_set != 0);
	return 0;
}

YIELDS int raw_notifier_chain_register(void *chain, void *block);
int raw_notifier_chain_register(void *chain, void *block)
{
	(void)chain;
	check_protected();
	if (block != lift_listener)
		tell(TKR_TOLD_REGISTERED, 1);
	return 0;
}

YIELDS int raw_notifier_chain_unregister(void *chain, void *block);
int raw_notifier_chain_unregister(void *chain, void *block)
{
	(void)chain;
	(void)block;
	check_protected();
	tell(TKR_TOLD_REGISTERED, -1);
	return 0;
}

static bool lift_vdso_held;
static void *lift_vdso_due; /* what update_vsyscall() was last called with while held */

/* The linker puts this between timekeeping.c and vsyscall.c (--wrap in build.mk). */
void __real_update_vsyscall(void *tk);
void __wrap_update_vsyscall(void *tk);
void __wrap_update_vsyscall(void *tk)
{
	tell(TKR_TOLD_UPDATE_VSYSCALL, 1);
	check_protected();
	lift_amid = false; /* the auxiliary clocks' seconds come after the core is published */
	if (lift_vdso_held) {
		lift_vdso_due = tk;
		return;
	}
	if (!lift_inside) {
		__real_update_vsyscall(tk);
		return;
	}
	lift_inside_before();
	__real_update_vsyscall(tk);
	lift_inside_after();
}

void lift_vdso_hold(bool held)
{
	lift_vdso_held = held;
	/* The next tick may come too early to write the page. */
	if (!held && lift_vdso_due)
		__real_update_vsyscall(lift_vdso_due);
	lift_vdso_due = NULL;
}

/* The same of an auxiliary clock. Its tick comes where interrupts are disabled already. */
void __real_vdso_time_update_aux(void *tk) YIELDS;
void __wrap_vdso_time_update_aux(void *tk);
void __wrap_vdso_time_update_aux(void *tk)
{
	tell(TKR_TOLD_UNPROTECTED, lift_locks <= 0 || (lift_aux_call && signals_enabled));
	__real_vdso_time_update_aux(tk);
}

YIELDS void calc_global_load(void);
void calc_global_load(void)
{
	lift_global_loads++;
}

/* There is one CPU, so it is stopped already. */
YIELDS int stop_machine(int (*function)(void *data), void *data, const void *cpus);
int stop_machine(int (*function)(void *data), void *data, const void *cpus)
{
	(void)cpus;
	return function(data);
}

/* Functions whose results matter: arithmetic from other files, and the time at boot. */

#define NSEC_PER_SEC 1000000000LL

struct lift_sleep lift_sleep;

YIELDS void read_persistent_clock64(struct lift_timespec *ts);
void read_persistent_clock64(struct lift_timespec *ts)
{
	*ts = lift_sleep.persistent;
}

YIELDS void clocksource_start_suspend_timing(void *clocksource, u64 cycles);
void clocksource_start_suspend_timing(void *clocksource, u64 cycles)
{
	(void)clocksource;
	lift_sleep.started = cycles;
}

/* Other values of the counter than those of the suspend and the resume give another answer. */
YIELDS u64 clocksource_stop_suspend_timing(void *clocksource, u64 cycles);
u64 clocksource_stop_suspend_timing(void *clocksource, u64 cycles)
{
	(void)clocksource;
	if (!lift_sleep.nonstop_ns)
		return 0;
	return lift_sleep.nonstop_ns + (cycles - lift_sleep.stop) -
	       (lift_sleep.started - lift_sleep.start);
}

/* The number of a boot parameter, whatever its text; an empty text is none. */
s64 lift_parameter;
YIELDS int kstrtoll(const char *text, unsigned int base, s64 *value);
int kstrtoll(const char *text, unsigned int base, s64 *value)
{
	if (!*text || (base && base != 10))
		return -22;
	*value = lift_parameter;
	return 0;
}

/* sysfs: folders and files that are there, of which making one may fail. */
struct lift_sysfs lift_sysfs;

static bool sysfs_makes(s32 *count)
{
	if (lift_sysfs.fails_in && !--lift_sysfs.fails_in)
		return false;
	++*count;
	return true;
}

YIELDS void *kobject_create_and_add(const char *name, void *parent);
void *kobject_create_and_add(const char *name, void *parent)
{
	(void)parent;
	lift_sysfs.names = tk_name_hash(lift_sysfs.names, *name);
	return sysfs_makes(&lift_sysfs.folders) ? &lift_sysfs : NULL;
}

/* As the kernel's: of nothing, it does nothing. */
YIELDS void kobject_put(void *folder);
void kobject_put(void *folder)
{
	lift_sysfs.folders -= folder != NULL;
}

YIELDS int sysfs_create_group(void *folder, const void *group);
int sysfs_create_group(void *folder, const void *group)
{
	(void)folder;
	(void)group;
	return sysfs_makes(&lift_sysfs.files) ? 0 : -12;
}

YIELDS void sysfs_remove_group(void *folder, const void *group);
void sysfs_remove_group(void *folder, const void *group)
{
	(void)folder;
	(void)group;
	lift_sysfs.files--;
}

/* Answers the number that it is handed to print. */
YIELDS int sysfs_emit(char *page, const char *format, int value);
int sysfs_emit(char *page, const char *format, int value)
{
	(void)page;
	(void)format;
	return value;
}

YIELDS void clocks_calc_mult_shift(u32 *mult, u32 *shift, u32 from, u32 to, u32 seconds);
void clocks_calc_mult_shift(u32 *mult, u32 *shift, u32 from, u32 to, u32 seconds)
{
	tk_best_pair(from, to, seconds, mult, shift);
}

/* Of the words that mean a truth value, "1" and "0" are enough. */
YIELDS int kstrtobool(const char *text, bool *value);
int kstrtobool(const char *text, bool *value)
{
	*value = *text == '1';
	return 0;
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
