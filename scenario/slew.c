// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: an offset put into time_offset is slewed along the exponential of its time constant and
 * delivered in full, and the clock then follows the shifted line with the same jitter as before.
 */
#include "lib/math.h"
#include "scenario/list.h"

#define DEFAULT_NS	10000
#define SETTLE_MS	2000 /* plus two ticks */
#define SECOND_MS	1000
#define AFTER_MS	20    /* what counts as just after second_overflow() */
#define TAIL_MS		50000 /* at the end, long after the offset was delivered */
#define CURVE_PARTS	100   /* 1 % */
#define TAIL_NS		100
#define TAIL_UNITS	4096 /* of time_offset; 2^(2 + time constant 10) */
#define TAIL_SECONDS	200
#define ADJTIME_RATE_FS (500000LL * TB_FSEC_PER_NSEC) /* a second */
#define ADJTIME_US	1234			      /* at 500 us a second, and a rest */
#define ADJTIME_MS	10000			      /* longer than it takes */

#define RESTS_ON (TK_REMAINDER | TK_REFERENCE | TK_FEED | TK_SKEW)

/*
 * The share of an offset that is delivered `seconds` after it was set, in 10^-9. Each second
 * delivers 1/16 of the rest, from the next second on.
 */
static s64 curve(u32 seconds)
{
	s64 left = 1000000000;

	for (u32 i = 1; i < seconds; i++)
		left -= left / 16;
	return 1000000000 - left;
}

/*
 * How long until an offset's exponential share rounds to 0: time_offset is in units of 2^-32 ns /
 * HZ.
 */
static u64 exponential_ms(const struct run *run, s64 offset_ns)
{
	s64 left = magnitude(offset_ns) * (1LL << 32) / run->params->hz;
	u64 seconds = 2; /* the present second, and the last remainder's */

	for (; left >= 16; seconds++)
		left -= left / 16;
	return seconds * 1000;
}

/*
 * Lets time pass to each of three moments and compares the offset that was delivered with the
 * exponential. Gives the time passed, ms.
 */
static u64 follow_curve(struct run *run, const char *sign, s64 offset_ns)
{
	static const u32 marks[] = { 10, 70, 150 };
	const s64 offset_fs = offset_ns * TB_FSEC_PER_NSEC;
	u64 passed_ms = 0;
	bool on_curve = true;
	char name[48];

	for (u32 i = 0; i < TB_ARRAY_SIZE(marks) && marks[i] * 1000 < run->params->duration_ms;
	     i++) {
		s64 told_fs, due_fs;

		run_ms(run, marks[i] * 1000 - passed_ms);
		passed_ms = marks[i] * 1000;
		told_fs = run_error_fs(run);
		due_fs = (s64)div_s128((s128)offset_fs * curve(marks[i]), 1000000000);
		str_printf(name, sizeof(name), "%s_after_%us_ns", sign, marks[i]);
		run_metric_ns(run, name, told_fs);
		/*
		 * The second began up to two ticks ago, so two ticks' share of the first 1/16 may
		 * be missing.
		 */
		if (magnitude(told_fs - due_fs) >
		    magnitude(due_fs) / CURVE_PARTS + magnitude(offset_fs) / 8 / run->params->hz)
			on_curve = false;
	}
	if (passed_ms)
		run_claim(run, on_curve,
			  offset_ns < 0
				  ? "the offset back is slewed along its exponential, within 1 %"
				  : "the offset forth is slewed along its exponential, within 1 %",
			  RESTS_ON);
	else
		ktap_skip(run->ktap, "the offset is slewed along its exponential",
			  "needs duration > 10 s");
	return passed_ms;
}

static void named_metric_ns(struct run *run, const char *sign, const char *what, s64 fs)
{
	char name[48];

	str_printf(name, sizeof(name), "%s_%s_ns", sign, what);
	run_metric_ns(run, name, fs);
}

/* The end of the window: the core is still on the line, offset_ns away. Stops the ticks. */
static void hold_the_offset(struct run *run, const char *sign, s64 offset_ns, s64 before_rms)
{
	struct stats *stats = run->stats;
	struct tk_state state;
	char name[48];

	run_window(run);
	run_ms(run, TAIL_MS);
	run_ticks_stop(run);
	named_metric_ns(run, sign, "end_mean", run->target_fs + stats_mean_fs(stats));
	named_metric_ns(run, sign, "end_high", stats->max_fs);
	named_metric_ns(run, sign, "end_low", stats->min_fs);
	named_metric_ns(run, sign, "rms_before", before_rms);
	run->tk->state(&state);
	str_printf(name, sizeof(name), "%s_time_offset_left", sign);
	ktap_metric(run->ktap, name, state.time_offset, 0, 0, "2^-32ns/HZ");
	if (!run->clock->is_virtual)
		return;
	run_claim(run, stats->max_abs_fs <= run_bound_fs(run),
		  offset_ns < 0 ? "all of it is delivered back, and the jitter is as before"
				: "all of it is delivered forth, and the jitter is as before",
		  RESTS_ON);
	if (run->params->duration_ms >= exponential_ms(run, offset_ns) + TAIL_MS)
		run_claim(run, !state.time_offset,
			  "time_offset is exactly 0: nothing is left to be slewed", TK_TAIL);
	else
		ktap_skip(run->ktap, "time_offset is exactly 0: nothing is left to be slewed",
			  "needs a longer duration for this offset");
	run_claim_account(run, RESTS_ON);
}

/*
 * To just after a second of the core's begins: the exponential's shares are of whole seconds. A run
 * that starts later than its line's first second may start anywhere in one.
 */
static void settle(struct run *run)
{
	const u64 two_ticks_ms = 2 + 2000 / run->params->hz;
	struct tk_time time;
	u64 ms;

	run_ms(run, SETTLE_MS + two_ticks_ms);
	run_read(run, &time);
	ms = time.nsec / 1000000;
	if (ms > two_ticks_ms + AFTER_MS)
		run_ms(run, SECOND_MS - ms + two_ticks_ms);
}

static void slew_once(struct run *run, const char *sign, s64 offset_ns)
{
	const struct clock *clock = run->clock;
	const u64 duration_ms = run->params->duration_ms;
	u64 passed_ms;
	s64 before_rms;
	char name[48];
	enum tk_error error;

	if (!run_start_core(run) || !run_follow(run, true))
		return;
	run_ticks_start(run);
	run_window(run);
	settle(run);
	before_rms = stats_rms_fs(run->stats);

	clock->lock(clock->context);
	error = run->tk->add_time_offset(clock->now(clock->context), offset_ns);
	clock->unlock(clock->context);
	if (error)
		ktap_note(run->ktap, "time_offset: %s", tk_strerror(error));
	run->target_fs = offset_ns * TB_FSEC_PER_NSEC;
	run_window(run);
	passed_ms = follow_curve(run, sign, offset_ns);
	if (duration_ms <= TAIL_MS + 200000) {
		ktap_skip(run->ktap, "the whole offset is delivered", "needs duration > 250 s");
		run_ticks_stop(run);
		return;
	}
	run_ms(run, duration_ms - passed_ms - TAIL_MS);
	str_printf(name, sizeof(name), "%s_converged_10ns_s", sign);
	run_metric_since(run, name, run->stats->within_10ns_us);
	str_printf(name, sizeof(name), "%s_converged_1ns_s", sign);
	run_metric_since(run, name, run->stats->within_1ns_us);
	hold_the_offset(run, sign, offset_ns, before_rms);
}

static void set_constant(struct run *run, s64 constant)
{
	struct tk_timex timex = { .modes = TK_ADJ_NANO | TK_ADJ_TIMECONST, .constant = constant };
	struct clock *clock = run->clock;
	enum tk_error error = run->tk->adjtimex(clock->now(clock->context), &timex);

	if (error)
		ktap_note(run->ktap, "time constant: %s", tk_strerror(error));
}

/*
 * The end of the exponential. At the longest time constant a second's share is 2^-12 of the rest,
 * so a rest of fewer than 2^12 units has a share that rounds to 0. That rest must still be
 * delivered.
 */
static void tail_once(struct run *run)
{
	struct clock *clock = run->clock;
	struct tk_state state;
	u32 seconds = 0;

	if (!run_start_core(run) || !run_follow(run, true))
		return;
	run_ticks_start(run);
	set_constant(run, 0);
	run_settle(run, SETTLE_MS);
	run->tk->add_time_offset(clock->now(clock->context), TAIL_NS);
	do {
		run_settle(run, 1000);
		run->tk->state(&state);
	} while (state.time_offset >= TAIL_UNITS && ++seconds < TAIL_SECONDS);
	set_constant(run, 10);
	/* At a unit a tick, from the second after. */
	run_settle(run, (TAIL_UNITS / run->params->hz + 3) * 1000);
	run_ticks_stop(run);
	run->tk->state(&state);
	ktap_metric(run->ktap, "tail_time_offset_left", state.time_offset, 0, 0, "2^-32ns/HZ");
	run_claim(run, !state.time_offset, "an offset too small to divide is delivered whole",
		  TK_TAIL);
}

/*
 * The old adjtime(): at most 500 us a second, delivered in full. A second may have one tick more
 * than HZ, and its last ticks still run at the second's skew after all is delivered. So at most two
 * ticks' share is delivered in excess. ntp_error accounts for it, and it is corrected by one mult
 * step a tick.
 */
static void adjtime_once(struct run *run)
{
	struct tk_timex timex = { .modes = TK_ADJ_ADJTIME | TK_ADJ_OFFSET, .offset = ADJTIME_US };
	struct clock *clock = run->clock;
	struct tk_state state;
	enum tk_error error;

	if (!run_start_core(run) || !run_follow(run, true))
		return;
	run_ticks_start(run);
	run_settle(run, SETTLE_MS);
	error = run->tk->adjtimex(clock->now(clock->context), &timex);
	if (error)
		ktap_note(run->ktap, "adjtime: %s", tk_strerror(error));
	run->target_fs = ADJTIME_US * 1000 * TB_FSEC_PER_NSEC;
	run_ms(run, ADJTIME_MS);
	run_window(run);
	run_ms(run, ADJTIME_MS);
	run_ticks_stop(run);
	run->tk->state(&state);
	run_metric_ns(run, "adjtime_end_mean_ns", run->target_fs + stats_mean_fs(run->stats));
	run_claim(run,
		  run->stats->max_abs_fs <=
			  run_bound_fs(run) + 2 * ADJTIME_RATE_FS / run->params->hz,
		  "adjtime is delivered, within the share of two ticks", RESTS_ON);
	run_claim(run, !state.time_adjust && !state.time_adjust_frac,
		  "of adjtime nothing is left to be slewed", TK_SKEW);
	run_claim_account(run, RESTS_ON);
}

static void slew_run(struct run *run)
{
	s64 offset_ns = run->params->offset_ns;

	if (offset_ns) {
		slew_once(run, offset_ns < 0 ? "minus" : "plus", offset_ns);
	} else {
		slew_once(run, "plus", DEFAULT_NS);
		slew_once(run, "minus", -DEFAULT_NS);
	}
	run_metrics(run);
	if (run->clock->is_virtual) {
		adjtime_once(run);
		tail_once(run);
	}
	run_claim_sane(run);
}

const struct scenario scenario_slew = {
	.name = "slew",
	.claim = "an offset is slewed along its exponential and delivered whole",
	.needs = { .page = true },
	.duration_ms = { [CLOCK_VIRTUAL] = 400000, [CLOCK_TSC] = 12000 },
	.run = slew_run,
};
