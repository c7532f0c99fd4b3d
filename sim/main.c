// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tickbench-sim: the host process. It links the same objects as the guest (cores, scenarios,
 * virtual clock) and prints the report to stdout instead of a serial port.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scenario/experiments.h"
#include "sim/sim.h"
#include "vmclock/host/descriptors.h"

#define LINE_MAX 65536

struct options {
	const char *samples;
	const char *page;
	bool json;
	bool check;	     /* parse the words, and run nothing */
	char line[LINE_MAX]; /* the name=value words, and + between experiments */
};

static void to_stdout(void *context, const char *text, size_t length)
{
	(void)context;
	fwrite(text, 1, length, stdout);
	/* Whoever watches a long run sees each line as it is printed. */
	if (length && text[length - 1] == '\n')
		fflush(stdout);
}

static const struct output out = { to_stdout, NULL };
static const struct output json_out = { to_json, NULL };

static void help(void)
{
	puts("usage: tickbench-sim [--json] [--check] [--samples FILE] [--page FILE] [NAME=VALUE "
	     "...] [+ "
	     "NAME=VALUE "
	     "...]...\n\n"
	     "Runs scenarios on the virtual clock and prints KTAP. A lone + begins another "
	     "experiment.\n\n"
	     "  --json         print one JSON object a run, on a line of its own, in place of "
	     "KTAP\n"
	     "  --check        only say whether the words are right\n"
	     "  --samples FILE write the samples to FILE, in binary\n"
	     "  --page FILE    for the scenario torn: the page that vmclock-host --stress "
	     "rewrites\n"
	     "  --list         print each scenario's description and needs, as "
	     "JSON\n\nParameters:");
	params_help(&out);
	puts("\nScenarios:");
	for (u32 i = 0; i < scenario_count; i++)
		printf("  %-11s %s%s\n", scenarios[i]->name, scenarios[i]->claim,
		       scenarios[i]->on_request ? " (only when asked for)" : "");
	puts("\nExample: tickbench-sim scenario=lock hz=250 + scenario=slew\n"
	     "Exit status: 0 all passed, 1 a claim failed, 2 could not run, 4 all skipped.");
}

static void add_word(struct options *options, const char *word)
{
	size_t used = strlen(options->line);

	if (snprintf(options->line + used, LINE_MAX - used, "%s ", word) >= (int)(LINE_MAX - used))
		cannot("the experiments are longer than %d characters", LINE_MAX);
}

static void parse(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
			help();
			exit(STATUS_PASSED);
		} else if (!strcmp(word, "--list")) {
			list_scenarios();
			exit(STATUS_PASSED);
		} else if (!strcmp(word, "--check")) {
			options->check = true;
		} else if (!strcmp(word, "--json")) {
			options->json = true;
		} else if (!strcmp(word, "--samples") || !strcmp(word, "--page")) {
			if (i + 1 == argc)
				cannot("%s needs a file", word);
			*(word[2] == 's' ? &options->samples : &options->page) = argv[++i];
		} else if (word[0] == '-') {
			cannot("%s: there is no such option; parameters are name=value, and --help "
			       "lists them",
			       word);
		} else {
			add_word(options, word);
		}
	}
}

static u64 stopwatch_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * TB_NSEC_PER_SEC + (u64)now.tv_nsec;
}

static FILE *samples_file;

static void write_samples(const struct sample_header *header, const void *entries, size_t size)
{
	if (fwrite(header, sizeof(*header), 1, samples_file) != 1 ||
	    fwrite(entries, size, header->count, samples_file) != header->count)
		cannot("the samples cannot be written: %s", strerror(errno));
}

static void ship(void *context, const struct run *run, const char *scenario, u32 number)
{
	const struct sample_header header = run_sample_header(run, scenario, number);

	u32 count, decimation;
	const struct trace_point *traces = run_traces(run, &count, &decimation);

	(void)context;
	write_samples(&header, run->stats->samples, sizeof(struct sample));
	if (traces) {
		const struct sample_header traced = run_trace_header(run, scenario, number);

		write_samples(&traced, traces, sizeof(struct trace_point));
	}
}

static void run_all(const struct experiments *experiments, const struct options *options,
		    struct run_io *io)
{
	struct virtual_setup setup;
	struct clock clock;

	for (u32 i = 0; i < experiments->count; i++) {
		setup = params_virtual_setup(&experiments->params[i]);
		virtual_clock_init(&clock, &setup);
		use_records(&experiments->params[i]);
		if (options->page)
			use_page(&clock, options->page);
		scenarios_run(&experiments->params[i], &clock, io);
	}
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct experiments experiments;
	static struct sample samples[SAMPLES_KEPT];
	static s64 scratch[SAMPLES_KEPT];
	struct stats stats;
	struct ktap ktap;
	struct run_io io = { .ktap = &ktap,
			     .stats = &stats,
			     .scratch = scratch,
			     .stopwatch_ns = stopwatch_ns,
			     .second = &second_cpu,
			     .guard = guard };
	char why[EXPERIMENTS_WHY_MAX];

	if (!descriptors_reserve())
		return STATUS_CANNOT;
	guard_init();
	parse(argc, argv, &options);
	if (!experiments_parse(&experiments, options.line, why))
		cannot("%s; --help lists what there is", why);
	if (options.check)
		return STATUS_PASSED;
	for (u32 i = 0; i < experiments.count; i++)
		if (experiments.params[i].clock == CLOCK_TSC)
			cannot("clock=tsc needs the guest: ./tickbench run");
	if (options.samples) {
		samples_file = fopen(options.samples, "wb");
		if (!samples_file)
			cannot("%s: %s", options.samples, strerror(errno));
		io.ship = ship;
	}
	stats_init(&stats, samples, SAMPLES_KEPT);
	ktap_begin(&ktap, options.json ? &json_out : &out, experiments.runs);
	run_all(&experiments, &options, &io);
	if (samples_file && fclose(samples_file))
		cannot("%s: %s", options.samples, strerror(errno));
	if (fflush(stdout) || ferror(stdout))
		cannot("the report cannot be written: %s", strerror(errno));
	if (ktap.failed[0])
		return STATUS_FAILED;
	return ktap.skipped[0] == ktap.number[0] ? STATUS_SKIPPED : STATUS_PASSED;
}
