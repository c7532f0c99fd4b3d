/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the series' switches a core has, by its behaviour: the core is started on a simulated
 * counter, driven for about a minute of that counter's time, and observed through tk_ops alone. The
 * switches that the core's source seems to have are reported separately.
 */
#ifndef TB_TK_STAGE_H
#define TB_TK_STAGE_H

#include "tk/tk.h"

/* The switches that can be found without the risk of a tick that never returns. */
#define TK_STAGE_TOLD (TK_REMAINDER | TK_REMAINDER_V2 | TK_CLAWBACK | TK_TAIL | TK_SKEW)

struct tk_stage {
	u32 switches; /* found, of TK_STAGE_TOLD */
	u32 unknown;  /* the core behaves neither like one with the switch nor like one without */
	/* A settimeofday() that is refused moves the clock to the present moment and clears NTP. */
	bool refusal_moves;
	/* A reader's counter far beyond max_cycles is converted whole, and one behind is clamped.
	 */
	bool wide;
};

/*
 * Starts the core afresh several times, at `hz` ticks a second: its earlier state is lost.
 * `switches` is passed to init(); a lifted core ignores it. Takes about 100 ticks.
 */
void tk_stage(const struct tk_ops *tk, u32 hz, u32 switches, struct tk_stage *stage);

enum tk_stop {
	TK_STOP_PASSES,	 /* a tick while cycle_interval is 0 is skipped, and nothing is lost */
	TK_STOP_ENDLESS, /* it does not end */
	TK_STOP_LOSES,	 /* it ends, and time is lost */
	TK_STOP_REFUSED, /* the core cannot be recalibrated */
};

/*
 * What a tick does while cycle_interval is 0. Such a tick may divide by zero: the caller must
 * handle that (a child process, an exception handler). A tick that does not end is aborted by a
 * core that has tk->endless.
 */
enum tk_stop tk_stage_stop(const struct tk_ops *tk, u32 hz, u32 switches);

#endif
