// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: every function that reads a clock says the same time, in the middle of a tick and after
 * it, before and after a step, a new rate, a new TAI offset and a suspend. What the clocks differ
 * by is what they are defined by: CLOCK_TAI less CLOCK_REALTIME is the TAI offset, CLOCK_BOOTTIME
 * less CLOCK_MONOTONIC the time slept, CLOCK_MONOTONIC_RAW the counter times a constant, and a
 * coarse clock the time of the latest tick. All of it is exact.
 */
#include "measure/drive.h"
#include "scenario/list.h"

#define START_SEC  1700000000LL
#define SECOND	   ((s64)TB_NSEC_PER_SEC)
#define TICKS	   60
#define TAI_OFFSET 37
#define SLEEP_SEC  1234
#define ENODEV	   19
#define EINVAL	   22
#define NEAR_NS	   2 /* two roundings of an interpolation */

enum clock_id {
	REAL,
	MONO,
	BOOT,
	TAI,
	RAW,
	CLOCK_IDS,
};

struct reader {
	enum tk_reading which;
	enum clock_id clock;
};

static const struct reader fine[] = {
	{ TKR_KTIME_GET_REAL_TS64, REAL }, { TKR_KTIME_GET, MONO },
	{ TKR_KTIME_GET_TS64, MONO },	   { TKR_KTIME_GET_OFFS_REAL, REAL },
	{ TKR_KTIME_GET_OFFS_BOOT, BOOT }, { TKR_KTIME_GET_OFFS_TAI, TAI },
	{ TKR_KTIME_GET_RAW, RAW },	   { TKR_KTIME_GET_RAW_TS64, RAW },
	{ TKR_UPDATE_OFFSETS_NOW, MONO },  { TKR_REAL_MG, REAL },
	{ TKR_COARSE_MG_AFTER, REAL },	   { TKR_SNAPSHOT_REAL, REAL },
	{ TKR_SNAPSHOT_MONO, MONO },	   { TKR_SNAPSHOT_BOOT, BOOT },
	{ TKR_SNAPSHOT_RAW, RAW },	   { TKR_SNAPSHOT_RAW_SYS, RAW },
	{ TKR_CLOCK_TS64_REAL, REAL },	   { TKR_CLOCK_TS64_MONO, MONO },
	{ TKR_CLOCK_TS64_RAW, RAW },
};

static const struct reader fast[] = {
	{ TKR_MONO_FAST, MONO },       { TKR_RAW_FAST, RAW },	      { TKR_BOOT_FAST, BOOT },
	{ TKR_TAI_FAST, TAI },	       { TKR_REAL_FAST, REAL },	      { TKR_FAST_STAMP_MONO, MONO },
	{ TKR_FAST_STAMP_BOOT, BOOT }, { TKR_FAST_STAMP_REAL, REAL },
};

static const struct reader coarse[] = {
	{ TKR_COARSE_REAL_TS64, REAL },	    { TKR_COARSE_TS64, MONO },
	{ TKR_COARSE_OFFS_REAL, REAL },	    { TKR_COARSE_OFFS_BOOT, BOOT },
	{ TKR_COARSE_OFFS_TAI, TAI },	    { TKR_OLD_COARSE_REAL_TS64, REAL },
	{ TKR_OLD_COARSE_TS64, MONO },	    { TKR_OLD_COARSE_OFFS_REAL, REAL },
	{ TKR_OLD_COARSE_OFFS_BOOT, BOOT }, { TKR_OLD_COARSE_OFFS_TAI, TAI },
};

static const enum tk_reading equal_copies[] = {
	TKR_SHADOW,	 TKR_SEQ_ODD,	 TKR_FAST_SEQ_ODD, TKR_FAST_MONO_0,
	TKR_FAST_MONO_1, TKR_FAST_RAW_0, TKR_FAST_RAW_1,
};

struct getters {
	struct drive drive;
	struct tk_conversion conversion;
	u64 start;	/* the counter at the start */
	u64 snapshot;	/* and at the latest snapshot */
	s64 slept;	/* since then, ns */
	s64 tai_offset; /* s */
	s64 last[CLOCK_IDS];
	struct tk_readings readings;
	/* What held all the time. */
	bool inside_ok, same, defined, raw_ok, coarse_ok, seconds_ok, fast_ok, forward, stamps_ok,
		copies_ok, offsets_ok;
	u64 looks, reads;
};

static s64 value(const struct getters *getters, enum tk_reading which)
{
	return getters->readings.value[which];
}

static bool has(const struct getters *getters, enum tk_reading which)
{
	return tk_readings_has(&getters->readings, which);
}

/* Where a core has a reading, it must be `expected`. */
static bool is(const struct getters *getters, enum tk_reading which, s64 expected)
{
	return !has(getters, which) || value(getters, which) == expected;
}

/* CLOCK_MONOTONIC_RAW at a value of the counter. */
static s64 raw_at(const struct getters *getters, u64 counter)
{
	return (s64)((u128)(counter - getters->start) * getters->conversion.mult >>
		     getters->conversion.shift);
}

static bool agree(struct getters *getters, const struct reader *readers, u32 count,
		  const s64 clocks[CLOCK_IDS], const char *what)
{
	bool ok = true;

	for (u32 i = 0; i < count; i++) {
		const enum tk_reading which = readers[i].which;

		getters->reads += has(getters, which);
		if (is(getters, which, clocks[readers[i].clock]))
			continue;
		if (ok)
			ktap_note(getters->drive.run->ktap, "%s: %s is off by %lld ns", what,
				  tk_reading_name(which),
				  value(getters, which) - clocks[readers[i].clock]);
		ok = false;
	}
	return ok;
}

/* A device's time half way into the interval, and one between the snapshot before and the tick. */
static void look_at_stamps(struct getters *getters, const struct tk_state *state,
			   const s64 clocks[CLOCK_IDS])
{
	const u64 now = getters->drive.now, last = state->cycle_last;
	s64 exact;

	if (has(getters, TKR_CROSS_STATUS)) {
		getters->stamps_ok &=
			!value(getters, TKR_CROSS_STATUS) &&
			is(getters, TKR_CROSS_DEVICE, TK_DEVICE_NS) &&
			is(getters, TKR_CROSS_RAW, raw_at(getters, last + (now - last) / 2));
		/* REALTIME is as far into the interval as the raw clock, but for the rate. */
		exact = clocks[REAL] - (clocks[RAW] - value(getters, TKR_CROSS_RAW));
		getters->stamps_ok &= value(getters, TKR_CROSS_REAL) - exact <= SECOND / 1000 &&
				      exact - value(getters, TKR_CROSS_REAL) <= SECOND / 1000;
	}
	if (has(getters, TKR_HISTORY_STATUS))
		getters->stamps_ok &= !value(getters, TKR_HISTORY_STATUS);
	if (has(getters, TKR_HISTORY_RAW)) {
		exact = raw_at(getters, tk_history_cycles(getters->snapshot, last, now));
		getters->stamps_ok &= value(getters, TKR_HISTORY_RAW) - exact <= NEAR_NS &&
				      exact - value(getters, TKR_HISTORY_RAW) <= NEAR_NS;
	}
	getters->stamps_ok &= is(getters, TKR_CROSS_FOREIGN, -ENODEV) &&
			      is(getters, TKR_CROSS_NO_HISTORY, -EINVAL) &&
			      is(getters, TKR_CROSS_AHEAD, -EINVAL) &&
			      is(getters, TKR_CROSS_NO_CLOCK, -ENODEV) &&
			      is(getters, TKR_CROSS_NOW, clocks[REAL]) &&
			      is(getters, TKR_SNAPSHOT_CYCLES, (s64)now);
	getters->snapshot = now;
}

static void look_at_copies(struct getters *getters, const s64 clocks[CLOCK_IDS])
{
	const s64 offs_real = clocks[REAL] - clocks[MONO], offs_tai = clocks[TAI] - clocks[MONO];

	for (u32 i = 0; i < TB_ARRAY_SIZE(equal_copies); i++)
		getters->copies_ok &= is(getters, equal_copies[i], 0);
	getters->offsets_ok &=
		is(getters, TKR_OFFS_REAL, offs_real) && is(getters, TKR_MONO_TO_REAL, offs_real) &&
		is(getters, TKR_UPDATE_OFFS_REAL, offs_real) &&
		is(getters, TKR_OFFS_BOOT, getters->slept) &&
		is(getters, TKR_MONOTONIC_TO_BOOT, getters->slept) &&
		is(getters, TKR_MONO_TO_BOOT, getters->slept) &&
		is(getters, TKR_UPDATE_OFFS_BOOT, getters->slept) &&
		is(getters, TKR_OFFS_TAI, offs_tai) && is(getters, TKR_MONO_TO_TAI, offs_tai) &&
		is(getters, TKR_UPDATE_OFFS_TAI, offs_tai) &&
		is(getters, TKR_UPDATE_OFFS_KEPT, 0) && is(getters, TKR_UPDATE_OFFS_LEAP, 0) &&
		is(getters, TKR_GETBOOTTIME64, offs_real - getters->slept) &&
		is(getters, TKR_MONO_BASE_REAL, value(getters, TKR_MONO_BASE) + offs_real);
}

/* The coarse clocks have the time of the state, which the latest tick or step left. */
static void look_at_coarse(struct getters *getters, const struct tk_state *state,
			   const s64 clocks[CLOCK_IDS])
{
	s64 then[CLOCK_IDS] = { 0 };

	then[REAL] = state->xtime_sec * SECOND + (s64)(state->xtime_nsec >> state->shift);
	for (u32 i = MONO; i <= TAI; i++)
		then[i] = then[REAL] + clocks[i] - clocks[REAL];
	getters->coarse_ok &= agree(getters, coarse, TB_ARRAY_SIZE(coarse), then, "coarse");
	getters->seconds_ok &= is(getters, TKR_KTIME_GET_SECONDS, then[MONO] / SECOND) &&
			       is(getters, TKR_KTIME_SEC, then[MONO] / SECOND) &&
			       is(getters, TKR_KTIME_GET_REAL_SECONDS, then[REAL] / SECOND) &&
			       is(getters, TKR_KTIME_GET_REAL_SECONDS_RAW, then[REAL] / SECOND);
}

static void look(struct getters *getters)
{
	struct drive *drive = &getters->drive;
	s64 clocks[CLOCK_IDS];
	struct tk_state state;

	tk_readings_clear(&getters->readings);
	drive->tk->readings(drive->now, TK_SET_ALL, &getters->readings);
	drive->tk->state(&state);
	/* By the reader that each other scenario measures with; the rest by definition. */
	clocks[REAL] = drive_realtime(drive);
	clocks[MONO] = drive_monotonic(drive);
	clocks[BOOT] = clocks[MONO] + getters->slept;
	clocks[TAI] = clocks[REAL] + getters->tai_offset * SECOND;
	clocks[RAW] = raw_at(getters, drive->now);

	getters->defined &= is(getters, TKR_KTIME_GET_OFFS_BOOT, clocks[BOOT]) &&
			    is(getters, TKR_KTIME_GET_OFFS_TAI, clocks[TAI]);
	getters->raw_ok &= is(getters, TKR_KTIME_GET_RAW, clocks[RAW]);
	getters->same &= agree(getters, fine, TB_ARRAY_SIZE(fine), clocks, "read");
	getters->fast_ok &= agree(getters, fast, TB_ARRAY_SIZE(fast), clocks, "fast");
	getters->same &= is(getters, TKR_REAL_MG_RACED, clocks[REAL] + TK_RACE_NS);
	for (u32 i = TKR_INSIDE_MONO_FAST; i <= TKR_INSIDE_VDSO; i++)
		getters->inside_ok &= is(getters, i, 0);
	look_at_coarse(getters, &state, clocks);
	look_at_stamps(getters, &state, clocks);
	look_at_copies(getters, clocks);
	for (u32 i = MONO; i < CLOCK_IDS; i++)
		getters->forward &= i == TAI || clocks[i] >= getters->last[i];
	for (u32 i = 0; i < CLOCK_IDS; i++)
		getters->last[i] = clocks[i];
	getters->looks++;
}

/*
 * Ticks, with looks at a third and two thirds of the interval and after the tick, which then has
 * a snapshot in the interval before it.
 */
static void run_and_look(struct getters *getters)
{
	struct drive *drive = &getters->drive;

	look(getters);
	for (u32 i = 0; i < TICKS; i++) {
		drive_pass(drive, drive->interval / 3);
		look(getters);
		drive_pass(drive, drive->interval / 3);
		look(getters);
		drive_pass(drive, drive->interval - drive->interval / 3 * 2);
		drive->tk->tick(drive->now);
		look(getters);
	}
}

static void change_everything(struct getters *getters)
{
	struct drive *drive = &getters->drive;
	struct tk_sleep sleep = { .persistent_sec = START_SEC };

	run_and_look(getters);
	if (!drive_adjust(drive, TK_ADJ_FREQUENCY, 500LL << 16))
		run_and_look(getters);
	if (!drive_adjust(drive, TK_ADJ_TAI, TAI_OFFSET))
		getters->tai_offset = TAI_OFFSET;
	run_and_look(getters);
	drive_settime(drive, START_SEC + 1000, 999999000);
	run_and_look(getters);
	if (!drive->tk->suspend)
		return;
	drive->tk->suspend(drive->now, &sleep);
	sleep.persistent_sec += SLEEP_SEC;
	drive->tk->resume(drive->now, &sleep);
	getters->slept = SLEEP_SEC * SECOND;
	run_and_look(getters);
}

static void getters_run(struct run *run)
{
	struct getters getters = {
		.inside_ok = true,
		.same = true,
		.defined = true,
		.raw_ok = true,
		.coarse_ok = true,
		.seconds_ok = true,
		.fast_ok = true,
		.forward = true,
		.stamps_ok = true,
		.copies_ok = true,
		.offsets_ok = true,
	};

	if (!drive_start(&getters.drive, run, START_SEC))
		return;
	if (!drive_has_readings(&getters.drive)) {
		ktap_skip(run->ktap, "every function reads the same time",
			  "this core has no readings");
		return;
	}
	tk_conversion_init(&getters.conversion, &run->clock->counter);
	getters.start = getters.drive.now;
	change_everything(&getters);
	ktap_metric(run->ktap, "looks", (s128)getters.looks, 0, 0, "times");
	ktap_metric(run->ktap, "clock_reads", (s128)getters.reads, 0, 0, "reads");
	run_claim(run, getters.same, "every function reads the same time of its clock", 0);
	run_claim(run, getters.defined,
		  "CLOCK_TAI is CLOCK_REALTIME and the TAI offset, CLOCK_BOOTTIME is "
		  "CLOCK_MONOTONIC and the time slept",
		  0);
	run_claim(run, getters.raw_ok, "CLOCK_MONOTONIC_RAW is the counter times a constant", 0);
	run_claim(run, getters.coarse_ok, "a coarse clock is the time of the latest tick or step",
		  0);
	run_claim(run, getters.seconds_ok, "the readers of seconds have the coarse clocks' second",
		  0);
	run_claim(run, getters.fast_ok, "the fast readers agree, outside of a tick", 0);
	run_claim(
		run, getters.inside_ok,
		"inside of a tick they do not wait, and agree with before it; the vDSO with after",
		0);
	run_claim(run, getters.forward, "no clock that must not goes back", 0);
	run_claim(run, getters.stamps_ok,
		  "a device's timestamp is the time of its value of the counter", 0);
	run_claim(run, getters.offsets_ok,
		  "the offsets between clocks are what the clocks differ by", 0);
	run_claim(run, getters.copies_ok, "every copy of the timekeeper is equal to it", 0);
}

const struct scenario scenario_getters = {
	.name = "getters",
	.claim = "every function that reads a clock says the same time",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = getters_run,
};
