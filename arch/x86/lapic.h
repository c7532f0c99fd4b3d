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

/*
 * Turns the local APIC off and on, with all its sources masked. False: there is none that can be
 * accessed.
 */
bool lapic_init(const struct cpu_features *features);
/* Whether it was called, and found one. */
bool lapic_ready(void);

/* Ends the interrupt that is being handled. By the handler of each vector above 31 but the tick's.
 */
void lapic_end_of_interrupt(void);

/* This CPU's ID. */
u32 lapic_id(void);

/*
 * Resets another CPU, and starts it in real mode at `page`, which is 4 KiB aligned and below 1 MiB.
 * Each waits until the interrupt was accepted. Not from an interrupt.
 */
void lapic_send_init(u32 id);
void lapic_send_startup(u32 id, u64 page);

/*
 * Takes the timer, and calls `handler` at each of its interrupts, with interrupts off. For the
 * one-shot mode it first measures the timer's rate for 10 ms. False: it does not count.
 */
bool lapic_timer_start(enum lapic_timer kind, u64 tsc_hz, void (*handler)(void));

/*
 * Sets the next interrupt for when the TSC reaches `due`; at once if it already has. In one-shot
 * mode the interrupt may come early, by the error of the rate or because `due` is farther away than
 * the timer can count; the handler then arms it again. Called with interrupts off.
 */
void lapic_timer_arm(u64 due);

/* No more interrupts. */
void lapic_timer_stop(void);

#endif
