// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: what is set and adjusted is what was asked for, to the unit, at once and at the rate that
 * adjtimex promises; and what is refused leaves no trace. The core is driven by hand, so that
 * nothing else happens to it.
 */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define START_SEC   1700000000
#define FREQ_UNIT   (1000LL << 16) /* ns * 2^32 a second in a unit of adjtimex's freq */
#define FREQ_MOST   (500LL << 16)  /* 500 ppm */
#define USEC_Q32    (1000 * NS_Q32)
#define SECOND	    ((s64)TB_NSEC_PER_SEC)
#define ERROR_LIMIT 16000000 /* us: at this the clock is unsynchronised */
#define SLEWED_RATE (TK_SKEW | TK_CLAWBACK | TK_REMAINDER)

/* What a refused call may not change: the state, and all that adjtimex tells. */
struct trace {
	struct tk_state state;
	struct tk_timex timex;
	s64 monotonic;
};

static struct trace trace_of(struct drive *drive)
{
	struct trace trace;

	/* struct trace has padding. */
	memset(&trace, 0, sizeof(trace));
	drive->tk->state(&trace.state);
	trace.timex = drive_query(drive);
	trace.monotonic = drive_monotonic(drive);
	return trace;
}

static bool same_trace(struct drive *drive, const struct trace *before)
{
	struct trace now = trace_of(drive);

	return !memcmp(&now.state, &before->state, sizeof(now.state)) &&
	       now.monotonic == before->monotonic && now.timex.freq == before->timex.freq &&
	       now.timex.esterror == before->timex.esterror &&
	       now.timex.tick == before->timex.tick && now.timex.tai == before->timex.tai &&
	       now.timex.time_sec == before->timex.time_sec &&
	       now.timex.time_usec == before->timex.time_usec;
}

static void claim_refusals(struct drive *drive)
{
	const s64 most = (s64)(~0ULL >> 1);
	static const struct tk_timex refused[] = {
		{ .modes = TK_ADJ_TICK, .tick = 8999 },
		{ .modes = TK_ADJ_TICK, .tick = 11001 },
		{ .modes = TK_ADJ_ADJTIME },
		{ .modes = TK_ADJ_SETOFFSET, .time_usec = -1 },
		{ .modes = TK_ADJ_SETOFFSET, .time_usec = 1000000 },
		{ .modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO, .time_usec = 1000000000 },
		{ .modes = TK_ADJ_FREQUENCY, .freq = 140737488356 },
		{ .modes = TK_ADJ_FREQUENCY, .freq = -140737488356 },
	};
	const struct tk_timex beyond[] = {
		{ .modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO, .time_sec = -START_SEC - 1 },
		{ .modes = TK_ADJ_SETOFFSET, .time_sec = TK_SEC_MAX },
	};
	const struct trace before = trace_of(drive);
	bool none = true, bounded = true, unset = true;

	for (u32 i = 0; i < TB_ARRAY_SIZE(refused); i++) {
		struct tk_timex timex = refused[i];

		none &= drive_adjtimex(drive, &timex) != TK_OK && same_trace(drive, &before);
	}
	run_claim(drive->run, none, "an adjtimex that is refused leaves no trace", 0);
	for (u32 i = 0; i < TB_ARRAY_SIZE(beyond); i++) {
		struct tk_timex timex = beyond[i];

		bounded &= drive_adjtimex(drive, &timex) != TK_OK;
		unset &= same_trace(drive, &before);
	}
	run_claim(
		drive->run, bounded,
		"ADJ_SETOFFSET refuses a step to before CLOCK_MONOTONIC's zero or after KTIME_MAX",
		0);
	unset &= drive_settime(drive, -1, 0) != TK_OK && same_trace(drive, &before);
	unset &= drive_settime(drive, most, 0) != TK_OK && same_trace(drive, &before);
	unset &= drive_settime(drive, START_SEC, 1000000000) != TK_OK && same_trace(drive, &before);
	/* Before CLOCK_MONOTONIC's zero. */
	unset &= drive_settime(drive, 0, 0) != TK_OK && same_trace(drive, &before);
	run_claim(drive->run, unset, "a step that is refused leaves no trace", 0);
}

/* What HZ ticks are intended to last together, ns * 2^32; rounded down by less than HZ units. */
static ns_q32 second_length(const struct drive *drive)
{
	struct tk_state state;

	drive->tk->state(&state);
	return (ns_q32)state.tick_length * drive->run->params->hz;
}

/*
 * Whether a second is now `change` longer than `before`, to the units that a tick's length is
 * rounded to, and whether the clock runs so: over two seconds, within two mult steps over a tick
 * and the ns that a reading is rounded to.
 */
static bool runs_at(struct drive *drive, ns_q32 before, ns_q32 change)
{
	const u32 hz = drive->run->params->hz;
	const s64 allowed = 2 * (run_step_fs(drive->run) / TB_FSEC_PER_NSEC + 1);
	ns_q32 off = second_length(drive) - before - change;
	s64 from, due;

	drive_ticks(drive, 2); /* what the old rate has left behind */
	from = drive_realtime(drive);
	due = (s64)(2 * second_length(drive) / NS_Q32);
	drive_seconds(drive, 2);
	return off > -(ns_q32)hz && off < hz &&
	       magnitude(drive_realtime(drive) - from - due) <= allowed;
}

static void claim_rates(struct drive *drive)
{
	static const s64 freqs[] = { 1,
				     -1,
				     FREQ_MOST,
				     -FREQ_MOST,
				     FREQ_MOST + 1,
				     -FREQ_MOST - 1,
				     140737488355,
				     -140737488355 };
	static const s64 ticks[] = { 9000, 9999, 10001, 11000 };
	const ns_q32 nominal = second_length(drive);
	bool as_asked = true;

	for (u32 i = 0; i < TB_ARRAY_SIZE(freqs); i++) {
		s64 freq = freqs[i] > FREQ_MOST ? FREQ_MOST : freqs[i];

		freq = freq < -FREQ_MOST ? -FREQ_MOST : freq;
		drive_adjust(drive, TK_ADJ_FREQUENCY, freqs[i]);
		as_asked &= runs_at(drive, nominal, (ns_q32)freq * FREQ_UNIT);
		as_asked &= drive_query(drive).freq == freq;
	}
	run_claim(drive->run, as_asked,
		  "a frequency is the clock's rate at once, and more than 500 ppm are cut off",
		  TK_REMAINDER);
	drive_adjust(drive, TK_ADJ_FREQUENCY, 0);
	as_asked = true;
	for (u32 i = 0; i < TB_ARRAY_SIZE(ticks); i++) {
		drive_adjust(drive, TK_ADJ_TICK, ticks[i]);
		as_asked &= runs_at(drive, nominal, (ticks[i] - 10000) * 100 * USEC_Q32);
		as_asked &= drive_query(drive).tick == ticks[i];
	}
	run_claim(drive->run, as_asked, "adjtimex's tick is the clock's rate at once",
		  TK_REMAINDER);
	drive_adjust(drive, TK_ADJ_TICK, 10000);
}

/* Between two ticks: a step moves the clock from where it is now. */
static void claim_steps(struct drive *drive)
{
	static const struct {
		u32 modes;
		s64 sec, fraction, ns;
	} steps[] = {
		{ TK_ADJ_SETOFFSET, 1, 0, SECOND },
		{ TK_ADJ_SETOFFSET, -1, 0, -SECOND },
		{ TK_ADJ_SETOFFSET, 0, 999999, 999999000 },
		{ TK_ADJ_SETOFFSET, -1, 1, -999999000 },
		{ TK_ADJ_SETOFFSET | TK_ADJ_NANO, 0, 1, 1 },
		{ TK_ADJ_SETOFFSET | TK_ADJ_NANO, -1, 999999999, -1 },
		{ TK_ADJ_SETOFFSET | TK_ADJ_NANO, -86400, 0, -86400 * SECOND },
	};
	bool stepped = true, set = true, still = true;

	for (u32 i = 0; i < TB_ARRAY_SIZE(steps); i++) {
		struct tk_timex timex = { .modes = steps[i].modes,
					  .time_sec = steps[i].sec,
					  .time_usec = steps[i].fraction };
		s64 from = drive_realtime(drive), monotonic = drive_monotonic(drive);

		stepped &= !drive_adjtimex(drive, &timex) &&
			   drive_realtime(drive) - from == steps[i].ns;
		still &= drive_monotonic(drive) == monotonic;
		drive_pass(drive, drive->interval / 3);
	}
	for (s64 sec = START_SEC - 1000; sec < START_SEC + 1000; sec += 999) {
		s64 monotonic = drive_monotonic(drive);

		set &= !drive_settime(drive, sec, 999999999) &&
		       drive_realtime(drive) == sec * SECOND + 999999999;
		still &= drive_monotonic(drive) == monotonic;
		drive_ticks(drive, 3);
	}
	for (s32 west = -120; drive->tk->warp && west <= 120; west += 60) {
		s64 from = drive_realtime(drive), monotonic = drive_monotonic(drive);

		drive->tk->warp(drive->now, west);
		set &= drive_realtime(drive) - from == west * 60 * SECOND;
		still &= drive_monotonic(drive) == monotonic;
	}
	run_claim(drive->run, stepped,
		  "ADJ_SETOFFSET steps CLOCK_REALTIME by what it says, to the nanosecond", 0);
	run_claim(drive->run, set, "settimeofday sets the time that it says, to the nanosecond", 0);
	run_claim(drive->run, still, "no step moves CLOCK_MONOTONIC", 0);
}

static void claim_tai(struct drive *drive)
{
	static const s64 taken[] = { 37, 0, 100000, 1 }, ignored[] = { -1, 100001, 1LL << 32 };
	bool ok = true;
	s64 tai;

	for (u32 i = 0; i < TB_ARRAY_SIZE(taken); i++) {
		drive_adjust(drive, TK_ADJ_TAI, taken[i]);
		ok &= drive_query(drive).tai == taken[i];
		if (drive_reading(drive, TKR_KTIME_GET_OFFS_TAI, &tai))
			ok &= tai - drive_realtime(drive) == taken[i] * SECOND;
	}
	for (u32 i = 0; i < TB_ARRAY_SIZE(ignored); i++) {
		drive_adjust(drive, TK_ADJ_TAI, ignored[i]);
		ok &= drive_query(drive).tai == 1;
	}
	run_claim(drive->run, ok, "a TAI offset of 0 to 100000 s is taken, and no other", 0);
}

/* 500 ppm of a second, until 16 s. */
static void claim_error_grows(struct drive *drive)
{
	s64 due = ERROR_LIMIT - 1250;
	bool ok = true;

	drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL);
	drive_adjust(drive, TK_ADJ_MAXERROR, due);
	drive_adjust(drive, TK_ADJ_ESTERROR, 77);
	ok &= drive_query(drive).state == TK_TIME_OK;
	for (u32 i = 0; i < 4; i++) {
		struct tk_timex timex;
		bool synchronised;

		drive_seconds(drive, 1);
		due += 500;
		synchronised = due <= ERROR_LIMIT;
		timex = drive_query(drive);
		ok &= timex.maxerror == (synchronised ? due : ERROR_LIMIT);
		ok &= timex.esterror == 77;
		ok &= !(timex.status & TK_STA_UNSYNC) == synchronised;
		ok &= (timex.state == TK_TIME_ERROR) == !synchronised;
	}
	run_claim(drive->run, ok,
		  "the error grows by 500 us a second, until the clock is unsynchronised at 16 s",
		  0);
}

static s64 time_freq(const struct drive *drive)
{
	struct tk_state state;

	drive->tk->state(&state);
	return state.time_freq;
}

/*
 * By the loops' equations (RFC 1589, and Mills' nanokernel): over t seconds since the phase before,
 * and with time constant T, the phase loop adds offset * t / 2^(2 (T + 4)), t at most 2^(T + 3),
 * and the frequency loop offset / (4 t).
 */
static void claim_loops(struct drive *drive)
{
	const s64 offset = 12345, constant = 2;
	const u32 set = TK_ADJ_OFFSET | TK_ADJ_NANO;
	struct tk_state first, state;
	s64 before, t;
	bool ok;

	drive_adjust(drive, TK_ADJ_STATUS, 0);
	drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL);
	drive_adjust(drive, TK_ADJ_NANO | TK_ADJ_TIMECONST, constant);
	drive->tk->state(&first);
	drive_adjust(drive, set, 0);
	drive_seconds(drive, 16);
	drive_adjust(drive, set, offset);
	drive->tk->state(&state);
	t = state.xtime_sec - first.xtime_sec;
	ok = state.time_freq == offset * t * (1LL << 20) &&
	     state.time_offset == offset * (1LL << 32) / (s64)drive->run->params->hz;
	run_claim(drive->run, ok, "a phase changes the frequency as the phase loop says", 0);

	drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL | TK_STA_FLL | TK_STA_NANO);
	before = state.time_freq;
	first = state;
	drive_seconds(drive, 300);
	drive_adjust(drive, set, -offset);
	drive->tk->state(&state);
	t = state.xtime_sec - first.xtime_sec;
	before += -offset * 32 * (1LL << 20) - offset * (1LL << 30) / t;
	ok = t >= 256 && state.time_freq == before && state.time_status & TK_STA_MODE;
	run_claim(drive->run, ok, "after 256 s it changes as the frequency loop says as well", 0);

	drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL | TK_STA_FREQHOLD | TK_STA_NANO);
	drive_seconds(drive, 3);
	drive_adjust(drive, set, offset);
	run_claim(drive->run, time_freq(drive) == before, "STA_FREQHOLD holds the frequency", 0);
	drive_adjust(drive, TK_ADJ_STATUS, 0);
	drive_adjust(drive, TK_ADJ_FREQUENCY, 0);
}

struct slew {
	bool exact;   /* at the end, all was delivered and nothing else */
	bool at_rate; /* each second delivered 500 us, or the rest */
	bool left;    /* ADJ_OFFSET_SS_READ told the rest */
};

/*
 * What a second's share may differ by from a window of HZ ticks: those ticks are not exactly a
 * second of the clock's, by one or two, by as many as the slew moves the clock, and by as many as
 * HZ ticks of whole cycles are off.
 */
static ns_q32 edge_of(const struct drive *drive, s64 us)
{
	const s64 hz = drive->run->params->hz;
	const s64 off_ns = magnitude((s64)(second_length(drive) / NS_Q32) - SECOND);
	const s64 seconds = 2 + magnitude(us) / 500;
	const s64 ticks = 2 + magnitude(us) * hz / 1000000 + seconds * (off_ns * hz / SECOND + 1);

	return (ns_q32)ticks * ((s64)(500 * USEC_Q32) / hz);
}

/* A microsecond that HZ does not divide leaves up to a unit of each tick's HZth undelivered. */
static bool nearly(const struct drive *drive, ns_q32 off, u64 seconds)
{
	const s64 hz = drive->run->params->hz;
	const ns_q32 lost = (s64)USEC_Q32 % hz ? (ns_q32)seconds * hz * hz : 0;

	return off <= lost && off >= -lost;
}

/* adjtime by `us`, while the phase `offset_ns` is slewed. Follows the intended time to the end. */
static struct slew slew_by(struct drive *drive, s64 us, s64 offset_ns)
{
	struct slew slew = { .at_rate = true, .left = true };
	const ns_q32 edge = edge_of(drive, us);
	ns_q32 length, from;
	s64 left = us;
	u32 i;

	/* At the start of a second. */
	drive_settime(drive, START_SEC, 0);
	drive_ticks(drive, 1);
	length = second_length(drive);
	from = drive_intended(drive);
	if (offset_ns)
		drive->tk->add_time_offset(drive->now, offset_ns);
	drive_adjust(drive, TK_ADJ_OFFSET | TK_ADJ_ADJTIME, us);
	from += drive_owed(drive);
	for (i = 0; i < 700 && (i < 2 || drive_owed(drive)); i++) {
		struct tk_timex timex = { .modes = TK_ADJ_OFFSET | TK_ADJ_ADJTIME |
						   TK_ADJ_READONLY };
		struct tk_state state;
		ns_q32 begun = drive_intended(drive);
		/* The second that adjtime was called in delivers nothing yet. */
		s64 due = !i ? 0 : magnitude(left) < 500 ? left : left < 0 ? -500 : 500;

		drive_seconds(drive, 1);
		drive->tk->state(&state);
		drive_adjtimex(drive, &timex);
		slew.left &= timex.offset == state.time_adjust;
		left -= due;
		begun = drive_intended(drive) - begun - length - due * USEC_Q32;
		if (!offset_ns)
			slew.at_rate &= begun <= edge && begun >= -edge;
	}
	slew.exact =
		!drive_owed(drive) && nearly(drive, drive_intended(drive) - from - i * length, i);
	return slew;
}

static void claim_adjtime(struct drive *drive)
{
	static const struct {
		s64 us, offset_ns;
	} alone[] = { { 1234, 0 }, { -1234, 0 }, { 500, 0 }, { -1, 0 }, { 4999, 0 } },
	  against[] = { { 1234, -300000 }, { -1234, 300000 }, { -1, 1000 }, { 2, -2000 } };
	bool exact = true, rate = true, left = true, both = true;

	for (u32 i = 0; i < TB_ARRAY_SIZE(alone); i++) {
		struct slew slew = slew_by(drive, alone[i].us, alone[i].offset_ns);

		exact &= slew.exact;
		rate &= slew.at_rate;
		left &= slew.left;
	}
	for (u32 i = 0; i < TB_ARRAY_SIZE(against); i++) {
		struct slew slew = slew_by(drive, against[i].us, against[i].offset_ns);

		both &= slew.exact;
		left &= slew.left;
	}
	run_claim(drive->run, exact, "adjtime is delivered exactly, forth and back", SLEWED_RATE);
	run_claim(drive->run, rate, "adjtime is delivered at 500 us a second", SLEWED_RATE);
	run_claim(drive->run, both, "adjtime and a phase against it are both delivered exactly",
		  SLEWED_RATE | TK_TAIL);
	run_claim(drive->run, left, "what is left of adjtime is read back", 0);
}

static void adjust_run(struct run *run)
{
	struct drive drive;

	if (!drive_start(&drive, run, START_SEC))
		return;
	drive_seconds(&drive, 2);
	drive_adjust(&drive, TK_ADJ_FREQUENCY, 1234567);
	drive_seconds(&drive, 1);
	drive_pass(&drive, drive.interval / 2);
	claim_refusals(&drive);
	drive_pass(&drive, drive.interval - drive.interval / 2);
	drive.tk->tick(drive.now);
	drive_adjust(&drive, TK_ADJ_FREQUENCY, 0);
	claim_rates(&drive);
	claim_steps(&drive);
	claim_tai(&drive);
	claim_error_grows(&drive);
	claim_loops(&drive);
	if (!drive_start(&drive, run, START_SEC))
		return;
	drive_seconds(&drive, 1);
	drive_adjust(&drive, TK_ADJ_NANO | TK_ADJ_TIMECONST, 0);
	claim_adjtime(&drive);
}

const struct scenario scenario_adjust = {
	.name = "adjust",
	.claim = "what is set and adjusted is what was asked for, and what is refused leaves no "
		 "trace",
	.needs = { .virtual_clock = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = adjust_run,
};
