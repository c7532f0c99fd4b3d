// SPDX-License-Identifier: GPL-2.0-or-later
/* All scenarios, in the order in which `scenario=all` runs them. */
#include "lib/string.h"
#include "scenario/list.h"

const struct scenario *const scenarios[] = {
	&scenario_lock,	     &scenario_compare, &scenario_slew,	      &scenario_nohz,
	&scenario_late,	     &scenario_step,	&scenario_freq,	      &scenario_recalibrate,
	&scenario_adjust,    &scenario_leap,	&scenario_sleep,      &scenario_aux,
	&scenario_getters,   &scenario_vdso,	&scenario_told,	      &scenario_trace,
	&scenario_midnight,  &scenario_far,	&scenario_counter,    &scenario_smp,
	&scenario_torn,	     &scenario_rate,	&scenario_clocks,     &scenario_regress,
	&scenario_disrupted, &scenario_years,	&scenario_discipline, &scenario_device,
	&scenario_killed,    &scenario_notify,	&scenario_publish,    &scenario_pps,
};
const u32 scenario_count = TB_ARRAY_SIZE(scenarios);

const struct scenario *scenario_find(const char *name)
{
	for (u32 i = 0; i < scenario_count; i++)
		if (!strcmp(scenarios[i]->name, name))
			return scenarios[i];
	return NULL;
}
