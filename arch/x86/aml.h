/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of ACPI's machine language (ACPI 6.5, chapter 20) that is needed to find a device by its
 * id, the device's memory, and the soft-off value. All functions depend on the table's bytes alone.
 * A table may be damaged: no read is outside of it, and the work is bounded. Nothing is evaluated:
 * a value that a table computes at run time is reported as an error.
 */
#ifndef TB_ARCH_X86_AML_H
#define TB_ARCH_X86_AML_H

#include "lib/types.h"

enum aml_error {
	AML_OK,
	AML_NO_DEVICE,	  /* no device of that id */
	AML_NOT_PRESENT,  /* the device exists, but its _STA says that it is not present */
	AML_NO_CRS,	  /* it has no _CRS, or one that must be evaluated */
	AML_BAD_CRS,	  /* its _CRS is cut off, or not a resource template */
	AML_NO_MEMORY,	  /* its _CRS has no memory in it */
	AML_BAD_MEMORY,	  /* its memory is empty, or wraps around */
	AML_NO_INTERRUPT, /* its _CRS has no interrupt in it */
	AML_TOO_LONG,	  /* the search exceeded its limit of work */
	AML_ERRORS,
};

/* One sentence for each. */
const char *aml_strerror(enum aml_error error);

struct aml_region {
	u64 base; /* physical */
	u64 size; /* bytes, at least 1 */
};

/* The bytes before a table's AML. */
#define ACPI_HEADER_SIZE 36

/*
 * The memory of the first device in a DSDT or SSDT (`table` points at its header, `length` is of
 * all) whose _HID or _CID is the string `id`, from a Memory32Fixed, DWordMemory or QWordMemory
 * descriptor of its _CRS. If several devices match, the first with a usable region; else the
 * first's error.
 */
enum aml_error aml_find_device(const u8 *table, u32 length, const char *id,
			       struct aml_region *region);

/* An interrupt of a device, and how it is acknowledged. */
struct aml_interrupt {
	u32 gsi;
	bool level; /* else edge */
	bool low;   /* active low */
	/* The integer of a name TBAK in the device: a 16550 behind the interrupt, whose data port
	 * is to be read. 0: an edge needs nothing. */
	u16 ack_port;
};

/* The same for the interrupt of a device, from an Extended Interrupt descriptor of its _CRS. */
enum aml_error aml_find_interrupt(const u8 *table, u32 length, const char *id,
				  struct aml_interrupt *interrupt);

/* The values for SLP_TYPa and SLP_TYPb from \_S5. False: none. */
bool aml_find_soft_off(const u8 *table, u32 length, u8 *type_a, u8 *type_b);

#endif
