// SPDX-License-Identifier: GPL-2.0-or-later
/* Parses the command line and runs its experiments. Assumes that the console works. */
#include "guest/experiments.h"
#include "guest/console.h"
#include "guest/records.h"
#include "guest/tsc_clock.h"

void experiments_take(struct experiments *experiments, const char *line)
{
	char why[EXPERIMENTS_WHY_MAX];

	if (experiments_parse(experiments, line, why))
		return;
	/* No plan was printed yet, so the KTAP header is printed first. */
	out_printf(&console, "KTAP version 1\n");
	bail_out("%s", why);
}

void experiments_check(const struct experiments *experiments, const struct machine *machine)
{
	for (u32 i = 0; i < experiments->count; i++) {
		const struct scenario_params *params = &experiments->params[i];
		enum tsc_clock_error error = TSC_CLOCK_OK;

		records_check(params);
		if (params->clock == CLOCK_TSC)
			error = tsc_clock_check(machine, params);
		if (error)
			bail_out("%s", tsc_clock_strerror(error));
	}
}

void experiments_run(const struct experiments *experiments, const struct machine *machine,
		     struct run_io *io)
{
	struct virtual_setup setup;
	struct clock clock;

	for (u32 i = 0; i < experiments->count; i++) {
		/* A run may change its parameters, so it gets a copy. */
		struct scenario_params params = experiments->params[i];
		enum tsc_clock_error error = TSC_CLOCK_OK;

		setup = params_virtual_setup(&params);
		if (params.clock == CLOCK_VIRTUAL)
			virtual_clock_init(&clock, &setup);
		else
			error = tsc_clock_init(&clock, machine, &params);
		if (error)
			bail_out("%s", tsc_clock_strerror(error));
		records_take(&params);
		scenarios_run(&params, &clock, io);
	}
}
