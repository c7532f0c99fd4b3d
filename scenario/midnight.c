// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core that follows a page passes a leap second as the page does, with a page of UTC and
 * with one of TAI: CLOCK_TAI stays on the line, CLOCK_MONOTONIC counts on, and CLOCK_REALTIME is
 * TAI less the page's offset, in each tick around it. What a follower has to do at each change of
 * the page is obey(): arm or disarm the core by the leap indicator, set its TAI offset, hand it the
 * line. The page's change may come before the tick that the core does it in, or some ticks after.
 */
#include "lib/math.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define DAY	   86400
#define MIDNIGHT   YEAR_2026_SEC
#define SECOND	   ((s64)TB_NSEC_PER_SEC)
#define LEAD_SEC   3
#define FOLLOW_SEC 3
#define TAI_OFFSET 37
#define LATE_TICKS 3
#define NEAR_NS	   1000 /* far less than a tick, and more than a second without a line may drift */
#define STEP_NS	   250000000

/* The page's leap_indicator, as the specification numbers it. */
enum indicator {
	NOTHING,
	WILL_INSERT,
	WILL_DELETE,
	INSERTED_NOW,
	INSERTED,
	DELETED,
};

enum plan {
	AS_ANNOUNCED,
	CANCELLED, /* the announcement is taken back a tick before */
	STEPPED,   /* the line steps while the leap second is announced */
};

struct midnight {
	struct drive drive;
	u8 time_type;
	bool insert, early;
	enum plan plan;
	struct vmclock_line tai; /* the true line, of TAI */
	u32 told;		 /* the indicator that the page has */
	u64 ticks_after;	 /* since the leap second was due */
	s64 mono_offset;	 /* CLOCK_TAI less CLOCK_MONOTONIC */
	u32 repeated;		 /* ticks in the second that is inserted or deleted */
	bool taken, real_ok, tai_ok, mono_ok, offset_ok;
};

static s64 ns_of(instant t)
{
	s64 sec;
	u32 nsec;

	instant_to_timespec(t, &sec, &nsec);
	return sec * SECOND + nsec;
}

static s64 tai_now(const struct midnight *m)
{
	return ns_of(vmclock_utc_at(&m->tai, m->drive.now));
}

/* TAI when the leap second is due; and whether it is over, for the page, at this moment. */
static s64 due(const struct midnight *m)
{
	return (MIDNIGHT - !m->insert + TAI_OFFSET) * SECOND;
}

static bool over(const struct midnight *m)
{
	return m->plan != CANCELLED && tai_now(m) >= due(m);
}

static s32 offset_now(const struct midnight *m)
{
	return TAI_OFFSET + (over(m) ? (m->insert ? 1 : -1) : 0);
}

/* The page, with this indicator, as of now. */
static void publish(struct midnight *m, u32 indicator)
{
	struct vmclock_line line = m->tai;

	line.counter_value = m->drive.now;
	line.tai_offset_sec = offset_now(m);
	line.time = vmclock_utc_at(&m->tai, m->drive.now);
	line.time_type = m->time_type;
	if (m->time_type == VMCLOCK_TIME_UTC)
		line.time -= instant_make(line.tai_offset_sec, 0);
	line.leap_indicator = (u8)indicator;
	vmclock_page_update(m->drive.run->clock->page, &line);
	m->told = indicator;
}

static bool adjust(struct midnight *m, u32 modes, s64 value)
{
	return !drive_adjust(&m->drive, modes, value);
}

/* What a follower does when the page has changed. */
static bool obey(struct midnight *m)
{
	const struct clock *clock = m->drive.run->clock;
	struct tk_timex timex = drive_query(&m->drive);
	struct tk_reference reference;
	struct vmclock_line line;
	s32 wanted;

	if (vmclock_read(clock->page, clock->page_mapped, 0, &line))
		return false;
	wanted = line.leap_indicator == WILL_INSERT   ? TK_STA_INS
		 : line.leap_indicator == WILL_DELETE ? TK_STA_DEL
						      : 0;
	if ((timex.status & (TK_STA_INS | TK_STA_DEL)) != wanted &&
	    !adjust(m, TK_ADJ_STATUS, TK_STA_PLL | wanted))
		return false;
	/* Before the tick that inserts a second, adjtimex counts it already, if it is armed. */
	timex = drive_query(&m->drive);
	if (timex.tai != line.tai_offset_sec && !adjust(m, TK_ADJ_TAI, line.tai_offset_sec))
		return false;
	reference = (struct tk_reference){
		.counter = line.counter_value,
		.time = vmclock_utc_at(&line, line.counter_value),
		.period_frac = line.period_frac,
		.period_shift = line.period_shift,
		.step_ns = m->drive.run->params->step_ns,
	};
	return !m->drive.tk->set_reference(m->drive.now, &reference);
}

/* What the page says from this moment on; true: that is a change. */
static bool page_changes(struct midnight *m)
{
	const s64 left = due(m) - tai_now(m);

	if (m->plan == CANCELLED && m->told && left < 2 * SECOND / m->drive.run->params->hz) {
		publish(m, NOTHING);
		return true;
	}
	if (m->plan == STEPPED && left < SECOND) {
		m->plan = AS_ANNOUNCED;
		m->tai.time -= instant_from_nsec(STEP_NS);
		m->mono_offset -= STEP_NS; /* CLOCK_MONOTONIC does not step */
		publish(m, m->told);
		return true;
	}
	if (over(m) && m->told < INSERTED_NOW && (m->early || m->ticks_after > LATE_TICKS)) {
		publish(m, m->insert ? INSERTED_NOW : DELETED);
		return true;
	}
	if (m->told == INSERTED_NOW && -left > SECOND) {
		publish(m, INSERTED);
		return true;
	}
	return false;
}

static bool near(s64 a, s64 b)
{
	return magnitude(a - b) <= NEAR_NS;
}

static void check(struct midnight *m)
{
	const s64 tai = tai_now(m), real = drive_realtime(&m->drive);
	s64 reading;

	m->ticks_after += over(m);
	/* In that tick it may be a tick early or late, by a rounding. */
	if (near(tai, due(m)))
		return;
	m->real_ok &= near(real, tai - offset_now(m) * SECOND);
	m->mono_ok &= near(drive_monotonic(&m->drive), tai - m->mono_offset);
	if (drive_reading(&m->drive, TKR_KTIME_GET_OFFS_TAI, &reading))
		m->tai_ok &= near(reading, tai);
	m->offset_ok &= drive_query(&m->drive).tai == offset_now(m);
	m->repeated += real / SECOND == MIDNIGHT - 1;
}

/* Sets the core and the page some seconds before midnight. */
static bool begin(struct midnight *m)
{
	struct drive *drive = &m->drive;
	const struct run *run = drive->run;

	m->tai = (struct vmclock_line){
		.counter_value = drive->now,
		.time = instant_make(MIDNIGHT - LEAD_SEC + TAI_OFFSET, 0),
		.time_type = VMCLOCK_TIME_UTC, /* so that vmclock_utc_at() adds nothing */
		.clock_status = VMCLOCK_STATUS_SYNCHRONIZED,
		.disruption_marker = 1,
		.flags = VMCLOCK_FLAG_TIME_MONOTONIC | VMCLOCK_FLAG_TAI_OFFSET_VALID,
	};
	vmclock_period_from_hz(run->clock->counter.hz, run->params->rate_ppt, &m->tai.period_frac,
			       &m->tai.period_shift);
	m->ticks_after = m->repeated = 0;
	m->real_ok = m->tai_ok = m->mono_ok = m->offset_ok = true;
	if (drive_settime(drive, MIDNIGHT - LEAD_SEC, 0) || !adjust(m, TK_ADJ_STATUS, 0) ||
	    !adjust(m, TK_ADJ_TAI, TAI_OFFSET))
		return false;
	publish(m, m->insert ? WILL_INSERT : WILL_DELETE);
	if (!obey(m))
		return false;
	m->mono_offset = tai_now(m) - drive_monotonic(drive);
	return true;
}

/* One midnight; whether the clock was right all the time. */
static bool pass(struct midnight *m, enum plan plan)
{
	struct drive *drive = &m->drive;
	const u32 hz = drive->run->params->hz;

	m->plan = plan;
	m->taken = begin(m);
	for (u32 i = 0; i < (LEAD_SEC + FOLLOW_SEC) * hz && m->taken; i++) {
		drive_pass(drive, drive->interval / 2);
		if (page_changes(m))
			m->taken &= obey(m);
		drive_pass(drive, drive->interval - drive->interval / 2);
		if (page_changes(m))
			m->taken &= obey(m);
		drive->tk->tick(drive->now);
		check(m);
	}
	return m->taken && m->real_ok && m->offset_ok;
}

/* Forth or back, by pages of both types, with the page's change before the core's and after it. */
static void claim_leaps(struct midnight *m, bool insert)
{
	static const u8 types[] = { VMCLOCK_TIME_UTC, VMCLOCK_TIME_TAI };
	const u32 hz = m->drive.run->params->hz;
	bool ok[2] = { true, true }, still = true;

	m->insert = insert;
	for (u32 i = 0; i < 2 * TB_ARRAY_SIZE(types); i++) {
		m->time_type = types[i / 2];
		m->early = i % 2;
		ok[i / 2] &= pass(m, AS_ANNOUNCED);
		ok[i / 2] &= insert ? m->repeated > 2 * hz - 3 : !m->repeated;
		still &= m->tai_ok && m->mono_ok;
	}
	if (insert) {
		run_claim(m->drive.run, ok[0],
			  "a page of UTC: a second is inserted, in each tick as the page says", 0);
		run_claim(m->drive.run, ok[1],
			  "a page of TAI: a second is inserted, in each tick as the page says", 0);
	} else {
		run_claim(m->drive.run, ok[0],
			  "a page of UTC: a second is deleted, in each tick as the page says", 0);
		run_claim(m->drive.run, ok[1],
			  "a page of TAI: a second is deleted, in each tick as the page says", 0);
	}
	run_claim(m->drive.run, still,
		  "CLOCK_TAI stays on the page's line, and CLOCK_MONOTONIC counts on", 0);
}

static void midnight_run(struct run *run)
{
	struct midnight m = { .drive = { .run = run } };
	bool cancelled = true, stepped = true;

	if (!drive_start(&m.drive, run, MIDNIGHT - DAY))
		return;
	drive_ticks(&m.drive, 3);
	m.time_type = VMCLOCK_TIME_UTC;
	m.insert = true;
	if (!begin(&m)) {
		ktap_skip(run->ktap, "a leap second of the page is followed",
			  "this core cannot follow a line");
		return;
	}
	claim_leaps(&m, true);
	claim_leaps(&m, false);
	m.early = false;
	for (u32 i = 0; i < 2; i++) {
		m.insert = i;
		cancelled &= pass(&m, CANCELLED);
		m.time_type = VMCLOCK_TIME_TAI;
		stepped &= pass(&m, STEPPED) && m.mono_ok && m.tai_ok;
	}
	run_claim(run, cancelled, "a leap second that the page takes back late does not happen", 0);
	run_claim(run, stepped, "a step of the line while one is announced does not lose it", 0);
}

const struct scenario scenario_midnight = {
	.name = "midnight",
	.claim = "a core that follows a page passes a leap second as the page does",
	.needs = { .page = true, .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = midnight_run,
};
