/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory beyond what boot/start.asm mapped, one to one: virtual addresses are physical ones. Not
 * from an interrupt.
 */
#ifndef TB_ARCH_X86_PAGING_H
#define TB_ARCH_X86_PAGING_H

#include "lib/types.h"

enum cache_type {
	CACHE_ANY,	  /* unchanged; write-back where nothing was mapped */
	CACHE_WRITE_BACK, /* memory */
	CACHE_OFF,	  /* a device's registers */
};

enum paging_error {
	PAGING_OK,
	PAGING_TOO_WIDE,  /* beyond the CPU's physical addresses, or 128 TiB */
	PAGING_NO_TABLES, /* more separate regions than there are page tables for */
	PAGING_ERRORS,
};

const char *paging_strerror(enum paging_error error);

/* Maps every 4 KiB page that `size` > 0 bytes from `physical` touch. Mapping again is harmless. */
enum paging_error paging_map(u64 physical, u64 size, enum cache_type cache);

#endif
