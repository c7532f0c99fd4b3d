/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An exception, or an unexpected interrupt, ends the run: its name, the registers and a stack trace
 * are printed, and the machine is turned off with EXIT_FAULT.
 */
#ifndef TB_ARCH_X86_FAULT_H
#define TB_ARCH_X86_FAULT_H

#include "arch/x86/descriptors.h"
#include "lib/print.h"

/* Sets where reports are written. Called once, before anything may fault. */
void fault_init(const struct output *out);

/* Does not return. */
void fault_report(const struct frame *frame) __attribute__((noreturn));

/*
 * Calls run(context). false: a divide error ended it at an arbitrary instruction. All other faults
 * are reported as usual. Calls must not be nested. A divide error in an interrupt handler is not
 * caught.
 */
bool fault_guard(void (*run)(void *context), void *context);

/* Provokes one, for tests: "ud", "pf", "gp", "df", "de", "int" (an unexpected vector). False: no
 * such word; otherwise it does not return. */
bool fault_provoke(const char *word);

#endif
