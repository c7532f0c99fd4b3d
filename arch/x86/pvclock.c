// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads kvmclock: finds it by CPUID, enables it by an MSR, and reads the page between two updates.
 */
#include "arch/x86/pvclock.h"
#include "lib/string.h"

#define LEAF_FEATURES	  0x40000001
#define CLOCKSOURCE2	  (1u << 3) /* in EAX: the MSR below is there */
#define MSR_SYSTEM_TIME	  0x4b564d01
#define SYSTEM_TIME_VALID 1
#define TRIES		  1000

_Static_assert(sizeof(struct pvclock_page) == 32, "the page's state is 32 bytes");

static volatile struct pvclock_page shared __attribute__((aligned(64)));

instant pvclock_time(const struct pvclock_page *page, u64 counter)
{
	const bool before = (s64)(counter - page->tsc_timestamp) < 0;
	u128 cycles = before ? page->tsc_timestamp - counter : counter - page->tsc_timestamp;
	u128 ns_q32 = (u128)page->system_time << 32, rest;
	s64 sec;

	/* Of a value within an hour of tsc_timestamp, 2^45 cycles, this is far below 2^96. */
	cycles = page->shift < 0 ? cycles >> -page->shift : cycles << page->shift;
	ns_q32 = before ? ns_q32 - cycles * page->mul : ns_q32 + cycles * page->mul;
	sec = (s64)div_u128(ns_q32, (u128)TB_NSEC_PER_SEC << 32, &rest);
	return instant_from_snsec(sec, rest, 32);
}

const char *pvclock_start(const struct cpu_features *cpu)
{
	if (!cpu->hypervisor[0])
		return "there is no hypervisor";
	if (strcmp(cpu->hypervisor, "KVMKVMKVM"))
		return "the hypervisor is not KVM";
	if (cpu->hypervisor_leaf < LEAF_FEATURES || !(cpuid(LEAF_FEATURES, 0).eax & CLOCKSOURCE2))
		return "this KVM does not offer it (CPUID 40000001h)";
	wrmsr(MSR_SYSTEM_TIME, (u64)&shared | SYSTEM_TIME_VALID);
	return NULL;
}

/* A whole state of the page; false: there is none. */
static bool take(struct pvclock_page *page)
{
	u32 version;

	/*
	 * KVM writes the page while this CPU is out of the guest, and another host thread never
	 * does: the version is odd only to readers on other CPUs. It is checked all the same.
	 */
	for (u32 i = 0; i < TRIES; i++) {
		version = shared.version;
		asm volatile("lfence" : : : "memory");
		page->tsc_timestamp = shared.tsc_timestamp;
		page->system_time = shared.system_time;
		page->mul = shared.mul;
		page->shift = shared.shift;
		asm volatile("lfence" : : : "memory");
		if (version && !(version & 1) && version == shared.version)
			return true;
	}
	return false;
}

bool pvclock_at(u64 counter, instant *time)
{
	struct pvclock_page page;

	if (!take(&page))
		return false;
	*time = pvclock_time(&page, counter);
	return true;
}

u64 pvclock_page_hz(const struct pvclock_page *page)
{
	/* A second is 2^32 10^9 / mul shifted cycles, below 2^62. KVM's shifts are within 32. */
	u64 cycles = page->mul ? ((u64)TB_NSEC_PER_SEC << 32) / page->mul : 0;

	return page->shift < 0 ? cycles << -page->shift : cycles >> page->shift;
}

bool pvclock_hz(u64 *hz)
{
	struct pvclock_page page;

	if (!take(&page))
		return false;
	*hz = pvclock_page_hz(&page);
	return *hz != 0;
}
