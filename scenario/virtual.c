// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The virtual clock: a counter that stands still until it is advanced from tick to tick, a page of
 * its own with the true line, and ticks exactly when they are due, or as late and as seldom as
 * asked.
 */
#include "lib/random.h"
#include "scenario/scenario.h"

#define NOMINAL_HZ 2596146000ULL /* a TSC that is measured in docs/core.md */
#define START_SEC  1767225600LL	 /* 2026-01-01 */
#define START	   (1ULL << 40)
#define IDLE	   10 /* tickless: one tick in so many comes */

static struct {
	u64 counter;
	u64 due;  /* of the next tick */
	u64 last; /* when the last one came */
	u64 interval;
	u64 late_cycles; /* at most */
	u64 random;
	bool running, tickless;
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

static void virtual_ticks_start(struct bench *bench)
{
	struct vehicle *vehicle = bench->vehicle;
	struct tk_state state;

	bench->tk->state(&state);
	virtual.interval = state.cycle_interval;
	virtual.due = virtual.counter + virtual.interval;
	virtual.last = virtual.counter;
	virtual.tickless = bench->params->tickless;
	virtual.late_cycles = (u64)div_u128((u128)bench->params->late_ns * vehicle->counter.hz,
					    TB_NSEC_PER_SEC, NULL);
	virtual.random = bench->params->seed;
	virtual.running = true;
}

static void virtual_ticks_stop(struct bench *bench)
{
	(void)bench;
	virtual.running = false;
}

static void virtual_run_until(struct bench *bench, u64 until)
{
	while (virtual.running && (s64)(until - virtual.due) >= 0) {
		u64 idle = 0;
		u64 late = virtual.late_cycles
				   ? random_next(&virtual.random) % (virtual.late_cycles + 1)
				   : 0;

		virtual.counter = virtual.due + late;
		bench_sample(bench);
		bench->tk->tick(virtual.counter);
		bench->tick.ticks++;
		bench->progress++;
		if (virtual.counter - virtual.last > bench->tick.gap_max_cycles)
			bench->tick.gap_max_cycles = virtual.counter - virtual.last;
		virtual.last = virtual.counter;
		if (late > bench->tick.late_max_cycles)
			bench->tick.late_max_cycles = late;
		for (;; idle++) {
			virtual.due += virtual.interval;
			if ((s64)(virtual.counter - virtual.due) < 0 &&
			    !(virtual.tickless && random_next(&virtual.random) % IDLE))
				break;
		}
		if (idle > bench->tick.longest_idle)
			bench->tick.longest_idle = idle;
	}
	if ((s64)(until - virtual.counter) > 0)
		virtual.counter = until;
}

static void nothing(void *context)
{
	(void)context;
}

void virtual_vehicle_init(struct vehicle *vehicle, const struct scenario_params *params)
{
	struct vmclock_line line = {
		.counter_value = START,
		.time = instant_make(START_SEC, 0),
		.time_type = VMCLOCK_TIME_UTC,
		.clock_status = VMCLOCK_STATUS_SYNCHRONIZED,
		.disruption_marker = 1,
		.flags = VMCLOCK_FLAG_TIME_MONOTONIC,
	};

	*vehicle = (struct vehicle){
		.is_virtual = true,
		.counter = {
			.hz = params->counter_hz ? params->counter_hz : NOMINAL_HZ,
			.mask = ~0ULL >> (64 - params->counter_bits),
			.khz = params->registered == REGISTER_KHZ,
		},
		.counter_source = "given",
		.tick_source = "virtual",
		.page = &virtual.page.abi,
		.page_mapped = sizeof(virtual.page.bytes),
		.page_is_ours = true,
		.reset = virtual_vehicle_init,
		.now = virtual_now,
		.ticks_start = virtual_ticks_start,
		.ticks_stop = virtual_ticks_stop,
		.run_until = virtual_run_until,
		.lock = nothing,
		.unlock = nothing,
	};
	virtual.counter = START;
	virtual.running = false;
	vmclock_period_from_hz(vehicle->counter.hz, params->rate_ppt, &line.period_frac,
			       &line.period_shift);
	vmclock_page_init(&virtual.page.abi, &line);
}
