// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lines of a page that follows the host's clock: computes the next one and its stated errors,
 * and adds to these errors while the guest does not answer. No other file writes the page.
 */
#include <math.h>
#include <string.h>

#include "vmclock/host/bell.h"
#include "vmclock/host/counter.h"
#include "vmclock/host/live.h"
#include "vmclock/host/log.h"
#include "vmclock/host/stop.h"

/* How much the clock's rate may have changed since the fit: without a daemon, and with one. */
#define WANDER_FREE    10e-9
#define WANDER_STEERED 100e-9
#define DOUBT_US       20000  /* usual silence on a busy host: not added to the error */
#define LOST_US	       100000 /* of silence after which the page says "unknown" */
#define TAMPER_NOTE_US 1000000
#define TAKE_NS	       50e6 /* a guest at HZ 24 looks at the page as rarely */

static const struct steered no_steering;

static long double stated_ns(const struct vmclock_line *line, u64 counter)
{
	long double rate = ldexpl(line->period_maxerror, -64 - line->period_shift) * 1e9L;

	return line->time_maxerror_ns +
	       fabsl((long double)(s64)(counter - line->counter_value)) * rate;
}

long double lines_stated_ns(const struct live *live, u64 counter)
{
	long double stated = stated_ns(&live->line, counter);

	for (u32 i = 0; i < REPLACED && i < live->replacements; i++) {
		const struct replaced *each = &live->replaced[i];
		long double since_ns = (s64)(counter - each->counter) * line_period_ns(&each->line);

		if (since_ns < TAKE_NS)
			stated = fmaxl(stated, stated_ns(&each->line, counter));
	}
	return stated;
}

/* Remembers the present line, which another one is about to replace at this guest counter. */
static void keep_replaced(struct live *live, u64 counter)
{
	live->replaced[live->replacements++ % REPLACED] =
		(struct replaced){ .line = live->line, .counter = counter };
}

/* Writes the line to the page, with the additional error of the moment. */
static void write_page(struct live *live)
{
	struct vmclock_line line = live->line;

	line.time_maxerror_ns += (u64)live->stated_doubt_us * 1000;
	if (live->lost && live->published)
		line.clock_status = VMCLOCK_STATUS_UNKNOWN;
	if (live->options->notify)
		line.flags |= VMCLOCK_FLAG_NOTIFICATION;
	vmclock_page_update(live->page, &line);
	bell_ring();
	live->written = *live->page;
}

static void put(struct live *live, const struct steered *steered)
{
	if (live->options->status >= 0)
		live->line.clock_status = (u8)live->options->status;
	live->published = true;
	write_page(live);
	live->lines++;
	log_line(&live->line, steered);
}

static u64 rate_frac(const struct vmclock_line *line, double relative)
{
	return (u64)ceill((long double)line->period_frac * relative);
}

void lines_state_generation(struct live *live)
{
	if (!live->options->generation_known)
		return;
	live->line.flags |= VMCLOCK_FLAG_VM_GEN_COUNTER;
	live->line.vm_generation_counter = live->generation;
}

void lines_state_scale(struct live *live)
{
	struct vmclock_line *line = &live->line;

	line->time_type = VMCLOCK_TIME_UTC;
	line->leap_indicator = live->leap.indicator;
	if (live->leap.known) {
		line->flags |= VMCLOCK_FLAG_TAI_OFFSET_VALID;
		line->time_type = VMCLOCK_TIME_TAI;
		line->tai_offset_sec = live->leap.tai_offset_sec;
	}
}

static void state_errors(struct live *live, const struct steered *steered)
{
	struct vmclock_line *line = &live->line;
	bool synchronized = hostclock_synchronized();
	double offset_ns = (double)live->offset.half_width * live_period_ns(live);
	double off_ns = fabs(steered->left_ns), excess = fabs(steered->excess_ns_per_s) * 1e-9;
	double wander = synchronized ? WANDER_STEERED : WANDER_FREE;
	const struct fit *fit = &live->fit;

	line->clock_status =
		synchronized ? VMCLOCK_STATUS_SYNCHRONIZED : VMCLOCK_STATUS_FREERUNNING;
	line->time_esterror_ns =
		(u64)ceil(off_ns + fit->rms_ns + fit->bracket_ns / 2 + offset_ns / 2);
	line->time_maxerror_ns =
		(u64)ceil(off_ns + fit->worst_ns + fit->bracket_ns + offset_ns + 1);
	line->period_esterror = rate_frac(line, fit->period_error + excess);
	line->period_maxerror = rate_frac(line, 4 * fit->period_error + excess + wander);
	line->flags = VMCLOCK_FLAG_PERIOD_ESTERROR | VMCLOCK_FLAG_PERIOD_MAXERROR |
		      VMCLOCK_FLAG_TIME_ESTERROR | VMCLOCK_FLAG_TIME_MAXERROR;
	lines_state_generation(live);
	lines_state_scale(live);
}

static void publish_fit(struct live *live)
{
	struct steered steered = { 0 };
	struct target target;
	u64 now;

	if (fit_bent(&live->window, &live->fit))
		window_keep(&live->window, SPAN_NS / 4);
	if (!fit_line(&live->window, &live->fit))
		return;
	now = host_counter();
	target = (struct target){
		.counter = offset_to_guest(&live->offset, now),
		.time = fit_time_at(&live->fit, now),
		.period_ns = live->fit.period_ns / offset_scale(&live->offset),
		.refresh_s = (double)live->options->interval_us / 1e6,
	};
	if (live->published) {
		keep_replaced(live, target.counter);
		steer_line(&live->line, &target, &steered);
	} else {
		live->line.counter_value = target.counter;
		live->line.time = target.time;
		fit_period(target.period_ns, &live->line.period_frac, &live->line.period_shift);
	}
	live->line.disruption_marker = live->marker;
	state_errors(live, &steered);
	put(live, &steered);
}

/* A device that never had a line is ignored. After a device had a line, its refusal is followed. */
static void publish_device_fault(struct live *live, enum vmclock_error error)
{
	if ((live->lines && !live->published) || vmclock_may_pass(error))
		return;
	log_note("%s: %s", live->options->host_device, vmclock_strerror(error));
	if (!live->lines) {
		live->device.page = NULL;
		return;
	}
	live->line.clock_status = VMCLOCK_STATUS_UNRELIABLE;
	live->published = false;
	write_page(live);
	log_line(&live->line, &no_steering);
}

/* The kernel's own line, moved into guest terms. Its writer steers it. */
static void publish_device(struct live *live)
{
	struct vmclock_line line;
	enum vmclock_error error =
		vmclock_read(live->device.page, VMCLOCK_PAGE_SIZE, host_counter(), &line);

	if (error) {
		publish_device_fault(live, error);
		return;
	}
	if (live->published && line.seq_count == live->device_seq)
		return;
	live->device_seq = line.seq_count;
	if (live->published)
		keep_replaced(live, offset_to_guest(&live->offset, host_counter()));
	live->line = line;
	lines_state_generation(live);
	live->line.disruption_marker += live->marker;
	live->line.counter_value = offset_to_guest(&live->offset, line.counter_value);
	if (live->offset.ratio_bits)
		fit_period(line_period_ns(&line) / offset_scale(&live->offset),
			   &live->line.period_frac, &live->line.period_shift);
	live->line.time_maxerror_ns +=
		(u64)ceil((double)live->offset.half_width * (double)line_period_ns(&line));
	put(live, &no_steering);
}

/* By the kernel's rule, which states no errors: a line may stay for ever. */
static void publish_rule(struct live *live)
{
	long double period_ns;
	struct pair pair;
	s64 offset_ns;

	if (!fit_line(&live->window, &live->fit) ||
	    (!rule_due(&live->rule, &live->fit, &period_ns, &offset_ns) && live->published))
		return;
	live_pair(live, &pair);
	if (live->published)
		keep_replaced(live, offset_to_guest(&live->offset, pair.counter));
	live->line.counter_value = offset_to_guest(&live->offset, pair.counter);
	live->line.time = instant_from_nsec(pair.time_ns + offset_ns);
	fit_period(period_ns / offset_scale(&live->offset), &live->line.period_frac,
		   &live->line.period_shift);
	live->line.disruption_marker = live->marker;
	state_errors(live, &no_steering);
	live->line.flags &= ~(VMCLOCK_FLAG_PERIOD_ESTERROR | VMCLOCK_FLAG_PERIOD_MAXERROR |
			      VMCLOCK_FLAG_TIME_ESTERROR | VMCLOCK_FLAG_TIME_MAXERROR);
	live->line.period_esterror = live->line.period_maxerror = 0;
	live->line.time_esterror_ns = live->line.time_maxerror_ns = 0;
	put(live, &no_steering);
}

void lines_refresh(struct live *live)
{
	if (live->options->kernels_rule) {
		publish_rule(live);
		return;
	}
	if (live->device.page)
		publish_device(live);
	if (!live->device.page)
		publish_fit(live);
}

void lines_state_doubt(struct live *live)
{
	s64 doubt_us = guest_offset_doubt_us(live);
	bool lost = doubt_us > LOST_US, changed;

	if (!live->published)
		return;
	if (doubt_us <= DOUBT_US) {
		if (!live->stated_doubt_us)
			return;
		doubt_us = 0;
	} else if (doubt_us < live->stated_doubt_us && (lost || !live->lost)) {
		return; /* covered by what is stated */
	}
	changed = lost != live->lost;
	live->lost = lost;
	/* Stating twice the doubt stays valid for the same time again. */
	live->stated_doubt_us = 2 * doubt_us;
	write_page(live);
	if (changed)
		log_guest(!lost, doubt_us);
}

void lines_disrupt(struct live *live)
{
	live->marker++;
	live->published = false;
	live->replacements = 0;
	live->lost = false;
	live->stated_doubt_us = 0;
	if (live->device.page)
		live->line.disruption_marker++;
	else
		live->line.disruption_marker = live->marker;
	live->line.clock_status = VMCLOCK_STATUS_INITIALIZING;
	write_page(live);
	log_disrupted(live->line.disruption_marker);
}

void lines_guard(struct live *live)
{
	const struct vmclock_abi *was = &live->written;
	volatile struct vmclock_abi *page = live->page;
	s64 now = monotonic_us();

	if (!memcmp(live->page, was, sizeof(*was)))
		return;
	if (now >= live->tampered_us) {
		live->tampered_us = now + TAMPER_NOTE_US;
		log_note("somebody else wrote into the page (a restored snapshot, or the guest): "
			 "it is written again, as a disruption");
	}
	page->magic = VMCLOCK_MAGIC;
	page->size = was->size;
	page->version = was->version;
	page->seq_count = was->seq_count;
	live->marker++;
	live->line.disruption_marker++;
	live->generation++;
	lines_state_generation(live);
	write_page(live);
}

void lines_end(struct live *live)
{
	live->published = false;
	live->line.clock_status = VMCLOCK_STATUS_UNRELIABLE;
	write_page(live);
}
