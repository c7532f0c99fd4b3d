/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What two cores, A and B, give for the same question, compared field by field. */
#ifndef TB_DIFF_COMPARE_H
#define TB_DIFF_COMPARE_H

#include "tk/tk.h"

/* Index of a core in the arrays below. */
enum {
	CORE_A,
	CORE_B,
	CORES
};

struct difference {
	bool found;
	u64 tick;	 /* index within a `ticks` operation */
	u64 counter;	 /* the counter's value after the operation */
	char text[2048]; /* a line for each field that differs: name, A, B */
};

/*
 * Each adds a line to *difference for each field that differs. `left_out` (TK_LACKS_*) are fields
 * that are not compared: they become 0 in both states.
 */
void compare_state(struct tk_state state[CORES], u32 left_out, struct difference *difference);
void compare_time(const struct tk_time time[CORES], struct difference *difference);
/* Whether both refused. The reasons are not compared: a core may check in any order. */
void compare_error(const enum tk_error error[CORES], struct difference *difference);
/* The same with the reasons, of calls that user space makes: it sees them. */
void compare_refusal(const enum tk_error error[CORES], struct difference *difference);
/* What adjtimex returned. `modes` as it was called. */
void compare_timex(const struct tk_timex timex[CORES], u32 modes, struct difference *difference);

/* Whether a core is the native one, and not lifted. */
bool compare_is_native(const struct tk_ops *core);

/* How many fields of the state are compared. */
u32 compare_fields(u32 left_out);

/* Adds one line to *difference: a name, and what the two cores gave for it. */
void compare_note(struct difference *difference, const char *name, long long a, long long b);

#endif
