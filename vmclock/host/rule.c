// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's rule, as far as adjtimex shows it. Assumes USER_HZ 100: a tick of 10000 us. */
#include "vmclock/host/rule.h"

#include <math.h>
#include <sys/timex.h>

#define TICK_US	      10000
#define FREQ_PER_UNIT 65536e6L /* of timex.freq */

static long double rate_of(const struct rule *rule)
{
	return (long double)rule->tick / TICK_US + (long double)rule->freq / FREQ_PER_UNIT;
}

bool rule_due(struct rule *rule, const struct fit *fit, long double *period_ns, s64 *offset_ns)
{
	struct timex now = { 0 };
	s64 offset;
	bool due;

	if (adjtimex(&now) < 0)
		return false;
	offset = now.status & STA_NANO ? now.offset : now.offset * 1000;
	due = !rule->begun || rule->was_set || now.freq != rule->freq || now.tick != rule->tick ||
	      ((offset || rule->offset_ns) && now.time.tv_sec != rule->second);
	rule->freq = now.freq;
	rule->tick = now.tick;
	rule->second = now.time.tv_sec;
	/* The fitted rate is that of the steered clock; a TSC is registered in whole kHz. */
	if (!rule->begun)
		rule->hz = (u64)llroundl(1e6L / fit->period_ns * rate_of(rule)) * 1000;
	rule->begun = true;
	if (!due)
		return false;
	rule->was_set = false;
	rule->offset_ns = offset;
	*offset_ns = offset;
	*period_ns = 1e9L / (long double)rule->hz * rate_of(rule);
	return true;
}
