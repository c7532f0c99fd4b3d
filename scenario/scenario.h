/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario is one file with its claim at the head. It sets up a run, lets time pass, and reports,
 * with the functions of measure/measure.h. A program runs scenarios with the functions below.
 */
#ifndef TB_SCENARIO_SCENARIO_H
#define TB_SCENARIO_SCENARIO_H

#include "measure/measure.h"

#define SCENARIO_MEMORY_MIB 512

/* What a scenario needs of the machine; the runner builds it, and a run without it is skipped. */
struct scenario_needs {
	bool page;	       /* a page with a line */
	bool virtual_clock;    /* clock=virtual */
	bool notification;     /* the device's interrupt at each change of the page */
	u32 memory_mib;	       /* of the guest; 0: SCENARIO_MEMORY_MIB */
	u32 cpus;	       /* 0: one */
	const char *cpu_flags; /* of QEMU's -cpu, joined by commas; NULL: none */
};

struct scenario {
	const char *name;
	const char *claim; /* one sentence */
	struct scenario_needs needs;
	bool on_request;    /* not among `all` */
	u64 duration_ms[2]; /* default, by enum clock_kind */
	void (*run)(struct run *run);
};

extern const struct scenario *const scenarios[];
extern const u32 scenario_count;
/* NULL: no such scenario. */
const struct scenario *scenario_find(const char *name);

/*
 * Runs what params name, one scenario after the other, each as a KTAP subtest. The clock is
 * started and stopped inside. `ship`, if not NULL, is handed the samples of each run when it is
 * over.
 */
struct run_io {
	struct ktap *ktap;
	struct stats *stats;
	s64 *scratch;			 /* as many entries as the statistics' buffer has samples */
	u64 (*stopwatch_ns)(void);	 /* real time, for the scenarios rate and smp; NULL: none */
	const struct second_cpu *second; /* NULL: there is none */
	/*
	 * Calls run(run) and makes sure that it ends. false: it divided by zero, or
	 * run->ticker.progress stopped changing; *why says which. For the virtual clock. NULL: not
	 * supported.
	 */
	bool (*guard)(void (*body)(struct run *run), struct run *run, const char **why);
	void (*ship)(void *context, const struct run *run, const char *scenario, u32 number);
	void *context;
	u32 run; /* number of the next run, from 0 */
};
void scenarios_run(const struct scenario_params *params, struct clock *clock, struct run_io *io);

/* How many runs params ask for; 0: an unknown scenario or core, said in *why. */
u32 scenarios_count(const struct scenario_params *params, const char **why);

#endif
