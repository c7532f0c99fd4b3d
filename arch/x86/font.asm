; SPDX-License-Identifier: GPL-2.0-or-later
; The screen's font, which arch/x86/font.py makes at build time.

global screen_font

section .rodata
screen_font:
	incbin	"font.bin"
