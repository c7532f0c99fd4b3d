/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KTAP version 1 (kernel.org, dev-tools/ktap): a plan, one line for each claim with its diagnostics
 * before it, and one level of subtests. Each run of a scenario is a subtest, and each claim is a
 * line in it.
 */
#ifndef TB_LIB_KTAP_H
#define TB_LIB_KTAP_H

#include "lib/print.h"

struct ktap {
	const struct output *out;
	u32 depth; /* 0, or 1 inside a subtest */
	u32 number[2];
	u32 failed[2];
	u32 skipped[2];
};

void ktap_begin(struct ktap *ktap, const struct output *out, u32 plan);
void ktap_subtest_begin(struct ktap *ktap, const char *name);
/*
 * Ends the subtest with its own plan and its line in the outer level: failed if any claim failed,
 * skipped if all were skipped.
 */
void ktap_subtest_end(struct ktap *ktap, const char *name);

/* One claim. Returns ok. */
bool ktap_report(struct ktap *ktap, bool ok, const char *sentence);
/* A claim that does not hold and is not expected to: `not ok` with the directive TODO, which fails
 * nothing. */
void ktap_todo(struct ktap *ktap, const char *sentence, const char *reason);
void ktap_skip(struct ktap *ktap, const char *sentence, const char *reason);

/* "# metric NAME VALUE UNIT" with a value of value / 10^scale. */
void ktap_metric(struct ktap *ktap, const char *name, s128 value, u32 scale, u32 digits,
		 const char *unit);
/* "# param NAME VALUE" */
void ktap_param(struct ktap *ktap, const char *name, const char *value);
/* "# text" */
void ktap_note(struct ktap *ktap, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
