/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The notification of the vmclock device: the interrupt of the ACPI device that stands for it. That
 * is a Generic Event Device (ACPI0013), whose _EVT would notify the vmclock device; nothing is
 * evaluated here, so an interrupt of the first such device means that the page changed.
 */
#ifndef TB_GUEST_BELL_H
#define TB_GUEST_BELL_H

#include "arch/x86/aml.h"

struct bell {
	bool there;
	struct aml_interrupt interrupt;
	const char *why; /* a sentence; never NULL */
};

/* Needs acpi_init(). */
void bell_find(struct bell *bell);

/*
 * From here on, `function` is called at each interrupt, with interrupts off. NULL: no more. false:
 * no I/O APIC has the interrupt. Needs a local APIC. Not from an interrupt.
 */
bool bell_listen(const struct bell *bell, void (*function)(void));

#endif
