/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run's samples, out by the debug console, when the run is over. */
#ifndef TB_GUEST_SAMPLES_H
#define TB_GUEST_SAMPLES_H

#include "scenario/scenario.h"

/* struct run_io's ship(). */
void samples_ship(void *context, const struct run *run, const char *scenario, u32 number);

#endif
