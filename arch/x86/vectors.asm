; SPDX-License-Identifier: GPL-2.0-or-later
; One stub for each vector of the interrupt table (arch/x86/descriptors.c), 16 bytes apart: each
; makes the stack look alike (error code, vector number) and goes on to save what C may change.
; No vector register is saved: the whole image is built without them.
bits 64

extern interrupt_dispatch
global vector_stubs

VECTOR_COUNT	equ 64
WITH_ERROR_CODE	equ 0x60227d00		; a bit for each exception whose error code the CPU pushes

section .text
align 16
vector_stubs:
%assign vector 0
%rep VECTOR_COUNT
	align	16
%if vector >= 32 || ((WITH_ERROR_CODE >> vector) & 1) == 0
	push	0
%endif
	push	vector
	jmp	near save
%assign vector vector + 1
%endrep

	align	16
save:
	push	rax
	push	rbx
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	rbp
	push	r8
	push	r9
	push	r10
	push	r11
	push	r12
	push	r13
	push	r14
	push	r15
	cld
	mov	rdi, rsp		; the CPU aligned the stack, and 22 words keep it aligned
	call	interrupt_dispatch
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rbp
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rbx
	pop	rax
	add	rsp, 16			; vector and error code
	iretq
