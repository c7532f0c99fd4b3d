/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of ACPI's machine language (ACPI 6.5, chapter 20) as it takes to find a device by its
 * name and its memory, and the soft-off value. Pure functions of a table's bytes, for tables that
 * may be damaged: bounded in reads (never outside the table) and in work. Nothing is evaluated:
 * what a table computes at run time is not seen, and says so.
 */
#ifndef TB_ARCH_X86_AML_H
#define TB_ARCH_X86_AML_H

#include "lib/types.h"

enum aml_error {
	AML_OK,
	AML_NO_DEVICE,	 /* no device of that id */
	AML_NOT_PRESENT, /* there is one, and its _STA says it is not there */
	AML_NO_CRS,	 /* it has no _CRS, or one that must be computed */
	AML_BAD_CRS,	 /* its _CRS is cut off, or not a resource template */
	AML_NO_MEMORY,	 /* its _CRS has no memory in it */
	AML_BAD_MEMORY,	 /* its memory is empty, or wraps around */
	AML_TOO_LONG,	 /* the table is built so that the search was given up */
	AML_ERRORS,
};

/* One sentence for each. */
const char *aml_strerror(enum aml_error error);

struct aml_region {
	u64 base; /* physical */
	u64 size; /* bytes, at least 1 */
};

/* What precedes a table's AML. */
#define ACPI_HEADER_SIZE 36

/*
 * The memory of the first device in a DSDT or SSDT (`table` points at its header, `length` is of
 * all) whose _HID or _CID is the string `id`, from a Memory32Fixed, DWordMemory or QWordMemory
 * descriptor of its _CRS. If several devices match, the first with a usable region; else the
 * first's error.
 */
enum aml_error aml_find_device(const u8 *table, u32 length, const char *id,
			       struct aml_region *region);

/* The values for SLP_TYPa and SLP_TYPb from \_S5. False: none. */
bool aml_find_soft_off(const u8 *table, u32 length, u8 *type_a, u8 *type_b);

#endif
