/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the series' switches a core has, by its behaviour: the core is started on a counter of
 * its own, driven for a minute of virtual time, and observed through tk_ops alone. What its source
 * seems to have is reported beside this.
 */
#ifndef TB_TK_STAGE_H
#define TB_TK_STAGE_H

#include "tk/tk.h"

/* The switches that behaviour shows without the risk of a tick that never returns. */
#define TK_STAGE_TOLD (TK_REMAINDER | TK_REMAINDER_V2 | TK_CLAWBACK | TK_TAIL | TK_SKEW)

struct tk_stage {
	u32 switches; /* found, of TK_STAGE_TOLD */
	u32 unknown;  /* the core does as neither a core with the switch nor one without */
};

/*
 * Starts the core afresh at `hz` ticks a second, several times: whatever it did before is lost.
 * `switches` is what init() is given; a lifted core ignores it. About 100 ticks.
 */
void tk_stage(const struct tk_ops *tk, u32 hz, u32 switches, struct tk_stage *stage);

enum tk_stop {
	TK_STOP_PASSES,	 /* a tick while cycle_interval is 0 is skipped, and nothing is lost */
	TK_STOP_ENDLESS, /* it does not end */
	TK_STOP_LOSES,	 /* it ends, and time is lost */
	TK_STOP_REFUSED, /* the core cannot be recalibrated */
};

/*
 * What a tick does while cycle_interval is 0. Such a tick may divide by zero: the caller bears that
 * (a child process, an exception handler). What does not end is cut off where tk->endless tells it.
 */
enum tk_stop tk_stage_stop(const struct tk_ops *tk, u32 hz, u32 switches);

#endif
