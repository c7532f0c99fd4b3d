// SPDX-License-Identifier: GPL-2.0-or-later
/* One reading of the core: its error against the line at the same counter value. */
#include "measure/disruption.h"
#include "measure/measure.h"
#include "measure/reading.h"

static s64 window_us(const struct run *run, u64 counter)
{
	/* 64 bits, however narrow the core takes it to be. */
	return us_of_cycles(run, counter - run->start);
}

void run_read(struct run *run, struct tk_time *time)
{
	run->tk->read(run->clock->now, run->clock->context, time);
}

static s64 error_of(const struct run *run, const struct tk_time *time)
{
	return instant_to_fsec(time->instant - vmclock_utc_at(&run->line, time->counter));
}

s64 run_error_fs(struct run *run)
{
	struct tk_time time;

	run_read(run, &time);
	return error_of(run, &time);
}

void run_sample(struct run *run)
{
	struct tk_time time;

	run_read(run, &time);
	if (run->read_before && time.mono_ns < run->last_mono_ns)
		run->stats->backwards++;
	run->last_mono_ns = time.mono_ns;
	run->read_before = true;
	/* The line of before a disruption says nothing any more, and neither does a dead
	 * publisher's. */
	if (run->time_unknown || run->line_ended)
		return;
	run->last_error_fs = error_of(run, &time);
	disruption_sample(run, time.counter, run->last_error_fs);
	if (!run->sampling)
		return;
	if (run->truth) {
		const s64 line_error_fs = run->last_error_fs;

		run->last_error_fs = instant_to_fsec(time.instant - run->truth(run, time.counter));
		run->sampled(run, time.counter, run->last_error_fs, line_error_fs);
		stats_add(run->stats, time.counter, window_us(run, time.counter),
			  run->last_error_fs);
		return;
	}
	run_account_sample(run, time.counter, run->last_error_fs - run->target_fs);
	stats_add(run->stats, time.counter, window_us(run, time.counter),
		  run->last_error_fs - run->target_fs);
}
