// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The 8259s (Intel 8259A data sheet) and the I/O APICs (82093AA data sheet), masked. The 8259s also
 * get vectors of their own, since they may still raise a spurious one.
 */
#include "arch/x86/pic.h"
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/descriptors.h"
#include "arch/x86/paging.h"
#include "lib/string.h"

#define MASTER_COMMAND 0x20
#define MASTER_DATA    0x21
#define SLAVE_COMMAND  0xa0
#define SLAVE_DATA     0xa1

#define ICW1_INIT_ICW4 0x11
#define ICW3_MASTER    0x04 /* the slave is on line 2 */
#define ICW3_SLAVE     0x02
#define ICW4_8086      0x01
#define ALL_MASKED     0xff
#define SPURIOUS_LINE  7

#define MADT_ENTRIES	44
#define MADT_IO_APIC	1
#define IO_APIC_SELECT	0x00
#define IO_APIC_WINDOW	0x10
#define IO_APIC_VERSION 0x01
#define IO_APIC_ENTRIES 0x10
#define ENTRY_LOW	(1u << 13)
#define ENTRY_LEVEL	(1u << 15)
#define ENTRY_MASKED	(1u << 16)

static void ignore(void)
{
}

static void silence_8259(void)
{
	outb(MASTER_COMMAND, ICW1_INIT_ICW4);
	outb(SLAVE_COMMAND, ICW1_INIT_ICW4);
	outb(MASTER_DATA, VECTOR_PIC);
	outb(SLAVE_DATA, VECTOR_PIC + 8);
	outb(MASTER_DATA, ICW3_MASTER);
	outb(SLAVE_DATA, ICW3_SLAVE);
	outb(MASTER_DATA, ICW4_8086);
	outb(SLAVE_DATA, ICW4_8086);
	outb(MASTER_DATA, ALL_MASKED);
	outb(SLAVE_DATA, ALL_MASKED);
	interrupt_handler_set(VECTOR_PIC + SPURIOUS_LINE, ignore);
	interrupt_handler_set(VECTOR_PIC + 8 + SPURIOUS_LINE, ignore);
}

static void silence_io_apic(u64 address)
{
	volatile u32 *select = (volatile u32 *)(address + IO_APIC_SELECT);
	volatile u32 *window = (volatile u32 *)(address + IO_APIC_WINDOW);
	u32 i, last;

	if (!address || paging_map(address, 32, CACHE_OFF))
		return;
	*select = IO_APIC_VERSION;
	last = *window >> 16 & 0xff;
	for (i = 0; i <= last; i++) {
		*select = IO_APIC_ENTRIES + 2 * i;
		*window = ENTRY_MASKED;
	}
}

/* Calls `each` for each I/O APIC of the firmware's table, until it returns true. */
static bool for_io_apics(bool (*each)(u64 address, u32 first, void *context), void *context)
{
	const u8 *madt;
	u32 length, at;

	if (acpi_table("APIC", 0, &madt, &length))
		return false;
	for (at = MADT_ENTRIES; at + 2 <= length; at += madt[at + 1]) {
		u32 address, first;

		if (madt[at + 1] < 2 || madt[at + 1] > length - at)
			return false;
		if (madt[at] != MADT_IO_APIC || madt[at + 1] < 12)
			continue;
		memcpy(&address, madt + at + 4, sizeof(address));
		memcpy(&first, madt + at + 8, sizeof(first));
		if (each(address, first, context))
			return true;
	}
	return false;
}

static bool silence(u64 address, u32 first, void *context)
{
	(void)first;
	(void)context;
	silence_io_apic(address);
	return false;
}

void pic_silence(void)
{
	silence_8259();
	for_io_apics(silence, NULL);
}

static bool route(u64 address, u32 first, void *context)
{
	const struct io_apic_route *wanted = context;
	volatile u32 *select = (volatile u32 *)(address + IO_APIC_SELECT);
	volatile u32 *window = (volatile u32 *)(address + IO_APIC_WINDOW);
	u32 low =
		wanted->vector | (wanted->low ? ENTRY_LOW : 0) | (wanted->level ? ENTRY_LEVEL : 0);
	u32 entry = wanted->gsi - first;

	if (wanted->gsi < first || !address || paging_map(address, 32, CACHE_OFF))
		return false;
	*select = IO_APIC_VERSION;
	if (entry > (*window >> 16 & 0xff))
		return false;
	*select = IO_APIC_ENTRIES + 2 * entry;
	*window = ENTRY_MASKED;
	*select = IO_APIC_ENTRIES + 2 * entry + 1;
	*window = wanted->to << 24;
	*select = IO_APIC_ENTRIES + 2 * entry;
	*window = wanted->masked ? ENTRY_MASKED : low;
	return true;
}

bool pic_route(const struct io_apic_route *wanted)
{
	struct io_apic_route copy = *wanted;

	return for_io_apics(route, &copy);
}
