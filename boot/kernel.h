/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header of the flat kernel image, which tells the EFI loader where the image belongs. */
#ifndef TB_BOOT_KERNEL_H
#define TB_BOOT_KERNEL_H

#include "lib/types.h"

#define KERNEL_MAGIC "TBKERNEL"

/* At the image's first byte, in boot/start.asm. */
struct kernel_header {
	u8 entry[16]; /* code: start64 */
	u8 magic[8];
	u64 image_start; /* physical, where the image must stand */
	u64 image_end;
	u64 bss_end; /* end of the memory that it uses there */
};

#endif
