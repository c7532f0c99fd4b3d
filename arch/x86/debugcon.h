/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's debug console, port 0xe9: a sink for bytes. The guest sends samples to it. */
#ifndef TB_ARCH_X86_DEBUGCON_H
#define TB_ARCH_X86_DEBUGCON_H

#include "lib/types.h"

/* Whether it is present: a read of its port gives the port's number. */
bool debugcon_present(void);

void debugcon_write(const void *bytes, size_t length);

#endif
