// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's debug console. Each access writes one byte, and the device is always ready. */
#include "arch/x86/debugcon.h"
#include "arch/x86/cpu.h"

#define DEBUGCON 0xe9

bool debugcon_present(void)
{
	return inb(DEBUGCON) == DEBUGCON;
}

void debugcon_write(const void *bytes, size_t length)
{
	outsb(DEBUGCON, bytes, length);
}
