/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tickbench-diff drives the native core and a lifted one with the same counter values and the same
 * calls, and compares all of struct tk_state after each tick. What is driven is a script: a line an
 * operation, so that a difference can be replayed, cut down and sent to somebody.
 */
#ifndef TB_DIFF_DIFF_H
#define TB_DIFF_DIFF_H

#include <stdio.h>

#include "tk/stage.h"
#include "tk/tk.h"

enum op_kind {
	OP_INIT,   /* init COUNTER_HZ BITS SEC NSEC */
	OP_TICK,   /* tick CYCLES: so many cycles pass, then a tick */
	OP_TICKS,  /* ticks N LATE SKIP SEED: N ticks, each up to LATE per mille of a tick late and
		      up to SKIP ticks after the one before, at random */
	OP_PASS,   /* pass CYCLES: so many pass, no tick */
	OP_READ,   /* read: both clocks at the counter's value */
	OP_OFFSET, /* offset NS: adjtimex, as a phase measurement under the PLL */
	OP_TIME_OFFSET, /* time_offset NS: added to what is still to be slewed */
	OP_ADJTIME,	/* adjtime US */
	OP_FREQ,	/* freq PPM * 2^16 */
	OP_TICK_USEC,	/* tick_usec US */
	OP_STATUS,	/* status BITS */
	OP_CONSTANT,	/* constant N */
	OP_TAI,		/* tai SECONDS */
	OP_SETTIME,	/* settime SECONDS NSEC: this far from the present time */
	OP_INJECT,	/* inject SECONDS NSEC: ADJ_SETOFFSET */
	OP_MIDNIGHT,	/* midnight SECONDS: sets the time to so long before the next midnight */
	OP_LEAP,	/* leap BITS STEPS: two seconds before midnight with these status bits, then
			   half-second steps, adjtimex looking on before and after each one's tick */
	OP_TIMEX,	/* timex MODES VALUE: adjtimex with offset, errors, constant all VALUE */
	OP_EDGE,      /* edge NS FREQ PER_MILLE: sets the time so that the next tick ends NS into a
			 second, ticks, lets that much of the next tick pass and sets the frequency:
			 what mult takes back may reach below the second */
	OP_COUNTER,   /* counter HZ BITS NEXT: another counter, that now reads NEXT */
	OP_REFERENCE, /* reference PPT PHASE_NS STEP_NS: a line through the present time + PHASE_NS
			 whose period is PPT * 10^-12 longer than nominal */
	OP_KINDS,
};

#define OP_ARGS 4

struct op {
	enum op_kind kind;
	long long args[OP_ARGS];
};

/* One line of a script; false: not one. Comments (#) and empty lines give OP_KINDS. */
bool op_parse(const char *line, struct op *op);
void op_print(FILE *to, const struct op *op);

struct difference {
	bool found;
	struct op op;
	u64 tick; /* within a `ticks` operation */
	u64 counter;
	char text[2048]; /* a line for each field that differs: name, native, linux */
};

/*
 * Starts a comparison: native gets the switches that the lifted core has by what it does
 * (tk/stage.h), but for those in `flip`.
 */
void pair_begin(u32 flip);
/* What the lifted core was found to do: the stage, and the switches that native gets. */
const struct tk_stage *pair_stage(void);
/*
 * Does one operation on both and compares. Returns false, with *difference filled, if they differ.
 * What both refuse is no difference; after an init that both refuse there is nothing to compare,
 * and nothing is done, until the next.
 */
bool pair_do(const struct op *op, struct difference *difference);
/* stage.c: the stage as one JSON object; to stderr, what the source says otherwise. */
int stage_print(void);
void stage_warn(void);

u64 pair_ticks(void); /* compared so far, in all */

/*
 * A random operation that a caller might do. *theme is what the episode is about: NULL before its
 * first operation, which is an init and sets it.
 */
struct op op_random(u64 *random, const char **theme);

#endif
