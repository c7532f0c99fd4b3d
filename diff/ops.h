/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations of the comparison: what a script is made of. */
#ifndef TB_DIFF_OPS_H
#define TB_DIFF_OPS_H

#include "diff/compare.h"

#define OP_ARGS 11

/* One row of the table in ops.c. */
struct op_kind {
	const char *name;
	int args; /* how many, at most OP_ARGS */
	/* Does it on both cores, and compares what they return. */
	void (*run)(const long long *args, struct difference *difference);
	/*
	 * Draws arguments that a caller might give. `bits` is a width of a counter, which was drawn
	 * before. A NULL draws none: an operation without arguments.
	 */
	void (*draw)(u64 *random, long long bits, long long *args);
};

struct op {
	const struct op_kind *kind; /* NULL: none, as in an empty line */
	long long args[OP_ARGS];
};

/* NULL: there is no operation of this name. */
const struct op_kind *op_find(const char *name);
/* The i-th operation of the table; NULL: there are fewer. */
const struct op_kind *op_at(u32 i);
/* An init begins a script: it starts both cores afresh. */
bool op_is_init(const struct op *op);
/*
 * Does one operation on both cores, and compares what they return and all of their state. Returns
 * false, with *difference filled, if they differ. A call that both refuse is no difference. After
 * an init that both refuse nothing is done until the next.
 */
bool op_run(const struct op *op, struct difference *difference);
/* Draws the operation's arguments at random. */
struct op op_draw(const struct op_kind *kind, u64 *random, long long bits);

#endif
