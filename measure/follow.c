// SPDX-License-Identifier: GPL-2.0-or-later
/* Follows the page: reads it at the start and at each change, and passes it to the core. */
#include "lib/math.h"
#include "measure/disruption.h"
#include "measure/markers.h"
#include "measure/measure.h"
#include "measure/reading.h"

#define AWAIT_TRIES	 150 /* how often a page that may become usable is waited for, */
#define AWAIT_PER_SECOND 50  /* and the inverse of how long each time */

/* Reads the page into run->line; true if it can be followed. */
bool run_read_page(struct run *run)
{
	struct clock *clock = run->clock;
	struct vmclock_line line;

	if (!clock->page) {
		run->line_error = clock->page_error;
		return false;
	}
	vmclock_look(clock->page, &run->seen);
	/* A counter before its line's is refused as another machine's. The virtual one may have
	 * wrapped, and its own page is not another's: 0 leaves that check out. */
	run->line_error = vmclock_read(
		clock->page, clock->page_mapped,
		clock->is_virtual && clock->page_is_ours ? 0 : counter_now(run), &line);
	if (!run->line_error || run->line_error == VMCLOCK_STATUS_IS_INITIALIZING ||
	    run->line_error == VMCLOCK_STATUS_IS_UNKNOWN)
		run->shown_marker = line.disruption_marker;
	/* As of a page that is being made: its next line may be the new one. */
	if (!run->line_error && markers_void(run, &line))
		run->line_error = VMCLOCK_STATUS_IS_INITIALIZING;
	if (run->line_error) {
		run->refusals += !vmclock_may_pass(run->line_error);
		return false; /* the old line still serves */
	}
	run->line = line;
	run->line_ended = vmclock_outlived(&line, counter_now(run)) != 0;
	return true;
}

bool run_page_time_fits(const struct run *run)
{
	const s64 sec = (s64)(vmclock_utc_at(&run->line, counter_now(run)) >> 64);

	return sec >= 0 && sec < TK_SEC_MAX;
}

static void reference_of(const struct run *run, u32 step_ns, struct tk_reference *reference)
{
	const struct vmclock_line *line = &run->line;
	const u64 now = counter_now(run);
	/* A core takes a counter half its width behind to be ahead: on a narrow one, an old line is
	 * told by a newer point of it. */
	const bool near =
		magnitude((s64)(now - line->counter_value)) <= (s64)(run->clock->counter.mask >> 2);
	const u64 counter = near ? line->counter_value : now;

	*reference = (struct tk_reference){
		.counter = counter,
		.time = vmclock_utc_at(line, counter),
		.period_frac = line->period_frac,
		.period_shift = line->period_shift,
		.step_ns = step_ns,
		.rule = run->phase_rule,
	};
}

/* A lifted core always can: one without a reference of its own gets this code's. */
static bool can_follow(const struct run *run)
{
	if (run->tk != &tk_native)
		return true;
	return run->switches & TK_REFERENCE && run->switches & TK_FEED;
}

/*
 * For a core without a reference: sets the time by settimeofday and the rate by adjtimex. A tick of
 * adjtimex is a whole number of microseconds, which gives the rate's whole multiples of 100 ppm.
 * freq gives the rest in units of 2^-16 ppm.
 */
static enum tk_error set_by_hand(struct run *run)
{
	const struct tk_ops *tk = run->tk;
	const u64 hz = tk_counter_registered_hz(&run->clock->counter);
	const s64 tick_ppm = 100; /* one us of a 10 ms USER_HZ tick */
	struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY | TK_ADJ_TICK };
	u64 now = counter_now(run);
	instant at = vmclock_utc_at(&run->line, now);
	/* The rate is the line's time over one nominal second of cycles, less a second. */
	instant second = vmclock_utc_at(&run->line, now + hz) - at;
	s64 rate = instant_to_fsec(second - ((instant)1 << 64)); /* 10^-15: 10^9 is 1 ppm */
	enum tk_error error;
	s64 sec;
	u32 nsec;

	instant_to_timespec(at, &sec, &nsec);
	error = tk->settime(now, sec, nsec);
	if (error)
		return error;
	timex.tick = 10000 + rate / 1000000000 / tick_ppm;
	rate -= (timex.tick - 10000) * tick_ppm * 1000000000;
	timex.freq = (rate * 65536 + (rate < 0 ? -500000000 : 500000000)) / 1000000000;
	return tk->adjtimex(now, &timex);
}

static void feed(struct run *run, u32 step_ns)
{
	struct tk_reference reference;

	if (can_follow(run)) {
		reference_of(run, step_ns, &reference);
		run->feed_error = run->tk->set_reference(counter_now(run), &reference);
	} else {
		run->feed_error = set_by_hand(run);
	}
	run->feeds++;
	if (run->told)
		run->told(run);
}

/*
 * The page has changed: reads it again, and makes the core follow. A disruption makes the earlier
 * line invalid.
 */
static void page_changed(struct run *run)
{
	struct clock *clock = run->clock;
	const struct vmclock_line before = run->line;
	bool disrupted;
	u64 now, moved_fs;

	/*
	 * The tick is on here, because a page whose writer has died may take a while to be refused.
	 */
	if (!run_read_page(run)) {
		if (run->shown_marker != before.disruption_marker)
			disruption_notice(run, &before);
		return;
	}
	run->changes++;
	disrupted = run->line.disruption_marker != before.disruption_marker ||
		    run->line.vm_generation_counter != before.vm_generation_counter;
	if (disrupted || run->time_unknown) {
		disrupted = true;
		disruption_notice(run, &before);
		disruption_line(run);
	}
	now = counter_now(run);
	moved_fs = (u64)magnitude(
		instant_to_fsec(vmclock_utc_at(&run->line, now) - vmclock_utc_at(&before, now)));
	run->disruptions += disrupted;
	if (!disrupted) {
		run->moved_fs += moved_fs;
		if (moved_fs > run->moved_max_fs)
			run->moved_max_fs = moved_fs;
	}
	if (run->following && can_follow(run)) {
		clock->lock(clock->context);
		feed(run, disrupted || disruption_recent(run, now) ? 0 : run->params->step_ns);
		clock->unlock(clock->context);
	}
}

void run_notice(struct run *run)
{
	const struct clock *clock = run->clock;

	markers_notice(run);
	if (clock->page && vmclock_changed(clock->page, &run->seen))
		page_changed(run);
	/* Most lines state no such error, and are valid for ever. */
	if (run->line.period_maxerror && !run->line_ended)
		run->line_ended = vmclock_outlived(&run->line, counter_now(run)) != 0;
}

bool run_start_core(struct run *run)
{
	const struct scenario_params *params = run->params;
	struct clock *clock = run->clock;
	struct tk_setup setup = {
		.counter = clock->counter,
		.hz = params->hz,
		.switches = run->switches,
		.now = counter_now(run),
		.sec = 1700000000,
	};
	enum tk_error error;

	run->following = false;
	run->read_before = false;
	markers_begin(run);
	run->target_fs = 0;
	run->moved_fs = run->moved_max_fs = 0;
	run->account_max_fs = 0;
	/* Where the page is refused for a moment, its last line tells the time as well. */
	if (clock->page && (run_read_page(run) || run->line.period_frac) && run_page_time_fits(run))
		instant_to_timespec(vmclock_utc_at(&run->line, setup.now), &setup.sec, &setup.nsec);
	error = run->tk->init(&setup);
	if (error)
		ktap_note(run->ktap, "init: %s", tk_strerror(error));
	return ktap_report(run->ktap, !error, "the core starts");
}

static bool follow(struct run *run, u32 step_ns)
{
	struct clock *clock = run->clock;

	clock->lock(clock->context);
	run->feed_error = TK_OK;
	if (run_read_page(run))
		feed(run, step_ns);
	clock->unlock(clock->context);
	run->following = !run->line_error && !run->feed_error;
	return run->following;
}

bool run_refollow(struct run *run)
{
	return follow(run, 0);
}

bool run_await_page(struct run *run, u32 *waits)
{
	struct clock *clock = run->clock;

	if (!vmclock_may_pass(run->line_error) || *waits == AWAIT_TRIES)
		return false;
	(*waits)++;
	clock->run_until(clock, counter_now(run) + clock->counter.hz / AWAIT_PER_SECOND);
	return true;
}

bool run_follow(struct run *run, bool step)
{
	u32 waits = 0;

	do {
		follow(run, step ? 0 : run->params->step_ns);
	} while (run_await_page(run, &waits));
	if (run->line_error)
		ktap_note(run->ktap, "page: %s", vmclock_strerror(run->line_error));
	if (run->feed_error)
		ktap_note(run->ktap, "reference: %s", tk_strerror(run->feed_error));
	return run_claim(run, run->following,
			 can_follow(run) ? "the core takes the page's line as its reference"
					 : "the core takes the line's time and rate by hand",
			 0);
}

void run_publish(struct run *run, instant time, s64 rate_ppt, u64 disruption_marker)
{
	struct clock *clock = run->clock;
	struct vmclock_line line = run->line;

	line.counter_value = counter_now(run);
	line.time = time;
	if (line.time_type == VMCLOCK_TIME_TAI)
		line.time += instant_make(line.tai_offset_sec, 0);
	line.disruption_marker = disruption_marker;
	vmclock_period_from_hz(clock->counter.hz, rate_ppt, &line.period_frac, &line.period_shift);
	vmclock_page_update(clock->page, &line);
}
