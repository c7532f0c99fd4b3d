// SPDX-License-Identifier: GPL-2.0-or-later
/* From a command line to a table of experiments. */
#include "scenario/experiments.h"

bool experiments_parse(struct experiments *experiments, const char *line,
		       char why[EXPERIMENTS_WHY_MAX])
{
	const char *reason;
	char word[160];
	u32 runs;

	experiments->count = experiments->runs = 0;
	do {
		struct scenario_params *params = &experiments->params[experiments->count];
		enum params_error error;

		if (experiments->count == EXPERIMENTS_MAX) {
			str_printf(why, EXPERIMENTS_WHY_MAX,
				   "there are more than %u experiments: run fewer at once",
				   EXPERIMENTS_MAX);
			return false;
		}
		error = params_parse_line(params, &line, word, sizeof(word));
		if (error) {
			str_printf(why, EXPERIMENTS_WHY_MAX, "%s: %s", word,
				   params_strerror(error));
			return false;
		}
		runs = scenarios_count(params, &reason);
		if (!runs) {
			str_printf(why, EXPERIMENTS_WHY_MAX, "scenario=%s core=%s: %s",
				   params->scenario, params->core, reason);
			return false;
		}
		experiments->runs += runs;
		experiments->count++;
	} while (*line);
	return true;
}
