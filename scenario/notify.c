// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: where the page's device notifies of its changes, a core that is fed in the interrupt alone
 * gets every line. How long a line takes from the counter value at which its publisher wrote it to
 * the core is measured, beside a look at the page in every tick.
 */
#include "measure/reading.h"
#include "scenario/list.h"

#define DELAYS_MAX 4096
#define EVERY_LINE "the core is fed every line by notification alone"
#define LAST_MS	   500 /* how long the last notification may take */

/* Delays from a line's own counter value to the core, cycles. */
static struct delays {
	u64 cycles[DELAYS_MAX];
	u32 count;
} polled, rung, *now_counted;
static u64 notifications;
static u64 looked_in_tick;
static u64 last_value; /* the counter_value of the last line */

static void told(struct run *run)
{
	s64 cycles = (s64)(counter_now(run) - run->line.counter_value);

	/* Written again, with another error: its counter value is not that of the moment. */
	if (run->line.counter_value == last_value)
		return;
	last_value = run->line.counter_value;
	if (now_counted && now_counted->count < DELAYS_MAX && cycles > 0)
		now_counted->cycles[now_counted->count++] = (u64)cycles;
}

static void rang(void *context)
{
	notifications++;
	run_notice(context);
}

/* The look at the page that a kernel without notifications would make in its tick. */
static void pass_polling(struct run *run, u64 ms)
{
	const u64 until = counter_now(run) + run_cycles_in_ms(run, ms);

	while ((s64)(until - counter_now(run)) > 0) {
		run->clock->run_until(run->clock, counter_now(run) + run->ticker.interval / 20);
		if (run->ticker.stats.ticks == looked_in_tick)
			continue;
		looked_in_tick = run->ticker.stats.ticks;
		run_notice(run);
	}
}

static void sort(struct delays *delays)
{
	for (u32 i = 1; i < delays->count; i++) {
		u64 value = delays->cycles[i];
		u32 j = i;

		for (; j && delays->cycles[j - 1] > value; j--)
			delays->cycles[j] = delays->cycles[j - 1];
		delays->cycles[j] = value;
	}
}

static void metric_us(struct run *run, const char *name, u64 cycles)
{
	ktap_metric(run->ktap, name,
		    (s128)div_u128((u128)cycles * 1000000000, run->clock->counter.hz, NULL), 3, 3,
		    "us");
}

static void report(struct run *run)
{
	sort(&polled);
	sort(&rung);
	ktap_metric(run->ktap, "lines_polled", polled.count, 0, 0, "lines");
	if (polled.count) {
		metric_us(run, "polled_median_us", polled.cycles[polled.count / 2]);
		metric_us(run, "polled_max_us", polled.cycles[polled.count - 1]);
	}
	ktap_metric(run->ktap, "lines_notified", rung.count, 0, 0, "lines");
	ktap_metric(run->ktap, "notifications", (s128)notifications, 0, 0, "interrupts");
	if (rung.count) {
		metric_us(run, "notified_median_us", rung.cycles[rung.count / 2]);
		metric_us(run, "notified_max_us", rung.cycles[rung.count - 1]);
	}
}

/* Whether the core has what the page has, within the time that a last notification may take. */
static bool all_fed(struct run *run)
{
	const u64 until = counter_now(run) + run_cycles_in_ms(run, LAST_MS);

	while (vmclock_changed(run->clock->page, &run->seen)) {
		if ((s64)(until - counter_now(run)) <= 0)
			return false;
		run_settle(run, 1);
	}
	return rung.count > 0;
}

static void listen(struct run *run)
{
	const u64 half_ms = run->params->duration_ms / 2;
	const char *why;
	bool fed;

	/* Sampling and looking are this file's. */
	run->notified = true;
	run_settle(run, 10);
	now_counted = &polled;
	pass_polling(run, half_ms);
	now_counted = &rung;
	why = run->clock->notify ? run->clock->notify(run->clock, rang, run)
				 : "this clock has no interrupts";
	if (why) {
		ktap_skip(run->ktap, EVERY_LINE, why);
		return;
	}
	run_window(run);
	run_ms(run, half_ms);
	fed = all_fed(run);
	run->clock->notify(run->clock, NULL, NULL);
	now_counted = NULL;
	report(run);
	if (!(run->line.flags & VMCLOCK_FLAG_NOTIFICATION))
		ktap_skip(run->ktap, EVERY_LINE, "the page does not set the flag");
	else
		ktap_report(run->ktap, fed, EVERY_LINE);
}

static void notify_run(struct run *run)
{
	polled.count = rung.count = 0;
	notifications = looked_in_tick = last_value = 0;
	now_counted = NULL;
	if (!run_start_core(run))
		return;
	run_ticks_start(run);
	run->told = told;
	if (run_follow(run, true)) {
		listen(run);
		run_metrics(run);
	}
	run_ticks_stop(run);
	run->notified = false;
	run_claim_sane(run);
}

const struct scenario scenario_notify = {
	.name = "notify",
	.claim = "the core is fed in the interrupt by which the device notifies of a change",
	.needs = { .page = true, .notification = true },
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 100, [CLOCK_TSC] = 10000 },
	.run = notify_run,
};
