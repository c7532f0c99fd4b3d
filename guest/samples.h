/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes a run's samples to the debug console when the run has ended. */
#ifndef TB_GUEST_SAMPLES_H
#define TB_GUEST_SAMPLES_H

#include "scenario/scenario.h"

/* The function for ship in struct run_io. */
void samples_ship(void *context, const struct run *run, const char *scenario, u32 number);

#endif
