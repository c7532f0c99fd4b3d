// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a host whose core is steered by adjtimex publishes its line by the rule of the series'
 * /dev/vmclock_host: xtime + ntp_error + time_offset with the tick length as its rate, written when
 * the tick length or what a tick drains of time_offset changed, or the clock was set. A guest's
 * core that follows the line ends where the host's does. The host's 10 us slew and a step of its
 * frequency are measured with the exact line, and with one whose three terms are cut to whole ns,
 * as a page of the kernel's own would have it.
 *
 * A lifted tree that has kernel/time/vmclock_host.c publishes by itself: then the line in whole ns
 * is what its page says, whenever it changes.
 *
 * There is one core in a program. So it is the host first, whose lines are kept, and then the
 * guest, three times, over the same counter values and at the same ticks.
 */
#include "lib/math.h"
#include "measure/drive.h"
#include "measure/reading.h"
#include "scenario/list.h"

#define LINES_MAX   4096
#define SETTLE_MS   1500
#define FIRST_MS    10 /* until the frequency is in effect */
#define SLEW_NS	    10000
#define CONSTANT    2		/* a sixteenth of what is left each second */
#define STEP_PPM    (1LL << 16) /* adjtimex's unit */
#define STEP_MS	    20000	/* how long the frequency is another one */
#define END_NS	    1		/* how near the guest has to be to its host at the end */
#define RESTS_ON    (TK_REMAINDER | TK_CLAWBACK | TK_SKEW)
#define WHOLE_NS    3 /* three terms, each cut */
#define IN_WHOLE_NS "a guest on the line in whole ns is there within what is cut of it"

struct told_line {
	instant time;
	u64 period_frac;
	u8 period_shift;
};

struct published {
	u64 counter; /* the host's cycle_last, at which both lines tell the time */
	u64 at;	     /* the counter when it was published */
	struct told_line exact, whole; /* UTC */
	bool caused;		       /* the first since the clock was told something */
};

static struct {
	struct run *run;
	struct vmclock_line truth;
	struct published kept[LINES_MAX];
	u32 count;
	const volatile struct vmclock_abi *page; /* the core's own; NULL: none */
	u32 seq;				 /* of the latest line that it had */
	enum vmclock_error refused;		 /* why one of its lines cannot be followed */
	u64 ntp_tick;				 /* of the latest line */
	s64 skew_delta;
	bool told;	       /* the clock was told something since */
	s64 end_fs;	       /* at the end of the slew: the host's error, */
	s64 going_fs;	       /* and that with all that it still has to slew */
	s64 line_error_max_fs; /* of the guest, against its line */
} host;

static instant truth(struct run *run, u64 counter)
{
	(void)run;
	return vmclock_utc_at(&host.truth, counter);
}

static void sampled(struct run *run, u64 counter, s64 error_fs, s64 line_error_fs)
{
	(void)run;
	(void)counter;
	(void)error_fs;
	if (magnitude(line_error_fs) > host.line_error_max_fs)
		host.line_error_max_fs = magnitude(line_error_fs);
}

/* A time since 1970 in ns * 2^32. */
static instant from_q32(s128 q32)
{
	u128 rest;
	const s64 sec = (s64)div_u128((u128)q32, (u128)TB_NSEC_PER_SEC << 32, &rest);

	return instant_from_snsec(sec, rest, 32);
}

static s128 owed_q32(const struct run *run, const struct tk_state *state)
{
	return (s128)state->time_offset * run->params->hz;
}

/* How far the core is off the truth once it has slewed all. */
static s64 going_fs(struct run *run)
{
	struct tk_state state;

	run->tk->state(&state);
	return instant_to_fsec(
		from_q32(tk_state_told(&state) + state.ntp_error + owed_q32(run, &state)) -
		truth(run, state.cycle_last));
}

/* What the core's own page says. */
static void take_page(const struct run *run, u64 counter, struct told_line *told)
{
	struct vmclock_line line;
	const enum vmclock_error error =
		vmclock_read(host.page, VMCLOCK_PAGE_SIZE, counter_now(run), &line);

	host.seq = host.page->seq_count;
	if (error)
		host.refused = error;
	else
		*told = (struct told_line){ vmclock_utc_at(&line, counter), line.period_frac,
					    line.period_shift };
}

/* What the rule says of the core after a tick. */
static void keep(const struct run *run, const struct tk_state *state)
{
	struct published *line = &host.kept[host.count];
	const s128 told = tk_state_told(state), error = state->ntp_error,
		   owed = owed_q32(run, state);
	const s128 whole = ~(s128)0xffffffff;

	if (host.count == LINES_MAX)
		return;
	host.count++;
	line->counter = state->cycle_last;
	line->at = counter_now(run);
	line->exact.time = from_q32(told + error + owed);
	line->caused = host.told;
	/* ntp_tick < 2^63 and C * 10^9 * 2^32 < 2^95. */
	vmclock_period_ratio(state->ntp_tick, (u128)state->cycle_interval * TB_NSEC_PER_SEC << 32,
			     &line->exact.period_frac, &line->exact.period_shift);
	line->whole = line->exact;
	line->whole.time = from_q32((told & whole) + (error & whole) + (owed & whole));
	if (host.page)
		take_page(run, line->counter, &line->whole);
	host.ntp_tick = state->ntp_tick;
	host.skew_delta = state->skew_delta;
	host.told = false;
}

static void host_tick(u64 now)
{
	struct tk_state state;

	host.run->tk->tick(now);
	host.run->tk->state(&state);
	if (host.page ? host.page->seq_count != host.seq
		      : host.told || state.ntp_tick != host.ntp_tick ||
				state.skew_delta != host.skew_delta)
		keep(host.run, &state);
}

static enum tk_error tell(struct run *run, u32 modes, s64 value)
{
	struct tk_timex timex = {
		.modes = modes | TK_ADJ_STATUS | TK_ADJ_NANO,
		.status = TK_STA_PLL | TK_STA_FREQHOLD | TK_STA_NANO,
		.offset = value,
		.constant = CONSTANT,
	};

	host.told = true;
	return run->tk->adjtimex(counter_now(run), &timex);
}

/* Adds to the frequency that the core has. */
static enum tk_error tell_frequency(struct run *run, s64 by)
{
	struct tk_timex timex = { 0 };

	run->tk->adjtimex(counter_now(run), &timex);
	timex.modes = TK_ADJ_FREQUENCY;
	timex.freq += by;
	host.told = true;
	return run->tk->adjtimex(counter_now(run), &timex);
}

/*
 * Sets the frequency so that the tick length is that of the true line, as far as 2^-16 ppm go. What
 * adjtimex sets is relative to the counter's conversion, which is rounded.
 */
static enum tk_error tell_rate(struct run *run)
{
	struct tk_state state;
	u128 wanted, period;
	s128 lead;

	run->tk->state(&state);
	/* 2^-(64 + shift) s * C * 10^9 * 2^32 ns: the product is below 2^64 * 2^33 * 2^30. */
	period = (u128)host.truth.period_frac * state.cycle_interval;
	wanted = (period >> host.truth.period_shift) * TB_NSEC_PER_SEC >> 32;
	lead = (s128)wanted - state.ntp_tick;
	/* ppm * 2^16 of the nominal tick; |lead| < 2^50. */
	return tell_frequency(run, (s64)div_s128((lead << 16) * 1000000, state.ntp_tick));
}

/* Takes away what the first ticks left, in whole ns. */
static enum tk_error tell_phase(struct run *run)
{
	const s64 ns = -run_error_fs(run) / (s64)TB_FSEC_PER_NSEC;
	struct tk_timex timex = {
		.modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO,
		.time_sec = ns < 0 ? -1 : 0,
		.time_usec = ns < 0 ? ns + (s64)TB_NSEC_PER_SEC : ns,
	};

	host.told = true;
	return run->tk->adjtimex(counter_now(run), &timex);
}

/* How long the slew is watched: all but the rest. */
static u64 slew_ms(const struct run *run)
{
	return run->params->duration_ms - FIRST_MS - SETTLE_MS - 2 * STEP_MS;
}

static bool host_run(struct run *run)
{
	enum tk_error error;

	host.run = run;
	host.count = 0;
	host.told = true;
	host.page = run->tk->published ? run->tk->published() : NULL;
	host.seq = 0;
	host.refused = VMCLOCK_OK;
	run->tick = host_tick;
	error = tell_rate(run);
	run_ticks_start(run);
	run_settle(run, FIRST_MS);
	if (!error)
		error = tell_phase(run);
	run_settle(run, SETTLE_MS);
	if (!error)
		error = tell(run, TK_ADJ_OFFSET | TK_ADJ_TIMECONST, SLEW_NS);
	run_settle(run, slew_ms(run));
	host.end_fs = run_error_fs(run);
	host.going_fs = going_fs(run);
	if (!error)
		error = tell_frequency(run, STEP_PPM);
	run_settle(run, STEP_MS);
	if (!error)
		error = tell_frequency(run, -STEP_PPM);
	run_settle(run, STEP_MS);
	run_ticks_stop(run);
	run->tick = NULL;
	if (error)
		ktap_note(run->ktap, "adjtimex: %s", tk_strerror(error));
	return ktap_report(run->ktap, !error, "the host's clock can be steered by adjtimex");
}

static void to_line(const struct published *from, bool whole, struct vmclock_line *line)
{
	const struct told_line *told = whole ? &from->whole : &from->exact;

	line->counter_value = from->counter;
	line->time = told->time;
	if (line->time_type == VMCLOCK_TIME_TAI)
		line->time += instant_make(line->tai_offset_sec, 0);
	line->period_frac = told->period_frac;
	line->period_shift = told->period_shift;
}

/* The largest jump from one line to the next one while the clock was told nothing, fs. */
static s64 largest_jump_fs(bool whole)
{
	struct vmclock_line before = host.truth, line = host.truth;
	s64 jump_fs, max_fs = 0;

	for (u32 i = 0; i < host.count; i++) {
		to_line(&host.kept[i], whole, &line);
		jump_fs = magnitude(instant_to_fsec(vmclock_time_at(&line, line.counter_value) -
						    vmclock_time_at(&before, line.counter_value)));
		if (i && !host.kept[i].caused && jump_fs > max_fs)
			max_fs = jump_fs;
		before = line;
	}
	return max_fs;
}

/*
 * The guest, from the same counter value on: its error at the end of the slew, fs. `step`: it steps
 * to each line, so that it has what the line has; else it slews as usual.
 */
static bool guest_run(struct run *run, bool whole, bool step, s64 *slew_end_fs)
{
	const struct scenario_params *given = run->params;
	struct scenario_params params = *given;
	struct clock *clock = run->clock;
	struct vmclock_line line;
	u64 slew_end;

	if (step)
		params.step_ns = 0;
	run->params = &params;
	clock->reset(clock);
	slew_end = counter_now(run) + run_cycles_in_ms(run, FIRST_MS + SETTLE_MS + slew_ms(run));
	line = host.truth;
	to_line(&host.kept[0], whole, &line);
	vmclock_page_update(clock->page, &line);
	*slew_end_fs = 0;
	host.line_error_max_fs = 0;
	if (!run_start_core(run) || !run_follow(run, true)) {
		run->params = given;
		return false;
	}
	run->truth = truth;
	run->sampled = sampled;
	run_ticks_start(run);
	run_window(run);
	for (u32 i = 1; i < host.count; i++) {
		if (!*slew_end_fs && host.kept[i].at >= slew_end) {
			run_cycles(run, slew_end - counter_now(run));
			*slew_end_fs = run->last_error_fs;
		}
		run_cycles(run, host.kept[i].at - counter_now(run));
		to_line(&host.kept[i], whole, &line);
		vmclock_page_update(clock->page, &line);
	}
	run_ms(run, STEP_MS);
	run_ticks_stop(run);
	run->truth = NULL;
	run->params = given;
	return true;
}

static bool near(s64 guest_fs, s64 host_fs, s64 bound_fs)
{
	return magnitude(guest_fs - host_fs) <= bound_fs;
}

static void publish_run(struct run *run)
{
	const s64 bound_fs = END_NS * TB_FSEC_PER_NSEC + run_bound_fs(run);
	s64 exact_fs, whole_fs, slewing_fs, jump_fs, whole_jump_fs;

	if (run->params->duration_ms < FIRST_MS + SETTLE_MS + 3 * STEP_MS) {
		ktap_skip(run->ktap, "the exact line does not jump while the clock slews",
			  "the duration is below 61.51 s");
		return;
	}
	if (!run_start_core(run))
		return;
	host.truth = run->line;
	if (!host_run(run))
		return;
	if (host.refused || !host.count) {
		ktap_note(run->ktap, "the core's own page: %s",
			  host.refused ? vmclock_strerror(host.refused) : "it never changes");
		run_claim(run, false, IN_WHOLE_NS, 0);
		return;
	}
	jump_fs = largest_jump_fs(false);
	whole_jump_fs = largest_jump_fs(true);
	ktap_metric(run->ktap, "lines", host.count, 0, 0, "lines");
	ktap_metric(run->ktap, "own_page", host.page != NULL, 0, 0, "pages");
	run_metric_ns(run, "host_slewed_ns", host.end_fs);
	run_metric_ns(run, "host_going_ns", host.going_fs);
	run_metric_ns(run, "exact_jump_max_ns", jump_fs);
	run_metric_ns(run, "whole_jump_max_ns", whole_jump_fs);
	if (!guest_run(run, false, false, &slewing_fs))
		return;
	run_metric_ns(run, "slewing_slewed_ns", slewing_fs);
	if (!guest_run(run, true, true, &whole_fs))
		return;
	run_metric_ns(run, "whole_slewed_ns", whole_fs);
	run_metric_ns(run, "whole_off_line_max_ns", host.line_error_max_fs);
	if (!guest_run(run, false, true, &exact_fs))
		return;
	run_metric_ns(run, "exact_slewed_ns", exact_fs);
	run_metric_ns(run, "exact_off_line_max_ns", host.line_error_max_fs);
	run_metrics(run);
	run_claim(run, jump_fs <= TB_FSEC_PER_NSEC / 1000,
		  "the exact line does not jump while the clock slews", RESTS_ON);
	run_claim(run, whole_jump_fs <= WHOLE_NS * TB_FSEC_PER_NSEC,
		  "a line in whole ns jumps by no more than its three terms are cut", RESTS_ON);
	run_claim(run, near(exact_fs, host.going_fs, bound_fs),
		  "a guest on the exact line is where its host is going",
		  RESTS_ON | TK_REFERENCE | TK_FEED);
	run_claim(run, near(whole_fs, host.going_fs, bound_fs + WHOLE_NS * TB_FSEC_PER_NSEC),
		  IN_WHOLE_NS, RESTS_ON | TK_REFERENCE | TK_FEED);
	run_claim_sane(run);
}

const struct scenario scenario_publish = {
	.name = "publish",
	.claim = "a host's core publishes a line on which a guest's core is where the host's is "
		 "going",
	.needs = { .page = true, .virtual_clock = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 250000, [CLOCK_TSC] = 250000 },
	.run = publish_run,
};
