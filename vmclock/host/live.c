// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page that follows the host's clock: a loop of some milliseconds that watches the clock, finds
 * the guest's counter, judges the guest's time, and once an interval publishes the next line.
 */
#include "vmclock/host/live.h"

#include <math.h>
#include <stdio.h>

#include "vmclock/host/counter.h"
#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"
#include "vmclock/host/stop.h"

#define WARM_UP_STEP_US 1000
#define POLL_US		2000
#define PAIR_US		10000
#define STRANGER_NS	20e3
#define STRANGERS	5

/* The clock was set when several pairs in a row agree that it was: the rate is as it was. */
static void sample_clock(struct live *live)
{
	struct pair pair;
	double off_ns;

	hostclock_pair(&live->leap, PAIR_TRIES, &pair);
	if (live->fit.kept) {
		off_ns = (double)instant_ns(instant_from_nsec(pair.time_ns) -
					    fit_time_at(&live->fit, pair.counter));
		if (fabs(off_ns) > STRANGER_NS) {
			if (++live->window.strangers < STRANGERS)
				return;
			window_shift(&live->window, (s64)off_ns);
			live->fit.phase_ns += off_ns;
			live->refresh_us = 0;
		}
		live->window.strangers = 0;
	}
	window_add(&live->window, &pair, SPAN_NS);
}

static void warm_up(struct live *live)
{
	s64 now = monotonic_us(), end = now + live->options->warm_up_us;

	while (now < end && !stop_reason()) {
		sample_clock(live);
		now += WARM_UP_STEP_US;
		sleep_until_us(now);
	}
	fit_line(&live->window, &live->fit);
}

static void refresh(struct live *live, s64 now)
{
	struct leap leap;

	leap_find(&leap, live->options->leap_list);
	/* The page's time type must not change while it is read. */
	if (leap.known == live->leap.known)
		live->leap = leap;
	lines_refresh(live);
	/* In step with the first one, however late this one was. */
	if (!live->refresh_us)
		live->refresh_us = now;
	while (live->refresh_us <= now)
		live->refresh_us += live->options->interval_us;
}

static void one_poll(struct live *live)
{
	s64 now = monotonic_us();

	lines_guard(live);
	if (now >= live->pair_us) {
		live->pair_us = now + PAIR_US;
		sample_clock(live);
	}
	if (live->offset.known)
		guest_offset_watch(live);
	else
		guest_offset_find(live);
	if (!live->offset.known)
		return;
	if (now >= live->refresh_us)
		refresh(live, now);
	lines_state_doubt(live);
	if (live->mailbox)
		verdict_give(live);
}

static bool open_all(struct live *live)
{
	const struct options *options = live->options;
	struct pagefile file;
	char why[512];

	live->line.clock_status = VMCLOCK_STATUS_INITIALIZING;
	if (!publish_open(options, &file, &live->line))
		return false;
	live->page = file.memory;
	live->written = *live->page;
	live->marker = live->line.disruption_marker;
	if (options->mailbox) {
		if (!pagefile_create(&file, options->mailbox, PAGEFILE_MAILBOX, options->force, why,
				     sizeof(why))) {
			fprintf(stderr, "vmclock-host: %s\n", why);
			return false;
		}
		live->mailbox = file.memory;
		mailbox_init(live->mailbox);
	}
	if (pagefile_open(&file, options->host_device, why, sizeof(why)) &&
	    file.size >= VMCLOCK_PAGE_SIZE)
		live->device = file.memory;
	return true;
}

enum status publish_live(const struct options *options)
{
	static struct live live; /* too large for a stack */
	const char *why;
	s64 now;

	live.options = options;
	if (!open_all(&live))
		return STATUS_COULD_NOT;
	if (!host_counter_invariant())
		log_note("this processor does not promise that its TSC keeps its rate: the page's "
			 "error bounds hold only as long as it does");
	leap_find(&live.leap, options->leap_list);
	if (!live.leap.known)
		log_note("no TAI offset: neither the kernel nor a list of leap seconds has it, so "
			 "the page carries UTC");
	live.started_us = monotonic_us();
	warm_up(&live);
	if (!stop_reason())
		one_poll(&live);
	if (!stop_reason())
		log_ready(options->page, !live.published);
	now = monotonic_us();
	while (!(why = stop_reason())) {
		one_poll(&live);
		now += POLL_US;
		/* After a stop of the whole machine, do not catch up. */
		if (now < monotonic_us())
			now = monotonic_us() + POLL_US;
		sleep_until_us(now);
	}
	lines_end(&live);
	log_end(why, live.lines);
	return STATUS_DONE;
}
