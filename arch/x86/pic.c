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

/* The registers of one I/O APIC, and the interrupts that it has: first to first + last. */
struct io_apic {
	volatile u32 *select, *window;
	u32 first, last;
};

/* The next I/O APIC of the firmware's table whose registers can be mapped; false: there is none. */
static bool next_io_apic(struct acpi_madt *madt, struct io_apic *apic)
{
	const u8 *entry;
	u32 length;

	while ((entry = acpi_madt_next(madt, &length))) {
		u64 address;

		if (entry[0] != MADT_IO_APIC || length < 12)
			continue;
		address = acpi_u32(entry + 4);
		if (!address || paging_map(address, 32, CACHE_OFF))
			continue;
		apic->select = (volatile u32 *)(address + IO_APIC_SELECT);
		apic->window = (volatile u32 *)(address + IO_APIC_WINDOW);
		apic->first = acpi_u32(entry + 8);
		*apic->select = IO_APIC_VERSION;
		apic->last = *apic->window >> 16 & 0xff;
		return true;
	}
	return false;
}

static void io_apic_write(const struct io_apic *apic, u32 at, u32 value)
{
	*apic->select = at;
	*apic->window = value;
}

void pic_silence(void)
{
	struct acpi_madt madt;
	struct io_apic apic;

	silence_8259();
	if (acpi_madt(&madt))
		return;
	while (next_io_apic(&madt, &apic)) {
		for (u32 i = 0; i <= apic.last; i++)
			io_apic_write(&apic, IO_APIC_ENTRIES + 2 * i, ENTRY_MASKED);
	}
}

bool pic_route(const struct io_apic_route *wanted)
{
	const u32 low =
		wanted->vector | (wanted->low ? ENTRY_LOW : 0) | (wanted->level ? ENTRY_LEVEL : 0);
	struct acpi_madt madt;
	struct io_apic apic;

	if (acpi_madt(&madt))
		return false;
	while (next_io_apic(&madt, &apic)) {
		const u32 entry = wanted->gsi - apic.first, at = IO_APIC_ENTRIES + 2 * entry;

		if (wanted->gsi < apic.first || entry > apic.last)
			continue;
		io_apic_write(&apic, at, ENTRY_MASKED); /* while it is half written */
		io_apic_write(&apic, at + 1, wanted->to << 24);
		io_apic_write(&apic, at, wanted->masked ? ENTRY_MASKED : low);
		return true;
	}
	return false;
}
