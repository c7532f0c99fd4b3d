// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: the counter runs at its nominal frequency, as far as the machine's second counter (HPET or
 * ACPI timer) can tell. It needs no page, so a PC without one can measure it. The error is the
 * counter's elapsed time, at its nominal rate, less the second counter's.
 */
#include "lib/bracket.h"
#include "lib/string.h"
#include "scenario/list.h"

#define NOMINAL	 "the counter runs at its nominal frequency, as far as a second counter can tell"
#define STEP_MS	 10
#define READINGS 8
/*
 * The possible error of either counter's crystal, unless the counter was measured against the
 * second one: the HPET's specification allows 500 ppm (1.0a, section 2.3.2), and CPUID's crystals
 * claim less.
 */
#define CRYSTAL_PPB 500000

static u64 read_second(void *context)
{
	const struct clock *clock = context;

	return clock->second.read();
}

/* Both counters at one moment, with the tick disabled. */
static struct bracket read_both(struct clock *clock)
{
	struct bracket best;

	clock->lock(clock->context);
	best = bracket_read(clock->now, clock->context, read_second, clock, READINGS);
	clock->unlock(clock->context);
	return best;
}

static s128 cycles_to_fs(const struct clock *clock, u64 cycles)
{
	/* 10^15 < 2^50, so 2^64 cycles fit. */
	return (s128)div_u128((u128)cycles * TB_FSEC_PER_SEC, clock->counter.hz, NULL);
}

/* The allowed difference between measured and nominal rate, fs a second. */
static s64 allowed_fs(const struct run *run, u64 width)
{
	const struct clock *clock = run->clock;
	u64 ppb = clock->counter_error_ppb;
	u64 blur_fs = (u64)cycles_to_fs(clock, width) + clock->second.period_fs;

	if (strcmp(clock->counter_source, clock->second.name))
		ppb += CRYSTAL_PPB;
	/* 1 ppb is 10^6 fs a second. Added is the width of one reading at each end. */
	return (s64)(ppb * 1000000 + 2 * blur_fs * 1000 / run->params->duration_ms);
}

static void clocks_run(struct run *run)
{
	struct clock *clock = run->clock;
	struct bracket first, now;
	u64 steps = run->params->duration_ms / STEP_MS, widest = 0, last;
	u128 counts = 0;
	s64 drift_fs, limit_fs;

	if (!clock->second.name) {
		ktap_skip(run->ktap, NOMINAL, "there is no second counter to hold it against");
		return;
	}
	if (!run_start_core(run))
		return;
	ktap_param(run->ktap, "second_counter", clock->second.name);
	run_ticks_start(run);
	run_window(run);
	first = read_both(clock);
	last = first.value;
	for (u64 i = 0; i < steps; i++) {
		s128 elapsed_fs;

		/* Often enough to see each time the second counter wraps. */
		run_settle(run, STEP_MS);
		now = read_both(clock);
		counts += (now.value - last) & clock->second.mask;
		last = now.value;
		widest = now.width > widest ? now.width : widest;
		elapsed_fs = cycles_to_fs(clock, now.counter - first.counter);
		stats_add(run->stats, now.counter, (s64)div_s128(elapsed_fs, 1000000000),
			  (s64)(elapsed_fs - (s128)(counts * clock->second.period_fs)));
	}
	run_ticks_stop(run);

	run_metrics(run);
	drift_fs = stats_drift_fs_per_s(run->stats);
	limit_fs = allowed_fs(run, first.width > widest ? first.width : widest);
	ktap_metric(run->ktap, "counter_drift_ppb", drift_fs, 6, 3, "ppb");
	ktap_metric(run->ktap, "counter_drift_limit_ppb", limit_fs, 6, 3, "ppb");
	run_metric_ns(run, "widest_reading_ns", (s64)cycles_to_fs(clock, widest));
	ktap_report(run->ktap, drift_fs <= limit_fs && drift_fs >= -limit_fs, NOMINAL);
	ktap_report(run->ktap, !run->stats->backwards, "time never goes back for a reader");
}

const struct scenario scenario_clocks = {
	.name = "clocks",
	.claim = NOMINAL,
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 1000, [CLOCK_TSC] = 10000 },
	.run = clocks_run,
};
