/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the host process. */
#ifndef TB_SIM_SIM_H
#define TB_SIM_SIM_H

#include "scenario/scenario.h"

enum status {
	STATUS_PASSED = 0,
	STATUS_FAILED = 1,
	STATUS_CANNOT = 2,
	STATUS_SKIPPED = 4,
};

/* cannot.c: prints a sentence on stderr and ends with STATUS_CANNOT. */
void cannot(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* guard.c: guard() of struct run_io. guard_init() installs the signal handlers, once. */
bool guard(void (*body)(struct run *run), struct run *run, const char **why);
void guard_init(void);

/* page.c: maps a file as this clock's page. Ends the process if the file cannot be a page. */
void use_page(struct clock *clock, const char *path);

/* record.c: reads the files that params name. Ends the process with words if one is no record. */
void use_records(const struct scenario_params *params);

/* json.c: a struct output's function: takes KTAP, and prints one JSON object a run on stdout. */
void to_json(void *context, const char *text, size_t length);

/* second.c: a thread, where there is more than one CPU. */
extern const struct second_cpu second_cpu;

/* list.c: every scenario as a JSON document on stdout, for the runner. */
void list_scenarios(void);

#endif
