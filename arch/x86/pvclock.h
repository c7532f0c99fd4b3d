/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvmclock: the time since the guest's start that KVM states as a line over the TSC, in memory that
 * the guest names to it. Documentation/virt/kvm/x86/msr.rst (MSR_KVM_SYSTEM_TIME_NEW) and cpuid.rst
 * describe the interface. Assumes one CPU, and memory mapped one to one.
 */
#ifndef TB_ARCH_X86_PVCLOCK_H
#define TB_ARCH_X86_PVCLOCK_H

#include "arch/x86/cpu.h"
#include "lib/instant.h"

/* What KVM writes, at an address that is a multiple of 4. */
struct pvclock_page {
	u32 version; /* odd during an update */
	u32 pad;
	u64 tsc_timestamp; /* the TSC at system_time */
	u64 system_time;   /* ns */
	u32 mul;	   /* ns = (cycles shifted by `shift`) * mul / 2^32 */
	s8 shift;	   /* to the left; negative: to the right */
	u8 flags;
	u8 reserved[2];
};

/* The time at a TSC value by one state of the page. The value may be before tsc_timestamp. */
instant pvclock_time(const struct pvclock_page *page, u64 counter);

/* The TSC's frequency by one state of the page, Hz; 0: mul is 0. */
u64 pvclock_page_hz(const struct pvclock_page *page);

/* Asks KVM to keep the page from here on. NULL, or the reason why there is no kvmclock. */
const char *pvclock_start(const struct cpu_features *cpu);

/* The present time at a TSC value, after pvclock_start(). false: the page was being updated each
 * time that it was read, or KVM has not written it. */
bool pvclock_at(u64 counter, instant *time);

/* The frequency that KVM states, likewise. */
bool pvclock_hz(u64 *hz);

#endif
