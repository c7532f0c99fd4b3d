/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's second CPU, for the scenarios. */
#ifndef TB_GUEST_SECOND_H
#define TB_GUEST_SECOND_H

#include "boot/boot.h"
#include "guest/machine.h"
#include "measure/measure.h"

/* What guest_second needs to start the CPU; both must stay. Once. */
void guest_second_init(const struct machine *machine, const struct boot_info *boot);

extern const struct second_cpu guest_second;

#endif
