/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments, the task state with its interrupt stacks, and the interrupt table: 32 exceptions, which
 * end the run (fault.h), and 32 vectors for devices. A vector beyond them is a general protection
 * fault that names it.
 */
#ifndef TB_ARCH_X86_DESCRIPTORS_H
#define TB_ARCH_X86_DESCRIPTORS_H

#include "lib/types.h"

#define VECTOR_DOUBLE_FAULT   8
#define VECTOR_EXCEPTIONS     32
#define VECTOR_PIC	      32 /* 16 vectors; the PIC is masked, so only spurious interrupts arrive */
#define VECTOR_TICK	      48
#define VECTOR_NOTIFICATION   49
#define VECTOR_LAPIC_ERROR    62
#define VECTOR_LAPIC_SPURIOUS 63 /* its low four bits are set, as the first APICs require */
#define VECTOR_COUNT	      64

/* What the stubs in vectors.asm leave on the stack. */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/*
 * Loads all of them. `unexpected` is called for an exception, and for an interrupt that has no
 * handler; it does not return to its caller. Once, before anything may fault.
 */
void descriptors_init(void (*unexpected)(const struct frame *frame));

/* The same on a second CPU: the first one's interrupt table, and stacks of its own. */
void descriptors_init_second(void);

/*
 * Sets the handler of a device's vector. It is called with interrupts off, on the interrupt stack.
 * NULL: an interrupt at this vector is reported as unexpected, and ends the run.
 */
void interrupt_handler_set(u32 vector, void (*handler)(void));

/* Leaves a vector without a gate, so that its delivery faults: for tests of the fault report. */
void interrupt_gate_remove(u32 vector);

/* Called by the stubs. */
void interrupt_dispatch(struct frame *frame);

#endif
