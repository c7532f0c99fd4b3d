// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: the frequency that adjtimex sets is the clock's, and the clock stays on that line. The
 * experiment of Miroslav Lichvar's linux-tktest: for each of 100 frequencies, 100 to 100.099 ppm,
 * the clock is read `readings` times, after each tick or (tickless) up to 4095 ticks apart, and a
 * line is fitted to the readings, in whole ns as consumers see them. The figures are the root mean
 * square of the fitted frequencies' errors, and the mean deviation and mean largest distance of the
 * readings from their line.
 */
#include "lib/instant.h"
#include "lib/math.h"
#include "lib/random.h"
#include "scenario/list.h"

#define FREQUENCIES   100
#define FIRST_PPB     100000 /* the first frequency, and each is 1 ppb above the one before */
#define FREE_TICKS    200    /* before the frequency is set */
#define SETTLE_TICKS  2000   /* and after it: one by one, or (tickless) a hundred at a time */
#define SETTLE_GAP    100
#define GAP_MAX	      4095 /* tickless: ticks between two readings */
#define READINGS      100
#define READINGS_MAX  100000
#define RESIDUAL_FS   (1LL << 40) /* larger errors count as 1.1 ms, so that no sum can overflow */
#define FRACTION_BITS 24	  /* of a slope */

struct series {
	struct run *run;
	const struct tk_ops *tk;
	struct tk_conversion conversion;
	u64 base;     /* the counter at tick 0 */
	u64 counter;  /* at the last tick */
	u32 rest;     /* that tick was due so many cycles / HZ later */
	u64 interval; /* cycles a tick, as the core counts them */
	u64 tick;     /* ticks since base */
	u64 from;     /* the counter at the first reading */
	s64 first_ns;
	u128 share; /* of the frequency in a cycle, fs * 2^64 */
	s64 freq;   /* ppm * 2^16 */
	u64 random;
	u32 gap_max;
};

/* Sums of a fit: t in ticks since the first reading, below 2^29; e in fs, below 2^40; 10^5
 * readings. */
struct fit {
	s128 n, t, tt, e, te;
	u64 t_max;
};

/* All frequencies together. */
struct total {
	u128 error_squares; /* (10^-6 ppb)^2 */
	s64 error_max;	    /* 10^-6 ppb */
	s64 bound_max;	    /* of one frequency's error */
	s64 deviation_fs, max_fs, worst_fs;
	bool within, near;
};

/* How often the clock is read at each frequency: what struct fit's sums can hold, at most. */
static u32 readings_of(const struct run *run)
{
	const u32 wanted = run->params->readings ? run->params->readings : READINGS;

	return wanted < READINGS_MAX ? wanted : READINGS_MAX;
}

static u64 held(void *context)
{
	return *(u64 *)context;
}

/* Integer square root, rounded up: bounds are made of it. */
static u64 root_up(u128 n)
{
	u64 r = 0;

	for (int bit = 63; bit >= 0; bit--)
		if ((u128)(r | 1ULL << bit) * (r | 1ULL << bit) <= n)
			r |= 1ULL << bit;
	return r + ((u128)r * r < n);
}

/* Ticks come at whole cycles, on time: tick n at n * counter_hz / HZ, rounded down. */
static u64 advance(struct series *series, u64 ticks)
{
	const u64 hz = series->run->params->hz;
	/* At most 4095 ticks of 5 * 10^9 cycles / 24 each: far below 2^63. */
	const u64 due = ticks * series->run->clock->counter.hz + series->rest;

	series->tick += ticks;
	series->counter += due / hz;
	series->rest = (u32)(due % hz);
	series->tk->tick(series->counter);
	series->run->ticker.progress++;
	return series->counter;
}

/* Starts the core afresh and sets the frequency. */
static enum tk_error begin(struct series *series, u32 number)
{
	struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY };
	const struct run *run = series->run;
	const struct tk_setup setup = {
		.counter = run->clock->counter,
		.hz = run->params->hz,
		.switches = run->switches,
		.now = series->base,
		.sec = 1700000000,
	};
	enum tk_error error = series->tk->init(&setup);
	struct tk_state state;
	u32 gap = run->params->tickless ? SETTLE_GAP : 1;

	if (error)
		return error;
	if (gap > series->gap_max)
		gap = series->gap_max;
	series->tk->state(&state);
	series->interval = state.cycle_interval;
	series->counter = series->base;
	series->rest = 0;
	series->tick = 0;
	series->random = run->params->seed;
	for (u32 i = 0; i < FREE_TICKS; i++)
		advance(series, 1);
	series->freq = ((s64)(FIRST_PPB + number) * 65536 + 500) / 1000;
	/* Below 2^33 * 10^9 * 2^64 = 2^127, over 2^16 * 24 * 1 at least. */
	series->share = div_u128((u128)series->freq * 1000000000 << 64,
				 65536ULL * run->params->hz * series->interval, NULL);
	timex.freq = series->freq;
	error = series->tk->adjtimex(series->counter, &timex);
	for (u32 i = 0; i < SETTLE_TICKS; i += gap)
		advance(series, gap);
	return error;
}

/*
 * A reading less what the clock should tell, fs. The core runs at its counter's mult, and a tick of
 * `interval` cycles is longer by the frequency's share of 1/HZ s:
 * cycles * (mult / 2^shift ns + freq / 2^16 * 10^-6 / (HZ * interval) s).
 */
static s64 error_fs(const struct series *series, u64 counter, const struct tk_time *time)
{
	const u64 cycles = counter - series->from;
	const u128 due = ((u128)cycles * series->conversion.mult * TB_FSEC_PER_NSEC >>
			  series->conversion.shift) +
			 (cycles * series->share >> 64);
	const s128 e = (s128)(time->mono_ns - series->first_ns) * TB_FSEC_PER_NSEC - (s128)due;

	return e > RESIDUAL_FS ? RESIDUAL_FS : e < -RESIDUAL_FS ? -RESIDUAL_FS : (s64)e;
}

/* Takes the next reading; returns its error, and its time in ticks since the first one in *t. */
static s64 take(struct series *series, u32 number, u64 *first_tick, u64 *t)
{
	const struct scenario_params *params = series->run->params;
	struct tk_time time;
	u64 counter;

	if (number)
		counter = advance(series, params->tickless ? random_next(&series->random) %
								     (series->gap_max + 1)
							   : 1);
	else
		counter = advance(series, 1);
	series->tk->read(held, &counter, &time);
	if (!number) {
		*first_tick = series->tick;
		series->from = counter;
		series->first_ns = time.mono_ns;
	}
	*t = series->tick - *first_tick;
	return error_fs(series, counter, &time);
}

static void collect(struct series *series, struct fit *fit)
{
	u64 first, t;

	*fit = (struct fit){ 0 };
	for (u32 i = 0; i < readings_of(series->run); i++) {
		const s64 e = take(series, i, &first, &t);

		fit->n++;
		fit->t += (s128)t;
		fit->tt += (s128)t * t;
		fit->e += e;
		fit->te += (s128)t * e;
		fit->t_max = t;
	}
}

/* The slope, fs a tick * 2^FRACTION_BITS; 0 if all readings have one time. *spread is n^2 times the
 * variance of t. The numerator is below 2^106. */
static s128 slope_of(const struct fit *fit, u128 *spread)
{
	const s128 numerator = fit->n * fit->te - fit->t * fit->e;

	*spread = (u128)(fit->n * fit->tt - fit->t * fit->t);
	return *spread ? div_s128(numerator * (1 << FRACTION_BITS), *spread) : 0;
}

/*
 * The largest error that the readings may have, fs: the rounding to whole ns, and one step of mult
 * over the longest time between two ticks. Where 1/HZ is no whole number of cycles, the frequency
 * is set in mid-tick: what it changes in the part that is gone, at most a tick's share, is owed,
 * and may be paid back by a step of mult a tick.
 */
static u128 band_fs(const struct series *series)
{
	const struct run *run = series->run;
	const u64 ticks = (run->params->tickless ? series->gap_max : 1) + 1;
	u128 band =
		((u128)series->interval * ticks * TB_FSEC_PER_NSEC >> series->conversion.shift) +
		TB_FSEC_PER_NSEC;

	if (run->clock->counter.hz % run->params->hz)
		band += (u64)series->freq * 1000000000ULL / 65536 / run->params->hz;
	return band;
}

/*
 * What any error within +-B may do to a fit (Cauchy and Schwarz, S = sum of (t - mean t)^2): its
 * slope is at most B sqrt(n / S), and a residual at most B (1 + sqrt(1 + n d^2 / S)), where d is
 * the largest distance from the mean time.
 */
static void judge(const struct series *series, const struct fit *fit, u128 spread, s64 error,
		  s64 worst_fs, struct total *total)
{
	const u128 b_fs = band_fs(series);
	/* n / S is n^2 / spread; times 2^40, its root is 2^20 times too large. */
	const u128 ratio = div_u128((u128)fit->n * (u128)fit->n << 40, spread, NULL) + 1;
	const s64 bound = (s64)((b_fs * root_up(ratio) >> 20) * series->run->params->hz) + 10;
	const u64 reach = root_up(((u128)1 << 40) + ratio * fit->t_max * fit->t_max);

	total->within &= error <= bound;
	total->near &= (u128)worst_fs <= b_fs + (b_fs * reach >> 20);
	if (bound > total->bound_max)
		total->bound_max = bound;
}

/* The second pass: the same readings again, and their distance from the line. */
static void measure(struct series *series, const struct fit *fit, struct total *total)
{
	u128 spread, squares = 0;
	const s128 slope = slope_of(fit, &spread);
	const s64 hz = series->run->params->hz;
	/* fs a second is 10^-6 ns/s, which is 10^-6 ppb. */
	const u64 n = (u64)fit->n;
	/* fs a second is 10^-6 ns/s, which is 10^-6 ppb. */
	const s64 error = magnitude((s64)((slope * hz) >> FRACTION_BITS));
	const s128 at_zero = div_s128(fit->e, n) - (div_s128(slope * fit->t, n) >> FRACTION_BITS);
	s64 worst = 0;
	u64 first, t;

	for (u32 i = 0; i < readings_of(series->run); i++) {
		const s64 e = take(series, i, &first, &t);
		const s64 off = magnitude((s64)(e - at_zero - (slope * (s128)t >> FRACTION_BITS)));

		squares += (u128)((s128)off * off);
		if (off > worst)
			worst = off;
	}
	total->error_squares += (u128)((s128)error * error);
	if (error > total->error_max)
		total->error_max = error;
	total->deviation_fs += (s64)root_up(div_u128(squares, n, NULL));
	total->max_fs += worst;
	if (worst > total->worst_fs)
		total->worst_fs = worst;
	if (spread)
		judge(series, fit, spread, error, worst, total);
}

static void report(struct run *run, const struct total *total)
{
	ktap_metric(run->ktap, "readings", readings_of(run), 0, 0, "readings");
	ktap_metric(run->ktap, "frequency_error_ppb",
		    (s128)root_up(div_u128(total->error_squares, FREQUENCIES, NULL)), 6, 6, "ppb");
	ktap_metric(run->ktap, "frequency_error_max_ppb", total->error_max, 6, 6, "ppb");
	ktap_metric(run->ktap, "frequency_error_bound_ppb", total->bound_max, 6, 6, "ppb");
	run_metric_ns(run, "deviation_ns", total->deviation_fs / FREQUENCIES);
	run_metric_ns(run, "maximum_ns", total->max_fs / FREQUENCIES);
	run_metric_ns(run, "maximum_worst_ns", total->worst_fs);
	run_claim(run, total->within,
		  "each fitted frequency is the one set, as far as whole ns and one mult step tell",
		  0);
	run_claim(run, total->near,
		  "each reading is near its line: a ns, and one mult step over a gap", 0);
}

static void regress_run(struct run *run)
{
	struct series series = { .run = run, .tk = run->tk };
	struct total total = { .within = true, .near = true };
	enum tk_error error = TK_OK;
	u64 ticks_in_range;
	struct fit fit;

	if (!run_start_core(run))
		return;
	series.base = run->clock->now(run->clock->context);
	tk_conversion_init(&series.conversion, &run->clock->counter); /* the core has taken it */
	/* A gap must stay within a quarter of the counter's width. */
	ticks_in_range =
		(run->clock->counter.mask >> 2) / (run->clock->counter.hz / run->params->hz + 1);
	series.gap_max = ticks_in_range < GAP_MAX ? (u32)ticks_in_range : GAP_MAX;
	for (u32 i = 0; i < FREQUENCIES && !error; i++) {
		error = begin(&series, i);
		collect(&series, &fit);
		error = error ? error : begin(&series, i);
		measure(&series, &fit, &total);
	}
	if (error)
		ktap_note(run->ktap, "adjtimex: %s", tk_strerror(error));
	if (run_claim(run, !error, "the core takes each frequency", 0))
		report(run, &total);
}

const struct scenario scenario_regress = {
	.name = "regress",
	.claim = "the frequency that adjtimex sets is the clock's, by regression over its readings",
	.needs = { .virtual_clock = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1, [CLOCK_TSC] = 1 },
	.run = regress_run,
};
