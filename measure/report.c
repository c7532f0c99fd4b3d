// SPDX-License-Identifier: GPL-2.0-or-later
/* Reports a run's parameters and metrics in KTAP. */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/measure.h"
#include "measure/reading.h"

void run_metric_ns(struct run *run, const char *name, s64 fsec)
{
	ktap_metric(run->ktap, name, fsec, 6, 6, "ns");
}

static void metric_at(struct run *run, const char *what, u32 k, const char *unit_of_k, u64 value,
		      u32 scale, const char *unit)
{
	char name[32];

	str_printf(name, sizeof(name), "%s_1e%u%s_%s", what, k, unit_of_k, unit);
	ktap_metric(run->ktap, name, value, scale, scale, unit);
}

void run_metric_stability(struct run *run, const struct stability *stability, u64 most,
			  const char *unit)
{
	struct stability_values values;

	for (u32 k = 0; stability_values(stability, k, &values) && values.m < most; k++) {
		metric_at(run, "adev", k, unit, values.adev_e21, 12, "ppb");
		metric_at(run, "mdev", k, unit, values.mdev_e21, 12, "ppb");
		metric_at(run, "tdev", k, unit, values.tdev_zs, 12, "ns");
		metric_at(run, "mtie", k, unit, (u64)values.mtie_fs, 6, "ns");
	}
}

void run_metric_since(struct run *run, const char *name, s64 since_us)
{
	if (since_us < 0)
		ktap_note(run->ktap, "%s: never", name);
	else
		ktap_metric(run->ktap, name, since_us, 6, 6, "s");
}

/* A time that is given in 2^-10 cycles, as microseconds with three decimals. */
static void metric_us(struct run *run, const char *name, u128 cycles_q10)
{
	const u128 unit = (u128)run->clock->counter.hz << 10;

	/* Below 2^60 units, so 10^9 times that fits. */
	ktap_metric(run->ktap, name, (s128)div_u128(cycles_q10 * TB_NSEC_PER_SEC, unit, NULL), 3, 3,
		    "us");
}

/*
 * The mean delay of a tick and its standard deviation. About the mean in whole cycles, so that the
 * difference of two large numbers loses nothing: sum((x - m)^2) - (sum(x - m))^2 / n. A delay below
 * 2^48 cycles and 2^30 ticks fit.
 */
static void metric_lateness(struct run *run)
{
	const struct tick_stats *stats = &run->ticker.stats;
	const u64 n = stats->ticks;
	u64 mean, rest;
	u128 about;

	if (!n)
		return;
	mean = stats->late_sum_cycles / n;
	rest = stats->late_sum_cycles % n;
	about = stats->late_squares - (u128)mean * mean * n - 2 * (u128)mean * rest;
	about -= div_u128((u128)rest * rest, n, NULL);
	metric_us(run, "late_tick_mean_us",
		  ((u128)mean << 10) + div_u128((u128)rest << 10, n, NULL));
	metric_us(run, "late_tick_deviation_us", root(div_u128(about, n, NULL) << 20));
}

/* ns first, then us with three decimals. */
static void metric_cycles_us(struct run *run, const char *name, u64 cycles)
{
	const u64 hz = run->clock->counter.hz;

	ktap_metric(run->ktap, name,
		    (s128)(cycles / hz * TB_NSEC_PER_SEC + cycles % hz * TB_NSEC_PER_SEC / hz), 3,
		    3, "us");
}

void run_metrics(struct run *run)
{
	const struct stats *stats = run->stats;

	run_metric_ns(run, "max_abs_ns", stats->max_abs_fs);
	run_metric_ns(run, "rms_ns", stats_rms_fs(stats));
	run_metric_ns(run, "mean_ns", stats_mean_fs(stats));
	if (run->scratch) {
		run_metric_ns(run, "median_abs_ns",
			      stats_percentile_abs_fs(stats, 500, run->scratch));
		run_metric_ns(run, "p99_ns", stats_percentile_abs_fs(stats, 990, run->scratch));
	}
	ktap_metric(run->ktap, "drift_ns_per_s", stats_drift_fs_per_s(stats), 6, 6, "ns/s");
	run_metric_since(run, "converged_10ns_s", stats->within_10ns_us);
	run_metric_since(run, "converged_1ns_s", stats->within_1ns_us);
	ktap_metric(run->ktap, "backwards", (s128)stats->backwards, 0, 0, "times");
	metric_cycles_us(run, "late_tick_max_us", run->ticker.stats.late_max_cycles);
	metric_lateness(run);
	metric_cycles_us(run, "tick_gap_max_us", run->ticker.stats.gap_max_cycles);
	ktap_metric(run->ktap, "ticks", (s128)run->ticker.stats.ticks, 0, 0, "ticks");
	ktap_metric(run->ktap, "samples", (s128)stats->count, 0, 0, "samples");
	ktap_metric(run->ktap, "page_changes", (s128)run->feeds, 0, 0, "times");
	run_metric_ns(run, "page_moved_max_ns", (s64)run->moved_max_fs);
	run_metric_ns(run, "mult_step_ns", run_step_fs(run));
}

void run_params(const struct run *run, const char *scenario, u64 duration_ms, u32 number)
{
	const struct scenario_params *params = run->params;
	const struct clock *clock = run->clock;
	const struct tk_identity *identity = run->tk->identity;
	struct ktap *ktap = run->ktap;
	char text[96];
	size_t at = 0;

	ktap_param(ktap, "core", identity->core);
	if (identity->kernel)
		ktap_param(ktap, "kernel", identity->kernel);
	if (identity->revision)
		ktap_param(ktap, "revision", identity->revision);
	if (identity->tree)
		ktap_param(ktap, "tree", identity->tree);
	if (identity->timekeeping_sha256)
		ktap_param(ktap, "timekeeping_sha256", identity->timekeeping_sha256);
	if (identity->ntp_sha256)
		ktap_param(ktap, "ntp_sha256", identity->ntp_sha256);

	text[0] = '\0';
	for (u32 bit = 1; bit <= TK_REMAINDER_V2; bit <<= 1)
		if (run->switches & bit)
			at += str_printf(text + at, sizeof(text) - at, "%s%s", at ? "," : "",
					 tk_switch_name(bit));
	ktap_param(ktap, "switches",
		   run->switches == TK_ALL	? "all"
		   : run->switches == TK_MAILED ? "mailed"
		   : run->switches		? text
						: "none");
	ktap_param(ktap, "clock", clock->is_virtual ? "virtual" : "tsc");
	str_printf(text, sizeof(text), "%llu", clock->counter.hz);
	ktap_param(ktap, "counter_hz", text);
	ktap_param(ktap, "counter_source", clock->counter_source);
	str_printf(text, sizeof(text), "%llu", clock->counter_error_ppb);
	ktap_param(ktap, "counter_error_ppb", text);
	str_printf(text, sizeof(text), "%u", params->hz);
	ktap_param(ktap, "hz", text);
	ktap_param(ktap, "tick", clock->tick_source);
	ktap_param(ktap, "tickless", params->tickless ? "1" : "0");
	ktap_param(ktap, "scenario", scenario);
	str_printf(text, sizeof(text), "%llu", duration_ms);
	ktap_param(ktap, "duration_ms", text);
	str_printf(text, sizeof(text), "%s%lld.%06lld", params->rate_ppt < 0 ? "-" : "",
		   magnitude(params->rate_ppt) / 1000000, magnitude(params->rate_ppt) % 1000000);
	if (clock->is_virtual)
		ktap_param(ktap, "rate_ppm", text);
	str_printf(text, sizeof(text), "%lld", params->offset_ns);
	ktap_param(ktap, "offset_ns", text);
	str_printf(text, sizeof(text), "%u", params->late_ns);
	if (clock->is_virtual)
		ktap_param(ktap, "late_ns", text);
	str_printf(text, sizeof(text), "%llu", params->seed);
	ktap_param(ktap, "seed", text);
	str_printf(text, sizeof(text), "%u", number);
	ktap_param(ktap, "run", text);
}

struct sample_header run_sample_header(const struct run *run, const char *scenario, u32 number)
{
	struct sample_header header = {
		.magic = SAMPLE_MAGIC,
		.run = number,
		.count = run->stats->kept,
		.decimation = run->stats->decimation,
		.counter_hz = run->clock->counter.hz,
		.start_counter = run->start,
	};

	str_copy(header.scenario, sizeof(header.scenario), scenario);
	return header;
}
