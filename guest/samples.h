/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A run's samples, out by the debug console, when the run is over. */
#ifndef TB_GUEST_SAMPLES_H
#define TB_GUEST_SAMPLES_H

#include "scenario/scenario.h"

/* struct bench_io's ship(). */
void samples_ship(void *context, const struct bench *bench, const char *scenario, u32 run);

#endif
