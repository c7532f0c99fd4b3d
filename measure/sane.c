// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The claims at the end of a run: no reader saw time go back, and every line of the page was
 * accepted. A page that may become usable is waited for first, so time passes here.
 */
#include "measure/measure.h"
#include "measure/reading.h"

/* Whether the publisher was killed between two updates: the page that it leaves looks valid. */
static bool publisher_stopped(const struct run *run)
{
	const struct clock *clock = run->clock;
	const u64 now = counter_now(run);
	struct vmclock_line line;

	/* Reads the page again: the line that was read last may be older than the report. */
	if (clock->is_virtual || !clock->page ||
	    vmclock_read(clock->page, clock->page_mapped, now, &line) ||
	    !vmclock_outlived(&line, now))
		return false;
	ktap_note(run->ktap,
		  "the page's line is %llu s old, though it states how fast it goes wrong: its "
		  "publisher has stopped, and the core runs on by the last line",
		  vmclock_outlived(&line, now) + VMCLOCK_LINE_SECONDS - 1);
	return true;
}

void run_claim_sane(struct run *run)
{
	bool stopped;
	u32 waits = 0;

	ktap_report(run->ktap, !run->stats->backwards, "time never goes back for a reader");
	/* Only the page's state after the wait is judged. */
	while (run_await_page(run, &waits))
		;
	stopped = publisher_stopped(run);
	if (run->refusals || run->line_error)
		ktap_note(run->ktap, "page refused %llu times, at the end: %s", run->refusals,
			  vmclock_strerror(run->line_error));
	if (run->feed_error)
		ktap_note(run->ktap, "reference refused: %s", tk_strerror(run->feed_error));
	ktap_report(run->ktap, !run->refusals && !run->line_error && !run->feed_error && !stopped,
		    "every line of the page is taken");
}
