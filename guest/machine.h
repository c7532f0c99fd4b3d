/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the parts of the machine once, and reports them. */
#ifndef TB_GUEST_MACHINE_H
#define TB_GUEST_MACHINE_H

#include "arch/x86/cpu.h"
#include "arch/x86/refclock.h"
#include "boot/boot.h"
#include "guest/bell.h"
#include "guest/page.h"
#include "lib/ktap.h"

struct machine {
	struct cpu_features cpu;
	struct refclock clock; /* name NULL: none */
	struct guest_page page;
	struct guest_page markers; /* of a second vmclock device, which has no line */
	struct guest_page mailbox;
	struct bell bell;
};

/* Fills `machine` from ACPI and CPUID, masks the interrupt controllers, and reports in notes. */
void machine_find(struct machine *machine, struct ktap *ktap, const struct boot_info *boot);

/*
 * Keeps the report on the screen until a key is pressed or a minute is over, then asks for the
 * soft-off state. For power_set_fallback(): the machine has no isa-debug-exit. Returns if the
 * machine is still on.
 */
void machine_turn_off(const struct machine *machine);

/* The reference clock's time, ns; 0 if there is none. May wrap every few seconds. */
u64 machine_stopwatch_ns(const struct machine *machine);

#endif
