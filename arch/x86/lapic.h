/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's timer as a tick device: one interrupt at one count of the TSC. SDM volume 3,
 * chapter 11.
 */
#ifndef TB_ARCH_X86_LAPIC_H
#define TB_ARCH_X86_LAPIC_H

#include "arch/x86/cpu.h"

enum lapic_timer {
	LAPIC_DEADLINE, /* the CPU compares the TSC itself */
	LAPIC_ONESHOT,	/* a count-down at the APIC's own rate, measured against the TSC */
};

/* Turns the local APIC on, afresh, with all its sources masked. False: there is none in reach. */
bool lapic_init(const struct cpu_features *features);

/*
 * Takes the timer, and calls `handler` at each of its interrupts, with interrupts off. One-shot
 * measures the timer's rate first, 10 ms long. False: it does not count.
 */
bool lapic_timer_start(enum lapic_timer kind, u64 tsc_hz, void (*handler)(void));

/*
 * The next interrupt, when the TSC reaches `due`: at once if it has. One-shot may come early, by
 * its rate's error or because `due` is farther than it can count: the handler arms it again. With
 * interrupts off.
 */
void lapic_timer_arm(u64 due);

/* No more interrupts. */
void lapic_timer_stop(void);

#endif
