// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core that was handed the line once stays on it for years, as far as the unit of its
 * tick length allows: 2^-32 ns, of which the length that is nearest to the line's may be half a
 * unit off, in each tick: at HZ 1000 up to 3.7 ns a year. Every tick is called, with nothing else
 * in the loop. The clock is read right before a tick: before the first one of each second, for the
 * stability over seconds and more; before one that is drawn at random; and in ten seconds of each
 * 10,000 before every tick, for the stability from a tick to a second. Once an hour every other
 * clock is read. It says where it is on the way.
 */
#include "lib/math.h"
#include "lib/random.h"
#include "measure/drive.h"
#include "measure/reading.h"
#include "scenario/list.h"

#define SECOND	 ((s64)TB_NSEC_PER_SEC)
#define HOUR	 3600
#define BURST	 10 /* seconds in which every tick is sampled, of so many: */
#define BURSTS	 10000
#define REPORTS	 100 /* of the progress, over the run */
#define SECONDS	 (run->params->duration_ms / 1000)
#define READ_OFF 2    /* clocks that disagreed, of which a note is made */
#define UNITS_FS 5000 /* as the bounds of shorter runs have it: measure/claims.c */

struct years {
	struct run *run;
	struct tk_conversion conversion;
	u64 counter, first; /* the counter, and at the core's start */
	u64 interval, random;
	s64 last_mono;
	u32 disagreed;
	struct stability ticks, seconds; /* of tau0 a tick and a second */
};

static u64 held(void *context)
{
	return *(u64 *)context;
}

/* Where the next tick is due, and has not come. Returns the error. */
static s64 sample(struct years *years)
{
	struct run *run = years->run;
	u64 counter = years->counter + years->interval;
	struct tk_time time;

	run->tk->read(held, &counter, &time);
	run->stats->backwards += time.mono_ns < years->last_mono;
	years->last_mono = time.mono_ns;
	run->last_error_fs =
		instant_to_fsec(time.instant - vmclock_utc_at(&run->line, time.counter));
	run_account_sample(run, time.counter, run->last_error_fs);
	stats_add(run->stats, time.counter, us_of_cycles(run, counter - run->start),
		  run->last_error_fs);
	return run->last_error_fs;
}

static void agree(struct years *years, const struct tk_readings *readings, enum tk_reading which,
		  s64 expected)
{
	if (!tk_readings_has(readings, which) || readings->value[which] == expected)
		return;
	if (years->disagreed++ < READ_OFF)
		ktap_note(years->run->ktap, "%s is off by %lld ns at %lld ns",
			  tk_reading_name(which), readings->value[which] - expected, expected);
}

/* What every other clock must say, from CLOCK_REALTIME, CLOCK_MONOTONIC and the counter. */
static void look_at_all(struct years *years)
{
	const struct tk_conversion *conversion = &years->conversion;
	const struct tk_ops *tk = years->run->tk;
	struct tk_readings readings;
	struct tk_time time;
	s64 real, raw = (s64)((u128)(years->counter - years->first) * conversion->mult >>
			      conversion->shift);

	if (!tk->readings)
		return;
	tk_readings_clear(&readings);
	tk->readings(years->counter, TK_SET_GETTERS | TK_SET_VDSO, &readings);
	tk->read(held, &years->counter, &time);
	real = time.sec * SECOND + time.nsec;
	agree(years, &readings, TKR_KTIME_GET_REAL_TS64, real);
	agree(years, &readings, TKR_KTIME_GET_OFFS_REAL, real);
	agree(years, &readings, TKR_KTIME_GET_OFFS_TAI, real);
	agree(years, &readings, TKR_KTIME_GET, time.mono_ns);
	agree(years, &readings, TKR_KTIME_GET_TS64, time.mono_ns);
	agree(years, &readings, TKR_KTIME_GET_OFFS_BOOT, time.mono_ns);
	agree(years, &readings, TKR_KTIME_GET_RAW, raw);
	agree(years, &readings, TKR_KTIME_GET_RAW_TS64, raw);
	agree(years, &readings, TKR_VDSO_REALTIME, real);
	agree(years, &readings, TKR_VDSO_MONOTONIC, time.mono_ns);
	agree(years, &readings, TKR_VDSO_TAI, real);
	agree(years, &readings, TKR_VDSO_RAW, raw);
}

static void ticks(struct years *years, u32 count)
{
	void (*tick)(u64 now) = years->run->tk->tick;
	const u64 interval = years->interval;
	u64 counter = years->counter;

	for (; count; count--) {
		counter += interval;
		tick(counter);
	}
	years->counter = counter;
}

static void sampled_ticks(struct years *years, u32 count)
{
	for (; count; count--) {
		stability_add(&years->ticks, sample(years));
		ticks(years, 1);
	}
}

/* A second's ticks, the samples among them. */
static void one_second(struct years *years, u64 second)
{
	const u32 hz = years->run->params->hz;
	const u32 before = (u32)(random_next(&years->random) % hz);
	const u64 in = (second - 1) % BURSTS;

	stability_add(&years->seconds, sample(years));
	if (in < BURST) {
		if (!in)
			stability_gap(&years->ticks);
		sampled_ticks(years, hz);
	} else {
		ticks(years, before);
		sample(years);
		ticks(years, hz - before);
	}
	years->run->ticker.progress++;
}

/* A note of words name=value for each tau of 10^k units, below `most`. */
static void say_stability(const struct years *years, const struct stability *stability, u64 most)
{
	const u128 tau0 = (u128)stability->tau0_cycles * TB_NSEC_PER_SEC; /* ns * hz */
	struct stability_values values;

	for (u32 k = 0; stability_values(stability, k, &values) && values.m < most; k++)
		ktap_note(years->run->ktap,
			  "stability: tau_ns=%llu adev_e21=%llu mdev_e21=%llu tdev_zs=%llu "
			  "mtie_fs=%lld",
			  (u64)div_u128(tau0 * values.m, stability->hz, NULL), values.adev_e21,
			  values.mdev_e21, values.tdev_zs, values.mtie_fs);
}

/*
 * Notes of words name=value, of which runner/study/years.py makes what is known so far: the last
 * one ends them.
 */
static void say_progress(const struct years *years, u64 second)
{
	const struct stats *stats = years->run->stats;
	struct run *run = years->run;

	say_stability(years, &years->ticks, run->params->hz);
	say_stability(years, &years->seconds, ~0ULL);
	ktap_note(run->ktap,
		  "progress: second=%llu of=%llu unix_s=%lld max_fs=%lld rms_fs=%lld mean_fs=%lld "
		  "drift_fs_per_s=%lld disagreed=%u",
		  second, SECONDS, (s64)(vmclock_utc_at(&run->line, years->counter) >> 64),
		  stats->max_abs_fs, stats_rms_fs(stats), stats_mean_fs(stats),
		  stats_drift_fs_per_s(stats), years->disagreed);
}

static void years_claim(struct years *years)
{
	const u32 rests_on = TK_REMAINDER | TK_REFERENCE | TK_FEED;
	struct run *run = years->run;
	/* Half of 2^-32 ns, in fs. */
	const s64 units_fs = (s64)(((u128)run->ticker.stats.ticks * TB_FSEC_PER_NSEC) >> 33);

	run_metrics(run);
	run_metric_stability(run, &years->ticks, run->params->hz, "");
	run_metric_stability(run, &years->seconds, ~0ULL, "s");
	run_metric_ns(run, "units_bound_ns", units_fs);
	run_metric_ns(run, "account_max_ns", run->account_max_fs);
	run_claim(run, run->stats->max_abs_fs <= run_step_fs(run) + UNITS_FS + units_fs,
		  "it stays within one mult step, and half a unit of the tick length for each tick",
		  rests_on);
	run_claim(run, run->account_max_fs <= UNITS_FS + units_fs,
		  "with the corrections that are still due it strays by that half unit alone",
		  rests_on);
	run_claim_drift(run, rests_on);
	run_claim(run, !run->stats->backwards, "time never goes back for a reader", 0);
	if (run->tk->readings)
		run_claim(run, !years->disagreed,
			  "every other clock says the same time, the raw one the counter's", 0);
	else
		ktap_skip(run->ktap,
			  "every other clock says the same time, the raw one the counter's",
			  "this core has no readings");
}

static void years_run(struct run *run)
{
	const u64 every = SECONDS / REPORTS + 1;
	static struct years years; /* too large for a stack */
	struct tk_state state;

	years = (struct years){ .run = run, .random = run->params->seed };

	if (!run_start_core(run))
		return;
	years.first = run->clock->now(run->clock->context);
	tk_conversion_init(&years.conversion, &run->clock->counter); /* the core has taken it */
	if (!run_follow(run, true))
		return;
	run->tk->state(&state);
	years.interval = state.cycle_interval;
	years.counter = state.cycle_last;
	stability_init(&years.ticks, years.interval, run->clock->counter.hz);
	stability_init(&years.seconds, years.interval * run->params->hz, run->clock->counter.hz);
	run_window(run);
	for (u64 second = 1; second <= SECONDS; second++) {
		one_second(&years, second);
		if (second % HOUR == 0 || second == SECONDS)
			look_at_all(&years);
		if (second % every == 0 || second == SECONDS)
			say_progress(&years, second);
	}
	run->ticker.stats.ticks = SECONDS * run->params->hz;
	years_claim(&years);
}

const struct scenario scenario_years = {
	.name = "years",
	.claim = "a core that follows the line for years stays on it",
	.needs = { .page = true, .virtual_clock = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 86400000, [CLOCK_TSC] = 1 },
	.run = years_run,
};
