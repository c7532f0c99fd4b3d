/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of the architecture's: the counter under test is the one that user space may read. */
#ifndef TB_TK_LINUX_VDSO_CLOCKSOURCE_H
#define TB_TK_LINUX_VDSO_CLOCKSOURCE_H

#define VDSO_ARCH_CLOCKMODES VDSO_CLOCKMODE_TICKBENCH

#endif
