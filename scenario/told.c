// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: whoever depends on the clock is told of each change of it exactly once, and of nothing
 * else. Timers (clock_was_set) are told of steps and leap seconds, the vDSO and hypervisors' clocks
 * (update_vsyscall and the pvclock_gtod chain) of each tick and change, the tick device of another
 * clock source.
 */
#include "lib/string.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define DAY	  86400
#define MIDNIGHT  (19676LL * DAY)
#define START_SEC (MIDNIGHT - 1000)

/* What is told, in the order of the columns below. */
static const enum tk_reading columns[] = {
	TKR_TOLD_UPDATE_VSYSCALL, TKR_TOLD_NOTIFIER,	TKR_TOLD_NOTIFIER_SET,
	TKR_CLOCK_WAS_SET_SEQ,	  TKR_TOLD_SET_WALL,	TKR_TOLD_SET_BOOT,
	TKR_TOLD_SET_DELAYED,	  TKR_TOLD_TICK_NOTIFY, TKR_CS_WAS_CHANGED_SEQ,
	TKR_TOLD_TIMERFD_RESUME,  TKR_TOLD_TICK_RESUME, TKR_TOLD_TICK_SUSPEND,
};

#define COLUMNS TB_ARRAY_SIZE(columns)

struct told {
	struct drive drive;
	s64 before[COLUMNS];
};

static void count(struct told *told, s64 counts[COLUMNS], bool known[COLUMNS])
{
	struct tk_readings readings;

	tk_readings_clear(&readings);
	told->drive.tk->readings(told->drive.now, TK_SET_TOLD, &readings);
	for (u32 i = 0; i < COLUMNS; i++) {
		known[i] = tk_readings_has(&readings, columns[i]);
		counts[i] = known[i] ? readings.value[columns[i]] : 0;
	}
}

static void begin(struct told *told)
{
	bool known[COLUMNS];

	count(told, told->before, known);
}

/* Whether each was told as often as `expected` since begin(). */
static void claim(struct told *told, const s8 expected[COLUMNS], const char *sentence)
{
	s64 counts[COLUMNS];
	bool known[COLUMNS], ok = true;

	count(told, counts, known);
	for (u32 i = 0; i < COLUMNS; i++) {
		s64 calls = counts[i] - told->before[i];

		if (!known[i] || calls == expected[i])
			continue;
		ktap_note(told->drive.run->ktap, "%s: %lld times, not %d",
			  tk_reading_name(columns[i]), calls, expected[i]);
		ok = false;
	}
	run_claim(told->drive.run, ok, sentence, 0);
}

static void claim_ticks(struct told *told)
{
	static const s8 one[COLUMNS] = { 1, 1 }, none[COLUMNS] = { 0 };
	struct drive *drive = &told->drive;

	begin(told);
	drive_ticks(drive, 1);
	claim(told, one, "a tick tells the vDSO and hypervisors once, and timers nothing");
	begin(told);
	drive_pass(drive, drive->interval / 2);
	drive->tk->tick(drive->now);
	drive_query(drive);
	drive_adjust(drive, TK_ADJ_MAXERROR, 1000);
	drive_settime(drive, -1, 0);
	claim(told, none, "a tick that is early, and a call that sets no time, tell nobody");
}

static void claim_sets(struct told *told)
{
	static const s8 set[COLUMNS] = { 1, 1, 1, 1, 1 }, rate[COLUMNS] = { 1, 1 };
	struct tk_timex step = { .modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO, .time_usec = 1 };
	struct drive *drive = &told->drive;

	begin(told);
	drive_settime(drive, START_SEC, 0);
	claim(told, set, "settimeofday tells everybody once");
	begin(told);
	drive_adjtimex(drive, &step);
	claim(told, set, "so does ADJ_SETOFFSET");
	begin(told);
	drive_adjust(drive, TK_ADJ_TAI, 37);
	claim(told, set, "so does a new TAI offset");
	begin(told);
	drive_adjust(drive, TK_ADJ_FREQUENCY, 1 << 16);
	claim(told, rate, "a new frequency is no step");
}

static void claim_leap(struct told *told)
{
	static const s8 leap[COLUMNS] = { 1, 1, 1, 1, 0, 0, 1 };
	struct drive *drive = &told->drive;

	drive_settime(drive, MIDNIGHT - 2, 0);
	drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL | TK_STA_INS);
	for (u32 i = 0; i < 3 * drive->run->params->hz; i++) {
		s64 before;

		begin(told);
		drive_pass(drive, drive->interval);
		before = drive_realtime(drive);
		drive->tk->tick(drive->now);
		if (drive_realtime(drive) < before)
			break;
	}
	claim(told, leap, "a leap second is told once, in the tick that inserts it");
}

static void claim_counter(struct told *told)
{
	static const s8 changed[COLUMNS] = { 1, 1, 1, 1, 0, 0, 0, 1, 1 };
	struct drive *drive = &told->drive;

	begin(told);
	if (drive->tk->change_counter(drive->now, &drive->run->clock->counter, drive->now)) {
		ktap_skip(drive->run->ktap, "another clock source tells the tick device once",
			  "this core keeps its counter");
		return;
	}
	claim(told, changed, "another clock source tells the tick device once");
}

static void claim_sleep(struct told *told)
{
	static const s8 suspended[COLUMNS] = { 1, 1, [COLUMNS - 1] = 1 };
	static const s8 resumed[COLUMNS] = { 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1 };
	static const s8 injected[COLUMNS] = { 1, 1, 1, 1, 1, 1 };
	const struct tk_sleep none = { 0 };
	struct drive *drive = &told->drive;

	if (!drive->tk->suspend) {
		ktap_skip(drive->run->ktap, "a resume tells timers once", "this core cannot sleep");
		return;
	}
	begin(told);
	drive->tk->suspend(drive->now, &none);
	claim(told, suspended, "a suspend stops the tick once, and is no step");
	begin(told);
	drive->tk->resume(drive->now, &none);
	claim(told, resumed, "a resume tells timers once");
	if (!drive->tk->inject_sleep)
		return;
	begin(told);
	drive->tk->inject_sleep(drive->now, 10, 0);
	claim(told, injected, "a sleep that the RTC measured tells the boot clock's timers too");
}

static void told_run(struct run *run)
{
	struct told told;

	memset(&told, 0, sizeof(told));
	if (!drive_start(&told.drive, run, START_SEC))
		return;
	if (!drive_has_readings(&told.drive)) {
		ktap_skip(run->ktap, "each change is told once", "this core has no readings");
		return;
	}
	drive_ticks(&told.drive, 3);
	claim_ticks(&told);
	claim_sets(&told);
	claim_leap(&told);
	claim_counter(&told);
	claim_sleep(&told);
}

const struct scenario scenario_told = {
	.name = "told",
	.claim = "whoever depends on the clock is told of each change once",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = told_run,
};
