// SPDX-License-Identifier: GPL-2.0-or-later
/* What CPUID says about the machine (SDM volume 2, CPUID; hypervisor leaves by common usage). */
#include "arch/x86/cpu.h"
#include "lib/string.h"

#define ECX_X2APIC	 (1u << 21)
#define ECX_TSC_DEADLINE (1u << 24)
#define ECX_HYPERVISOR	 (1u << 31)
#define EDX_TSC		 (1u << 4)
#define EDX_INVARIANT	 (1u << 8)

/* Replaces what is not printable ASCII with question marks, and removes blanks at both ends. */
static void tidy(char *text)
{
	size_t first = 0, end, i;

	for (i = 0; text[i]; i++) {
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	}
	for (end = i; end && text[end - 1] == ' '; end--)
		;
	while (first < end && text[first] == ' ')
		first++;
	memmove(text, text + first, end - first);
	text[end - first] = '\0';
}

static void read_brand(char *brand)
{
	u32 i;

	if (cpuid(0x80000000, 0).eax < 0x80000004)
		return;
	for (i = 0; i < 3; i++) {
		struct cpuid part = cpuid(0x80000002 + i, 0);

		memcpy(brand + 16 * i, &part, 16);
	}
	tidy(brand);
}

static void read_hypervisor(struct cpu_features *features)
{
	struct cpuid leaf = cpuid(0x40000000, 0);

	memcpy(features->hypervisor, &leaf.ebx, 12);
	tidy(features->hypervisor);
	/* An old KVM says 0 for its own highest leaf, 0x40000001. */
	features->hypervisor_leaf = leaf.eax ? leaf.eax : 0x40000001;
}

void cpu_identify(struct cpu_features *features)
{
	struct cpuid leaf = cpuid(0, 0);

	memset(features, 0, sizeof(*features));
	memcpy(features->vendor, &leaf.ebx, 4);
	memcpy(features->vendor + 4, &leaf.edx, 4);
	memcpy(features->vendor + 8, &leaf.ecx, 4);
	tidy(features->vendor);

	leaf = cpuid(1, 0);
	features->has_tsc = leaf.edx & EDX_TSC;
	features->x2apic = leaf.ecx & ECX_X2APIC;
	features->tsc_deadline = leaf.ecx & ECX_TSC_DEADLINE;
	if (leaf.ecx & ECX_HYPERVISOR)
		read_hypervisor(features);

	read_brand(features->brand);
	if (cpuid(0x80000000, 0).eax >= 0x80000007)
		features->invariant_tsc = cpuid(0x80000007, 0).edx & EDX_INVARIANT;
}
