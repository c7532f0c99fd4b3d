/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARCH=um has cpu_relax() in asm/processor.h, and finds the other architecture's header here. */
#ifdef CONFIG_UML
#include "asm/processor.h"
#else
#include_next <asm/vdso/processor.h>
#endif
