/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Masks interrupt controllers that nothing here uses. */
#ifndef TB_ARCH_X86_PIC_H
#define TB_ARCH_X86_PIC_H

/*
 * Masks every line of the two 8259s and of each I/O APIC that the MADT names: firmware may have
 * left a timer running there. Call acpi_init() first, whether or not it succeeds.
 */
void pic_silence(void);

#endif
