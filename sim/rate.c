// SPDX-License-Identifier: GPL-2.0-or-later
/* How fast a core ticks: every tick called, when it is due, with nothing else in the loop. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "scenario/scenario.h"
#include "sim/sim.h"

#define TICKS_A_ROUND 1000000
#define ROUNDS	      21

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static u64 held(void *context)
{
	return *(u64 *)context;
}

int measure_rate(const struct scenario_params *params)
{
	const struct tk_ops *tk = !strcmp(params->core, "linux") && &tk_linux ? &tk_linux : &tk_native;
	struct tk_setup setup = {
		.counter = { params->counter_hz ? params->counter_hz : 2596146000ULL, ~0ULL },
		.hz = params->hz,
		.switches = params->switches,
		.now = 1ULL << 40,
		.sec = 1767225600,
	};
	struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY, .freq = params->rate_ppt * 65536 / 1000000 };
	double best_tick = 1e9, best_read = 1e9;
	struct tk_state state;
	struct tk_time time;
	u64 counter = setup.now;
	u64 check = 0;
	enum tk_error error = tk->init(&setup);

	if (error) {
		fprintf(stderr, "tickbench-sim: %s\n", tk_strerror(error));
		return 2;
	}
	tk->adjtimex(counter, &timex);
	tk->state(&state);
	for (int round = 0; round < ROUNDS; round++) {
		double begin = seconds_now();

		for (u32 i = 0; i < TICKS_A_ROUND; i++) {
			counter += state.cycle_interval;
			tk->tick(counter);
		}
		begin = seconds_now() - begin;
		if (begin < best_tick)
			best_tick = begin;

		begin = seconds_now();
		for (u32 i = 0; i < TICKS_A_ROUND / 4; i++) {
			tk->read(held, &counter, &time);
			check += time.nsec;
		}
		begin = (seconds_now() - begin) * 4;
		if (begin < best_read)
			best_read = begin;
	}
	printf("{\"core\": \"%s\", \"kernel\": \"%s\", \"ticks_per_s\": %.0f, \"ns_per_read\": %.1f, "
	       "\"check\": %llu}\n",
	       tk->identity->core, tk->identity->kernel ? tk->identity->kernel : "",
	       TICKS_A_ROUND / best_tick, best_read / TICKS_A_ROUND * 1e9, check);
	return 0;
}
