/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keyboard controller: whether a key was pressed. */
#ifndef TB_ARCH_X86_KEYBOARD_H
#define TB_ARCH_X86_KEYBOARD_H

#include "lib/types.h"

/* Whether a key was waiting at the controller; removes it. False if there is no controller. */
bool keyboard_pressed(void);

/* Asks the controller to reset the machine: some hypervisors end by that, and have no ACPI to do
 * so. */
void keyboard_reset(void);

#endif
