// SPDX-License-Identifier: GPL-2.0-or-later
/* Prints the lifted cores' switches as JSON, and warnings about them. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "diff/pair.h"
#include "diff/stage.h"

#define CPU_SECONDS 20 /* a tick takes some microseconds */

const char *stage_names(u32 switches, char text[STAGE_NAMES])
{
	size_t at = 0;

	snprintf(text, STAGE_NAMES, "none");
	for (u32 bit = 1; bit <= TK_REMAINDER_V2; bit <<= 1)
		if (switches & bit)
			at += (size_t)snprintf(text + at, STAGE_NAMES - at, "%s%s", at ? "," : "",
					       tk_switch_name(bit));
	return text;
}

/*
 * What a tick does while cycle_interval is 0. It may crash or never end, so it runs in a child, and
 * a limit on the CPU time ends it.
 */
static const char *stopped_tick(const struct tk_ops *tk)
{
	static const char *const words[] = {
		[TK_STOP_PASSES] = "is skipped",
		[TK_STOP_ENDLESS] = "does not end",
		[TK_STOP_LOSES] = "loses time",
		[TK_STOP_REFUSED] = "cannot be tried",
	};
	const struct itimerval limit = { .it_value.tv_sec = CPU_SECONDS };
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		setitimer(ITIMER_VIRTUAL, &limit, NULL);
		_exit((int)tk_stage_stop(tk, tk->identity->hz, 0));
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return "cannot be tried";
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGFPE)
		return "divides by zero";
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGVTALRM)
		return "does not end";
	if (!WIFEXITED(status) || WEXITSTATUS(status) > TK_STOP_REFUSED)
		return "crashes";
	return words[WEXITSTATUS(status)];
}

static void print_one(int core)
{
	const struct tk_identity *identity = pair_core(core)->identity;
	const struct tk_stage *stage = pair_stage(core);
	char text[STAGE_NAMES];

	printf("{\"kernel\": \"%s\", ", identity->kernel ? identity->kernel : "");
	printf("\"switches\": \"%s\", ", stage_names(stage->switches, text));
	printf("\"unknown\": \"%s\", ", stage_names(stage->unknown, text));
	printf("\"source\": \"%s\", ", stage_names(identity->switches, text));
	printf("\"release\": \"%s\", ", stage_names(identity->release, text));
	printf("\"missing\": \"%s\", ", stage_names(identity->release & ~stage->switches, text));
	printf("\"stopped_tick\": \"%s\"}\n", stopped_tick(pair_core(core)));
}

void stage_print(void)
{
	for (int i = 0; i < CORES; i++)
		if (!pair_is_native(i))
			print_one(i);
}

static void warn_of(int core)
{
	const struct tk_identity *identity = pair_core(core)->identity;
	const struct tk_stage *stage = pair_stage(core);
	u32 told = TK_STAGE_TOLD & ~stage->unknown;
	u32 missing = identity->release & ~stage->switches;
	char found[STAGE_NAMES], said[STAGE_NAMES];

	if ((identity->switches ^ stage->switches) & told)
		fprintf(stderr,
			"tickbench-diff: by its behaviour this core has: %s; its source seems to "
			"have: "
			"%s\n",
			stage_names(stage->switches & told, found),
			stage_names(identity->switches & told, said));
	if (stage->unknown)
		fprintf(stderr,
			"tickbench-diff: this core behaves neither like one with %s nor like "
			"one without\n",
			stage_names(stage->unknown, found));
	if (missing)
		fprintf(stderr,
			"tickbench-diff: linux %s has %s in its release; this tree does not\n",
			identity->kernel ? identity->kernel : "", stage_names(missing, found));
}

void stage_warn(void)
{
	for (int i = 0; i < CORES; i++)
		if (!pair_is_native(i))
			warn_of(i);
}
