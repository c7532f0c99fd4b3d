// SPDX-License-Identifier: GPL-2.0-or-later
/* From the command line to one run after another. Assumes that the console is up. */
#include "guest/experiments.h"
#include "guest/console.h"
#include "guest/tsc_clock.h"

/* Refuses before a plan could be printed: the header is still owed. */
#define refuse(...)                                       \
	do {                                              \
		out_printf(&console, "KTAP version 1\n"); \
		bail_out(__VA_ARGS__);                    \
	} while (0)

void experiments_parse(struct experiments *experiments, const char *line)
{
	const char *why;
	char word[64];
	u32 runs;

	experiments->count = experiments->runs = 0;
	do {
		struct scenario_params *params = &experiments->params[experiments->count];
		enum params_error error;

		if (experiments->count == EXPERIMENTS_MAX)
			refuse("there are more than %u experiments: run fewer at once",
			       EXPERIMENTS_MAX);
		error = params_parse_line(params, &line, word, sizeof(word));
		if (error)
			refuse("%s: %s", word, params_strerror(error));
		runs = scenarios_count(params, &why);
		if (!runs)
			refuse("scenario=%s core=%s: %s", params->scenario, params->core, why);
		experiments->runs += runs;
		experiments->count++;
	} while (*line);
}

void experiments_check(const struct experiments *experiments, const struct machine *machine)
{
	for (u32 i = 0; i < experiments->count; i++) {
		const struct scenario_params *params = &experiments->params[i];
		enum tsc_clock_error error = TSC_CLOCK_OK;

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
		/* A run may change its parameters; those of the table stay. */
		struct scenario_params params = experiments->params[i];
		enum tsc_clock_error error = TSC_CLOCK_OK;

		setup = params_virtual_setup(&params);
		if (params.clock == CLOCK_VIRTUAL)
			virtual_clock_init(&clock, &setup);
		else
			error = tsc_clock_init(&clock, machine, &params);
		if (error)
			bail_out("%s", tsc_clock_strerror(error));
		scenarios_run(&params, &clock, io);
	}
}
