/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is measured, and what it is measured with. A scenario is one file: its claim in a sentence
 * at the head, and a straight line of set up, run, report. It knows a core by tk.h and the machine
 * by struct vehicle; the same object code runs in the guest and in the host process.
 */
#ifndef TB_SCENARIO_SCENARIO_H
#define TB_SCENARIO_SCENARIO_H

#include "lib/ktap.h"
#include "lib/stats.h"
#include "scenario/params.h"
#include "tk/tk.h"
#include "vmclock/vmclock.h"

struct bench;

/*
 * How time passes. The virtual clock (scenario/virtual.c) is one vehicle for both programs; the
 * guest has another for the real TSC (guest/tsc_clock.c), the sim none.
 */
struct vehicle {
	bool is_virtual;
	struct tk_counter counter;  /* nominal frequency and width */
	const char *counter_source; /* "given", "cpuid-15h", "hpet", ... */
	u64 counter_error_ppb;	    /* how far counter.hz may be off; 0: exact by definition */
	const char *tick_source;    /* "virtual", "tsc-deadline", "lapic-oneshot" */
	volatile struct vmclock_abi *page; /* NULL: none, and page_error says why */
	u64 page_mapped;		   /* bytes */
	enum vmclock_error page_error;
	bool page_is_ours; /* a scenario may rewrite it (virtual clock only) */

	/* Before each run: as if new, so that no run depends on those before it. NULL: nothing to
	 * do. */
	void (*reset)(struct vehicle *vehicle, const struct scenario_params *params);

	/* Another counter of the same machine, to hold this one against. */
	struct {
		const char *name; /* "hpet", "pm-timer"; NULL: there is none */
		u64 period_fs;
		u64 mask; /* 2^bits - 1 */
		u64 (*read)(void);
	} second;

	/* The counter, now. */
	u64 (*now)(void *context);
	void *context;

	/* Starts delivering ticks at hz to bench->tk->tick(); and stops. tickless: skip while idle.
	 */
	void (*ticks_start)(struct bench *bench);
	void (*ticks_stop)(struct bench *bench);

	/*
	 * Lets time pass until the counter has reached `until`, with ticks, and calls
	 * bench_sample() again and again: right before each tick on the virtual clock, in a free
	 * loop on the real one.
	 */
	void (*run_until)(struct bench *bench, u64 until);

	/* Holds the tick off, and lets it come again. Nest. */
	void (*lock)(void *context);
	void (*unlock)(void *context);

	/*
	 * Has the host judge the core's time: how far it is ahead of the host's own clock at the
	 * same moment, and the error that the page states for it. false: no such host, or no answer
	 * in time. NULL: cannot.
	 */
	bool (*judge)(struct bench *bench, s64 *difference_fs, u64 *maxerror_ns);
};

/* Ticks as they came; kept by the vehicle, also from the interrupt. */
struct tick_stats {
	u64 ticks;	     /* calls of tick() */
	u64 late_max_cycles; /* the latest tick against its due time */
	u64 longest_idle;    /* ticks skipped in a row, at most */
	u64 gap_max_cycles;  /* virtual clock: the longest time between two ticks */
};

struct bench {
	const struct scenario_params *params;
	const struct tk_ops *tk;
	struct vehicle *vehicle;
	struct ktap *ktap;
	struct stats *stats;
	struct tick_stats tick;	  /* of the window */
	u64 late_before_cycles;	  /* the latest tick of the run before the window */
	u64 gap_before_cycles;	  /* the same of the longest time between two ticks */
	u32 switches;		  /* in force: params' for native, its own for a lifted core */
	struct vmclock_line line; /* the page as last read and, if following, fed */
	struct vmclock_seen seen; /* the page when it was read last, whatever came of it */
	enum vmclock_error line_error;
	bool following; /* feed each change of the page to the core */
	bool sampling;
	bool read_before; /* last_mono_ns holds something */
	s64 last_mono_ns; /* of the reader, to see time go back */
	s64 last_error_fs;
	s64 account_max_fs; /* since the core started; see bench_claim_account() */
	u32 named;	    /* missing switches that a note of this run has named */
	u64 start;	    /* counter at the start of the window */
	u64 feeds, disruptions;
	u64 refusals; /* of the page, but for those that pass by themselves */
	/* How far the page's line was from the one before when the core was told, fs: all since the
	 * core started, and worst. */
	u64 moved_fs, moved_max_fs;
	enum tk_error feed_error;
	s64 *scratch;  /* stats->capacity entries, for percentiles */
	s64 target_fs; /* how far off the line it is asked to be: statistics are about that */
	u64 (*stopwatch_ns)(void); /* real time; NULL: none */
	volatile u64 progress;	   /* moves whenever a tick or a reading is over */
	/* The claim that fails where a tick never returns, and the switch it rests on. NULL: that
	 * every tick ends. */
	const char *at_stake;
	u32 at_stake_rests_on;
};

struct scenario {
	const char *name;
	const char *claim; /* one sentence */
	bool needs_page;   /* skipped, with the reason, where there is no usable one */
	bool virtual_only;
	bool on_request;    /* not among `all` */
	u64 duration_ms[2]; /* default, by enum clock_kind */
	void (*run)(struct bench *bench);
};

extern const struct scenario *const scenarios[];
extern const u32 scenario_count;
/* NULL: no such scenario. */
const struct scenario *scenario_find(const char *name);

/* --- What a scenario's straight line is made of. --- */

/* Cycles in so many seconds / milliseconds of the counter's nominal time. */
u64 bench_cycles_ms(const struct bench *bench, u64 ms);

/* Starts the core at the page's time (or at a fixed one without a page), undisciplined. Reports and
 * returns false where the core refuses. */
bool bench_start_core(struct bench *bench);

/*
 * Reads the page, hands it to the core, and does so again at every change from here on. A core
 * without `reference` or `feed` is set as user space would: settimeofday once, then the frequency
 * by adjtimex. Phase: stepped if `step`, else as step_ns says.
 */
bool bench_follow(struct bench *bench, bool step);

/* Reads the page and feeds it again, stepping; says nothing. false: the page or the core refuses.
 */
bool bench_refollow(struct bench *bench);

/* Looks at the page between samples: what a notification by the hypervisor brings about. */
void bench_notice(struct bench *bench);

/* Lets ms pass with ticks and samples; bench_settle() without samples. */
void bench_run_ms(struct bench *bench, u64 ms);
void bench_settle(struct bench *bench, u64 ms);
void bench_run_cycles(struct bench *bench, u64 cycles);

/* A new window for the statistics, from now. */
void bench_window(struct bench *bench);

/* e at the counter's present value, fs; adds nothing to the statistics. */
s64 bench_error_fs(struct bench *bench);

/* The reading behind it. */
void bench_read(struct bench *bench, struct tk_time *time);

/* One mult step over one tick, fs: what dithering cannot do better than; and that plus what the
 * units of the tick length may add. */
s64 bench_step_fs(const struct bench *bench);
s64 bench_bound_fs(const struct bench *bench);

/* One mult step over the longest time between two ticks, and over how late a tick came within a
 * tick: the furthest that a core on the line may stray, fs. */
s64 bench_stray_fs(const struct bench *bench);

/* What slope counts as drift, fs/s: 0.001 ns/s, or what this window cannot tell from dithering, or
 * three standard errors of the slope. A pure drift widens none of them. */
s64 bench_drift_bound_fs(const struct bench *bench);

/*
 * A claim. `rests_on`: the switches of enum tk_switch without which it may not hold; where it
 * fails, a note names those that the core lacks, once a run. Returns ok.
 */
bool bench_claim(struct bench *bench, bool ok, const char *sentence, u32 rests_on);

/* The claims on the window's drift; on what the core's own account says (told time + ntp_error +
 * what is still to be slewed is the line); and both with those on the largest error and the mean.
 * They add their bounds as metrics. Virtual clock. */
bool bench_claim_drift(struct bench *bench, u32 rests_on);
bool bench_claim_account(struct bench *bench, u32 rests_on);
void bench_claim_stays(struct bench *bench, u32 rests_on);

/* Called for each sample, with its error about target_fs: keeps account_max_fs of some. */
void bench_account_sample(struct bench *bench, u64 counter, s64 error_fs);

/* "# metric" lines of everything in docs/report.md, for the window. */
void bench_metrics(struct bench *bench);
void bench_metric_ns(struct bench *bench, const char *name, s64 fsec);
/* A time since the window's start, in seconds; a note where it is -1, never. */
void bench_metric_since(struct bench *bench, const char *name, s64 since_us);

/* Claims of every scenario that follows: no time went back; the page was never refused. */
void bench_claim_sane(struct bench *bench);

/* The vehicle's page gets a new line through `time` at the counter's present value (page_is_ours).
 */
void bench_publish(struct bench *bench, instant time, s64 rate_ppt, u64 disruption_marker);

/* stage.c: a lifted core's switches, by what it does where that tells (tk/stage.h), else by its
 * source. Starts the core afresh the first time. */
u32 bench_stage_switches(const struct tk_ops *tk);
bool bench_expect_valid(const struct scenario_params *params);
/* The claim of every run of a lifted core: it has the switches that params->expect says. */
void bench_claim_stage(struct bench *bench);

/*
 * One reading: watches the page and feeds it if following, reads the core, adds the error against
 * the line to the statistics. With the tick on top of it; called by the vehicle's run_until().
 */
void bench_sample(struct bench *bench);

/*
 * Runs what params name, one scenario after the other, each as a KTAP subtest. The vehicle is
 * started and stopped inside. `ship`, if not NULL, is handed the samples of each run when it is
 * over.
 */
struct bench_io {
	struct ktap *ktap;
	struct stats *stats;
	s64 *scratch;		   /* as many entries as the statistics' buffer has samples */
	u64 (*stopwatch_ns)(void); /* real time, for the scenario rate; NULL: none */
	/*
	 * Calls run(bench) and sees that it ends. false: it divided by zero, or went on without
	 * bench->progress moving; *why says which in words. On the virtual clock. NULL: nobody
	 * does.
	 */
	bool (*guard)(void (*run)(struct bench *bench), struct bench *bench, const char **why);
	void (*ship)(void *context, const struct bench *bench, const char *scenario, u32 run);
	void *context;
	u32 run; /* number of the next run, from 0 */
};
void bench_run(const struct scenario_params *params, struct vehicle *vehicle, struct bench_io *io);

/* How many runs params ask for; 0: an unknown scenario or core, said in *why. */
u32 bench_count(const struct scenario_params *params, const char **why);

/* The virtual clock as a vehicle: a counter, a page of its own, ticks when it says so. */
void virtual_vehicle_init(struct vehicle *vehicle, const struct scenario_params *params);

#endif
