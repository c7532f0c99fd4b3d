// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claim: while a publisher rewrites the page as fast as it can (vmclock-host --stress), no reader
 * ever accepts a mixture of two lines.
 */
#include "scenario/list.h"
#include "vmclock/stress.h"

#define BATCH 1000 /* reads between two readings of the stopwatch */

static void torn_run(struct run *run)
{
	struct clock *clock = run->clock;
	const u64 duration_ns = run->params->duration_ms * 1000000;
	u64 reads, accepted = 0, refused = 0, torn = 0, distinct = 0, stress = 0;
	enum vmclock_error error;
	u64 passed_ns = 0, looked_ns;
	u32 seq_before = 0;

	if (!run->stopwatch_ns || !(looked_ns = run->stopwatch_ns())) {
		ktap_skip(run->ktap, "no torn line is accepted", "there is no clock to read by");
		return;
	}
	/* In real time, because the writer determines how long a read takes. */
	for (reads = 0; passed_ns < duration_ns; reads++) {
		struct vmclock_line line;

		if (reads % BATCH == 0) {
			u64 now_ns = run->stopwatch_ns();

			/* It may wrap. */
			passed_ns += now_ns > looked_ns ? now_ns - looked_ns : 0;
			looked_ns = now_ns;
			run->ticker.progress++;
		}
		error = vmclock_read(clock->page, clock->page_mapped, 0, &line);
		/* Its writer has ended, and says so. */
		if (error == VMCLOCK_STATUS_IS_UNRELIABLE && accepted)
			break;
		refused += error != VMCLOCK_OK;
		if (error)
			continue;
		accepted++;
		stress += vmclock_stress_is(&line);
		torn += vmclock_stress_is(&line) && !vmclock_stress_whole(&line);
		distinct += line.seq_count != seq_before;
		seq_before = line.seq_count;
	}
	ktap_metric(run->ktap, "reads", (s128)reads, 0, 0, "reads");
	ktap_metric(run->ktap, "accepted", (s128)accepted, 0, 0, "reads");
	ktap_metric(run->ktap, "refused", (s128)refused, 0, 0, "reads");
	ktap_metric(run->ktap, "lines_seen", (s128)distinct, 0, 0, "lines");
	ktap_metric(run->ktap, "torn", (s128)torn, 0, 0, "reads");
	if (!stress) {
		ktap_skip(run->ktap, "no torn line is accepted",
			  "nobody rewrites this page: start vmclock-host with --stress");
		return;
	}
	ktap_report(run->ktap, !torn, "no torn line is accepted");
	/* How often it changes depends on the host's scheduler. */
	ktap_report(run->ktap, distinct > 1, "the page changed meanwhile");
}

const struct scenario scenario_torn = {
	.name = "torn",
	.claim = "no torn line is accepted",
	.on_request = true,
	.duration_ms = { [CLOCK_VIRTUAL] = 5000, [CLOCK_TSC] = 5000 },
	.run = torn_run,
};
