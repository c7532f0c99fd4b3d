/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scenario is added here, and in the list beside. */
#ifndef TB_SCENARIO_LIST_H
#define TB_SCENARIO_LIST_H

#include "scenario/scenario.h"

extern const struct scenario scenario_lock;
extern const struct scenario scenario_compare;
extern const struct scenario scenario_slew;
extern const struct scenario scenario_nohz;
extern const struct scenario scenario_late;
extern const struct scenario scenario_step;
extern const struct scenario scenario_freq;
extern const struct scenario scenario_recalibrate;
extern const struct scenario scenario_adjust;
extern const struct scenario scenario_leap;
extern const struct scenario scenario_sleep;
extern const struct scenario scenario_aux;
extern const struct scenario scenario_trace;
extern const struct scenario scenario_smp;
extern const struct scenario scenario_torn;
extern const struct scenario scenario_rate;
extern const struct scenario scenario_clocks;
extern const struct scenario scenario_regress;
extern const struct scenario scenario_getters;
extern const struct scenario scenario_vdso;
extern const struct scenario scenario_told;
extern const struct scenario scenario_disrupted;
extern const struct scenario scenario_midnight;
extern const struct scenario scenario_far;
extern const struct scenario scenario_counter;
extern const struct scenario scenario_years;
extern const struct scenario scenario_discipline;
extern const struct scenario scenario_device;
extern const struct scenario scenario_killed;
extern const struct scenario scenario_notify;
extern const struct scenario scenario_publish;
extern const struct scenario scenario_pps;

#endif
