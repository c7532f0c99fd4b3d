// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: while the first CPU ticks, a second one that reads all the time gets no torn reading of
 * any clock, and no clock goes back for either of them, nor across them. On the virtual clock both
 * read one counter; the first CPU advances it in small steps, ticks and reads; and by whole ticks,
 * one after the other, so that most readings of the second one overlap with a tick. On the real one
 * each reads its own TSC; how far these disagree is measured first, and allowed for.
 *
 *   first    counter += C/8 ... tick() ... read() ... counter += C/8 ... tick() ...
 *   second   read() read() read() read() read() read() read() read() ...
 */
#include "lib/math.h"
#include "lib/random.h"
#include "measure/agree.h"
#include "measure/drive.h"
#include "scenario/list.h"

#define STEPS 8 /* of the counter, a tick */
#define BATCH 100
#define BURST 32 /* ticks one after the other, between two steps' ticks */
#define PAUSE \
	64 /* iterations of an empty loop between them, at most: a reader must come to an end */
#define FEWEST	  1000 /* readings by the second CPU, however long it takes to start */
#define AWAIT_NS  10000000000ULL
#define NSEC_FS	  ((s64)1000000)
#define COARSE_FS (500000000 * NSEC_FS) /* nor are seconds and ns of two ticks */
/*
 * A mixture of two ticks is a tick off, which is 0.1 ms or more. Between two whole readings a clock
 * strays from the line by mult steps, and by 0.1 % of what passed if it does not follow.
 */
#define TORN_FS	  (100 * NSEC_FS)
#define TORN_PART 1000

enum kind {
	PLAIN,	/* it is at the counter's time, and never goes back */
	FAST,	/* as the one before; over an update of its copies it may go back a little */
	COARSE, /* of the latest tick */
};

static const struct {
	enum tk_reading which;
	enum kind kind;
} clocks[] = {
	{ TKR_KTIME_GET_REAL_TS64, PLAIN },
	{ TKR_KTIME_GET, PLAIN },
	{ TKR_KTIME_GET_TS64, PLAIN },
	{ TKR_KTIME_GET_OFFS_REAL, PLAIN },
	{ TKR_KTIME_GET_OFFS_BOOT, PLAIN },
	{ TKR_KTIME_GET_OFFS_TAI, PLAIN },
	{ TKR_KTIME_GET_RAW, PLAIN },
	{ TKR_KTIME_GET_RAW_TS64, PLAIN },
	{ TKR_VDSO_REALTIME, PLAIN },
	{ TKR_VDSO_MONOTONIC, PLAIN },
	{ TKR_VDSO_BOOTTIME, PLAIN },
	{ TKR_VDSO_TAI, PLAIN },
	{ TKR_VDSO_RAW, PLAIN },
	{ TKR_MONO_FAST, FAST },
	{ TKR_RAW_FAST, FAST },
	{ TKR_BOOT_FAST, FAST },
	{ TKR_TAI_FAST, FAST },
	{ TKR_REAL_FAST, FAST },
	{ TKR_COARSE_REAL_TS64, COARSE },
	{ TKR_COARSE_TS64, COARSE },
	{ TKR_VDSO_REALTIME_COARSE, COARSE },
	{ TKR_VDSO_MONOTONIC_COARSE, COARSE },
};

#define CLOCKS TB_ARRAY_SIZE(clocks)

/* What one CPU read of one clock last: its distance from the line is between the two. */
struct last {
	u64 counter;
	instant low, high;
};

/* What one CPU found. The other one writes nothing here. */
struct reader {
	u64 reads, wide; /* wide: the counter passed half a tick meanwhile */
	u64 back, torn;	 /* of read() */
	u64 clock_back, clock_torn;
	enum tk_reading went_back, was_torn; /* the latest ones */
	u64 last_counter;
	s64 last_error_fs;
	struct last last[CLOCKS];
};

static struct {
	struct run *run;
	volatile u64 counter; /* the virtual clock's */
	u64 interval, start;
	volatile bool stop;
	volatile s64 latest_ns;	     /* CLOCK_MONOTONIC as read last by either CPU, the largest */
	volatile s64 latest[CLOCKS]; /* the same of each clock, ns since base */
	s64 base[CLOCKS];
	s64 allowed_ns; /* that the CPUs' counters disagree by */
	s64 fast_ns;	/* that a fast reader may go back by */
	bool has[CLOCKS];
	struct reader reader[2] __attribute__((aligned(64)));
} smp;

static u64 counter_of_both(void *context)
{
	const struct clock *clock = smp.run->clock;

	(void)context;
	return clock->is_virtual ? smp.counter & clock->counter.mask : clock->now(clock->context);
}

/* Returns the largest time that was known before `time` was read, and makes it that if larger. */
static void raise(volatile s64 *latest, s64 before, s64 time)
{
	while (time > before && !__atomic_compare_exchange_n(latest, &before, time, false,
							     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

/* The line's time at a value of the counter, since the run's start. */
static instant line_at(u64 counter)
{
	const struct vmclock_line *line = &smp.run->line;

	return vmclock_utc_at(line, counter) - vmclock_utc_at(line, smp.start);
}

/* How far a clock may seem to stray while the line goes from one to the other. */
static s64 stray_fs(instant from, instant to)
{
	return magnitude(instant_to_fsec(to - from)) / TORN_PART;
}

/* One reading of the clock to the sub-ns. What was read before it began cannot be later. */
static void read_once(struct reader *reader)
{
	s64 before = smp.latest_ns, error_fs;
	struct tk_time time;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	smp.run->tk->read(counter_of_both, NULL, &time);
	reader->back += time.mono_ns < before - smp.allowed_ns;
	raise(&smp.latest_ns, before, time.mono_ns);
	error_fs = instant_to_fsec(time.instant - vmclock_utc_at(&smp.run->line, time.counter));
	reader->torn += magnitude(error_fs - reader->last_error_fs) >
			TORN_FS + stray_fs(line_at(reader->last_counter), line_at(time.counter));
	reader->last_counter = time.counter;
	reader->last_error_fs = error_fs;
}

/* Whether a clock is as far from the line as it was, that was read between two values of the
 * counter.
 */
static bool whole(struct last *last, s64 value_ns, u64 first, u64 after, enum kind kind)
{
	const s64 slack_fs = kind == COARSE ? COARSE_FS : TORN_FS;
	instant at = line_at(after), low = instant_from_nsec(value_ns) - at;
	instant high = instant_from_nsec(value_ns) - line_at(first);
	s64 allowed = slack_fs + stray_fs(line_at(last->counter), at);
	bool fits = instant_to_fsec(low - last->high) <= allowed &&
		    instant_to_fsec(last->low - high) <= allowed;

	if (((after - first) & smp.run->clock->counter.mask) <= smp.interval / 2)
		*last = (struct last){ .counter = after, .low = low, .high = high };
	return fits;
}

/* One reading of one clock by the core's own function. */
static void ask_once(struct reader *reader, u32 i)
{
	s64 before = smp.latest[i], value;
	u64 first, after;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	first = counter_of_both(NULL);
	smp.run->tk->ask(clocks[i].which, &value);
	after = counter_of_both(NULL);
	value -= smp.base[i];
	if (before - value > smp.allowed_ns + (clocks[i].kind == FAST ? smp.fast_ns : 0)) {
		reader->clock_back++;
		reader->went_back = clocks[i].which;
	}
	raise(&smp.latest[i], before, value);
	reader->wide += ((after - first) & smp.run->clock->counter.mask) > smp.interval / 2;
	if (clocks[i].kind == COARSE && !smp.run->clock->is_virtual)
		return; /* it is as late as the tick, and interrupts may come late */
	if (!whole(&reader->last[i], value, first, after, clocks[i].kind)) {
		reader->clock_torn++;
		reader->was_torn = clocks[i].which;
	}
}

/* One reading of each clock. */
static void ask_all(struct reader *reader)
{
	for (u32 i = 0; i < CLOCKS; i++) {
		if (smp.has[i]) {
			ask_once(reader, i);
			reader->reads++;
		}
	}
	read_once(reader);
	reader->reads++;
}

static void second_cpu(void *context)
{
	(void)context;
	while (!smp.stop)
		ask_all(&smp.reader[1]);
}

static bool wrong(const struct reader *reader)
{
	return reader->back || reader->torn || reader->clock_back || reader->clock_torn;
}

/*
 * The run ends after so many readings of the second CPU, if a number is given, or with the
 * duration; and when a reading was wrong.
 */
static bool goes_on(const struct run *run, u64 passed_ns)
{
	const u64 reads = *(volatile u64 *)&smp.reader[1].reads;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (wrong(&smp.reader[0]) || wrong(&smp.reader[1]))
		return false;
	if (run->params->readings)
		return reads < run->params->readings;
	return passed_ns < run->params->duration_ms * 1000000 ||
	       (reads < FEWEST && passed_ns < AWAIT_NS);
}

/* A burst of ticks, with pauses of different lengths. Returns how many. */
static u32 tick_often(const struct run *run)
{
	static u64 random = 1;

	for (u32 i = 0; i < BURST; i++) {
		run->tk->tick(counter_of_both(NULL));
		for (u32 pause = random_next(&random) % PAUSE; pause; pause--)
			__atomic_signal_fence(__ATOMIC_SEQ_CST);
		smp.counter += smp.interval;
	}
	run->tk->tick(counter_of_both(NULL));
	return BURST + 1;
}

/* The virtual clock: the first CPU advances it, ticks, and reads one clock after the other. */
static u64 tick_all_the_time(struct run *run)
{
	struct reader *reader = &smp.reader[0];
	u64 last = run->stopwatch_ns(), passed = 0, ticks = 0;

	for (u32 clock = 0; goes_on(run, passed);) {
		for (u32 i = 0; i < BATCH; i++) {
			ticks += i % STEPS ? 0 : tick_often(run);
			smp.counter += smp.interval / STEPS + 1;
			clock = clock + 1 < CLOCKS ? clock + 1 : 0;
			if (smp.has[clock])
				ask_once(reader, clock);
			read_once(reader);
		}
		run->ticker.progress++;
		/* The guest's stopwatch starts again at 0 after some time. */
		if (run->stopwatch_ns() > last)
			passed += run->stopwatch_ns() - last;
		last = run->stopwatch_ns();
	}
	return ticks;
}

/* The real one: interrupts tick. */
static u64 read_all_the_time(struct run *run)
{
	const u64 begin = counter_of_both(NULL), cycles_of_ms = run_cycles_in_ms(run, 1);

	run_ticks_start(run);
	while (goes_on(run, (counter_of_both(NULL) - begin) / cycles_of_ms * 1000000))
		ask_all(&smp.reader[0]);
	run_ticks_stop(run);
	return run->ticker.stats.ticks;
}

/* Reads each clock once, while nobody ticks: where it is from the line. */
static void prepare(struct run *run, const struct agreement *agreement)
{
	const u64 hz = run->clock->counter.hz;
	struct tk_state state;

	smp.run = run;
	smp.counter = smp.start = run->clock->now(run->clock->context);
	run->tk->state(&state);
	smp.interval = state.cycle_interval;
	smp.allowed_ns = (s64)(agreement_off(agreement) * 1000000 / (hz / 1000));
	smp.allowed_ns += agreement_off(agreement) != 0;
	/* As fast readers round down, and as mult may change while a tick goes on. */
	smp.fast_ns = 1 + run_stray_fs(run) / NSEC_FS;
	smp.stop = false;
	run->tk->live(counter_of_both, NULL);
	for (u32 cpu = 0; cpu < 2; cpu++) {
		smp.reader[cpu] = (struct reader){ .last_counter = smp.start };
		smp.reader[cpu].last_error_fs = run_error_fs(run);
	}
	smp.latest_ns = 0;
	for (u32 i = 0; i < CLOCKS; i++) {
		struct last last = { .high = -line_at(counter_of_both(NULL)) };

		smp.has[i] = run->tk->ask(clocks[i].which, &smp.base[i]);
		smp.latest[i] = 0;
		last.counter = counter_of_both(NULL);
		last.low = -line_at(last.counter);
		smp.reader[0].last[i] = smp.reader[1].last[i] = last;
	}
}

static void say(struct run *run, const char *what, bool failed, u32 which)
{
	if (failed)
		ktap_note(run->ktap, "%s: %s", what, tk_reading_name(which));
}

static void claim_all(struct run *run)
{
	const struct reader *one = &smp.reader[0], *two = &smp.reader[1];
	bool torn = one->clock_torn || two->clock_torn, back = one->clock_back || two->clock_back;

	run_claim(run, !one->torn && !two->torn,
		  "no reading of a second CPU is torn while the first one ticks", 0);
	run_claim(run, !one->back && !two->back, "time goes back for no reader, on whichever CPU",
		  0);
	say(run, "torn", torn, two->clock_torn ? two->was_torn : one->was_torn);
	run_claim(run, !torn, "no reading of any clock is torn, on whichever CPU", 0);
	say(run, "went back", back, two->clock_back ? two->went_back : one->went_back);
	run_claim(run, !back, "no clock goes back for a reader, nor from one CPU to the other", 0);
}

static void metric_cycles(struct run *run, const char *name, s64 cycles)
{
	const u64 khz = run->clock->counter.hz / 1000;

	ktap_metric(run->ktap, name, div_s128((s128)cycles * 1000000000, khz), 3, 3, "ns");
}

static void metrics(struct run *run, const struct agreement *agreement, u64 ticks)
{
	if (!run->clock->is_virtual) {
		metric_cycles(run, "second_tsc_low_ns", agreement->low);
		metric_cycles(run, "second_tsc_high_ns", agreement->high);
	}
	ktap_metric(run->ktap, "ticks", (s128)ticks, 0, 0, "ticks");
	ktap_metric(run->ktap, "reads_second_cpu", (s128)smp.reader[1].reads, 0, 0, "reads");
	ktap_metric(run->ktap, "reads_wide", (s128)(smp.reader[0].wide + smp.reader[1].wide), 0, 0,
		    "reads");
}

static void smp_run(struct run *run)
{
	static const char claim[] = "no reading of a second CPU is torn while the first one ticks";
	struct agreement agreement;
	const char *none;
	u64 ticks;

	if (!run->second || !run->stopwatch_ns || !run->tk->ask) {
		ktap_skip(run->ktap, claim, "there is no second CPU to read on");
		return;
	}
	none = run_agreement(run, &agreement);
	if (none) {
		ktap_skip(run->ktap, claim, none);
		return;
	}
	if (!run_start_core(run) || !run_follow(run, true))
		return;
	prepare(run, &agreement);
	none = run->second->start(second_cpu, NULL);
	if (none) {
		ktap_skip(run->ktap, claim, none);
		return;
	}
	ticks = run->clock->is_virtual ? tick_all_the_time(run) : read_all_the_time(run);
	smp.stop = true;
	run->second->join();
	run->tk->live(NULL, NULL);
	metrics(run, &agreement, ticks);
	ktap_note(run->ktap, "the second CPU made %llu reads, the first one %llu, in %llu ticks",
		  smp.reader[1].reads, smp.reader[0].reads, ticks);
	if (smp.reader[1].reads < FEWEST && !wrong(&smp.reader[0]) && !wrong(&smp.reader[1]))
		ktap_skip(run->ktap, claim, "the second CPU came to no readings");
	else
		claim_all(run);
}

const struct scenario scenario_smp = {
	.name = "smp",
	.claim = "a second CPU reads no torn time while the first one ticks",
	.needs = { .page = true, .cpus = 2 },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 5000, [CLOCK_TSC] = 5000 },
	.run = smp_run,
};
