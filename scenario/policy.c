// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways to discipline a core. */
#include "lib/random.h"
#include "measure/reading.h"
#include "scenario/policy.h"

#define SLEW_MAX_E18 (500000 * (s128)SERVO_PPB)
#define READINGS     5 /* of which the quickest is taken: phc2sys' -N */

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

/*
 * What the page's line says the clock is to run faster than at a frequency of 0, as a daemon knows
 * that compares it with CLOCK_MONOTONIC_RAW, whose rate is the counter's rounded mult.
 */
static s64 page_frequency_e18(const struct daemon *daemon)
{
	const struct run *run = daemon->run;
	const struct tk_counter *counter = &run->clock->counter;
	const u64 from = run->line.counter_value;
	const instant page =
		vmclock_utc_at(&run->line, from + counter->hz) - vmclock_utc_at(&run->line, from);
	struct tk_conversion conversion;
	instant raw;

	if (tk_conversion_init(&conversion, counter))
		return 0;
	raw = instant_from_snsec(0, (u128)counter->hz * conversion.mult, conversion.shift);
	/* Both are near 2^64, and differ by a thousandth at most. */
	return (s64)div_s128((page - raw) * SERVO_PPB, div_u128((u128)raw, 1000000000, NULL));
}

/* Daemons that keep a drift file know the frequency when they start. */
static void from_drift_file(struct daemon *daemon)
{
	if (!daemon->run->params->discipline.drift_file)
		return;
	daemon->chrony.frequency_e18 = page_frequency_e18(daemon);
	set_frequency(daemon, daemon->chrony.frequency_e18);
}

/* A time of the core's clock as a value of the counter; 0 is none. */
static u64 counter_at(struct daemon *daemon, s64 in_ns)
{
	const u64 hz = daemon->run->clock->counter.hz;
	const u64 at = counter_now(daemon->run) +
		       (u64)div_u128((u128)(in_ns > 0 ? in_ns : 0) * hz, TB_NSEC_PER_SEC, NULL);

	return at ? at : 1;
}

static void chrony(struct daemon *daemon)
{
	struct chrony_servo *servo = &daemon->chrony;
	s64 local_ns;
	const s64 offset_ns = read_offset(daemon, &local_ns);

	if (!chrony_servo(servo, offset_ns, local_ns))
		return;
	set_frequency(daemon, servo->frequency_e18 + servo->slew_e18);
	daemon->timer_at = counter_at(daemon, servo->slew_end_ns - local_ns);
}

static void chrony_slewed(struct daemon *daemon)
{
	set_frequency(daemon, daemon->chrony.frequency_e18);
}

/* ntpd's time constant: the logarithm of its polling interval in seconds. */
static s64 time_constant(const struct daemon *daemon)
{
	const u64 seconds = daemon->interval / daemon->run->clock->counter.hz;

	return seconds ? 63 - __builtin_clzll(seconds) : 0;
}

static void kernel_loop(struct daemon *daemon, s32 status)
{
	s64 local_ns;
	struct tk_timex timex = {
		.modes = TK_ADJ_OFFSET | TK_ADJ_STATUS | TK_ADJ_TIMECONST | TK_ADJ_NANO,
		.offset = -read_offset(daemon, &local_ns),
		.status = status,
		.constant = time_constant(daemon),
	};

	adjust(daemon, &timex);
}

static void pll(struct daemon *daemon)
{
	kernel_loop(daemon, TK_STA_PLL);
}

static void fll(struct daemon *daemon)
{
	kernel_loop(daemon, TK_STA_PLL | TK_STA_FLL);
}

/* The page's frequency as it stands, and its phase through time_offset, in user space. */
static void freqhold(struct daemon *daemon)
{
	s64 local_ns;
	struct tk_timex timex = {
		.modes = TK_ADJ_FREQUENCY | TK_ADJ_TICK | TK_ADJ_OFFSET | TK_ADJ_STATUS |
			 TK_ADJ_TIMECONST | TK_ADJ_NANO,
		.offset = -read_offset(daemon, &local_ns),
		.status = TK_STA_PLL | TK_STA_FREQHOLD,
	};

	servo_timex(page_frequency_e18(daemon), &timex.tick, &timex.freq);
	adjust(daemon, &timex);
}

/* The same with the phase slewed linearly until the next reading, by the frequency. */
static void linear(struct daemon *daemon)
{
	const u64 hz = daemon->run->clock->counter.hz;
	s64 local_ns;
	s128 slew_e18 = -(s128)read_offset(daemon, &local_ns) * SERVO_PPB * (s64)hz;

	slew_e18 = div_s128(slew_e18, daemon->interval);
	if (slew_e18 > SLEW_MAX_E18)
		slew_e18 = SLEW_MAX_E18;
	if (slew_e18 < -SLEW_MAX_E18)
		slew_e18 = -SLEW_MAX_E18;
	set_frequency(daemon, page_frequency_e18(daemon) + (s64)slew_e18);
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
	[POLICY_CHRONY] = { .read_ms = 1000,
			    .begin = from_drift_file,
			    .wake = chrony,
			    .timer = chrony_slewed },
	[POLICY_PLL] = { .read_ms = 64000, .begin = from_drift_file, .wake = pll },
	[POLICY_FLL] = { .read_ms = 512000, .begin = from_drift_file, .wake = fll },
	[POLICY_FREQHOLD] = { .read_ms = 1000, .wake = freqhold },
	[POLICY_LINEAR] = { .read_ms = 1000, .wake = linear },
	[POLICY_FREE] = { .follows = false },
	[POLICY_IDEAL] = { .wake = ideal },
};

const struct policy *policy_of(u32 kind)
{
	return &policies[kind];
}
