/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interrupt controllers: masked, but for an interrupt that is asked for. */
#ifndef TB_ARCH_X86_PIC_H
#define TB_ARCH_X86_PIC_H

#include "lib/types.h"

/*
 * Masks every line of the two 8259s and of each I/O APIC that the MADT names: firmware may have
 * left a timer running there. Call acpi_init() first, whether or not it succeeds.
 */
void pic_silence(void);

/* A global system interrupt, the vector that it raises, and the CPU (a local APIC ID below 256). */
struct io_apic_route {
	u32 gsi, vector, to;
	bool level, low;
	bool masked; /* no more interrupts */
};

/* Sets an entry of the I/O APIC that has the interrupt. false: none has it. Not from an interrupt.
 */
bool pic_route(const struct io_apic_route *wanted);

#endif
