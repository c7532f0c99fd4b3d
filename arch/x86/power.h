/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end: a status for QEMU's isa-debug-exit (its own exit status is then status << 1 | 1), else
 * ACPI's soft off, else a halt.
 */
#ifndef TB_ARCH_X86_POWER_H
#define TB_ARCH_X86_POWER_H

#include "lib/types.h"

enum exit_status {
	EXIT_PASSED = 0x10,
	EXIT_FAILED = 0x11,	/* a claim */
	EXIT_CANNOT_RUN = 0x12, /* the reason was written to the serial port */
	EXIT_SKIPPED = 0x14,	/* everything */
	EXIT_FAULT = 0x1f,	/* an exception */
};

/*
 * Sets what is done when isa-debug-exit does not answer, as on a real PC: NULL, or a function that
 * may wait until the screen was read, and may turn the machine off by ACPI. It may return.
 */
void power_set_fallback(void (*fallback)(void));

/* Any context. */
void power_off(enum exit_status status) __attribute__((noreturn));

#endif
