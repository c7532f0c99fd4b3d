// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: an offset put into time_offset is slewed along the exponential of its time constant and
 * delivered whole, and the clock then holds the shifted line as tightly as it held the first.
 */
#include "scenario/list.h"

#define DEFAULT_NS	10000
#define SETTLE_MS	2000  /* and two ticks: just behind a second's NTP step */
#define TAIL_MS		50000 /* at the end: where the offset has long arrived */
#define CURVE_PARTS	100   /* 1 % */
#define TAIL_NS		100
#define TAIL_UNITS	4096 /* of time_offset; 2^(2 + time constant 10) */
#define TAIL_SECONDS	200
#define TAIL_END_MS	200000			      /* at one unit a tick and the lowest HZ */
#define ADJTIME_RATE_FS (500000LL * TB_FSEC_PER_NSEC) /* a second */
#define ADJTIME_US	1234			      /* at 500 us a second, and a rest */
#define ADJTIME_MS	10000			      /* long enough for it, with time to spare */

#define RESTS_ON (TK_REMAINDER | TK_REFERENCE | TK_FEED | TK_SKEW)

static s64 magnitude(s64 x)
{
	return x < 0 ? -x : x;
}

/* What share of an offset is delivered `seconds` after it was given: 1/16 of the rest each second,
 * from the second after. In 10^-9. */
static s64 curve(u32 seconds)
{
	s64 left = 1000000000;

	for (u32 i = 1; i < seconds; i++)
		left -= left / 16;
	return 1000000000 - left;
}

/* How long until an offset's exponential share is nothing: time_offset counts 2^-32 ns / HZ. */
static u64 exponential_ms(const struct bench *bench, s64 offset_ns)
{
	s64 left = magnitude(offset_ns) * (1LL << 32) / bench->params->hz;
	u64 seconds = 2; /* the second under way, and the last rest's */

	for (; left >= 16; seconds++)
		left -= left / 16;
	return seconds * 1000;
}

static void slew_once(struct bench *bench, const char *sign, s64 offset_ns)
{
	static const u32 marks[] = { 10, 70, 150 };
	const struct vehicle *vehicle = bench->vehicle;
	const s64 offset_fs = offset_ns * TB_FSEC_PER_NSEC;
	const u64 duration_ms = bench->params->duration_ms;
	struct stats *stats = bench->stats;
	u64 passed_ms = 0;
	s64 before_rms;
	struct tk_state state;
	bool on_curve = true;
	char name[48];
	enum tk_error error;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	bench_window(bench);
	bench_run_ms(bench, SETTLE_MS + 2 + 2000 / bench->params->hz);
	before_rms = stats_rms_fs(stats);

	vehicle->lock(vehicle->context);
	error = bench->tk->add_time_offset(vehicle->now(vehicle->context), offset_ns);
	vehicle->unlock(vehicle->context);
	if (error)
		ktap_note(bench->ktap, "time_offset: %s", tk_strerror(error));
	bench->target_fs = offset_fs;
	bench_window(bench);
	for (u32 i = 0; i < TB_ARRAY_SIZE(marks) && marks[i] * 1000 < duration_ms; i++) {
		s64 told_fs, due_fs;

		bench_run_ms(bench, marks[i] * 1000 - passed_ms);
		passed_ms = marks[i] * 1000;
		told_fs = bench_error_fs(bench);
		due_fs = (s64)div_s128((s128)offset_fs * curve(marks[i]), 1000000000);
		str_printf(name, sizeof(name), "%s_after_%us_ns", sign, marks[i]);
		bench_metric_ns(bench, name, told_fs);
		/* The second began up to two ticks ago, of the first share's 1/16 a second. */
		if (magnitude(told_fs - due_fs) >
		    magnitude(due_fs) / CURVE_PARTS + magnitude(offset_fs) / 8 / bench->params->hz)
			on_curve = false;
	}
	if (passed_ms)
		bench_claim(
			bench, on_curve,
			offset_ns < 0
				? "the offset back is slewed along its exponential, within 1 %"
				: "the offset forth is slewed along its exponential, within 1 %",
			RESTS_ON);
	else
		ktap_skip(bench->ktap, "the offset is slewed along its exponential",
			  "needs duration > 10 s");
	if (duration_ms <= TAIL_MS + 200000) {
		ktap_skip(bench->ktap, "the whole offset is delivered", "needs duration > 250 s");
		vehicle->ticks_stop(bench);
		return;
	}
	bench_run_ms(bench, duration_ms - passed_ms - TAIL_MS);
	str_printf(name, sizeof(name), "%s_converged_10ns_s", sign);
	bench_metric_since(bench, name, stats->within_10ns_us);
	str_printf(name, sizeof(name), "%s_converged_1ns_s", sign);
	bench_metric_since(bench, name, stats->within_1ns_us);

	/* The tail: still on the line, offset_ns away. */
	bench_window(bench);
	bench_run_ms(bench, TAIL_MS);
	vehicle->ticks_stop(bench);
	str_printf(name, sizeof(name), "%s_end_mean_ns", sign);
	bench_metric_ns(bench, name, offset_fs + stats_mean_fs(stats));
	str_printf(name, sizeof(name), "%s_end_high_ns", sign);
	bench_metric_ns(bench, name, stats->max_fs);
	str_printf(name, sizeof(name), "%s_end_low_ns", sign);
	bench_metric_ns(bench, name, stats->min_fs);
	str_printf(name, sizeof(name), "%s_rms_before_ns", sign);
	bench_metric_ns(bench, name, before_rms);
	bench->tk->state(&state);
	str_printf(name, sizeof(name), "%s_time_offset_left", sign);
	ktap_metric(bench->ktap, name, state.time_offset, 0, 0, "2^-32ns/HZ");
	if (!vehicle->is_virtual)
		return;
	bench_claim(bench, stats->max_abs_fs <= bench_bound_fs(bench),
		    offset_ns < 0 ? "all of it is delivered back, and the jitter is as before"
				  : "all of it is delivered forth, and the jitter is as before",
		    RESTS_ON);
	if (duration_ms >= exponential_ms(bench, offset_ns) + TAIL_MS)
		bench_claim(bench, !state.time_offset,
			    "time_offset is exactly 0: nothing is left to be slewed", TK_TAIL);
	else
		ktap_skip(bench->ktap, "time_offset is exactly 0: nothing is left to be slewed",
			  "needs a longer duration for this offset");
	bench_claim_account(bench, RESTS_ON);
}

static void set_constant(struct bench *bench, s64 constant)
{
	struct tk_timex timex = { .modes = TK_ADJ_NANO | TK_ADJ_TIMECONST, .constant = constant };
	struct vehicle *vehicle = bench->vehicle;
	enum tk_error error = bench->tk->adjtimex(vehicle->now(vehicle->context), &timex);

	if (error)
		ktap_note(bench->ktap, "time constant: %s", tk_strerror(error));
}

/*
 * The end of the exponential. At the longest time constant a second's share is 2^-12 of what is
 * left, so with fewer than 2^12 units it rounds to nothing: the rest must still leave.
 */
static void tail_once(struct bench *bench)
{
	struct vehicle *vehicle = bench->vehicle;
	struct tk_state state;
	u32 seconds = 0;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	set_constant(bench, 0);
	bench_settle(bench, SETTLE_MS);
	bench->tk->add_time_offset(vehicle->now(vehicle->context), TAIL_NS);
	do {
		bench_settle(bench, 1000);
		bench->tk->state(&state);
	} while (state.time_offset >= TAIL_UNITS && ++seconds < TAIL_SECONDS);
	set_constant(bench, 10);
	bench_settle(bench, TAIL_END_MS);
	vehicle->ticks_stop(bench);
	bench->tk->state(&state);
	ktap_metric(bench->ktap, "tail_time_offset_left", state.time_offset, 0, 0, "2^-32ns/HZ");
	bench_claim(bench, !state.time_offset, "of an offset too small to share nothing is left",
		    TK_TAIL);
}

/*
 * The old adjtime(): at most 500 us a second, delivered whole. A second may hold a tick more than
 * HZ, and its last ticks still run at the second's skew when nothing is left: at most two ticks'
 * share is told too much, is known to ntp_error, and is taken back a mult step a tick.
 */
static void adjtime_once(struct bench *bench)
{
	struct tk_timex timex = { .modes = TK_ADJ_ADJTIME | TK_ADJ_OFFSET, .offset = ADJTIME_US };
	struct vehicle *vehicle = bench->vehicle;
	struct tk_state state;
	enum tk_error error;

	if (!bench_start_core(bench) || !bench_follow(bench, true))
		return;
	vehicle->ticks_start(bench);
	bench_settle(bench, SETTLE_MS);
	error = bench->tk->adjtimex(vehicle->now(vehicle->context), &timex);
	if (error)
		ktap_note(bench->ktap, "adjtime: %s", tk_strerror(error));
	bench->target_fs = ADJTIME_US * 1000 * TB_FSEC_PER_NSEC;
	bench_run_ms(bench, ADJTIME_MS);
	bench_window(bench);
	bench_run_ms(bench, ADJTIME_MS);
	vehicle->ticks_stop(bench);
	bench->tk->state(&state);
	bench_metric_ns(bench, "adjtime_end_mean_ns",
			bench->target_fs + stats_mean_fs(bench->stats));
	bench_claim(bench,
		    bench->stats->max_abs_fs <=
			    bench_bound_fs(bench) + 2 * ADJTIME_RATE_FS / bench->params->hz,
		    "adjtime is delivered, but for the share of two ticks", RESTS_ON);
	bench_claim(bench, !state.time_adjust && !state.time_adjust_frac,
		    "of adjtime nothing is left to be slewed", TK_SKEW);
	bench_claim_account(bench, RESTS_ON);
}

static void slew_run(struct bench *bench)
{
	s64 offset_ns = bench->params->offset_ns;

	if (offset_ns) {
		slew_once(bench, offset_ns < 0 ? "minus" : "plus", offset_ns);
	} else {
		slew_once(bench, "plus", DEFAULT_NS);
		slew_once(bench, "minus", -DEFAULT_NS);
	}
	bench_metrics(bench);
	if (bench->vehicle->is_virtual) {
		adjtime_once(bench);
		tail_once(bench);
	}
	bench_claim_sane(bench);
}

const struct scenario scenario_slew = {
	.name = "slew",
	.claim = "an offset is slewed along its exponential and delivered whole",
	.needs_page = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 400000, [CLOCK_TSC] = 12000 },
	.run = slew_run,
};
