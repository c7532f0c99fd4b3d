// SPDX-License-Identifier: GPL-2.0-or-later
/* The two cores, their common counter, and each call of tk.h on both. */

#include "diff/pair.h"
#include "diff/readings.h"

#define START (1ULL << 20) /* the counter's value at init */
/*
 * One set of readings is compared before each tick of this many: a set takes longer than a tick.
 */
#define READINGS_EVERY 256

static const struct tk_ops *const cores[CORES] = { &tk_a, &tk_b };

static struct {
	struct tk_counter counter;
	struct tk_setup setup; /* of the last init */
	u64 now;
	u64 max_idle;	/* cycles that may pass between two ticks */
	u64 since_tick; /* cycles that have passed since the last tick */
	u64 ticks;
	u32 hz;
	u32 aux; /* the auxiliary clocks that were enabled, a bit for each */
	bool vdso_held;
	bool started; /* both cores accepted the last init */
	s64 raw_ns;   /* of the latest pulse */
	u32 left_out;
	u32 switches[CORES]; /* of a native core */
	struct tk_stage stage[CORES];
} pair;

static u64 read_now(void *context)
{
	return *(u64 *)context;
}

static void set_counter(const struct tk_counter *counter)
{
	struct tk_conversion conversion;

	pair.counter = *counter;
	tk_conversion_init(&conversion, counter);
	pair.max_idle = conversion.max_cycles / 2;
	if (pair.max_idle > counter->mask / 4)
		pair.max_idle = counter->mask / 4;
}

bool pair_is_native(int core)
{
	return compare_is_native(cores[core]);
}

/* The switches of a native core. */
static u32 switches_of(int core, const struct pair_options *options)
{
	const u32 forms = TK_REMAINDER | TK_REMAINDER_V2;
	u32 base = TK_ALL, flip = options->flip;

	if (options->given[core])
		return options->switches[core] | TK_REFERENCE | TK_FEED;
	if (!pair_is_native(!core))
		base = pair.stage[!core].switches | TK_REFERENCE | TK_FEED;
	/* The two forms of the first switch exclude each other. */
	return flip & forms ? (base ^ flip) & ~(base & forms) : base ^ flip;
}

enum tk_error pair_begin(const struct pair_options *options)
{
	pair.hz = options->hz;
	for (int i = 0; i < CORES; i++) {
		const u32 hz = cores[i]->identity->hz;

		if (hz && !pair_is_native(!i) && cores[!i]->identity->hz != hz)
			return TK_EHZ;
		if (hz)
			pair.hz = hz;
	}
	for (int i = 0; i < CORES; i++)
		if (!pair_is_native(i))
			tk_stage(cores[i], pair.hz, 0, &pair.stage[i]);
	for (int i = 0; i < CORES; i++) {
		if (!pair_is_native(i))
			continue;
		pair.switches[i] = switches_of(i, options);
		tk_stage(cores[i], pair.hz, pair.switches[i], &pair.stage[i]);
	}
	/* Native has 0 in a field that it does not use, as a lifted core without the field has. */
	if (!pair_is_native(CORE_A) && !pair_is_native(CORE_B))
		pair.left_out = pair_lacks(CORE_A) ^ pair_lacks(CORE_B);
	return TK_OK;
}

const struct tk_ops *pair_core(int core)
{
	return cores[core];
}

const struct tk_stage *pair_stage(int core)
{
	return &pair.stage[core];
}

u32 pair_lacks(int core)
{
	return cores[core]->identity->lacks;
}

u32 pair_left_out(void)
{
	return pair.left_out;
}

u32 pair_hz(void)
{
	return pair.hz;
}

u64 pair_ticks(void)
{
	return pair.ticks;
}

bool pair_started(void)
{
	return pair.started;
}

u64 pair_now(void)
{
	return pair.now;
}

u64 pair_counter_hz(void)
{
	return pair.counter.hz;
}

void pair_time(struct tk_time *time)
{
	tk_a.read(read_now, &pair.now, time);
}

void pair_state(struct tk_state *state)
{
	tk_a.state(state);
}

static void hold_vdso(bool held)
{
	if (pair.vdso_held == held)
		return;
	pair.vdso_held = held;
	for (int i = 0; i < CORES; i++)
		if (cores[i]->hold_vdso)
			cores[i]->hold_vdso(held);
}

bool pair_pulses(void)
{
	bool lifted = false;

	for (int i = 0; i < CORES; i++) {
		if (!cores[i]->hardpps)
			return false;
		lifted |= !pair_is_native(i);
	}
	return lifted;
}

void pair_init(const struct tk_counter *counter, s64 sec, u32 nsec, struct difference *difference)
{
	struct tk_setup setup = {
		.counter = *counter,
		.hz = pair.hz,
		.now = START,
		.sec = sec,
		.nsec = nsec,
		.pps = pair_pulses(),
	};

	pair.setup = setup;
	pair_restart(START, difference);
}

void pair_restart(u64 start, struct difference *difference)
{
	enum tk_error error[CORES];

	pair.setup.now = pair.now = start;
	pair.since_tick = 0;
	pair.aux = 0;
	pair.raw_ns = 0;
	hold_vdso(false);
	for (int i = 0; i < CORES; i++) {
		pair.setup.switches = pair.switches[i];
		error[i] = cores[i]->init(&pair.setup);
	}
	compare_error(error, difference);
	pair.started = !error[CORE_A] && !error[CORE_B];
	if (pair.started)
		set_counter(&pair.setup.counter);
}

void pair_boot(s64 tick_adj, u64 boot_ns, enum pair_persistent persistent,
	       struct difference *difference)
{
	pair.setup.tick_adj = tick_adj;
	pair.setup.boot_ns = boot_ns;
	pair.setup.impossible = persistent == PERSISTENT_WRONG;
	if (persistent == PERSISTENT_NONE)
		pair.setup.sec = pair.setup.nsec = 0;
	pair_restart(pair.setup.now, difference);
}

static void compare_aux_time(const struct tk_aux_time time[CORES], struct difference *difference)
{
	const struct tk_aux_time *a = &time[CORE_A], *b = &time[CORE_B];

	if (a->ns != b->ns)
		compare_note(difference, "auxiliary clock", a->ns, b->ns);
	if (!a->has_snapshot || !b->has_snapshot)
		return;
	if (a->snapshot_ns != b->snapshot_ns)
		compare_note(difference, "auxiliary snapshot", a->snapshot_ns, b->snapshot_ns);
	if (a->snapshot_raw_ns != b->snapshot_raw_ns)
		compare_note(difference, "auxiliary raw", a->snapshot_raw_ns, b->snapshot_raw_ns);
}

static void compare_aux(struct difference *difference)
{
	struct tk_state state[CORES];

	for (u32 rest = pair.aux; rest; rest &= rest - 1) {
		const u32 id = (u32)__builtin_ctz(rest);
		struct tk_aux_time time[CORES] = { 0 };
		enum tk_error error[CORES];

		for (int i = 0; i < CORES; i++) {
			cores[i]->aux->state(id, &state[i]);
			error[i] = cores[i]->aux->read(pair.now, id, &time[i]);
		}
		compare_error(error, difference);
		compare_state(state, pair.left_out, difference);
		compare_aux_time(time, difference);
	}
}

void pair_compare(struct difference *difference)
{
	struct tk_state state[CORES];

	if (!pair.started)
		return;
	compare_aux(difference);
	for (int i = 0; i < CORES; i++)
		cores[i]->state(&state[i]);
	compare_state(state, pair.left_out, difference);
}

void pair_pass(u64 cycles)
{
	if (cycles > pair.max_idle - pair.since_tick)
		cycles = pair.max_idle - pair.since_tick;
	pair.since_tick += cycles;
	pair.now += cycles;
}

void pair_readings(u32 sets, struct difference *difference)
{
	if (pair.started)
		compare_readings(cores, pair.now, sets, difference);
}

/* A tick of both cores, and their states after it. */
static void tick(struct difference *difference)
{
	for (int i = 0; i < CORES; i++)
		cores[i]->tick(pair.now);
	/* Less than a tick's cycles are left over; max_idle has room for them. */
	pair.since_tick = 0;
	pair.ticks++;
	pair_compare(difference);
}

static void read_and_tick(struct difference *difference)
{
	if (pair.ticks % READINGS_EVERY == 0)
		pair_readings(1U << pair.ticks / READINGS_EVERY % TK_SETS, difference);
	tick(difference);
}

void pair_tick(struct difference *difference)
{
	hold_vdso(false);
	read_and_tick(difference);
}

void pair_tick_on(struct difference *difference)
{
	hold_vdso((pair.ticks + 1) % READINGS_EVERY);
	read_and_tick(difference);
}

void pair_read(struct difference *difference)
{
	struct tk_time time[CORES];

	for (int i = 0; i < CORES; i++)
		cores[i]->read(read_now, &pair.now, &time[i]);
	compare_time(time, difference);
}

/*
 * Of two cores one may, when it refuses a step, move on to the present moment and clear NTP all the
 * same. It is called last, and not at all if the other has refused.
 */
static int calm_core(void)
{
	return pair.stage[CORE_A].refusal_moves && !pair.stage[CORE_B].refusal_moves ? CORE_B
										     : CORE_A;
}

static bool spared(enum tk_error refused)
{
	return refused && pair.stage[CORE_A].refusal_moves != pair.stage[CORE_B].refusal_moves;
}

/* A step of the main clock accumulates its cycles since the last tick; not the auxiliary clocks'.
 */
static void main_forwarded(void)
{
	if (!pair.aux)
		pair.since_tick = 0;
}

void pair_adjtimex(const struct tk_timex *given, struct difference *difference)
{
	const bool step = given->modes & TK_ADJ_SETOFFSET;
	struct tk_timex timex[CORES] = { *given, *given };
	enum tk_error error[CORES];
	const int calm = calm_core();

	/* Cores that move when they refuse a step also tell twice of one that comes with this. */
	for (int i = 0; i < CORES && step; i++)
		if (pair.stage[CORE_A].refusal_moves || pair.stage[CORE_B].refusal_moves)
			timex[i].modes &= ~(u32)(TK_ADJ_TAI | TK_ADJ_FREQUENCY | TK_ADJ_TICK);
	error[calm] = cores[calm]->adjtimex(pair.now, &timex[calm]);
	error[!calm] = step && spared(error[calm])
			       ? error[calm]
			       : cores[!calm]->adjtimex(pair.now, &timex[!calm]);
	if (step && !error[CORE_A])
		main_forwarded();
	compare_refusal(error, difference);
	if (!error[CORE_A] && !error[CORE_B])
		compare_timex(timex, given->modes, difference);
}

void pair_settime(s64 sec, u32 nsec, struct difference *difference)
{
	enum tk_error error[CORES];
	const int calm = calm_core();

	error[calm] = cores[calm]->settime(pair.now, sec, nsec);
	error[!calm] =
		spared(error[calm]) ? error[calm] : cores[!calm]->settime(pair.now, sec, nsec);
	if (!error[CORE_A])
		main_forwarded();
	compare_refusal(error, difference);
}

/* Whether a step by so many seconds may be refused. */
static bool may_be_refused(s64 sec)
{
	struct tk_time time;

	pair_time(&time);
	return time.sec + sec >= TK_SEC_MAX - 1;
}

void pair_warp(s32 minutes_west, struct difference *difference)
{
	if (pair.stage[CORE_A].refusal_moves || pair.stage[CORE_B].refusal_moves) {
		minutes_west = minutes_west < 0 ? -minutes_west : minutes_west;
		if (may_be_refused((s64)minutes_west * 60))
			return;
	}
	for (int i = 0; i < CORES; i++)
		cores[i]->warp(pair.now, minutes_west);
	pair_compare(difference);
}

void pair_add_time_offset(s64 offset_ns, struct difference *difference)
{
	enum tk_error error[CORES];

	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->add_time_offset(pair.now, offset_ns);
	compare_error(error, difference);
}

void pair_set_reference(const struct tk_reference *line, struct difference *difference)
{
	enum tk_error error[CORES];

	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->set_reference(pair.now, line);
	compare_error(error, difference);
}

void pair_hardpps(s64 apart_ns, s64 sec, u32 nsec)
{
	const s64 second = (s64)TB_NSEC_PER_SEC;
	struct tk_pulse pulse;

	pair.raw_ns = apart_ns > -pair.raw_ns ? pair.raw_ns + apart_ns : 0;
	pulse = (struct tk_pulse){ .real_sec = sec,
				   .real_nsec = nsec,
				   .raw_sec = pair.raw_ns / second,
				   .raw_nsec = (u32)(pair.raw_ns % second) };
	for (int i = 0; i < CORES; i++)
		cores[i]->hardpps(&pulse);
}

void pair_change_counter(const struct tk_counter *next, u64 next_now, struct difference *difference)
{
	enum tk_error error[CORES];

	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->change_counter(pair.now, next, next_now);
	compare_error(error, difference);
	if (error[CORE_A])
		return;
	set_counter(next);
	pair.now = next_now;
	pair.since_tick = 0;
}

static bool both_wide(void)
{
	return pair.stage[CORE_A].wide && pair.stage[CORE_B].wide;
}

static bool both_check(void)
{
	return cores[CORE_A]->identity->checks && cores[CORE_B]->identity->checks;
}

/* Whether a tick while cycle_interval is 0 is skipped by both. */
static bool both_skip(void)
{
	u32 have = TK_DIVZERO;

	for (int i = 0; i < CORES; i++)
		have &= pair_is_native(i) ? pair.switches[i] : cores[i]->identity->switches;
	return have;
}

/* The vDSO's generic code takes any counter as it is: its readings are not compared in these two.
 */
void pair_far(u32 times, struct difference *difference)
{
	/* What is more than half the counter's range ahead is taken to be behind. */
	const u64 most = (pair.counter.mask >> 1) - pair.since_tick;
	/* A kernel carries the seconds of a reading one by one: a slow counter would take for ever.
	 */
	const u64 hour = pair.counter.hz * 3600;
	const u64 longest = pair.max_idle < hour ? pair.max_idle : hour;
	const u128 cycles = (u128)longest * 2 * times;

	if (!both_wide() || !both_check() || pair.aux)
		return;
	pair.now += cycles < most ? (u64)cycles : most;
	pair_readings(TK_SET_ALL & ~TK_SET_VDSO, difference);
	pair_read(difference);
	tick(difference);
}

/*
 * Whether a counter that is so far behind is one that a reader takes to be ahead, by almost all of
 * its range: that and the second's nanoseconds may not fit a kernel's 64 bits.
 */
static bool behind_overflows(u64 behind)
{
	const u64 ahead = pair.counter.mask - behind;
	struct tk_conversion conversion;

	tk_conversion_init(&conversion, &pair.counter);
	return ahead <= conversion.max_cycles &&
	       ((u128)ahead * (conversion.mult + conversion.maxadj) +
		((u128)TB_NSEC_PER_SEC << conversion.shift)) >>
		       64;
}

void pair_behind(u64 cycles, struct difference *difference)
{
	const u64 now = pair.now, since_tick = pair.since_tick;
	struct tk_state state;

	if (!both_wide() || pair.aux || behind_overflows(cycles % (pair.counter.mask / 16)))
		return;
	pair_state(&state);
	pair.now = state.cycle_last - cycles % (pair.counter.mask / 16);
	/* No device gives a moment of history that is after the present one. */
	pair_readings(TK_SET_ALL & ~(TK_SET_VDSO | TK_SET_SNAPSHOT), difference);
	pair_read(difference);
	if (both_check())
		tick(difference);
	pair.now = now;
	pair.since_tick = since_tick; /* that tick accumulated nothing */
}

void pair_stop(u64 cycles, struct difference *difference)
{
	for (int i = 0; i < CORES; i++)
		cores[i]->recalibrate(pair.now, true);
	pair_pass(cycles);
	pair_readings(TK_SET_ALL, difference);
	if (both_skip())
		pair_tick(difference);
	for (int i = 0; i < CORES; i++)
		cores[i]->recalibrate(pair.now, false);
}

void pair_skip(u64 cycles)
{
	if (pair.aux)
		pair_pass(cycles);
	else
		pair.now += cycles;
}

static bool both_sleep(void)
{
	return cores[CORE_A]->suspend && cores[CORE_B]->suspend;
}

void pair_suspend(const struct tk_sleep *sleep, struct difference *difference)
{
	if (!both_sleep())
		return;
	for (int i = 0; i < CORES; i++)
		cores[i]->suspend(pair.now, sleep);
	pair_compare(difference);
}

void pair_resume(const struct tk_sleep *sleep, struct difference *difference)
{
	if (!both_sleep())
		return;
	for (int i = 0; i < CORES; i++)
		cores[i]->resume(pair.now, sleep);
	main_forwarded();
	pair_compare(difference);
}

void pair_inject_sleep(s64 sec, u32 nsec, struct difference *difference)
{
	if (!cores[CORE_A]->inject_sleep || !cores[CORE_B]->inject_sleep)
		return;
	for (int i = 0; i < CORES; i++)
		cores[i]->inject_sleep(pair.now, sec, nsec);
	main_forwarded();
	pair_compare(difference);
}

static bool both_aux(void)
{
	return cores[CORE_A]->aux && cores[CORE_B]->aux;
}

void pair_aux_enable(u32 id, bool enable, struct difference *difference)
{
	if (!both_aux())
		return;
	for (int i = 0; i < CORES; i++)
		cores[i]->aux->enable(pair.now, id, enable);
	pair.aux &= ~(1U << id);
	pair.aux |= (u32)enable << id;
	pair_compare(difference);
}

void pair_aux_settime(u32 id, s64 sec, u32 nsec, struct difference *difference)
{
	enum tk_error error[CORES];

	if (!both_aux())
		return;
	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->aux->settime(pair.now, id, sec, nsec);
	compare_refusal(error, difference);
	pair_compare(difference);
}

bool pair_aux_time(u32 id, s64 *ns)
{
	struct tk_aux_time time;

	if (!both_aux() || cores[CORE_A]->aux->read(pair.now, id, &time))
		return false;
	*ns = time.ns;
	return true;
}

void pair_aux_adjtimex(u32 id, const struct tk_timex *given, struct difference *difference)
{
	struct tk_timex timex[CORES] = { *given, *given };
	enum tk_error error[CORES];

	if (!both_aux())
		return;
	for (int i = 0; i < CORES; i++)
		error[i] = cores[i]->aux->adjtimex(pair.now, id, &timex[i]);
	compare_refusal(error, difference);
	if (!error[CORE_A] && !error[CORE_B])
		compare_timex(timex, given->modes, difference);
	pair_compare(difference);
}
