/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real TSC as the clock of a run: ticks from the local APIC's interrupt, samples from a free
 * loop.
 */
#ifndef TB_GUEST_TSC_CLOCK_H
#define TB_GUEST_TSC_CLOCK_H

#include "guest/machine.h"
#include "measure/params.h"

enum tsc_clock_error {
	TSC_CLOCK_OK,
	TSC_CLOCK_NO_TSC,	/* the CPU has none */
	TSC_CLOCK_NO_FREQUENCY, /* neither the machine nor a parameter gives its frequency */
	TSC_CLOCK_NO_APIC,	/* no local APIC */
	TSC_CLOCK_NO_DEADLINE,	/* tick=deadline, and the CPU has no such timer */
	TSC_CLOCK_NO_TIMER,	/* the local APIC's timer does not count */
	TSC_CLOCK_ERRORS,
};

const char *tsc_clock_strerror(enum tsc_clock_error error);

/* Whether the CPU has what an experiment asks for by name. Called before any experiment has run. */
enum tsc_clock_error tsc_clock_check(const struct machine *machine,
				     const struct scenario_params *params);

/*
 * Makes the clock for one experiment, and measures what params do not give. While the page's
 * publisher is still initializing, waits for it, up to 10 s, and answers its mailbox.
 */
enum tsc_clock_error tsc_clock_init(struct clock *clock, const struct machine *machine,
				    const struct scenario_params *params);

#endif
