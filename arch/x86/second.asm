; SPDX-License-Identifier: GPL-2.0-or-later
; Where a second CPU starts. second_trampoline is copied to a page below 640 KiB, and a start-up
; interrupt sends the CPU to its first byte, in real mode with CS = page / 16. It goes to long mode at
; once, as SDM volume 3, section 10.8.5 allows, with the page tables and segments of boot/start.asm,
; and calls second_main() (second.c).
; Assumes that second_stack_top is set, and that this code's page is mapped one to one.
bits 16

extern boot_pml4, boot_gdt, second_main, second_stack_top
global second_trampoline, second_trampoline_end

CODE64		equ 0x08
DATA		equ 0x10
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
CR0_LONG	equ 0x80010023		; PG, WP, NE, MP, PE; caches on

section .text
second_trampoline:
	cli
	mov	ax, cs
	mov	ds, ax
	mov	eax, CR4_PAE
	mov	cr4, eax
	mov	eax, boot_pml4
	mov	cr3, eax
	mov	ecx, MSR_EFER
	mov	eax, EFER_LME
	xor	edx, edx
	wrmsr
	o32 lgdt [.gdt_pointer - second_trampoline]
	mov	eax, CR0_LONG
	mov	cr0, eax
	jmp	dword CODE64:second_long
align 4
.gdt_pointer:
	dw	3 * 8 - 1
	dd	boot_gdt
second_trampoline_end:

bits 64
second_long:
	mov	eax, DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	rsp, [second_stack_top]
	cld
	xor	ebp, ebp		; the end of a stack trace
	call	second_main
.stop:	cli				; until the next INIT
	hlt
	jmp	.stop
