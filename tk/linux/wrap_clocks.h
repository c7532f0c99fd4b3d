/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of wrap_timekeeping.c: the readings of tk/clocks.h, by the kernel's own functions. The
 * counter's value is held (lift_hold()), so that each function reads the same one. What a tree does
 * not have is left out.
 */
#include "tk/clocks.h"

static s64 lift_ns(struct timespec64 ts)
{
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

#if LIFT_HAS_CLOCK_TS64
static s64 lift_clock_ts64(clockid_t clock)
{
	struct timespec64 ts = { 7, 7 };

	ktime_get_clock_ts64(clock, &ts);
	return lift_ns(ts);
}

/* Of the auxiliary clocks: how many read other than by their own function, or, disabled, are valid.
 */
static s64 lift_clock_ts64_aux(void)
{
	s64 off = 0;
	u32 id;

	for (id = 0; LIFT_HAS_AUX && id < MAX_AUX_CLOCKS; id++) {
		ktime_t time = -NSEC_PER_SEC;

		ktime_get_aux(CLOCK_AUX + id, &time);
		off += lift_clock_ts64(CLOCK_AUX + id) != time;
	}
	return off;
}

static void lift_clocks_ts64(struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_CLOCK_TS64_REAL, lift_clock_ts64(CLOCK_REALTIME));
	tk_readings_add(readings, TKR_CLOCK_TS64_MONO, lift_clock_ts64(CLOCK_MONOTONIC));
	tk_readings_add(readings, TKR_CLOCK_TS64_RAW, lift_clock_ts64(CLOCK_MONOTONIC_RAW));
	tk_readings_add(readings, TKR_CLOCK_TS64_AUX, lift_clock_ts64_aux());
	tk_readings_add(readings, TKR_CLOCK_TS64_NO_CLOCK, lift_clock_ts64(CLOCK_TAI));
}
#else
static void lift_clocks_ts64(struct tk_readings *readings)
{
}
#endif

static void lift_getters(struct tk_readings *readings)
{
	struct timespec64 ts;

	ktime_get_real_ts64(&ts);
	tk_readings_add(readings, TKR_KTIME_GET_REAL_TS64, lift_ns(ts));
	tk_readings_add(readings, TKR_KTIME_GET, ktime_get());
	ktime_get_ts64(&ts);
	tk_readings_add(readings, TKR_KTIME_GET_TS64, lift_ns(ts));
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_REAL, ktime_get_with_offset(TK_OFFS_REAL));
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_BOOT, ktime_get_with_offset(TK_OFFS_BOOT));
	tk_readings_add(readings, TKR_KTIME_GET_OFFS_TAI, ktime_get_with_offset(TK_OFFS_TAI));
	tk_readings_add(readings, TKR_KTIME_GET_RAW, ktime_get_raw());
	ktime_get_raw_ts64(&ts);
	tk_readings_add(readings, TKR_KTIME_GET_RAW_TS64, lift_ns(ts));
	tk_readings_add(readings, TKR_ENTROPY, (s64)random_get_entropy_fallback());
	lift_clocks_ts64(readings);
}

/* Before coarse_nsec the coarse clocks are xtime_nsec, which an adjustment of mult may move back.
 */
#if LIFT_HAS_COARSE_NSEC
#define LIFT_COARSE(name)	 TKR_COARSE_##name
#define lift_coarse_nsec(rs, tk) tk_readings_add(rs, TKR_COARSE_NSEC, (tk)->coarse_nsec)
#else
#define LIFT_COARSE(name)	 TKR_OLD_COARSE_##name
#define lift_coarse_nsec(rs, tk) ((void)(tk))
#endif

#if LIFT_HAS_MULTIGRAIN
/* Another task, which takes a timestamp that is a bit later in the middle of ours. */
static void lift_raise_floor(void)
{
	atomic64_set(&mg_floor, atomic64_read(&mg_floor) + TK_RACE_NS);
}

static void lift_multigrain(struct tk_readings *readings)
{
	const s64 floor = ktime_get();
	struct timespec64 ts;

	ktime_get_coarse_real_ts64_mg(&ts);
	tk_readings_add(readings, TKR_COARSE_MG_BEFORE, lift_ns(ts));
	ktime_get_real_ts64_mg(&ts);
	tk_readings_add(readings, TKR_REAL_MG, lift_ns(ts));
	lift_when_read = lift_raise_floor;
	ktime_get_real_ts64_mg(&ts);
	lift_when_read = NULL;
	tk_readings_add(readings, TKR_REAL_MG_RACED, lift_ns(ts));
	atomic64_set(&mg_floor, floor);
	ktime_get_coarse_real_ts64_mg(&ts);
	tk_readings_add(readings, TKR_COARSE_MG_AFTER, lift_ns(ts));
}
#else
static void lift_multigrain(struct tk_readings *readings)
{
}
#endif

static void lift_coarse(struct tk_readings *readings)
{
	struct timespec64 ts;

	tk_readings_add(readings, TKR_KTIME_GET_SECONDS, ktime_get_seconds());
	tk_readings_add(readings, TKR_KTIME_GET_REAL_SECONDS, ktime_get_real_seconds());
	tk_readings_add(readings, TKR_KTIME_GET_REAL_SECONDS_RAW, __ktime_get_real_seconds());
	ktime_get_coarse_real_ts64(&ts);
	tk_readings_add(readings, LIFT_COARSE(REAL_TS64), lift_ns(ts));
	ktime_get_coarse_ts64(&ts);
	tk_readings_add(readings, LIFT_COARSE(TS64), lift_ns(ts));
	tk_readings_add(readings, LIFT_COARSE(OFFS_REAL),
			ktime_get_coarse_with_offset(TK_OFFS_REAL));
	tk_readings_add(readings, LIFT_COARSE(OFFS_BOOT),
			ktime_get_coarse_with_offset(TK_OFFS_BOOT));
	tk_readings_add(readings, LIFT_COARSE(OFFS_TAI), ktime_get_coarse_with_offset(TK_OFFS_TAI));
}

#if LIFT_HAS_EXPIRY_TO_CYCLES
static s64 lift_expiry(ktime_t expires)
{
	u64 cycles = 0;

	return ktime_expiry_to_cycles(LIFT_SOURCE_ID, expires, &cycles) ? (s64)cycles : -1;
}

static void lift_expiries(struct tk_readings *readings)
{
	ktime_t soon = ktime_get() + NSEC_PER_MSEC;
	u64 cycles = 0;

	tk_readings_add(readings, TKR_EXPIRY_TO_CYCLES, lift_expiry(soon));
	tk_readings_add(readings, TKR_EXPIRY_PAST, lift_expiry(0));
	tk_readings_add(readings, TKR_EXPIRY_FAR, lift_expiry(KTIME_MAX));
	tk_readings_add(readings, TKR_EXPIRY_OTHER_ID,
			ktime_expiry_to_cycles(CSID_GENERIC, soon, &cycles));
}
#else
static void lift_expiries(struct tk_readings *readings)
{
}
#endif

/* 1; and 2 if a clock source without the flag is taken for one with it. */
static s64 lift_valid_for_hres(void)
{
	unsigned long *flags = &lift_sources[lift_current].clocksource.flags;
	s64 valid = !!timekeeping_valid_for_hres();

	*flags &= ~(unsigned long)CLOCK_SOURCE_VALID_FOR_HRES;
	valid += 2 * !!timekeeping_valid_for_hres();
	*flags |= CLOCK_SOURCE_VALID_FOR_HRES;
	return valid;
}

static void lift_offsets(struct tk_readings *readings)
{
	const ktime_t mono = 123456789;
	ktime_t real = 1, boot = 2, tai = 3;
	struct timespec64 ts;
	u32 stale = ~tk_core.timekeeper.clock_was_set_seq;

	tk_readings_add(readings, TKR_UPDATE_OFFSETS_NOW,
			ktime_get_update_offsets_now(&stale, &real, &boot, &tai));
	tk_readings_add(readings, TKR_UPDATE_OFFS_REAL, real);
	tk_readings_add(readings, TKR_UPDATE_OFFS_BOOT, boot);
	tk_readings_add(readings, TKR_UPDATE_OFFS_TAI, tai);
	/* The sequence is current now, so that nothing is filled in but for a leap second. */
	real = boot = tai = 0;
	ktime_get_update_offsets_now(&stale, &real, &boot, &tai);
	tk_readings_add(readings, TKR_UPDATE_OFFS_KEPT, boot + tai);
	tk_readings_add(readings, TKR_UPDATE_OFFS_LEAP, real);

	tk_readings_add(readings, TKR_MONO_TO_REAL, ktime_mono_to_any(mono, TK_OFFS_REAL) - mono);
	tk_readings_add(readings, TKR_MONO_TO_BOOT, ktime_mono_to_any(mono, TK_OFFS_BOOT) - mono);
	tk_readings_add(readings, TKR_MONO_TO_TAI, ktime_mono_to_any(mono, TK_OFFS_TAI) - mono);
	getboottime64(&ts);
	tk_readings_add(readings, TKR_GETBOOTTIME64, lift_ns(ts));
	/* It shifts 32 bits by the counter's shift: by 32, the answer is the compiler's. */
	if (tk_core.timekeeper.tkr_mono.shift < 32)
		tk_readings_add(readings, TKR_RESOLUTION, ktime_get_resolution_ns());
	tk_readings_add(readings, TKR_MAX_DEFERMENT, (s64)timekeeping_max_deferment());
	tk_readings_add(readings, TKR_VALID_FOR_HRES, lift_valid_for_hres());
	tk_readings_add(readings, TKR_RTC_SKIPSUSPEND, timekeeping_rtc_skipsuspend());
	tk_readings_add(readings, TKR_RTC_SKIPRESUME, timekeeping_rtc_skipresume());
	lift_expiries(readings);
}

#if LIFT_HAS_FAST_TIMESTAMPS
static void lift_fast_timestamps(struct tk_readings *readings)
{
	struct ktime_timestamps stamps;

	ktime_get_fast_timestamps(&stamps);
	tk_readings_add(readings, TKR_FAST_STAMP_MONO, (s64)stamps.mono);
	tk_readings_add(readings, TKR_FAST_STAMP_BOOT, (s64)stamps.boot);
	tk_readings_add(readings, TKR_FAST_STAMP_REAL, (s64)stamps.real);
}
#else
static void lift_fast_timestamps(struct tk_readings *readings)
{
}
#endif

/*
 * What was read inside of the latest tick that was watched, less what it must have been. A tick is
 * watched once after each reading of this set.
 */
static void lift_insides(struct tk_readings *readings)
{
	u32 i;

	for (i = 0; lift_watch.done && i < LIFT_INSIDES; i++)
		tk_readings_add(readings, TKR_INSIDE_MONO_FAST + i, lift_watch.off[i]);
	lift_watch.done = false;
	lift_watch_wanted = true;
}

/*
 * What a fast reader gives while either of its copies is being written, as an NMI finds it, less
 * what it gives otherwise.
 */
static s64 lift_latched(struct tk_fast *fast, u64 (*read)(void))
{
	const unsigned int seq = fast->seq.seqcount.sequence;
	const u64 undisturbed = read();
	u64 off = 0;
	u32 i;

	for (i = 0; i < 2; i++) {
		const struct tk_read_base kept = fast->base[i];

		fast->base[i].base += NSEC_PER_SEC;
		fast->base[i].base_real += NSEC_PER_SEC;
		/* The first copy is written while the sequence is odd. */
		fast->seq.seqcount.sequence = seq + 1 + i;
		off += read() - undisturbed;
		fast->base[i] = kept;
	}
	fast->seq.seqcount.sequence = seq;
	return (s64)off;
}

static s64 lift_fast_latched(void)
{
	return lift_latched(&tk_fast_mono, ktime_get_mono_fast_ns) +
	       lift_latched(&tk_fast_mono, ktime_get_real_fast_ns) +
	       lift_latched(&tk_fast_raw, ktime_get_raw_fast_ns);
}

/* Before the first clock source the fast readers give what the scheduler's clock does. */
static s64 lift_early;

static void lift_early_boot(void)
{
	lift_early = (s64)(ktime_get_mono_fast_ns() - local_clock()) +
		     (s64)(ktime_get_raw_fast_ns() - local_clock());
}

/* Those that change nothing at all. */
static void lift_plain_readings(struct tk_readings *readings)
{
	lift_getters(readings);
	lift_coarse(readings);
	lift_offsets(readings);
}

static void lift_fast(struct tk_readings *readings)
{
	lift_insides(readings);
	tk_readings_add(readings, TKR_AMID_READINGS, lift_amid_off);
	tk_readings_add(readings, TKR_FAST_LATCHED, lift_fast_latched());
	tk_readings_add(readings, TKR_FAST_EARLY, lift_early);
	tk_readings_add(readings, TKR_MONO_FAST, (s64)ktime_get_mono_fast_ns());
	tk_readings_add(readings, TKR_RAW_FAST, (s64)ktime_get_raw_fast_ns());
	tk_readings_add(readings, TKR_BOOT_FAST, (s64)ktime_get_boot_fast_ns());
	tk_readings_add(readings, TKR_TAI_FAST, (s64)ktime_get_tai_fast_ns());
	tk_readings_add(readings, TKR_REAL_FAST, (s64)ktime_get_real_fast_ns());
	lift_fast_timestamps(readings);
}

/* Position of the first byte in which two objects differ, from 1; 0: none. */
static s64 lift_unlike(const void *a, const void *b, size_t size)
{
	const u8 *one = a, *other = b;
	size_t i;

	for (i = 0; i < size; i++)
		if (one[i] != other[i])
			return (s64)i + 1;
	return 0;
}

#if LIFT_HAS_UPDATE_FROM_SHADOW
static s64 lift_shadow_unlike(void)
{
	return lift_unlike(&tk_core.timekeeper, &tk_core.shadow_timekeeper,
			   sizeof(tk_core.timekeeper));
}
#else
static s64 lift_shadow_unlike(void)
{
	struct timekeeper shadow = shadow_timekeeper;

	/* adjtimex() renews this one in the published copy alone. */
	shadow.next_leap_ktime = tk_core.timekeeper.next_leap_ktime;
	return lift_unlike(&tk_core.timekeeper, &shadow, sizeof(shadow));
}
#endif

#if LIFT_HAS_CS_TICK_ADJ
static void lift_remainder(const struct timekeeper *tk, struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_CS_TICK_ADJ, tk->cs_tick_adj);
}
#elif LIFT_HAS_XTIME_REMAINDER
static void lift_remainder(const struct timekeeper *tk, struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_XTIME_REMAINDER, tk->xtime_remainder);
}
#else
static void lift_remainder(const struct timekeeper *tk, struct tk_readings *readings)
{
}
#endif

static void lift_fast_copies(const struct timekeeper *tk, struct tk_readings *readings)
{
	const struct tk_read_base *mono = tk_fast_mono.base, *raw = tk_fast_raw.base;

	tk_readings_add(readings, TKR_FAST_SEQ_ODD,
			(raw_read_seqcount_latch(&tk_fast_mono.seq) |
			 raw_read_seqcount_latch(&tk_fast_raw.seq)) &
				1);
	/* Then they have a clock of their own. */
	if (timekeeping_suspended)
		return;
	tk_readings_add(readings, TKR_FAST_MONO_0,
			lift_unlike(&mono[0], &tk->tkr_mono, sizeof(*mono)));
	tk_readings_add(readings, TKR_FAST_MONO_1,
			lift_unlike(&mono[1], &tk->tkr_mono, sizeof(*mono)));
	tk_readings_add(readings, TKR_FAST_RAW_0, lift_unlike(&raw[0], &tk->tkr_raw, sizeof(*raw)));
	tk_readings_add(readings, TKR_FAST_RAW_1, lift_unlike(&raw[1], &tk->tkr_raw, sizeof(*raw)));
}

/* The tree's own, although the shim's stands in its place: a machine without such a clock has it.
 */
extern void lift_no_persistent(struct timespec64 *ts)
	__attribute__((alias("read_persistent_clock64")));

static s64 lift_persistent(void)
{
	struct timespec64 ts = { 7, 7 };

	lift_no_persistent(&ts);
	return lift_ns(ts);
}

#if LIFT_HAS_AUX
/* What the latest write to aux_clock_enable returned. */
static s64 lift_aux_stored = 1;
static s64 lift_aux_sysfs, lift_aux_names; /* what the initcall made */

static s64 lift_aux_res(clockid_t clock)
{
	struct timespec64 ts = { 0 };
	int status = clock_aux.clock_getres(clock, &ts);

	return status * 1000 + lift_ns(ts);
}

/* A bit for each clock whose file says that it is enabled. */
static s64 lift_aux_shown(void)
{
	s64 shown = 0;
	u32 id;

	for (id = 0; id < MAX_AUX_CLOCKS; id++) {
		const char name[] = { (char)('0' + id), 0 };
		struct kobject clock = { .name = name };

		shown |= (s64)aux_clock_enable_show(&clock, NULL, NULL) << id;
	}
	return shown;
}

static void lift_aux_files(struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_AUX_RES, lift_aux_res(CLOCK_AUX));
	tk_readings_add(readings, TKR_AUX_RES_NO_CLOCK, lift_aux_res(CLOCK_AUX_LAST + 1));
	tk_readings_add(readings, TKR_AUX_ENABLED, lift_aux_shown());
	tk_readings_add(readings, TKR_AUX_STORED, lift_aux_stored);
	tk_readings_add(readings, TKR_AUX_SYSFS, lift_aux_sysfs);
	tk_readings_add(readings, TKR_AUX_SYSFS_NAMES, lift_aux_names);
}
#else
static void lift_aux_files(struct tk_readings *readings)
{
}
#endif

/* How often the tree's own timekeeping_set_reference() publishes the state is its own business. */
static bool lift_counted(enum tk_reading which)
{
	switch (which) {
	case TKR_CLOCK_WAS_SET_SEQ:
	case TKR_TOLD_SET_WALL:
	case TKR_TOLD_NOTIFIER:
	case TKR_TOLD_NOTIFIER_SET:
	case TKR_TOLD_UPDATE_VSYSCALL:
		return !LIFT_HAS_SET_REFERENCE;
	/* Only there does a lifted core call functions to disable interrupts. */
	case TKR_TOLD_UNPROTECTED:
		return IS_ENABLED(CONFIG_UML) && !IS_ENABLED(CONFIG_SMP);
	/* A periodic kernel's tick device is not told. */
	case TKR_TOLD_TICK_NOTIFY:
		return IS_ENABLED(CONFIG_TICK_ONESHOT);
	default:
		return true;
	}
}

extern u64 jiffies_64; /* the shim's, as all of jiffies */

static void lift_copies(struct tk_readings *readings)
{
	const struct timekeeper *tk = &tk_core.timekeeper;
	u64 jiffies_before = jiffies_64, loads = lift_global_loads;

	tk_readings_add(readings, TKR_OFFS_REAL, tk->offs_real);
	tk_readings_add(readings, TKR_OFFS_BOOT, tk->offs_boot);
	tk_readings_add(readings, TKR_OFFS_TAI, tk->offs_tai);
	tk_readings_add(readings, TKR_MONOTONIC_TO_BOOT, lift_ns(tk->monotonic_to_boot));
	tk_readings_add(readings, TKR_KTIME_SEC, (s64)tk->ktime_sec);
	lift_coarse_nsec(readings, tk);
	tk_readings_add(readings, TKR_NEXT_LEAP_KTIME, tk->next_leap_ktime);
	tk_readings_add(readings, TKR_MONO_BASE, tk->tkr_mono.base);
	tk_readings_add(readings, TKR_MONO_BASE_REAL, (s64)tk->tkr_mono.base_real);
	tk_readings_add(readings, TKR_MONO_MASK, (s64)tk->tkr_mono.mask);
	tk_readings_add(readings, TKR_RAW_BASE, tk->tkr_raw.base);
	tk_readings_add(readings, TKR_RAW_CYCLE_LAST, (s64)tk->tkr_raw.cycle_last);
	tk_readings_add(readings, TKR_RAW_MULT, tk->tkr_raw.mult);
	tk_readings_add(readings, TKR_RAW_SHIFT, tk->tkr_raw.shift);
	tk_readings_add(readings, TKR_RAW_MASK, (s64)tk->tkr_raw.mask);
	tk_readings_add(readings, TKR_RAW_INTERVAL, (s64)tk->raw_interval);
	tk_readings_add(readings, TKR_SEQ_ODD, raw_read_seqcount(&tk_core.seq) & 1);
	tk_readings_add(readings, TKR_SHADOW, lift_shadow_unlike());
	lift_remainder(tk, readings);
	lift_ntp_readings(readings);
	tk_readings_add(readings, TKR_NO_PERSISTENT, lift_persistent());
	lift_aux_files(readings);
	lift_fast_copies(tk, readings);
	if (lift_counted(TKR_TOLD_UNPROTECTED))
		tk_readings_add(readings, TKR_LOCKS_HELD, lift_locks + 1000 * irqs_disabled());
	do_timer(3);
	tk_readings_add(readings, TKR_DO_TIMER,
			(s64)(jiffies_64 - jiffies_before + 1000 * (lift_global_loads - loads)));
}

static void lift_count(struct tk_readings *readings, enum tk_reading which, s64 count)
{
	if (lift_counted(which))
		tk_readings_add(readings, which, count);
}

static s64 lift_listen_status; /* what registering returned */

static int lift_never(struct clocksource *clocksource)
{
	return -EBUSY;
}

/*
 * A clock source that cannot be enabled, and the present one, are no change. -1 and 0, and the tick
 * devices are told of the first one all the same.
 */
static s64 lift_notify_refused(void)
{
	s64 *told = &lift_told_counts[TKR_TOLD_TICK_NOTIFY - TKR_CLOCK_WAS_SET_SEQ];
	struct clocksource *present = &lift_sources[lift_current].clocksource;
	struct clocksource refused = *present;
	const s64 before = *told;
	s64 status;

	refused.enable = lift_never;
	status = timekeeping_notify(&refused) * 100 + timekeeping_notify(present) * 10;
	status += *told - before;
	*told = before;
	return status;
}

#define LIFT_ASKS_REFUSED IS_ENABLED(CONFIG_TICK_ONESHOT)
#if LIFT_HAS_REFUSED_SOURCE
static void lift_refused_boot(void)
{
}

static s64 lift_refused(void)
{
	return lift_notify_refused();
}
#elif LIFT_HAS_UPDATE_FROM_SHADOW
#undef LIFT_ASKS_REFUSED
#define LIFT_ASKS_REFUSED 0
static void lift_refused_boot(void)
{
}

static s64 lift_refused(void)
{
	return 0;
}
#else
static s64 lift_refused_then;

/*
 * Earlier ones clear NTP for such a source, too: they are asked at boot, when it is clear, and what
 * they did besides is undone.
 */
static void lift_refused_boot(void)
{
	const typeof(tk_core) core = tk_core;
	const struct timekeeper shadow = shadow_timekeeper;
	const struct tk_fast mono = tk_fast_mono, raw = tk_fast_raw;
	s64 told[TK_TOLDS];

	memcpy(told, lift_told_counts, sizeof(told));
	lift_refused_then = lift_notify_refused();
	memcpy(lift_told_counts, told, sizeof(told));
	tk_core = core;
	shadow_timekeeper = shadow;
	tk_fast_mono = mono;
	tk_fast_raw = raw;
}

static s64 lift_refused(void)
{
	return lift_refused_then;
}
#endif

static s64 lift_init_ops; /* what the initcall returned */

static void lift_counts(struct tk_readings *readings)
{
	u32 i;

	/* A periodic kernel's tick device is not told: that a call was counted is part of it. */
	if (LIFT_ASKS_REFUSED)
		tk_readings_add(readings, TKR_NOTIFY_REFUSED, lift_refused());
	tk_readings_add(readings, TKR_INIT_OPS, lift_init_ops);
	tk_readings_add(readings, TKR_LISTEN_STATUS, lift_listen_status);
	for (i = 0; i < TK_TOLDS; i++)
		lift_count(readings, TKR_CLOCK_WAS_SET_SEQ + i, lift_told_counts[i]);
	lift_count(readings, TKR_CLOCK_WAS_SET_SEQ, tk_core.timekeeper.clock_was_set_seq);
	lift_count(readings, TKR_CS_WAS_CHANGED_SEQ, tk_core.timekeeper.cs_was_changed_seq);
	lift_count(readings, TKR_TOLD_SET_WALL, lift_told_bases(CLOCK_SET_WALL));
	lift_count(readings, TKR_TOLD_SET_BOOT, lift_told_bases(CLOCK_SET_BOOT));
}

/* As a hypervisor's clock does, which is told of every update. */
static int lift_notified(struct notifier_block *nb, unsigned long action, void *data)
{
	return 0;
}

static struct notifier_block lift_listeners[2] = {
	{ .notifier_call = lift_notified },
	{ .notifier_call = lift_notified },
};

/* Two register, and one of them leaves. */
static void lift_listen(void)
{
	lift_listen_status = pvclock_gtod_register_notifier(&lift_listeners[0]) * 100 +
			     pvclock_gtod_register_notifier(&lift_listeners[1]) * 10 +
			     pvclock_gtod_unregister_notifier(&lift_listeners[1]);
}

void lift_readings(u64 now, u32 sets, struct tk_readings *readings)
{
	lift_hold(now);
	if (sets & TK_SET_GETTERS)
		lift_getters(readings);
	if (sets & TK_SET_COARSE) {
		lift_coarse(readings);
		lift_multigrain(readings);
	}
	if (sets & TK_SET_OFFSETS)
		lift_offsets(readings);
	if (sets & TK_SET_FAST)
		lift_fast(readings);
	if (sets & TK_SET_SNAPSHOT)
		lift_snapshots(now, readings);
	if (sets & TK_SET_COPIES)
		lift_copies(readings);
	if (sets & TK_SET_TOLD)
		lift_counts(readings);
	if (sets & TK_SET_VDSO)
		lift_vdso_readings(readings);
}

void lift_live(u64 (*counter)(void *context), void *context)
{
	lift_watch_wanted = false;
	lift_live_context = context;
	lift_live_counter = counter;
}

static bool lift_ask_fast(u32 which, s64 *value)
{
	switch (which) {
	case TKR_MONO_FAST:
		*value = (s64)ktime_get_mono_fast_ns();
		return true;
	case TKR_RAW_FAST:
		*value = (s64)ktime_get_raw_fast_ns();
		return true;
	case TKR_BOOT_FAST:
		*value = (s64)ktime_get_boot_fast_ns();
		return true;
	case TKR_TAI_FAST:
		*value = (s64)ktime_get_tai_fast_ns();
		return true;
	case TKR_REAL_FAST:
		*value = (s64)ktime_get_real_fast_ns();
		return true;
	default:
		return lift_vdso_ask(which, value);
	}
}

bool lift_ask(u32 which, s64 *value)
{
	struct timespec64 ts;

	switch (which) {
	case TKR_KTIME_GET:
		*value = ktime_get();
		return true;
	case TKR_KTIME_GET_OFFS_REAL:
		*value = ktime_get_with_offset(TK_OFFS_REAL);
		return true;
	case TKR_KTIME_GET_OFFS_BOOT:
		*value = ktime_get_with_offset(TK_OFFS_BOOT);
		return true;
	case TKR_KTIME_GET_OFFS_TAI:
		*value = ktime_get_with_offset(TK_OFFS_TAI);
		return true;
	case TKR_KTIME_GET_RAW:
		*value = ktime_get_raw();
		return true;
	case TKR_KTIME_GET_REAL_TS64:
		ktime_get_real_ts64(&ts);
		break;
	case TKR_KTIME_GET_TS64:
		ktime_get_ts64(&ts);
		break;
	case TKR_KTIME_GET_RAW_TS64:
		ktime_get_raw_ts64(&ts);
		break;
	case TKR_COARSE_REAL_TS64:
		ktime_get_coarse_real_ts64(&ts);
		break;
	case TKR_COARSE_TS64:
		ktime_get_coarse_ts64(&ts);
		break;
	default:
		return lift_ask_fast(which, value);
	}
	*value = lift_ns(ts);
	return true;
}
