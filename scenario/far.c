// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: no clock is off where a count of seconds or nanoseconds comes to its end: 2^31 s (2038),
 * 2^32 s (2106), the last second that settimeofday() takes (2232), and 2^63 ns (2262), to which a
 * suspend of 30 years leads. Over each, after every tick and between two, every clock is what
 * CLOCK_MONOTONIC and the offsets make it; CLOCK_MONOTONIC counts the ticks. All of it is exact.
 */
#include "measure/drive.h"
#include "scenario/list.h"

#define SECOND	   ((s64)TB_NSEC_PER_SEC)
#define TAI_OFFSET 37
#define LEAD_SEC   1
#define FOLLOW_SEC 1
#define LAST_NS	   0x7fffffffffffffffLL /* KTIME_MAX */

enum base {
	MONO,
	REAL,
	BOOT,
	TAI,
	BASES,
};

static const struct {
	enum tk_reading which;
	enum base base;
} clocks[] = {
	{ TKR_KTIME_GET_REAL_TS64, REAL }, { TKR_KTIME_GET, MONO },
	{ TKR_KTIME_GET_TS64, MONO },	   { TKR_KTIME_GET_OFFS_REAL, REAL },
	{ TKR_KTIME_GET_OFFS_BOOT, BOOT }, { TKR_KTIME_GET_OFFS_TAI, TAI },
	{ TKR_UPDATE_OFFSETS_NOW, MONO },  { TKR_MONO_FAST, MONO },
	{ TKR_BOOT_FAST, BOOT },	   { TKR_TAI_FAST, TAI },
	{ TKR_REAL_FAST, REAL },	   { TKR_SNAPSHOT_REAL, REAL },
	{ TKR_VDSO_REALTIME, REAL },	   { TKR_VDSO_MONOTONIC, MONO },
	{ TKR_VDSO_BOOTTIME, BOOT },	   { TKR_VDSO_TAI, TAI },
};

struct far {
	struct drive drive;
	s64 offset[BASES]; /* each clock less CLOCK_MONOTONIC, ns */
	s64 last_mono;
	bool same, seconds, forward;
};

static bool is(const struct tk_readings *readings, enum tk_reading which, s64 expected)
{
	return !tk_readings_has(readings, which) || readings->value[which] == expected;
}

static void look(struct far *far)
{
	struct drive *drive = &far->drive;
	s64 mono = drive_monotonic(drive), real = mono + far->offset[REAL];
	struct tk_readings readings;
	struct tk_state state;

	far->same &= drive_realtime(drive) == real;
	far->forward &= mono >= far->last_mono;
	far->last_mono = mono;
	far->seconds &= drive_query(drive).time_sec == real / SECOND;
	if (!drive_has_readings(drive))
		return;
	tk_readings_clear(&readings);
	drive->tk->readings(drive->now,
			    TK_SET_GETTERS | TK_SET_COARSE | TK_SET_OFFSETS | TK_SET_FAST |
				    TK_SET_SNAPSHOT | TK_SET_VDSO,
			    &readings);
	for (u32 i = 0; i < TB_ARRAY_SIZE(clocks); i++) {
		if (is(&readings, clocks[i].which, mono + far->offset[clocks[i].base]))
			continue;
		if (far->same)
			ktap_note(drive->run->ktap, "%s is off by %lld ns",
				  tk_reading_name(clocks[i].which),
				  readings.value[clocks[i].which] - mono -
					  far->offset[clocks[i].base]);
		far->same = false;
	}
	drive->tk->state(&state);
	far->seconds &= is(&readings, TKR_KTIME_GET_REAL_SECONDS, (s64)state.xtime_sec) &&
			is(&readings, TKR_VDSO_TIME, (s64)state.xtime_sec) &&
			is(&readings, TKR_VDSO_GETTIMEOFDAY, real / 1000);
}

/* So many seconds of ticks, with looks after each and between two. Returns whether all was well. */
static void pass(struct far *far, u32 seconds)
{
	struct drive *drive = &far->drive;

	for (u32 i = 0; i < seconds * drive->run->params->hz; i++) {
		drive_pass(drive, drive->interval / 2);
		look(far);
		drive_pass(drive, drive->interval - drive->interval / 2);
		drive->tk->tick(drive->now);
		look(far);
	}
}

static void begin(struct far *far)
{
	far->last_mono = drive_monotonic(&far->drive);
	far->offset[REAL] = drive_realtime(&far->drive) - far->last_mono;
	far->offset[TAI] = far->offset[REAL] + TAI_OFFSET * SECOND;
	far->same = far->seconds = far->forward = true;
}

/* Over the end of a count of seconds. false: the core does not start, which was reported. */
static bool over(struct far *far, s64 sec)
{
	far->offset[BOOT] = 0;
	if (!drive_start(&far->drive, far->drive.run, sec - LEAD_SEC))
		return false;
	drive_adjust(&far->drive, TK_ADJ_TAI, TAI_OFFSET);
	begin(far);
	pass(far, LEAD_SEC + FOLLOW_SEC);
	far->same &= far->drive.run->clock && drive_realtime(&far->drive) > sec * SECOND;
	return true;
}

/* The persistent clock's time at a suspend. */
static struct tk_sleep at(s64 ns)
{
	return (struct tk_sleep){
		.persistent_sec = ns / SECOND,
		.persistent_nsec = (u32)(ns % SECOND),
	};
}

/* From the last second that can be set, by a suspend, to as long before KTIME_MAX as TAI needs. */
static bool to_the_end(struct far *far)
{
	const s64 end = LAST_NS - (TAI_OFFSET + LEAD_SEC + 1) * SECOND;
	struct drive *drive = &far->drive;
	struct tk_sleep sleep;
	s64 real;

	if (!drive_start(drive, drive->run, TK_SEC_MAX - LEAD_SEC))
		return false;
	drive_adjust(drive, TK_ADJ_TAI, TAI_OFFSET);
	drive_ticks(drive, 3);
	real = drive_realtime(drive);
	sleep = at(real);
	drive->tk->suspend(drive->now, &sleep);
	sleep = at(end);
	drive->tk->resume(drive->now, &sleep);
	far->offset[BOOT] = end - real;
	begin(far);
	/* To the ns: the persistent clock said it. */
	far->same &= drive_realtime(drive) == end;
	pass(far, LEAD_SEC);
	return true;
}

static void far_run(struct run *run)
{
	struct far far = { .drive = { .run = run } };

	if (!over(&far, 1LL << 31))
		return;
	run_claim(run, far.same && far.forward, "no clock is off over 2^31 s, in 2038", 0);
	run_claim(run, far.seconds, "nor a second that is read or told over it", 0);
	if (!over(&far, 1LL << 32))
		return;
	run_claim(run, far.same && far.forward, "no clock is off over 2^32 s, in 2106", 0);
	run_claim(run, far.seconds, "nor a second that is read or told over that", 0);
	if (!over(&far, TK_SEC_MAX))
		return;
	run_claim(run, far.same && far.forward && far.seconds,
		  "no clock is off over the last second that can be set, in 2232", 0);
	if (!run->tk->suspend) {
		ktap_skip(run->ktap, "no clock is off up to where CLOCK_TAI is 2^63 ns, in 2262",
			  "this core cannot sleep");
		return;
	}
	if (to_the_end(&far))
		run_claim(run, far.same && far.forward && far.seconds,
			  "no clock is off up to where CLOCK_TAI is 2^63 ns, in 2262", 0);
}

const struct scenario scenario_far = {
	.name = "far",
	.claim = "no clock is off where a count of seconds or nanoseconds ends",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = far_run,
};
