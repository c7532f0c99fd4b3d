// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The real TSC as the clock of a run. A tick is due at a multiple of the tick length from the
 * start, so late ticks do not shift the phase. On a machine so slow that a tick takes longer than
 * its length, ticks are skipped as a kernel skips them, so that the loop below always makes
 * progress.
 */
#include "guest/tsc_clock.h"
#include "arch/x86/lapic.h"
#include "arch/x86/pvclock.h"
#include "arch/x86/tsc.h"
#include "lib/random.h"
#include "vmclock/mailbox.h"

#define SAMPLES_PER_TICK    20 /* at most: what the statistics and an emulated CPU can handle */
#define IDLE_MAX	    10 /* tickless: the most ticks that are skipped in a row */
#define PAGE_WAIT_SECONDS   10 /* for a publisher that is still measuring the guest's counter */
#define WRITER_WAIT_SECONDS 1  /* for one that was preempted during an update */
/* The publisher gives no verdict while the TSC is in doubt, and judges posts of the last 10 s. */
#define JUDGE_SECONDS 8
#define SPIN_TRIAL    64 /* iterations that are timed, to find how many take a microsecond */
#define SPIN_MAX      4096

static struct {
	struct ticker *ticker; /* NULL: no ticks */
	enum lapic_timer timer;
	u64 due;  /* cycles */
	u64 last; /* when the last tick came */
	u64 random;
	u32 locked;
	u32 spins;			  /* iterations of about a microsecond */
	volatile struct mailbox *mailbox; /* NULL: none */
	const struct bell *bell;
	void (*notified)(void *context);
	void *context;
} tsc;

static const char *const sentences[TSC_CLOCK_ERRORS] = {
	[TSC_CLOCK_OK] = "ready",
	[TSC_CLOCK_NO_TSC] = "the CPU has no TSC: use clock=virtual",
	[TSC_CLOCK_NO_FREQUENCY] =
		"nothing in this machine tells how fast its TSC runs: give counter_hz=",
	[TSC_CLOCK_NO_APIC] = "there is no local APIC to take ticks from: use clock=virtual",
	[TSC_CLOCK_NO_DEADLINE] =
		"the CPU has no TSC-deadline timer: use tick=oneshot or tick=auto",
	[TSC_CLOCK_NO_TIMER] =
		"the local APIC's timer does not count: use tick=deadline or clock=virtual",
};

const char *tsc_clock_strerror(enum tsc_clock_error error)
{
	return error < TSC_CLOCK_ERRORS ? sentences[error] : "unknown error";
}

static u64 tsc_clock_now(void *context)
{
	(void)context;
	return rdtsc();
}

static void tsc_clock_lock(void *context)
{
	(void)context;
	interrupts_off();
	tsc.locked++;
}

static void tsc_clock_unlock(void *context)
{
	(void)context;
	if (--tsc.locked == 0 && tsc.ticker)
		interrupts_on();
}

/* Answers the publisher. Must not be interrupted by itself. */
static void answer(void)
{
	if (tsc.mailbox)
		mailbox_serve(tsc.mailbox, tsc_clock_now, NULL);
}

/*
 * The next tick's due time: a multiple of the tick length, far enough ahead that other code can run
 * before it.
 */
static void advance(const struct ticker *ticker, u64 now)
{
	u64 soonest = now + ticker->interval / 8;

	tsc.due +=
		ticker->interval * (ticker->tickless ? 1 + random_next(&tsc.random) % IDLE_MAX : 1);
	if ((s64)(soonest - tsc.due) > 0)
		tsc.due += ((soonest - tsc.due) / ticker->interval + 1) * ticker->interval;
}

static void deliver(struct ticker *ticker, u64 now)
{
	struct tick_stats *stats = &ticker->stats;

	tick_stats_add(stats, now - tsc.due, now - tsc.last);
	if ((now - tsc.last) / ticker->interval > stats->longest_idle + 1)
		stats->longest_idle = (now - tsc.last) / ticker->interval - 1;
	if (ticker->delays_kept < ticker->delays_most)
		ticker->delays[ticker->delays_kept++] =
			now - tsc.due > ~0U ? ~0U : (u32)(now - tsc.due);
	tsc.last = now;
	ticker->tick(now);
	advance(ticker, rdtsc());
}

static void tick(void)
{
	u64 now = rdtsc();

	if (!tsc.ticker)
		return;
	/* A count-down may end slightly early. The core must not get a tick before it is due. */
	if ((s64)(now - tsc.due) >= 0)
		deliver(tsc.ticker, now);
	lapic_timer_arm(tsc.due);
	/* Answers the publisher once a tick, whatever the scenario does. */
	answer();
}

static void tsc_clock_ticks_start(struct clock *clock, struct ticker *ticker)
{
	tsc.random = ticker->seed;
	/* tsc_clock_init() has seen it count. */
	lapic_timer_start(tsc.timer, clock->counter.hz, tick);
	tsc.last = rdtsc();
	tsc.due = tsc.last + ticker->interval;
	tsc.ticker = clock->ticker = ticker;
	lapic_timer_arm(tsc.due);
	if (!tsc.locked)
		interrupts_on();
}

static void tsc_clock_ticks_stop(struct clock *clock)
{
	(void)clock;
	interrupts_off();
	lapic_timer_stop();
	/* clock->ticker stays set: the page is still read. */
	tsc.ticker = NULL;
}

/* Answers the publisher outside of the tick. Costs two loads if there is no request. */
static void serve(void)
{
	if (!tsc.mailbox || !mailbox_asks(tsc.mailbox))
		return;
	tsc_clock_lock(NULL);
	answer();
	tsc_clock_unlock(NULL);
}

/* How many iterations of cpu_spin() take about a microsecond. */
static void measure_spins(u64 hz)
{
	u64 best = ~0ULL, start, cycles;
	u32 tries;

	for (tries = 0; tries < 4; tries++) {
		start = rdtsc();
		cpu_spin(SPIN_TRIAL);
		cycles = rdtsc() - start;
		if (cycles < best)
			best = cycles;
	}
	/* hz / 10^6 is below 2^13: no product overflows. */
	tsc.spins = (u32)(SPIN_TRIAL * (hz / 1000000) / (best + 1));
	if (tsc.spins > SPIN_MAX)
		tsc.spins = SPIN_MAX;
}

static void tsc_clock_run_until(struct clock *clock, u64 until)
{
	struct ticker *ticker = clock->ticker;
	const u64 gap = ticker ? ticker->interval / SAMPLES_PER_TICK : 0;
	u64 now = rdtsc(), next = now;

	for (; (s64)(until - now) > 0; now = rdtsc()) {
		serve();
		if (!ticker || (s64)(now - next) < 0) {
			cpu_spin(tsc.spins);
			continue;
		}
		ticker->sample(ticker->context);
		next = rdtsc() + gap;
	}
}

static bool tsc_clock_judge(struct clock *clock, u64 counter, instant time, s64 *difference_fs,
			    u64 *maxerror_ns)
{
	const u64 patience = JUDGE_SECONDS * clock->counter.hz;
	struct mailbox_verdict verdict;
	u64 number, start = rdtsc();

	if (!tsc.mailbox)
		return false;
	number = mailbox_post(tsc.mailbox, counter, time);
	while (!mailbox_verdict(tsc.mailbox, number, &verdict)) {
		if (rdtsc() - start > patience)
			return false;
		serve();
		cpu_spin(tsc.spins);
	}
	*difference_fs = verdict.difference_fs;
	*maxerror_ns = verdict.maxerror_ns;
	return verdict.valid;
}

static void rang(void)
{
	/* In an interrupt: what is called may lock and unlock, and must not turn interrupts on. */
	tsc.locked++;
	tsc.notified(tsc.context);
	tsc.locked--;
}

static const char *tsc_clock_notify(struct clock *clock, void (*function)(void *context),
				    void *context)
{
	(void)clock;
	if (!tsc.bell->there)
		return tsc.bell->why;
	tsc_clock_lock(NULL);
	tsc.notified = function;
	tsc.context = context;
	if (!bell_listen(tsc.bell, function ? rang : NULL)) {
		tsc_clock_unlock(NULL);
		return "no I/O APIC has the device's interrupt";
	}
	tsc_clock_unlock(NULL);
	return NULL;
}

/*
 * Waits for the publisher. While it measures this guest's TSC, the page says "initializing". If it
 * got no answer while the last scenario was reported, the page says "unknown" until it gets one.
 */
static void wait_for_page(const struct clock *clock)
{
	const u64 hz = clock->counter.hz;
	const u64 start = rdtsc();
	struct vmclock_line line;
	enum vmclock_error error;

	for (;;) {
		u64 passed = rdtsc() - start;

		error = vmclock_read(clock->page, clock->page_mapped, 0, &line);
		if (!vmclock_may_pass(error) || passed > PAGE_WAIT_SECONDS * hz)
			return;
		if ((!tsc.mailbox || error != VMCLOCK_STATUS_IS_UNKNOWN) &&
		    error != VMCLOCK_STATUS_IS_INITIALIZING && passed > WRITER_WAIT_SECONDS * hz)
			return;
		serve();
		cpu_spin(tsc.spins);
	}
}

static void tsc_clock_reset(struct clock *clock)
{
	clock->ticker = NULL;
	if (clock->page)
		wait_for_page(clock);
}

static bool find_frequency(struct clock *clock, const struct machine *machine, u64 given)
{
	struct tsc_frequency frequency = { .hz = given, .source = "given" };

	if (!given)
		tsc_frequency(&frequency, &machine->cpu, &machine->clock);
	clock->counter.hz = frequency.hz;
	clock->counter.mask = ~0ULL;
	clock->counter.khz = true;
	clock->counter_source = frequency.source;
	clock->counter_error_ppb = frequency.error_ppb;
	return frequency.hz != 0;
}

static enum tsc_clock_error find_timer(const struct machine *machine, u32 kind, u64 hz)
{
	if (!lapic_init(&machine->cpu))
		return TSC_CLOCK_NO_APIC;
	tsc.timer =
		kind == TICK_ONESHOT || !machine->cpu.tsc_deadline ? LAPIC_ONESHOT : LAPIC_DEADLINE;
	if (!lapic_timer_start(tsc.timer, hz, tick))
		return TSC_CLOCK_NO_TIMER;
	lapic_timer_stop();
	return TSC_CLOCK_OK;
}

enum tsc_clock_error tsc_clock_check(const struct machine *machine,
				     const struct scenario_params *params)
{
	if (!machine->cpu.has_tsc)
		return TSC_CLOCK_NO_TSC;
	if (params->tick == TICK_DEADLINE && !machine->cpu.tsc_deadline)
		return TSC_CLOCK_NO_DEADLINE;
	return TSC_CLOCK_OK;
}

enum tsc_clock_error tsc_clock_init(struct clock *clock, const struct machine *machine,
				    const struct scenario_params *params)
{
	enum tsc_clock_error error;

	*clock = (struct clock){
		.page = machine->page.address,
		.page_mapped = machine->page.size,
		.page_error = machine->page.address ? VMCLOCK_OK : VMCLOCK_ABSENT,
		.markers = machine->markers.address,
		.second = {
			.name = machine->clock.name,
			.period_fs = machine->clock.period_fs,
			.mask = machine->clock.mask,
			.read = refclock_read,
		},
		.reset = tsc_clock_reset,
		.now = tsc_clock_now,
		.ticks_start = tsc_clock_ticks_start,
		.ticks_stop = tsc_clock_ticks_stop,
		.run_until = tsc_clock_run_until,
		.lock = tsc_clock_lock,
		.unlock = tsc_clock_unlock,
		.judge = tsc_clock_judge,
		.notify = tsc_clock_notify,
	};
	clock->kvmclock.none = pvclock_start(&machine->cpu);
	if (!clock->kvmclock.none)
		clock->kvmclock.at = pvclock_at;
	tsc.ticker = NULL;
	tsc.locked = 0;
	tsc.bell = &machine->bell;
	tsc.mailbox = machine->mailbox.address;
	if (tsc.mailbox && !mailbox_present(tsc.mailbox))
		tsc.mailbox = NULL;
	error = tsc_clock_check(machine, params);
	if (error)
		return error;
	if (!find_frequency(clock, machine, params->counter_hz))
		return TSC_CLOCK_NO_FREQUENCY;
	measure_spins(clock->counter.hz);
	error = find_timer(machine, params->tick, clock->counter.hz);
	clock->tick_source = tsc.timer == LAPIC_DEADLINE ? "tsc-deadline" : "lapic-oneshot";
	return error;
}
