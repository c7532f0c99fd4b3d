/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The experiments of the guest's command line: checked against the machine, then run. */
#ifndef TB_GUEST_EXPERIMENTS_H
#define TB_GUEST_EXPERIMENTS_H

#include "guest/machine.h"
#include "scenario/experiments.h"

/* Parses the whole line. Ends the guest with a sentence if it cannot be run. */
void experiments_take(struct experiments *experiments, const char *line);

/* Ends the guest with a sentence if the machine lacks what an experiment asks for by name. */
void experiments_check(const struct experiments *experiments, const struct machine *machine);

/* Runs them in their order. Ends the guest with a sentence if a clock cannot be made. */
void experiments_run(const struct experiments *experiments, const struct machine *machine,
		     struct run_io *io);

#endif
