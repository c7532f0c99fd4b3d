; SPDX-License-Identifier: GPL-2.0-or-later
; The common part of both boot paths: it sets up the page tables and the stack, and clears .bss.
; pvh.asm jumps to start64, and so does boot/efi_jump.asm, which finds it at the image's first byte,
; followed by struct kernel_header (boot/kernel.h).
; Assumes long mode, interrupts off, and this image mapped where it is linked.
;	edi = enum boot_way, rsi = struct hvm_start_info (PVH) or struct boot_info (UEFI)
bits 64

extern image_start, image_end, bss_start, bss_end
extern boot_pvh, kernel_main
global start64, boot_pml4, boot_gdt, boot_gdt_pointer

BOOT_PVH	equ 1
CODE64		equ 0x08
DATA		equ 0x10

section .start progbits alloc exec nowrite align=16
start64:
	jmp	short .start
	align	16, db 0
	db	"TBKERNEL"
	dq	image_start, image_end, bss_end
.start:
	cld
	mov	eax, boot_pml4
	mov	cr3, rax
	lgdt	[boot_gdt_pointer]
	mov	eax, DATA
	mov	ds, eax
	mov	es, eax
	mov	ss, eax
	mov	esp, boot_stack_top
	push	CODE64
	mov	eax, .reloaded
	push	rax
	retfq
.reloaded:
	mov	edx, edi
	mov	edi, bss_start
	mov	ecx, bss_end
	sub	ecx, edi
	shr	ecx, 3
	xor	eax, eax
	rep stosq
	mov	rdi, rsi
	xor	ebp, ebp		; the end of a stack trace
	cmp	edx, BOOT_PVH
	jne	.handed_over
	call	boot_pvh
.handed_over:
	call	kernel_main
.stop:	cli				; kernel_main does not return
	hlt
	jmp	.stop

section .data
align 8
boot_gdt:
	dq	0
	dq	0x00af9b000000ffff	; 0x08: 64-bit code
	dq	0x00cf93000000ffff	; 0x10: data
boot_gdt_pointer:
	dw	$ - boot_gdt - 1
	dq	boot_gdt

; The first 4 GiB one to one, in 2 MiB pages: memory below 3 GiB is write-back, the last GiB, where
; a PC has its devices, is uncached. arch/x86/paging.c refines this. Assembled rather than built at
; run time, because an emulated CPU is slower at it than a loader is at reading 16 KiB more.
PRESENT		equ 0x01
WRITABLE	equ 0x02
UNCACHED	equ 0x18
LARGE		equ 0x80

section .tables progbits alloc noexec write align=4096
boot_pml4:
	dq	boot_pdpt + PRESENT + WRITABLE
	times 511 dq 0
boot_pdpt:
%assign i 0
%rep 4
	dq	boot_pd + i * 4096 + PRESENT + WRITABLE
%assign i i + 1
%endrep
	times 508 dq 0
boot_pd:
%assign i 0
%rep 1536
	dq	(i << 21) + PRESENT + WRITABLE + LARGE
%assign i i + 1
%endrep
%rep 512
	dq	(i << 21) + PRESENT + WRITABLE + LARGE + UNCACHED
%assign i i + 1
%endrep

section .bss.stack nobits alloc noexec write align=4096
	resb	32768
boot_stack_top:
