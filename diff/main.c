// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tickbench-diff drives the native core and a lifted one with the same counter values and the same
 * calls, and compares all of struct tk_state after each tick: with one script, or with random ones
 * until the given number of ticks is compared.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/episode.h"
#include "diff/ops.h"
#include "diff/pair.h"
#include "diff/script.h"
#include "diff/stage.h"

#define EPISODE_OPS 40

static int print_difference(const struct op *op, const struct difference *difference)
{
	printf("DIFFER at tick %llu, counter %llu, of: ", difference->tick, difference->counter);
	op_print(stdout, op);
	printf("  %-22s %22s %22s\n%s", "field", "native", "linux", difference->text);
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

static int usage(void)
{
	fprintf(stderr,
		"usage: tickbench-diff --stage | --list\n"
		"       tickbench-diff [--flip SWITCHES] SCRIPT\n"
		"       tickbench-diff [--flip SWITCHES] [--only OPERATION] --random SEED TICKS\n"
		"Compares the native core with the lifted one after every tick. Exit status: 0 no\n"
		"difference, 1 a difference (printed, with the script that shows it), 2 cannot "
		"run.\n"
		"--stage prints which switches the lifted core has, by its behaviour.\n"
		"--list prints the operations' names. --only has random scripts of ticks and one "
		"operation.\n"
		"--flip gives the native core other switches than the lifted one has.\n");
	return 2;
}

int main(int argc, char **argv)
{
	u32 flip = 0;
	int status;

	if (!&tk_linux) {
		fprintf(stderr, "tickbench-diff: no core was lifted into this program\n");
		return 2;
	}
	if (argc > 2 && !strcmp(argv[1], "--flip")) {
		if (tk_switches_parse(argv[2], &flip))
			return usage();
		argc -= 2;
		argv += 2;
	}
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list_operations();
	if (argc > 2 && !strcmp(argv[1], "--only")) {
		if (!op_find(argv[2]))
			return usage();
		episode_only(op_find(argv[2]));
		argc -= 2;
		argv += 2;
	}
	pair_begin(flip);
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
	printf("%s{\"ticks\": %llu, \"hz\": %u, \"kernel\": \"%s\", \"differ\": %s}\n",
	       status ? "# " : "", pair_ticks(), tk_linux.identity->hz,
	       tk_linux.identity->kernel ? tk_linux.identity->kernel : "",
	       status ? "true" : "false");
	return status;
}
