// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: publishers that are killed at any moment, and started again, leave no guest behind that
 * hangs, reads a torn line, or believes a dead publisher's line for longer than that line allows.
 * On the real clock the host kills them (tickbench disrupt kill --count N), on the virtual one the
 * scenario is the publisher. Each publisher's first marker is 2^32 or more above that of the last.
 */
#include "lib/math.h"
#include "measure/disruption.h"
#include "measure/reading.h"
#include "scenario/list.h"
#include "vmclock/observe.h"

#define STARTS_SHIFT 32
#define LOOKS	     16
#define LOOK_MS	     1
#define PATIENCE_MS  10000
#define AFTER_MS     500
/* The virtual clock's publishers: how long they live, initialize, and are dead. */
#define ALIVE_MS     300
#define STARTING_MS  20
#define DEAD_MS	     30
#define LONG_DEAD_MS 6500 /* one in eight: longer than its line is valid */
#define OWN_ERROR_NS 100

static struct {
	struct observation page;
	struct vmclock_line line; /* the last one that the core was told */
	bool told;
	u64 first_marker;
	u64 lines, held_to; /* lines, and those that could be held to the line before */
	u64 beyond;	    /* of these, those that were out of both errors */
	s64 beyond_max_fs;
	s64 believed_max_fs; /* the greatest age of a line that was believed */
	bool ended;	     /* the present line has outlived itself */
	u64 ends;
} seen;

/* The error that a line states for a counter value, fs. */
static s64 stated_fs(const struct vmclock_line *line, u64 counter)
{
	const u64 cycles = (u64)magnitude((s64)(counter - line->counter_value));
	const u128 grown = (u128)cycles * line->period_maxerror >> line->period_shift;
	const u64 most_ns = TB_NSEC_PER_SEC; /* a line that is a second off says no more */
	u64 ns = line->time_maxerror_ns < most_ns ? line->time_maxerror_ns : most_ns;

	return (s64)ns * TB_FSEC_PER_NSEC + instant_to_fsec((instant)grown);
}

/* The core was told a line. The counter was not disrupted: the dead publisher's line still holds.
 */
static void told(struct run *run)
{
	const struct vmclock_line *line = &run->line;
	u64 now = counter_now(run);
	s64 off_fs;

	seen.lines++;
	if (seen.told && seen.line.disruption_marker != line->disruption_marker) {
		off_fs = magnitude(instant_to_fsec(vmclock_utc_at(line, now) -
						   vmclock_utc_at(&seen.line, now)));
		off_fs -= stated_fs(line, now) + stated_fs(&seen.line, now);
		seen.held_to++;
		seen.beyond += off_fs > 0;
		if (off_fs > seen.beyond_max_fs)
			seen.beyond_max_fs = off_fs;
	}
	seen.line = *line;
	seen.told = true;
}

/* The age that the run's line has, if the run believes it. */
static void note_belief(struct run *run)
{
	const u64 now = counter_now(run);
	s64 age_fs;

	/* After `now`, so that a line which has outlived itself by then is known to have. */
	run_notice(run);
	if (run->line_ended && !seen.ended)
		seen.ends++;
	seen.ended = run->line_ended;
	if (run->time_unknown || run->line_ended)
		return;
	age_fs = instant_to_fsec(vmclock_utc_at(&run->line, now) -
				 vmclock_utc_at(&run->line, run->line.counter_value));
	if (age_fs > seen.believed_max_fs)
		seen.believed_max_fs = age_fs;
}

static void pass(struct run *run, u64 ms)
{
	for (u64 passed = 0; passed < ms; passed += LOOK_MS) {
		run_ms(run, LOOK_MS);
		note_belief(run);
		for (u32 i = 0; i < LOOKS; i++)
			observe_look(&seen.page, counter_now(run));
	}
}

/* How many publishers were started since the first one. */
static u64 starts(const struct run *run)
{
	return (run->shown_marker - seen.first_marker) >> STARTS_SHIFT;
}

/* --- The virtual clock's publishers. */

static void write_line(struct run *run, u8 status, u64 marker)
{
	const u64 now = counter_now(run);
	struct vmclock_line line = run->line;

	line.time = vmclock_time_at(&line, now);
	line.counter_value = now;
	line.clock_status = status;
	line.disruption_marker = marker;
	line.flags |= VMCLOCK_FLAG_TIME_MAXERROR | VMCLOCK_FLAG_PERIOD_MAXERROR;
	line.time_maxerror_ns = OWN_ERROR_NS;
	line.period_maxerror = 1;
	vmclock_page_update(run->clock->page, &line);
}

/* One lives, dies in the middle of an update, and another one begins. */
static void one_life(struct run *run, u64 number)
{
	const u64 marker = seen.first_marker + (number << STARTS_SHIFT);

	write_line(run, VMCLOCK_STATUS_SYNCHRONIZED, marker);
	pass(run, ALIVE_MS);
	run->clock->page->seq_count |= 1;
	pass(run, number % 8 == 7 ? LONG_DEAD_MS : DEAD_MS);
	write_line(run, VMCLOCK_STATUS_INITIALIZING, marker + (1ULL << STARTS_SHIFT));
	pass(run, STARTING_MS);
}

static void live_and_die(struct run *run)
{
	u64 number;

	for (number = 0; number < run->params->disruptions; number++)
		one_life(run, number);
	write_line(run, VMCLOCK_STATUS_SYNCHRONIZED, seen.first_marker + (number << STARTS_SHIFT));
	pass(run, ALIVE_MS);
}

/* --- The real clock's. */

static void await_deaths(struct run *run)
{
	u64 ms;

	for (ms = 0; ms < run->params->duration_ms; ms += LOOK_MS) {
		if (starts(run) >= run->params->disruptions && !run->time_unknown)
			break;
		pass(run, LOOK_MS);
	}
	for (ms = 0; (run->time_unknown || run->line_error) && ms < PATIENCE_MS; ms += LOOK_MS)
		pass(run, LOOK_MS);
	pass(run, AFTER_MS);
}

static void report(struct run *run)
{
	struct ktap *ktap = run->ktap;

	ktap_metric(ktap, "starts", (s128)starts(run), 0, 0, "publishers");
	ktap_metric(ktap, "lines", (s128)seen.lines, 0, 0, "lines");
	ktap_metric(ktap, "looks", (s128)seen.page.looks, 0, 0, "looks");
	ktap_metric(ktap, "torn", (s128)seen.page.silent_changes, 0, 0, "reads");
	ktap_metric(ktap, "held_to_a_dead_line", (s128)seen.held_to, 0, 0, "lines");
	ktap_metric(ktap, "lines_ended", (s128)seen.ends, 0, 0, "lines");
	ktap_metric(ktap, "believed_max_ms", seen.believed_max_fs, 12, 3, "ms");
	if (seen.beyond)
		run_metric_ns(run, "beyond_error_ns", seen.beyond_max_fs);
}

static void killed_run(struct run *run)
{
	struct clock *clock = run->clock;

	seen.told = seen.ended = false;
	seen.lines = seen.held_to = seen.beyond = seen.ends = 0;
	seen.beyond_max_fs = seen.believed_max_fs = 0;
	if (!run_start_core(run))
		return;
	run_ticks_start(run);
	run->told = told;
	if (!run_follow(run, true)) {
		run_ticks_stop(run);
		return;
	}
	seen.first_marker = run->line.disruption_marker;
	run_window(run);
	observe_begin(&seen.page, clock->page, clock->page_mapped);
	if (clock->page_is_ours)
		live_and_die(run);
	else
		await_deaths(run);
	run_claim_host(run);
	run_ticks_stop(run);
	run_metrics(run);
	report(run);
	ktap_report(run->ktap, starts(run) >= run->params->disruptions && !run->time_unknown,
		    "every publisher that was started is noticed, and the last one followed");
	ktap_report(run->ktap, !seen.page.silent_changes && !seen.page.outside,
		    "no line is read torn, whenever its publisher was killed");
	ktap_report(run->ktap, seen.believed_max_fs <= VMCLOCK_LINE_SECONDS * (s64)TB_FSEC_PER_SEC,
		    "no line of a dead publisher is believed for more than 5 s");
	ktap_report(run->ktap, !seen.beyond,
		    "a dead publisher's line is within its stated error of the next one's");
	run_claim_sane(run);
}

const struct scenario scenario_killed = {
	.name = "killed",
	.claim = "publishers that are killed at any moment leave no guest behind",
	.needs = { .page = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 10000, [CLOCK_TSC] = 10000 },
	.run = killed_run,
};
