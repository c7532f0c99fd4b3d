// SPDX-License-Identifier: GPL-2.0-or-later
// clang-format off
/*
 * The native core behind a pipe, under the sanitizers: one command a line, one answer a line.
 * Includes the core's source, so that a test sees whether any part of its state has changed.
 *
 *	init HZ BITS TICKS_PER_SECOND SEC	error
 *	tick COUNTER				cycle_last, cycle_interval
 *	read COUNTER				sec, nsec, ns of CLOCK_MONOTONIC
 *	interrupted COUNTER AT			the same, with a tick at AT in the middle of the read;
 *						and how often the counter was read
 *	offset NS				error, time_offset
 *	settime COUNTER SEC NSEC		error, and 1 if any of the state changed
 *	inject COUNTER SEC NSEC			the same
 *	adjtimex COUNTER MODES OFFSET STATUS	error, status
 */
// clang-format on
#include <stdio.h>
#include <stdlib.h>

#include "tk/native/native.c"

static long long words[4];

struct interruption {
	u64 counter, tick_at;
	int reads;
};

static u64 interrupted_counter(void *context)
{
	struct interruption *by = context;

	if (by->reads++)
		return by->counter;
	/* An interrupt's tick, right after the counter was read: cycle_last is beyond it then. */
	tk_native.tick(by->tick_at);
	return by->tick_at - core.cycle_interval / 2;
}

static void say_time(const struct tk_time *time)
{
	printf("%lld %u %lld", time->sec, time->nsec, time->mono_ns);
}

/* Of all that a call may not touch: seq counts every write. */
static bool moved(const struct timekeeper *before)
{
	struct timekeeper now = core;
	const u8 *a = (const u8 *)before, *b = (const u8 *)&now;

	now.seq = before->seq;
	for (size_t i = 0; i < sizeof(now); i++)
		if (a[i] != b[i])
			return true;
	return false;
}

static void init(void)
{
	struct tk_setup setup = {
		.counter = { (u64)words[0], ~0ULL >> (64 - words[1]) },
		.hz = (u32)words[2],
		.switches = TK_ALL,
		.now = 1ULL << 20,
		.sec = words[3],
	};

	printf("%d", tk_native.init(&setup));
}

static void settime(bool inject)
{
	static struct timekeeper before;
	struct tk_timex timex = { .modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO,
				  .time_sec = words[1],
				  .time_usec = words[2] };
	enum tk_error error;

	before = core;
	if (inject)
		error = tk_native.adjtimex((u64)words[0], &timex);
	else
		error = tk_native.settime((u64)words[0], words[1], (u32)words[2]);
	printf("%d %d", error, moved(&before));
}

static void answer(const char *name)
{
	struct interruption by = { (u64)words[0], (u64)words[1], 0 };
	struct tk_timex timex = { .modes = (u32)words[1],
				  .offset = words[2],
				  .freq = words[2],
				  .status = (s32)words[3] };
	u64 counter = (u64)words[0];
	struct tk_time time;
	enum tk_error error;

	if (!strcmp(name, "init")) {
		init();
	} else if (!strcmp(name, "tick")) {
		tk_native.tick(counter);
		printf("%llu %llu", core.cycle_last, core.cycle_interval);
	} else if (!strcmp(name, "ticks")) {
		for (s64 i = 0; i < words[0]; i++)
			tk_native.tick(core.cycle_last + core.cycle_interval);
		printf("%llu", core.cycle_last);
	} else if (!strcmp(name, "read")) {
		tk_native.read(given, &counter, &time);
		say_time(&time);
	} else if (!strcmp(name, "interrupted")) {
		tk_native.read(interrupted_counter, &by, &time);
		say_time(&time);
		printf(" %d", by.reads);
	} else if (!strcmp(name, "offset")) {
		error = tk_native.add_time_offset(core.cycle_last, words[0]);
		printf("%d %lld", error, core.ntp.time_offset);
	} else if (!strcmp(name, "settime") || !strcmp(name, "inject")) {
		settime(*name == 'i');
	} else if (!strcmp(name, "adjtimex")) {
		error = tk_native.adjtimex(counter, &timex);
		printf("%d %d", error, timex.status);
	} else if (!strcmp(name, "error")) {
		printf("%lld %lld %u", core.ntp_error,
		       (s64)(core.ntp_tick - (core.xtime_interval << core.ntp_error_shift)),
		       core.ntp_err_mult);
	} else {
		printf("what?");
	}
}

int main(void)
{
	char line[256], name[32];

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%31s %lld %lld %lld %lld", name, &words[0], &words[1], &words[2],
			   &words[3]) >= 1)
			answer(name);
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
