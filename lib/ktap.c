// SPDX-License-Identifier: GPL-2.0-or-later
/* KTAP version 1, two levels deep. */
#include "lib/ktap.h"

static void indent(const struct ktap *ktap)
{
	if (ktap->depth)
		out_printf(ktap->out, "    ");
}

void ktap_begin(struct ktap *ktap, const struct output *out, u32 plan)
{
	*ktap = (struct ktap){ .out = out };
	out_printf(out, "KTAP version 1\n1..%u\n", plan);
}

void ktap_subtest_begin(struct ktap *ktap, const char *name)
{
	ktap->depth = 1;
	ktap->number[1] = ktap->failed[1] = ktap->skipped[1] = 0;
	out_printf(ktap->out, "    KTAP version 1\n    # Subtest: %s\n", name);
}

static void line(struct ktap *ktap, bool ok, const char *sentence, const char *directive,
		 const char *reason)
{
	indent(ktap);
	out_printf(ktap->out, "%s %u %s", ok ? "ok" : "not ok", ++ktap->number[ktap->depth],
		   sentence);
	if (directive)
		out_printf(ktap->out, " # %s %s", directive, reason);
	out_printf(ktap->out, "\n");
}

void ktap_subtest_end(struct ktap *ktap, const char *name)
{
	bool all_skipped = ktap->number[1] && ktap->skipped[1] == ktap->number[1];

	out_printf(ktap->out, "    1..%u\n", ktap->number[1]);
	ktap->depth = 0;
	ktap->failed[0] += ktap->failed[1] != 0;
	ktap->skipped[0] += all_skipped;
	line(ktap, !ktap->failed[1], name, all_skipped ? "SKIP" : NULL, "see its lines");
}

bool ktap_report(struct ktap *ktap, bool ok, const char *sentence)
{
	ktap->failed[ktap->depth] += !ok;
	line(ktap, ok, sentence, NULL, NULL);
	return ok;
}

void ktap_skip(struct ktap *ktap, const char *sentence, const char *reason)
{
	ktap->skipped[ktap->depth]++;
	line(ktap, true, sentence, "SKIP", reason);
}

void ktap_todo(struct ktap *ktap, const char *sentence, const char *reason)
{
	line(ktap, false, sentence, "TODO", reason);
}

void ktap_metric(struct ktap *ktap, const char *name, s128 value, u32 scale, u32 digits,
		 const char *unit)
{
	indent(ktap);
	out_printf(ktap->out, "# metric %s ", name);
	out_decimal(ktap->out, value, scale, digits);
	out_printf(ktap->out, " %s\n", unit);
}

void ktap_param(struct ktap *ktap, const char *name, const char *value)
{
	indent(ktap);
	out_printf(ktap->out, "# param %s %s\n", name, value);
}

void ktap_note(struct ktap *ktap, const char *format, ...)
{
	va_list args;

	indent(ktap);
	out_printf(ktap->out, "# ");
	va_start(args, format);
	out_vprintf(ktap->out, format, args);
	va_end(args);
	out_printf(ktap->out, "\n");
}
