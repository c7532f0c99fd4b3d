// SPDX-License-Identifier: GPL-2.0-or-later
// clang-format off
/*
 * The page's code behind a pipe, under the sanitizers, for the tests of the page and the publisher:
 * one command a line on stdin, one answer a line.
 *
 *	time COUNTER_VALUE SEC FRAC PERIOD_FRAC SHIFT TAI COUNTER
 *						T_ref and UTC, each as two halves
 *	period HZ PPT				period_frac, shift, and the frequency that they mean
 *	read FILE NOW MAPPED			error, and what the line holds
 *	update FILE COUNTER_VALUE SEC FRAC PERIOD_FRAC SHIFT
 *						seq_count after vmclock_page_update()
 *	spin FILE MS				reads: accepted, refused, changes, longest in us
 *	guest MAILBOX OFFSET MS [PAGE SHIFT_NS]	answers; posts the page's time + SHIFT_NS
 *	believe MAILBOX OFFSET MS PAGE		answers, and whether the page was wrong
 *	outlived COUNTER_VALUE PERIOD_FRAC SHIFT PERIOD_MAXERROR NOW
 *						vmclock_outlived()
 *	changed FILE FILE			whether a reader tells the two pages apart
 *	pair COUNTER NS, refresh COUNTER, shift NS
 *						fit and steering, on a clock of the test's own
 *	leap FILE UTC				TAI - UTC
 *	kvm FOLDER PID HOST			the offset found, host to guest and back
 *	log OFFSET HALF_WIDTH PERIOD_NS			the events "offset" and "line"; an empty line
 */
// clang-format on
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmclock/host/counter.h"
#include "vmclock/host/fit.h"
#include "vmclock/host/log.h"
#include "vmclock/host/offset.h"
#include "vmclock/host/pagefile.h"
#include "vmclock/host/steer.h"
#include "vmclock/stress.h"
#include "vmclock/vmclock.h"

static s64 now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void say_instant(instant t)
{
	printf("%lld %llu ", (s64)(t >> 64), (u64)t);
}

static void do_time(const char *args)
{
	struct vmclock_line line = { .time_type = VMCLOCK_TIME_TAI };
	u64 frac, counter;
	u32 shift;
	s64 sec;

	sscanf(args, "%llu %lld %llu %llu %u %d %llu", &line.counter_value, &sec, &frac,
	       &line.period_frac, &shift, &line.tai_offset_sec, &counter);
	line.period_shift = (u8)shift;
	line.time = instant_make(sec, frac);
	say_instant(vmclock_time_at(&line, counter));
	say_instant(vmclock_utc_at(&line, counter));
}

static void do_period(const char *args)
{
	struct vmclock_line line = { 0 };
	u64 hz;
	s64 ppt;

	sscanf(args, "%llu %lld", &hz, &ppt);
	vmclock_period_from_hz(hz, ppt, &line.period_frac, &line.period_shift);
	printf("%llu %u %llu", line.period_frac, line.period_shift, vmclock_counter_hz(&line));
}

static bool open_or_say(struct pagefile *file, const char *path)
{
	char why[512];

	if (pagefile_open(file, path, why, sizeof(why)))
		return true;
	printf("cannot %s", why);
	return false;
}

/* Exactly as many bytes as are said to be mapped, so that the sanitizer sees any more being read.
 */
static void do_read(const char *args)
{
	struct vmclock_line line;
	enum vmclock_error error;
	char path[512];
	u64 now, mapped;
	FILE *file;
	void *copy;

	sscanf(args, "%511s %llu %llu", path, &now, &mapped);
	copy = calloc(1, mapped ? mapped : 1);
	file = fopen(path, "rb");
	if (!file || !fread(copy, 1, mapped, file))
		memset(copy, 0, mapped);
	if (file)
		fclose(file);
	memset(&line, 0xa5, sizeof(line));
	error = vmclock_read(mapped == 1 ? NULL : copy, mapped, now, &line);
	printf("%d %llu %llu %llu %llu %u %u | %s", error, line.counter_value, line.period_frac,
	       line.disruption_marker, line.vm_generation_counter, line.clock_status,
	       line.seq_count, vmclock_strerror(error));
	free(copy);
}

static void do_update(const char *args)
{
	struct vmclock_line line = { .clock_status = VMCLOCK_STATUS_SYNCHRONIZED };
	struct pagefile file;
	char path[512], why[512];
	u64 frac;
	u32 shift;
	s64 sec;

	sscanf(args, "%511s %llu %lld %llu %llu %u", path, &line.counter_value, &sec, &frac,
	       &line.period_frac, &shift);
	line.period_shift = (u8)shift;
	line.time = instant_make(sec, frac);
	if (!pagefile_create(&file, path, PAGEFILE_PAGE, false, why, sizeof(why))) {
		printf("cannot %s", why);
		return;
	}
	vmclock_page_update(file.memory, &line);
	printf("%u", ((struct vmclock_abi *)file.memory)->seq_count);
	pagefile_close(&file);
}

static void do_outlived(const char *args)
{
	struct vmclock_line line = { .time_type = VMCLOCK_TIME_TAI };
	u64 now;
	u32 shift;

	sscanf(args, "%llu %llu %u %llu %llu", &line.counter_value, &line.period_frac, &shift,
	       &line.period_maxerror, &now);
	line.period_shift = (u8)shift;
	printf("%llu", vmclock_outlived(&line, now));
}

static void do_changed(const char *args)
{
	struct pagefile before, after;
	char first[512], second[512];
	struct vmclock_seen seen;

	sscanf(args, "%511s %511s", first, second);
	if (!open_or_say(&before, first) || !open_or_say(&after, second))
		return;
	vmclock_look(before.memory, &seen);
	printf("%d", vmclock_changed(after.memory, &seen));
	pagefile_close(&before);
	pagefile_close(&after);
}

static void do_spin(const char *args)
{
	u64 accepted = 0, refused = 0, changes = 0, torn = 0;
	struct vmclock_line line = { 0 };
	s64 end, longest = 0;
	struct pagefile file;
	char path[512];
	u32 seq = 0;
	s64 ms;

	sscanf(args, "%511s %lld", path, &ms);
	if (!open_or_say(&file, path))
		return;
	for (end = now_us() + ms * 1000; now_us() < end;) {
		for (u32 i = 0; i < 100; i++) {
			s64 before = now_us(), took;

			if (vmclock_read(file.memory, file.size, 0, &line)) {
				refused++;
			} else {
				accepted++;
				changes += line.seq_count != seq;
				seq = line.seq_count;
				torn += vmclock_stress_is(&line) && !vmclock_stress_whole(&line);
			}
			took = now_us() - before;
			if (took > longest)
				longest = took;
		}
	}
	printf("%llu %llu %llu %llu %lld", accepted, refused, changes, torn, longest);
	pagefile_close(&file);
}

struct guest {
	u64 offset;
	s64 slow_us;
};

static u64 guest_counter(void *context)
{
	const struct guest *guest = context;
	u64 counter = host_counter() + guest->offset;

	for (s64 end = now_us() + guest->slow_us; guest->slow_us && now_us() < end;)
		;
	return counter;
}

/* What a guest does: answers all the time, and posts its wall time when it has a line for it. */
static void do_guest(const char *args)
{
	struct mailbox_verdict verdict = { 0 };
	struct pagefile mailbox_file, page_file = { 0 };
	char mailbox_path[512], page_path[512] = "", why[512];
	struct guest guest = { 0 };
	u64 answered = 0, number = 0, verdicts = 0;
	struct vmclock_line line;
	s64 ms, shift_ns = 0, end, next;

	sscanf(args, "%511s %llu %lld %511s %lld %lld", mailbox_path, &guest.offset, &ms, page_path,
	       &shift_ns, &guest.slow_us);
	if (!pagefile_share(&mailbox_file, mailbox_path, why, sizeof(why))) {
		printf("cannot %s", why);
		return;
	}
	if (page_path[0] && !open_or_say(&page_file, page_path))
		return;
	end = now_us() + ms * 1000;
	for (next = now_us(); now_us() < end;) {
		u64 now = host_counter() + guest.offset;

		if (mailbox_present(mailbox_file.memory))
			answered += mailbox_serve(mailbox_file.memory, guest_counter, &guest);
		if (number && mailbox_verdict(mailbox_file.memory, number, &verdict)) {
			verdicts++;
			number = 0;
		}
		if (!page_file.memory || number || now_us() < next ||
		    vmclock_read(page_file.memory, page_file.size, now, &line))
			continue;
		next = now_us() + 20000;
		number = mailbox_post(mailbox_file.memory, now,
				      vmclock_utc_at(&line, now) + instant_from_nsec(shift_ns));
	}
	printf("%llu %llu %d %lld %llu", answered, verdicts, verdict.valid, verdict.difference_fs,
	       verdict.maxerror_ns);
	pagefile_close(&mailbox_file);
	if (page_file.memory)
		pagefile_close(&page_file);
}

/* How far the page's UTC is off the host's clock beyond what the page states, ns. */
static double beyond_ns(const struct vmclock_line *line, u64 offset)
{
	struct timespec now;
	u64 before = host_counter() + offset, after, half;
	double off_ns, rate_ns;
	instant clock;

	clock_gettime(CLOCK_REALTIME, &now);
	after = host_counter() + offset;
	half = (after - before) / 2;
	clock = instant_make(now.tv_sec, 0) + instant_from_nsec(now.tv_nsec);
	off_ns = (double)instant_to_fsec(vmclock_utc_at(line, before + half) - clock) / 1e6;
	rate_ns = ldexp((double)line->period_maxerror, -64 - line->period_shift) * 1e9;
	return fabs(off_ns) - (double)line->time_maxerror_ns -
	       fabs((double)(s64)(before + half - line->counter_value)) * rate_ns -
	       (double)half * (double)line_period_ns(line) - 1;
}

/*
 * A guest that answers as one does and believes the page whenever it can be used: how often it
 * could, how often that was a lie, the worst lie in ns, and the markers first and last seen.
 */
static void do_believe(const char *args)
{
	u64 accepted = 0, lies = 0, first = 0, offset;
	struct pagefile mailbox, page;
	char mailbox_path[512], page_path[512], why[512];
	struct vmclock_line line = { 0 };
	double worst = 0;
	s64 ms, end;

	sscanf(args, "%511s %llu %lld %511s", mailbox_path, &offset, &ms, page_path);
	if (!pagefile_share(&mailbox, mailbox_path, why, sizeof(why)) ||
	    !open_or_say(&page, page_path))
		return;
	for (end = now_us() + ms * 1000; now_us() < end;) {
		struct guest guest = { .offset = offset };
		struct vmclock_seen seen;
		double beyond;

		/* As the page was before this guest told anything. */
		vmclock_look(page.memory, &seen);
		if (!vmclock_read(page.memory, page.size, host_counter() + offset, &line)) {
			beyond = beyond_ns(&line, offset);
			lies += !vmclock_changed(page.memory, &seen) && beyond > 0;
			worst = fmax(worst, beyond);
			if (!accepted++)
				first = line.disruption_marker;
		}
		mailbox_serve(mailbox.memory, guest_counter, &guest);
	}
	printf("%llu %llu %.0f %llu %llu", accepted, lies, worst, first, line.disruption_marker);
	pagefile_close(&mailbox);
	pagefile_close(&page);
}

static struct window window;
static struct fit fit;
static struct vmclock_line followed;

static void do_pair(const char *args)
{
	struct pair pair = { .half_width = 30 };

	sscanf(args, "%llu %lld", &pair.counter, &pair.time_ns);
	window_add(&window, &pair, 16000000000LL);
}

/* As live.c does it. */
static void do_refresh(const char *args)
{
	struct steered steered = { 0 };
	struct target target;
	u64 counter;

	sscanf(args, "%llu", &counter);
	if (fit_line(&window, &fit) && fit_bent(&window, &fit)) {
		window_keep(&window, 4000000000LL);
		fit_line(&window, &fit);
	}
	target = (struct target){ .counter = counter,
				  .time = fit_time_at(&fit, counter),
				  .period_ns = fit.period_ns,
				  .refresh_s = 1 };
	if (followed.period_frac) {
		steer_line(&followed, &target, &steered);
	} else {
		followed.counter_value = counter;
		followed.time = target.time;
		fit_period(target.period_ns, &followed.period_frac, &followed.period_shift);
	}
	printf("%llu ", followed.counter_value);
	say_instant(followed.time);
	printf("%llu %u %d %.6f %.6f", followed.period_frac, followed.period_shift, steered.stepped,
	       fit.rms_ns, fit.worst_ns);
}

static void do_shift(const char *args)
{
	s64 ns;

	sscanf(args, "%lld", &ns);
	window_shift(&window, ns);
}

static void do_leap(const char *args)
{
	char path[512];
	s64 utc;

	sscanf(args, "%511s %lld", path, &utc);
	printf("%d", leap_from_file(path, utc));
}

static void do_kvm(const char *args)
{
	struct offset offset = { 0 };
	char path[512];
	u64 host;
	s32 pid;

	sscanf(args, "%511s %d %llu", path, &pid, &host);
	if (!offset_from_kvm(&offset, path, pid))
		printf("none");
	else
		printf("%llu %llu", offset_to_guest(&offset, host),
		       offset_to_host(&offset, offset_to_guest(&offset, host)));
}

static void do_log(const char *args)
{
	struct offset offset = { .known = true, .ratio = 1, .source = OFFSET_FROM_MAILBOX };
	struct exchange exchange = { .count = 1, .narrowest = 100 };
	struct vmclock_line line = { 0 };
	struct steered steered = { 0 };
	double period_ns;

	sscanf(args, "%llu %llu %lf", &offset.offset, &offset.half_width, &period_ns);
	steered.residual_ns = steered.slope_ns_per_s = period_ns;
	log_style(true);
	log_offset(&offset, &exchange, period_ns);
	log_line(&line, &steered);
}

static const struct {
	const char *name;
	void (*run)(const char *args);
} commands[] = {
	{ "time", do_time },	   { "period", do_period },	{ "read", do_read },
	{ "update", do_update },   { "spin", do_spin },		{ "guest", do_guest },
	{ "pair", do_pair },	   { "refresh", do_refresh },	{ "shift", do_shift },
	{ "believe", do_believe }, { "outlived", do_outlived }, { "changed", do_changed },
	{ "leap", do_leap },	   { "kvm", do_kvm },		{ "log", do_log },
};

int main(void)
{
	char text[2048];

	while (fgets(text, sizeof(text), stdin)) {
		char *args = strchr(text, ' ');

		if (args)
			*args++ = 0;
		for (size_t i = 0; args && i < TB_ARRAY_SIZE(commands); i++)
			if (!strcmp(text, commands[i].name))
				commands[i].run(args);
		putchar('\n');
		fflush(stdout);
	}
	return 0;
}
