/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An exception, or an interrupt that nobody asked for, ends the run: its name, the registers and
 * the way there go out, and the machine goes off with EXIT_FAULT.
 */
#ifndef TB_ARCH_X86_FAULT_H
#define TB_ARCH_X86_FAULT_H

#include "arch/x86/descriptors.h"
#include "lib/print.h"

/* Where reports go. Once, before anything may fault. */
void fault_init(const struct output *out);

/* Does not return. */
void fault_report(const struct frame *frame) __attribute__((noreturn));

/*
 * Calls run(context). false: a divide error ended it, in the middle of whatever it was doing. All
 * other faults are reported as ever. Not nested, and not for what interrupts do.
 */
bool fault_guard(void (*run)(void *context), void *context);

/* Provokes one, for tests: "ud", "pf", "gp", "df", "de", "int" (an unexpected vector). False: no
 * such word; otherwise it does not return. */
bool fault_provoke(const char *word);

#endif
