// SPDX-License-Identifier: GPL-2.0-or-later
/* Polls the keyboard controller (8042). It may be absent: then its ports read as 0xff. */
#include "arch/x86/keyboard.h"
#include "arch/x86/cpu.h"

#define DATA   0x60
#define STATUS 0x64
#define FULL   0x01
#define ABSENT 0xff
#define RESET  0xfe /* the command that pulses the CPU's reset line */

bool keyboard_pressed(void)
{
	u8 status = inb(STATUS);

	if (status == ABSENT || !(status & FULL))
		return false;
	inb(DATA);
	return true;
}

void keyboard_reset(void)
{
	outb(STATUS, RESET);
}
