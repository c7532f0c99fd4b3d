/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Called by start.asm when the boot path is PVH. Does not return; .bss is cleared. */
#ifndef TB_BOOT_PVH_H
#define TB_BOOT_PVH_H

struct start_info;

void boot_pvh(const struct start_info *start);

#endif
