/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rule by which the series' /dev/vmclock_host publishes, from outside of the kernel: the time
 * is CLOCK_TAI and what adjtimex says is still to be slewed, in whole ns; the rate is the tick's
 * and the frequency's over the TSC's nominal kHz; a line is written when one of them changes, once
 * a second while the clock slews, and when it was set. For comparison with the fit (--rule kernel).
 */
#ifndef TB_VMCLOCK_HOST_RULE_H
#define TB_VMCLOCK_HOST_RULE_H

#include "vmclock/host/fit.h"

struct rule {
	bool begun;
	bool was_set;	/* by the caller: the clock was set since the last line */
	s64 freq, tick; /* as adjtimex has them */
	s64 offset_ns;	/* still to be slewed */
	s64 second;	/* of the last line */
	u64 hz;		/* the TSC's, whole kHz */
};

/*
 * Whether a line is due. If so *period_ns is its period, and *offset_ns what is to be added to the
 * clock's time. `fit` must hold a line: the first one tells the kHz.
 */
bool rule_due(struct rule *rule, const struct fit *fit, long double *period_ns, s64 *offset_ns);

#endif
