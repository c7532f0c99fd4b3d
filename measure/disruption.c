// SPDX-License-Identifier: GPL-2.0-or-later
/* The disruptions of the present run. One run at a time, as there is one core. */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/disruption.h"
#include "measure/reading.h"

#define RECENT_SECONDS 2
#define STATED_MAX_NS  9000000000LL /* a larger error is no less useless; in fs it fits 64 bits */

static struct {
	struct disruption kept[DISRUPTIONS_KEPT];
	struct tk_time first;	    /* the first reading since the one under way was noticed */
	struct vmclock_line before; /* the line that was in force until then */
	u32 count;
	u32 nears;  /* of the last one, those that are not reached yet: a bit each */
	bool fresh; /* there was no reading yet on its new line */
} all;

static void read_core(const struct run *run, struct tk_time *time)
{
	run->tk->read(run->clock->now, run->clock->context, time);
}

static struct disruption *last(void)
{
	return &all.kept[all.count - 1];
}

void disruptions_reset(void)
{
	all.count = 0;
	all.nears = 0;
}

u32 disruptions_count(void)
{
	return all.count;
}

const struct disruption *disruption_get(u32 number)
{
	return &all.kept[number];
}

static void notice(struct run *run, const struct vmclock_line *before)
{
	if (run->time_unknown)
		return;
	run->time_unknown = true;
	all.before = *before;
	if (all.count == DISRUPTIONS_KEPT)
		return;
	all.count++;
	all.nears = 0;
	memset(last(), 0, sizeof(*last()));
	read_core(run, &all.first);
	last()->noticed = all.first.counter;
}

void disruption_notice(struct run *run, const struct vmclock_line *before)
{
	run->clock->lock(run->clock->context);
	notice(run, before);
	run->clock->unlock(run->clock->context);
}

void disruption_look(struct run *run)
{
	const volatile struct vmclock_abi *page = run->clock->page;

	if (page && run->following && page->disruption_marker != run->shown_marker)
		notice(run, &run->line);
}

static s64 off_line_fs(const struct run *run, const struct tk_time *time)
{
	return instant_to_fsec(time->instant - vmclock_utc_at(&run->line, time->counter));
}

static s64 us_of(instant time)
{
	s64 sec;
	u32 nsec;

	instant_to_timespec(time, &sec, &nsec);
	return sec * 1000000 + nsec / 1000;
}

void disruption_line(struct run *run)
{
	struct tk_time now;

	run->time_unknown = false;
	read_core(run, &now);
	last()->marker = run->line.disruption_marker;
	last()->own = run->line.disruption_marker != all.before.disruption_marker ||
		      run->line.vm_generation_counter != all.before.vm_generation_counter;
	/* The device of QEMU 10 and 11 leaves its counter at 0. */
	last()->generation =
		run->markers.generation ? run->markers.generation : run->line.vm_generation_counter;
	last()->taken = now.counter;
	last()->noticed_us = us_of(vmclock_utc_at(&run->line, last()->noticed));
	last()->first_fs = off_line_fs(run, &all.first);
	last()->off_fs = off_line_fs(run, &now);
	last()->stated_ns = run->line.time_maxerror_ns;
	for (u32 i = 0; i < NEARS; i++)
		last()->near_us[i] = -1;
	all.nears = (1U << NEARS) - 1;
	all.fresh = true;
}

bool disruption_recent(const struct run *run, u64 counter)
{
	return all.count && !run->time_unknown &&
	       counter - last()->taken < RECENT_SECONDS * run->clock->counter.hz;
}

void disruption_sample(struct run *run, u64 counter, s64 error_fs)
{
	static const s64 bounds_ns[NEARS] = { [NEAR_1US] = 1000, [NEAR_10NS] = 10, [NEAR_1NS] = 1 };
	s64 stated_ns;
	u64 cycles;

	if (!all.nears)
		return;
	cycles = counter - last()->taken;
	if (all.fresh)
		last()->after_fs = error_fs;
	all.fresh = false;
	stated_ns = last()->stated_ns > STATED_MAX_NS ? STATED_MAX_NS : (s64)last()->stated_ns;
	for (u32 i = 0; i < NEARS; i++) {
		s64 bound_ns = i == NEAR_STATED ? stated_ns : bounds_ns[i];

		if (!(all.nears & 1U << i) || magnitude(error_fs) > bound_ns * TB_FSEC_PER_NSEC)
			continue;
		all.nears &= ~(1U << i);
		last()->near_us[i] = us_of_cycles(run, cycles);
	}
}
