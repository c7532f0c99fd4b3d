// SPDX-License-Identifier: GPL-2.0-or-later
/* Events to stdout, flushed one by one. Assumes that no string holds what JSON would have escaped.
 */
#include "vmclock/host/log.h"

#include <stdarg.h>
#include <stdio.h>

static bool json;

void log_style(bool as_json)
{
	json = as_json;
}

void log_ready(const char *page, bool waiting)
{
	if (json)
		printf("{\"event\": \"ready\", \"waiting\": %s}\n", waiting ? "true" : "false");
	else
		printf("ready: %s%s\n", page,
		       waiting ? " (initializing until the guest tells its counter)" : "");
	fflush(stdout);
}

void log_offset(const struct offset *offset, const struct exchange *exchange, double period_ns)
{
	static const char *const sources[] = {
		[OFFSET_IS_NONE] = "none",
		[OFFSET_IS_GIVEN] = "given",
		[OFFSET_FROM_KVM] = "kvm",
		[OFFSET_FROM_MAILBOX] = "mailbox",
	};
	double half_ns = (double)offset->half_width * period_ns;

	if (json)
		printf("{\"event\": \"offset\", \"cycles\": %lld, \"source\": \"%s\", "
		       "\"half_width_ns\": %.3f, \"exchanges\": %llu, \"narrowest_ns\": %.3f}\n",
		       (s64)offset->offset, sources[offset->source], half_ns, exchange->count,
		       (double)exchange->narrowest * period_ns);
	else
		printf("offset %lld cycles from %s, +-%.1f ns\n", (s64)offset->offset,
		       sources[offset->source], half_ns);
	fflush(stdout);
}

void log_line(const struct vmclock_line *line, const struct steered *steered)
{
	if (json)
		printf("{\"event\": \"line\", \"counter\": %llu, \"hz\": %.6Lf, "
		       "\"residual_ns\": %.4f, \"slope_ns_per_s\": %.5f, \"stepped\": %s, "
		       "\"esterror_ns\": %llu, \"maxerror_ns\": %llu, \"status\": %u, "
		       "\"marker\": %llu}\n",
		       line->counter_value, 1e9L / line_period_ns(line), steered->residual_ns,
		       steered->slope_ns_per_s, steered->stepped ? "true" : "false",
		       line->time_esterror_ns, line->time_maxerror_ns, line->clock_status,
		       line->disruption_marker);
	else if (steered->stepped)
		printf("the clock was set: the line moved by %.3f us\n",
		       steered->residual_ns / 1000);
	fflush(stdout);
}

void log_guest(bool answers, s64 doubt_us)
{
	if (json)
		printf("{\"event\": \"guest\", \"answers\": %s, \"doubt_us\": %lld}\n",
		       answers ? "true" : "false", doubt_us);
	else if (answers)
		printf("the guest answers again\n");
	else
		printf("the guest has not answered for %lld ms: the page says \"unknown\"\n",
		       doubt_us / 1000);
	fflush(stdout);
}

void log_verdict(u64 number, double difference_ns, u64 maxerror_ns, bool valid)
{
	if (json)
		printf("{\"event\": \"verdict\", \"post\": %llu, \"valid\": %s, "
		       "\"difference_ns\": %.6f, \"maxerror_ns\": %llu}\n",
		       number, valid ? "true" : "false", difference_ns, maxerror_ns);
	else if (valid)
		printf("guest's time is %+.3f ns off the host's clock (stated: %llu)\n",
		       difference_ns, maxerror_ns);
	else
		printf("guest's time cannot be judged: its counter's offset is not known\n");
	fflush(stdout);
}

/* Control characters are none of ours to say. */
static void put_escaped(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text >= ' ')
			putchar(*text);
	}
}

void log_note(const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!json) {
		fprintf(stderr, "%s\n", text);
		return;
	}
	printf("{\"event\": \"note\", \"text\": \"");
	put_escaped(text);
	printf("\"}\n");
	fflush(stdout);
}

void log_end(const char *why, u64 lines)
{
	if (json)
		printf("{\"event\": \"end\", \"why\": \"%s\", \"lines\": %llu}\n", why, lines);
	else
		printf("ended by %s after %llu lines; the page says \"unreliable\" now\n", why,
		       lines);
	fflush(stdout);
}
