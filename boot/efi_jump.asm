; SPDX-License-Identifier: GPL-2.0-or-later
; The last step of the UEFI boot path. efi.c copies it to where the kernel does not go, and calls it
; there, boot services gone:
;	efi_jump(page tables, from, to, 8-byte words, struct boot_info)
; It moves the kernel to where it is linked, which may be where the loader or the firmware's own
; page tables stood, and starts it. It uses no stack and nothing outside itself.
bits 64

global efi_jump, efi_jump_end

BOOT_UEFI	equ 2
CR4_GLOBAL	equ 7

section .text
efi_jump:
	cli
	cld
	mov	rax, cr4
	btr	rax, CR4_GLOBAL		; or the firmware's global pages would survive
	mov	cr4, rax
	mov	cr3, rdi
	mov	rdi, rdx
	rep movsq
	mov	edi, BOOT_UEFI
	mov	rsi, r8
	jmp	rdx
efi_jump_end:
