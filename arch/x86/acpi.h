/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware's tables (ACPI 6.5, chapter 5): finds the root pointer and a table by its signature.
 * The length and checksum of each table are checked before its contents are used.
 */
#ifndef TB_ARCH_X86_ACPI_H
#define TB_ARCH_X86_ACPI_H

#include "arch/x86/aml.h"
#include "lib/types.h"

enum acpi_error {
	ACPI_OK,
	ACPI_NO_ROOT,	   /* no root pointer was handed over, nor is one in the BIOS area */
	ACPI_BAD_ROOT,	   /* its signature or checksum is wrong */
	ACPI_BAD_TABLE,	   /* a table's length or checksum is wrong */
	ACPI_NO_TABLE,	   /* no such table */
	ACPI_OUT_OF_REACH, /* a table lies where the CPU cannot map it */
	ACPI_ERRORS,
};

const char *acpi_strerror(enum acpi_error error);

/* Finds and checks the root. `rsdp` is physical; 0 looks for it in the BIOS area. Once. */
enum acpi_error acpi_init(u64 rsdp);

/*
 * The index-th table with a signature of four letters, checked. "DSDT" is found too. Only the first
 * 256 entries of the root are searched.
 */
enum acpi_error acpi_table(const char *signature, u32 index, const u8 **table, u32 *length);

/* A number of a table, at any alignment. */
u32 acpi_u32(const u8 *at);

/* A walk over the entries of the MADT, the table of processors and interrupt controllers. */
struct acpi_madt {
	const u8 *table;
	u32 size, at;
};

/* Begins the walk. */
enum acpi_error acpi_madt(struct acpi_madt *madt);

/*
 * The next entry, *length bytes of it: its first byte is its type. NULL: there is no other, or the
 * table is damaged there.
 */
const u8 *acpi_madt_next(struct acpi_madt *madt, u32 *length);

/*
 * A device's memory: every SSDT and the DSDT are searched. A damaged table is skipped; its error is
 * stored in *damaged, if that is not NULL.
 */
enum aml_error acpi_find_device(const char *id, struct aml_region *region,
				enum acpi_error *damaged);

/*
 * The memory of the devices with an id, at most `max` of them and one a table, in the order in
 * which acpi_find_device() looks; how many.
 */
u32 acpi_find_devices(const char *id, struct aml_region *regions, u32 max);

/* A device's interrupt, of every SSDT and the DSDT likewise. */
enum aml_error acpi_find_interrupt(const char *id, struct aml_interrupt *interrupt);

/* ACPI's timer, 3.579545 MHz. */
struct acpi_pm_timer {
	u16 port;  /* 0: there is none in I/O space */
	u32 width; /* 24 or 32 bits */
};

struct acpi_pm_timer acpi_pm_timer(void);

/* The physical address of the HPET's registers; 0: none. */
u64 acpi_hpet(void);

/* Asks for the soft-off state; returns if the machine is still on. */
void acpi_soft_off(void);

#endif
