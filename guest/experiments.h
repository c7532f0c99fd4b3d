/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The experiments of a command line: parsed once, then checked against the machine, then run. */
#ifndef TB_GUEST_EXPERIMENTS_H
#define TB_GUEST_EXPERIMENTS_H

#include "guest/machine.h"
#include "scenario/scenario.h"

#define EXPERIMENTS_MAX 256

struct experiments {
	struct scenario_params params[EXPERIMENTS_MAX];
	u32 count; /* at least 1 after experiments_parse() */
	u32 runs;  /* of all of them: an experiment may be several scenarios */
};

/* Parses the whole line. Ends the guest with a sentence if a word is wrong, or there are too many.
 */
void experiments_parse(struct experiments *experiments, const char *line);

/* Ends the guest with a sentence if the machine lacks what an experiment asks for by name. */
void experiments_check(const struct experiments *experiments, const struct machine *machine);

/* Runs them in their order. Ends the guest with a sentence if a clock cannot be had. */
void experiments_run(const struct experiments *experiments, const struct machine *machine,
		     struct run_io *io);

#endif
