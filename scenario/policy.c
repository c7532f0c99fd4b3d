// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways to discipline a core. */
#include "lib/random.h"
#include "measure/reading.h"
#include "scenario/policy.h"

#define READINGS 5 /* of which the quickest is taken: phc2sys' -N */

static s64 whole_ns(instant time)
{
	s64 sec;
	u32 nsec;

	instant_to_timespec(time, &sec, &nsec);
	return sec * (s64)TB_NSEC_PER_SEC + nsec;
}

static s64 clock_ns(struct daemon *daemon)
{
	struct tk_time time;

	run_read(daemon->run, &time);
	return time.sec * (s64)TB_NSEC_PER_SEC + time.nsec;
}

static void pass_ns(struct daemon *daemon, u64 ns)
{
	const u64 cycles =
		(u64)div_u128((u128)ns * daemon->run->clock->counter.hz, TB_NSEC_PER_SEC, NULL);

	run_cycles(daemon->run, cycles);
}

/*
 * One reading: the clock, then the page, then the clock, where the second comes at random between
 * the first and the third. Without a delay the page and the clock are read at one value of the
 * counter, as PTP_SYS_OFFSET_PRECISE does. Returns how long it took, ns.
 */
static u64 read_once(struct daemon *daemon, s64 *offset_ns)
{
	const struct discipline_params *params = &daemon->run->params->discipline;
	u64 delay = params->read_delay_ns, first;
	s64 before, page;

	if (params->read_jitter_ns)
		delay += random_next(&daemon->random) % params->read_jitter_ns;
	first = delay ? random_next(&daemon->random) % (delay + 1) : 0;
	before = clock_ns(daemon);
	pass_ns(daemon, first);
	page = whole_ns(vmclock_utc_at(&daemon->run->line, counter_now(daemon->run)));
	pass_ns(daemon, delay - first);
	*offset_ns = before + (clock_ns(daemon) - before) / 2 - page;
	return delay;
}

/* The clock's offset from the page, ns, of the quickest reading; and the clock's time. */
static s64 read_offset(struct daemon *daemon, s64 *local_ns)
{
	const struct discipline_params *params = &daemon->run->params->discipline;
	const u32 readings = params->read_delay_ns || params->read_jitter_ns ? READINGS : 1;
	u64 quickest = ~0ULL;
	s64 best = 0;

	for (u32 i = 0; i < readings; i++) {
		s64 offset;
		const u64 delay = read_once(daemon, &offset);

		if (delay < quickest) {
			quickest = delay;
			best = offset;
		}
	}
	*local_ns = clock_ns(daemon);
	return best;
}

static void adjust(struct daemon *daemon, struct tk_timex *timex)
{
	struct clock *clock = daemon->run->clock;

	clock->lock(clock->context);
	daemon->refused += daemon->run->tk->adjtimex(clock->now(clock->context), timex) != TK_OK;
	clock->unlock(clock->context);
	daemon->calls++;
}

static void set_frequency(struct daemon *daemon, s64 frequency_e18)
{
	struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY | TK_ADJ_TICK };

	servo_timex(frequency_e18, &timex.tick, &timex.freq);
	adjust(daemon, &timex);
}

static void step_by(struct daemon *daemon, s64 ns)
{
	struct tk_timex timex = { .modes = TK_ADJ_SETOFFSET | TK_ADJ_NANO };

	timex.time_sec = ns / (s64)TB_NSEC_PER_SEC - (ns < 0);
	timex.time_usec = ns - timex.time_sec * (s64)TB_NSEC_PER_SEC;
	adjust(daemon, &timex);
}

static void phc2sys(struct daemon *daemon)
{
	s64 local_ns, frequency_e18;
	const s64 offset_ns = read_offset(daemon, &local_ns);

	switch (pi_servo(&daemon->pi, offset_ns, local_ns, &frequency_e18)) {
	case PI_STEP:
		step_by(daemon, -offset_ns);
		set_frequency(daemon, frequency_e18);
		break;
	case PI_FREQUENCY:
		set_frequency(daemon, frequency_e18);
		break;
	default:
		break;
	}
}

/* What no one can do better: the core is told the true line at every tick. */
static void ideal(struct daemon *daemon)
{
	struct run *run = daemon->run;
	struct clock *clock = run->clock;
	struct vmclock_line line;
	struct tk_reference reference = { 0 };

	publisher_true_line(daemon->publisher, counter_now(run), &line);
	reference.counter = line.counter_value;
	reference.time = line.time;
	reference.period_frac = line.period_frac;
	reference.period_shift = line.period_shift;
	clock->lock(clock->context);
	daemon->refused += run->tk->set_reference(counter_now(run), &reference) != TK_OK;
	clock->unlock(clock->context);
	daemon->calls++;
}

static const struct policy policies[POLICIES] = {
	[POLICY_REFERENCE] = { .follows = true },
	[POLICY_PHC2SYS] = { .read_ms = 1000, .wake = phc2sys },
	[POLICY_FREE] = { .follows = false },
	[POLICY_IDEAL] = { .wake = ideal },
};

const struct policy *policy_of(u32 kind)
{
	return &policies[kind];
}
