/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory for buffers that are too large for the image. It is claimed once, and never freed. */
#ifndef TB_GUEST_MEMORY_H
#define TB_GUEST_MEMORY_H

#include "boot/boot.h"

/*
 * `size` bytes from the top of the largest range of RAM, 16-byte aligned and mapped. It is not
 * cleared, because that would take an emulated CPU longer than the boot. NULL: no range is large
 * enough.
 */
void *memory_claim(struct boot_info *boot, u64 size);

#endif
