// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: an auxiliary clock is enabled, set, adjusted and read as CLOCK_REALTIME is, and nothing
 * that is done to it touches any other clock, nor the other way round.
 */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define START_SEC 1700000000
#define SECOND	  ((s64)TB_NSEC_PER_SEC)
#define FREQ	  (100LL << 16) /* 100 ppm */
#define LAST	  (TK_AUX_CLOCKS - 1)

static s64 read_aux(struct drive *drive, u32 id)
{
	struct tk_aux_time time = { .ns = -1 };

	drive->tk->aux->read(drive->now, id, &time);
	if (time.has_snapshot && time.snapshot_ns != time.ns)
		return -1;
	return time.ns;
}

static enum tk_error adjust_aux(struct drive *drive, u32 id, u32 modes, s64 value)
{
	struct tk_timex timex = {
		.modes = modes,
		.offset = value,
		.freq = value,
		.status = (s32)value,
		.constant = value,
		.tick = value,
		.time_sec = value,
	};

	return drive->tk->aux->adjtimex(drive->now, id, &timex);
}

static void claim_enable(struct drive *drive)
{
	const struct tk_aux_ops *aux = drive->tk->aux;
	struct tk_aux_time time;
	bool ok = true;

	for (u32 id = 0; id < TK_AUX_CLOCKS; id++) {
		ok &= aux->read(drive->now, id, &time) == TK_ENODEV;
		ok &= aux->settime(drive->now, id, START_SEC, 0) == TK_ENODEV;
		ok &= adjust_aux(drive, id, TK_ADJ_FREQUENCY, FREQ) == TK_ENODEV;
		aux->enable(drive->now, id, true);
		ok &= read_aux(drive, id) == 0;
		drive_ticks(drive, 10);
	}
	ok &= aux->settime(drive->now, TK_AUX_CLOCKS, START_SEC, 0) == TK_ENODEV;
	ok &= adjust_aux(drive, TK_AUX_CLOCKS, 0, 0) == TK_ENODEV;
	/* It keeps running when it is enabled again, and starts anew after it was disabled. */
	aux->enable(drive->now, LAST, true);
	ok &= read_aux(drive, LAST) > 0;
	aux->enable(drive->now, LAST, false);
	ok &= aux->read(drive->now, LAST, &time) == TK_ENODEV;
	aux->enable(drive->now, LAST, true);
	ok &= read_aux(drive, LAST) == 0;
	run_claim(drive->run, ok,
		  "an auxiliary clock starts at 0 when it is enabled, and is refused before", 0);
}

/* ADJ_SETOFFSET to `ns`, a few nanoseconds from the clock's zero. */
static enum tk_error step_to(struct drive *drive, u32 id, s64 ns)
{
	const s64 by = ns - read_aux(drive, id);
	struct tk_timex timex = {
		.modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO,
		.time_sec = by / SECOND - 1,
		.time_usec = by % SECOND + SECOND,
	};

	return drive->tk->aux->adjtimex(drive->now, id, &timex);
}

static void claim_set(struct drive *drive)
{
	static const s32 refused[] = { TK_STA_INS, TK_STA_DEL, TK_STA_PPSFREQ, TK_STA_PPSTIME };
	const struct tk_aux_ops *aux = drive->tk->aux;
	bool ok = true;

	/* So that no two clocks are alike. */
	for (u32 id = 0; id < TK_AUX_CLOCKS; id++)
		adjust_aux(drive, id, TK_ADJ_FREQUENCY, FREQ * (id + 1) / 2);
	drive_seconds(drive, 1);
	for (u32 id = 0; id < TK_AUX_CLOCKS; id += LAST) {
		/* In mid-tick, and on it. */
		drive_pass(drive, id ? drive->interval - drive->interval / 2 : drive->interval / 2);
		ok &= !aux->settime(drive->now, id, START_SEC + id, 999999999);
		ok &= read_aux(drive, id) == (START_SEC + id) * SECOND + 999999999;
		ok &= aux->settime(drive->now, id, -1, 0) == TK_EINVAL;
		ok &= aux->settime(drive->now, id, 0, 1000000000) == TK_EINVAL;
		ok &= !adjust_aux(drive, id, TK_ADJ_SETOFFSET, -1000);
		ok &= read_aux(drive, id) == (START_SEC - 1000 + id) * SECOND + 999999999;
		/* To before its zero; and what it does not have. */
		ok &= adjust_aux(drive, id, TK_ADJ_SETOFFSET, -2LL * START_SEC) == TK_EINVAL;
		ok &= adjust_aux(drive, id, TK_ADJ_TAI, 37) == TK_EINVAL;
		for (u32 i = 0; i < TB_ARRAY_SIZE(refused); i++)
			ok &= adjust_aux(drive, id, TK_ADJ_STATUS, refused[i]) == TK_EINVAL;
		ok &= adjust_aux(drive, id, TK_ADJ_STATUS, TK_STA_PLL) == TK_OK;
		ok &= read_aux(drive, id) == (START_SEC - 1000 + id) * SECOND + 999999999;
		ok &= step_to(drive, id, -1) == TK_EINVAL;
		ok &= step_to(drive, id, 0) == TK_OK && read_aux(drive, id) == 0;
	}
	for (u32 id = 0; id < TK_AUX_CLOCKS; id++)
		adjust_aux(drive, id, TK_ADJ_FREQUENCY, 0);
	run_claim(drive->run, ok, "an auxiliary clock is set to the nanosecond", 0);
}

/* The states of the main clock and of each auxiliary one. */
struct states {
	struct tk_state clock[1 + TK_AUX_CLOCKS];
};

static struct states states_of(struct drive *drive)
{
	struct states states;

	drive->tk->state(&states.clock[0]);
	for (u32 id = 0; id < TK_AUX_CLOCKS; id++)
		drive->tk->aux->state(id, &states.clock[1 + id]);
	return states;
}

/* Whether all but one of the clocks are in the same state. */
static bool others_same(const struct states *a, const struct states *b, u32 but)
{
	for (u32 i = 0; i < 1 + TK_AUX_CLOCKS; i++)
		if (i != but && memcmp(&a->clock[i], &b->clock[i], sizeof(a->clock[i])))
			return false;
	return true;
}

static void claim_independence(struct drive *drive)
{
	const struct tk_aux_ops *aux = drive->tk->aux;
	struct states before = states_of(drive), after;
	s64 real = drive_realtime(drive), first = read_aux(drive, 0);
	bool ok = true;

	adjust_aux(drive, LAST, TK_ADJ_FREQUENCY, FREQ);
	adjust_aux(drive, LAST, TK_ADJ_TICK, 10010);
	adjust_aux(drive, LAST, TK_ADJ_SETOFFSET, 12);
	aux->settime(drive->now, LAST, 77, 0);
	after = states_of(drive);
	ok &= others_same(&before, &after, 1 + LAST);
	ok &= memcmp(&before.clock[1 + LAST], &after.clock[1 + LAST], sizeof(after.clock[0])) != 0;
	ok &= drive_realtime(drive) == real && read_aux(drive, 0) == first;
	run_claim(drive->run, ok, "what is done to an auxiliary clock changes no other clock", 0);

	before = after;
	first = read_aux(drive, LAST);
	drive_adjust(drive, TK_ADJ_FREQUENCY, -FREQ);
	drive_settime(drive, START_SEC + 12345, 6);
	drive_adjust(drive, TK_ADJ_TAI, 37);
	after = states_of(drive);
	ok = others_same(&before, &after, 0) && read_aux(drive, LAST) == first;
	run_claim(drive->run, ok, "what is done to the main clock changes no auxiliary clock", 0);
	adjust_aux(drive, LAST, TK_ADJ_TICK, 10000);
	drive_adjust(drive, TK_ADJ_FREQUENCY, 0);
}

/* Each at its own rate: adjtimex's 100 ppm are 100 us for HZ ticks. */
static void claim_rate(struct drive *drive)
{
	s64 slow, fast, real, off;

	/* A step drops what is left of the rates before. */
	drive_settime(drive, START_SEC, 0);
	drive->tk->aux->settime(drive->now, 0, START_SEC, 0);
	drive->tk->aux->settime(drive->now, LAST, START_SEC, 0);
	drive_ticks(drive, 2);
	real = drive_realtime(drive);
	slow = read_aux(drive, 0);
	fast = read_aux(drive, LAST);
	drive_seconds(drive, 4);
	real = drive_realtime(drive) - real;
	slow = read_aux(drive, 0) - slow;
	fast = read_aux(drive, LAST) - fast;
	off = fast - slow - 4 * 100000;
	/* Two mult steps over a tick, the tick length's units, and the ns of four readings. */
	run_claim(drive->run,
		  magnitude(off) <= 4 + 2 * run_step_fs(drive->run) / TB_FSEC_PER_NSEC &&
			  magnitude(real - slow) <= 2 + run_step_fs(drive->run) / TB_FSEC_PER_NSEC,
		  "an auxiliary clock runs at the rate that it was given", TK_REMAINDER);
}

static void aux_run(struct run *run)
{
	struct drive drive;

	if (!drive_start(&drive, run, START_SEC))
		return;
	if (!drive.tk->aux) {
		ktap_skip(run->ktap, "auxiliary clocks are each on their own",
			  "this core has no auxiliary clocks");
		return;
	}
	drive_ticks(&drive, 5);
	claim_enable(&drive);
	drive_ticks(&drive, 5);
	claim_set(&drive);
	drive_ticks(&drive, 5);
	claim_independence(&drive);
	claim_rate(&drive);
}

const struct scenario scenario_aux = {
	.name = "aux",
	.claim = "an auxiliary clock is set and adjusted on its own",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = aux_run,
};
