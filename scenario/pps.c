// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: hardpps() makes the clock follow a pulse per second in phase and in frequency as far as
 * the status bits ask for it, counts what it does not believe, and misses pulses that stop. The
 * pulses come from a simulated source whose period is a whole number of the counter's cycles.
 */
#include "lib/math.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define START_SEC 1700000000
#define SECOND	  ((s64)TB_NSEC_PER_SEC)
#define LEAST_HZ  32768	 /* 500 ppm, within which a pulse must be, are then 16 cycles */
#define INTERVAL  4	 /* s; the shortest calibration */
#define PHASE	  100000 /* ns */
#define VALID	  10	 /* s without a pulse */
#define SETTLED	  24	 /* pulses, after which what was noise at the first has decayed: 0.75^24 */

struct source {
	struct drive drive;
	u64 period;   /* cycles in a second as the core counts it without a correction */
	u64 due;      /* the counter at the next pulse */
	u64 tick_due; /* and at the next tick */
};

/* So many cycles are this much of a second, at least one: a source that is off by it. */
static u64 share(const struct source *source, u64 ppm)
{
	const u64 cycles = source->period * ppm / 1000000;

	return cycles ? cycles : 1;
}

static void advance(struct source *source, u64 until)
{
	struct drive *drive = &source->drive;

	while (source->tick_due <= until) {
		drive_pass(drive, source->tick_due - drive->now);
		drive->tk->tick(drive->now);
		source->tick_due += drive->interval;
	}
	drive_pass(drive, until - drive->now);
}

static s64 raw_ns(struct source *source)
{
	s64 raw = 0;

	drive_reading(&source->drive, TKR_KTIME_GET_RAW, &raw);
	return raw;
}

/* The core is handed a pulse that comes now. */
static void hand(struct source *source)
{
	struct drive *drive = &source->drive;
	const s64 real = drive_realtime(drive), raw = raw_ns(source);
	const struct tk_pulse pulse = { .real_sec = real / SECOND,
					.real_nsec = (u32)(real % SECOND),
					.raw_sec = raw / SECOND,
					.raw_nsec = (u32)(raw % SECOND) };

	drive->tk->hardpps(&pulse);
}

/* The next pulse: n seconds after the one before, each `off` cycles longer than the period. */
static void pulse_after(struct source *source, u64 n, s64 off)
{
	source->due += n * (source->period + (u64)off);
	advance(source, source->due);
	hand(source);
}

static void pulses(struct source *source, u32 n, s64 off)
{
	while (n--)
		pulse_after(source, 1, off);
}

/* How far the clock was ahead of the second at the latest pulse, ns. */
static s64 ahead(struct source *source)
{
	const s64 into = drive_realtime(&source->drive) % SECOND;

	return into > SECOND / 2 ? into - SECOND : into;
}

/* All corrections end, and calibration begins anew; the clock is `into` ns into a second. */
static void begin(struct source *source, s32 status, u32 into)
{
	struct drive *drive = &source->drive;

	drive_settime(drive, START_SEC, into);
	drive_adjust(drive, TK_ADJ_FREQUENCY, 0);
	drive_adjust(drive, TK_ADJ_STATUS, 0);
	drive_adjust(drive, TK_ADJ_STATUS, TK_STA_PLL | TK_STA_NANO | status);
	drive_adjust(drive, TK_ADJ_MAXERROR, 0);
	/* The first pulse when the clock says 2 s, but for `into`. */
	source->due = drive->now + 2 * source->period;
	advance(source, source->due);
	hand(source);
}

static void state_of(const struct source *source, struct tk_state *state)
{
	source->drive.tk->state(state);
}

static void claim_unasked(struct source *source)
{
	struct drive *drive = &source->drive;
	struct tk_state before, after;
	struct tk_timex timex;

	begin(source, 0, 300000);
	state_of(source, &before);
	pulses(source, 2 * INTERVAL, (s64)share(source, 20));
	state_of(source, &after);
	timex = drive_query(drive);
	run_claim(drive->run,
		  timex.status & TK_STA_PPSSIGNAL && timex.ppsfreq &&
			  after.time_freq == before.time_freq && !after.time_offset &&
			  after.tick_length == before.tick_length,
		  "without STA_PPSFREQ and STA_PPSTIME pulses are measured, and move nothing", 0);
}

static void claim_freq(struct source *source)
{
	struct drive *drive = &source->drive;
	const s64 off = (s64)share(source, 20);
	const s64 steps = 2 * (run_step_fs(drive->run) / TB_FSEC_PER_NSEC + 1);
	bool as_measured = true, at_rate = true;

	for (s64 sign = -1; sign <= 1; sign += 2) {
		struct tk_state state;
		s64 from, raw, rate;

		begin(source, TK_STA_PPSFREQ, 0);
		raw = raw_ns(source);
		pulses(source, INTERVAL, sign * off);
		raw = raw_ns(source) - raw - INTERVAL * SECOND;
		state_of(source, &state);
		as_measured &= state.time_freq == -raw * (1LL << 32) / INTERVAL;
		as_measured &= raw * sign > 0;
		rate = raw / INTERVAL;
		pulses(source, 1, sign * off);
		from = drive_realtime(drive);
		pulses(source, 2, sign * off);
		from = drive_realtime(drive) - from - 2 * SECOND;
		/*
		 * To the ns that the interval resolves; (1 + x) (1 - x) is 1 only to x^2; and the
		 * tick that had begun at the old rate is caught up with.
		 */
		at_rate &= magnitude(from) <= steps + 2 * (1 + rate * rate / SECOND) +
						      magnitude(rate) / drive->run->params->hz;
	}
	run_claim(drive->run, as_measured,
		  "with STA_PPSFREQ the frequency is what the raw clock measures over 4 s", 0);
	run_claim(drive->run, at_rate, "the clock then runs at the rate of the pulses",
		  TK_REMAINDER);
}

static void claim_intervals(struct source *source)
{
	struct drive *drive = &source->drive;
	const s64 first = drive_query(drive).calcnt;
	bool ok = true;

	begin(source, 0, 0);
	for (u32 shift = 2; shift < 4; shift++) {
		for (u32 i = 1; i <= 4; i++) {
			ok &= drive_query(drive).shift == shift;
			pulses(source, 1U << shift, 0);
			ok &= drive_query(drive).calcnt == first + 4 * (shift - 2) + i;
		}
	}
	ok &= drive_query(drive).shift == 4;
	run_claim(drive->run, ok,
		  "each calibration is counted, and after four that agree they last twice as long",
		  0);
}

/*
 * Behind the pulses, and ahead of them: then a kernel that corrects twice has to come back. The
 * tick that ends the slew lasts as long as one within it, which moves the clock too far by its
 * share; where the tick length is one that a mult has exactly, that stays.
 */
static void claim_phase(struct source *source)
{
	struct drive *drive = &source->drive;
	const s64 cycle = SECOND / (s64)source->period + 1;
	const s64 tick = PHASE / drive->run->params->hz + 1;
	const s64 steps = 2 * (run_step_fs(drive->run) / TB_FSEC_PER_NSEC + 1);
	bool off = true, there = true;

	begin(source, TK_STA_PPSTIME, (u32)SECOND - PHASE);
	off &= ahead(source) < -PHASE / 2;
	pulses(source, SETTLED, 0);
	there &= magnitude(ahead(source)) <= tick + steps + 4 * cycle;
	begin(source, TK_STA_PPSTIME, PHASE);
	off &= ahead(source) > PHASE / 2;
	pulses(source, SETTLED, 0);
	there &= magnitude(ahead(source)) <= tick + steps + 4 * cycle;
	run_claim(drive->run, off && there,
		  "with STA_PPSTIME the clock comes to the pulses from either side", TK_REMAINDER);
}

/* The clock is on the pulses already. */
static void claim_spike(struct source *source)
{
	struct drive *drive = &source->drive;
	const u64 late = share(source, 400);
	struct tk_state before, after;
	struct tk_timex timex;
	s64 counted;

	begin(source, TK_STA_PPSTIME, 0);
	pulses(source, SETTLED, 0);
	counted = drive_query(drive).jitcnt;
	source->due += source->period;
	advance(source, source->due + late);
	state_of(source, &before);
	hand(source);
	state_of(source, &after);
	timex = drive_query(drive);
	run_claim(drive->run,
		  timex.jitcnt == counted + 1 && timex.status & TK_STA_PPSJITTER &&
			  timex.state == TK_TIME_ERROR && after.time_offset == before.time_offset,
		  "a pulse 400 us late is counted as jitter, and its phase is not taken", 0);
}

static void claim_false_pulse(struct source *source)
{
	struct drive *drive = &source->drive;
	struct tk_timex timex;
	s64 counted;
	bool ok;

	begin(source, TK_STA_PPSFREQ, 0);
	pulses(source, INTERVAL - 1, 0);
	counted = drive_query(drive).calcnt;
	/* Here the calibration would end. */
	pulse_after(source, 1, (s64)share(source, 3000));
	timex = drive_query(drive);
	ok = timex.status & TK_STA_PPSJITTER && timex.calcnt == counted && !timex.freq;
	pulses(source, INTERVAL - 1, 0);
	ok &= drive_query(drive).calcnt == counted;
	pulses(source, 1, 0);
	ok &= drive_query(drive).calcnt == counted + 1;
	run_claim(drive->run, ok, "a pulse more than 500 ppm off starts the calibration anew", 0);
}

static void claim_wander(struct source *source)
{
	struct drive *drive = &source->drive;
	const struct tk_timex counted = drive_query(drive);
	struct tk_timex timex;
	s64 freq;
	bool ok;

	begin(source, TK_STA_PPSFREQ, 0);
	pulses(source, INTERVAL, (s64)share(source, 20));
	timex = drive_query(drive);
	ok = timex.stbcnt == counted.stbcnt && timex.state == TK_TIME_OK;
	pulses(source, INTERVAL, (s64)share(source, 200));
	timex = drive_query(drive);
	ok &= timex.stbcnt == counted.stbcnt + 1 && timex.status & TK_STA_PPSWANDER &&
	      timex.state == TK_TIME_ERROR;
	run_claim(drive->run, ok, "a frequency that changes by 100 ppm is counted as wander", 0);
	freq = timex.freq;
	/* An interval of 4 s may last 8. */
	pulse_after(source, 2 * INTERVAL + 1, 0);
	timex = drive_query(drive);
	run_claim(drive->run,
		  timex.errcnt == counted.errcnt + 1 && timex.status & TK_STA_PPSERROR &&
			  timex.state == TK_TIME_ERROR && timex.freq == freq,
		  "an interval twice too long is counted as an error, and sets no frequency", 0);
}

static void claim_loss(struct source *source)
{
	struct drive *drive = &source->drive;
	struct tk_timex timex;
	bool ok;

	begin(source, TK_STA_PPSFREQ, (u32)SECOND / 2);
	timex = drive_query(drive);
	ok = timex.status & TK_STA_PPSSIGNAL && timex.state == TK_TIME_OK;
	/* In the middle of a second: each of these ends one. */
	advance(source, source->due + VALID * source->period);
	timex = drive_query(drive);
	ok &= timex.status & TK_STA_PPSSIGNAL && timex.state == TK_TIME_OK;
	advance(source, source->due + (VALID + 1) * source->period);
	timex = drive_query(drive);
	ok &= !(timex.status & TK_STA_PPSSIGNAL) && timex.state == TK_TIME_ERROR;
	run_claim(drive->run, ok, "pulses that stop are missed in the second after ten more", 0);
}

static void pps_run(struct run *run)
{
	struct source source;
	struct tk_state state;

	if (!drive_start_pps(&source.drive, run, START_SEC))
		return;
	if (!run->tk->hardpps) {
		ktap_skip(run->ktap, "the clock follows a pulse per second",
			  "this core has no hardpps(): lift its kernel with --pps");
		return;
	}
	if (run->clock->counter.hz < LEAST_HZ) {
		ktap_skip(run->ktap, "the clock follows a pulse per second",
			  "the counter is too slow to tell pulses apart: 32768 Hz at least");
		return;
	}
	state_of(&source, &state);
	/* C cycles are L: below 2^33 * 2^30 * 2^32. */
	source.period =
		(u64)div_u128((u128)state.cycle_interval * SECOND << 32, state.tick_length, NULL);
	source.tick_due = source.drive.now + source.drive.interval;
	claim_unasked(&source);
	claim_freq(&source);
	claim_intervals(&source);
	claim_phase(&source);
	claim_spike(&source);
	claim_false_pulse(&source);
	claim_wander(&source);
	claim_loss(&source);
}

const struct scenario scenario_pps = {
	.name = "pps",
	.claim = "the clock follows a pulse per second, where the kernel is configured for it",
	.needs = { .virtual_clock = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = pps_run,
};
