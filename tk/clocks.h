/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core says beside CLOCK_REALTIME: each clock by each function that reads it, the offsets
 * between clocks, the further copies of its state, and what it told the rest of the kernel. A
 * reading is one s64 for one value of the counter. Its name is the function or the field of a
 * kernel that it comes from. Readings come in sets, so that a caller reads no more than it needs.
 *
 * To add one: a row in the table below, in tk/linux/wrap_clocks.h (or another wrap_*.h) what the
 * kernel says, and in tk/native/clocks.c what the equations say.
 */
#ifndef TB_TK_CLOCKS_H
#define TB_TK_CLOCKS_H

#include "lib/types.h"

enum tk_reading_set {
	TK_SET_GETTERS = 1 << 0,  /* the clocks at the counter's value, ns */
	TK_SET_COARSE = 1 << 1,	  /* as of the latest tick, ns or s */
	TK_SET_OFFSETS = 1 << 2,  /* between clocks, ns; and what a clock can do */
	TK_SET_FAST = 1 << 3,	  /* those that an NMI may call, ns */
	TK_SET_SNAPSHOT = 1 << 4, /* snapshots and cross timestamps, ns */
	TK_SET_COPIES = 1 << 5,	  /* fields of struct timekeeper and of its copies */
	TK_SET_TOLD = 1 << 6,	  /* how often somebody was told, since init() */
	TK_SET_VDSO = 1 << 7,	  /* what user space reads from the data page, ns */
	TK_SETS = 8,
	TK_SET_ALL = (1 << TK_SETS) - 1,
};

/* clang-format off */
/* Counts, which a core keeps: contiguous, the first is TKR_CLOCK_WAS_SET_SEQ. */
#define TK_TOLD_TABLE(ROW) \
	ROW(CLOCK_WAS_SET_SEQ, TOLD, "clock_was_set_seq") \
	ROW(CS_WAS_CHANGED_SEQ, TOLD, "cs_was_changed_seq") \
	ROW(TOLD_SET_WALL, TOLD, "clock_was_set() of the wall clocks") \
	ROW(TOLD_SET_BOOT, TOLD, "clock_was_set() of the boot clock") \
	ROW(TOLD_SET_DELAYED, TOLD, "clock_was_set_delayed()") \
	ROW(TOLD_TICK_NOTIFY, TOLD, "tick_clock_notify()") \
	ROW(TOLD_NOTIFIER, TOLD, "pvclock_gtod notifier calls") \
	ROW(TOLD_NOTIFIER_SET, TOLD, "pvclock_gtod notifier calls with was_set") \
	ROW(TOLD_REGISTERED, TOLD, "pvclock_gtod notifiers that are registered") \
	ROW(TOLD_UPDATE_VSYSCALL, TOLD, "update_vsyscall()") \
	ROW(TOLD_RANDOMNESS, TOLD, "add_device_randomness()") \
	ROW(TOLD_TIMERFD_RESUME, TOLD, "timerfd_resume()") \
	ROW(TOLD_TICK_SUSPEND, TOLD, "tick_suspend()") \
	ROW(TOLD_TICK_RESUME, TOLD, "tick_resume()") \
	ROW(TOLD_CLOCKEVENTS_SUSPEND, TOLD, "clockevents_suspend()") \
	ROW(TOLD_CLOCKEVENTS_RESUME, TOLD, "clockevents_resume()") \
	ROW(TOLD_CLOCKSOURCE_SUSPEND, TOLD, "clocksource_suspend()") \
	ROW(TOLD_CLOCKSOURCE_RESUME, TOLD, "clocksource_resume()") \
	ROW(TOLD_ENABLED, TOLD, "clock sources that were enabled") \
	ROW(TOLD_DISABLED, TOLD, "clock sources that were disabled") \
	ROW(TOLD_SYSCORE, TOLD, "register_syscore()") \
	ROW(TOLD_SUSPEND_FAILED, TOLD, "suspends that were refused") \
	ROW(TOLD_UNPROTECTED, TOLD, "updates without the lock or with interrupts enabled") \
	ROW(TOLD_MESSAGES, TOLD, "messages of leap seconds and invalid times")

#define TK_READINGS_TABLE(ROW) \
	ROW(KTIME_GET_REAL_TS64, GETTERS, "ktime_get_real_ts64") \
	ROW(KTIME_GET, GETTERS, "ktime_get") \
	ROW(KTIME_GET_TS64, GETTERS, "ktime_get_ts64") \
	ROW(KTIME_GET_OFFS_REAL, GETTERS, "ktime_get_with_offset(REAL)") \
	ROW(KTIME_GET_OFFS_BOOT, GETTERS, "ktime_get_with_offset(BOOT)") \
	ROW(KTIME_GET_OFFS_TAI, GETTERS, "ktime_get_with_offset(TAI)") \
	ROW(KTIME_GET_RAW, GETTERS, "ktime_get_raw") \
	ROW(KTIME_GET_RAW_TS64, GETTERS, "ktime_get_raw_ts64") \
	ROW(ENTROPY, GETTERS, "random_get_entropy_fallback") \
	ROW(CLOCK_TS64_REAL, GETTERS, "ktime_get_clock_ts64(REALTIME)") \
	ROW(CLOCK_TS64_MONO, GETTERS, "ktime_get_clock_ts64(MONOTONIC)") \
	ROW(CLOCK_TS64_RAW, GETTERS, "ktime_get_clock_ts64(MONOTONIC_RAW)") \
	ROW(CLOCK_TS64_AUX, GETTERS, "ktime_get_clock_ts64: auxiliary clocks off") \
	ROW(CLOCK_TS64_NO_CLOCK, GETTERS, "ktime_get_clock_ts64 of a clock that it does not have") \
	ROW(KTIME_GET_SECONDS, COARSE, "ktime_get_seconds") \
	ROW(KTIME_GET_REAL_SECONDS, COARSE, "ktime_get_real_seconds") \
	ROW(KTIME_GET_REAL_SECONDS_RAW, COARSE, "__ktime_get_real_seconds") \
	ROW(COARSE_REAL_TS64, COARSE, "ktime_get_coarse_real_ts64") \
	ROW(COARSE_TS64, COARSE, "ktime_get_coarse_ts64") \
	ROW(COARSE_OFFS_REAL, COARSE, "ktime_get_coarse_with_offset(REAL)") \
	ROW(COARSE_OFFS_BOOT, COARSE, "ktime_get_coarse_with_offset(BOOT)") \
	ROW(COARSE_OFFS_TAI, COARSE, "ktime_get_coarse_with_offset(TAI)") \
	ROW(OLD_COARSE_REAL_TS64, COARSE, "ktime_get_coarse_real_ts64 without coarse_nsec") \
	ROW(OLD_COARSE_TS64, COARSE, "ktime_get_coarse_ts64 without coarse_nsec") \
	ROW(OLD_COARSE_OFFS_REAL, COARSE, "ktime_get_coarse_with_offset(REAL) without coarse_nsec") \
	ROW(OLD_COARSE_OFFS_BOOT, COARSE, "ktime_get_coarse_with_offset(BOOT) without coarse_nsec") \
	ROW(OLD_COARSE_OFFS_TAI, COARSE, "ktime_get_coarse_with_offset(TAI) without coarse_nsec") \
	ROW(COARSE_MG_BEFORE, COARSE, "ktime_get_coarse_real_ts64_mg") \
	ROW(REAL_MG, COARSE, "ktime_get_real_ts64_mg") \
	ROW(REAL_MG_RACED, COARSE, "ktime_get_real_ts64_mg of two tasks at once") \
	ROW(COARSE_MG_AFTER, COARSE, "ktime_get_coarse_real_ts64_mg above the floor") \
	ROW(UPDATE_OFFSETS_NOW, OFFSETS, "ktime_get_update_offsets_now") \
	ROW(UPDATE_OFFS_REAL, OFFSETS, "ktime_get_update_offsets_now: offs_real") \
	ROW(UPDATE_OFFS_BOOT, OFFSETS, "ktime_get_update_offsets_now: offs_boot") \
	ROW(UPDATE_OFFS_TAI, OFFSETS, "ktime_get_update_offsets_now: offs_tai") \
	ROW(UPDATE_OFFS_KEPT, OFFSETS, "ktime_get_update_offsets_now: offsets that were current") \
	ROW(UPDATE_OFFS_LEAP, OFFSETS, "ktime_get_update_offsets_now: offs_real in a leap second") \
	ROW(MONO_TO_REAL, OFFSETS, "ktime_mono_to_any(REAL)") \
	ROW(MONO_TO_BOOT, OFFSETS, "ktime_mono_to_any(BOOT)") \
	ROW(MONO_TO_TAI, OFFSETS, "ktime_mono_to_any(TAI)") \
	ROW(GETBOOTTIME64, OFFSETS, "getboottime64") \
	ROW(RESOLUTION, OFFSETS, "ktime_get_resolution_ns") \
	ROW(MAX_DEFERMENT, OFFSETS, "timekeeping_max_deferment") \
	ROW(VALID_FOR_HRES, OFFSETS, "timekeeping_valid_for_hres") \
	ROW(RTC_SKIPSUSPEND, OFFSETS, "timekeeping_rtc_skipsuspend") \
	ROW(RTC_SKIPRESUME, OFFSETS, "timekeeping_rtc_skipresume") \
	ROW(EXPIRY_TO_CYCLES, OFFSETS, "ktime_expiry_to_cycles") \
	ROW(EXPIRY_PAST, OFFSETS, "ktime_expiry_to_cycles of what is past") \
	ROW(EXPIRY_FAR, OFFSETS, "ktime_expiry_to_cycles of what is too far") \
	ROW(EXPIRY_OTHER_ID, OFFSETS, "ktime_expiry_to_cycles of another clock source") \
	ROW(MONO_FAST, FAST, "ktime_get_mono_fast_ns") \
	ROW(RAW_FAST, FAST, "ktime_get_raw_fast_ns") \
	ROW(BOOT_FAST, FAST, "ktime_get_boot_fast_ns") \
	ROW(TAI_FAST, FAST, "ktime_get_tai_fast_ns") \
	ROW(REAL_FAST, FAST, "ktime_get_real_fast_ns") \
	ROW(FAST_STAMP_MONO, FAST, "ktime_get_fast_timestamps: mono") \
	ROW(FAST_STAMP_BOOT, FAST, "ktime_get_fast_timestamps: boot") \
	ROW(INSIDE_MONO_FAST, FAST, "ktime_get_mono_fast_ns inside of a tick: off by") \
	ROW(INSIDE_RAW_FAST, FAST, "ktime_get_raw_fast_ns inside of a tick: off by") \
	ROW(INSIDE_BOOT_FAST, FAST, "ktime_get_boot_fast_ns inside of a tick: off by") \
	ROW(INSIDE_TAI_FAST, FAST, "ktime_get_tai_fast_ns inside of a tick: off by") \
	ROW(INSIDE_REAL_FAST, FAST, "ktime_get_real_fast_ns inside of a tick: off by") \
	ROW(INSIDE_VDSO, FAST, "vDSO clock_gettime(MONOTONIC) inside of a tick: off by") \
	ROW(FAST_STAMP_REAL, FAST, "ktime_get_fast_timestamps: real") \
	ROW(FAST_LATCHED, FAST, "fast readers while one of their copies is written: off by") \
	ROW(FAST_EARLY, FAST, "fast readers before there is a clock source: off by") \
	ROW(AMID_READINGS, FAST, "readings amid a tick, before it is published: how many are not the old ones") \
	ROW(SNAPSHOT_CYCLES, SNAPSHOT, "ktime_get_snapshot: cycles") \
	ROW(SNAPSHOT_REAL, SNAPSHOT, "ktime_get_snapshot(REALTIME)") \
	ROW(SNAPSHOT_MONO, SNAPSHOT, "ktime_get_snapshot(MONOTONIC)") \
	ROW(SNAPSHOT_BOOT, SNAPSHOT, "ktime_get_snapshot(BOOTTIME)") \
	ROW(SNAPSHOT_RAW, SNAPSHOT, "ktime_get_snapshot: raw") \
	ROW(SNAPSHOT_RAW_SYS, SNAPSHOT, "ktime_get_snapshot(MONOTONIC_RAW)") \
	ROW(SNAPSHOT_SUSPENDED, SNAPSHOT, "ktime_get_snapshot while suspended: valid") \
	ROW(SNAPSHOT_HW, SNAPSHOT, "ktime_get_snapshot: hardware counter") \
	ROW(SNAPSHOT_NO_CLOCK, SNAPSHOT, "ktime_get_snapshot of clocks that have none: valid") \
	ROW(SNAPSHOT_SET_SEQ, SNAPSHOT, "ktime_get_snapshot: clock_was_set_seq") \
	ROW(SNAPSHOT_CHANGED_SEQ, SNAPSHOT, "ktime_get_snapshot: cs_was_changed_seq") \
	ROW(CROSS_STATUS, SNAPSHOT, "get_device_system_crosststamp") \
	ROW(CROSS_DEVICE, SNAPSHOT, "get_device_system_crosststamp: device") \
	ROW(CROSS_REAL, SNAPSHOT, "get_device_system_crosststamp: realtime") \
	ROW(CROSS_RAW, SNAPSHOT, "get_device_system_crosststamp: raw") \
	ROW(CROSS_FOREIGN, SNAPSHOT, "get_device_system_crosststamp of another clock source") \
	ROW(CROSS_DRIVER_ERROR, SNAPSHOT, "get_device_system_crosststamp of a device that fails") \
	ROW(CROSS_NO_HISTORY, SNAPSHOT, "get_device_system_crosststamp before the tick, without history") \
	ROW(CROSS_NOW, SNAPSHOT, "get_device_system_crosststamp of this moment") \
	ROW(CROSS_LAST, SNAPSHOT, "get_device_system_crosststamp of the latest tick") \
	ROW(CROSS_AHEAD, SNAPSHOT, "get_device_system_crosststamp of what is to come") \
	ROW(CROSS_NO_CLOCK, SNAPSHOT, "get_device_system_crosststamp of a clock that has none") \
	ROW(CROSS_AUX, SNAPSHOT, "get_device_system_crosststamp: auxiliary clocks off") \
	ROW(HISTORY_STATUS, SNAPSHOT, "get_device_system_crosststamp in history") \
	ROW(HISTORY_REAL, SNAPSHOT, "get_device_system_crosststamp in history: realtime") \
	ROW(HISTORY_RAW, SNAPSHOT, "get_device_system_crosststamp in history: raw") \
	ROW(CROSS_BASE_REAL, SNAPSHOT, "get_device_system_crosststamp of a base clock") \
	ROW(CROSS_BASE_COUNTER, SNAPSHOT, "get_device_system_crosststamp of a base clock: sys_counter") \
	ROW(CROSS_BASE_NSEC, SNAPSHOT, "get_device_system_crosststamp of a base clock in ns") \
	ROW(CROSS_BASE_REFUSED, SNAPSHOT, "get_device_system_crosststamp of no base clock") \
	ROW(REAL_TO_BASE, SNAPSHOT, "ktime_real_to_base_clock") \
	ROW(REAL_TO_BASE_REFUSED, SNAPSHOT, "ktime_real_to_base_clock of no base clock: converted") \
	ROW(HAS_BASE, SNAPSHOT, "timekeeping_clocksource_has_base") \
	ROW(OFFS_REAL, COPIES, "offs_real") \
	ROW(OFFS_BOOT, COPIES, "offs_boot") \
	ROW(OFFS_TAI, COPIES, "offs_tai") \
	ROW(MONOTONIC_TO_BOOT, COPIES, "monotonic_to_boot") \
	ROW(KTIME_SEC, COPIES, "ktime_sec") \
	ROW(COARSE_NSEC, COPIES, "coarse_nsec") \
	ROW(NEXT_LEAP_KTIME, COPIES, "next_leap_ktime") \
	ROW(MONO_BASE, COPIES, "tkr_mono.base") \
	ROW(MONO_BASE_REAL, COPIES, "tkr_mono.base_real") \
	ROW(MONO_MASK, COPIES, "tkr_mono.mask") \
	ROW(RAW_BASE, COPIES, "tkr_raw.base") \
	ROW(RAW_CYCLE_LAST, COPIES, "tkr_raw.cycle_last") \
	ROW(RAW_MULT, COPIES, "tkr_raw.mult") \
	ROW(RAW_SHIFT, COPIES, "tkr_raw.shift") \
	ROW(RAW_MASK, COPIES, "tkr_raw.mask") \
	ROW(RAW_INTERVAL, COPIES, "raw_interval") \
	ROW(XTIME_REMAINDER, COPIES, "xtime_remainder") \
	ROW(CS_TICK_ADJ, COPIES, "cs_tick_adj") \
	ROW(TICK_USEC, COPIES, "tick_usec") \
	ROW(NTP_TICK_ADJ, COPIES, "ntp_tick_adj") \
	ROW(TIME_ESTERROR, COPIES, "time_esterror") \
	ROW(TIME_REFTIME, COPIES, "time_reftime") \
	ROW(FAST_MONO_0, COPIES, "tk_fast_mono.base[0]: bytes unlike tkr_mono") \
	ROW(FAST_MONO_1, COPIES, "tk_fast_mono.base[1]: bytes unlike tkr_mono") \
	ROW(FAST_RAW_0, COPIES, "tk_fast_raw.base[0]: bytes unlike tkr_raw") \
	ROW(FAST_RAW_1, COPIES, "tk_fast_raw.base[1]: bytes unlike tkr_raw") \
	ROW(SEQ_ODD, COPIES, "the sequence count is odd") \
	ROW(FAST_SEQ_ODD, COPIES, "a latch sequence is odd") \
	ROW(SHADOW, COPIES, "shadow timekeeper: bytes unlike the published one") \
	ROW(LOCKS_HELD, COPIES, "locks that are held between two calls + 1000 * interrupts disabled") \
	ROW(DO_TIMER, COPIES, "do_timer: jiffies + 1000 * calc_global_load()") \
	ROW(VDSO_REALTIME, VDSO, "vDSO clock_gettime(REALTIME)") \
	ROW(VDSO_MONOTONIC, VDSO, "vDSO clock_gettime(MONOTONIC)") \
	ROW(VDSO_BOOTTIME, VDSO, "vDSO clock_gettime(BOOTTIME)") \
	ROW(VDSO_TAI, VDSO, "vDSO clock_gettime(TAI)") \
	ROW(VDSO_RAW, VDSO, "vDSO clock_gettime(MONOTONIC_RAW)") \
	ROW(VDSO_REALTIME_COARSE, VDSO, "vDSO clock_gettime(REALTIME_COARSE)") \
	ROW(VDSO_MONOTONIC_COARSE, VDSO, "vDSO clock_gettime(MONOTONIC_COARSE)") \
	ROW(VDSO_OLD_REALTIME_COARSE, VDSO, "vDSO clock_gettime(REALTIME_COARSE) without coarse_nsec") \
	ROW(VDSO_OLD_MONOTONIC_COARSE, VDSO, "vDSO clock_gettime(MONOTONIC_COARSE) without coarse_nsec") \
	ROW(VDSO_CPUTIME, VDSO, "vDSO clock_gettime(PROCESS_CPUTIME_ID)") \
	ROW(VDSO_NO_CLOCK, VDSO, "vDSO clock_gettime of no clock") \
	ROW(VDSO_GETTIMEOFDAY, VDSO, "vDSO gettimeofday") \
	ROW(VDSO_TIME, VDSO, "vDSO time") \
	ROW(VDSO_RES, VDSO, "vDSO clock_getres(MONOTONIC)") \
	ROW(VDSO_RES_RAW, VDSO, "vDSO clock_getres(MONOTONIC_RAW)") \
	ROW(VDSO_RES_COARSE, VDSO, "vDSO clock_getres(REALTIME_COARSE)") \
	ROW(VDSO_AUX, VDSO, "vDSO clock_gettime: auxiliary clocks off") \
	ROW(VDSO_RES_AUX, VDSO, "vDSO clock_getres(AUX)") \
	ROW(VDSO_RES_NO_CLOCK, VDSO, "vDSO clock_getres of no clock") \
	ROW(VDSO_ZONE, VDSO, "vDSO gettimeofday: time zone") \
	ROW(VDSO_UPDATE_SECTION, VDSO, "vdso_update_begin and _end") \
	ROW(VDSO_SEQ_ODD, VDSO, "the vDSO's sequence count is odd") \
	ROW(NO_PERSISTENT, COPIES, "read_persistent_clock64 of a machine that has none") \
	ROW(AUX_RES, COPIES, "clock_getres of an auxiliary clock") \
	ROW(AUX_RES_NO_CLOCK, COPIES, "clock_getres of no auxiliary clock") \
	ROW(AUX_ENABLED, COPIES, "aux_clock_enable_show") \
	ROW(AUX_STORED, COPIES, "aux_clock_enable_store") \
	ROW(AUX_SYSFS, COPIES, "tk_aux_sysfs_init") \
	ROW(AUX_SYSFS_NAMES, COPIES, "tk_aux_sysfs_init: names") \
	ROW(LISTEN_STATUS, TOLD, "pvclock_gtod_register_notifier and unregister: status") \
	ROW(INIT_OPS, TOLD, "timekeeping_init_ops: status") \
	ROW(NOTIFY_REFUSED, TOLD, "timekeeping_notify of a clock source that cannot be enabled") \
	TK_TOLD_TABLE(ROW)

#define TK_READING_ENUM(name, set, text) TKR_##name,
#define TK_READING_COUNT(name, set, text) +1
/* clang-format on */

enum tk_reading {
	TK_READINGS_TABLE(TK_READING_ENUM) /* TKR_KTIME_GET_REAL_TS64 and so on */
	TK_READINGS
};

/* How many counts there are. */
enum {
	TK_TOLDS = 0 TK_TOLD_TABLE(TK_READING_COUNT)
};

#define TK_READINGS_WORDS ((TK_READINGS + 63) / 64)

/* A reading that a core does not have has its bit of `has` clear, and its value is undefined. */
struct tk_readings {
	u64 has[TK_READINGS_WORDS];
	s64 value[TK_READINGS];
};

/*
 * What the readings of a snapshot ask for. A device says TK_DEVICE_NS at the counter's value half
 * way from cycle_last to now. The clock source has a base clock, which is (c - OFFSET) *
 * DENOMINATOR / NUMERATOR for a value c of the counter. ktime_real_to_base_clock() is asked for
 * TK_SOON_NS after now; a timestamp that another task takes meanwhile is TK_RACE_NS later. A time
 * in history is a number of eighths between the latest snapshot and cycle_last.
 */
#define TK_DEVICE_NS	    4242LL
#define TK_SOON_NS	    5000000LL
#define TK_RACE_NS	    7LL
#define TK_HW_AHEAD	    77 /* of the hardware's counter, by a clock source that is made of it */
#define TK_BASE_NUMERATOR   5
#define TK_BASE_DENOMINATOR 3
#define TK_BASE_OFFSET	    1000
/*
 * 2 if the vDSO's page is closed during an update, with interrupts disabled and under the lock, and
 * all is as before after it; and 100 times that for an update where interrupts were disabled.
 */
#define TK_UPDATE_SECTION 202

static inline u64 tk_base_of(u64 cycles)
{
	return (cycles - TK_BASE_OFFSET) / TK_BASE_NUMERATOR * TK_BASE_DENOMINATOR;
}

static inline u64 tk_base_nsec_of(u64 cycles, u32 khz)
{
	return (cycles - TK_BASE_OFFSET) / khz * 1000000;
}

static inline u64 tk_history_cycles(u64 begin, u64 end, u64 now)
{
	return begin + (end - begin) / 8 * (1 + now % 7) + (end - begin) % 8 / 2;
}

/* A folder's name, added to a hash of the names before it. */
static inline s32 tk_name_hash(s32 hash, char first)
{
	return (s32)((u32)hash * 31 + (u32)first);
}

/* The function or field, and the bit of enum tk_reading_set, of one reading. */
const char *tk_reading_name(enum tk_reading which);
u32 tk_reading_set(enum tk_reading which);

static inline bool tk_readings_has(const struct tk_readings *readings, u32 which)
{
	return readings->has[which / 64] >> which % 64 & 1;
}

static inline void tk_readings_add(struct tk_readings *readings, enum tk_reading which, s64 value)
{
	readings->has[which / 64] |= 1ULL << which % 64;
	readings->value[which] = value;
}

static inline void tk_readings_clear(struct tk_readings *readings)
{
	for (u32 i = 0; i < TK_READINGS_WORDS; i++)
		readings->has[i] = 0;
}

#endif
