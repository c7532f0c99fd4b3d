// SPDX-License-Identifier: GPL-2.0-or-later
/* The bench: a core, a vehicle and a page, and the steps that every scenario is made of. */
#include "lib/string.h"
#include "scenario/scenario.h"

#define PASS_TRIES 50 /* so often a page that may get better is waited for, */
#define PASS_MS	   20 /* so long each time */

static s64 magnitude(s64 x)
{
	return x < 0 ? -x : x;
}

u64 bench_cycles_ms(const struct bench *bench, u64 ms)
{
	const u64 hz = bench->vehicle->counter.hz;

	return ms / 1000 * hz + ms % 1000 * hz / 1000;
}

static u64 counter_now(const struct bench *bench)
{
	return bench->vehicle->now(bench->vehicle->context);
}

static s64 window_us(const struct bench *bench, u64 counter)
{
	const u64 hz = bench->vehicle->counter.hz;
	u64 cycles = counter - bench->start; /* 64 bits, however narrow the core takes it to be */

	return (s64)(cycles / hz * 1000000 + cycles % hz * 1000000 / hz);
}

/* Reads the page into bench->line; true if it can be followed. */
static bool read_page(struct bench *bench)
{
	struct vehicle *vehicle = bench->vehicle;
	struct vmclock_line line;

	if (!vehicle->page) {
		bench->line_error = vehicle->page_error;
		return false;
	}
	vmclock_look(vehicle->page, &bench->seen);
	bench->line_error =
		vmclock_read(vehicle->page, vehicle->page_mapped, counter_now(bench), &line);
	if (bench->line_error) {
		bench->refusals += !vmclock_may_pass(bench->line_error);
		return false; /* the old line still serves */
	}
	bench->line = line;
	return true;
}

static void reference_of(const struct bench *bench, u32 step_ns, struct tk_reference *reference)
{
	const struct vmclock_line *line = &bench->line;

	*reference = (struct tk_reference){
		.counter = line->counter_value,
		.time = vmclock_utc_at(line, line->counter_value),
		.period_frac = line->period_frac,
		.period_shift = line->period_shift,
		.step_ns = step_ns,
	};
}

/* A lifted core always can: one that has no reference of its own is given ours. */
static bool can_follow(const struct bench *bench)
{
	if (bench->tk != &tk_native)
		return true;
	return bench->switches & TK_REFERENCE && bench->switches & TK_FEED;
}

/*
 * Without a reference to follow: the time by settimeofday, the rate by adjtimex, in its unit of
 * 2^-16 ppm, of which the tick's own 500 us/s steps take what is beyond 500 ppm.
 */
static enum tk_error set_by_hand(struct bench *bench)
{
	const struct tk_ops *tk = bench->tk;
	const u64 hz = tk_counter_registered_hz(&bench->vehicle->counter);
	const s64 tick_ppm = 100; /* one us of a 10 ms USER_HZ tick */
	struct tk_timex timex = { .modes = TK_ADJ_FREQUENCY | TK_ADJ_TICK };
	u64 now = counter_now(bench);
	instant at = vmclock_utc_at(&bench->line, now);
	/* A second's worth of cycles on the line, less a second, is the rate. */
	instant second = vmclock_utc_at(&bench->line, now + hz) - at;
	s64 rate = instant_to_fsec(second - ((instant)1 << 64)); /* 10^-15: 10^9 is 1 ppm */
	enum tk_error error;
	s64 sec;
	u32 nsec;

	instant_to_timespec(at, &sec, &nsec);
	error = tk->settime(now, sec, nsec);
	if (error)
		return error;
	timex.tick = 10000 + rate / 1000000000 / tick_ppm;
	rate -= (timex.tick - 10000) * tick_ppm * 1000000000;
	timex.freq = (rate * 65536 + (rate < 0 ? -500000000 : 500000000)) / 1000000000;
	return tk->adjtimex(now, &timex);
}

static void feed(struct bench *bench, u32 step_ns)
{
	struct tk_reference reference;

	if (can_follow(bench)) {
		reference_of(bench, step_ns, &reference);
		bench->feed_error = bench->tk->set_reference(counter_now(bench), &reference);
	} else {
		bench->feed_error = set_by_hand(bench);
	}
	bench->feeds++;
}

/* The page moved: read it again, and have the core follow. A disruption voids what was known. */
static void page_changed(struct bench *bench)
{
	struct vehicle *vehicle = bench->vehicle;
	const struct vmclock_line before = bench->line;
	bool disrupted;
	u64 now, moved_fs;

	/* With the tick on: a page whose writer is gone may take a while to be refused. */
	if (!read_page(bench))
		return;
	disrupted = bench->line.disruption_marker != before.disruption_marker ||
		    bench->line.vm_generation_counter != before.vm_generation_counter;
	now = counter_now(bench);
	moved_fs = (u64)magnitude(
		instant_to_fsec(vmclock_utc_at(&bench->line, now) - vmclock_utc_at(&before, now)));
	bench->disruptions += disrupted;
	if (!disrupted) {
		bench->moved_fs += moved_fs;
		if (moved_fs > bench->moved_max_fs)
			bench->moved_max_fs = moved_fs;
	}
	if (bench->following && can_follow(bench)) {
		vehicle->lock(vehicle->context);
		feed(bench, disrupted ? 0 : bench->params->step_ns);
		vehicle->unlock(vehicle->context);
	}
}

void bench_read(struct bench *bench, struct tk_time *time)
{
	bench->tk->read(bench->vehicle->now, bench->vehicle->context, time);
}

static s64 error_of(const struct bench *bench, const struct tk_time *time)
{
	return instant_to_fsec(time->instant - vmclock_utc_at(&bench->line, time->counter));
}

s64 bench_error_fs(struct bench *bench)
{
	struct tk_time time;

	bench_read(bench, &time);
	return error_of(bench, &time);
}

void bench_notice(struct bench *bench)
{
	const struct vehicle *vehicle = bench->vehicle;

	if (vehicle->page && vmclock_changed(vehicle->page, &bench->seen))
		page_changed(bench);
}

void bench_sample(struct bench *bench)
{
	struct tk_time time;

	bench->progress++;
	bench_notice(bench);
	bench_read(bench, &time);
	if (bench->read_before && time.mono_ns < bench->last_mono_ns)
		bench->stats->backwards++;
	bench->last_mono_ns = time.mono_ns;
	bench->read_before = true;
	if (!bench->sampling)
		return;
	bench->last_error_fs = error_of(bench, &time);
	bench_account_sample(bench, time.counter, bench->last_error_fs - bench->target_fs);
	stats_add(bench->stats, time.counter, window_us(bench, time.counter),
		  bench->last_error_fs - bench->target_fs);
}

bool bench_start_core(struct bench *bench)
{
	const struct scenario_params *params = bench->params;
	struct vehicle *vehicle = bench->vehicle;
	struct tk_setup setup = {
		.counter = vehicle->counter,
		.hz = params->hz,
		.switches = bench->switches,
		.now = counter_now(bench),
		.sec = 1700000000,
	};
	enum tk_error error;

	bench->following = false;
	bench->read_before = false;
	bench->target_fs = 0;
	bench->moved_fs = bench->moved_max_fs = 0;
	bench->account_max_fs = 0;
	if (vehicle->page && read_page(bench))
		instant_to_timespec(vmclock_utc_at(&bench->line, setup.now), &setup.sec,
				    &setup.nsec);
	error = bench->tk->init(&setup);
	if (error)
		ktap_note(bench->ktap, "init: %s", tk_strerror(error));
	return ktap_report(bench->ktap, !error, "the core starts");
}

static bool follow(struct bench *bench, u32 step_ns)
{
	struct vehicle *vehicle = bench->vehicle;

	vehicle->lock(vehicle->context);
	bench->feed_error = TK_OK;
	if (read_page(bench))
		feed(bench, step_ns);
	vehicle->unlock(vehicle->context);
	bench->following = !bench->line_error && !bench->feed_error;
	return bench->following;
}

bool bench_refollow(struct bench *bench)
{
	return follow(bench, 0);
}

bool bench_follow(struct bench *bench, bool step)
{
	follow(bench, step ? 0 : bench->params->step_ns);
	if (bench->line_error)
		ktap_note(bench->ktap, "page: %s", vmclock_strerror(bench->line_error));
	if (bench->feed_error)
		ktap_note(bench->ktap, "reference: %s", tk_strerror(bench->feed_error));
	return bench_claim(bench, bench->following,
			   can_follow(bench) ? "the core takes the page's line as its reference"
					     : "the core takes the line's time and rate by hand",
			   0);
}

void bench_window(struct bench *bench)
{
	const struct vehicle *vehicle = bench->vehicle;
	u64 backwards = bench->stats->backwards;

	stats_reset(bench->stats);
	bench->stats->backwards = backwards; /* of the whole run: no window excuses one */
	bench->start = counter_now(bench);
	vehicle->lock(vehicle->context);
	if (bench->tick.late_max_cycles > bench->late_before_cycles)
		bench->late_before_cycles = bench->tick.late_max_cycles;
	if (bench->tick.gap_max_cycles > bench->gap_before_cycles)
		bench->gap_before_cycles = bench->tick.gap_max_cycles;
	bench->tick = (struct tick_stats){ 0 };
	vehicle->unlock(vehicle->context);
}

void bench_run_cycles(struct bench *bench, u64 cycles)
{
	bench->sampling = true;
	bench->vehicle->run_until(bench, counter_now(bench) + cycles);
	bench->sampling = false;
}

void bench_run_ms(struct bench *bench, u64 ms)
{
	bench_run_cycles(bench, bench_cycles_ms(bench, ms));
}

void bench_settle(struct bench *bench, u64 ms)
{
	bench->vehicle->run_until(bench, counter_now(bench) + bench_cycles_ms(bench, ms));
}

void bench_metric_ns(struct bench *bench, const char *name, s64 fsec)
{
	ktap_metric(bench->ktap, name, fsec, 6, 6, "ns");
}

void bench_metric_since(struct bench *bench, const char *name, s64 since_us)
{
	if (since_us < 0)
		ktap_note(bench->ktap, "%s: never", name);
	else
		ktap_metric(bench->ktap, name, since_us, 6, 6, "s");
}

void bench_metrics(struct bench *bench)
{
	const struct stats *stats = bench->stats;
	const u64 hz = bench->vehicle->counter.hz;
	u64 late = bench->tick.late_max_cycles;

	bench_metric_ns(bench, "max_abs_ns", stats->max_abs_fs);
	bench_metric_ns(bench, "rms_ns", stats_rms_fs(stats));
	bench_metric_ns(bench, "mean_ns", stats_mean_fs(stats));
	if (bench->scratch) {
		bench_metric_ns(bench, "median_abs_ns",
				stats_percentile_abs_fs(stats, 500, bench->scratch));
		bench_metric_ns(bench, "p99_ns",
				stats_percentile_abs_fs(stats, 990, bench->scratch));
	}
	ktap_metric(bench->ktap, "drift_ns_per_s", stats_drift_fs_per_s(stats), 6, 6, "ns/s");
	bench_metric_since(bench, "converged_10ns_s", stats->within_10ns_us);
	bench_metric_since(bench, "converged_1ns_s", stats->within_1ns_us);
	ktap_metric(bench->ktap, "backwards", (s128)stats->backwards, 0, 0, "times");
	/* ns first, then us with three decimals. */
	ktap_metric(bench->ktap, "late_tick_max_us",
		    (s128)(late / hz * TB_NSEC_PER_SEC + late % hz * TB_NSEC_PER_SEC / hz), 3, 3,
		    "us");
	ktap_metric(bench->ktap, "ticks", (s128)bench->tick.ticks, 0, 0, "ticks");
	ktap_metric(bench->ktap, "samples", (s128)stats->count, 0, 0, "samples");
	ktap_metric(bench->ktap, "page_changes", (s128)bench->feeds, 0, 0, "times");
	bench_metric_ns(bench, "page_moved_max_ns", (s64)bench->moved_max_fs);
}

/*
 * A publisher that has had no answer for a moment, or is in mid-update, is waited for: what counts
 * is what becomes of it.
 */
static void await_page(struct bench *bench)
{
	for (u32 i = 0; i < PASS_TRIES && vmclock_may_pass(bench->line_error); i++)
		bench_settle(bench, PASS_MS);
}

/* A publisher that was killed between two updates leaves a page that looks as good as ever. */
static bool publisher_stopped(const struct bench *bench)
{
	const struct vehicle *vehicle = bench->vehicle;
	const u64 now = counter_now(bench);
	struct vmclock_line line;

	/* The page as it is now: the line that was read last may be older than the report. */
	if (vehicle->is_virtual || !vehicle->page ||
	    vmclock_read(vehicle->page, vehicle->page_mapped, now, &line) ||
	    !vmclock_outlived(&line, now))
		return false;
	ktap_note(bench->ktap,
		  "the page's line is %llu s old, though it states how fast it goes wrong: its "
		  "publisher has stopped, and the core runs on by the last line",
		  vmclock_outlived(&line, now) + VMCLOCK_LINE_SECONDS - 1);
	return true;
}

void bench_claim_sane(struct bench *bench)
{
	bool stopped;

	ktap_report(bench->ktap, !bench->stats->backwards, "time never goes back for a reader");
	await_page(bench);
	stopped = publisher_stopped(bench);
	if (bench->refusals || bench->line_error)
		ktap_note(bench->ktap, "page refused for good %llu times, at the end: %s",
			  bench->refusals, vmclock_strerror(bench->line_error));
	if (bench->feed_error)
		ktap_note(bench->ktap, "reference refused: %s", tk_strerror(bench->feed_error));
	ktap_report(bench->ktap,
		    !bench->refusals && !bench->line_error && !bench->feed_error && !stopped,
		    "every line of the page is taken");
}

void bench_publish(struct bench *bench, instant time, s64 rate_ppt, u64 disruption_marker)
{
	struct vehicle *vehicle = bench->vehicle;
	struct vmclock_line line = bench->line;

	line.counter_value = counter_now(bench);
	line.time = time;
	if (line.time_type == VMCLOCK_TIME_TAI)
		line.time += (instant)line.tai_offset_sec * ((instant)1 << 64);
	line.disruption_marker = disruption_marker;
	vmclock_period_from_hz(vehicle->counter.hz, rate_ppt, &line.period_frac,
			       &line.period_shift);
	vmclock_page_update(vehicle->page, &line);
}

static void print_params(const struct bench *bench, const char *scenario, u64 duration_ms, u32 run)
{
	const struct scenario_params *params = bench->params;
	const struct vehicle *vehicle = bench->vehicle;
	const struct tk_identity *identity = bench->tk->identity;
	struct ktap *ktap = bench->ktap;
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
		if (bench->switches & bit)
			at += str_printf(text + at, sizeof(text) - at, "%s%s", at ? "," : "",
					 tk_switch_name(bit));
	ktap_param(ktap, "switches",
		   bench->switches == TK_ALL	  ? "all"
		   : bench->switches == TK_MAILED ? "mailed"
		   : bench->switches		  ? text
						  : "none");
	ktap_param(ktap, "clock", vehicle->is_virtual ? "virtual" : "tsc");
	str_printf(text, sizeof(text), "%llu", vehicle->counter.hz);
	ktap_param(ktap, "counter_hz", text);
	ktap_param(ktap, "counter_source", vehicle->counter_source);
	str_printf(text, sizeof(text), "%llu", vehicle->counter_error_ppb);
	ktap_param(ktap, "counter_error_ppb", text);
	str_printf(text, sizeof(text), "%u", params->hz);
	ktap_param(ktap, "hz", text);
	ktap_param(ktap, "tick", vehicle->tick_source);
	ktap_param(ktap, "tickless", params->tickless ? "1" : "0");
	ktap_param(ktap, "scenario", scenario);
	str_printf(text, sizeof(text), "%llu", duration_ms);
	ktap_param(ktap, "duration_ms", text);
	str_printf(text, sizeof(text), "%s%lld.%06lld", params->rate_ppt < 0 ? "-" : "",
		   magnitude(params->rate_ppt) / 1000000, magnitude(params->rate_ppt) % 1000000);
	if (vehicle->is_virtual)
		ktap_param(ktap, "rate_ppm", text);
	str_printf(text, sizeof(text), "%lld", params->offset_ns);
	ktap_param(ktap, "offset_ns", text);
	str_printf(text, sizeof(text), "%u", params->late_ns);
	if (vehicle->is_virtual)
		ktap_param(ktap, "late_ns", text);
	str_printf(text, sizeof(text), "%llu", params->seed);
	ktap_param(ktap, "seed", text);
	str_printf(text, sizeof(text), "%u", run);
	ktap_param(ktap, "run", text);
}

/* A tick that divides by zero or never ends fails the claim at stake; the next run starts afresh.
 */
static void run_guarded(const struct scenario *scenario, struct bench *bench, struct bench_io *io)
{
	const char *why;

	if (!io->guard || !bench->vehicle->is_virtual) {
		scenario->run(bench);
		return;
	}
	if (io->guard(scenario->run, bench, &why))
		return;
	bench->sampling = false;
	bench_metrics(bench);
	ktap_note(bench->ktap, "%s", why);
	bench_claim(bench, false, bench->at_stake ? bench->at_stake : "every tick ends",
		    bench->at_stake_rests_on);
}

static void run_one(const struct scenario *scenario, const struct scenario_params *given,
		    const struct tk_ops *tk, struct vehicle *vehicle, struct bench_io *io)
{
	struct scenario_params params = *given;
	struct bench bench = {
		.params = &params,
		.tk = tk,
		.vehicle = vehicle,
		.ktap = io->ktap,
		.stats = io->stats,
		.scratch = io->scratch,
		.stopwatch_ns = io->stopwatch_ns,
		.switches = tk == &tk_native ? params.switches : bench_stage_switches(tk),
	};
	enum clock_kind clock = vehicle->is_virtual ? CLOCK_VIRTUAL : CLOCK_TSC;

	if (vehicle->reset)
		vehicle->reset(vehicle, &params);
	if (!params.duration_ms)
		params.duration_ms = scenario->duration_ms[clock];
	stats_reset(io->stats);
	ktap_subtest_begin(io->ktap, scenario->name);
	print_params(&bench, scenario->name, params.duration_ms, io->run);
	if (scenario->virtual_only && !vehicle->is_virtual) {
		ktap_skip(io->ktap, scenario->claim, "needs clock=virtual");
	} else if (scenario->needs_page && !read_page(&bench)) {
		ktap_skip(io->ktap, scenario->claim, vmclock_strerror(bench.line_error));
	} else {
		bench.refusals = 0;
		run_guarded(scenario, &bench, io);
		if (tk != &tk_native)
			bench_claim_stage(&bench);
		if (io->ship && params.samples)
			io->ship(io->context, &bench, scenario->name, io->run);
	}
	ktap_subtest_end(io->ktap, scenario->name);
	io->run++;
}

static const struct tk_ops *core_find(const char *name)
{
	if (!strcmp(name, "native"))
		return &tk_native;
	if (!strcmp(name, "linux") && &tk_linux)
		return &tk_linux;
	return NULL;
}

/* The next name of a comma-separated list into `name`; false at the end. */
static bool next_name(const char **list, char *name, size_t size)
{
	size_t length = 0;

	if (!**list)
		return false;
	while ((*list)[length] && (*list)[length] != ',')
		length++;
	str_copy(name, length + 1 < size ? length + 1 : size, *list);
	*list += length + ((*list)[length] == ',');
	return true;
}

u32 bench_count(const struct scenario_params *params, const char **why)
{
	const char *list = params->scenario;
	char name[32];
	u32 count = 0;

	*why = NULL;
	if (!bench_expect_valid(params)) {
		*why = "expect= is neither release, any, nor names of switches";
		return 0;
	}
	if (!core_find(params->core)) {
		*why = "there is no such core in this image: native, or linux where one was lifted";
		return 0;
	}
	if (!strcmp(list, "all")) {
		for (u32 i = 0; i < scenario_count; i++)
			count += !scenarios[i]->on_request;
		return count;
	}
	while (next_name(&list, name, sizeof(name))) {
		if (!scenario_find(name)) {
			*why = "there is no such scenario";
			return 0;
		}
		count++;
	}
	if (!count)
		*why = "there is no such scenario";
	return count;
}

void bench_run(const struct scenario_params *params, struct vehicle *vehicle, struct bench_io *io)
{
	const struct tk_ops *tk = core_find(params->core);
	const char *list = params->scenario;
	char name[32];

	if (!strcmp(list, "all")) {
		for (u32 i = 0; i < scenario_count; i++)
			if (!scenarios[i]->on_request)
				run_one(scenarios[i], params, tk, vehicle, io);
		return;
	}
	while (next_name(&list, name, sizeof(name)))
		run_one(scenario_find(name), params, tk, vehicle, io);
}
