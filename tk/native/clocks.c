// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The native core: the readings of tk/clocks.h, from the state and its equations. Where a kernel
 * keeps a sum beside its terms, it is computed here from the terms.
 */
#include "lib/math.h"
#include "tk/native/native.h"

#define USEC	  1000000
#define EINVAL	  22
#define ENODEV	  19
#define EIO	  5
#define ENOSYS	  38
#define EOVERFLOW 75

static void add(struct tk_readings *readings, enum tk_reading which, s64 value)
{
	tk_readings_add(readings, which, value);
}

/* ns since the start of the second, of the clock with this mult; a counter that went back: 0. */
static s64 since_second(const struct timekeeper *tk, u64 now, u32 mult, u64 snsec)
{
	u64 delta = (now - tk->cycle_last) & tk->mask;

	if (delta > tk->conversion.max_cycles && delta & ~(tk->mask >> 1))
		delta = 0;
	return (s64)(((u128)delta * mult + snsec) >> tk->shift);
}

static s64 realtime(const struct timekeeper *tk, u64 now)
{
	return tk->xtime_sec * NSEC + since_second(tk, now, tk->mult, tk->xtime_nsec);
}

static s64 raw(const struct timekeeper *tk, u64 now)
{
	return (s64)tk->raw_sec * NSEC + since_second(tk, now, tk->conversion.mult, tk->raw_nsec);
}

/* CLOCK_REALTIME less CLOCK_MONOTONIC, ns; and CLOCK_TAI less it. */
static s64 offs_real(const struct timekeeper *tk)
{
	return -(tk->wall_to_monotonic.tv_sec * NSEC + tk->wall_to_monotonic.tv_nsec);
}

/* Whole seconds, rounded down: a new mult may move a clock that starts at 0 a little before it. */
static s64 seconds_of(s64 ns)
{
	return ns / NSEC - (ns % NSEC < 0);
}

static s64 offs_tai(const struct timekeeper *tk)
{
	return offs_real(tk) + tk->tai_offset * NSEC;
}

static void getters(const struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	s64 real = realtime(tk, now);
	s64 mono = real - offs_real(tk);

	add(readings, TKR_KTIME_GET_REAL_TS64, real);
	add(readings, TKR_KTIME_GET, mono);
	add(readings, TKR_KTIME_GET_TS64, mono);
	add(readings, TKR_KTIME_GET_OFFS_REAL, real);
	add(readings, TKR_KTIME_GET_OFFS_BOOT, mono + tk->offs_boot);
	add(readings, TKR_KTIME_GET_OFFS_TAI, mono + offs_tai(tk));
	add(readings, TKR_KTIME_GET_RAW, raw(tk, now));
	add(readings, TKR_KTIME_GET_RAW_TS64, raw(tk, now));
	add(readings, TKR_ENTROPY, tk->sleep.suspended ? 0 : (s64)now);
	add(readings, TKR_CLOCK_TS64_REAL, real);
	add(readings, TKR_CLOCK_TS64_MONO, mono);
	add(readings, TKR_CLOCK_TS64_RAW, raw(tk, now));
	add(readings, TKR_CLOCK_TS64_AUX, 0);
	add(readings, TKR_CLOCK_TS64_NO_CLOCK, -NSEC);
}

static void coarse_of(const struct timekeeper *tk, u64 nsec, const enum tk_reading which[5],
		      struct tk_readings *readings)
{
	s64 real = tk->xtime_sec * NSEC + (s64)nsec;
	s64 mono = real - offs_real(tk);

	add(readings, which[0], real);
	add(readings, which[1], mono);
	add(readings, which[2], real);
	add(readings, which[3], mono + tk->offs_boot);
	add(readings, which[4], mono + offs_tai(tk));
}

static s64 coarse_real(const struct timekeeper *tk)
{
	return tk->xtime_sec * NSEC + tk_coarse_nsec(tk);
}

/* The floor under multigrain timestamps is the latest one that was given out. */
static void multigrain(struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	s64 coarse = coarse_real(tk);
	s64 real = realtime(tk, now), floor = tk->mg_floor + offs_real(tk);

	add(readings, TKR_COARSE_MG_BEFORE, floor > coarse ? floor : coarse);
	add(readings, TKR_REAL_MG, real);
	add(readings, TKR_REAL_MG_RACED, real + TK_RACE_NS);
	add(readings, TKR_COARSE_MG_AFTER, real > coarse ? real : coarse);
	tk->mg_floor = real - offs_real(tk);
}

static void coarse(struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	static const enum tk_reading kept[] = { TKR_COARSE_REAL_TS64, TKR_COARSE_TS64,
						TKR_COARSE_OFFS_REAL, TKR_COARSE_OFFS_BOOT,
						TKR_COARSE_OFFS_TAI };
	static const enum tk_reading old[] = { TKR_OLD_COARSE_REAL_TS64, TKR_OLD_COARSE_TS64,
					       TKR_OLD_COARSE_OFFS_REAL, TKR_OLD_COARSE_OFFS_BOOT,
					       TKR_OLD_COARSE_OFFS_TAI };
	s64 mono = tk->xtime_sec * NSEC + (s64)(tk->xtime_nsec >> tk->shift) - offs_real(tk);

	add(readings, TKR_KTIME_GET_SECONDS, seconds_of(mono));
	add(readings, TKR_KTIME_GET_REAL_SECONDS, tk->xtime_sec);
	add(readings, TKR_KTIME_GET_REAL_SECONDS_RAW, tk->xtime_sec);
	coarse_of(tk, tk_coarse_nsec(tk), kept, readings);
	coarse_of(tk, tk->xtime_nsec >> tk->shift, old, readings);
	multigrain(tk, now, readings);
}

/* CLOCK_MONOTONIC at which a leap second is inserted. */
static s64 next_leap_ktime(const struct timekeeper *tk)
{
	const struct ntp_data *ntp = &tk->ntp;

	/* A step forgets when the leap second was due, and leaves the state. */
	if (ntp->time_state != TK_TIME_INS || !(ntp->time_status & TK_STA_INS) ||
	    ntp->ntp_next_leap_sec == TK_NO_LEAP)
		return TK_NO_LEAP;
	return ntp->ntp_next_leap_sec * NSEC - offs_real(tk);
}

/* The counter's value at a CLOCK_MONOTONIC: not before the latest tick, nor after all 64 bits. */
static s64 expiry(const struct timekeeper *tk, s64 mono)
{
	u32 shift = tk->ns_to_cyc.shift, mult = tk->ns_to_cyc.mult;
	s64 last = tk->xtime_sec * NSEC + (s64)(tk->xtime_nsec >> tk->shift) - offs_real(tk);
	s64 ns = mono - last, most;

	if (tk->ns_to_cyc.follows)
		mult = (u32)((1ULL << (tk->shift + shift)) / tk->mult);
	most = (s64)(tk->mask / mult);
	if (ns > most)
		ns = most;
	if (ns < 0)
		ns = 0;
	return (s64)(tk->cycle_last + ((u64)ns * mult >> shift));
}

static void offsets(const struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	s64 mono = realtime(tk, now) - offs_real(tk);
	bool leap = mono >= next_leap_ktime(tk);

	add(readings, TKR_UPDATE_OFFSETS_NOW, mono);
	add(readings, TKR_UPDATE_OFFS_REAL, offs_real(tk) - leap * NSEC);
	add(readings, TKR_UPDATE_OFFS_BOOT, tk->offs_boot);
	add(readings, TKR_UPDATE_OFFS_TAI, offs_tai(tk));
	add(readings, TKR_UPDATE_OFFS_KEPT, 0);
	add(readings, TKR_UPDATE_OFFS_LEAP, leap ? offs_real(tk) - NSEC : 0);
	add(readings, TKR_MONO_TO_REAL, offs_real(tk));
	add(readings, TKR_MONO_TO_BOOT, tk->offs_boot);
	add(readings, TKR_MONO_TO_TAI, offs_tai(tk));
	add(readings, TKR_GETBOOTTIME64, offs_real(tk) - tk->offs_boot);
	if (tk->shift < 32) /* a shift by 32 is not defined */
		add(readings, TKR_RESOLUTION, tk->mult >> tk->shift);
	add(readings, TKR_MAX_DEFERMENT, (s64)tk_max_idle_ns(&tk->conversion));
	add(readings, TKR_VALID_FOR_HRES, 1);
	add(readings, TKR_RTC_SKIPSUSPEND, tk->sleep.persistent);
	add(readings, TKR_RTC_SKIPRESUME, !tk->sleep.needed);
	add(readings, TKR_EXPIRY_TO_CYCLES, expiry(tk, mono + NSEC / 1000));
	add(readings, TKR_EXPIRY_PAST, expiry(tk, 0));
	add(readings, TKR_EXPIRY_FAR, expiry(tk, TK_NO_LEAP));
	add(readings, TKR_EXPIRY_OTHER_ID, 0);
}

/* While the core is suspended nobody reads the counter: these stand still. */
static void fast(const struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	const u64 at = tk->sleep.suspended ? tk->cycle_last : now;
	s64 real = realtime(tk, at);
	s64 mono = real - offs_real(tk);

	add(readings, TKR_MONO_FAST, mono);
	add(readings, TKR_RAW_FAST, raw(tk, at));
	add(readings, TKR_BOOT_FAST, mono + tk->offs_boot);
	add(readings, TKR_TAI_FAST, mono + offs_tai(tk));
	add(readings, TKR_REAL_FAST, real);
	add(readings, TKR_FAST_STAMP_MONO, mono);
	add(readings, TKR_FAST_STAMP_BOOT, mono + tk->offs_boot);
	add(readings, TKR_FAST_STAMP_REAL, real);
	add(readings, TKR_FAST_LATCHED, 0);
	add(readings, TKR_FAST_EARLY, 0);
	add(readings, TKR_AMID_READINGS, 0);
	for (u32 i = TKR_INSIDE_MONO_FAST; i <= TKR_INSIDE_VDSO; i++)
		add(readings, i, 0);
}

/* value * to / from, rounded down. */
static u64 scaled(u64 value, u64 to, u64 from)
{
	return (u64)div_u128((u128)value * to, from, NULL);
}

static u32 bits(u64 value)
{
	return value ? 64 - (u32)__builtin_clzll(value) : 0;
}

/* CLOCK_REALTIME at `cycles` for a device, or a negative errno. */
static s64 cross(const struct timekeeper *tk, u64 now, u64 cycles)
{
	return cycles - tk->cycle_last > now - tk->cycle_last ? -EINVAL : realtime(tk, cycles);
}

static u64 from_base(u64 base)
{
	return scaled(base, TK_BASE_NUMERATOR, TK_BASE_DENOMINATOR) + TK_BASE_OFFSET;
}

/* The base clock's value at CLOCK_REALTIME `real`, or -1: the time is too far to be converted. */
static s64 real_to_base(const struct timekeeper *tk, s64 real)
{
	u64 delta = (u64)(real - tk->xtime_sec * NSEC);

	if (bits(delta) + tk->shift > 56)
		return -1;
	delta = ((delta << tk->shift) - tk->xtime_nsec) / tk->mult;
	return (s64)scaled(tk->cycle_last + delta - TK_BASE_OFFSET, TK_BASE_DENOMINATOR,
			   TK_BASE_NUMERATOR);
}

static void crosses(const struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	u64 middle = tk->cycle_last + (now - tk->cycle_last) / 2;

	if ((s64)(now - tk->cycle_last) <= 0)
		return;
	add(readings, TKR_CROSS_STATUS, 0);
	add(readings, TKR_CROSS_DEVICE, TK_DEVICE_NS);
	add(readings, TKR_CROSS_REAL, realtime(tk, middle));
	add(readings, TKR_CROSS_RAW, raw(tk, middle));
	add(readings, TKR_CROSS_FOREIGN, -ENODEV);
	add(readings, TKR_CROSS_DRIVER_ERROR, -EIO);
	add(readings, TKR_CROSS_NO_HISTORY, -EINVAL);
	add(readings, TKR_CROSS_NOW, realtime(tk, now));
	add(readings, TKR_CROSS_LAST, realtime(tk, tk->cycle_last));
	add(readings, TKR_CROSS_AHEAD, -EINVAL);
	add(readings, TKR_CROSS_NO_CLOCK, -ENODEV);
	add(readings, TKR_CROSS_AUX, 0);
	add(readings, TKR_CROSS_BASE_REAL, cross(tk, now, from_base(tk_base_of(middle))));
	add(readings, TKR_CROSS_BASE_COUNTER, (s64)from_base(tk_base_of(middle)));
	add(readings, TKR_CROSS_BASE_NSEC,
	    cross(tk, now,
		  scaled(tk_base_nsec_of(middle, tk->khz), tk->khz, USEC) + TK_BASE_OFFSET));
	add(readings, TKR_REAL_TO_BASE, real_to_base(tk, realtime(tk, now) + TK_SOON_NS));
	add(readings, TKR_CROSS_BASE_REFUSED, -ENODEV * 1001001LL);
	add(readings, TKR_REAL_TO_BASE_REFUSED, 0);
	add(readings, TKR_HAS_BASE, 2);
}

/* *ns times part / whole. -EOVERFLOW: a kernel's 64-bit arithmetic cannot do it. */
static s64 share(u64 *ns, u64 part, u64 whole)
{
	if (bits(part) + bits(*ns / whole) > 64 || bits(part) + bits(*ns % whole) > 64)
		return -EOVERFLOW;
	*ns = scaled(*ns, part, whole);
	return 0;
}

/*
 * The time at a value of the counter between the latest snapshot and cycle_last: on the straight
 * line between the two, from the nearer end. Where the clock was set in between, CLOCK_REALTIME
 * runs at the rate of now.
 */
static void past(const struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	const struct tk_snapshot *begin = &tk->history;
	const u64 last = tk->cycle_last, whole = last - begin->cycles;
	u64 part, raw_ns, real_ns;
	bool set, forward;
	s64 status;

	if (!begin->taken || last <= begin->cycles)
		return;
	part = tk_history_cycles(begin->cycles, last, now) - begin->cycles;
	set = begin->clock_was_set_seq != tk->told[0];
	forward = whole - part > whole / 2;
	raw_ns = (u64)(raw(tk, last) - begin->raw);
	real_ns = (u64)(realtime(tk, last) - begin->real);
	status = begin->cs_was_changed_seq != tk->told[1] ? -EINVAL : 0;
	/* At cycle_last itself there is nothing to interpolate. */
	if (!status && part != whole) {
		status = share(&raw_ns, forward ? part : whole - part, whole);
		if (!status && set)
			real_ns = scaled(raw_ns, tk->mult, tk->conversion.mult);
		else if (!status)
			status = share(&real_ns, forward ? part : whole - part, whole);
	} else {
		forward = false;
		raw_ns = real_ns = 0;
	}
	add(readings, TKR_HISTORY_STATUS, status);
	if (status)
		return;
	add(readings, TKR_HISTORY_REAL,
	    forward ? begin->real + (s64)real_ns : realtime(tk, last) - (s64)real_ns);
	add(readings, TKR_HISTORY_RAW,
	    forward ? begin->raw + (s64)raw_ns : raw(tk, last) - (s64)raw_ns);
}

static void snapshots(struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	s64 real = realtime(tk, now);
	s64 mono = real - offs_real(tk);

	if (tk->sleep.suspended) {
		add(readings, TKR_SNAPSHOT_SUSPENDED, 0);
		return;
	}
	past(tk, now, readings);
	add(readings, TKR_SNAPSHOT_CYCLES, (s64)now);
	add(readings, TKR_SNAPSHOT_REAL, real);
	add(readings, TKR_SNAPSHOT_MONO, mono);
	add(readings, TKR_SNAPSHOT_BOOT, mono + tk->offs_boot);
	add(readings, TKR_SNAPSHOT_RAW, raw(tk, now));
	add(readings, TKR_SNAPSHOT_RAW_SYS, raw(tk, now));
	add(readings, TKR_SNAPSHOT_HW, TK_HW_AHEAD);
	add(readings, TKR_SNAPSHOT_NO_CLOCK, 0);
	add(readings, TKR_SNAPSHOT_SET_SEQ, 0);
	add(readings, TKR_SNAPSHOT_CHANGED_SEQ, 0);
	crosses(tk, now, readings);
	tk->history = (struct tk_snapshot){
		.taken = true,
		.cycles = now,
		.real = real,
		.raw = raw(tk, now),
		.clock_was_set_seq = tk->told[0],
		.cs_was_changed_seq = tk->told[1],
	};
}

/* Of all files of the auxiliary clocks: a folder in a folder, and in it one with a file for each.
 */
static void aux_files(struct tk_readings *readings)
{
	s32 names = tk_name_hash(tk_name_hash(0, 't'), 'a');

	for (u32 i = 0; i < TK_AUX_CLOCKS; i++)
		names = tk_name_hash(names, (char)('0' + i));
	add(readings, TKR_AUX_RES, 1);
	add(readings, TKR_AUX_RES_NO_CLOCK, -ENODEV * 1000);
	add(readings, TKR_AUX_ENABLED, aux_enabled);
	add(readings, TKR_AUX_STORED, 1);
	add(readings, TKR_AUX_SYSFS, (2 + TK_AUX_CLOCKS) * 100 + TK_AUX_CLOCKS);
	add(readings, TKR_AUX_SYSFS_NAMES, names);
}

static void copies(const struct timekeeper *tk, struct tk_readings *readings)
{
	/* While the core is suspended, the fast copies have a clock of their own. */
	static const enum tk_reading equal[] = { TKR_SHADOW,	  TKR_SEQ_ODD,	   TKR_FAST_SEQ_ODD,
						 TKR_FAST_MONO_0, TKR_FAST_MONO_1, TKR_FAST_RAW_0,
						 TKR_FAST_RAW_1 };
	const u32 equals = tk->sleep.suspended ? 3 : TB_ARRAY_SIZE(equal);
	s64 mono = tk->xtime_sec * NSEC - offs_real(tk);

	add(readings, TKR_OFFS_REAL, offs_real(tk));
	add(readings, TKR_OFFS_BOOT, tk->offs_boot);
	add(readings, TKR_OFFS_TAI, offs_tai(tk));
	add(readings, TKR_MONOTONIC_TO_BOOT, tk->offs_boot);
	add(readings, TKR_KTIME_SEC, seconds_of(mono + (s64)(tk->xtime_nsec >> tk->shift)));
	add(readings, TKR_COARSE_NSEC, tk_coarse_nsec(tk));
	add(readings, TKR_NEXT_LEAP_KTIME, next_leap_ktime(tk));
	add(readings, TKR_MONO_BASE, mono);
	add(readings, TKR_MONO_BASE_REAL, tk->xtime_sec * NSEC);
	add(readings, TKR_MONO_MASK, (s64)tk->mask);
	add(readings, TKR_RAW_BASE, (s64)tk->raw_sec * NSEC);
	add(readings, TKR_RAW_CYCLE_LAST, (s64)tk->cycle_last);
	add(readings, TKR_RAW_MULT, tk->conversion.mult);
	add(readings, TKR_RAW_SHIFT, tk->shift);
	add(readings, TKR_RAW_MASK, (s64)tk->mask);
	add(readings, TKR_RAW_INTERVAL, (s64)tk->raw_interval);
	add(readings, TKR_XTIME_REMAINDER, tk->xtime_remainder);
	add(readings, TKR_CS_TICK_ADJ, tk->ntp.cs_tick_adj);
	add(readings, TKR_TICK_USEC, tk->ntp.tick_usec);
	add(readings, TKR_NTP_TICK_ADJ, tk->ntp.ntp_tick_adj);
	add(readings, TKR_TIME_ESTERROR, tk->ntp.time_esterror);
	add(readings, TKR_TIME_REFTIME, tk->ntp.time_reftime);
	add(readings, TKR_NO_PERSISTENT, 0);
	aux_files(readings);
	for (u32 i = 0; i < equals; i++)
		add(readings, equal[i], 0);
	add(readings, TKR_LOCKS_HELD, 0);
	add(readings, TKR_DO_TIMER, 1003);
}

static void counts(const struct timekeeper *tk, struct tk_readings *readings)
{
	add(readings, TKR_LISTEN_STATUS, 0);
	add(readings, TKR_INIT_OPS, 0);
	add(readings, TKR_NOTIFY_REFUSED, -100 + 1);
	for (u32 i = 0; i < TK_TOLDS; i++)
		add(readings, TKR_CLOCK_WAS_SET_SEQ + i, tk->told[i]);
	add(readings, TKR_TOLD_UPDATE_VSYSCALL, tk->updates);
	/* And two of those who listen, when they registered. */
	add(readings, TKR_TOLD_NOTIFIER, tk->updates + 2);
	add(readings, TKR_TOLD_NOTIFIER_SET, tk->told[0] + 2);
	add(readings, TKR_TOLD_REGISTERED, 1);
}

/* CLOCK_REALTIME and CLOCK_MONOTONIC to the latest tick, for user space. */
static void vdso_coarse(const struct timekeeper *tk, struct tk_readings *readings)
{
	s64 kept = tk->xtime_sec * NSEC + tk_coarse_nsec(tk);
	s64 old = tk->xtime_sec * NSEC + (s64)(tk->xtime_nsec >> tk->shift);

	add(readings, TKR_VDSO_REALTIME_COARSE, kept);
	add(readings, TKR_VDSO_MONOTONIC_COARSE, kept - offs_real(tk));
	add(readings, TKR_VDSO_OLD_REALTIME_COARSE, old);
	add(readings, TKR_VDSO_OLD_MONOTONIC_COARSE, old - offs_real(tk));
}

/* What the data page says that user space reads: the same clocks. */
static void vdso(const struct timekeeper *tk, u64 now, struct tk_readings *readings)
{
	const s64 tick_ns = NSEC / tk->hz;
	s64 real = realtime(tk, now);
	s64 mono = real - offs_real(tk);

	add(readings, TKR_VDSO_REALTIME, real);
	add(readings, TKR_VDSO_MONOTONIC, mono);
	add(readings, TKR_VDSO_BOOTTIME, mono + tk->offs_boot);
	add(readings, TKR_VDSO_TAI, mono + offs_tai(tk));
	add(readings, TKR_VDSO_RAW, raw(tk, now));
	vdso_coarse(tk, readings);
	add(readings, TKR_VDSO_CPUTIME, -ENOSYS);
	add(readings, TKR_VDSO_NO_CLOCK, -ENOSYS);
	add(readings, TKR_VDSO_GETTIMEOFDAY, real / 1000);
	add(readings, TKR_VDSO_TIME, tk->xtime_sec);
	/* Without high resolution timers, as these cores are configured, each is a tick. */
	add(readings, TKR_VDSO_RES, tick_ns);
	add(readings, TKR_VDSO_RES_RAW, tick_ns);
	add(readings, TKR_VDSO_RES_COARSE, tick_ns);
	add(readings, TKR_VDSO_RES_NO_CLOCK, -ENOSYS);
	add(readings, TKR_VDSO_AUX, 0);
	add(readings, TKR_VDSO_RES_AUX, 1);
	/* 480 minutes and 8, 60 and 1 */
	add(readings, TKR_VDSO_ZONE, 4800800000LL + 6001);
	add(readings, TKR_VDSO_UPDATE_SECTION, TK_UPDATE_SECTION);
	add(readings, TKR_VDSO_SEQ_ODD, 0);
}

void timekeeping_readings(struct timekeeper *tk, u64 now, u32 sets, struct tk_readings *readings)
{
	if (sets & TK_SET_GETTERS)
		getters(tk, now, readings);
	if (sets & TK_SET_COARSE)
		coarse(tk, now, readings);
	if (sets & TK_SET_OFFSETS)
		offsets(tk, now, readings);
	if (sets & TK_SET_FAST)
		fast(tk, now, readings);
	if (sets & TK_SET_SNAPSHOT)
		snapshots(tk, now, readings);
	if (sets & TK_SET_COPIES)
		copies(tk, readings);
	if (sets & TK_SET_TOLD)
		counts(tk, readings);
	if (sets & TK_SET_VDSO)
		vdso(tk, now, readings);
}

bool timekeeping_ask(const struct timekeeper *tk, u64 now, u32 which, s64 *value)
{
	switch (which) {
	case TKR_KTIME_GET_REAL_TS64:
	case TKR_KTIME_GET_OFFS_REAL:
	case TKR_REAL_FAST:
	case TKR_VDSO_REALTIME:
		*value = realtime(tk, now);
		return true;
	case TKR_KTIME_GET:
	case TKR_KTIME_GET_TS64:
	case TKR_MONO_FAST:
	case TKR_VDSO_MONOTONIC:
		*value = realtime(tk, now) - offs_real(tk);
		return true;
	case TKR_KTIME_GET_OFFS_BOOT:
	case TKR_BOOT_FAST:
	case TKR_VDSO_BOOTTIME:
		*value = realtime(tk, now) - offs_real(tk) + tk->offs_boot;
		return true;
	case TKR_KTIME_GET_OFFS_TAI:
	case TKR_TAI_FAST:
	case TKR_VDSO_TAI:
		*value = realtime(tk, now) - offs_real(tk) + offs_tai(tk);
		return true;
	case TKR_KTIME_GET_RAW:
	case TKR_KTIME_GET_RAW_TS64:
	case TKR_RAW_FAST:
	case TKR_VDSO_RAW:
		*value = raw(tk, now);
		return true;
	case TKR_COARSE_REAL_TS64:
	case TKR_VDSO_REALTIME_COARSE:
		*value = coarse_real(tk);
		return true;
	case TKR_COARSE_TS64:
	case TKR_VDSO_MONOTONIC_COARSE:
		*value = coarse_real(tk) - offs_real(tk);
		return true;
	default:
		return false;
	}
}
