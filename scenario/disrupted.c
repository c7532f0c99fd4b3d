// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: from the look at the page that shows a disruption until a line of the new marker is taken,
 * the time is said to be unknown; the first reading after that is within the error that the new
 * line states, and no reader of CLOCK_MONOTONIC sees time go back. On the virtual clock the
 * scenario disrupts its own page; on the real one its host migrates, stops or restores it meanwhile
 * (tickbench migrate, tickbench disrupt).
 */
#include "lib/math.h"
#include "measure/disruption.h"
#include "measure/reading.h"
#include "scenario/list.h"

#define DEFAULT_NS  250000000
#define BETWEEN_MS  1000
#define UNKNOWN_MS  100
#define LOOK_MS	    20
#define PATIENCE_MS 10000 /* for the line that ends the last disruption */
#define AFTER_MS    1000  /* for the core to settle on it */

/* A page with markers and no line, as QEMU's own device has it. */
static struct vmclock_abi own_markers;
static struct run *ticked;

/*
 * The page says "initializing", with another marker. Or the device beside it is the first to know,
 * and the page's publisher goes on with its old line.
 */
static void disrupt(struct run *run, bool by_device)
{
	struct vmclock_line line = run->line;

	if (by_device) {
		own_markers.disruption_marker++;
		own_markers.vm_generation_counter++;
		vmclock_page_update(run->clock->page, &line);
		return;
	}
	line.disruption_marker++;
	line.clock_status = VMCLOCK_STATUS_INITIALIZING;
	vmclock_page_update(run->clock->page, &line);
}

/* Disruptions of its own page, one after the other; how many. */
static u32 disrupt_often(struct run *run)
{
	const s64 offset_ns = run->params->offset_ns ? run->params->offset_ns : DEFAULT_NS;
	struct clock *clock = run->clock;
	u32 made = 0;

	for (u64 ms = 0; ms < run->params->duration_ms; ms += 2 * BETWEEN_MS + UNKNOWN_MS) {
		const bool by_device = made % 2;
		s64 sign = made++ % 2 ? -1 : 1;
		u64 now;

		run_ms(run, BETWEEN_MS);
		disrupt(run, by_device);
		run_ms(run, UNKNOWN_MS);
		now = clock->now(clock->context);
		/* Another machine's crystal: 1.5 times as far from nominal. */
		run_publish(run,
			    vmclock_utc_at(&run->line, now) + instant_from_nsec(sign * offset_ns),
			    run->params->rate_ppt + run->params->rate_ppt / 2,
			    run->line.disruption_marker + 1);
		run_ms(run, BETWEEN_MS);
		if (run->params->disruptions && made == run->params->disruptions)
			break;
	}
	return made;
}

/* Those that the host makes, until there are enough of them or the time is over. */
static void await_disruptions(struct run *run)
{
	const u32 wanted = run->params->disruptions;
	u64 ms = 0;

	for (; ms < run->params->duration_ms; ms += LOOK_MS) {
		if (wanted && disruptions_count() >= wanted && !run->time_unknown)
			break;
		run_ms(run, LOOK_MS);
	}
	for (ms = 0; run->time_unknown && ms < PATIENCE_MS; ms += LOOK_MS)
		run_ms(run, LOOK_MS);
	run_ms(run, AFTER_MS);
}

static void note(const struct run *run, u32 number, const struct disruption *each)
{
	ktap_note(
		run->ktap,
		"disruption %u at_us=%lld unknown_us=%lld first_ps=%lld off_ps=%lld after_ps=%lld "
		"stated_ns=%llu to_stated_us=%lld to_1us_us=%lld to_10ns_us=%lld to_1ns_us=%lld "
		"marker=%llu generation=%llu noticed_us=%lld",
		number + 1, us_of_cycles(run, each->noticed - run->start),
		each->taken ? us_of_cycles(run, each->taken - each->noticed) : -1LL,
		each->first_fs / 1000, each->off_fs / 1000, each->after_fs / 1000, each->stated_ns,
		each->near_us[NEAR_STATED], each->near_us[NEAR_1US], each->near_us[NEAR_10NS],
		each->near_us[NEAR_1NS], each->marker, each->generation, each->noticed_us);
}

static void us_metric(struct run *run, const char *name, s64 us)
{
	if (us >= 0)
		ktap_metric(run->ktap, name, us, 3, 3, "ms");
}

/* Prints each disruption and the worst of all; false: one has not ended. */
static bool report(struct run *run, bool *within)
{
	static const char *const names[NEARS] = { "to_stated_max_ms", "to_1us_max_ms",
						  "to_10ns_max_ms", "to_1ns_max_ms" };
	s64 unknown_us = -1, near_us[NEARS] = { -1, -1, -1, -1 }, off_fs = 0, after_fs = 0;
	bool ended = true;

	*within = true;
	for (u32 i = 0; i < disruptions_count(); i++) {
		const struct disruption *each = disruption_get(i);
		s64 bound_fs = (s64)each->stated_ns * TB_FSEC_PER_NSEC + run_bound_fs(run);

		note(run, i, each);
		ended &= each->taken && each->own;
		if (!each->taken)
			continue;
		*within &= magnitude(each->after_fs) <= bound_fs;
		if (us_of_cycles(run, each->taken - each->noticed) > unknown_us)
			unknown_us = us_of_cycles(run, each->taken - each->noticed);
		if (magnitude(each->off_fs) > off_fs)
			off_fs = magnitude(each->off_fs);
		if (magnitude(each->after_fs) > after_fs)
			after_fs = magnitude(each->after_fs);
		for (u32 near = 0; near < NEARS; near++)
			if (each->near_us[near] > near_us[near])
				near_us[near] = each->near_us[near];
	}
	ktap_metric(run->ktap, "disruptions", disruptions_count(), 0, 0, "times");
	us_metric(run, "unknown_max_ms", unknown_us);
	run_metric_ns(run, "off_max_ns", off_fs);
	run_metric_ns(run, "after_max_ns", after_fs);
	for (u32 near = 0; near < NEARS; near++)
		us_metric(run, names[near], near_us[near]);
	return ended;
}

/* A look at the marker in every tick, beside those that go with the samples. */
static void tick(u64 now)
{
	ticked->tk->tick(now);
	disruption_look(ticked);
}

static void disrupt_and_judge(struct run *run)
{
	const bool own = run->clock->page_is_ours;
	bool ended, within;
	u32 wanted = run->params->disruptions;

	/* Ticks first: on the real clock some time passes before the first one. */
	if (!run_start_core(run))
		return;
	run_ticks_start(run);
	if (!run_follow(run, true)) {
		run_ticks_stop(run);
		return;
	}
	run_window(run);
	if (own)
		wanted = disrupt_often(run);
	else
		await_disruptions(run);
	run_claim_host(run);
	run_ticks_stop(run);
	run_metrics(run);
	ktap_metric(run->ktap, "device_moves", run->markers.moves, 0, 0, "times");
	ended = report(run, &within);
	run_claim(run, disruptions_count() >= wanted, "every disruption is noticed", 0);
	run_claim(run, ended, "every disruption ends with a line of its own marker", 0);
	run_claim(run, within,
		  "the first reading on the new line is within the error that the line states",
		  TK_REFERENCE | TK_FEED);
	run_claim_sane(run);
}

static void disrupted_run(struct run *run)
{
	const volatile struct vmclock_abi *markers = run->clock->markers;

	if (run->clock->page_is_ours)
		run->clock->markers = &own_markers;
	ticked = run;
	run->tick = tick;
	disrupt_and_judge(run);
	run->tick = NULL;
	run->clock->markers = markers;
}

const struct scenario scenario_disrupted = {
	.name = "disrupted",
	.claim = "a guest whose counter was disrupted says so, and is on the new line at once",
	.needs = { .page = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 42000, [CLOCK_TSC] = 10000 },
	.run = disrupted_run,
};
