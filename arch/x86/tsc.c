// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The TSC's frequency. A measurement is two bracketed readings of a slower clock (lib/bracket.h).
 * The width of the brackets is part of the error that is reported. SDM volume 3, section 19.7.3 for
 * the CPUID leaves.
 */
#include "arch/x86/tsc.h"
#include "arch/x86/pvclock.h"
#include "lib/bracket.h"
#include "lib/instant.h"

/* The tolerance of a crystal; no CPUID leaf states it. */
#define CRYSTAL_PPB 100000

#define MEASURE_FS (TB_FSEC_PER_SEC / 10)
#define READINGS   20
/*
 * The pause between two reads of a clock while waiting for it. The slower clock moves within a few
 * such pauses, so a clock that did not move in DEAD_READS reads has stopped.
 */
#define WAIT_SPINS 256
#define DEAD_READS 1000

static inline u64 read_tsc(void *context)
{
	(void)context;
	return rdtsc();
}

static inline u64 read_clock(void *context)
{
	(void)context;
	return refclock_read();
}

static struct bracket read_both(void)
{
	return bracket_read(read_tsc, NULL, read_clock, NULL, READINGS);
}

/* False: the clock stopped. */
static bool wait_for(const struct refclock *clock, u64 start, u64 wanted)
{
	u64 seen = start, now;
	u32 still = 0;

	for (;;) {
		now = refclock_read();
		if (((now - start) & clock->mask) >= wanted)
			return true;
		still = now == seen ? still + 1 : 0;
		seen = now;
		if (still == DEAD_READS)
			return false;
		cpu_spin(WAIT_SPINS);
	}
}

bool tsc_measure(struct tsc_span *span, const struct refclock *clock, u64 fs)
{
	struct bracket first = read_both(), last;

	if (!wait_for(clock, first.value, fs / clock->period_fs + 1))
		return false;
	last = read_both();
	span->start = first.counter;
	span->end = last.counter;
	span->clock_counts = (last.value - first.value) & clock->mask;
	span->bracket_cycles = (first.width + last.width + 1) / 2;
	return true;
}

static void measure(struct tsc_frequency *frequency, const struct refclock *clock)
{
	struct tsc_span span;
	u64 cycles;

	if (!clock->name || !tsc_measure(&span, clock, MEASURE_FS))
		return;
	cycles = span.end - span.start;
	if (!cycles)
		return;
	/* cycles < 2^40 and 10^15 < 2^50: both products stay within 128 bits. */
	frequency->hz = (u64)div_u128((u128)cycles * TB_FSEC_PER_SEC,
				      (u128)span.clock_counts * clock->period_fs, NULL);
	frequency->source = clock->name;
	/* Half of each bracket, and a count of the clock at either end. */
	frequency->error_ppb = span.bracket_cycles * TB_NSEC_PER_SEC / cycles +
			       2 * TB_NSEC_PER_SEC / span.clock_counts;
}

static bool from_crystal(struct tsc_frequency *frequency)
{
	struct cpuid leaf;

	if (cpuid(0, 0).eax < 0x15)
		return false;
	leaf = cpuid(0x15, 0); /* TSC : crystal is ebx : eax, and ecx is the crystal, in Hz */
	if (!leaf.eax || !leaf.ebx || !leaf.ecx)
		return false;
	frequency->hz = (u64)leaf.ecx * leaf.ebx / leaf.eax;
	frequency->source = "cpuid-15h";
	frequency->error_ppb = CRYSTAL_PPB;
	return true;
}

static bool from_hypervisor(struct tsc_frequency *frequency, const struct cpu_features *features)
{
	u32 khz;

	if (features->hypervisor_leaf < 0x40000010)
		return false;
	khz = cpuid(0x40000010, 0).eax;
	if (!khz)
		return false;
	frequency->hz = khz * 1000ULL;
	frequency->source = "cpuid-40000010h";
	/* The host's estimate, rounded down to kHz. */
	frequency->error_ppb = CRYSTAL_PPB + TB_NSEC_PER_SEC / khz;
	return true;
}

/* KVM tells how it makes time of the TSC: its own estimate of the frequency, in whole kHz. */
static bool from_kvmclock(struct tsc_frequency *frequency, const struct cpu_features *features)
{
	u64 hz;

	if (pvclock_start(features) || !pvclock_hz(&hz))
		return false;
	frequency->hz = hz;
	frequency->source = "kvmclock";
	frequency->error_ppb = CRYSTAL_PPB + TB_NSEC_PER_SEC * 1000 / hz;
	return true;
}

static bool from_base_frequency(struct tsc_frequency *frequency,
				const struct cpu_features *features)
{
	u32 mhz;

	/* A hypervisor passes the host's base frequency on, whatever the guest's TSC does. */
	if (features->hypervisor_leaf || cpuid(0, 0).eax < 0x16)
		return false;
	mhz = cpuid(0x16, 0).eax & 0xffff;
	if (!mhz)
		return false;
	frequency->hz = mhz * 1000000ULL;
	frequency->source = "cpuid-16h";
	frequency->error_ppb = CRYSTAL_PPB + TB_NSEC_PER_SEC / 2 / mhz;
	return true;
}

void tsc_frequency(struct tsc_frequency *frequency, const struct cpu_features *features,
		   const struct refclock *clock)
{
	*frequency = (struct tsc_frequency){ .source = "none" };
	if (from_crystal(frequency) || from_hypervisor(frequency, features))
		return;
	measure(frequency, clock);
	if (!frequency->hz && !from_kvmclock(frequency, features))
		from_base_frequency(frequency, features);
}
