/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one parameter struct of an experiment, and its one parser: `name=value` words. A command line
 * may hold several experiments, separated by a lone `+`; each starts from the defaults.
 */
#ifndef TB_MEASURE_PARAMS_H
#define TB_MEASURE_PARAMS_H

#include "clock/clock.h"
#include "lib/print.h"
#include "lib/types.h"
#include "measure/publisher.h"

/* Who disciplines the core in `discipline` (scenario/policy.c). */
enum policy_kind {
	POLICY_REFERENCE,
	POLICY_PHC2SYS,
	POLICY_CHRONY,
	POLICY_PLL,
	POLICY_FLL,
	POLICY_FREQHOLD,
	POLICY_LINEAR,
	POLICY_FREE,
	POLICY_IDEAL,
	POLICIES,
};

/* How `reference` corrects the phase (enum tk_phase_rule). */
enum phase_by {
	PHASE_OFFSET,  /* by time_offset, from the next second on */
	PHASE_AT_ONCE, /* the same from now on */
	PHASE_LINEAR,
	PHASE_STEP,
};

/* The words of a policy, and of a way to correct a phase. */
const char *policy_name(u32 policy);
const char *phase_by_name(u32 by);

/* Of scenario `discipline`. Frequencies in 10^-15, given in ppb. */
struct discipline_params {
	u32 policy; /* enum policy_kind */
	struct noise_params noise;
	struct publisher_params publisher; /* but for its rate */
	u32 phase_at;			   /* 0: the next tick, 1: the last */
	u32 phase_unit;			   /* 0: below a ns, 1: whole ns */
	u32 phase_by;			   /* enum phase_by */
	u32 read_ms;	 /* between two readings of a daemon; 0: as the policy has it */
	bool drift_file; /* of chrony, pll and fll: they know the frequency when they start */
	u32 read_delay_ns, read_jitter_ns;
	s64 step_e15; /* of the true frequency */
	s64 jump_ns;  /* of the true phase */
};

enum clock_kind {
	CLOCK_VIRTUAL, /* a simulated counter, advanced as fast as the CPU allows */
	CLOCK_TSC,     /* the real one, with ticks from an interrupt */
};

enum tick_kind {
	TICK_AUTO,
	TICK_DEADLINE,
	TICK_ONESHOT,
};

struct scenario_params {
	char scenario[96]; /* a name, several joined by commas, or all */
	char core[16];	   /* native, linux */
	char expect[64]; /* of a lifted core: release, any, or switches as in tk_switches_parse() */
	u32 switches;	 /* of enum tk_switch */
	u32 clock;	 /* enum clock_kind */
	u32 tick;	 /* enum tick_kind */
	u32 hz;		 /* ticks a second, 24 (Linux's lowest) to 10000 */
	bool tickless;	 /* skip ticks while idle */
	u64 counter_hz;	 /* virtual: nominal; tsc: 0 measures it, else believe this */
	u32 counter_bits; /* 24 to 64 */
	u64 counter_start;
	u64 start_s;  /* virtual: the page's time at the start, seconds since the epoch */
	s64 rate_ppt; /* virtual: true period is longer than nominal by this * 10^-12 (given in ppm)
		       */
	u32 registered;	   /* enum register_kind */
	u64 duration_ms;   /* (given in seconds) 0: the scenario's own */
	s64 offset_ns;	   /* slew, step: how far; 0: the scenario's own */
	u32 late_ns;	   /* virtual: ticks come up to this late, at random */
	u64 seed;	   /* of all that is random */
	u32 disruptions;   /* disrupted: ends after so many; 0: after the duration */
	u32 step_ns;	   /* threshold between slew and step */
	u32 readings;	   /* regress: of the clock at each frequency; smp: 0: the scenario's own */
	bool known;	   /* a claim that rests on a switch which the core lacks may fail */
	bool samples;	   /* ship the samples */
	bool end;	   /* nothing after it is read */
	bool record_ticks; /* tsc: ship the delays of the window's first ticks */
	char record[128];  /* discipline: a file of the host's time; "": none */
	char ticks[128];   /* a file of the ticks' delays; "": none */
	struct discipline_params discipline;
};

/* How a core is told the virtual counter's frequency; the real one's is always told in kHz. */
enum register_kind {
	REGISTER_HZ,
	REGISTER_KHZ, /* whole kHz, the rest counts as rate: Linux and its TSC */
};

enum params_error {
	PARAMS_OK,
	PARAMS_UNKNOWN,	   /* no such parameter */
	PARAMS_NOT_NUMBER, /* cannot be parsed */
	PARAMS_RANGE,	   /* outside its range */
	PARAMS_LONG,	   /* a value of more than 127 characters */
	PARAMS_CHOICE,	   /* not one of the words it takes */
	PARAMS_ERRORS,
};

const char *params_strerror(enum params_error error);

void params_defaults(struct scenario_params *params);
enum params_error params_set(struct scenario_params *params, const char *name, const char *value);

/*
 * Takes the next experiment off a command line: parses words up to a lone `+` or the end into
 * params (fresh defaults), and moves *text behind it. On error, `word` holds what was wrong.
 */
enum params_error params_parse_line(struct scenario_params *params, const char **text, char *word,
				    size_t word_size);

/* Whether three ticks and the latest one fit half of the virtual counter's width: beyond that, time
 * would seem to go back. true for the real counter. */
bool params_counter_wide_enough(const struct scenario_params *params);

/* The virtual clock that an experiment asks for. */
struct virtual_setup params_virtual_setup(const struct scenario_params *params);

/* "name  range  meaning" for each parameter, for --help. */
void params_help(const struct output *out);

#endif
