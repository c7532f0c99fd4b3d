// SPDX-License-Identifier: GPL-2.0-or-later
/* Events to stdout, flushed one by one. Assumes that no string holds what JSON would have escaped.
 */
#include "vmclock/host/log.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static bool json;

void log_style(bool as_json)
{
	json = as_json;
}

#define NUMBER_MAX 336 /* bytes: the largest double has 309 digits before the point */

/* `value` with `decimals` (at most 9) as JSON has it: there is no word for NaN or infinity but
 * null. */
static const char *number(char text[NUMBER_MAX], double value, int decimals)
{
	if (isfinite(value))
		snprintf(text, NUMBER_MAX, "%.*f", decimals, value);
	else
		snprintf(text, NUMBER_MAX, "null");
	return text;
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
	static struct offset last;
	char half[NUMBER_MAX], narrowest[NUMBER_MAX];
	double half_ns = (double)offset->half_width * period_ns;

	if (last.known && last.offset == offset->offset && last.source == offset->source &&
	    last.ratio == offset->ratio && last.half_width == offset->half_width)
		return;
	last = *offset;
	if (json)
		printf("{\"event\": \"offset\", \"cycles\": %lld, \"source\": \"%s\", "
		       "\"half_width_ns\": %s, \"exchanges\": %llu, \"narrowest_ns\": %s}\n",
		       (s64)offset->offset, sources[offset->source], number(half, half_ns, 3),
		       exchange->count,
		       number(narrowest, (double)exchange->narrowest * period_ns, 3));
	else
		printf("offset %lld cycles from %s, +-%.1f ns\n", (s64)offset->offset,
		       sources[offset->source], half_ns);
	fflush(stdout);
}

void log_line(const struct vmclock_line *line, const struct steered *steered)
{
	char hz[NUMBER_MAX], residual[NUMBER_MAX], slope[NUMBER_MAX];

	if (json)
		printf("{\"event\": \"line\", \"counter\": %llu, \"hz\": %s, "
		       "\"residual_ns\": %s, \"slope_ns_per_s\": %s, \"stepped\": %s, "
		       "\"esterror_ns\": %llu, \"maxerror_ns\": %llu, \"status\": %u, "
		       "\"marker\": %llu}\n",
		       line->counter_value, number(hz, (double)(1e9L / line_period_ns(line)), 6),
		       number(residual, steered->residual_ns, 4),
		       number(slope, steered->slope_ns_per_s, 5),
		       steered->stepped ? "true" : "false", line->time_esterror_ns,
		       line->time_maxerror_ns, line->clock_status, line->disruption_marker);
	else if (steered->stepped)
		printf("the clock was set: the line moved by %.3f us\n",
		       steered->residual_ns / 1000);
	fflush(stdout);
}

void log_disrupted(u64 marker)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (json)
		printf("{\"event\": \"disrupted\", \"marker\": %llu, \"unix_us\": %lld}\n", marker,
		       now.tv_sec * 1000000LL + now.tv_nsec / 1000);
	else
		printf("the guest's counter was disrupted: marker %llu\n", marker);
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
