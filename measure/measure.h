/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run of a scenario, and the functions that a scenario is written with. A run uses a core through
 * tk.h and the machine through clock.h. The same object code runs in the guest and in the host
 * process.
 */
#ifndef TB_MEASURE_MEASURE_H
#define TB_MEASURE_MEASURE_H

#include "clock/clock.h"
#include "lib/ktap.h"
#include "lib/samples.h"
#include "lib/stability.h"
#include "lib/stats.h"
#include "measure/params.h"
#include "tk/tk.h"
#include "vmclock/vmclock.h"

/*
 * A CPU beside the one that runs a scenario. start() returns NULL, or says why there is none.
 * join() waits until the body has returned.
 */
struct second_cpu {
	const char *(*start)(void (*body)(void *context), void *context);
	void (*join)(void);
};

struct run {
	const struct scenario_params *params;
	const struct tk_ops *tk;
	struct clock *clock;
	struct ktap *ktap;
	struct stats *stats;
	struct ticker ticker;	/* its stats are those of the window */
	u64 late_before_cycles; /* the largest delay of a tick before the window */
	u64 gap_before_cycles;	/* the same of the longest time between two ticks */
	u32 switches; /* in effect: those of params for native, its own for a lifted core */
	struct vmclock_line line; /* the page as last read and, if following, fed */
	struct vmclock_seen
		seen; /* the page when it was read last, whether it was accepted or not */
	enum vmclock_error line_error;
	u64 shown_marker; /* the page's last one, also where it had no usable line beside it */
	/* Of clock->markers (measure/markers.h); the line of void_marker is not believed again. */
	struct {
		u64 disruption, generation, void_marker;
		u32 moves;
		bool void_line;
	} markers;
	void (*tick)(u64 now); /* in place of the core's own; NULL: that */
	/* Called after the core was handed a line, with the tick disabled; NULL: nobody asks. */
	void (*told)(struct run *run);
	/*
	 * The true time, where that is not the page's line: errors are against it. sampled: handed
	 * each error, and that against the page's line. NULL: the page's line is the true time.
	 */
	instant (*truth)(struct run *run, u64 counter);
	void (*sampled)(struct run *run, u64 counter, s64 error_fs, s64 line_error_fs);
	u32 phase_rule; /* of enum tk_phase_rule, for what is fed */
	/* The page is read when its device notifies of a change, and not at each sample. */
	bool notified;
	bool following;	   /* feed each change of the page to the core */
	bool time_unknown; /* a disruption was noticed, and no line taken since */
	/* The line has outlived itself (vmclock_outlived()): its publisher is dead, and it is
	 * believed no longer. The core runs on. */
	bool line_ended;
	bool sampling;
	bool read_before; /* last_mono_ns holds something */
	s64 last_mono_ns; /* the last reading, to detect that time goes back */
	s64 last_error_fs;
	s64 account_max_fs; /* since the core started; see run_claim_account() */
	u32 named;	    /* missing switches that a note of this run has named */
	u64 start;	    /* counter at the start of the window */
	u64 feeds, disruptions;
	u64 changes;  /* of the page that were read */
	u64 refusals; /* refusals of the page, except those that may end by themselves */
	/*
	 * How far a new line of the page was from the one before, when the core got it, fs: the sum
	 * since the core started, and the largest.
	 */
	u64 moved_fs, moved_max_fs;
	enum tk_error feed_error;
	s64 *scratch;  /* stats->capacity entries, for percentiles */
	s64 target_fs; /* the requested distance from the line; the statistics are of the error
			  relative to it */
	u64 (*stopwatch_ns)(void);	 /* real time; NULL: none */
	const struct second_cpu *second; /* NULL: there is none */
	/* The claim that fails where a tick never returns, and the switch it rests on. NULL: that
	 * every tick ends. */
	const char *at_stake;
	u32 at_stake_rests_on;
};

/* The counter's cycles in `ms` milliseconds of its nominal time. */
u64 run_cycles_in_ms(const struct run *run, u64 ms);

/* Starts the core at the page's time (or at a fixed one without a page), undisciplined. Reports and
 * returns false where the core refuses. */
bool run_start_core(struct run *run);

/*
 * Reads the page, hands it to the core, and does so again at every change from here on. Waits for a
 * page that may become usable as run_await_page() does. A core without `reference` or `feed` is set
 * as user space would: settimeofday once, then the frequency by adjtimex. Phase: stepped if `step`,
 * else as step_ns says.
 */
bool run_follow(struct run *run, bool step);

/* Reads the page and feeds it again, stepping; says nothing. false: the page or the core refuses.
 */
bool run_refollow(struct run *run);

/*
 * Waits 20 ms if the page was refused for a reason that may pass (vmclock_may_pass()): its
 * publisher had no answer from this guest for a moment, or is in mid-update. `*waits`, 0 at first,
 * counts the calls, and bounds them: 3 s in all. false: there is nothing to wait for. The page is
 * read again meanwhile where ticks were started; where none were, the caller reads it.
 */
bool run_await_page(struct run *run, u32 *waits);

/* Reads the page between samples, as a notification by the hypervisor would cause. */
void run_notice(struct run *run);

/* Starts the ticks of the core, and stops them. */
void run_ticks_start(struct run *run);
void run_ticks_stop(struct run *run);

/* Lets ms pass with ticks and samples; run_settle() without samples. */
void run_ms(struct run *run, u64 ms);
void run_settle(struct run *run, u64 ms);
void run_cycles(struct run *run, u64 cycles);

/* The points that were kept, for the samples' file; NULL: this run was not traced. */
const struct trace_point *run_traces(const struct run *run, u32 *count, u32 *decimation);
struct sample_header run_trace_header(const struct run *run, const char *scenario, u32 number);

/* The header of a run's samples in samples.bin. */
struct sample_header run_sample_header(const struct run *run, const char *scenario, u32 number);

/* The "# param" lines of a run. */
void run_params(const struct run *run, const char *scenario, u64 duration_ms, u32 number);

/*
 * The straight line of a scenario that follows the page and does nothing else: starts the core,
 * steps it onto the line, lets the duration pass with ticks and samples, and prints the metrics.
 * false: the core does not start or does not follow, which is reported.
 */
bool run_follow_for_duration(struct run *run);

/* A new window for the statistics, from now. */
void run_window(struct run *run);

/* Reads the page into run->line; true if it can be followed. */
bool run_read_page(struct run *run);

/* Whether the time that run->line has now is one that a core can start from. */
bool run_page_time_fits(const struct run *run);

/* One reading for the statistics: the core's error against the line as it was read last. */
void run_sample(struct run *run);

/* e at the counter's present value, fs; adds nothing to the statistics. */
s64 run_error_fs(struct run *run);

/* The reading behind it. */
void run_read(struct run *run, struct tk_time *time);

/* One mult step over one tick, fs: what dithering cannot do better than; and that plus what the
 * units of the tick length may add. */
s64 run_step_fs(const struct run *run);
s64 run_bound_fs(const struct run *run);

/* One mult step over the longest time between two ticks, and over how late a tick came within a
 * tick: the furthest that a core on the line may stray, fs. */
s64 run_stray_fs(const struct run *run);

/* The largest slope over this window of an error that stays within a band this wide, fs/s. */
s64 run_slope_fs(const struct run *run, s64 band_fs);

/* What slope counts as drift, fs/s: 0.001 ns/s, or what this window cannot tell from dithering, or
 * three standard errors of the slope. A pure drift widens none of them. */
s64 run_drift_bound_fs(const struct run *run);

/*
 * A claim. `rests_on`: the switches of enum tk_switch without which it may not hold; where it
 * fails, a note names those that the core lacks, once a run. Returns ok.
 */
bool run_claim(struct run *run, bool ok, const char *sentence, u32 rests_on);

/* The claims on the window's drift; on what the core's own account says (told time + ntp_error +
 * what is still to be slewed is the line); and both with those on the largest error and the mean.
 * They add their bounds as metrics. Virtual clock. */
bool run_claim_drift(struct run *run, u32 rests_on);
bool run_claim_account(struct run *run, u32 rests_on);
void run_claim_stays(struct run *run, u32 rests_on);

/* Called for each sample, with its error about target_fs: keeps account_max_fs of some. */
void run_account_sample(struct run *run, u64 counter, s64 error_fs);

/* "# metric" lines of everything in docs/report.md, for the window. */
void run_metrics(struct run *run);
void run_metric_ns(struct run *run, const char *name, s64 fsec);
/*
 * ADEV, MDEV, TDEV and MTIE over each tau of 10^K times tau0, below `most` times tau0: adev_1eK_ppb
 * and so on, with `unit` after K.
 */
void run_metric_stability(struct run *run, const struct stability *stability, u64 most,
			  const char *unit);
/* A time since the window's start, in seconds; a note where it is -1, never. */
void run_metric_since(struct run *run, const char *name, s64 since_us);

/* The claim that the host finds the core's time right at this moment, where the clock has a judge.
 */
void run_claim_host(struct run *run);

/* Claims of every scenario that follows: no time went back; the page was never refused. */
void run_claim_sane(struct run *run);

/* Writes a new line into the clock's own page, through `time` at the counter's present value
 * (page_is_ours).
 */
void run_publish(struct run *run, instant time, s64 rate_ppt, u64 disruption_marker);

/* stage.c: a lifted core's switches, by what it does where that tells (tk/stage.h), else by its
 * source. Starts the core afresh the first time. */
u32 run_stage_switches(const struct tk_ops *tk);
bool run_expect_valid(const struct scenario_params *params);
/* The claim of every run of a lifted core: it has the switches that params->expect says. */
void run_claim_stage(struct run *run);

#endif
