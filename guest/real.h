/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real TSC as a vehicle: ticks from the local APIC's interrupt, samples from a free loop. And
 * the page and the mailbox as ACPI tells of them.
 */
#ifndef TB_GUEST_REAL_H
#define TB_GUEST_REAL_H

#include "arch/x86/cpu.h"
#include "arch/x86/refclock.h"
#include "guest/page.h"
#include "scenario/scenario.h"

/* What the machine is; found once. */
struct machine {
	struct cpu_features cpu;
	struct refclock clock;
	struct guest_page page;
	struct guest_page mailbox;
};

enum real_error {
	REAL_OK,
	REAL_NO_TSC,	   /* the CPU has none */
	REAL_NO_FREQUENCY, /* nothing tells how fast it runs, and no parameter does */
	REAL_NO_APIC,	   /* no local APIC */
	REAL_NO_DEADLINE,  /* tick=deadline, and the CPU has no such timer */
	REAL_NO_TIMER,	   /* the local APIC's timer does not count */
	REAL_ERRORS,
};

const char *real_strerror(enum real_error error);

/* Whether the CPU has what an experiment asks for by name: before any has run. */
enum real_error real_check(const struct machine *machine, const struct scenario_params *params);

/*
 * Makes the vehicle for one experiment: measures what params leave open. While the page's publisher
 * is still initializing, waits for it, up to 10 s, and answers its mailbox.
 */
enum real_error real_vehicle_init(struct vehicle *vehicle, const struct machine *machine,
				  const struct scenario_params *params);

#endif
