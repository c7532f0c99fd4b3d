// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page that follows the host's clock: a loop of some milliseconds that watches the clock, finds
 * the guest's counter, judges the guest's time, and once an interval publishes the next line.
 */
#include "vmclock/host/live.h"

#include <math.h>
#include <stdio.h>

#include "vmclock/host/bell.h"
#include "vmclock/host/counter.h"
#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"
#include "vmclock/host/recording.h"
#include "vmclock/host/stop.h"

#define WARM_UP_STEP_US 1000
#define POLL_US		2000
#define PAIR_US		10000
#define LOST_LOOK_US	200 /* at the mailbox of a guest that has been silent for long */
#define STRANGER_NS	20e3
#define STRANGERS	5

static void clock_was_set(struct live *live, s64 by_ns)
{
	window_shift(&live->window, by_ns);
	live->fit.phase_ns += by_ns;
	live->rule.was_set = true;
	live->refresh_us = 0;
}

/* A leap second is in the page at once. A page in UTC steps with it. */
static void watch_leap(struct live *live)
{
	s32 kernel_tai = live->leap.kernel_tai_sec, passed = live->leap.passed;

	if (!leap_poll(&live->leap))
		return;
	live->refresh_us = 0;
	if (!live->leap.known && live->leap.passed != passed)
		clock_was_set(live,
			      (kernel_tai - live->leap.kernel_tai_sec) * (s64)TB_NSEC_PER_SEC);
}

/* Whether the clock was set by a leap second of the list, so that TAI goes on as it did. */
static bool list_explains(struct live *live, double off_ns)
{
	s32 moves = leap_list_moves(&live->leap);

	if (!moves || fabs(off_ns + moves * 1e9) > STRANGER_NS)
		return false;
	leap_move(&live->leap, moves);
	live->refresh_us = 0;
	return true;
}

/* The clock was set when several pairs in a row agree that it was: the rate is as it was. */
static void sample_clock(struct live *live)
{
	struct pair pair;
	double off_ns;
	s32 tai_sec;

	watch_leap(live);
	tai_sec = live->leap.kernel_tai_sec;
	live_pair(live, &pair);
	watch_leap(live);
	/* Which second this pair belongs to is not known. */
	if (live->leap.kernel_tai_sec != tai_sec)
		return;
	if (live->fit.kept) {
		off_ns = (double)instant_ns(instant_from_nsec(pair.time_ns) -
					    fit_time_at(&live->fit, pair.counter));
		if (fabs(off_ns) > STRANGER_NS) {
			if (++live->window.strangers < STRANGERS)
				return;
			live->window.strangers = 0;
			if (list_explains(live, off_ns))
				return;
			clock_was_set(live, (s64)off_ns);
		}
		live->window.strangers = 0;
	}
	window_add(&live->window, &pair, SPAN_NS);
	recording_add(&pair);
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

	bell_poll();
	lines_guard(live);
	if (stop_guest_restored())
		guest_offset_forget(live);
	watch_leap(live);
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

	if (!host_device_open(&live->device, options->host_device, options->host_events))
		return false;
	live->line.clock_status = VMCLOCK_STATUS_INITIALIZING;
	live->line.disruption_marker = options->line.disruption_marker;
	live->generation = options->generation;
	lines_state_generation(live);
	/*
	 * The scale is constant: what the first line has, the page has from its beginning. Linux's
	 * driver asks for it just once, when it binds.
	 */
	lines_state_scale(live);
	if (live->device.page)
		live->line.time_type = live->device.page->time_type;
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
	return true;
}

/*
 * Waits until then, or for a change of the host's device. A guest that has been silent for long was
 * stopped: its first answer ends the wait. true: ended early.
 */
static bool wait_until(struct live *live, s64 until_us)
{
	bool changed = false, answered = false;

	if (!live->lost || !live->mailbox) {
		changed = host_device_wait(&live->device, until_us);
	} else {
		s64 now;

		while (!changed && !answered && (now = monotonic_us()) < until_us) {
			s64 next = now + LOST_LOOK_US;

			changed =
				host_device_wait(&live->device, next < until_us ? next : until_us);
			answered = exchange_answered(&live->exchange, live->mailbox);
		}
	}
	if (changed)
		live->refresh_us = 0;
	return changed || answered;
}

enum status publish_live(const struct options *options)
{
	static struct live live; /* too large for a stack */
	const char *why;
	s64 now;

	live.options = options;
	leap_find(&live.leap, options->leap_list);
	bell_init(options->notify);
	if (options->record && !recording_open(options->record))
		return STATUS_COULD_NOT;
	if (!open_all(&live))
		return STATUS_COULD_NOT;
	if (!host_counter_invariant())
		log_note("this processor does not promise that its TSC keeps its rate: the page's "
			 "error bounds hold only as long as it does");
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
		if (wait_until(&live, now))
			now = monotonic_us();
	}
	lines_end(&live);
	recording_close();
	log_end(why, live.lines);
	return STATUS_DONE;
}
