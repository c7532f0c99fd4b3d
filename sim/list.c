// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints each struct scenario as a JSON object, in the order in which they run, for the runner and
 * the tests. No string here needs an escape.
 */
#include <stdio.h>

#include "sim/sim.h"

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

static void list_one(const struct scenario *scenario)
{
	const struct scenario_needs *needs = &scenario->needs;

	printf("  {\"name\": \"%s\", \"claim\": \"%s\", \"default\": %s,\n", scenario->name,
	       scenario->claim, boolean(!scenario->on_request));
	printf("   \"needs\": {\"page\": %s, \"virtual_clock\": %s, \"notification\": %s, "
	       "\"memory_mib\": %u, "
	       "\"cpus\": %u, \"cpu_flags\": \"%s\"},\n",
	       boolean(needs->page), boolean(needs->virtual_clock), boolean(needs->notification),
	       needs->memory_mib ? needs->memory_mib : SCENARIO_MEMORY_MIB,
	       needs->cpus ? needs->cpus : 1, needs->cpu_flags ? needs->cpu_flags : "");
	printf("   \"duration_ms\": {\"virtual\": %llu, \"tsc\": %llu}}",
	       scenario->duration_ms[CLOCK_VIRTUAL], scenario->duration_ms[CLOCK_TSC]);
}

void list_scenarios(void)
{
	puts("[");
	for (u32 i = 0; i < scenario_count; i++) {
		list_one(scenarios[i]);
		puts(i + 1 < scenario_count ? "," : "");
	}
	puts("]");
}
