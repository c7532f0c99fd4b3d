// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: a core is disciplined, by whichever policy, so that all that the policy asks of it is
 * taken; and a core that is told the page's lines is on them, with what its state still owes.
 *
 * The page is one of the scenario's own. Its line wanders (measure/publisher.h), and the error is
 * against the true time, not against the page. Four parts: the core starts off the line and at its
 * nominal rate; it is on the line as well as the policy can; the true frequency steps; the true
 * phase steps.
 */
#include "lib/math.h"
#include "lib/string.h"
#include "measure/reading.h"
#include "scenario/list.h"
#include "scenario/policy.h"

#define OFFSET_NS 10000 /* at the start */
#define RESTS_ON  (TK_REMAINDER | TK_CLAWBACK | TK_REFERENCE | TK_FEED | TK_SKEW)
#define OCTAVES	  64
#define DAEMON	  0x6461656dULL
#define STEADY_MS 1000 /* before the end of a part, to be within a bound for good */

#define PEAKS                                                                               \
	128 /* of the whole run; a multiple of the sixteenths, so that none is of two parts \
	     */

#define SIXTEENTHS 16
enum part {
	PART_LOCK,
	PART_SETTLED,
	PART_FREQUENCY,
	PART_PHASE,
	PARTS
};

static const u32 sixteenths[PARTS] = { 2, 8, 3, 3 };

/* When |e| was 2^k fs or more for the last time in a part, cycles from its start; its length. */
struct strays {
	u64 last[OCTAVES];
	u64 length;
};

static struct {
	struct publisher publisher;
	struct daemon daemon;
	const struct policy *policy;
	struct stats part; /* of the present one */
	struct stability stability;
	u64 part_start;
	struct strays strays;
	/* The largest |e| of each 128th of the run, fs; where the present one ends. */
	s64 peak_fs[PEAKS];
	u64 peak_cycles, peak_end;
	u32 peak;
	u128 page_squares; /* of the page's own errors, ps */
	union {
		struct vmclock_abi abi;
		u8 bytes[VMCLOCK_PAGE_SIZE];
	} page __attribute__((aligned(64)));
} discipline;

static instant truth(struct run *run, u64 counter)
{
	(void)run;
	return publisher_truth(&discipline.publisher, counter);
}

static u32 octave(s64 fs)
{
	const u64 size = (u64)magnitude(fs);

	return size ? 63 - (u32)__builtin_clzll(size) : 0;
}

static void take_peak(u64 counter, s64 size_fs)
{
	while ((s64)(counter - discipline.peak_end) >= 0 && discipline.peak < PEAKS - 1) {
		discipline.peak++;
		discipline.peak_end += discipline.peak_cycles;
	}
	if (size_fs > discipline.peak_fs[discipline.peak])
		discipline.peak_fs[discipline.peak] = size_fs;
}

static void sampled(struct run *run, u64 counter, s64 error_fs, s64 line_error_fs)
{
	const u64 passed = counter - discipline.part_start;
	const s64 page_ps = (error_fs - line_error_fs) / 1000;

	run_account_sample(run, counter, line_error_fs);
	stats_add(&discipline.part, counter,
		  (s64)div_u128((u128)passed * 1000000, run->clock->counter.hz, NULL), error_fs);
	discipline.strays.last[octave(error_fs)] = passed;
	stability_sample(&discipline.stability, counter, error_fs);
	take_peak(counter, magnitude(error_fs));
	discipline.page_squares += (u128)((s128)page_ps * page_ps);
}

static void part_begin(struct run *run)
{
	stats_init(&discipline.part, NULL, 0);
	discipline.part_start = counter_now(run);
	discipline.page_squares = 0;
	stability_init(&discipline.stability, run->ticker.interval, run->clock->counter.hz);
	memset(&discipline.strays, 0, sizeof(discipline.strays));
}

static void peaks_begin(struct run *run)
{
	memset(discipline.peak_fs, 0, sizeof(discipline.peak_fs));
	discipline.peak = 0;
	discipline.peak_cycles = run_cycles_in_ms(run, run->params->duration_ms) / PEAKS;
	discipline.peak_end = counter_now(run) + discipline.peak_cycles;
}

static void report_peaks(struct run *run)
{
	for (u32 i = 0; i < PEAKS; i++) {
		char name[32];

		str_printf(name, sizeof(name), "peak_%03u_ns", i);
		run_metric_ns(run, name, discipline.peak_fs[i]);
	}
}

/*
 * How long after a part's beginning |e| was beyond 2^k fs for the last time, us; -1: still at its
 * end.
 */
static s64 within_us(const struct run *run, const struct strays *strays, u32 k)
{
	u64 last = 0;

	for (u32 i = k; i < OCTAVES; i++)
		if (strays->last[i] > last)
			last = strays->last[i];
	if (last + run_cycles_in_ms(run, STEADY_MS) > strays->length)
		return -1;
	return (s64)div_u128((u128)last * 1000000, run->clock->counter.hz, NULL);
}

/* Lets time pass to `until`, with what publisher and daemon do meanwhile. */
static void pass(struct run *run, u64 until)
{
	struct publisher *publisher = &discipline.publisher;
	struct daemon *daemon = &discipline.daemon;

	for (u64 now = counter_now(run); (s64)(until - now) > 0; now = counter_now(run)) {
		u64 next = publisher_due(publisher);

		if (discipline.policy->wake && (s64)(daemon->wake_at - next) < 0)
			next = daemon->wake_at;
		if (daemon->timer_at && (s64)(daemon->timer_at - next) < 0)
			next = daemon->timer_at;
		if ((s64)(next - until) > 0)
			next = until;
		if ((s64)(next - now) > 0)
			run_cycles(run, next - now);
		now = counter_now(run);
		if ((s64)(now - publisher_due(publisher)) >= 0 && publisher_act(publisher, now))
			run_notice(run);
		if (daemon->timer_at && (s64)(now - daemon->timer_at) >= 0) {
			daemon->timer_at = 0;
			discipline.policy->timer(daemon);
		}
		if (discipline.policy->wake && (s64)(now - daemon->wake_at) >= 0) {
			daemon->wake_at += daemon->interval;
			discipline.policy->wake(daemon);
		}
	}
}

static void named(struct run *run, const char *part, const char *what, s64 fs)
{
	char name[48];

	str_printf(name, sizeof(name), "%s_%s", part, what);
	run_metric_ns(run, name, fs);
}

static s64 page_rms_fs(void)
{
	u128 mean, rest;

	if (!discipline.part.count)
		return 0;
	mean = div_u128(discipline.page_squares, discipline.part.count, &rest);
	return (s64)root(mean) * 1000;
}

/*
 * The same of 2^k fs as a bound of being back. A clock that nobody steers is not: it strays ever
 * further, by whatever it is measured.
 */
static s64 back_us(const struct run *run, const struct strays *strays, u32 k)
{
	const struct policy *policy = discipline.policy;

	return policy->follows || policy->wake ? within_us(run, strays, k) : -1;
}

/*
 * The bound of being back: the worst of the settled part, at least 1 ns and a step of mult over a
 * tick, as a power of two.
 */
static u32 bound_octave(const struct run *run, s64 settled_max_fs)
{
	s64 bound_fs = run_step_fs(run);

	if (bound_fs < TB_FSEC_PER_NSEC)
		bound_fs = TB_FSEC_PER_NSEC;
	return octave(settled_max_fs > bound_fs ? settled_max_fs : bound_fs) + 1;
}

/* From the start to the end of the settled part: when the error was beyond a bound, last. */
static void report_within(struct run *run, const struct strays *locking)
{
	const struct strays *settled = &discipline.strays;
	struct strays both = { .length = locking->length + settled->length };

	for (u32 k = 0; k < OCTAVES; k++)
		both.last[k] =
			settled->last[k] ? locking->length + settled->last[k] : locking->last[k];
	/* Powers of two of fs: 1.07 us, 134 ns, 8.4 ns. */
	run_metric_since(run, "within_1us_s", within_us(run, &both, 30));
	run_metric_since(run, "within_134ns_s", within_us(run, &both, 27));
	run_metric_since(run, "within_8ns_s", within_us(run, &both, 23));
}

/* The metrics of the settled part, and what can be told of the first one now. */
static s64 report_settled(struct run *run, const struct strays *locking)
{
	const struct stats *part = &discipline.part;

	run_metric_ns(run, "max_abs_ns", part->max_abs_fs);
	run_metric_ns(run, "rms_ns", stats_rms_fs(part));
	run_metric_ns(run, "mean_ns", stats_mean_fs(part));
	ktap_metric(run->ktap, "drift_ns_per_s", stats_drift_fs_per_s(part), 6, 6, "ns/s");
	run_metric_ns(run, "page_rms_ns", page_rms_fs());
	run_metric_stability(run, &discipline.stability, ~0ULL, "");
	report_within(run, locking);
	run_metric_since(run, "lock_s", back_us(run, locking, bound_octave(run, part->max_abs_fs)));
	return part->max_abs_fs;
}

/* A step's. The core is back when it is where it was at worst before, to a factor of two. */
static void report_step(struct run *run, const char *name, s64 settled_max_fs)
{
	char metric[48];

	named(run, name, "max_ns", discipline.part.max_abs_fs);
	named(run, name, "rms_ns", stats_rms_fs(&discipline.part));
	str_printf(metric, sizeof(metric), "%s_back_s", name);
	run_metric_since(run, metric,
			 back_us(run, &discipline.strays, bound_octave(run, settled_max_fs)));
}

static void run_part(struct run *run, enum part part)
{
	const u64 length =
		run_cycles_in_ms(run, run->params->duration_ms * sixteenths[part] / SIXTEENTHS);

	part_begin(run);
	pass(run, discipline.part_start + length);
	discipline.strays.length = counter_now(run) - discipline.part_start;
}

static void run_parts(struct run *run)
{
	const struct discipline_params *params = &run->params->discipline;
	struct noise *noise = &discipline.publisher.noise;
	struct strays locking;
	s64 settled_max_fs;

	peaks_begin(run);
	run_part(run, PART_LOCK);
	locking = discipline.strays;
	run_part(run, PART_SETTLED);
	settled_max_fs = report_settled(run, &locking);
	noise_step_frequency(noise, params->step_e15);
	run_part(run, PART_FREQUENCY);
	report_step(run, "freq_step", settled_max_fs);
	noise_step_phase(noise, instant_from_nsec(params->jump_ns));
	run_part(run, PART_PHASE);
	report_step(run, "phase_step", settled_max_fs);
	report_peaks(run);
}

/* The core starts at its nominal rate, off the true time. */
static bool start_off(struct run *run)
{
	const s64 offset = run->params->offset_ns ? run->params->offset_ns : OFFSET_NS;
	const u64 now = counter_now(run);
	s64 sec;
	u32 nsec;

	if (!run_start_core(run))
		return false;
	instant_to_timespec(publisher_truth(&discipline.publisher, now) + instant_from_nsec(offset),
			    &sec, &nsec);
	ktap_report(run->ktap, !run->tk->settime(now, sec, nsec),
		    "the core is set off the true time");
	return true;
}

static void param(struct run *run, const char *name, s64 value, u32 scale)
{
	char text[32];
	s64 unit = 1;

	for (u32 i = 0; i < scale; i++)
		unit *= 10;
	if (scale)
		str_printf(text, sizeof(text), "%s%lld.%0*lld", value < 0 ? "-" : "",
			   magnitude(value) / unit, (int)scale, magnitude(value) % unit);
	else
		str_printf(text, sizeof(text), "%lld", value);
	ktap_param(run->ktap, name, text);
}

static void report_params(struct run *run)
{
	const struct discipline_params *params = &run->params->discipline;

	ktap_param(run->ktap, "policy", policy_name(params->policy));
	ktap_param(run->ktap, "phase_at", params->phase_at ? "last" : "next");
	ktap_param(run->ktap, "phase_unit", params->phase_unit ? "ns" : "subns");
	ktap_param(run->ktap, "phase_by", phase_by_name(params->phase_by));
	param(run, "white_ns", params->noise.white_ps, 3);
	param(run, "flicker_ppb", params->noise.flicker_e15, 6);
	param(run, "walk_ppb", params->noise.walk_e15, 6);
	param(run, "wander_ppb", params->noise.wander_e15, 6);
	param(run, "wander_s", params->noise.wander_s, 0);
	param(run, "page_s", params->publisher.page_s, 0);
	param(run, "page_at_ms", params->publisher.at_ms, 0);
	param(run, "page_late_ms", params->publisher.late_ms, 0);
	param(run, "page_missed", params->publisher.missed, 0);
	param(run, "page_repeated", params->publisher.repeated, 0);
	param(run, "read_ms", params->read_ms, 0);
	param(run, "drift_file", params->drift_file, 0);
	param(run, "read_delay_ns", params->read_delay_ns, 0);
	param(run, "read_jitter_ns", params->read_jitter_ns, 0);
	param(run, "step_ppb", params->step_e15, 6);
	param(run, "jump_ns", params->jump_ns, 0);
}

static u32 rule_of(const struct discipline_params *params)
{
	return (params->phase_at ? TK_PHASE_AT_LAST : 0) |
	       (params->phase_unit ? TK_PHASE_WHOLE_NS : 0) |
	       (params->phase_by == PHASE_AT_ONCE ? TK_PHASE_AT_ONCE : 0) |
	       (params->phase_by == PHASE_LINEAR ? TK_PHASE_LINEAR : 0);
}

static void prepare(struct run *run)
{
	const struct discipline_params *params = &run->params->discipline;
	struct clock *clock = run->clock;
	struct publisher_params publisher = params->publisher;
	const u64 now = counter_now(run);

	publisher.rate_ppt = run->params->rate_ppt;
	publisher_init(&discipline.publisher, &publisher, &params->noise, run->params->seed,
		       clock->counter.hz, now, &discipline.page.abi);
	clock->page = &discipline.page.abi;
	clock->page_mapped = sizeof(discipline.page.bytes);
	clock->page_is_ours = true;
	discipline.policy = policy_of(params->policy);
	discipline.daemon = (struct daemon){
		.run = run,
		.publisher = &discipline.publisher,
		.random = run->params->seed ^ DAEMON,
	};
	run->phase_rule = rule_of(params);
	run->truth = truth;
	run->sampled = sampled;
}

static void begin(struct run *run)
{
	struct daemon *daemon = &discipline.daemon;
	const u32 read_ms = run->params->discipline.read_ms ? run->params->discipline.read_ms
							    : discipline.policy->read_ms;

	run_ticks_start(run);
	daemon->interval = read_ms ? run_cycles_in_ms(run, read_ms) : run->ticker.interval;
	daemon->wake_at = counter_now(run) + daemon->interval;
	if (discipline.policy->begin)
		discipline.policy->begin(daemon);
	run_window(run);
}

static void discipline_run(struct run *run)
{
	const struct clock before = *run->clock;
	const struct scenario_params *asked = run->params;
	const bool follows = policy_of(asked->discipline.policy)->follows;
	struct scenario_params params = *asked;

	if (params.discipline.phase_by == PHASE_STEP)
		params.step_ns = 0;
	run->params = &params;
	report_params(run);
	prepare(run);
	if (start_off(run) && (!follows || run_follow(run, false))) {
		begin(run);
		run_parts(run);
		run_ticks_stop(run);
		ktap_metric(run->ktap, "core_calls", (s128)(discipline.daemon.calls + run->feeds),
			    0, 0, "calls");
		ktap_metric(run->ktap, "page_changes", (s128)run->changes, 0, 0, "times");
		ktap_metric(run->ktap, "samples", (s128)run->stats->count, 0, 0, "samples");
		ktap_report(run->ktap, !discipline.daemon.refused,
			    "the core takes all that the policy asks of it");
		if (follows && run->clock->is_virtual &&
		    !(run->phase_rule & (TK_PHASE_AT_LAST | TK_PHASE_WHOLE_NS)))
			run_claim_account(run, RESTS_ON);
		run_claim_sane(run);
	}
	run->params = asked;
	run->clock->page = before.page;
	run->clock->page_mapped = before.page_mapped;
	run->clock->page_is_ours = before.page_is_ours;
}

const struct scenario scenario_discipline = {
	.name = "discipline",
	.claim = "a core takes what a policy asks of it, and is on the lines that it is told",
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 3200000, [CLOCK_TSC] = 32000 },
	.run = discipline_run,
};
