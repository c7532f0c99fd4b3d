/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's firmware configuration device: files of the host, by name. QEMU docs/specs/fw_cfg: the
 * selector is port 0x510, the data a byte at a time port 0x511; what firmware read before does not
 * matter. Interrupts may come, but nobody else may use the ports meanwhile.
 */
#ifndef TB_ARCH_X86_FWCFG_H
#define TB_ARCH_X86_FWCFG_H

#include "lib/types.h"

struct fwcfg_file {
	u16 select;
	u32 size; /* bytes */
};

/* false: there is no such device, or no file of this name (up to 55 characters). */
bool fwcfg_find(const char *name, struct fwcfg_file *file);

/* From its beginning. */
void fwcfg_open(const struct fwcfg_file *file);
/* The next bytes; behind the end they are 0. */
void fwcfg_read(void *bytes, size_t count);

#endif
