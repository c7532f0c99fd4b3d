// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the scenarios that an experiment names, one after the other, each as a KTAP subtest. */
#include "lib/string.h"
#include "measure/disruption.h"
#include "scenario/scenario.h"

/*
 * A tick that divides by zero or never returns fails the claim that depends on it; the next run
 * starts with a new core.
 */
static void run_guarded(const struct scenario *scenario, struct run *run, struct run_io *io)
{
	const char *why;

	if (!io->guard || !run->clock->is_virtual) {
		scenario->run(run);
		return;
	}
	if (io->guard(scenario->run, run, &why))
		return;
	run->sampling = false;
	run_metrics(run);
	ktap_note(run->ktap, "%s", why);
	run_claim(run, false, run->at_stake ? run->at_stake : "every tick ends",
		  run->at_stake_rests_on);
}

static void run_one(const struct scenario *scenario, const struct scenario_params *given,
		    const struct tk_ops *tk, struct clock *clock, struct run_io *io)
{
	struct scenario_params params = *given;
	struct run run = {
		.params = &params,
		.tk = tk,
		.clock = clock,
		.ktap = io->ktap,
		.stats = io->stats,
		.scratch = io->scratch,
		.stopwatch_ns = io->stopwatch_ns,
		.second = io->second,
		.switches = tk == &tk_native ? params.switches : run_stage_switches(tk),
	};
	enum clock_kind kind = clock->is_virtual ? CLOCK_VIRTUAL : CLOCK_TSC;

	if (clock->reset)
		clock->reset(clock);
	if (!params.duration_ms)
		params.duration_ms = scenario->duration_ms[kind];
	stats_reset(io->stats);
	disruptions_reset();
	ktap_subtest_begin(io->ktap, scenario->name);
	run_params(&run, scenario->name, params.duration_ms, io->run);
	if (scenario->needs.virtual_clock && !clock->is_virtual) {
		ktap_skip(io->ktap, scenario->claim, "needs clock=virtual");
	} else if (scenario->needs.page && !run_read_page(&run)) {
		ktap_skip(io->ktap, scenario->claim, vmclock_strerror(run.line_error));
	} else if (scenario->needs.page && !run_page_time_fits(&run)) {
		ktap_skip(io->ktap, scenario->claim,
			  "the page's time is not one that a core can hold: 1970 to 2232");
	} else {
		run.refusals = 0;
		run_guarded(scenario, &run, io);
		if (tk != &tk_native)
			run_claim_stage(&run);
		if (io->ship && params.samples)
			io->ship(io->context, &run, scenario->name, io->run);
	}
	ktap_subtest_end(io->ktap, scenario->name);
	io->run++;
}

static const struct tk_ops *core_find(const char *name)
{
	if (!strcmp(name, "native"))
		return &tk_native;
	if (!strcmp(name, "linux") && &tk_linux)
		return &tk_linux;
	return NULL;
}

/* The next name of a comma-separated list into `name`; false at the end. */
static bool next_name(const char **list, char *name, size_t size)
{
	size_t length = 0;

	if (!**list)
		return false;
	while ((*list)[length] && (*list)[length] != ',')
		length++;
	str_copy(name, length + 1 < size ? length + 1 : size, *list);
	*list += length + ((*list)[length] == ',');
	return true;
}

u32 scenarios_count(const struct scenario_params *params, const char **why)
{
	const char *list = params->scenario;
	char name[32];
	u32 count = 0;

	*why = NULL;
	if (!run_expect_valid(params)) {
		*why = "expect= is neither release, any, nor names of switches";
		return 0;
	}
	if (!core_find(params->core)) {
		*why = "there is no such core in this image: native, or linux where one was lifted";
		return 0;
	}
	if (!params_counter_wide_enough(params)) {
		*why = "the counter wraps too soon for such ticks: more counter_bits, a lower "
		       "counter_hz, a higher hz, or a lower late_ns";
		return 0;
	}
	if (!strcmp(list, "all")) {
		for (u32 i = 0; i < scenario_count; i++)
			count += !scenarios[i]->on_request;
		return count;
	}
	while (next_name(&list, name, sizeof(name))) {
		if (!scenario_find(name)) {
			*why = "there is no such scenario";
			return 0;
		}
		count++;
	}
	if (!count)
		*why = "there is no such scenario";
	return count;
}

void scenarios_run(const struct scenario_params *params, struct clock *clock, struct run_io *io)
{
	const struct tk_ops *tk = core_find(params->core);
	const char *list = params->scenario;
	char name[32];

	if (!strcmp(list, "all")) {
		for (u32 i = 0; i < scenario_count; i++)
			if (!scenarios[i]->on_request)
				run_one(scenarios[i], params, tk, clock, io);
		return;
	}
	while (next_name(&list, name, sizeof(name)))
		run_one(scenario_find(name), params, tk, clock, io);
}
