/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text on a linear frame buffer: for a PC without a serial port. */
#ifndef TB_ARCH_X86_SCREEN_H
#define TB_ARCH_X86_SCREEN_H

#include "lib/types.h"

/* A frame buffer of 32 bits a pixel; `stride` in pixels. False: it cannot be mapped, or is too
 * small for a line of text, and screen_write() does nothing. Once. */
bool screen_init(u64 base, u32 width, u32 height, u32 stride);
bool screen_present(void);

/*
 * Writes printable ASCII and newlines. A line that is too long continues in the next. After the
 * last line, text continues at the top, followed by an empty line: scrolling would have to read the
 * frame buffer, which is slow.
 */
void screen_write(const char *text, size_t length);

#endif
