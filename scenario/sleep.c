// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a suspend adds the time slept to CLOCK_REALTIME, CLOCK_BOOTTIME and CLOCK_TAI, however it
 * was measured, and CLOCK_MONOTONIC and the raw clock go on from where they stopped.
 */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define START_SEC 1700000000
#define SECOND	  ((s64)TB_NSEC_PER_SEC)
#define NAPS	  20

/* What says how long a suspend was. */
enum source {
	PERSISTENT, /* a clock that does not stop */
	NONSTOP,    /* a counter that does not stop */
	RTC,	    /* the RTC's driver, after the resume */
	NOBODY,
};

/* Where a core has no readings, those members are 0 and stay so. */
struct clocks {
	s64 real, monotonic, boot, tai, raw;
	s64 fast[5];
};

static struct clocks clocks_of(struct drive *drive)
{
	static const enum tk_reading fast[] = { TKR_MONO_FAST, TKR_RAW_FAST, TKR_BOOT_FAST,
						TKR_TAI_FAST, TKR_REAL_FAST };
	struct clocks clocks = {
		.real = drive_realtime(drive),
		.monotonic = drive_monotonic(drive),
	};

	drive_reading(drive, TKR_KTIME_GET_OFFS_BOOT, &clocks.boot);
	drive_reading(drive, TKR_KTIME_GET_OFFS_TAI, &clocks.tai);
	drive_reading(drive, TKR_KTIME_GET_RAW, &clocks.raw);
	for (u32 i = 0; i < TB_ARRAY_SIZE(fast); i++)
		drive_reading(drive, fast[i], &clocks.fast[i]);
	return clocks;
}

static struct tk_sleep sleep_of(s64 persistent_ns, s64 nonstop_ns)
{
	return (struct tk_sleep){
		.persistent_sec = persistent_ns / SECOND,
		.persistent_nsec = (u32)(persistent_ns % SECOND),
		.nonstop_ns = (u64)nonstop_ns,
	};
}

struct nap {
	struct clocks before, during, after;
	struct tk_state asleep, ticked; /* after the suspend, and after a tick meanwhile */
};

/*
 * Sleeps for `ns`, in mid-tick; meanwhile the counter runs by a few ticks. A persistent clock shows
 * CLOCK_REALTIME + persistent_off_ns at the suspend.
 */
static struct nap nap(struct drive *drive, enum source source, s64 ns, s64 persistent_off_ns)
{
	struct tk_sleep begin = { 0 }, end = { 0 };
	struct nap nap;

	drive_pass(drive, drive->interval / 3);
	nap.before = clocks_of(drive);
	if (source == PERSISTENT) {
		begin = sleep_of(nap.before.real + persistent_off_ns, 0);
		end = sleep_of(nap.before.real + persistent_off_ns + ns, 0);
	} else if (source == NONSTOP) {
		end = sleep_of(0, ns);
	}
	drive->tk->suspend(drive->now, &begin);
	drive->tk->state(&nap.asleep);
	drive_pass(drive, 5 * drive->interval);
	drive->tk->tick(drive->now);
	drive->tk->state(&nap.ticked);
	nap.during = clocks_of(drive);
	drive->tk->resume(drive->now, &end);
	if (source == RTC && drive->tk->inject_sleep) {
		/* The RTC's driver comes later, in mid-tick: its measure is compared from there. */
		drive_pass(drive, drive->interval / 3);
		nap.before = clocks_of(drive);
		drive->tk->inject_sleep(drive->now, ns / SECOND, (u32)(ns % SECOND));
	}
	nap.after = clocks_of(drive);
	return nap;
}

static bool added(struct drive *drive, const struct nap *nap, s64 ns)
{
	const bool all = drive_has_readings(drive);

	return nap->after.real - nap->before.real == ns &&
	       nap->after.boot - nap->before.boot == (all ? ns : 0) &&
	       nap->after.tai - nap->before.tai == (all ? ns : 0);
}

static bool went_on(const struct nap *nap)
{
	return nap->after.monotonic == nap->before.monotonic && nap->after.raw == nap->before.raw;
}

static void claim_sources(struct drive *drive)
{
	static const s64 slept[] = { 1, SECOND - 1, 3 * SECOND + 7, 86400 * 365 * SECOND };
	bool sum[] = { true, true, true, true }, on = true, asleep = true, stood = true;
	s64 boot_before = clocks_of(drive).boot - clocks_of(drive).monotonic, total = 0;
	bool boot_ok = true;

	for (enum source source = PERSISTENT; source <= NOBODY; source++) {
		for (u32 i = 0; i < TB_ARRAY_SIZE(slept); i++) {
			struct nap this = nap(drive, source, slept[i], 5 * SECOND * i);
			const s64 due = source == NOBODY ? 0 : slept[i];
			const struct clocks *now = &this.after;

			if (source == RTC && !drive->tk->inject_sleep)
				continue;
			total += due;
			sum[source] &= added(drive, &this, due);
			on &= went_on(&this);
			asleep &= !memcmp(&this.asleep, &this.ticked, sizeof(this.asleep));
			stood &= source == RTC || !memcmp(this.before.fast, this.during.fast,
							  sizeof(this.before.fast));
			if (drive_has_readings(drive))
				boot_ok &= now->boot - now->monotonic == boot_before + total;
			drive_ticks(drive, 100);
		}
	}
	run_claim(drive->run, sum[PERSISTENT] && sum[NOBODY],
		  "the persistent clock's time is added to what counts while the machine sleeps",
		  0);
	run_claim(drive->run, sum[NONSTOP], "so is that of a counter that does not stop", 0);
	if (drive->tk->inject_sleep)
		run_claim(drive->run, sum[RTC], "so is that of the RTC, after the resume", 0);
	else
		ktap_skip(drive->run->ktap, "so is that of the RTC, after the resume",
			  "this core has no inject_sleep");
	run_claim(drive->run, on, "CLOCK_MONOTONIC and the raw clock go on from where they stopped",
		  0);
	run_claim(drive->run, asleep, "a tick during the suspend changes nothing", 0);
	if (!drive_has_readings(drive)) {
		ktap_skip(drive->run->ktap, "CLOCK_BOOTTIME less CLOCK_MONOTONIC is the time slept",
			  "this core has no readings");
		return;
	}
	run_claim(drive->run, boot_ok, "CLOCK_BOOTTIME less CLOCK_MONOTONIC is the time slept", 0);
	run_claim(drive->run, stood, "the fast readers stand still during the suspend", 0);
}

/*
 * A persistent clock that shows whole seconds, cut off, tells each nap up to a second wrong. The
 * sum of many must not be.
 */
static void claim_no_drift(struct drive *drive)
{
	s64 off = 0, worst = 0, offset = 0;

	for (u32 i = 0; i < NAPS; i++) {
		/* From a second's start: 1.75 s are told as 1 s. A quarter awake, and so on. */
		const s64 ns = 7 * SECOND / 4;
		struct tk_sleep begin, end;
		s64 real = drive_realtime(drive), truth = real + offset;

		begin = sleep_of(truth - truth % SECOND, 0);
		truth += ns;
		end = sleep_of(truth - truth % SECOND, 0);
		drive->tk->suspend(drive->now, &begin);
		drive->tk->resume(drive->now, &end);
		off = drive_realtime(drive) - real - ns;
		offset -= off;
		worst = magnitude(offset) > worst ? magnitude(offset) : worst;
		drive_ticks(drive, drive->run->params->hz / 4);
	}
	run_metric_ns(drive->run, "naps_off_ns", worst * TB_FSEC_PER_NSEC);
	run_claim(drive->run, worst < 2 * SECOND,
		  "the errors of a persistent clock of whole seconds do not add up", 0);
}

static void claim_invalid(struct drive *drive)
{
	static const struct {
		s64 sec;
		u32 nsec;
	} wrong[] = { { -1, 0 }, { 0, 1000000000 }, { 1LL << 34, 0 } };
	struct clocks before = clocks_of(drive), after;
	bool ok = true;

	if (!drive->tk->inject_sleep) {
		ktap_skip(drive->run->ktap, "a time slept that cannot be is not added",
			  "this core has no inject_sleep");
		return;
	}
	for (u32 i = 0; i < TB_ARRAY_SIZE(wrong); i++) {
		drive->tk->inject_sleep(drive->now, wrong[i].sec, wrong[i].nsec);
		after = clocks_of(drive);
		ok &= !memcmp(&before, &after, sizeof(before));
	}
	run_claim(drive->run, ok, "a time slept that cannot be is not added", 0);
}

static void claim_flags(struct drive *drive)
{
	struct tk_sleep none = { 0 }, persistent = sleep_of(START_SEC * SECOND, 0);
	bool ok = true;
	s64 skips;

	if (!drive_reading(drive, TKR_RTC_SKIPRESUME, &skips)) {
		ktap_skip(drive->run->ktap, "the RTC's driver is told what it may skip",
			  "this core does not tell it");
		return;
	}
	drive->tk->suspend(drive->now, &none);
	drive->tk->resume(drive->now, &none);
	ok &= drive_reading(drive, TKR_RTC_SKIPRESUME, &skips) && !skips;
	drive->tk->suspend(drive->now, &persistent);
	ok &= drive_reading(drive, TKR_RTC_SKIPSUSPEND, &skips) && skips;
	persistent.persistent_sec += 100;
	drive->tk->resume(drive->now, &persistent);
	ok &= drive_reading(drive, TKR_RTC_SKIPRESUME, &skips) && skips;
	run_claim(drive->run, ok, "the RTC's driver is told what it may skip", 0);
}

static void sleep_run(struct run *run)
{
	struct drive drive;

	if (!drive_start(&drive, run, START_SEC))
		return;
	if (!drive.tk->suspend) {
		ktap_skip(run->ktap, "a suspend adds the time slept", "this core cannot sleep");
		return;
	}
	drive_adjust(&drive, TK_ADJ_TAI, 37);
	drive_adjust(&drive, TK_ADJ_FREQUENCY, 1234567);
	drive_seconds(&drive, 2);
	claim_sources(&drive);
	if (!drive_start(&drive, run, START_SEC))
		return;
	drive_seconds(&drive, 2);
	claim_no_drift(&drive);
	claim_invalid(&drive);
	claim_flags(&drive);
}

const struct scenario scenario_sleep = {
	.name = "sleep",
	.claim = "a suspend adds the time slept to the clocks that count it, and to no other",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = sleep_run,
};
