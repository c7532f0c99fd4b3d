; SPDX-License-Identifier: GPL-2.0-or-later
; Tells how fast an accelerator runs kernel-mode code, in one tiny PVH kernel: it times a loop of
; 4000 instructions, keeps the fastest of four, and powers off with the binary logarithm of the
; cycles as its status. Assumes QEMU's isa-debug-exit at port 0xf4, and nothing else: 32-bit
; protected mode without paging, as PVH enters it. `nasm -f bin` makes the whole ELF file.

	bits 32
	org 0x100000

image:
	db 0x7f, "ELF", 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
	dw 2, 3			; ET_EXEC, EM_386
	dd 1, start, phdr - image, 0, 0
	dw 52, 32, 2, 0, 0, 0
phdr:
	dd 1, 0, image, image, image.end - image, image.end - image, 7, 0x1000
	dd 4, note - image, note, note, note.end - note, note.end - note, 4, 4
note:
	dd 4, 4, 18		; XEN_ELFNOTE_PHYS32_ENTRY
	db "Xen", 0
	dd start
.end:

start:
	mov ebp, -1		; the fewest cycles so far
	mov esi, 4
.round:
	rdtsc
	mov edi, eax
	mov ecx, 2000
.loop:
	dec ecx
	jnz .loop
	rdtsc
	sub eax, edi
	cmp eax, ebp
	jae .slower
	mov ebp, eax
.slower:
	dec esi
	jnz .round
	bsr eax, ebp
	mov dx, 0xf4
	out dx, eax
.halt:
	hlt
	jmp .halt
image.end:
