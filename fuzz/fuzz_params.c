// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's command line: the guest's own words are removed, then each experiment is parsed.
 * Accepted values are within the ranges that --help states, and the parser always makes progress.
 */
#include "fuzz/fuzz.h"
#include "guest/provoke.h"
#include "measure/params.h"
#include "tk/tk.h"

static void check_ranges(const struct scenario_params *params)
{
	fuzz_check(memchr(params->scenario, 0, sizeof(params->scenario)) && params->scenario[0],
		   "a scenario's name ends, and is not empty");
	fuzz_check(memchr(params->core, 0, sizeof(params->core)) && params->core[0],
		   "a core's name ends, and is not empty");
	fuzz_check(!(params->switches & ~(u32)(TK_ALL | TK_MAILED)), "a switch that is none");
	fuzz_check(params->clock <= CLOCK_TSC && params->tick <= TICK_ONESHOT, "a word is none");
	fuzz_check(params->hz >= 24 && params->hz <= 10000, "hz out of range");
	fuzz_check(!params->counter_hz || (params->counter_hz >= TK_COUNTER_HZ_MIN &&
					   params->counter_hz <= TK_COUNTER_HZ_MAX),
		   "counter_hz out of range");
	fuzz_check(params->counter_bits >= 24 && params->counter_bits <= 64,
		   "counter_bits out of range");
	fuzz_check(params->rate_ppt >= -500000000 && params->rate_ppt <= 500000000,
		   "rate_ppm out of range");
	fuzz_check(params->duration_ms <= 1000000000, "duration out of range");
	fuzz_check(params->offset_ns >= -400000000 && params->offset_ns <= 400000000,
		   "offset_ns out of range");
	fuzz_check(params->late_ns <= 1000000000 && params->step_ns <= 500000000,
		   "late_ns or step_ns out of range");
}

static void parse(const char *line)
{
	const char *end = line + strlen(line), *before;
	struct scenario_params params;
	enum params_error error;
	char word[64];

	do {
		before = line;
		memset(word, 0xa5, sizeof(word));
		error = params_parse_line(&params, &line, word, sizeof(word));
		fuzz_check(line <= end, "the parser ran past the line");
		if (error) {
			fuzz_check(memchr(word, 0, sizeof(word)), "the wrong word has no end");
			fuzz_check(params_strerror(error)[0], "an error has a sentence");
			return;
		}
		check_ranges(&params);
		fuzz_check(line > before || !*line, "the parser stands still");
	} while (*line);
}

int LLVMFuzzerTestOneInput(const u8 *bytes, size_t size)
{
	char *line = malloc(size + 1);
	struct provocation words;

	if (!line)
		abort();
	if (size)
		memcpy(line, bytes, size);
	line[size] = '\0';
	parse(line);
	provoke_take(&words, line);
	fuzz_check(memchr(words.fault, 0, sizeof(words.fault)), "a fault's name has no end");
	fuzz_check(!strstr(line, " fault=") && !strstr(line, " hang="), "a word was left in");
	parse(line);
	free(line);
	return 0;
}
