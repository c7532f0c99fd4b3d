// SPDX-License-Identifier: GPL-2.0-or-later
/* The host's verdict on the core's time. */
#include "lib/math.h"
#include "measure/measure.h"

/* The phase that the core has not delivered yet, fs; not negative. */
static s64 still_to_slew_fs(struct run *run)
{
	const struct clock *clock = run->clock;
	struct tk_state state;

	clock->lock(clock->context);
	run->tk->state(&state);
	clock->unlock(clock->context);
	/* In ns * 2^32 / HZ: at most 2^61 / HZ. */
	return (s64)(((s128)magnitude(state.time_offset) * run->params->hz *
		      (s64)TB_FSEC_PER_NSEC) >>
		     32);
}

/*
 * The page states the error of its line. The core may still be slewing to it, by as much as its own
 * time_offset says: on a host that is starved, the publisher's line moves by microseconds as it
 * learns more of the guest's counter.
 *
 * No verdict is a note here, and no failed claim: a mailbox that was served once looks the same
 * after its publisher was ended on purpose and after it was killed. Whoever started a publisher
 * knows that a verdict is due: the runner fails a claim if the metric host_difference_ns is missing
 * (VERDICT_CLAIM in runner/guest/boot.py).
 */
void run_claim_host(struct run *run)
{
	s64 difference_fs;
	u64 maxerror_ns;
	struct tk_time time;
	s64 bound_fs, slew_fs;

	if (!run->clock->judge)
		return;
	slew_fs = still_to_slew_fs(run);
	run_read(run, &time);
	if (!run->clock->judge(run->clock, time.counter, time.instant, &difference_fs,
			       &maxerror_ns)) {
		ktap_note(run->ktap, "the host gave no verdict on the guest's time");
		return;
	}
	bound_fs = maxerror_ns > 9000000000ULL ? 9000000000LL * TB_FSEC_PER_NSEC
					       : (s64)maxerror_ns * TB_FSEC_PER_NSEC;
	bound_fs += slew_fs;
	run_metric_ns(run, "host_difference_ns", difference_fs);
	run_metric_ns(run, "still_to_slew_ns", slew_fs);
	ktap_metric(run->ktap, "host_maxerror_ns", (s128)maxerror_ns, 0, 0, "ns");
	ktap_report(
		run->ktap, difference_fs <= bound_fs && difference_fs >= -bound_fs,
		"the host finds the core's time within the page's stated maxerror, beside what is "
		"still to be slewed");
}
