/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serial port COM1 (a 16550 at 0x3f8, 115200 8N1), polled. */
#ifndef TB_ARCH_X86_SERIAL_H
#define TB_ARCH_X86_SERIAL_H

#include "lib/types.h"

/* Sets the port up; false: nothing answers there, and serial_write() does nothing. Once. */
bool serial_init(void);

/*
 * Sends text, each newline as CR LF. A port that accepts nothing for some seconds is permanently
 * given up, so that it cannot hang the machine. Any context.
 */
void serial_write(const char *text, size_t length);

#endif
