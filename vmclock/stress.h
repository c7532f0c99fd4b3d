/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines from which a mixture of two can be detected: `vmclock-host --stress` writes them as fast as
 * it can, and a reader detects that it accepted a torn one. Freestanding, for every vehicle.
 */
#ifndef TB_VMCLOCK_STRESS_H
#define TB_VMCLOCK_STRESS_H

#include "vmclock/vmclock.h"

/* The n-th line: valid, and every field that can vary follows from n alone. */
void vmclock_stress_line(u64 n, struct vmclock_line *line);

/* Whether `line`, as vmclock_read() gave it, is whole: the line of the n that it claims. */
bool vmclock_stress_whole(const struct vmclock_line *line);

/* Whether `line` claims to be one of these at all. */
bool vmclock_stress_is(const struct vmclock_line *line);

#endif
