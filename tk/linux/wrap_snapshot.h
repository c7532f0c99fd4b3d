/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Part of wrap_timekeeping.c: snapshots and cross timestamps, as a PTP driver takes them. The
 * device gives a value of the counter in the middle of the present interval, or one between the
 * latest snapshot and the tick after it.
 */
#include "tk/clocks.h"

enum lift_device_kind {
	LIFT_DEVICE_OWN,     /* a value of the clock source */
	LIFT_DEVICE_FOREIGN, /* of another one */
	LIFT_DEVICE_BASE,    /* of the clock source's base clock */
	LIFT_DEVICE_NSEC,    /* of the same in ns */
	LIFT_DEVICE_FAILS,
};

struct lift_device {
	u64 cycles;
	enum lift_device_kind kind;
};

/* Later trees take a snapshot of one clock; earlier ones of CLOCK_REALTIME. */
#if LIFT_HAS_SNAPSHOT_ID
#define lift_real(snapshot)	     ((snapshot)->systime)
#define lift_raw(snapshot)	     ((snapshot)->monoraw)
#define lift_cross_real(cross)	     ((cross)->sys_systime)
#define lift_cross_begin(cross)	     ((cross)->clock_id = CLOCK_REALTIME)
#define lift_snapshot_real(snapshot) ktime_get_snapshot_id(CLOCK_REALTIME, snapshot)

static s64 lift_snapshot_of(clockid_t clock)
{
	struct system_time_snapshot snapshot;

	ktime_get_snapshot_id(clock, &snapshot);
	return snapshot.valid ? snapshot.systime : -1;
}

#if LIFT_HAS_READ_SNAPSHOT
static u64 lift_hw_read(struct clocksource *clocksource, struct clocksource_hw_snapshot *snapshot)
{
	const u64 now = clocksource->read(clocksource);

	snapshot->hw_cycles = now + TK_HW_AHEAD;
	snapshot->hw_csid = LIFT_BASE_ID;
	return now;
}

/* Of a clock source that is computed from another counter: how far that one is ahead. */
static void lift_snapshot_hw(struct tk_readings *readings)
{
	struct clocksource *cs = &lift_sources[lift_current].clocksource;
	struct system_time_snapshot snapshot;

	cs->read_snapshot = lift_hw_read;
	ktime_get_snapshot_id(CLOCK_REALTIME, &snapshot);
	cs->read_snapshot = NULL;
	tk_readings_add(readings, TKR_SNAPSHOT_HW,
			snapshot.hw_csid == LIFT_BASE_ID && snapshot.cs_id == LIFT_SOURCE_ID &&
					snapshot.cycles == lift_counter_now()
				? (s64)(snapshot.hw_cycles - snapshot.cycles)
				: -1);
}
#else
static void lift_snapshot_hw(struct tk_readings *readings)
{
}
#endif

/* An auxiliary clock that is disabled, and a clock of which there are no snapshots. */
static void lift_snapshot_none(struct tk_readings *readings)
{
	s64 valid = lift_snapshot_of(CLOCK_TAI) != -1;
	u32 id;

	for (id = 0; LIFT_HAS_AUX && id < MAX_AUX_CLOCKS; id++) {
		ktime_t time;

		if (!ktime_get_aux(CLOCK_AUX + id, &time))
			valid += lift_snapshot_of(CLOCK_AUX + id) != -1;
	}
	tk_readings_add(readings, TKR_SNAPSHOT_NO_CLOCK, valid);
}

static void lift_snapshot_clocks(struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_SNAPSHOT_MONO, lift_snapshot_of(CLOCK_MONOTONIC));
	tk_readings_add(readings, TKR_SNAPSHOT_BOOT, lift_snapshot_of(CLOCK_BOOTTIME));
	tk_readings_add(readings, TKR_SNAPSHOT_RAW_SYS, lift_snapshot_of(CLOCK_MONOTONIC_RAW));
	lift_snapshot_hw(readings);
	lift_snapshot_none(readings);
}

static void lift_snapshot_suspended(struct tk_readings *readings)
{
	struct system_time_snapshot snapshot = { .valid = true };

	ktime_get_snapshot_id(CLOCK_REALTIME, &snapshot);
	tk_readings_add(readings, TKR_SNAPSHOT_SUSPENDED, snapshot.valid);
}
#else
#define lift_real(snapshot)	     ((snapshot)->real)
#define lift_raw(snapshot)	     ((snapshot)->raw)
#define lift_cross_real(cross)	     ((cross)->sys_realtime)
#define lift_cross_begin(cross)	     ((void)(cross))
#define lift_snapshot_real(snapshot) ktime_get_snapshot(snapshot)

static void lift_snapshot_clocks(struct tk_readings *readings)
{
}

static void lift_snapshot_suspended(struct tk_readings *readings)
{
}
#endif

#if LIFT_HAS_COUNTERVAL_ID
static void lift_device_source(struct system_counterval_t *value, enum lift_device_kind kind)
{
	static const enum clocksource_ids ids[] = {
		[LIFT_DEVICE_OWN] = LIFT_SOURCE_ID,
		[LIFT_DEVICE_FOREIGN] = LIFT_BASE_ID - 1,
		[LIFT_DEVICE_BASE] = LIFT_BASE_ID,
		[LIFT_DEVICE_NSEC] = LIFT_BASE_ID,
	};

	value->cs_id = ids[kind];
	value->use_nsecs = kind == LIFT_DEVICE_NSEC;
}
#else
static void lift_device_source(struct system_counterval_t *value, enum lift_device_kind kind)
{
	value->cs =
		&lift_sources[kind == LIFT_DEVICE_OWN ? lift_current : !lift_current].clocksource;
}
#endif

static int lift_device_time(ktime_t *time, struct system_counterval_t *value, void *context)
{
	const struct lift_device *device = context;

	if (device->kind == LIFT_DEVICE_FAILS)
		return -EIO;
	*time = TK_DEVICE_NS;
	value->cycles = device->cycles;
	lift_device_source(value, device->kind);
	return 0;
}

static int lift_cross(u64 cycles, enum lift_device_kind kind, struct system_time_snapshot *history,
		      struct system_device_crosststamp *cross)
{
	struct lift_device device = { cycles, kind };

	lift_cross_begin(cross);
	return get_device_system_crosststamp(lift_device_time, &device, history, cross);
}

/* CLOCK_REALTIME, or a negative errno. */
static s64 lift_cross_value(u64 cycles, enum lift_device_kind kind)
{
	struct system_device_crosststamp cross;
	int status = lift_cross(cycles, kind, NULL, &cross);

	return status ? status : lift_cross_real(&cross);
}

#if LIFT_HAS_SNAPSHOT_ID
static s64 lift_cross_clock(clockid_t clock, u64 cycles)
{
	struct lift_device device = { cycles, LIFT_DEVICE_OWN };
	struct system_device_crosststamp cross = { .clock_id = clock };
	int status = get_device_system_crosststamp(lift_device_time, &device, NULL, &cross);

	return status ? status : cross.sys_systime;
}

/* The auxiliary clocks that are enabled, and stamped by a device other than they read. */
static s64 lift_cross_aux(u64 now)
{
	s64 off = 0;
	u32 id;

	for (id = 0; LIFT_HAS_AUX && id < MAX_AUX_CLOCKS; id++) {
		ktime_t time;

		if (ktime_get_aux(CLOCK_AUX + id, &time))
			off += lift_cross_clock(CLOCK_AUX + id, now) != time;
	}
	return off;
}

static void lift_cross_clocks(u64 now, struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_CROSS_NO_CLOCK, lift_cross_clock(CLOCK_MONOTONIC, now));
	tk_readings_add(readings, TKR_CROSS_AUX, lift_cross_aux(now));
}
#else
static void lift_cross_clocks(u64 now, struct tk_readings *readings)
{
}
#endif

#if LIFT_HAS_BASE_CLOCK
static bool lift_converts(ktime_t real, enum clocksource_ids id)
{
	u64 cycles = 0;

	return ktime_real_to_base_clock(real, id, &cycles);
}

/* A base clock without a frequency, another one, none, and a time that is past. */
static void lift_bases_refused(u64 middle, ktime_t soon, struct tk_readings *readings)
{
	struct clocksource *cs = &lift_sources[lift_current].clocksource;
	const struct clocksource_base kept = lift_base;
	s64 cross, converted = lift_converts(soon, LIFT_BASE_ID - 1);

	converted += lift_converts(tk_core.timekeeper.tkr_mono.base_real - 1, LIFT_BASE_ID);
	lift_base.numerator = 0;
	cross = lift_cross_value(tk_base_of(middle), LIFT_DEVICE_BASE);
	converted += lift_converts(soon, LIFT_BASE_ID);
	lift_base.numerator = kept.numerator;
	lift_base.denominator = 0;
	cross += 1000 * lift_cross_value(tk_base_of(middle), LIFT_DEVICE_BASE);
	converted += lift_converts(soon, LIFT_BASE_ID);
	lift_base = kept;
	cs->base = NULL;
	cross += 1000000 * lift_cross_value(tk_base_of(middle), LIFT_DEVICE_BASE);
	converted += lift_converts(soon, LIFT_BASE_ID);
	converted += timekeeping_clocksource_has_base(LIFT_BASE_ID);
	cs->base = &lift_base;
	tk_readings_add(readings, TKR_CROSS_BASE_REFUSED, cross);
	tk_readings_add(readings, TKR_REAL_TO_BASE_REFUSED, converted);
}

#if LIFT_HAS_SYS_COUNTER
/* The counter that the caller is told, or -1 if it is not said to be the clock source's. */
static s64 lift_cross_counter(u64 base)
{
	struct system_device_crosststamp cross = { 0 };

	lift_cross(base, LIFT_DEVICE_BASE, NULL, &cross);
	return cross.sys_counter.cs_id == LIFT_SOURCE_ID ? (s64)cross.sys_counter.cycles : -1;
}

static void lift_base_counter(u64 middle, struct tk_readings *readings)
{
	tk_readings_add(readings, TKR_CROSS_BASE_COUNTER, lift_cross_counter(tk_base_of(middle)));
}
#else
static void lift_base_counter(u64 middle, struct tk_readings *readings)
{
}
#endif

static void lift_bases(u64 middle, struct tk_readings *readings)
{
	u64 cycles = 0;
	ktime_t soon = ktime_get_real() + TK_SOON_NS;
	bool converted = ktime_real_to_base_clock(soon, LIFT_BASE_ID, &cycles);

	tk_readings_add(readings, TKR_CROSS_BASE_REAL,
			lift_cross_value(tk_base_of(middle), LIFT_DEVICE_BASE));
	lift_base_counter(middle, readings);
	tk_readings_add(readings, TKR_CROSS_BASE_NSEC,
			lift_cross_value(tk_base_nsec_of(middle, lift_khz), LIFT_DEVICE_NSEC));
	tk_readings_add(readings, TKR_REAL_TO_BASE, converted ? (s64)cycles : -1);
	lift_bases_refused(middle, soon, readings);
	tk_readings_add(readings, TKR_HAS_BASE,
			2 * timekeeping_clocksource_has_base(LIFT_BASE_ID) +
				timekeeping_clocksource_has_base(LIFT_BASE_ID - 1));
}
#else
static void lift_bases(u64 middle, struct tk_readings *readings)
{
}
#endif

static void lift_crosses(u64 now, struct tk_readings *readings)
{
	const u64 last = tk_core.timekeeper.tkr_mono.cycle_last;
	struct system_device_crosststamp cross;
	u64 middle = last + (now - last) / 2;

	/* It may have wrapped since. */
	if ((s64)(now - last) <= 0)
		return;
	tk_readings_add(readings, TKR_CROSS_STATUS,
			lift_cross(middle, LIFT_DEVICE_OWN, NULL, &cross));
	tk_readings_add(readings, TKR_CROSS_DEVICE, cross.device);
	tk_readings_add(readings, TKR_CROSS_REAL, lift_cross_real(&cross));
	tk_readings_add(readings, TKR_CROSS_RAW, cross.sys_monoraw);
	tk_readings_add(readings, TKR_CROSS_FOREIGN, lift_cross_value(middle, LIFT_DEVICE_FOREIGN));
	tk_readings_add(readings, TKR_CROSS_DRIVER_ERROR,
			lift_cross_value(middle, LIFT_DEVICE_FAILS));
	tk_readings_add(readings, TKR_CROSS_NO_HISTORY,
			lift_cross_value(last - 1, LIFT_DEVICE_OWN));
	tk_readings_add(readings, TKR_CROSS_NOW, lift_cross_value(now, LIFT_DEVICE_OWN));
	tk_readings_add(readings, TKR_CROSS_LAST, lift_cross_value(last, LIFT_DEVICE_OWN));
	tk_readings_add(readings, TKR_CROSS_AHEAD, lift_cross_value(now + 1, LIFT_DEVICE_OWN));
	lift_cross_clocks(now, readings);
	lift_bases(middle, readings);
}

/* The latest snapshot, which is the beginning of the next one's history. */
static struct system_time_snapshot lift_history;
static bool lift_history_taken;

/* What was found before a reference is no history of what comes after it. */
static void lift_forget_history(void)
{
	lift_history_taken = false;
}

static void lift_past(u64 now, struct tk_readings *readings)
{
	const u64 last = tk_core.timekeeper.tkr_mono.cycle_last;
	struct system_device_crosststamp cross;
	int status;

	if (!lift_history_taken || last <= lift_history.cycles)
		return;
	status = lift_cross(tk_history_cycles(lift_history.cycles, last, now), LIFT_DEVICE_OWN,
			    &lift_history, &cross);
	tk_readings_add(readings, TKR_HISTORY_STATUS, status);
	if (status)
		return;
	tk_readings_add(readings, TKR_HISTORY_REAL, lift_cross_real(&cross));
	tk_readings_add(readings, TKR_HISTORY_RAW, cross.sys_monoraw);
}

static void lift_snapshots(u64 now, struct tk_readings *readings)
{
	struct system_time_snapshot snapshot;

	if (timekeeping_suspended) {
		lift_snapshot_suspended(readings);
		return;
	}
	lift_past(now, readings);
	lift_snapshot_real(&snapshot);
	tk_readings_add(readings, TKR_SNAPSHOT_CYCLES, (s64)snapshot.cycles);
	tk_readings_add(readings, TKR_SNAPSHOT_REAL, lift_real(&snapshot));
	tk_readings_add(readings, TKR_SNAPSHOT_RAW, lift_raw(&snapshot));
	tk_readings_add(readings, TKR_SNAPSHOT_SET_SEQ,
			(s64)snapshot.clock_was_set_seq - tk_core.timekeeper.clock_was_set_seq);
	tk_readings_add(readings, TKR_SNAPSHOT_CHANGED_SEQ,
			(s64)snapshot.cs_was_changed_seq - tk_core.timekeeper.cs_was_changed_seq);
	lift_snapshot_clocks(readings);
	lift_crosses(now, readings);
	lift_history = snapshot;
	lift_history_taken = true;
}
