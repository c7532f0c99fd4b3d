/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of the architecture's: the data page is a variable. Older trees ask for it here. */
#ifndef TB_TK_LINUX_VDSO_VSYSCALL_H
#define TB_TK_LINUX_VDSO_VSYSCALL_H

#include "vdso/datapage.h"

struct vdso_data *lift_vdso_data(void);
#define __arch_get_k_vdso_data lift_vdso_data

#include "asm-generic/vdso/vsyscall.h"

#endif
