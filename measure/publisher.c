// SPDX-License-Identifier: GPL-2.0-or-later
/* A host that publishes the line through its measurements of a true time that wanders. */
#include "lib/random.h"
#include "measure/publisher.h"

#define PUBLISHER 0x7075626cULL

static u32 percent(struct publisher *publisher)
{
	return (u32)(random_next(&publisher->random) % 100);
}

static void measure(struct publisher *publisher, u64 counter)
{
	instant *measured = publisher->measured;

	for (u32 i = 1; i < PUBLISHER_FIT; i++)
		measured[i - 1] = measured[i];
	measured[PUBLISHER_FIT - 1] =
		noise_phase(&publisher->noise, counter) + noise_white(&publisher->noise);
}

/* The straight line with a phase and a frequency added, in 2^-64 s and 2^-64 s a second. */
static void line_of(const struct publisher *publisher, u64 counter, instant phase,
		    instant frequency, struct vmclock_line *line)
{
	const u64 frac = publisher->straight.period_frac;
	const bool less = frequency < 0;
	const u64 size = (u64)(less ? -frequency : frequency);
	const u64 change = (u64)((u128)frac * size >> 64);
	u128 period = less ? (u128)frac - change : (u128)frac + change;

	*line = publisher->straight;
	line->counter_value = counter;
	line->time = vmclock_utc_at(&publisher->straight, counter) + phase;
	for (; period >> 64; period >>= 1)
		line->period_shift--;
	line->period_frac = (u64)period;
}

/*
 * Least squares through x[0..n-1], a second apart: the slope is 6 sum((2i - (n - 1)) x[i]) / (n
 * (n^2
 * - 1)), and the line passes through the mean at (n - 1) / 2.
 */
static void fit(const struct publisher *publisher, u64 counter, struct vmclock_line *line)
{
	const s64 n = PUBLISHER_FIT;
	instant sum = 0, moment = 0, slope;

	for (s64 i = 0; i < n; i++) {
		sum += publisher->measured[i];
		moment += (2 * i - (n - 1)) * publisher->measured[i];
	}
	slope = div_s128(6 * moment, (u64)(n * (n * n - 1)));
	line_of(publisher, counter, div_s128(sum, (u64)n) + div_s128(slope * (n - 1), 2), slope,
		line);
}

void publisher_init(struct publisher *publisher, const struct publisher_params *params,
		    const struct noise_params *noise, u64 seed, u64 hz, u64 counter,
		    volatile struct vmclock_abi *page)
{
	*publisher = (struct publisher){
		.params = *params,
		.hz = hz,
		.random = seed ^ PUBLISHER,
		.measure_at = counter + hz,
		.straight = {
			.counter_value = counter,
			.time = instant_make(YEAR_2026_SEC, 0) +
				instant_from_nsec(params->at_ms * 1000000LL),
			.time_type = VMCLOCK_TIME_UTC,
			.clock_status = VMCLOCK_STATUS_SYNCHRONIZED,
			.disruption_marker = 1,
		},
		.page = page,
	};
	vmclock_period_from_hz(hz, params->rate_ppt, &publisher->straight.period_frac,
			       &publisher->straight.period_shift);
	noise_init(&publisher->noise, noise, seed, hz, counter - PUBLISHER_FIT * hz);
	for (u64 i = PUBLISHER_FIT; i-- > 0;)
		measure(publisher, counter - i * hz);
	fit(publisher, counter, &publisher->next);
	vmclock_page_init(page, &publisher->next);
}

instant publisher_truth(struct publisher *publisher, u64 counter)
{
	return vmclock_utc_at(&publisher->straight, counter) +
	       noise_phase(&publisher->noise, counter);
}

void publisher_true_line(struct publisher *publisher, u64 counter, struct vmclock_line *line)
{
	const instant phase = noise_phase(&publisher->noise, counter);

	line_of(publisher, counter, phase, publisher->noise.now.change * NOISE_CELLS, line);
}

u64 publisher_due(const struct publisher *publisher)
{
	if (publisher->under_way && (s64)(publisher->publish_at - publisher->measure_at) < 0)
		return publisher->publish_at;
	return publisher->measure_at;
}

static bool publish(struct publisher *publisher)
{
	publisher->under_way = false;
	vmclock_page_update(publisher->page, &publisher->next);
	return true;
}

bool publisher_act(struct publisher *publisher, u64 counter)
{
	const struct publisher_params *params = &publisher->params;

	if (publisher->under_way && (s64)(counter - publisher->publish_at) >= 0)
		return publish(publisher);
	if ((s64)(counter - publisher->measure_at) < 0)
		return false;
	measure(publisher, counter);
	publisher->measure_at += publisher->hz;
	if (++publisher->seconds < params->page_s) {
		if (percent(publisher) >= params->repeated || publisher->under_way)
			return false;
		return publish(publisher); /* what is there already */
	}
	publisher->seconds = 0;
	if (percent(publisher) < params->missed)
		return false;
	fit(publisher, counter, &publisher->next);
	publisher->publish_at = counter;
	if (params->late_ms)
		publisher->publish_at +=
			random_next(&publisher->random) % params->late_ms * (publisher->hz / 1000);
	publisher->under_way = true;
	return publisher->publish_at == counter ? publish(publisher) : false;
}
