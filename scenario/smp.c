// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: while the first CPU ticks, a second one that reads all the time gets no torn reading, and
 * time goes back for neither of them. On the virtual clock, whose counter both read; the first CPU
 * advances it in small steps and ticks as fast as it can, so that every reading is near a tick.
 *
 *   first    counter += C/8 ... tick() ... read() ... counter += C/8 ... tick() ...
 *   second   read() read() read() read() read() read() read() read() ...
 */
#include "lib/math.h"
#include "scenario/list.h"

#define STEPS	 8 /* of the counter, a tick */
#define BATCH	 1000
#define FEWEST	 1000 /* readings by the second CPU, however long it takes to start */
#define AWAIT_NS 10000000000ULL
/*
 * A mixture of two ticks is a tick off, which is 0.1 ms or more. Between two whole readings the
 * core is off the line by mult steps, and by 10 ppm of what passed if it is not locked.
 */
#define TORN_FS	  (100 * TB_FSEC_PER_NSEC)
#define TORN_PART 100000

static struct {
	struct run *run;
	volatile u64 counter;
	volatile s64 latest_ns; /* CLOCK_MONOTONIC as read last by either CPU, the largest */
	volatile bool stop;
	volatile u64 reads;   /* by the second CPU */
	u64 back[2], torn[2]; /* by CPU */
	u64 last_counter[2];
	s64 last_error_fs[2];
} smp;

static u64 counter_of_both(void *context)
{
	(void)context;
	return smp.counter;
}

/* One reading. What was read before it began, by whichever CPU, cannot be later. */
static void read_once(u32 cpu)
{
	s64 before = smp.latest_ns, error_fs, passed_fs;
	struct tk_time time;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	smp.run->tk->read(counter_of_both, NULL, &time);
	smp.back[cpu] += time.mono_ns < before;
	while (time.mono_ns > before &&
	       !__atomic_compare_exchange_n(&smp.latest_ns, &before, time.mono_ns, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	error_fs = instant_to_fsec(time.instant - vmclock_utc_at(&smp.run->line, time.counter));
	passed_fs = instant_to_fsec(vmclock_utc_at(&smp.run->line, time.counter) -
				    vmclock_utc_at(&smp.run->line, smp.last_counter[cpu]));
	smp.torn[cpu] +=
		magnitude(error_fs - smp.last_error_fs[cpu]) > TORN_FS + passed_fs / TORN_PART;
	smp.last_counter[cpu] = time.counter;
	smp.last_error_fs[cpu] = error_fs;
}

static void second_cpu(void *context)
{
	(void)context;
	while (!smp.stop) {
		read_once(1);
		smp.reads++;
	}
}

/* Ticks and reads for the duration, and until the second CPU has read a little. */
static u64 tick_all_the_time(struct run *run)
{
	const u64 wanted_ns = run->params->duration_ms * 1000000;
	u64 begin = run->stopwatch_ns(), passed = 0, ticks = 0;
	struct tk_state state;

	run->tk->state(&state);
	while (passed < wanted_ns || (smp.reads < FEWEST && passed < AWAIT_NS)) {
		for (u32 i = 0; i < BATCH; i++) {
			smp.counter += state.cycle_interval / STEPS + 1;
			if (i % STEPS == STEPS - 1) {
				run->tk->tick(smp.counter);
				ticks++;
			}
			read_once(0);
		}
		run->ticker.progress++;
		passed = run->stopwatch_ns() - begin;
	}
	return ticks;
}

static void smp_run(struct run *run)
{
	static const char claim[] = "no reading of a second CPU is torn while the first one ticks";
	u64 ticks;

	if (!run->second || !run->stopwatch_ns) {
		ktap_skip(run->ktap, claim, "there is no second CPU to read on");
		return;
	}
	if (!run_start_core(run) || !run_follow(run, true))
		return;
	smp.run = run;
	smp.counter = run->clock->now(run->clock->context);
	smp.latest_ns = 0;
	smp.last_counter[0] = smp.last_counter[1] = smp.counter;
	smp.last_error_fs[0] = smp.last_error_fs[1] = run_error_fs(run);
	smp.stop = false;
	smp.reads = smp.back[0] = smp.back[1] = smp.torn[0] = smp.torn[1] = 0;
	if (!run->second->start(second_cpu, NULL)) {
		ktap_skip(run->ktap, claim, "the second CPU cannot be started");
		return;
	}
	ticks = tick_all_the_time(run);
	smp.stop = true;
	run->second->join();
	ktap_metric(run->ktap, "ticks", (s128)ticks, 0, 0, "ticks");
	ktap_metric(run->ktap, "reads_second_cpu", (s128)smp.reads, 0, 0, "reads");
	if (smp.reads < FEWEST) {
		ktap_skip(run->ktap, claim, "the second CPU came to no readings");
		return;
	}
	run_claim(run, !smp.torn[0] && !smp.torn[1],
		  "no reading of a second CPU is torn while the first one ticks", 0);
	run_claim(run, !smp.back[0] && !smp.back[1],
		  "time goes back for no reader, on whichever CPU", 0);
}

const struct scenario scenario_smp = {
	.name = "smp",
	.claim = "a second CPU reads no torn time while the first one ticks",
	.needs = { .page = true, .virtual_clock = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 5000, [CLOCK_TSC] = 5000 },
	.run = smp_run,
};
