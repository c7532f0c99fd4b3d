// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page that follows the host's clock: a loop of some milliseconds that watches the clock, finds
 * the guest's counter, judges the guest's time, and once an interval publishes the next line.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmclock/host/counter.h"
#include "vmclock/host/fit.h"
#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"
#include "vmclock/host/steer.h"
#include "vmclock/host/stop.h"

#define SPAN_NS		16000000000LL /* of the window that is fitted */
#define WARM_UP_STEP_US 1000
#define POLL_US		2000
#define PAIR_US		10000
#define PAIR_TRIES	8
#define ASK_US		100000 /* exchanges once the offset is known */
#define PATIENCE_US	300    /* for one answer */
#define BURST_US	200000
#define LONG_BURST_US	1500000
#define WIDE_NS		4000
#define BURST_IDLE	2000 /* exchanges that told nothing new: enough */
#define STRANGER_NS	20e3
#define STRANGERS	5
#define COMPLAIN_US	5000000
/* How fast the clock's rate may have changed unseen since the fit: without a daemon, and with one.
 */
#define WANDER_FREE    10e-9
#define WANDER_STEERED 100e-9
#define POST_AGE_NS    10e9 /* an older post cannot be judged */

struct live {
	const struct options *options;
	struct vmclock_abi *page;
	struct mailbox *mailbox;	  /* or NULL */
	const struct vmclock_abi *device; /* /dev/vmclock_host, or NULL */
	struct leap leap;
	struct window window;
	struct fit fit;
	struct offset offset;
	struct exchange exchange;
	struct vmclock_line line; /* as published, in guest terms */
	bool published;
	u32 device_seq;
	u64 marker; /* ours; what a device says is added */
	u64 lines, judged;
	s64 started_us, pair_us, ask_us, refresh_us;
	bool complained;
};

static double period_ns(const struct live *live)
{
	return (double)live->fit.period_ns;
}

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

static s32 qemu_pid(const struct live *live)
{
	FILE *file;
	int pid;

	if (live->options->qemu_pid || !live->options->qemu_pidfile)
		return live->options->qemu_pid;
	file = fopen(live->options->qemu_pidfile, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

static bool choice_allows(const struct live *live, enum offset_choice choice)
{
	return live->options->offset == OFFSET_AUTO || live->options->offset == choice;
}

static bool ask_kvm(const struct live *live, struct offset *offset)
{
	s32 pid = choice_allows(live, OFFSET_KVM) ? qemu_pid(live) : 0;

	return pid && offset_from_kvm(offset, live->options->debugfs, pid);
}

static enum exchange_result ask_mailbox(struct live *live)
{
	u64 patience = (u64)(PATIENCE_US * 1000 / period_ns(live));

	return exchange_once(&live->exchange, live->mailbox, patience);
}

/*
 * The guest answers: ask it until more answers tell nothing more, and longer if on a busy machine
 * they are all too slow to tell much.
 */
static void ask_in_a_burst(struct live *live)
{
	s64 start = monotonic_us(), took = 0;
	double width_ns = INFINITY;
	u32 idle = 0;

	while (took < BURST_US || (took < LONG_BURST_US && width_ns > WIDE_NS)) {
		u64 width = live->exchange.high - live->exchange.low;

		if (ask_mailbox(live) == EXCHANGE_SILENT)
			sleep_until_us(monotonic_us() + PATIENCE_US);
		else if (live->exchange.high - live->exchange.low < width)
			idle = 0;
		else if (++idle == BURST_IDLE)
			break;
		width_ns = (double)(live->exchange.high - live->exchange.low) * period_ns(live);
		took = monotonic_us() - start;
		if (stop_reason())
			break;
	}
}

static void find_offset(struct live *live)
{
	switch (live->options->offset) {
	case OFFSET_NONE:
		return offset_given(&live->offset, 0, "none");
	case OFFSET_CYCLES:
		return offset_given(&live->offset, live->options->offset_cycles, "given");
	default:
		break;
	}
	if (ask_kvm(live, &live->offset))
		return;
	if (live->mailbox && choice_allows(live, OFFSET_MAILBOX)) {
		if (ask_mailbox(live) == EXCHANGE_SILENT)
			return;
		ask_in_a_burst(live);
		offset_from_exchange(&live->offset, &live->exchange);
	} else if (live->options->offset == OFFSET_AUTO && !live->options->qemu_pid &&
		   !live->options->qemu_pidfile) {
		offset_given(&live->offset, 0, "none");
	} else if (!live->complained && monotonic_us() - live->started_us > COMPLAIN_US) {
		live->complained = true;
		log_note("KVM does not tell the guest's counter in %s (not mounted, not readable, "
			 "or no KVM): give --mailbox FILE too",
			 live->options->debugfs);
	}
}

static enum offset_change ask_again(struct live *live)
{
	struct offset now = live->offset;

	if (live->offset.source[0] == 'k') {
		if (!ask_kvm(live, &now) ||
		    (now.offset == live->offset.offset && now.ratio == live->offset.ratio))
			return OFFSET_KEPT;
		live->offset = now;
		return OFFSET_MOVED;
	}
	if (live->offset.source[0] == 'm') {
		bool moved = ask_mailbox(live) == EXCHANGE_CONTRADICTS;

		if (moved)
			ask_in_a_burst(live);
		if (offset_from_exchange(&live->offset, &live->exchange))
			return moved ? OFFSET_MOVED : OFFSET_REFINED;
	}
	return OFFSET_KEPT;
}

/* A known offset, looked at again: a guest that was paused, reset or replaced has another one. */
static void watch_offset(struct live *live)
{
	enum offset_change change = ask_again(live);

	if (change == OFFSET_KEPT)
		return;
	if (change == OFFSET_MOVED) {
		live->marker++;
		live->published = false;
	}
	live->refresh_us = 0;
	log_offset(&live->offset, &live->exchange, period_ns(live));
}

static u64 rate_frac(const struct vmclock_line *line, double relative)
{
	return (u64)ceill((long double)line->period_frac * relative);
}

static void put(struct live *live, const struct steered *steered)
{
	if (live->options->status >= 0)
		live->line.clock_status = (u8)live->options->status;
	vmclock_page_update(live->page, &live->line);
	live->published = true;
	live->lines++;
	log_line(&live->line, steered);
}

static void state_errors(struct live *live, const struct steered *steered)
{
	struct vmclock_line *line = &live->line;
	bool synchronized = hostclock_synchronized();
	double offset_ns = (double)live->offset.half_width * period_ns(live);
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
	line->time_type = VMCLOCK_TIME_UTC;
	line->leap_indicator = live->leap.indicator;
	if (live->leap.known) {
		line->flags |= VMCLOCK_FLAG_TAI_OFFSET_VALID;
		line->time_type = VMCLOCK_TIME_TAI;
		line->tai_offset_sec = live->leap.tai_offset_sec;
	}
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

/* A device that never had a line is passed over; one that had is believed when it says no. */
static void publish_device_fault(struct live *live, enum vmclock_error error)
{
	struct steered steered = { 0 };

	if ((live->lines && !live->published) || vmclock_may_pass(error))
		return;
	log_note("%s: %s", live->options->host_device, vmclock_strerror(error));
	if (!live->lines) {
		live->device = NULL;
		return;
	}
	live->line.clock_status = VMCLOCK_STATUS_UNRELIABLE;
	vmclock_page_update(live->page, &live->line);
	live->published = false;
	log_line(&live->line, &steered);
}

/* The kernel's own line, moved into guest terms. It is its writer who steers it. */
static void publish_device(struct live *live)
{
	struct steered steered = { 0 };
	struct vmclock_line line;
	enum vmclock_error error =
		vmclock_read(live->device, VMCLOCK_PAGE_SIZE, host_counter(), &line);

	if (error) {
		publish_device_fault(live, error);
		return;
	}
	if (live->published && line.seq_count == live->device_seq)
		return;
	live->device_seq = line.seq_count;
	live->line = line;
	live->line.disruption_marker += live->marker;
	live->line.counter_value = offset_to_guest(&live->offset, line.counter_value);
	if (live->offset.ratio_bits)
		fit_period(line_period_ns(&line) / offset_scale(&live->offset),
			   &live->line.period_frac, &live->line.period_shift);
	live->line.time_maxerror_ns +=
		(u64)ceil((double)live->offset.half_width * (double)line_period_ns(&line));
	put(live, &steered);
}

static void refresh(struct live *live)
{
	struct leap leap;

	if (live->device)
		publish_device(live);
	if (live->device)
		return;
	leap_find(&leap, live->options->leap_list);
	/* What the page's time is may not change under its readers. */
	if (leap.known == live->leap.known)
		live->leap = leap;
	publish_fit(live);
}

static void judge(struct live *live)
{
	volatile struct mailbox *mailbox = live->mailbox;
	u64 number = __atomic_load_n(&mailbox->post.number, __ATOMIC_ACQUIRE);
	u64 counter, maxerror_ns = 0;
	long double age_ns, stated_ns;
	instant guest, host;
	struct pair pair;
	s64 difference_fs = 0;
	bool valid;

	if (number == live->judged)
		return;
	live->judged = number;
	counter = mailbox->post.counter;
	guest = instant_make((s64)mailbox->post.sec, mailbox->post.frac);
	if (live->leap.known)
		guest += instant_make(live->leap.tai_offset_sec, 0);

	hostclock_pair(&live->leap, PAIR_TRIES, &pair);
	age_ns = (s64)(pair.counter - offset_to_host(&live->offset, counter)) * live->fit.period_ns;
	valid = live->published && fabsl(age_ns) < POST_AGE_NS;
	if (valid) {
		/* Half a nanosecond: the kernel rounds down. */
		host = instant_from_nsec(pair.time_ns) -
		       (instant)((age_ns - 0.5L) * (18446744073709551616.0L / 1e9L));
		difference_fs = instant_to_fsec(guest - host);
		stated_ns =
			live->line.time_maxerror_ns +
			fabsl((long double)(s64)(counter - live->line.counter_value)) *
				ldexpl(live->line.period_maxerror, -64 - live->line.period_shift) *
				1e9L;
		maxerror_ns = (u64)ceill(stated_ns + pair.half_width * live->fit.period_ns + 1);
	}
	mailbox->verdict.difference_fs = difference_fs;
	mailbox->verdict.maxerror_ns = maxerror_ns;
	mailbox->verdict.valid = valid;
	__atomic_store_n(&mailbox->verdict.number, number, __ATOMIC_RELEASE);
	log_verdict(number, (double)difference_fs / 1e6, maxerror_ns, valid);
}

static void one_poll(struct live *live)
{
	s64 now = monotonic_us();

	if (live->mailbox)
		judge(live);
	if (now >= live->pair_us) {
		live->pair_us = now + PAIR_US;
		sample_clock(live);
	}
	if (!live->offset.known) {
		find_offset(live);
		if (!live->offset.known)
			return;
		log_offset(&live->offset, &live->exchange, period_ns(live));
		live->refresh_us = 0;
	} else if (now >= live->ask_us) {
		live->ask_us = now + ASK_US;
		watch_offset(live);
	}
	if (now >= live->refresh_us) {
		refresh(live);
		/* In step with the first one, however late this one was. */
		if (!live->refresh_us)
			live->refresh_us = now;
		while (live->refresh_us <= now)
			live->refresh_us += live->options->interval_us;
	}
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
	live.line.clock_status = VMCLOCK_STATUS_UNRELIABLE;
	vmclock_page_update(live.page, &live.line);
	log_end(why, live.lines);
	return STATUS_DONE;
}
