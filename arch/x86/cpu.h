/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One inline function for each instruction that C cannot express, and what CPUID says about the
 * machine. SDM volumes 2 and 3. Ring 0; any context.
 */
#ifndef TB_ARCH_X86_CPU_H
#define TB_ARCH_X86_CPU_H

#include "lib/types.h"

#define MSR_APIC_BASE	 0x1b
#define MSR_TSC_DEADLINE 0x6e0

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "a"(leaf), "c"(subleaf));
	return r;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u32 inl(u16 port)
{
	u32 value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outb(u16 port, u8 value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(u16 port, u32 value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/* Writes several bytes to one port. A hypervisor may handle them in one exit. */
static inline void outsb(u16 port, const void *bytes, size_t count)
{
	asm volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}

/* Reads several bytes from one port, likewise. */
static inline void insb(u16 port, void *bytes, size_t count)
{
	asm volatile("rep insb" : "+D"(bytes), "+c"(count) : "d"(port) : "memory");
}

static inline void interrupts_off(void)
{
	asm volatile("cli" : : : "memory");
}

static inline void interrupts_on(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void cpu_relax(void)
{
	asm volatile("pause" : : : "memory");
}

/*
 * An empty loop. An emulated CPU runs it far faster than `pause` or a read of a counter. With
 * --icount, those two would be most of the cost of waiting.
 */
static inline void cpu_spin(u32 iterations)
{
	while (iterations--)
		asm volatile("");
}

static inline u64 read_cr2(void)
{
	u64 value;

	asm volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline u64 read_cr3(void)
{
	u64 value;

	asm volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline void write_cr3(u64 value)
{
	asm volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

/*
 * Reads the TSC after every earlier load in program order. It uses lfence and not rdtscp, because a
 * KVM that interprets the kernel's code supports lfence and stops at rdtscp.
 */
static inline u64 rdtsc(void)
{
	u32 low, high;

	asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (u64)high << 32 | low;
}

struct cpu_features {
	char vendor[13];
	char brand[49];	     /* without the blanks at both ends; may be empty */
	char hypervisor[13]; /* its signature; empty: none */
	u32 hypervisor_leaf; /* the highest leaf from 0x40000000; 0: none */
	bool invariant_tsc;
	bool tsc_deadline;
	bool x2apic;
	bool has_tsc;
};

/* What CPUID says. */
void cpu_identify(struct cpu_features *features);

#endif
