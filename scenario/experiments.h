/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The experiments of a command line: the same parser for the guest and the host process. */
#ifndef TB_SCENARIO_EXPERIMENTS_H
#define TB_SCENARIO_EXPERIMENTS_H

#include "scenario/scenario.h"

#define EXPERIMENTS_MAX	    256
#define EXPERIMENTS_WHY_MAX 256

struct experiments {
	struct scenario_params params[EXPERIMENTS_MAX];
	u32 count; /* at least 1 after experiments_parse() */
	u32 runs;  /* of all of them: an experiment may be several scenarios */
};

/*
 * Parses name=value words; a lone `+` begins the next experiment. false: a word is wrong, or there
 * are too many experiments; *why says which, in words.
 */
bool experiments_parse(struct experiments *experiments, const char *line,
		       char why[EXPERIMENTS_WHY_MAX]);

#endif
