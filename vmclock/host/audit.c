// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Audits a page that somebody else writes: the seq_count protocol, the line against the host's
 * clock within the errors that the page states, and how the line moves when it is replaced. Assumes
 * that the page is in host counter terms, or that --offset tells its counter.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ktap.h"
#include "vmclock/host/counter.h"
#include "vmclock/host/hostclock.h"
#include "vmclock/host/log.h"
#include "vmclock/host/publish.h"
#include "vmclock/host/stop.h"
#include "vmclock/stress.h"

#define STEP_US	     200  /* between looks at the clock */
#define BURST	     1000 /* reads for each */
#define PAIR_TRIES   4
#define BRACKET_NS   2000 /* a wider one cannot judge a page that is accurate to tens of ns */
#define APPEAR_US    5000000
#define ERRORS_MAX   (1U << 20)
#define LEAP_LATE_US 100000

struct audit {
	const volatile struct vmclock_abi *page;
	u64 mapped;
	struct offset offset;
	struct leap leap;
	struct vmclock_line line; /* as read last */
	u64 reads, refused, changes, looks;
	u64 silent_changes; /* other contents with the same count */
	u64 odd_steps;	    /* the count went back */
	u64 torn;
	bool stress;
	double worst_jump_ns, worst_jump_excess_ns;
	s64 changed_us, longest_us;
	s64 *errors_fs; /* page less clock */
	u32 errors;
	double worst_excess_ns; /* of |error| over what the page and the bracket allow; > 0: broken
				 */
	enum vmclock_error last_error;
	bool wrong_tai;
	s64 tai_differs_us; /* since when; 0: it does not */
};

static double rate_ns(const struct vmclock_line *line, u64 counter)
{
	s64 away = (s64)(counter - line->counter_value);

	return fabs((double)away) * ldexp((double)line->period_maxerror, -64 - line->period_shift) *
	       1e9;
}

/* The error at `counter` that the page states. */
static double allowed_ns(const struct vmclock_line *line, u64 counter)
{
	return (double)line->time_maxerror_ns + rate_ns(line, counter);
}

static bool same(const struct vmclock_line *a, const struct vmclock_line *b)
{
	return a->counter_value == b->counter_value && a->time == b->time &&
	       a->period_frac == b->period_frac && a->period_shift == b->period_shift &&
	       a->flags == b->flags && a->clock_status == b->clock_status &&
	       a->disruption_marker == b->disruption_marker &&
	       a->time_maxerror_ns == b->time_maxerror_ns;
}

/* The line was replaced: measures by how much it differs at this moment. */
static void see_change(struct audit *audit, const struct vmclock_line *line, u64 now)
{
	s64 now_us = monotonic_us();
	double jump_ns, allowed;

	if ((s32)(line->seq_count - audit->line.seq_count) < 0)
		audit->odd_steps++;
	if (audit->changes++ && now_us - audit->changed_us > audit->longest_us)
		audit->longest_us = now_us - audit->changed_us;
	audit->changed_us = now_us;
	if (line->disruption_marker != audit->line.disruption_marker)
		return;
	jump_ns = (double)instant_to_fsec(vmclock_time_at(line, line->counter_value) -
					  vmclock_time_at(&audit->line, line->counter_value)) /
		  1e6;
	allowed = allowed_ns(line, now) + allowed_ns(&audit->line, now);
	if (fabs(jump_ns) > fabs(audit->worst_jump_ns))
		audit->worst_jump_ns = jump_ns;
	audit->worst_jump_excess_ns = fmax(audit->worst_jump_excess_ns, fabs(jump_ns) - allowed);
}

static enum vmclock_error read_once(struct audit *audit)
{
	struct vmclock_line line;
	u64 now = offset_to_guest(&audit->offset, host_counter());
	/* Lines of --stress do not describe a real counter. */
	enum vmclock_error error =
		vmclock_read(audit->page, audit->mapped, audit->stress ? 0 : now, &line);

	audit->reads++;
	audit->last_error = error;
	if (error) {
		audit->refused++;
		return error;
	}
	if (vmclock_stress_is(&line)) {
		audit->stress = true;
		audit->torn += !vmclock_stress_whole(&line);
		audit->changes += line.seq_count != audit->line.seq_count;
		audit->line = line;
		return error;
	}
	if (!audit->line.period_frac)
		; /* the first one */
	else if (line.seq_count != audit->line.seq_count)
		see_change(audit, &line, now);
	else if (!same(&line, &audit->line))
		audit->silent_changes++;
	audit->line = line;
	return error;
}

/* A publisher needs a moment to see a leap second. */
static void look_at_tai_offset(struct audit *audit)
{
	s64 now = monotonic_us();

	leap_poll(&audit->leap);
	if (!(audit->line.flags & VMCLOCK_FLAG_TAI_OFFSET_VALID) || !audit->leap.known ||
	    audit->line.tai_offset_sec == audit->leap.tai_offset_sec) {
		audit->tai_differs_us = 0;
		return;
	}
	if (!audit->tai_differs_us)
		audit->tai_differs_us = now;
	audit->wrong_tai |= now - audit->tai_differs_us > LEAP_LATE_US;
}

static void look_at_clock(struct audit *audit)
{
	struct pair pair;
	instant clock;
	double error_ns, bracket_ns;
	u64 counter;
	s64 error_fs;

	hostclock_pair(&audit->leap, PAIR_TRIES, &pair);
	bracket_ns = (double)(pair.half_width * line_period_ns(&audit->line));
	/* The read was interrupted. */
	if (bracket_ns > BRACKET_NS)
		return;
	counter = offset_to_guest(&audit->offset, pair.counter);
	/* The kernel rounds down: half a nanosecond. */
	clock = instant_from_nsec(pair.time_ns) + ((instant)1 << 63) / 1000000000;
	if (audit->line.time_type == VMCLOCK_TIME_UTC && audit->leap.known)
		clock -= instant_make(audit->leap.tai_offset_sec, 0);
	if (audit->line.time_type == VMCLOCK_TIME_TAI && !audit->leap.known)
		clock += instant_make(audit->line.tai_offset_sec, 0);
	error_fs = instant_to_fsec(vmclock_time_at(&audit->line, counter) - clock);
	error_ns = (double)error_fs / 1e6;
	audit->looks++;
	if (audit->errors < ERRORS_MAX)
		audit->errors_fs[audit->errors++] = error_fs;
	audit->worst_excess_ns = fmax(audit->worst_excess_ns,
				      fabs(error_ns) - allowed_ns(&audit->line, counter) -
					      (double)audit->offset.half_width - bracket_ns - 0.5);
	look_at_tai_offset(audit);
}

static int compare(const void *a, const void *b)
{
	s64 x = *(const s64 *)a, y = *(const s64 *)b;

	return (x > y) - (x < y);
}

static void metric(struct ktap *ktap, const char *name, double value, const char *unit)
{
	ktap_metric(ktap, name, (s128)llround(value * 1000), 3, 3, unit);
}

static void count(struct ktap *ktap, const char *name, u64 value, const char *unit)
{
	ktap_metric(ktap, name, value, 0, 0, unit);
}

static void report_errors(struct audit *audit, struct ktap *ktap)
{
	double squares = 0, sum = 0, worst = 0;

	for (u32 i = 0; i < audit->errors; i++) {
		double ns = (double)audit->errors_fs[i] / 1e6;

		sum += ns;
		squares += ns * ns;
		worst = fmax(worst, fabs(ns));
	}
	qsort(audit->errors_fs, audit->errors, sizeof(s64), compare);
	metric(ktap, "median_ns", (double)audit->errors_fs[audit->errors / 2] / 1e6, "ns");
	metric(ktap, "mean_ns", sum / audit->errors, "ns");
	metric(ktap, "rms_ns", sqrt(squares / audit->errors), "ns");
	metric(ktap, "max_abs_ns", worst, "ns");
	metric(ktap, "stated_maxerror_ns", (double)audit->line.time_maxerror_ns, "ns");
	metric(ktap, "worst_jump_ns", audit->worst_jump_ns, "ns");
	metric(ktap, "longest_between_updates_ms", (double)audit->longest_us / 1000, "ms");
}

static bool report(struct audit *audit, struct ktap *ktap)
{
	bool usable = !audit->last_error;

	count(ktap, "reads", audit->reads, "reads");
	count(ktap, "refused", audit->refused, "reads");
	count(ktap, "updates", audit->changes, "updates");
	if (audit->stress) {
		count(ktap, "torn", audit->torn, "reads");
		ktap_report(ktap, audit->torn == 0, "no torn line was accepted");
		ktap_report(ktap, audit->changes > 1, "the page was rewritten meanwhile");
		return !ktap->failed[0];
	}
	if (audit->errors)
		report_errors(audit, ktap);
	if (!usable)
		ktap_note(ktap, "at the end: %s", vmclock_strerror(audit->last_error));
	ktap_report(ktap, usable, "the page can be read at the end as at the beginning");
	ktap_report(ktap, !audit->odd_steps, "seq_count never goes back");
	ktap_report(ktap, !audit->silent_changes, "what a seq_count stands for never changes");
	ktap_report(ktap, audit->errors && audit->worst_excess_ns <= 0,
		    "the line keeps to the host's clock within the errors that the page states");
	ktap_report(ktap, audit->worst_jump_excess_ns <= 0,
		    "successive lines agree within the errors that they state");
	if (audit->leap.known && audit->line.flags & VMCLOCK_FLAG_TAI_OFFSET_VALID)
		ktap_report(ktap, !audit->wrong_tai, "the TAI offset is the system's");
	else
		ktap_skip(ktap, "the TAI offset is the system's", "not known on both sides");
	return !ktap->failed[0];
}

static bool find_offset(struct audit *audit, const struct options *options)
{
	switch (options->offset) {
	case OFFSET_CYCLES:
		offset_given(&audit->offset, options->offset_cycles, OFFSET_IS_GIVEN);
		return true;
	case OFFSET_KVM:
		if (options->qemu_pid &&
		    offset_from_kvm(&audit->offset, options->debugfs, options->qemu_pid))
			return true;
		fprintf(stderr, "vmclock-host: KVM tells no offset for --qemu-pid in %s\n",
			options->debugfs);
		return false;
	case OFFSET_MAILBOX:
		fprintf(stderr, "vmclock-host: the mailbox belongs to the publisher; give --check "
				"the cycles that it found\n");
		return false;
	default:
		offset_given(&audit->offset, 0, OFFSET_IS_NONE);
		return true;
	}
}

static void stdout_write(void *context, const char *text, size_t length)
{
	(void)context;
	fwrite(text, 1, length, stdout);
}

enum status audit(const struct options *options)
{
	static const struct output out = { .write = stdout_write };
	static struct audit audit;
	struct pagefile file;
	struct ktap ktap;
	char why[512];
	s64 appear, next;
	bool good;

	if (!pagefile_open(&file, options->page, why, sizeof(why))) {
		fprintf(stderr, "vmclock-host: %s\n", why);
		return STATUS_COULD_NOT;
	}
	audit.page = file.memory;
	audit.mapped = file.size;
	if (!find_offset(&audit, options))
		return STATUS_COULD_NOT;
	audit.errors_fs = malloc(ERRORS_MAX * sizeof(s64));
	if (!audit.errors_fs)
		return STATUS_COULD_NOT;
	leap_find(&audit.leap, options->leap_list);

	appear = monotonic_us() + APPEAR_US;
	/* A publisher that has just been started needs some time. */
	while (vmclock_may_pass(read_once(&audit)) && monotonic_us() < appear && !stop_reason())
		sleep_until_us(monotonic_us() + 1000);
	if (audit.last_error) {
		fprintf(stderr, "vmclock-host: %s: %s\n", options->page,
			vmclock_strerror(audit.last_error));
		return STATUS_COULD_NOT;
	}
	audit.reads = audit.refused = audit.changes = 0;
	audit.changed_us = monotonic_us();

	for (next = monotonic_us(); !stop_reason(); next = monotonic_us() + STEP_US) {
		for (u32 i = 0; i < BURST; i++)
			read_once(&audit);
		/*
		 * A stressed page is read continuously. Another page is read at intervals, so that
		 * its user is not disturbed.
		 */
		if (audit.stress)
			continue;
		if (!audit.last_error)
			look_at_clock(&audit);
		sleep_until_us(next);
	}
	ktap_begin(&ktap, &out, audit.stress ? 2 : 6);
	good = report(&audit, &ktap);
	return good ? STATUS_DONE : STATUS_BROKEN;
}
