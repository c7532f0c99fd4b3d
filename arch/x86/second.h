/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second CPU: the first processor of the firmware's table (ACPI 6.5, section 5.2.12) that is not
 * this one, started by INIT and start-up interrupts (SDM volume 3, section 9.4). It runs one
 * function with interrupts off, on a stack of its own, and halts.
 */
#ifndef TB_ARCH_X86_SECOND_H
#define TB_ARCH_X86_SECOND_H

#include "arch/x86/cpu.h"

enum second_error {
	SECOND_OK,
	SECOND_NO_TABLE,  /* no table names the processors */
	SECOND_ALONE,	  /* it names one */
	SECOND_NO_APIC,	  /* there is no local APIC to send interrupts from */
	SECOND_NO_MEMORY, /* there is no free page below 640 KiB to start at */
	SECOND_SILENT,	  /* the CPU did not start */
	SECOND_ERRORS,
};

const char *second_strerror(enum second_error error);

/*
 * Starts the second CPU in body(context). `page` is 4 KiB of RAM below 640 KiB, at a multiple of
 * that, whose contents are kept; 0: there is none. The local APIC is set up if lapic_init() has not
 * been called. After SECOND_OK, the caller must call second_join() before the next start. Not from
 * an interrupt.
 */
enum second_error second_start(const struct cpu_features *features, u64 page,
			       void (*body)(void *context), void *context);

/* Waits until the body has returned. */
void second_join(void);

/* Whether an address is on the second CPU's stacks: so a fault tells whose it is. */
bool second_owns(u64 stack);

#endif
