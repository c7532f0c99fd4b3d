// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tickbench-sim: the host process. The same core, scenarios and virtual clock as the guest, linked
 * from the same objects, with stdout for a serial port.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "lib/samples.h"
#include "scenario/scenario.h"
#include "sim/sim.h"
#include "vmclock/host/descriptors.h"

#define GROUPS_MAX 64

enum status {
	STATUS_PASSED = 0,
	STATUS_FAILED = 1,
	STATUS_CANNOT = 2,
	STATUS_SKIPPED = 4,
};

struct options {
	bool json;
	const char *samples;
	const char *page;
	struct scenario_params groups[GROUPS_MAX];
	u32 group_count;
};

static void to_stdout(void *context, const char *text, size_t length)
{
	(void)context;
	fwrite(text, 1, length, stdout);
}

static const struct output out = { to_stdout, NULL };

static void __attribute__((noreturn, format(printf, 1, 2))) cannot(const char *format, ...)
{
	va_list args;

	fputs("tickbench-sim: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(STATUS_CANNOT);
}

static void help(void)
{
	puts("usage: tickbench-sim [--PARAMETER VALUE]... [--json] [--samples FILE] [--page FILE]\n"
	     "                     [-- [--PARAMETER VALUE]...]...\n\n"
	     "Runs scenarios on the virtual clock and prints KTAP. A lone -- starts another "
	     "experiment.\n\n"
	     "  --json         print the report document (docs/report.md) instead\n"
	     "  --samples FILE write the samples there, in binary\n"
	     "  --page FILE    for the scenario torn: the page that vmclock-host --stress "
	     "rewrites\n"
	     "  --seconds S    the same as --duration\n\nParameters:");
	params_help(&out);
	puts("\nScenarios:");
	for (u32 i = 0; i < scenario_count; i++)
		printf("  %-9s %s%s\n", scenarios[i]->name, scenarios[i]->claim,
		       scenarios[i]->on_request ? " (only when asked for)" : "");
	puts("\nExit status: 0 all passed, 1 a claim failed, 2 could not run, 4 all skipped.");
}

/* --counter-hz becomes counter_hz. */
static void parameter_name(const char *option, char *name, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size && option[i]; i++)
		name[i] = option[i] == '-' ? '_' : option[i];
	name[i] = '\0';
	if (!strcmp(name, "seconds"))
		snprintf(name, size, "duration");
}

static void parse(int argc, char **argv, struct options *options)
{
	struct scenario_params *params = &options->groups[0];

	options->group_count = 1;
	params_defaults(params);
	for (int i = 1; i < argc; i++) {
		const char *option = argv[i];
		const char *value;
		enum params_error error;
		char name[64];

		if (!strcmp(option, "--help") || !strcmp(option, "-h")) {
			help();
			exit(STATUS_PASSED);
		}
		if (!strcmp(option, "--")) {
			if (options->group_count == GROUPS_MAX)
				cannot("more than %d experiments", GROUPS_MAX);
			params = &options->groups[options->group_count++];
			params_defaults(params);
			continue;
		}
		if (!strcmp(option, "--json")) {
			options->json = true;
			continue;
		}
		value = i + 1 < argc ? argv[i + 1] : NULL;
		if (!strcmp(option, "--samples") || !strcmp(option, "--page")) {
			if (!value)
				cannot("%s needs a file", option);
			*(option[2] == 's' ? &options->samples : &options->page) = value;
			i++;
			continue;
		}
		if (strncmp(option, "--", 2))
			cannot("what is \"%s\"? Options start with --; --help lists them", option);
		parameter_name(option + 2, name, sizeof(name));
		if (!strcmp(name, "tickless") && (!value || !strncmp(value, "--", 2)))
			value = "1";
		else if (!value)
			cannot("%s needs a value", option);
		else
			i++;
		error = params_set(params, name, value);
		if (error)
			cannot("%s %s: %s; --help lists them", option, value,
			       params_strerror(error));
	}
}

static u64 stopwatch_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * TB_NSEC_PER_SEC + (u64)now.tv_nsec;
}

#define WATCH_SEC 2 /* of CPU time, so that a busy machine is no hang */

static struct {
	sigjmp_buf landing;
	struct run *run; /* NULL: nothing is watched */
	u64 progress;
	bool still; /* already at the last look */
} watched;

enum landed {
	RAN,
	DIVIDED_BY_ZERO,
	DID_NOT_END
};

static void on_divide(int signal)
{
	(void)signal;
	if (watched.run)
		siglongjmp(watched.landing, DIVIDED_BY_ZERO);
	_exit(STATUS_CANNOT);
}

/* No tick and no reading since two looks: a loop without end. */
static void on_watch(int signal)
{
	u64 progress;

	(void)signal;
	if (!watched.run)
		return;
	progress = watched.run->ticker.progress;
	if (progress == watched.progress && watched.still)
		siglongjmp(watched.landing, DID_NOT_END);
	watched.still = progress == watched.progress;
	watched.progress = progress;
}

static void watch(struct run *run)
{
	struct itimerval every = { { run ? WATCH_SEC : 0, 0 }, { run ? WATCH_SEC : 0, 0 } };

	watched.run = run;
	watched.still = false;
	setitimer(ITIMER_VIRTUAL, &every, NULL);
}

static bool guard(void (*body)(struct run *run), struct run *run, const char **why)
{
	enum landed landed = (enum landed)sigsetjmp(watched.landing, 1);

	if (landed == RAN) {
		watch(run);
		body(run);
	}
	watch(NULL);
	*why = landed == DIVIDED_BY_ZERO ? "a tick divided by zero"
					 : "a tick or a reading does not end: it was given up";
	return landed == RAN;
}

static FILE *samples_file;

static void ship(void *context, const struct run *run, const char *scenario, u32 number)
{
	struct sample_header header = {
		.run = number,
		.count = run->stats->kept,
		.decimation = run->stats->decimation,
		.counter_hz = run->clock->counter.hz,
		.start_counter = run->start,
	};

	(void)context;
	memcpy(header.magic, SAMPLE_MAGIC, sizeof(header.magic));
	strncpy(header.scenario, scenario, sizeof(header.scenario) - 1);
	if (fwrite(&header, sizeof(header), 1, samples_file) != 1 ||
	    fwrite(run->stats->samples, sizeof(struct sample), header.count, samples_file) !=
		    header.count)
		cannot("the samples cannot be written: %s", strerror(errno));
}

/* Somebody cut the page's file short: the report ends in mid-run. */
static void page_cut(int number)
{
	static const char text[] =
		"tickbench-sim: the page's file was cut short while it was read\n";

	(void)number;
	/* Whether it was heard changes nothing. */
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(STATUS_CANNOT);
	_exit(STATUS_CANNOT);
}

/* A page that somebody else writes, in place of the virtual clock's own. */
static void use_page(struct clock *clock, const char *path)
{
	struct sigaction cut = { .sa_handler = page_cut };
	struct stat status;
	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	void *page;

	if (fd < 0 || fstat(fd, &status))
		cannot("%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		cannot("%s is not a regular file", path);
	if (status.st_size < (off_t)sizeof(struct vmclock_abi))
		cannot("%s is too short for a vmclock page: %lld bytes", path,
		       (long long)status.st_size);
	page = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		cannot("%s cannot be mapped: %s", path, strerror(errno));
	close(fd);
	clock->page = page;
	clock->page_mapped = (u64)status.st_size;
	clock->page_is_ours = false;
	clock->reset = NULL;
	sigaction(SIGBUS, &cut, NULL);
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct sample samples[SAMPLES_KEPT];
	static s64 scratch[SAMPLES_KEPT];
	struct virtual_setup setup;
	struct clock clock;
	struct stats stats;
	struct ktap ktap;
	struct run_io io = { .ktap = &ktap,
			     .stats = &stats,
			     .scratch = scratch,
			     .stopwatch_ns = stopwatch_ns,
			     .guard = guard };
	const struct output *to = &out;
	const char *why;
	u32 plan = 0;

	if (!descriptors_reserve())
		return STATUS_CANNOT;
	signal(SIGFPE, on_divide);
	signal(SIGVTALRM, on_watch);
	parse(argc, argv, &options);
	for (u32 i = 0; i < options.group_count; i++) {
		const struct scenario_params *params = &options.groups[i];

		if (params->clock == CLOCK_TSC)
			cannot("clock=tsc needs the guest: run-qemu.sh");
		plan += scenarios_count(params, &why);
		if (why)
			cannot("scenario=%s core=%s: %s", params->scenario, params->core, why);
	}
	if (options.samples) {
		samples_file = fopen(options.samples, "wb");
		if (!samples_file)
			cannot("%s: %s", options.samples, strerror(errno));
		io.ship = ship;
	}
	if (options.json)
		to = json_begin(&out, options.samples);
	stats_init(&stats, samples, SAMPLES_KEPT);
	ktap_begin(&ktap, to, plan);
	for (u32 i = 0; i < options.group_count; i++) {
		setup = params_virtual_setup(&options.groups[i]);
		virtual_clock_init(&clock, &setup);
		if (options.page)
			use_page(&clock, options.page);
		scenarios_run(&options.groups[i], &clock, &io);
	}
	if (options.json)
		json_end();
	if (samples_file && fclose(samples_file))
		cannot("%s: %s", options.samples, strerror(errno));
	if (fflush(stdout) || ferror(stdout))
		cannot("the report cannot be written: %s", strerror(errno));
	if (ktap.failed[0])
		return STATUS_FAILED;
	return ktap.skipped[0] == ktap.number[0] ? STATUS_SKIPPED : STATUS_PASSED;
}
