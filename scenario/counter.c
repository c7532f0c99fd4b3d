// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: what a counter does shows in no clock. Another one takes over, of another rate and width;
 * it wraps, or passes 2^63; it is read a little before the latest tick; it is not read for minutes.
 * Each clock is read to the nanosecond, right before and right after, or beside a run that did
 * without.
 */
#include "lib/string.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define START_SEC 1700000000LL
#define TICKS	  40
#define CALM_NOW  4096 /* where a counter starts that does nothing special */
#define SECOND	  ((s64)TB_NSEC_PER_SEC)
#define MINUTES	  300 /* s */
#define BEHIND	  "a counter that is a little behind reads as the latest tick"
#define LONG_IDLE "so is the time of an idle that is too long for 64 bits of cycles times mult"
#define RATE_NS	  2000

/* Each takes over from the one before it, the first one from the run's. */
static const struct tk_counter others[] = {
	{ .hz = 3579545, .mask = 0xffffff },	  { .hz = 14318180, .mask = 0xffffffff },
	{ .hz = 2596146000, .mask = ~0ULL },	  { .hz = 24000000, .mask = ~0ULL >> 8 },
	{ .hz = 1000000000, .mask = ~0ULL },	  { .hz = 3579545, .mask = 0xffffffff },
	{ .hz = 4999999000, .mask = ~0ULL >> 1 },
};

/* Widths at which a counter wraps; and one that passes 2^63, where a sign would change. */
static const struct {
	u32 bits;
	u64 hz, edge;
} edges[] = {
	{ 24, 3579545, 1ULL << 24 }, { 32, 14318180, 1ULL << 32 },   { 56, 24000000, 1ULL << 56 },
	{ 64, 2596146000, 0 },	     { 64, 2596146000, 1ULL << 63 },
};

struct look {
	s64 real, mono, boot, tai, raw;
};

/* Of a core that has no readings, only the first two are looked at. */
static struct look look(struct drive *drive)
{
	struct look seen = { .real = drive_realtime(drive), .mono = drive_monotonic(drive) };

	drive_reading(drive, TKR_KTIME_GET_OFFS_BOOT, &seen.boot);
	drive_reading(drive, TKR_KTIME_GET_OFFS_TAI, &seen.tai);
	drive_reading(drive, TKR_KTIME_GET_RAW, &seen.raw);
	return seen;
}

static bool same(const struct look *a, const struct look *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* ns of so many cycles of a counter, by the constant that it is converted with. */
static s64 raw_ns(const struct tk_counter *counter, u64 cycles)
{
	struct tk_conversion conversion;

	tk_conversion_init(&conversion, counter);
	return (s64)((u128)cycles * conversion.mult >> conversion.shift);
}

/* Starts the core on this counter, at a value of it. */
static bool start(struct drive *drive, const struct tk_counter *counter, u64 now)
{
	struct tk_setup setup = {
		.counter = *counter,
		.hz = drive->run->params->hz,
		.switches = drive->run->switches,
		.now = now & counter->mask,
		.sec = START_SEC,
	};
	struct tk_state state;

	if (drive->tk->init(&setup))
		return false;
	drive->tk->state(&state);
	drive->now = setup.now;
	drive->interval = state.cycle_interval;
	return true;
}

static void advance(struct drive *drive, const struct tk_counter *counter, u64 cycles)
{
	drive_pass(drive, cycles);
	drive->now &= counter->mask;
}

/* So many ticks, and a third of one. */
static void ticks(struct drive *drive, const struct tk_counter *counter)
{
	for (u32 i = 0; i < TICKS; i++) {
		advance(drive, counter, drive->interval);
		drive->tk->tick(drive->now);
	}
	advance(drive, counter, drive->interval / 3);
}

/* How far the clocks are off from what the counter says that passed since `before`, ns. */
static s64 off_rate(const struct look *before, const struct look *after, s64 passed_ns, s64 *raw)
{
	*raw = after->raw ? after->raw - before->raw - passed_ns : 0;
	return after->mono - before->mono - passed_ns;
}

static void claim_changes(struct drive *drive)
{
	const struct tk_counter *counter = &drive->run->clock->counter;
	bool moved = false, taken = start(drive, counter, CALM_NOW), rate_ok = true;
	struct look before, after;
	struct tk_state state;
	s64 mono, raw;

	for (u32 i = 0; i < TB_ARRAY_SIZE(others) && taken; i++) {
		ticks(drive, counter);
		before = look(drive);
		taken = !drive->tk->change_counter(drive->now, &others[i], CALM_NOW);
		counter = &others[i];
		drive->now = CALM_NOW;
		drive->tk->state(&state);
		drive->interval = state.cycle_interval;
		after = look(drive);
		moved |= !same(&before, &after);

		ticks(drive, counter);
		before = look(drive);
		mono = off_rate(&after, &before, raw_ns(counter, drive->now - CALM_NOW), &raw);
		rate_ok &= raw >= -1 && raw <= 1 && mono >= -RATE_NS && mono <= RATE_NS;
	}
	run_claim(drive->run, taken && !moved, "another counter takes over, and no clock moves", 0);
	run_claim(drive->run, taken && rate_ok,
		  "the clocks go on at the rate of the counter that took over", 0);
}

static u64 fold(u64 sum, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const u8 *)bytes)[i]) * 0x100000001b3ULL; /* FNV-1a */
	return sum;
}

/* A sum over all that is read from a core that starts at `now`, after each tick and between two. */
static u64 trail(struct drive *drive, const struct tk_counter *counter, u64 now)
{
	u64 sum = 0xcbf29ce484222325ULL;

	if (!start(drive, counter, now))
		return now;
	for (u32 i = 0; i < TICKS; i++) {
		struct look seen;
		ns_q32 intended;

		advance(drive, counter, drive->interval / 2);
		seen = look(drive);
		sum = fold(sum, &seen, sizeof(seen));
		advance(drive, counter, drive->interval - drive->interval / 2);
		drive->tk->tick(drive->now);
		seen = look(drive);
		sum = fold(sum, &seen, sizeof(seen));
		intended = drive_intended(drive);
		sum = fold(sum, &intended, sizeof(intended));
	}
	return sum;
}

static void claim_edges(struct drive *drive)
{
	bool ok = true;

	for (u32 i = 0; i < TB_ARRAY_SIZE(edges); i++) {
		const struct tk_counter counter = { .hz = edges[i].hz,
						    .mask = ~0ULL >> (64 - edges[i].bits) };
		u64 calm = trail(drive, &counter, CALM_NOW);
		u64 half = drive->interval * (TICKS / 2);

		/* In the middle of a tick, and exactly at one. */
		for (u32 part = 0; part < 2; part++) {
			u64 from = edges[i].edge - half - (part ? 0 : drive->interval / 3);

			if (trail(drive, &counter, from) == calm)
				continue;
			ktap_note(drive->run->ktap, "%u bits over 0x%llx: not as elsewhere",
				  edges[i].bits, edges[i].edge);
			ok = false;
		}
	}
	run_claim(drive->run, ok,
		  "a counter that wraps at 24, 32, 56 or 64 bits, or passes 2^63, counts on", 0);
}

/* Whether a lifted core looks how far a counter is from the latest tick; native does. */
static bool checks(const struct drive *drive)
{
	return drive->tk == &tk_native || drive->tk->identity->checks;
}

static void claim_behind(struct drive *drive)
{
	const struct tk_counter *counter = &others[2];
	bool ok = start(drive, counter, CALM_NOW);
	struct look last, behind;
	u64 now;

	if (!checks(drive)) {
		ktap_skip(drive->run->ktap, BEHIND,
			  "this core takes a counter that went back for one far ahead");
		return;
	}
	ticks(drive, counter);
	now = drive->now -= drive->interval / 3;
	last = look(drive);
	for (u64 back = 1; back < drive->interval * 2; back *= 3) {
		drive->now = now - back;
		behind = look(drive);
		ok &= same(&behind, &last);
	}
	run_claim(drive->run, ok, BEHIND, 0);
}

/* The counter is not read for so many cycles. Whether the tick after them moves no clock. */
static bool idle(struct drive *drive, u64 cycles)
{
	const struct tk_counter *counter = &others[2];
	struct look first, before, after;
	bool ok = start(drive, counter, CALM_NOW);
	s64 mono, raw;

	ticks(drive, counter);
	first = look(drive);
	advance(drive, counter, cycles);
	before = look(drive);
	drive->tk->tick(drive->now);
	after = look(drive);
	mono = off_rate(&first, &before, raw_ns(counter, cycles), &raw);
	/* A step of mult stands for all of it. */
	ok &= mono <= (s64)(cycles >> 20) && mono >= -(s64)(cycles >> 20);
	return ok && raw >= -1 && raw <= 1 && same(&before, &after);
}

static void claim_idle(struct drive *drive)
{
	const struct tk_counter *counter = &others[2];
	struct tk_conversion conversion;

	tk_conversion_init(&conversion, counter);
	run_claim(drive->run, idle(drive, MINUTES * counter->hz),
		  "the time of an idle of minutes is read and accumulated to the ns", 0);
	if (!checks(drive))
		ktap_skip(drive->run->ktap, LONG_IDLE,
			  "this core does not check how far ahead a counter is");
	else
		run_claim(drive->run, idle(drive, conversion.max_cycles * 3), LONG_IDLE, 0);
}

static void counter_run(struct run *run)
{
	struct drive drive;

	if (!drive_start(&drive, run, START_SEC))
		return;
	claim_changes(&drive);
	claim_edges(&drive);
	claim_behind(&drive);
	claim_idle(&drive);
}

const struct scenario scenario_counter = {
	.name = "counter",
	.claim = "what a counter does, and which one it is, shows in no clock",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = counter_run,
};
