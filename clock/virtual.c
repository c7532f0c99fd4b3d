// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The virtual clock: a counter that changes only when it is advanced from tick to tick, a page of
 * its own with the true line, and ticks exactly when they are due, or late or skipped as the ticker
 * says.
 */
#include "lib/random.h"
#include "clock/clock.h"

#define IDLE 10 /* tickless: one tick in IDLE is delivered, on average */

static struct {
	u64 counter;
	u64 due;	 /* of the next tick */
	u64 last;	 /* when the last one was delivered */
	u64 late_cycles; /* at most */
	u64 random;
	u64 delivered; /* ticks, for their recorded delays */
	struct virtual_setup setup;
	union {
		struct vmclock_abi abi;
		u8 bytes[VMCLOCK_PAGE_SIZE];
	} page __attribute__((aligned(64)));
} virtual;

static u64 virtual_now(void *context)
{
	(void)context;
	return virtual.counter;
}

static void virtual_ticks_start(struct clock *clock, struct ticker *ticker)
{
	virtual.due = virtual.counter + ticker->interval;
	virtual.last = virtual.counter;
	virtual.late_cycles = (u64)div_u128((u128)ticker->late_ns * clock->counter.hz,
					    TB_NSEC_PER_SEC, NULL);
	virtual.random = ticker->seed;
	virtual.delivered = 0;
	clock->ticker = ticker;
}

static void virtual_ticks_stop(struct clock *clock)
{
	clock->ticker = NULL;
}

/* One tick, `late` cycles after it was due. */
static void deliver(struct ticker *ticker, u64 late)
{
	struct tick_stats *stats = &ticker->stats;

	virtual.counter = virtual.due + late;
	ticker->sample(ticker->context);
	ticker->tick(virtual.counter);
	ticker->progress++;
	tick_stats_add(stats, late, virtual.counter - virtual.last);
	virtual.last = virtual.counter;
}

/*
 * Moves the due time beyond the present counter; counts the skipped ticks. As Linux does, it skips
 * no more than what the counter's width can tell: what is after half of it would seem to be before.
 */
static void schedule_next(struct ticker *ticker)
{
	const u64 most = (virtual.setup.counter.mask >> 1) - virtual.late_cycles;
	u64 idle = 0;

	for (;; idle++) {
		virtual.due += ticker->interval;
		if ((s64)(virtual.counter - virtual.due) >= 0)
			continue;
		if (!ticker->tickless || !(random_next(&virtual.random) % IDLE) ||
		    virtual.due + 2 * ticker->interval - virtual.last > most)
			break;
	}
	if (idle > ticker->stats.longest_idle)
		ticker->stats.longest_idle = idle;
}

static u64 delay(const struct clock *clock)
{
	const struct ticker *ticker = clock->ticker;

	if (ticker->recorded)
		return (u64)div_u128(
			(u128)ticker->recorded_ns[virtual.delivered++ % ticker->recorded] *
				clock->counter.hz,
			TB_NSEC_PER_SEC, NULL);
	return virtual.late_cycles ? random_next(&virtual.random) % (virtual.late_cycles + 1) : 0;
}

static void virtual_run_until(struct clock *clock, u64 until)
{
	while (clock->ticker && (s64)(until - virtual.due) >= 0) {
		deliver(clock->ticker, delay(clock));
		schedule_next(clock->ticker);
	}
	if ((s64)(until - virtual.counter) > 0)
		virtual.counter = until;
}

static void nothing(void *context)
{
	(void)context;
}

static void virtual_reset(struct clock *clock)
{
	struct vmclock_line line = {
		.counter_value = virtual.setup.start,
		.time = instant_make(virtual.setup.sec, 0),
		.time_type = VMCLOCK_TIME_UTC,
		.clock_status = VMCLOCK_STATUS_SYNCHRONIZED,
		.disruption_marker = 1,
		.flags = VMCLOCK_FLAG_TIME_MONOTONIC,
	};

	*clock = (struct clock){
		.is_virtual = true,
		.counter = virtual.setup.counter,
		.counter_source = "given",
		.tick_source = "virtual",
		.page = &virtual.page.abi,
		.page_mapped = sizeof(virtual.page.bytes),
		.page_is_ours = true,
		.reset = virtual_reset,
		.now = virtual_now,
		.ticks_start = virtual_ticks_start,
		.ticks_stop = virtual_ticks_stop,
		.run_until = virtual_run_until,
		.lock = nothing,
		.unlock = nothing,
	};
	virtual.counter = virtual.setup.start;
	vmclock_period_from_hz(clock->counter.hz, virtual.setup.rate_ppt, &line.period_frac,
			       &line.period_shift);
	vmclock_page_init(&virtual.page.abi, &line);
}

void virtual_clock_init(struct clock *clock, const struct virtual_setup *setup)
{
	virtual.setup = *setup;
	virtual_reset(clock);
}
