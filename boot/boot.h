/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a boot path (boot/pvh.asm, boot/efi.c) hands over to kernel_main(): all that differs between
 * them. At kernel_main(): long mode, paging on with at least the first 4 GiB mapped one to one,
 * interrupts off, a stack, .bss cleared.
 */
#ifndef TB_BOOT_BOOT_H
#define TB_BOOT_BOOT_H

#include "lib/types.h"

enum boot_way {
	BOOT_PVH = 1,
	BOOT_UEFI = 2,
};

enum boot_memory_type {
	BOOT_MEMORY_RAM = 1, /* free for the kernel's use */
	BOOT_MEMORY_OTHER = 2,
};

struct boot_memory {
	u64 base; /* physical, bytes */
	u64 size; /* bytes */
	u32 type; /* enum boot_memory_type */
	u32 pad;
};

/* A linear frame buffer, 32 bits a pixel, in which 0xffffffff is white. */
struct boot_screen {
	u64 base;	   /* physical; 0: none */
	u32 width, height; /* pixels */
	u32 stride;	   /* pixels from one line to the next */
	u32 pad;
};

#define BOOT_MEMORY_MAX	 128
#define BOOT_CMDLINE_MAX 2048

struct boot_info {
	u32 way;	  /* enum boot_way */
	u32 memory_count; /* entries of memory[] in use */
	u64 rsdp;	  /* physical address of the ACPI RSDP; 0: none */
	struct boot_screen screen;
	struct boot_memory memory[BOOT_MEMORY_MAX];
	u32 cmdline_cut;		/* not 0: it was longer */
	char cmdline[BOOT_CMDLINE_MAX]; /* NUL-terminated */
};

/* The kernel's main (guest/main.c). Does not return. */
void kernel_main(struct boot_info *boot);

#endif
