/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the native core and the lifted one give for the same question, compared field by field. */
#ifndef TB_DIFF_COMPARE_H
#define TB_DIFF_COMPARE_H

#include "tk/tk.h"

/* Index of a core in the arrays below. */
enum {
	NATIVE,
	LIFTED,
	CORES
};

struct difference {
	bool found;
	u64 tick;	 /* index within a `ticks` operation */
	u64 counter;	 /* the counter's value after the operation */
	char text[2048]; /* a line for each field that differs: name, native, linux */
};

/* Each adds a line to *difference for each field that differs. */
void compare_state(const struct tk_state state[CORES], struct difference *difference);
void compare_time(const struct tk_time time[CORES], struct difference *difference);
/* Whether both refused. The reasons are not compared: a core may check in any order. */
void compare_error(const enum tk_error error[CORES], struct difference *difference);
/* What adjtimex returned. `modes` as it was called. */
void compare_timex(const struct tk_timex timex[CORES], u32 modes, struct difference *difference);

/* Adds one line to *difference: a name, and what the two cores gave for it. */
void compare_note(struct difference *difference, const char *name, long long native,
		  long long lifted);

#endif
