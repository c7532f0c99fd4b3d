// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A claim of every run of a lifted core: it has the switches that its release has, or those that
 * the user expects. Without this claim, a tree that lost a switch would be measured as if it had
 * never had it.
 */
#include "lib/string.h"
#include "measure/measure.h"
#include "tk/stage.h"

#define NAMES_SIZE 128

static struct {
	const struct tk_ops *tk; /* a subset of the release's switches */
	struct tk_stage stage;
} known;

u32 run_stage_switches(const struct tk_ops *tk)
{
	const struct tk_identity *identity = tk->identity;
	u32 told;

	if (known.tk != tk) {
		tk_stage(tk, identity->hz, identity->switches, &known.stage);
		known.tk = tk;
	}
	told = TK_STAGE_TOLD & ~known.stage.unknown;
	return (identity->switches & ~told) | known.stage.switches;
}

bool run_expect_valid(const struct scenario_params *params)
{
	u32 switches;

	return !strcmp(params->expect, "release") || !strcmp(params->expect, "any") ||
	       !tk_switches_parse(params->expect, &switches);
}

static const char *names(u32 switches, char text[NAMES_SIZE])
{
	size_t at = 0;

	str_copy(text, NAMES_SIZE, "none");
	for (u32 bit = 1; bit <= TK_REMAINDER_V2; bit <<= 1)
		if (switches & bit)
			at += str_printf(text + at, NAMES_SIZE - at, "%s%s", at ? "," : "",
					 tk_switch_name(bit));
	return text;
}

/*
 * Notes where the source contradicts the core's behaviour, and switches whose behaviour is neither
 * that of a core with nor without it.
 */
static void note_doubts(struct run *run, const struct tk_identity *identity)
{
	u32 told = TK_STAGE_TOLD & ~known.stage.unknown;
	char does[NAMES_SIZE], says[NAMES_SIZE];

	if ((identity->switches ^ known.stage.switches) & told)
		ktap_note(run->ktap,
			  "by its behaviour this core has: %s; its source seems to have: %s",
			  names(known.stage.switches & told, does),
			  names(identity->switches & told, says));
	if (known.stage.unknown)
		ktap_note(run->ktap,
			  "this core behaves neither like one with %s nor like one without",
			  names(known.stage.unknown, does));
}

void run_claim_stage(struct run *run)
{
	const struct tk_identity *identity = run->tk->identity;
	const char *expect = run->params->expect;
	char text[NAMES_SIZE];
	u32 missing, wanted;

	note_doubts(run, identity);
	if (!strcmp(expect, "any"))
		return;
	if (!strcmp(expect, "release")) {
		if (!identity->release)
			return; /* this release is not known */
		missing = identity->release & ~known.stage.switches;
		if (missing)
			ktap_note(run->ktap,
				  "linux %s has %s in its release; this tree does not (expect= "
				  "names the switches that it is to have)",
				  identity->kernel, names(missing, text));
		ktap_report(run->ktap, !missing, "the core has the switches that its release has");
		return;
	}
	tk_switches_parse(expect, &wanted);
	wanted = (wanted ^ known.stage.switches) & TK_STAGE_TOLD;
	if (wanted)
		ktap_note(run->ktap, "not as expected: %s; the core has: %s", names(wanted, text),
			  names(known.stage.switches, (char[NAMES_SIZE]){ 0 }));
	ktap_report(run->ktap, !wanted, "the core has the switches that are expected of it");
}
