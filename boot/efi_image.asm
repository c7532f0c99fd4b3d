; SPDX-License-Identifier: GPL-2.0-or-later
; The flat kernel image inside the EFI program; build.mk says where it is (KERNEL).
bits 64

global kernel_image, kernel_image_end

section .data
align 16
kernel_image:
	incbin	KERNEL
kernel_image_end:
