// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a leap second moves CLOCK_REALTIME by a second at midnight UTC, and nothing else. After
 * each tick of the seconds around it every clock is read. CLOCK_MONOTONIC and CLOCK_TAI count on:
 * what CLOCK_REALTIME says follows from CLOCK_MONOTONIC and the second that is inserted or deleted.
 */
#include "lib/string.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define DAY	   86400
#define MIDNIGHT   (19676LL * DAY) /* 2023-11-15 */
#define SECOND	   ((s64)TB_NSEC_PER_SEC)
#define LEAD_SEC   4
#define FOLLOW_SEC 4
#define TAI_OFFSET 37

enum kind {
	INSERT,
	DELETE,
};

/* A leap second, and what it must look like. */
struct leap {
	struct drive *drive;
	enum kind kind;
	s64 start;	/* CLOCK_REALTIME less CLOCK_MONOTONIC before it, ns */
	s64 tai;	/* CLOCK_TAI less CLOCK_MONOTONIC, ns, all the time */
	bool moved;	/* it has happened */
	bool time_ok;	/* CLOCK_REALTIME was right all the time */
	bool still_ok;	/* CLOCK_MONOTONIC and CLOCK_TAI were */
	bool states_ok; /* adjtimex's state, time and TAI offset were */
	bool offsets_ok;
	u32 repeated; /* ticks that said the second that is inserted or deleted */
};

/* The second of CLOCK_REALTIME at whose start the leap second happens. */
static s64 due_sec(enum kind kind)
{
	return kind == INSERT ? MIDNIGHT : MIDNIGHT - 1;
}

/* What adjtimex says: `unmoved` is CLOCK_REALTIME without the leap second, ns. */
static s32 state_due(const struct leap *leap, s64 unmoved)
{
	const s64 due = due_sec(leap->kind) * SECOND;

	if (unmoved < due)
		return leap->kind == INSERT ? TK_TIME_INS : TK_TIME_DEL;
	if (leap->kind == INSERT && unmoved < due + SECOND)
		return TK_TIME_OOP;
	return TK_TIME_WAIT;
}

/* What CLOCK_TAI and those who wait for CLOCK_REALTIME are told, by a core that has the readings.
 */
static void check_readings(struct leap *leap, s64 monotonic, s64 real)
{
	s64 tai, offset;

	if (drive_reading(leap->drive, TKR_KTIME_GET_OFFS_TAI, &tai))
		leap->still_ok &= tai - monotonic == leap->tai;
	if (drive_reading(leap->drive, TKR_UPDATE_OFFS_REAL, &offset))
		leap->offsets_ok &= offset == real - monotonic;
}

/* After a tick, and between two: a tick that is late must not show. */
static void check(struct leap *leap, bool ticked)
{
	const s64 shift = leap->kind == INSERT ? -SECOND : SECOND;
	const s64 due = due_sec(leap->kind) * SECOND;
	const s64 monotonic = drive_monotonic(leap->drive), unmoved = monotonic + leap->start;
	const struct tk_timex timex = drive_query(leap->drive);
	const bool passed = unmoved >= due;
	s64 real = drive_realtime(leap->drive);

	/* The tick moves the clock. Before it, adjtimex and the timers know already. */
	leap->moved |= ticked && passed;
	leap->time_ok &= real == unmoved + (leap->moved ? shift : 0);
	leap->states_ok &= timex.state == state_due(leap, unmoved);
	leap->states_ok &= timex.tai == TAI_OFFSET + (passed ? (leap->kind == INSERT ? 1 : -1) : 0);
	leap->states_ok &= timex.time_sec == (unmoved + (passed ? shift : 0)) / SECOND;
	check_readings(leap, monotonic,
		       unmoved + ((leap->kind == INSERT ? passed : leap->moved) ? shift : 0));
	leap->repeated += ticked && real / SECOND == MIDNIGHT - 1;
}

static bool arm(struct drive *drive, s64 sec, s32 status)
{
	return !drive_settime(drive, sec, 0) && !drive_adjust(drive, TK_ADJ_STATUS, 0) &&
	       !drive_adjust(drive, TK_ADJ_TAI, TAI_OFFSET) &&
	       !drive_adjust(drive, TK_ADJ_MAXERROR, 0) &&
	       !drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL | status);
}

static void leap_once(struct drive *drive, enum kind kind)
{
	const u32 hz = drive->run->params->hz;
	struct leap leap = {
		.drive = drive,
		.kind = kind,
		.time_ok = true,
		.still_ok = true,
		.states_ok = true,
		.offsets_ok = true,
	};
	bool armed = arm(drive, MIDNIGHT - LEAD_SEC, kind == INSERT ? TK_STA_INS : TK_STA_DEL);

	/* The second that was armed in passes without a state. */
	leap.start = drive_realtime(drive) - drive_monotonic(drive);
	leap.tai = leap.start + TAI_OFFSET * SECOND;
	drive_ticks(drive, hz + 2);
	for (u32 i = 0; i < (LEAD_SEC + FOLLOW_SEC - 1) * hz; i++) {
		drive_pass(drive, drive->interval / 2);
		check(&leap, false);
		drive_pass(drive, drive->interval - drive->interval / 2);
		check(&leap, false);
		drive->tk->tick(drive->now);
		check(&leap, true);
	}
	if (kind == INSERT) {
		run_claim(drive->run, armed && leap.moved && leap.time_ok && leap.repeated > hz,
			  "an inserted second is 23:59:59 once more, from the tick at midnight on",
			  0);
		run_claim(drive->run, leap.states_ok,
			  "adjtimex tells an inserted second in every tick of it", 0);
	} else {
		run_claim(drive->run, armed && leap.moved && leap.time_ok && !leap.repeated,
			  "a deleted second, 23:59:59, is never read", 0);
		run_claim(drive->run, leap.states_ok,
			  "adjtimex tells a deleted second in every tick of it", 0);
	}
	run_claim(drive->run, leap.still_ok,
		  "CLOCK_MONOTONIC and CLOCK_TAI do not move over a leap second", 0);
	if (drive_has_readings(drive))
		run_claim(drive->run, leap.offsets_ok,
			  "timers are told of a leap second from its first nanosecond on", 0);
	else
		ktap_skip(drive->run->ktap,
			  "timers are told of a leap second from its first nanosecond on",
			  "this core has no readings");
}

/* Whether CLOCK_REALTIME counts on over midnight as if there was no leap second. */
static bool nothing_happens(struct drive *drive)
{
	const s64 start = drive_realtime(drive) - drive_monotonic(drive);
	bool ok = true;

	for (u32 i = 0; i < (LEAD_SEC + FOLLOW_SEC) * drive->run->params->hz; i++) {
		drive_ticks(drive, 1);
		ok &= drive_realtime(drive) - drive_monotonic(drive) == start;
	}
	return ok && drive_realtime(drive) > MIDNIGHT * SECOND;
}

static void claim_cancelled(struct drive *drive)
{
	static const s32 statuses[] = { TK_STA_INS, TK_STA_DEL };
	struct tk_timex back = { .modes = TK_ADJ_SETOFFSET, .time_sec = -1 };
	bool cancelled = true, stepped = true;

	for (u32 i = 0; i < TB_ARRAY_SIZE(statuses); i++) {
		cancelled &= arm(drive, MIDNIGHT - LEAD_SEC, statuses[i]);
		/* To a tick before midnight or, of a deletion, 23:59:59. */
		drive_ticks(drive, (LEAD_SEC - 1 - i) * drive->run->params->hz + 2);
		cancelled &= drive_query(drive).state == (i ? TK_TIME_DEL : TK_TIME_INS);
		cancelled &= !drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL);
		cancelled &= nothing_happens(drive);
		cancelled &= drive_query(drive).state == TK_TIME_OK;

		stepped &= arm(drive, MIDNIGHT - LEAD_SEC, statuses[i]);
		drive_ticks(drive, (LEAD_SEC - 1 - i) * drive->run->params->hz + 2);
		stepped &= !drive_adjtimex(drive, &back);
		stepped &= nothing_happens(drive);
	}
	run_claim(drive->run, cancelled, "a leap second that is cancelled late does not happen", 0);
	run_claim(drive->run, stepped, "a step cancels the leap second that was due", 0);
}

static void leap_run(struct run *run)
{
	struct drive drive;

	if (!drive_start(&drive, run, MIDNIGHT - DAY))
		return;
	drive_ticks(&drive, 3);
	leap_once(&drive, INSERT);
	leap_once(&drive, DELETE);
	claim_cancelled(&drive);
}

const struct scenario scenario_leap = {
	.name = "leap",
	.claim = "a leap second moves CLOCK_REALTIME at midnight UTC, and nothing else",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = leap_run,
};
