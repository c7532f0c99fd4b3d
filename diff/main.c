// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tickbench-diff drives two cores, A and B, with the same counter values and the same calls, and
 * compares all of struct tk_state after each tick: with one script, or with random ones until the
 * given number of ticks is compared.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/episode.h"
#include "diff/ops.h"
#include "diff/pair.h"
#include "diff/readings.h"
#include "diff/script.h"
#include "diff/stage.h"
#include "diff/undefined.h"

#define EPISODE_OPS 40

/* Of a column: what the core is, or which, if both are the same. */
static const char *title(int core)
{
	static const char *const letters[CORES] = { "A", "B" };

	return pair_is_native(CORE_A) != pair_is_native(CORE_B) ? pair_core(core)->identity->core
								: letters[core];
}

#define TRACES 3

/*
 * The three traces of a core, ns * 2^32: told time, that with ntp_error, and that with the phase
 * and adjtime that are still due.
 */
static void traces_of(int core, s128 traces[TRACES])
{
	struct tk_state state;

	pair_core(core)->state(&state);
	traces[0] = tk_state_told(&state);
	traces[1] = traces[0] + state.ntp_error;
	traces[2] = traces[1] + tk_state_slewed(&state, pair_hz());
}

/* How far core B's traces are from core A's. */
static void print_traces(void)
{
	static const char *const names[TRACES] = { "told", "intended", "going" };
	s128 traces[CORES][TRACES];

	if (!pair_started())
		return;
	for (int core = 0; core < CORES; core++)
		traces_of(core, traces[core]);
	printf("traces, %s less %s, ns:", title(CORE_B), title(CORE_A));
	for (int i = 0; i < TRACES; i++)
		printf("%s %s %+.9f", i ? "," : "", names[i],
		       (double)(traces[CORE_B][i] - traces[CORE_A][i]) / 4294967296.0);
	putchar('\n');
}

static int print_difference(const struct op *op, const struct difference *difference)
{
	printf("DIFFER at tick %llu, counter %llu, of: ", difference->tick, difference->counter);
	op_print(stdout, op);
	printf("  %-22s %22s %22s\n%s", "field", title(CORE_A), title(CORE_B), difference->text);
	print_traces();
	return 1;
}

static int run_script(const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "r") : stdin;
	struct difference difference;
	char line[256];
	int number = 0;
	bool started = false;

	if (!file) {
		fprintf(stderr, "tickbench-diff: %s: %s\n", path, strerror(errno));
		return 2;
	}
	while (fgets(line, sizeof(line), file)) {
		struct op op;

		number++;
		if (!op_parse(line, &op) || (op.kind && !op_is_init(&op) && !started)) {
			fprintf(stderr, "tickbench-diff: %s:%d: %s: %s", path, number,
				started ? "not an operation" : "a script begins with init", line);
			return 2;
		}
		started |= op_is_init(&op);
		if (!op_run(&op, &difference)) {
			printf("%s:%d: ", path, number);
			return print_difference(&op, &difference);
		}
	}
	if (file != stdin)
		fclose(file);
	return 0;
}

/* Episodes of random operations; one that differs is printed as a script. */
static int run_random(u64 seed, u64 ticks)
{
	static struct op episode[EPISODE_OPS];
	struct difference difference;
	u64 random = seed * 0x9e3779b97f4a7c15ULL + 1;

	while (pair_ticks() < ticks) {
		const struct theme *theme = NULL;

		for (int i = 0; i < EPISODE_OPS; i++) {
			episode[i] = episode_next(&random, &theme);
			if (op_run(&episode[i], &difference))
				continue;
			for (int j = 0; j <= i; j++)
				op_print(stdout, &episode[j]);
			printf("# ");
			return print_difference(&episode[i], &difference);
		}
	}
	return 0;
}

static int list_operations(void)
{
	for (u32 i = 0; op_at(i); i++)
		puts(op_at(i)->name);
	return 0;
}

/* The last line: what was compared, as JSON. */
static void print_summary(int status)
{
	const char *kernel = pair_core(CORE_B)->identity->kernel;
	const u32 left_out = pair_left_out();

	printf("%s{\"ticks\": %llu, \"hz\": %u, \"kernel\": \"%s\", \"differ\": %s, "
	       "\"fields\": %u, \"readings\": %u, \"left_out\": [%s%s%s], \"lacks\": \"%s\", ",
	       status ? "# " : "", pair_ticks(), pair_hz(), kernel ? kernel : "",
	       status ? "true" : "false", compare_fields(left_out), readings_compared(),
	       left_out & TK_LACKS_SKEW_DELTA ? "\"skew_delta\"" : "",
	       left_out == (TK_LACKS_SKEW_DELTA | TK_LACKS_TIME_ADJUST_FRAC) ? ", " : "",
	       left_out & TK_LACKS_TIME_ADJUST_FRAC ? "\"time_adjust_frac\"" : "",
	       pair_lacks(CORE_A) & left_out ? "a" : "b");
	printf("\"undefined\": ");
	undefined_print(stdout);
	printf(", ");
	for (int i = 0; i < CORES; i++) {
		char text[STAGE_NAMES];

		printf("\"switches_%c\": \"%s\", \"only_%c\": ", 'a' + i,
		       stage_names(pair_stage(i)->switches, text), 'a' + i);
		readings_print_only(stdout, i);
		printf("%s", i == CORE_A ? ", " : "}\n");
	}
}

static int usage(void)
{
	fprintf(stderr,
		"usage: tickbench-diff [OPTION...] --stage | --list\n"
		"       tickbench-diff [OPTION...] SCRIPT\n"
		"       tickbench-diff [OPTION...] --random SEED TICKS\n"
		"Compares core A with core B after every tick. Exit status: 0 no difference, 1 a\n"
		"difference (printed, with the script that shows it), 2 cannot run.\n"
		"--stage prints which switches the lifted cores have, by their behaviour.\n"
		"--list prints the operations' names. --only OPERATION has random scripts of "
		"ticks\n"
		"and this operation.\n"
		"--switches-a, --switches-b SWITCHES: of a native core. Without, it has those of\n"
		"the lifted core beside it, or all.\n"
		"--flip SWITCHES inverts these in a native core without switches of its own.\n"
		"--hz HZ: of two native cores (default 1000).\n");
	return 2;
}

/* Takes the options with a value from the front of the arguments; false: one is wrong. */
static bool take_options(int *argc, char ***argv, struct pair_options *options)
{
	static const char *const names[CORES] = { "--switches-a", "--switches-b" };

	for (; *argc > 2; *argc -= 2, *argv += 2) {
		const char *name = (*argv)[1], *value = (*argv)[2];
		int core = !strcmp(name, names[CORE_B]);

		if (!strcmp(name, names[core])) {
			options->given[core] = true;
			if (tk_switches_parse(value, &options->switches[core]))
				return false;
		} else if (!strcmp(name, "--flip")) {
			if (tk_switches_parse(value, &options->flip))
				return false;
		} else if (!strcmp(name, "--only")) {
			if (!op_find(value))
				return false;
			episode_only(op_find(value));
		} else if (!strcmp(name, "--hz")) {
			options->hz = (u32)strtoul(value, NULL, 0);
		} else {
			break;
		}
	}
	return true;
}

int main(int argc, char **argv)
{
	struct pair_options options = { .hz = 1000 };
	int status;

	if (!take_options(&argc, &argv, &options))
		return usage();
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_operations();
	if (pair_begin(&options)) {
		fprintf(stderr, "tickbench-diff: the cores were built for different HZ\n");
		return 2;
	}
	if (argc == 2 && !strcmp(argv[1], "--stage")) {
		stage_print();
		return 0;
	}
	stage_warn();
	if (argc == 4 && !strcmp(argv[1], "--random"))
		status = run_random(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
	else if (argc == 2 && argv[1][0] != '\0' && strcmp(argv[1], "--help"))
		status = run_script(argv[1]);
	else
		return usage();
	if (status != 2)
		print_summary(status);
	return status;
}
