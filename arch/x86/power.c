// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end of a run. isa-debug-exit is tried first, because it passes the status on. Assumes that
 * QEMU has it at iobase=0xf4,iosize=4; where there is no such device, the write has no effect.
 */
#include "arch/x86/power.h"
#include "arch/x86/cpu.h"

#define DEBUG_EXIT 0xf4
#define POST_CODE  0x80 /* reading this port takes about a microsecond */
#define PATIENCE   50000

static void (*fallback)(void);

void power_set_fallback(void (*function)(void))
{
	fallback = function;
}

void power_off(enum exit_status status)
{
	void (*last)(void) = fallback;

	outl(DEBUG_EXIT, status);
	/* QEMU from 9.2 on only requests its exit, and the guest still runs for a moment. */
	for (int i = 0; i < PATIENCE; i++) {
		cpu_relax();
		inb(POST_CODE);
	}
	/* Called once: the fallback may itself fault and come here again. */
	fallback = NULL;
	if (last)
		last();
	for (;;)
		asm volatile("cli; hlt");
}
