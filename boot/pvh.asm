; SPDX-License-Identifier: GPL-2.0-or-later
; The boot path of QEMU's -kernel (and any PVH loader): the ELF note that names the entry, and the
; entry, in 32-bit protected mode without paging, EBX = physical address of struct hvm_start_info.
; It only turns long mode on; start.asm does the rest.
bits 32

extern start64, boot_pml4, boot_gdt_pointer
global pvh_start

BOOT_PVH	equ 1
CODE64		equ 0x08
NOTE_PHYS32	equ 18			; XEN_ELFNOTE_PHYS32_ENTRY
CR4_PAE		equ 1 << 5
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
CR0_PE_MP_NE	equ 0x23
CR0_PG_WP	equ 0x80010000

section .note.xen note alloc noexec nowrite align=4
	dd	.name_end - .name, .data_end - .data, NOTE_PHYS32
.name:	db	"Xen", 0
.name_end:
.data:	dd	pvh_start
.data_end:

section .text
pvh_start:
	cli
	mov	eax, CR4_PAE
	mov	cr4, eax
	mov	eax, boot_pml4
	mov	cr3, eax
	mov	ecx, MSR_EFER
	mov	eax, EFER_LME
	xor	edx, edx
	wrmsr
	mov	eax, CR0_PG_WP | CR0_PE_MP_NE
	mov	cr0, eax
	lgdt	[boot_gdt_pointer]
	mov	edi, BOOT_PVH
	mov	esi, ebx
	jmp	CODE64:start64
